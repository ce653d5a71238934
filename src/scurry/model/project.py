"""The project file `scurry.yaml`: the targets that there are, and what all applications of a project share.

An empty or missing file is a project with one target, `local`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    PrivateAttr,
    Tag,
    WithJsonSchema,
    model_validator,
)

from scurry.model.fields import (
    SECRET_SCHEMA,
    WHOLE,
    Duration,
    Filled,
    Flag,
    FlinkVersion,
    Line,
    Memory,
    Misplaced,
    Options,
    SpecModel,
    Value,
    Variables,
    read_duration,
    read_filled,
    read_text,
    read_value,
)
from scurry.model.values import SecretRef, Text

PROJECT_FILE = "scurry.yaml"
LOG_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF")
LONGEST_EXPORT_PREFIX = 128
"""the service takes 200 characters with what it appends: the id of the export, which has up to 64"""
_JOURNAL_EXAMPLE = "postgresql://scurry@db.example.com/scurry"
BUILT_IN_KINDS = ("local", "rest", "memory", "managed")


def read_address(value: object) -> str:
    """Read an http(s) address without its closing slash. Raises `ValueError`."""
    text = read_filled(value)
    if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", text):
        raise ValueError(f"'{text}' is not an address; write for example https://flink.example.com:8081")
    if "@" in text.split("/")[2]:
        raise ValueError("the address holds credentials; write them as `username` and `password`")
    return text.rstrip("/")


def read_journal_url(value: object) -> Text:
    """Read the address of a journal's server, or the reference to a secret that holds it. Raises `ValueError`."""
    if isinstance(value, SecretRef | Mapping):
        return read_value(value)
    text = read_filled(value)
    if not re.match(r"postgres(ql)?://", text):
        raise ValueError(f"'{text}' is not an address of PostgreSQL; write for example {_JOURNAL_EXAMPLE}")
    if re.match(r"[^/]*//[^/@]*:[^/@]*@", text) or re.search(r"[?&](password|sslpassword)=", text):
        raise ValueError("the address holds a password; write it as {url: …, password: {env: NAME}}")
    return text


def _read_journal(value: object) -> object:
    """A text alone is an address or a path."""
    if isinstance(value, str) and "://" in value:
        return {"url": value}
    return value if isinstance(value, Mapping | JournalPlace) else {"path": value}


def read_log_level(value: object) -> str:
    """Read a level of Log4j. Raises `ValueError`."""
    text = read_text(value).upper()
    if text not in LOG_LEVELS:
        raise ValueError(f"'{value}' is not a log level: {', '.join(LOG_LEVELS)}")
    return text


Address: TypeAlias = Annotated[
    str, PlainValidator(read_address), WithJsonSchema({"type": "string", "pattern": "^https?://"})
]
JournalUrl: TypeAlias = Annotated[
    Text,
    PlainValidator(read_journal_url),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": "^postgres(ql)?://"}, SECRET_SCHEMA]}),
]
LogLevel: TypeAlias = Annotated[
    str, PlainValidator(read_log_level), WithJsonSchema({"type": "string", "enum": list(LOG_LEVELS)})
]


class LocalTarget(SpecModel):
    """Flink on this machine: installed, started and looked after by scurry; everything listens on 127.0.0.1."""

    model_config = ConfigDict(json_schema_extra={"required": ["kind"]})

    kind: Literal["local"] = Field("local", description="`local`")
    flink: FlinkVersion | None = Field(
        None, description="The only Flink version that runs here; without it, each application's own."
    )
    slots: Annotated[int, Field(ge=1, le=1024), WHOLE] | None = Field(
        None, description="Slots of each TaskManager; without it, as the machine's processors suggest."
    )
    task_managers: Annotated[int, Field(ge=1, le=64), WHOLE] = Field(1, description="How many TaskManagers.")
    job_manager_memory: Memory | None = Field(
        None, description="Memory of the JobManager's process; without it, as the machine's memory suggests."
    )
    task_manager_memory: Memory | None = Field(
        None, description="Memory of each TaskManager's process; without it, as the machine's memory suggests."
    )
    config: Options = Field(
        default_factory=dict,
        description=(
            "Flink options of the cluster. A change takes effect when the cluster has no jobs, or after "
            "`scurry local stop`."
        ),
    )
    log_level: LogLevel = Field("INFO", description="Level of Flink's root logger.")
    rest_port: Annotated[int, Field(ge=1, le=65535), WHOLE] | None = Field(
        None, description="Port of Flink's REST interface and UI; without it, a free one."
    )
    java_home: Filled | None = Field(None, description="The Java that runs it; without it, one that fits is found.")


