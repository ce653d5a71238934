"""What counts as brought by Flink really is in its lib/, and what is not there is not left out."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from scurry.artifacts.coordinate import Coordinate
from scurry.artifacts.provided import clashes, in_lib, is_provided

if TYPE_CHECKING:
    from scurry.flink.runtimes import Runtimes

# A class of each module: found by name in the jars of lib/.
CLASSES = {
    "flink-core": "org/apache/flink/configuration/Configuration.class",
    "flink-runtime": "org/apache/flink/runtime/jobmaster/JobMaster.class",
    "flink-streaming-java": "org/apache/flink/streaming/api/windowing/time/Time.class",
    "flink-clients": "org/apache/flink/client/program/PackagedProgram.class",
    "flink-connector-base": "org/apache/flink/connector/base/DeliveryGuarantee.class",
    "flink-connector-datagen": "org/apache/flink/connector/datagen/source/DataGeneratorSource.class",
    "flink-connector-files": "org/apache/flink/connector/file/src/FileSource.class",
    "flink-json": "org/apache/flink/formats/json/JsonFormatFactory.class",
    "flink-csv": "org/apache/flink/formats/csv/CsvFormatFactory.class",
    "flink-table-api-java-bridge": "org/apache/flink/table/api/bridge/java/StreamTableEnvironment.class",
    "flink-table-common": "org/apache/flink/table/types/DataType.class",
    "flink-table-runtime": "org/apache/flink/table/runtime/typeutils/InternalTypeInfo.class",
    "flink-cep": "org/apache/flink/cep/CEP.class",
    "flink-statebackend-rocksdb": "org/rocksdb/RocksDB.class",
    "slf4j-api": "org/slf4j/Logger.class",
    "log4j-core": "org/apache/logging/log4j/core/Logger.class",
    "jsr305": "javax/annotation/Nullable.class",
}
GROUPS = {"slf4j-api": "org.slf4j", "log4j-core": "org.apache.logging.log4j", "jsr305": "com.google.code.findbugs"}


@pytest.mark.flink
def test_what_is_left_out_is_there(runtimes: Runtimes, flink_version: str) -> None:
    there: set[str] = set()
    for jar in (runtimes.flink(flink_version).home / "lib").glob("*.jar"):
        with zipfile.ZipFile(jar) as archive:
            there.update(archive.namelist())
    gone = {"1.20.5": set(), "2.3.0": {"flink-streaming-java"}}[flink_version]  # that class left with 2.0
    for artifact, path in CLASSES.items():
        assert is_provided(GROUPS.get(artifact, "org.apache.flink"), artifact), artifact
        assert path in there or artifact in gone, artifact


@pytest.mark.flink
def test_the_names_in_lib_are_read_without_versions(runtimes: Runtimes, flink_version: str) -> None:
    lib = in_lib(runtimes.flink(flink_version))
    assert {"flink-dist", "flink-table-planner-loader", "flink-scala", "log4j-api", "flink-connector-files"} <= lib


@pytest.mark.parametrize(
    "text",
    [
        "org.apache.flink:flink-sql-connector-kafka:4.0.1-2.0",
        "org.apache.flink:flink-connector-kafka:4.0.1-2.0",
        "org.apache.flink:flink-parquet:2.3.0",
        "org.apache.flink:flink-avro:2.3.0",
        "org.apache.flink:flink-connector-jdbc-core:4.0.0-2.0",
        "org.slf4j:jcl-over-slf4j:1.7.36",
        "commons-logging:commons-logging:1.2",
        "com.fasterxml.jackson.core:jackson-databind:2.17.0",
        "com.google.guava:guava:33.0.0-jre",
    ],
)
def test_what_flink_does_not_bring_stays(text: str) -> None:
    assert not clashes(Coordinate.parse(text), frozenset({"flink-dist", "flink-json"}))


@pytest.mark.parametrize(
    "text",
    ["org.apache.flink:flink-streaming-java_2.12:1.14.0", "org.slf4j:slf4j-simple:2.0.0", "org.b:their-thing:3.1"],
)
def test_what_flink_brings_goes(text: str) -> None:
    assert clashes(Coordinate.parse(text), frozenset({"their-thing"}))
