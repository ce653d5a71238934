"""Flink itself is asked: its loader finds in files what we find, and its serializers are read as it writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from scurry.savepoints.handles import (
    ChangelogBytes,
    ChangelogFiles,
    ChangelogHandle,
    ChannelHandle,
    EmptySegment,
    FileStream,
    IncrementalHandle,
    InlineStream,
    KeyedHandle,
    KeyGroupsHandle,
    OperatorHandle,
    OperatorStateEntry,
    PathText,
    SegmentStream,
    SharedFile,
    Subtask,
)
from scurry.savepoints.metadata import Metadata, read_metadata
from tests.savepoints.examples import FOLDERS, metadata_bytes
from tests.savepoints.java_files import run_java
from tests.savepoints.test_hostile import properties
from tests.savepoints.writing import Operator, Snapshot, write

OLDEST, NEWEST = "1.18.1", "2.3.0"
UUID = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
INLINE = InlineStream("inline", memoryview(b"some bytes"))
ABSOLUTE = FileStream(2, "file:/a/b", 1000, 0, 0)
RELATIVE = FileStream(6, "b", 2000, 0, 0)
SEGMENT = SegmentStream("file:/a/c", 5, 300, True, "logical", 0, 0)
STATES = (OperatorStateEntry("a", 0, 2, 0), OperatorStateEntry("b", 2, 1, 70))
KEYED: tuple[KeyedHandle, ...] = (
    KeyGroupsHandle(3, 0, 2, ABSOLUTE),
    KeyGroupsHandle(7, 0, 2, RELATIVE),
    KeyGroupsHandle(12, 0, 2, INLINE, "id"),
    IncrementalHandle(5, 1, UUID, 0, 4, INLINE, (SharedFile("1.sst", ABSOLUTE),), (SharedFile("CURRENT", INLINE),)),
    IncrementalHandle(11, 1, UUID, 0, 4, RELATIVE, (SharedFile("1.sst", RELATIVE),), (), 2000, "id"),
    ChangelogHandle(8, 0, 4, (KeyGroupsHandle(3, 0, 2, ABSOLUTE),), (), 1, None, "id"),
    ChangelogHandle(14, 0, 4, (), (ChangelogBytes(9, 0, 4, 2, 30, (memoryview(b"1234567890"),), "id"),), 1, 9, "id"),
    ChangelogHandle(14, 0, 4, (), (ChangelogFiles(10, 0, 4, ((5, ABSOLUTE),), 995, "id"),), 1, 9, "id"),
    ChangelogHandle(14, 0, 4, (), (ChangelogFiles(13, 0, 4, ((5, ABSOLUTE),), 995, "id", "fs"),), 1, 9, "id"),
)
MERGED = OperatorHandle(17, STATES, SEGMENT, (PathText("file:/t", 0, 0), PathText("file:/s", 0, 0)), False)
NOTHING = OperatorHandle(17, (), EmptySegment(), (PathText("file:/t", 0, 0), PathText("file:/s", 0, 0)), True)


def subtasks(version: int, *, segments: bool) -> list[Subtask]:
    found = [Subtask(0, OperatorHandle(4, STATES, RELATIVE), OperatorHandle(4, (), INLINE), None, None)]
    found += [Subtask(0, None, None, handle, None) for handle in KEYED]
    found.append(Subtask(0, None, None, KEYED[0], KEYED[1]))
    if segments:
        found += [Subtask(0, MERGED, None, None, None), Subtask(0, NOTHING, None, None, None)]
    if version >= 6:
        inputs = (ChannelHandle(1, 40, ABSOLUTE), ChannelHandle(3, 50, ABSOLUTE))
        found.append(Subtask(0, None, None, None, None, inputs, (ChannelHandle(2, 60, INLINE),)))
    elif version >= 3:
        found.append(Subtask(0, None, None, None, None, (ChannelHandle(0, 40, ABSOLUTE),), ()))
    return [subtask._replace(number=number) for number, subtask in enumerate(found)]


def file_of(version: int, *, segments: bool) -> bytes:
    made = tuple(subtasks(version, segments=segments))
    full = Operator(id=bytes(15) + b"\1", name="n", uid="u", parallelism=len(made), subtasks=made)
    some = Operator(
        id=bytes(15) + b"\2",
        parallelism=3,
        coordinator=INLINE if version >= 3 else None,
        subtasks=made[1:2],
        finished=(2,) if version >= 3 else (),
    )
    done = Operator(id=bytes(15) + b"\3", parallelism=2, all_finished=version >= 3)
    return write(
        Snapshot(
            version=version,
            checkpoint_id=77,
            operators=(full, some, done),
            properties=properties() if version >= 4 else b"",
        )
    )


def told_by(metadata: Metadata) -> list[str]:
    """The same lines as the Java program writes."""
    lines = [f"checkpoint {metadata.checkpoint_id}"]
    for operator in metadata.operators:
        size = operator.coordinator_bytes if operator.coordinator else -1
        lines.append(f"operator {operator.id} {operator.parallelism} {operator.max_parallelism} {size}")
        held = {number: (size, bool(holds)) for number, size, holds in _held(operator.subtasks)}
        held |= dict.fromkeys(operator.finished_subtasks, (0, False))
        lines += [f"subtask {number} {size} {str(has).lower()}" for number, (size, has) in sorted(held.items())]
    return lines


def _held(subtasks: object) -> zip[tuple[int, int, int]]:
    return zip(subtasks.numbers, subtasks.sizes, subtasks.holds, strict=True)  # type: ignore[attr-defined]


@pytest.mark.flink
@pytest.mark.parametrize("flink", [OLDEST, NEWEST])
def test_flinks_own_loader_finds_the_same(flink: str, tmp_path: Path) -> None:
    newest = 4 if flink == OLDEST else 6
    files = {f"v{version}": file_of(version, segments=flink == NEWEST) for version in range(2, newest + 1)}
    files |= {folder: metadata_bytes(folder) for folder in FOLDERS}
    files = {name: data for name, data in files.items() if data[7] <= newest}
    for name, data in files.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "_metadata").write_bytes(data)
    told = run_java("Loaded", flink, *(str(tmp_path / name / "_metadata") for name in files))
    by_file: dict[str, list[str]] = {}
    for line in told.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "file":
            by_file[Path(rest).parent.name] = []
        elif kind in {"checkpoint", "operator", "subtask", "error"}:
            next(reversed(by_file.values())).append(line)
    assert by_file == {name: told_by(read_metadata(data)) for name, data in files.items()}