class Timeouts(SpecModel):
    """How long a Flink cluster may take to answer."""

    connect: Duration = Field(
        read_duration("5s"),
        json_schema_extra={"default": "5s"},
        description="Until the connection stands. Default: 5s.",
    )
    read: Duration = Field(
        read_duration("30s"), json_schema_extra={"default": "30s"}, description="Until an answer comes. Default: 30s."
    )
    run: Duration = Field(
        read_duration("5m"),
        json_schema_extra={"default": "5m"},
        description="The same where the program's `main` runs first, or a file is sent. Default: 5m.",
    )


class RestTarget(SpecModel):
    """A Flink session cluster that is there, by the address of its REST interface."""

    kind: Literal["rest"] = Field(description="`rest`")
    url: Address = Field(description="Address of the REST interface, with the path prefix of a proxy if there is one.")
    verify: Flag = Field(True, description="Whether the server's certificate is checked.")
    ca: Filled | None = Field(None, description="File with the certificates to trust, instead of the usual ones.")
    cert: Filled | None = Field(None, description="File with the client's certificate, and its key if `key` is absent.")
    key: Filled | None = Field(None, description="File with the key of the client's certificate.")
    username: Line | None = Field(None, description="For basic authentication.")
    password: Value | None = Field(None, description="For basic authentication; a secret by reference.")
    token: Value | None = Field(None, description="Bearer token; a secret by reference.")
    headers: Mapping[Filled, Value] = Field(default_factory=dict, description="Headers sent with every call.")
    savepoints: Filled | None = Field(
        None, description="Where savepoints go: a directory that the cluster can write; without it, the cluster's own."
    )
    checkpoints: Filled | None = Field(
        None, description="Where checkpoints are: only needed to find those of a job that the cluster has forgotten."
    )
    shared_directory: Filled | None = Field(
        None, description="A directory that this machine and the cluster's both see; PyFlink applications need one."
    )
    timeouts: Timeouts = Field(default_factory=Timeouts, description=Timeouts.__doc__)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key, needed in (("password", "username"), ("username", "password"), ("key", "cert")):
            if getattr(self, key) is not None and getattr(self, needed) is None:
                raise Misplaced(f"{key} needs {needed}, too", key, of_key=True)
        if self.token is not None and self.username is not None:
            raise Misplaced("token and username exclude each other; remove one", "token", of_key=True)
        if self.ca is not None and not self.verify:
            raise Misplaced("it means nothing with verify: false, which trusts any certificate", "ca", of_key=True)
        for key in ("ca", "cert"):
            if getattr(self, key) is not None and self.url.startswith("http://"):
                raise Misplaced(f"{key} needs an https address, and url is {self.url}", key, of_key=True)
        return self


class MemoryTarget(SpecModel):
    """A pretended Flink in this process: for trying out and for tests; it is kept in `.scurry/memory`."""

    kind: Literal["memory"] = Field(description="`memory`")


class Vpc(SpecModel):
    """The network of applications that reach what is inside of it."""

    subnets: Annotated[tuple[Filled, ...], Field(min_length=1)] = Field(description="Ids of subnets.")
    security_groups: Annotated[tuple[Filled, ...], Field(min_length=1)] = Field(description="Ids of security groups.")


def read_export(value: object) -> str:
    """Read where snapshots are copied to: `s3://BUCKET/PREFIX/`, with its closing slash. Raises `ValueError`."""
    text = read_filled(value).rstrip("/") + "/"
    if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^/].*", text):
        raise ValueError(f"'{value}' is not a place in S3; write for example s3://example-flink-states/exported/")
    if len(text.split("/", 3)[3]) > LONGEST_EXPORT_PREFIX:
        raise ValueError(f"what follows the bucket is longer than {LONGEST_EXPORT_PREFIX} characters")
    return text


ExportPlace: TypeAlias = Annotated[
    str, PlainValidator(read_export), WithJsonSchema({"type": "string", "pattern": "^s3://[^/]+/."})
]


class ManagedSnapshots(SpecModel):
    """Enhanced snapshots, copied to where the state in them can be looked at. Flink 1.20 or newer."""

    export: ExportPlace = Field(
        description="Where snapshots that scurry takes are copied to: `s3://BUCKET/PREFIX/`, in the same account and "
        "region."
    )
    role: Filled | None = Field(
        None, description="ARN of the role under which the service writes there; without it, `role` of the target."
    )


