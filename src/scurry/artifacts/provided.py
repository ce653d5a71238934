"""What Flink's distribution brings, and what therefore must not be in a job's jar a second time.

Two copies of Flink's own classes, or of a logging binding, in two class loaders make a job fail with errors that
nobody can read (`X cannot be cast to X`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scurry.artifacts.coordinate import Coordinate
    from scurry.flink.installed import FlinkRuntime

# What flink-dist and the other jars of lib/ are made of (1.18 to 2.3); their names do not tell.
# fmt: off
_IN_FLINK = frozenset(
    {
        "flink-annotations", "flink-clients", "flink-connector-base", "flink-connector-datagen", "flink-core",
        "flink-core-api", "flink-datastream", "flink-datastream-api", "flink-dist", "flink-dstl-dfs",
        "flink-file-sink-common", "flink-hadoop-fs", "flink-java", "flink-kubernetes", "flink-metrics-core",
        "flink-optimizer", "flink-queryable-state-client-java", "flink-rpc-akka", "flink-rpc-akka-loader",
        "flink-rpc-core", "flink-runtime", "flink-runtime-web", "flink-scala", "flink-shaded-asm-9",
        "flink-shaded-force-shading", "flink-shaded-guava", "flink-shaded-jackson", "flink-shaded-netty",
        "flink-shaded-snakeyaml", "flink-shaded-zookeeper-3", "flink-statebackend-changelog",
        "flink-statebackend-common", "flink-statebackend-forst", "flink-statebackend-rocksdb", "flink-streaming-java",
        "flink-streaming-scala", "flink-yarn", "flink-cep", "flink-cep-scala", "flink-connector-files", "flink-csv",
        "flink-json", "flink-sql-csv", "flink-sql-json", "flink-sql-parser", "flink-table",
        "flink-table-api-bridge-base", "flink-table-api-java", "flink-table-api-java-bridge",
        "flink-table-api-java-uber", "flink-table-api-scala", "flink-table-api-scala-bridge",
        "flink-table-calcite-bridge", "flink-table-code-splitter", "flink-table-common", "flink-table-planner",
        "flink-table-planner-loader", "flink-table-planner-loader-bundle", "flink-table-runtime",
        "flink-table-type-utils", "flink-format-common",
    }
)
# fmt: on
_ELSEWHERE = frozenset(
    {
        ("com.google.code.findbugs", "jsr305"),
        ("org.apache.flink", "force-shading"),
        ("log4j", "log4j"),
        ("ch.qos.logback", "logback-classic"),
        ("ch.qos.logback", "logback-core"),
        ("ch.qos.reload4j", "reload4j"),
        *(
            ("org.slf4j", name)
            for name in ("slf4j-api", "slf4j-simple", "slf4j-log4j12", "slf4j-reload4j", "slf4j-jdk14", "slf4j-nop")
        ),
    }
)
_LOG4J = "org.apache.logging.log4j"
_SCALA_SUFFIX = re.compile(r"_2\.1[0-9]$")
_VERSION_IN_NAME = re.compile(r"-\d[^/]*\.jar$")


def is_provided(group: str, artifact: str) -> bool:
    """Say whether every Flink distribution brings this, whatever its version."""
    if group == _LOG4J or (group, artifact) in _ELSEWHERE:
        return True
    return group == "org.apache.flink" and _SCALA_SUFFIX.sub("", artifact) in _IN_FLINK


def exclusions() -> tuple[tuple[str, str], ...]:
    """Return what is left out with all that it depends on, as group and artifact; `*` is any."""
    flink = (("org.apache.flink", name + suffix) for name in sorted(_IN_FLINK) for suffix in ("", "_2.12"))
    return (*flink, *sorted(_ELSEWHERE), (_LOG4J, "*"))


def in_lib(flink: FlinkRuntime) -> frozenset[str]:
    """Return the artifacts whose jars lie in this distribution's lib/, by their names without version."""
    return frozenset(
        _SCALA_SUFFIX.sub("", _VERSION_IN_NAME.sub("", jar.name)) for jar in (flink.home / "lib").glob("*.jar")
    )


def clashes(coordinate: Coordinate, lib: frozenset[str]) -> bool:
    """Say whether this is in Flink already: by the rules for all versions, or in this very lib/."""
    if is_provided(coordinate.group, coordinate.artifact):
        return True
    return not coordinate.classifier and _SCALA_SUFFIX.sub("", coordinate.artifact) in lib
