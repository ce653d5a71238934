"""Which Maven coordinate brings a connector or format of Flink SQL: what an error message can suggest."""

from __future__ import annotations

from scurry.flink.releases import parts

_GROUP = "org.apache.flink"

# Released with Flink, under Flink's version (docs/connectors/table/formats).
_FORMATS = {
    "avro": "flink-sql-avro",
    "avro-confluent": "flink-sql-avro-confluent-registry",
    "debezium-avro-confluent": "flink-sql-avro-confluent-registry",
    "orc": "flink-sql-orc",
    "parquet": "flink-sql-parquet",
    "protobuf": "flink-sql-protobuf",
}
# Released apart from Flink: artifact, and its versions by the Flink that they are for, oldest first.
_KAFKA = ("flink-sql-connector-kafka", ("3.2.0-1.18", "3.2.0-1.19", "3.4.0-1.20", "4.0.1-2.0", "5.0.0-2.2"))
_CONNECTORS = {
    "kafka": _KAFKA,
    "upsert-kafka": _KAFKA,
    "kinesis": ("flink-sql-connector-aws-kinesis-streams", ("5.0.0-1.19", "5.0.0-1.20", "6.0.0-2.0")),
    "firehose": ("flink-sql-connector-aws-kinesis-firehose", ("5.0.0-1.19", "5.0.0-1.20", "6.0.0-2.0")),
    "dynamodb": ("flink-sql-connector-dynamodb", ("5.0.0-1.19", "5.0.0-1.20", "6.0.0-2.0")),
    "jdbc": ("flink-connector-jdbc", ("3.2.0-1.18", "3.2.0-1.19", "3.3.0-1.20")),
    "elasticsearch-7": ("flink-sql-connector-elasticsearch7", ("3.1.0-1.18", "3.1.0-1.19", "3.1.0-1.20", "4.0.0-2.0")),
    "opensearch": ("flink-sql-connector-opensearch", ("1.2.0-1.18", "1.2.0-1.19", "2.0.0-1.20")),
    "mongodb": ("flink-sql-connector-mongodb", ("1.2.0-1.18", "1.2.0-1.19", "2.0.0-1.20", "2.0.0-2.0")),
    "hbase-2.2": ("flink-sql-connector-hbase-2.2", ("4.0.0-1.18", "4.0.0-1.19")),
}
_ALSO = {"jdbc": "and the database's driver, for example mvn:org.postgresql:postgresql:42.7.4"}


def connector_hint(name: str, what: str, flink_version: str | None) -> str:
    """Return what to do about a connector, format or catalog that is not there."""
    if name in _FORMATS:
        return _add(f"mvn:{_GROUP}:{_FORMATS[name]}:{flink_version or 'FLINK-VERSION'}")
    if name in _CONNECTORS:
        artifact, versions = _CONNECTORS[name]
        hint = _add(f"mvn:{_GROUP}:{artifact}:{_fitting(versions, flink_version)}")
        return f"{hint}\n({_ALSO[name]})" if name in _ALSO else hint
    return f"Correct its name, or add the Maven coordinate of the {what} to `connectors` in the spec"


def _add(coordinate: str) -> str:
    return f'Add it to the spec:\n  connectors: ["{coordinate}"]'


def _fitting(versions: tuple[str, ...], flink_version: str | None) -> str:
    """The newest one that is not for a newer Flink; connectors work on later minor versions of the same major."""
    if flink_version is None:
        return versions[-1]
    series = parts(flink_version)[:2]
    fitting = [version for version in versions if parts(version.rpartition("-")[2])[:2] <= series]
    return fitting[-1] if fitting else versions[0]
