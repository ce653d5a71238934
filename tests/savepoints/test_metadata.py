"""`_metadata` files that real Flinks wrote: what they say, and where their paths are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scurry.savepoints.handles import FileStream, IncrementalHandle, KeyGroupsHandle
from scurry.savepoints.metadata import Metadata, read_metadata
from tests.savepoints.examples import FILES, FOLDERS, metadata_bytes

if TYPE_CHECKING:
    from scurry.savepoints.handles import Subtask


def metadata(folder: str) -> Metadata:
    return read_metadata(metadata_bytes(folder))


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_path_is_where_its_span_says(folder: str) -> None:
    data = metadata_bytes(folder)
    for operator in read_metadata(data).operators:
        for subtask in operator.subtasks:
            for text in subtask.paths():
                assert data[text.at : text.at + text.length].decode() == text.path
                assert int.from_bytes(data[text.at - 2 : text.at], "big") == text.length


@pytest.mark.parametrize(
    ("folder", "version", "canonical"),
    [
        ("f118-rocksdb-native", 4, False),
        ("f120-rocksdb-canonical", 4, True),
        ("java-hashmap-canonical", 6, True),
        ("java-rocksdb-native", 6, False),
        ("py-rocksdb-canonical", 6, True),
        ("sql-rocksdb-canonical", 6, True),
    ],
)
def test_a_savepoint_tells_its_version_and_format(folder: str, version: int, canonical: bool) -> None:
    found = metadata(folder)
    assert found.version == version
    assert found.properties
    assert (found.properties.is_savepoint, found.properties.canonical) == (True, canonical)


def test_a_checkpoint_is_no_savepoint() -> None:
    found = metadata("ck-cl").properties
    assert found
    assert (found.name, found.is_savepoint, found.canonical) == ("Checkpoint", False, None)


def test_uids_and_names_are_told_from_version_5_on() -> None:
    named = {operator.id: (operator.uid, operator.name) for operator in metadata("java-hashmap-canonical").operators}
    assert named["0da08f51eaa85fc298e176a139b3649a"] == ("counter", "counter")
    assert named["4b5a86c9f14541472274fc97a3f3b238"] == (None, "win-nouid")
    assert {(operator.uid, operator.name) for operator in metadata("f118-rocksdb-native").operators} == {(None, None)}


def test_the_files_of_a_rocksdb_are_told() -> None:
    counter = next(operator for operator in metadata("java-rocksdb-native").operators if operator.uid == "counter")
    keyed = counter.subtasks[0].keyed
    assert isinstance(keyed, IncrementalHandle)
    assert {file.local_name for file in keyed.shared} | {file.local_name for file in keyed.private} >= {"CURRENT"}
    assert all((FILES / "java-rocksdb-native" / s.path).stat().st_size == s.size for s in files_of(counter.subtasks[0]))
    assert counter.subtasks.sizes[0] == keyed.size == 126234


def test_canonical_keyed_state_is_told_from_native() -> None:
    counter = next(operator for operator in metadata("java-hashmap-canonical").operators if operator.uid == "counter")
    keyed = counter.subtasks[0].keyed
    assert isinstance(keyed, KeyGroupsHandle)
    assert keyed.canonical


def test_who_has_state_is_counted_as_flink_does() -> None:
    stateful = {operator.uid for operator in metadata("java-hashmap-canonical").operators if operator.has_state}
    assert stateful == {"counter", "bcast", "src-uid", None}


def files_of(subtask: Subtask) -> list[FileStream]:
    return [stream for stream in subtask.streams() if isinstance(stream, FileStream)]
