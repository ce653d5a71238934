"""What a copy consists of: every handle that refers to a file, rewritten to a file of the copy's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scurry.model.errors import SnapshotUnreadable
from scurry.savepoints.copy_rewriting import rewrite
from scurry.savepoints.handles import FileStream
from scurry.savepoints.metadata import read_metadata
from tests.savepoints import snapshot_writer as w
from tests.savepoints.examples import FOLDERS, metadata_bytes

if TYPE_CHECKING:
    from scurry.savepoints.copy_rewriting import Rewritten

SOURCE = "/states/job/chk-5"


def rewritten(*subtasks: w.Subtask, version: int = 6) -> Rewritten:
    return rewrite(w.metadata(*subtasks, version=version), source=SOURCE, target="file:/copy")


def copied(found: Rewritten) -> dict[str, tuple[str, int, int | None]]:
    return {part.name: (part.source, part.start, part.length) for part in found.parts}


def streams(data: bytes) -> list[tuple[str, bool, int]]:
    return [
        (stream.path, stream.relative, stream.size)
        for operator in read_metadata(data).operators
        for subtask in operator.subtasks
        for stream in subtask.streams()
        if isinstance(stream, FileStream)
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_savepoint_of_relative_paths_stays_as_it_is_to_the_byte(folder: str) -> None:
    data = metadata_bytes(folder)
    found = rewrite(data, source=f"/x/{folder}", target="file:/copy")
    assert found.metadata == data
    assert all(part.source == f"/x/{folder}/{part.name}" and part.length is None for part in found.parts)


def test_files_that_checkpoints_share_come_along_and_are_referred_to_relatively() -> None:
    keyed = w.incremental(
        w.absolute(f"file:{SOURCE}/meta", 10),
        {"000.sst": w.absolute("file:/states/job/shared/a", 20), "001.sst": w.absolute("/states/job/shared/b", 30)},
        {"CURRENT": w.absolute(f"file://{SOURCE}/c", 40)},
    )
    again = w.incremental(w.inline(b"meta"), {"000.sst": w.absolute("file:///states/job/shared/a", 20)}, {})
    found = rewritten(w.Subtask(keyed=keyed), w.Subtask(keyed=again))
    assert copied(found) == {
        "meta": (f"file:{SOURCE}/meta", 0, None),
        "a": ("file:/states/job/shared/a", 0, None),
        "b": ("/states/job/shared/b", 0, None),
        "c": (f"file://{SOURCE}/c", 0, None),
    }
    assert streams(found.metadata) == [
        ("meta", True, 10),
        ("a", True, 20),
        ("b", True, 30),
        ("c", True, 40),
        ("a", True, 20),
    ]
    assert found.size == 100


def test_a_part_of_a_shared_file_becomes_a_file() -> None:
    shared = "s3://states/job/shared/x"
    found = rewritten(
        w.Subtask(keyed=w.key_groups(w.segment(shared, 0, 20))),
        w.Subtask(keyed=w.key_groups(w.segment(shared, 20, 30)), channels=(w.channel(w.segment(shared, 50, 5), 5),)),
        w.Subtask(keyed=w.incremental(w.segment(shared, 0, 20), {"1.sst": w.EMPTY_SEGMENT}, {})),
    )
    assert copied(found) == {"x-0": (shared, 0, 20), "x-20": (shared, 20, 30), "x-50": (shared, 50, 5)}
    again = [("x-0", True, 20), ("x-0", True, 20), ("x-20", True, 30), ("x-50", True, 5)]
    assert sorted(streams(found.metadata)) == again


def test_an_operator_state_with_file_merging_becomes_a_plain_one() -> None:
    states = {"offsets": [1, 2, 3], "späße": [], "z": [9]}
    merged = w.merged_handle(w.segment("/states/job/taskowned/y", 8, 16), states, "/states/job")
    found = rewritten(w.Subtask(operator=merged, raw_operator=merged))
    expected = w.operator_handle(w.relative("y-8", 16), states)
    assert found.metadata == w.metadata(w.Subtask(operator=expected, raw_operator=expected))
    assert copied(found) == {"y-8": ("/states/job/taskowned/y", 8, 16)}


def test_an_empty_one_which_only_keeps_a_directory_goes() -> None:
    empty = w.merged_handle(w.EMPTY_SEGMENT, {}, "/states/job")
    found = rewritten(w.Subtask(operator=empty, keyed=w.key_groups(w.inline(b"1"))), w.Subtask(raw_operator=empty))
    assert found.metadata == w.metadata(w.Subtask(keyed=w.key_groups(w.inline(b"1"))), w.Subtask())


def test_a_changelog_and_what_it_is_about_are_copied() -> None:
    keyed = w.changelog(
        [w.key_groups(w.absolute("/states/job/shared/m", 4), type_=7)], [w.absolute("/states/job/dstl/c", 50)]
    )
    found = rewritten(w.Subtask(keyed=keyed))
    assert found.metadata == w.metadata(
        w.Subtask(keyed=w.changelog([w.key_groups(w.relative("m", 4), type_=7)], [w.relative("c", 50)]))
    )


def test_files_of_one_name_from_several_directories_stay_apart() -> None:
    found = rewritten(
        w.Subtask(keyed=w.incremental(w.absolute("/a/1", 1), {"x": w.absolute("/b/1", 2)}, {"y": w.relative("1", 3)}))
    )
    assert sorted(copied(found)) == ["1", "1-2", "1-3"]
    assert [path for path, _, _ in streams(found.metadata)] == ["1", "1-2", "1-3"]


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "_metadata", "/etc/passwd", ".scurry-copy.json", "a/../../b", ".."]
)
def test_no_file_is_written_outside_of_the_copy_or_over_what_is_its_own(path: str) -> None:
    found = rewritten(w.Subtask(keyed=w.key_groups(w.relative(path, 1))))
    (part,) = found.parts
    assert not part.name.startswith("/")
    assert ".." not in part.name.split("/")
    assert part.name not in {"_metadata", ".scurry-copy.json"}
    assert streams(found.metadata) == [(part.name, True, 1)]


def test_a_file_of_before_flink_1_11_knows_only_absolute_paths() -> None:
    found = rewritten(w.Subtask(keyed=w.key_groups(w.absolute("hdfs://name/x", 5), type_=3)), version=2)
    assert streams(found.metadata) == [("file:/copy/x", False, 5)]


def test_names_beyond_ascii_are_written_as_java_does() -> None:
    path = "/states/job/shared/größe"
    found = rewritten(w.Subtask(keyed=w.key_groups(w.absolute(path, 5))))
    assert streams(found.metadata) == [("größe", True, 5)]


def test_what_is_no_metadata_is_refused() -> None:
    with pytest.raises(SnapshotUnreadable, match="magic number"):
        rewrite(b"PK\3\4 something else", source="/x", target="file:/copy")
