"""The known failures of what a job reads from and writes to: Kafka, Kinesis, databases, records. Data only."""

from __future__ import annotations

from scurry.engine.failures import Blame, Trouble

_APPLY = "When that is done, run:\n  scurry apply FILE"

_SURROUNDINGS = (
    Trouble(
        id="topic-missing",
        title="A Kafka topic is missing",
        seen=(
            r"(?:UnknownTopicOrPartitionException|UnknownTopicIdException)(?:: (?P<text>[^\n]*))?",
            r"Failed to get metadata for topics? (?P<name>\[[^\]]*\])",
            r"Topic (?P<name>\S+) not present in metadata after",
        ),
        what="A topic that is read or written is not there: {name}",
        todo=f"Create it, or correct its name.\n{_APPLY}",
        blame=Blame.SURROUNDINGS,
    ),
    Trouble(
        id="stream-missing",
        title="A Kinesis stream is missing",
        seen=(
            r"kinesis\S*\.ResourceNotFoundException: (?P<text>[^\n]*)",
            r"Stream (?P<name>\S+) under account \d+ not found",
        ),
        what="A stream that is read or written is not there: {name}",
        todo=f"Create it, or correct its name, region or account.\n{_APPLY}",
        blame=Blame.SURROUNDINGS,
    ),
    Trouble(
        id="credentials-wrong",
        title="Wrong credentials",
        seen=(
            r"SaslAuthenticationException: (?P<text>[^\n]*)",
            r"(?P<text>[^\n]*(?:InvalidAccessKeyId|SignatureDoesNotMatch|UnrecognizedClientException|InvalidClientTokenId"
            r"|The security token included in the request is)[^\n]*)",
            r"(?P<text>password authentication failed for user[^\n]*)",
            r"(?P<text>Access denied for user '[^\n]*)",
            r"(?P<text>Unable to load (?:AWS )?credentials from any[^\n]*)",
            r"(?P<text>[^\n]*HTTP(?:/1\.1)? 401[^\n]*)",
        ),
        what="What the job connects to does not accept its credentials: {text}",
        todo=f"Correct user, password or key, or renew what has expired.\n{_APPLY}",
        blame=Blame.SURROUNDINGS,
    ),
    Trouble(
        id="access-denied",
        title="Access denied",
        seen=(
            r"(?:Topic|Group|Cluster|TransactionalId|DelegationToken)AuthorizationException: (?P<text>[^\n]*)",
            r"(?P<text>[^\n]*is not authorized to perform:[^\n]*)",
            r"(?P<text>[^\n]*\bAccess ?Denied\b[^\n]*(?:Status Code: 403|Service:)[^\n]*)",
            r"AccessControlException: (?P<text>[^\n]*)",
            r"(?P<text>permission denied for (?:table|schema|relation)[^\n]*)",
        ),
        what="The job is known and may not do that: {text}",
        todo=f"Give its user or role the right.\n{_APPLY}",
        blame=Blame.SURROUNDINGS,
    ),
    Trouble(
        id="tls-failed",
        title="No TLS connection",
        seen=(
            r"(?:SslAuthenticationException|SSLHandshakeException|SSLPeerUnverifiedException): (?P<text>[^\n]*)",
            r"(?P<text>PKIX path (?:building|validation) failed[^\n]*)",
            r"SSLException: (?P<text>[^\n]*)",
            r"CertificateException: (?P<text>[^\n]*)",
        ),
        what="No TLS connection comes about: {text}",
        todo=(
            "Check the truststore (does it hold the server's authority?), the host name, and whether it speaks TLS.\n"
            f"{_APPLY}"
        ),
        blame=Blame.SURROUNDINGS,
    ),
    Trouble(
        id="unreachable",
        title="A system that does not answer",
        seen=(
            r"UnknownHostException: (?P<where>[^\n]*)",
            r"No resolvable bootstrap urls given in (?P<where>[^\n]*)",
            r"ConnectException: (?P<where>[^\n]*)",
            r"NoRouteToHostException: (?P<where>[^\n]*)",
            r"(?:SocketTimeoutException|HttpTimeoutException|HttpConnectTimeoutException): (?P<where>[^\n]*)",
            r"Timed out waiting for a node assignment\.? ?(?P<where>[^\n]*)",
            r"(?P<where>Timeout expired while fetching topic metadata|Timeout expired while initializing transactional"
            r"[^\n]*)",
            r"(?P<where>Communications link failure|Connection to \S+ refused)[^\n]*",
        ),
        what="Something that the job reads from or writes to does not answer: {where}",
        todo=f"Check that it runs, its address, and whether the TaskManagers may reach it.\n{_APPLY}",
        blame=Blame.SURROUNDINGS,
    ),
    Trouble(
        id="record-too-large",
        title="A record is too large",
        seen=(
            r"RecordTooLargeException: (?P<text>[^\n]*)",
            r"RecordBatchTooLargeException(?:: (?P<text>[^\n]*))?",
            r"(?P<text>[^\n]*(?:Record size|record data blob)[^\n]*(?:exceed|greater than)[^\n]*)",
        ),
        what="A record is larger than the sink takes: {text}",
        todo=(
            "Raise `max.request.size` of the producer and `max.message.bytes` of the topic; or write smaller records.\n"
            f"{_APPLY}"
        ),
        blame=Blame.SURROUNDINGS,
    ),
    Trouble(
        id="offset-gone",
        title="No position to read from",
        seen=(
            r"NoOffsetForPartitionException: (?P<text>[^\n]*)",
            r"OffsetOutOfRangeException: (?P<text>[^\n]*)",
            r"(?P<text>[^\n]*(?:ExpiredIteratorException|TrimmedDataAccessException)[^\n]*)",
        ),
        what="The position to read from is not there (any more): {text}",
        todo=(
            "Say where to begin (`scan.startup.mode`, `properties.auto.offset.reset`). If records were deleted before "
            f"they were read, they are lost: raise the retention of the topic.\n{_APPLY}"
        ),
        blame=Blame.SURROUNDINGS,
    ),
    Trouble(
        id="transaction-failed",
        title="A Kafka transaction is not accepted",
        seen=(
            r"(?:ProducerFenced|InvalidProducerEpoch|InvalidPidMapping)Exception(?:: (?P<text>[^\n]*))?",
            r"(?P<text>[^\n]*transaction timeout is larger than the maximum value allowed by the broker[^\n]*)",
            r"InvalidTxnTimeoutException: (?P<text>[^\n]*)",
        ),
        what="Kafka does not accept a transaction of the sink: {text}",
        todo=(
            "Set `transaction.timeout.ms` of the sink below `transaction.max.timeout.ms` of the brokers and above the "
            "time that a restart may take; give each sink a `transactional-id-prefix` of its own.\n"
            f"{_APPLY}"
        ),
        blame=Blame.SURROUNDINGS,
    ),
    Trouble(
        id="throttled",
        title="Too many requests",
        seen=(
            r"(?P<text>[^\n]*(?:ProvisionedThroughputExceeded|LimitExceededException|ThrottlingException|SlowDown|"
            r"Rate exceeded|HTTP(?:/1\.1)? 429)[^\n]*)",
        ),
        what="What the job reads from or writes to takes no more requests: {text}",
        todo=f"Raise its limits (shards, quota), or lower `parallelism`.\n{_APPLY}",
        blame=Blame.SURROUNDINGS,
    ),
    Trouble(
        id="schema-missing",
        title="A schema is not in the registry",
        seen=(
            r"RestClientException: (?P<text>[^\n]*)",
            r"(?P<text>Could not find schema with id \S+ in registry[^\n]*|Unknown magic byte!?)",
        ),
        what="The schema registry does not give the schema: {text}",
        todo=f"Check its address, the subject, and that the records were written with it.\n{_APPLY}",
        blame=Blame.SURROUNDINGS,
    ),
    Trouble(
        id="record-unreadable",
        title="A record that cannot be read",
        seen=(
            r"(?P<text>Failed to deserialize (?:CSV row|JSON|Avro|consumer record|Protobuf|PB)?[^\n]*)",
            r"(?P<text>Corrupt (?:Debezium|Canal|Maxwell|Ogg)[^\n]*)",
            r"(?:JsonParseException|MismatchedInputException|CsvReadException|RuntimeJsonMappingException|JsonEOFException"
            r"|InvalidFormatException): (?P<text>[^\n]*)",
            r"(?:AvroTypeException|AvroRuntimeException|InvalidProtocolBufferException): (?P<text>[^\n]*)",
            r"ParseException: (?P<text>[^\n]*(?:Row too short|Parsing error|line)[^\n]*)",
        ),
        what="A record is not what the format says: {text}",
        todo=(
            "Correct the schema, or let such records go: `json.ignore-parse-errors: true` (or `csv.…`) in the table's "
            f"options.\n{_APPLY}"
        ),
        blame=Blame.SURROUNDINGS,
    ),
)

OF_SURROUNDINGS: tuple[Trouble, ...] = (*_SURROUNDINGS,)