class ManagedTarget(SpecModel):
    """Amazon Managed Service for Apache Flink, in one account and region. Needs the extra `managed`."""

    kind: Literal["managed"] = Field(description="`managed`")
    region: Filled | None = Field(None, description="AWS region; without it, that of the profile or the environment.")
    profile: Filled | None = Field(
        None, description="Profile of the AWS configuration whose credentials are used; without it, boto3's own chain."
    )
    endpoint: Address | None = Field(
        None, description="Address of an emulator; without it, AWS itself or what `AWS_ENDPOINT_URL` says."
    )
    owner: Annotated[
        Literal["scurry", "terraform"],
        Field(
            description="Whose the applications' configuration is. With `terraform`, scurry starts, stops, restarts, "
            "takes snapshots and recovers, and changes no configuration."
        ),
    ] = "scurry"
    role: Filled | None = Field(None, description="ARN of the role under which the service runs the applications.")
    bucket: Filled | None = Field(None, description="S3 bucket that code is uploaded to.")
    prefix: Line = Field("scurry/", description="What the keys of uploaded code begin with.")
    applications: Mapping[Filled, Filled] = Field(
        default_factory=dict,
        description="Names on the service, by application (`name@environment`), where they are not `name-environment`.",
    )
    parallelism_per_kpu: Annotated[int, Field(ge=1, le=8), WHOLE] = Field(1, description="Slots of each KPU.")
    kpu_quota: Annotated[int, Field(ge=1, le=100_000), WHOLE] = Field(
        64, description="KPUs that the account's quota allows one application."
    )
    autoscaling: Flag = Field(False, description="Whether the service itself changes the parallelism, by CPU use.")
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARN", "ERROR"], Field(description="Level of the applications' logs.")
    ] = "INFO"
    metrics_level: Annotated[
        Literal["APPLICATION", "TASK", "OPERATOR", "PARALLELISM"], Field(description="How fine CloudWatch metrics are.")
    ] = "APPLICATION"
    log_stream: Filled | None = Field(
        None, description="ARN of the log stream, which has to be there; `{application}` in it is the name."
    )
    tags: Mapping[Filled, Line] = Field(default_factory=dict, description="Tags of the applications.")
    vpc: Vpc | None = Field(None, description=Vpc.__doc__)
    maintenance: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] | None = Field(
        None, description='When the maintenance window of 8 hours begins, UTC: `"03:00"`.'
    )
    snapshots: ManagedSnapshots | None = Field(None, description=ManagedSnapshots.__doc__)
    poll: Duration = Field(
        read_duration("2s"),
        json_schema_extra={"default": "2s"},
        description="How long is waited at most between two looks at an application; at first, less. Default: 2s.",
    )
    metrics_period: Duration = Field(
        read_duration("60s"),
        json_schema_extra={"default": "60s"},
        description="Period of the CloudWatch metrics that are read; the service has 60s. Default: 60s.",
    )


class OtherTarget(SpecModel):
    """A target that another package brings (entry point `scurry.targets`); its settings are its own."""

    model_config = ConfigDict(extra="allow")

    kind: Filled = Field(
        description="The entry point's name.", json_schema_extra={"not": {"enum": list(BUILT_IN_KINDS)}}
    )

    @property
    def settings(self) -> Mapping[str, Any]:
        """Everything but `kind`, as written."""
        return dict(self.model_extra or {})


def _kind_of(value: object) -> str | None:
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    if not isinstance(kind, str):
        return None
    return kind if kind in BUILT_IN_KINDS else "other"


TargetSettings: TypeAlias = LocalTarget | RestTarget | MemoryTarget | ManagedTarget | OtherTarget
TargetEntry: TypeAlias = Annotated[
    Annotated[LocalTarget, Tag("local")]
    | Annotated[RestTarget, Tag("rest")]
    | Annotated[MemoryTarget, Tag("memory")]
    | Annotated[ManagedTarget, Tag("managed")]
    | Annotated[OtherTarget, Tag("other")],
    Discriminator(_kind_of),
]


class Repository(SpecModel):
    """A Maven repository."""

    url: Address = Field(description="Its address.")
    username: Line | None = Field(None, description="For basic authentication.")
    password: Value | None = Field(None, description="For basic authentication; a secret by reference.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together; one is missing")
        return self


