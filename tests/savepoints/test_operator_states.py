"""Which heads are read, and how an operator's states are put together from them."""

from __future__ import annotations

import pytest

from scurry.model.errors import SnapshotNotFound
from scurry.model.state import OperatorState, StateKind
from scurry.savepoints.files import metadata_path
from scurry.savepoints.handles import (
    ChangelogBytes,
    ChangelogFiles,
    ChangelogHandle,
    FileStream,
    IncrementalHandle,
    InlineStream,
    KeyedHandle,
    KeyGroupsHandle,
    OperatorHandle,
    OperatorStateEntry,
    SegmentStream,
    Stream,
    Subtask,
)
from scurry.savepoints.snapshot import read_snapshot
from tests.savepoints.test_hostile import LONG, properties
from tests.savepoints.writing import Operator, Snapshot, i8, i16, i32, utf, write

STRING = "org.apache.flink.api.common.typeutils.base.StringSerializer$StringSerializerSnapshot"


class Files:
    """A snapshot in memory that writes down what is read of its files."""

    def __init__(self, *subtasks: Subtask, files: dict[str, bytes] | None = None) -> None:
        operator = Operator(parallelism=len(subtasks), subtasks=subtasks)
        data = write(Snapshot(operators=(operator,), properties=properties()))
        self._files = {metadata_path("place"): data} | {f"place/{name}": told for name, told in (files or {}).items()}
        self.reads: list[tuple[str, int, int]] = []

    def size(self, path: str) -> int:
        if path not in self._files:
            raise SnapshotNotFound(f"there is no file {path!r}")
        return len(self._files[path])

    def read(self, path: str, start: int, length: int) -> bytes:
        self.size(path)
        self.reads.append((path.removeprefix("place/"), start, length))
        return self._files[path][start : start + length]

    def operator(self, *, every_subtask: bool = False) -> OperatorState:
        (found,) = read_snapshot("place", self, every_subtask=every_subtask).operators
        return found


def serializer(name: str) -> bytes:
    return i32(2) + utf(name) + i32(3)


def state(name: str, kind: str = "VALUE", of: str = LONG) -> bytes:
    return (
        utf(name)
        + i32(0)
        + i32(1)
        + utf("KEYED_STATE_TYPE")
        + utf(kind)
        + i32(1)
        + utf("VALUE_SERIALIZER")
        + serializer(of)
    )


def keyed_head(*names: str) -> bytes:
    return i32(6) + i8(0) + serializer(STRING) + i16(len(names)) + b"".join(map(state, names))


def operator_head(*names: str) -> bytes:
    out = i32(6) + i8(0) + i16(len(names))
    for name in names:
        out += utf(name) + i32(1) + i32(1) + utf("OPERATOR_STATE_DISTRIBUTION_MODE") + utf("UNION")
        out += i32(1) + utf("VALUE_SERIALIZER") + serializer(LONG)
    return out + i16(0)


def inline(content: bytes) -> InlineStream:
    return InlineStream("inline", memoryview(content))


def relative(name: str, size: int) -> FileStream:
    return FileStream(6, name, size, 0, 0)


def keyed(stream: Stream) -> KeyGroupsHandle:
    return KeyGroupsHandle(12, 0, 2, stream, "id")


def subtask(number: int, handle: KeyedHandle) -> Subtask:
    return Subtask(number, None, None, handle, None)


def names(operator: OperatorState) -> list[str]:
    return [each.name for each in operator.states]


def test_states_that_only_some_subtasks_registered_are_found_where_heads_are_inline() -> None:
    some = Files(
        subtask(0, keyed(inline(keyed_head("a", "b")))), subtask(1, keyed(inline(keyed_head("a", "c") + b"data")))
    )
    assert sorted(names(some.operator())) == ["a", "b", "c"]


def test_states_that_only_some_subtasks_registered_are_found_in_files_when_all_are_asked_for() -> None:
    heads = {"one": keyed_head("a") + bytes(500), "two": keyed_head("a", "late")}
    files = Files(
        *(subtask(number, keyed(relative(name, len(head)))) for number, (name, head) in enumerate(heads.items())),
        files=heads,
    )
    assert names(files.operator()) == ["a"]
    assert {name for name, _, _ in files.reads} == {"_metadata", "one"}
    assert names(files.operator(every_subtask=True)) == ["a", "late"]


def test_a_head_longer_than_the_first_read_is_read_on_from_there() -> None:
    many = [f"state-{number}" for number in range(1200)]
    head = keyed_head(*many)
    assert len(head) > 2 * 65536
    files = Files(subtask(0, keyed(relative("big", len(head) + 10_000_000))), files={"big": head + bytes(10_000_000)})
    assert names(files.operator()) == many
    assert [read for read in files.reads if read[0] == "big"] == [("big", 0, 65536), ("big", 65536, 3 * 65536)]


def test_a_segment_is_read_from_where_it_begins() -> None:
    head = keyed_head("merged")
    files = Files(
        subtask(0, keyed(SegmentStream("place/shared", 1000, len(head), False, "logical", 0, 0))),
        files={"shared": bytes(1000) + head + bytes(50)},
    )
    assert names(files.operator()) == ["merged"]
    assert files.reads[1:] == [("shared", 1000, len(head))]


def test_an_incremental_checkpoint_is_read_by_its_meta_state() -> None:
    handle = IncrementalHandle(11, 1, "uuid", 0, 2, inline(keyed_head("a")), (), (), 1, "id")
    operator = Files(subtask(0, handle)).operator()
    assert names(operator) == ["a"]
    assert operator.key
    assert operator.key.name == "String"


def test_a_changelog_is_what_was_materialized_and_the_states_used_since() -> None:
    told = i8(8) + i32(7) + state("new", "LIST")
    changes = ChangelogBytes(9, 0, 2, 2, len(told) + 20, (memoryview(told),), "id")
    handle = ChangelogHandle(14, 0, 2, (keyed(inline(keyed_head("old"))),), (changes,), 1, 2, "id")
    operator = Files(subtask(0, handle)).operator()
    assert {each.name: each.kind for each in operator.states} == {"old": StateKind.VALUE, "new": StateKind.LIST}
    assert operator.key
    assert operator.unread is None


def test_changes_in_files_are_said_not_to_be_read() -> None:
    handle = ChangelogHandle(
        14, 0, 2, (keyed(inline(keyed_head("old"))),), (ChangelogFiles(13, 0, 2, (), 5, "i"),), 1, 2
    )
    operator = Files(subtask(0, handle)).operator()
    assert names(operator) == ["old"]
    assert operator.unread
    assert "files of the changelog" in operator.unread


def operator_state(stream: Stream, *states: str) -> OperatorHandle:
    return OperatorHandle(4, tuple(OperatorStateEntry(name, 1, 1, 10) for name in states), stream)


def test_an_operator_state_that_the_first_head_lacks_is_looked_for_in_the_others() -> None:
    heads = {"one": operator_head("a") + bytes(500), "two": operator_head("b")}
    files = Files(
        Subtask(0, operator_state(relative("one", len(heads["one"])), "a"), None, None, None),
        Subtask(1, operator_state(relative("two", len(heads["two"])), "b"), None, None, None),
        Subtask(2, operator_state(relative("three", 5), "a"), None, None, None),
        files=heads,
    )
    operator = files.operator()
    assert {each.name: each.type and each.type.name for each in operator.states} == {"a": "Long", "b": "Long"}
    assert {name for name, _, _ in files.reads} == {"_metadata", "one", "two"}


def test_an_operator_state_whose_head_cannot_be_read_is_still_named() -> None:
    files = Files(Subtask(0, operator_state(relative("gone", 50), "a"), None, None, None))
    (found,) = files.operator().states
    assert (found.name, found.kind, found.type) == ("a", StateKind.OPERATOR_UNION, None)
    assert "is missing" in (files.operator().unread or "")


def test_operator_state_that_holds_nothing_yet_is_read_all_the_same() -> None:
    head = operator_head("a")
    empty = OperatorHandle(4, (OperatorStateEntry("a", 1, 0, None),), inline(head))
    (found,) = Files(Subtask(0, empty, None, None, None)).operator().states
    assert (found.name, found.bytes) == ("a", 0)
    assert found.type
    assert found.type.name == "Long"


def test_raw_state_is_said_not_to_be_read() -> None:
    raw = Subtask(0, None, None, keyed(inline(keyed_head("a"))), keyed(inline(b"timers")))
    operator = Files(raw).operator()
    assert names(operator) == ["a"]
    assert "raw state" in (operator.unread or "")


def test_a_file_outside_of_the_snapshots_directory_is_not_read() -> None:
    for path in ("../../etc/passwd", "/etc/passwd", "a/../../b"):
        files = Files(subtask(0, keyed(relative(path, 50))), files={path: bytes(50)})
        assert "outside of its directory" in (files.operator().unread or "")
        assert [name for name, _, _ in files.reads] == ["_metadata"]


def test_a_state_alone_in_its_operator_is_told_with_its_size() -> None:
    head = keyed_head("only")
    operator = Files(subtask(0, keyed(inline(head))), subtask(1, keyed(inline(head)))).operator()
    assert [each.bytes for each in operator.states] == [2 * len(head)]


def test_what_is_kept_of_all_heads_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scurry.savepoints.streams.MOST_KEPT", 100_000)
    fits = Files(*(subtask(number, keyed(inline(keyed_head("a", "b")))) for number in range(100)))
    assert (names(fits.operator()), fits.operator().unread) == (["a", "b"], None)
    others = Files(*(subtask(number, keyed(inline(keyed_head(f"state-{number}")))) for number in range(100)))
    assert len(names(others.operator())) < 100
    assert "more states than can be kept" in (others.operator().unread or "")