def _read_repository(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


def _read_repositories(value: object) -> object:
    if not isinstance(value, list | tuple):
        raise ValueError("a list of Maven repositories belongs here, each an address or {url, username, password}")
    return value


class JournalPlace(SpecModel):
    """Where the journal is: in a file, or on a PostgreSQL server that several people and servers share."""

    path: Filled | None = Field(None, description="Path of the file.")
    url: JournalUrl | None = Field(
        None,
        description="Address of a PostgreSQL database, `postgresql://USER@HOST/DATABASE`; what libpq knows may follow "
        "behind `?`, and `schema`. Or a secret by reference that holds all of it. Needs the extra `postgres`.",
    )
    password: Value | None = Field(
        None, description="The user's password; a secret by reference. Without it, libpq's own ways (`~/.pgpass`, …)."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.path is None) == (self.url is None):
            raise ValueError("either path or url belongs here")
        if self.password is not None and self.url is None:
            raise Misplaced("password needs url, too", "password", of_key=True)
        return self


class Webhook(SpecModel):
    """Where the server sends events: bad revisions, rollbacks, recoveries, drift, failed snapshots."""

    url: Address = Field(description="Its address; each event is a POST with a JSON body.")
    secret: Value | None = Field(
        None, description="Signs each event (header `Scurry-Signature`); a secret by reference."
    )


class Server(SpecModel):
    """The reconciling server, `scurry serve`."""

    token: Value | None = Field(
        None, description="What clients of its API have to know; a secret by reference. `SCURRY_TOKEN` goes before it."
    )
    webhook: Webhook | None = Field(None, description=Webhook.__doc__)


class ProjectEnvironment(SpecModel):
    """What all applications share in one environment; what an application says itself goes before it."""

    target: Filled | None = Field(None, description="Target of the applications that name none.")
    variables: Variables = Field(default_factory=dict, description="Values for templates.")


class Project(SpecModel):
    """A project: its targets, and what its applications share. Paths are relative to the folder of scurry.yaml."""

    name: Line | None = Field(None, description="For people; without it, the folder's name.")
    target: Filled = Field("local", description="Target of the applications that name none.")
    targets: Mapping[Filled, TargetEntry] = Field(
        default_factory=dict, description="Places that run applications, by name. `local` is there unless defined anew."
    )
    environments: Mapping[Filled, ProjectEnvironment] = Field(
        default_factory=dict, description="Environments by name, chosen with `--env`."
    )
    variables: Variables = Field(default_factory=dict, description="Values for the templates of all applications.")
    repositories: Annotated[
        tuple[
            Annotated[Repository, BeforeValidator(_read_repository, json_schema_input_type=Address | Repository)], ...
        ],
        BeforeValidator(_read_repositories),
    ] = Field((), description="Maven repositories, asked in order; without any, Maven Central.")
    flink: Mapping[FlinkVersion, Filled] = Field(
        default_factory=dict,
        description="Where a Flink version comes from instead of PyPI: path or address of a tarball, or a folder.",
    )
    journal: (
        Annotated[
            JournalPlace, BeforeValidator(_read_journal, json_schema_input_type=JournalUrl | Filled | JournalPlace)
        ]
        | None
    ) = Field(
        None,
        description="Path of the journal, or the address of its PostgreSQL database; without it, `.scurry/journal.db`.",
    )
    java_home: Filled | None = Field(None, description="The Java for everything; without it, one that fits is found.")
    server: Server = Field(default_factory=Server, description=Server.__doc__)

    _root: Path = PrivateAttr(default_factory=Path)
    _places: Mapping[Any, Any] = PrivateAttr(default_factory=dict)

    @property
    def root(self) -> Path:
        """The folder of scurry.yaml; without one, the folder that the search began at."""
        return self._root

    @property
    def places(self) -> Mapping[Any, Any]:
        """Where the values stand in scurry.yaml, as its reader tells it; empty when there is no file."""
        return self._places

    def at(self, root: Path, *, places: Mapping[Any, Any] | None = None) -> Project:
        """Return the same project in a folder, with the places of its values."""
        copy = self.model_copy()
        copy._root = root
        copy._places = places or {}
        return copy

    def all_targets(self) -> Mapping[str, TargetSettings]:
        """Return the targets by name, with the `local` one that needs no defining."""
        return {"local": LocalTarget(), **self.targets}
