"""What real snapshots hold, state by state, and how much is read of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from scurry.model.errors import SnapshotGone, SnapshotNotFound
from scurry.model.snapshot import SnapshotFormat
from scurry.model.state import OperatorState, SnapshotState, State, StateKind, StateType
from scurry.savepoints.files import LocalStorage
from scurry.savepoints.snapshot import read_snapshot
from tests.savepoints.examples import FILES, metadata_bytes

JAVA = ("java-hashmap-canonical", "java-rocksdb-native", "f118-rocksdb-native", "f120-rocksdb-canonical")
COUNTER = "0da08f51eaa85fc298e176a139b3649a"
WINDOW = "4b5a86c9f14541472274fc97a3f3b238"
SOURCE = "65eb651c08e51afc6b01b9ec8c609cba"


class Counting:
    """A local storage that writes down what was read."""

    def __init__(self) -> None:
        self._files = LocalStorage()
        self.reads: list[tuple[str, int, int]] = []

    def size(self, path: str) -> int:
        return self._files.size(path)

    def read(self, path: str, start: int, length: int) -> bytes:
        self.reads.append((Path(path).name, start, length))
        return self._files.read(path, start, length)


def snapshot(folder: str) -> SnapshotState:
    return read_snapshot(str(FILES / folder), LocalStorage())


def operator(found: SnapshotState, of: str) -> OperatorState:
    return next(each for each in found.operators if of in {each.id, each.uid})


def states(found: SnapshotState, of: str) -> dict[str, State]:
    return {state.name: state for state in operator(found, of).states}


def type_of(state: State) -> StateType:
    assert state.type
    return state.type


@pytest.mark.parametrize("folder", JAVA)
def test_the_states_of_a_keyed_function_are_the_same_whatever_wrote_them(folder: str) -> None:
    found = snapshot(folder)
    counter = states(found, COUNTER)
    told = {name: (state.kind, type_of(state).name, state.ttl) for name, state in counter.items()}
    account = "demo.StateJob$Acc {color: demo.StateJob$Color, last: String, n: Long}"
    timers = "Timer<Long, VoidNamespace>"
    assert told == {
        "count": (StateKind.VALUE, "Long", True),
        "accs": (StateKind.MAP, f"Map<String, {account}>", False),
        "opaque": (StateKind.LIST, "List<Kryo<demo.StateJob$Opaque>>", False),
        "red": (StateKind.REDUCING, "Integer", False),
        "_timer_state/processing_user-timers": (StateKind.TIMERS, timers, False),
        "_timer_state/event_user-timers": (StateKind.TIMERS, timers, False),
    }
    key = operator(found, COUNTER).key
    assert key
    assert key.name == "Long"


@pytest.mark.parametrize("folder", JAVA)
def test_pojos_and_enums_are_read_to_their_fields_and_constants(folder: str) -> None:
    _, account = type_of(states(snapshot(folder), COUNTER)["accs"]).parts
    assert account.of == "demo.StateJob$Acc"
    fields = {field.name: field.type for field in account.fields}
    color = fields["color"]
    assert color
    assert (color.of, color.symbols) == ("demo.StateJob$Color", ("RED", "GREEN"))


@pytest.mark.parametrize("folder", JAVA)
def test_windows_and_their_timers_are_kept_by_window(folder: str) -> None:
    window = states(snapshot(folder), WINDOW)
    namespace = window["window-contents"].namespace
    assert namespace
    assert (type_of(window["window-contents"]).name, namespace.name) == ("Tuple2<Long, Long>", "TimeWindow")
    assert type_of(window["_timer_state/event_window-timers"]).name == "Timer<Long, TimeWindow>"


@pytest.mark.parametrize("folder", [*JAVA, "ck-cl"])
def test_operator_state_tells_how_it_is_distributed_and_its_size(folder: str, tmp_path: Path) -> None:
    (tmp_path / "_metadata").write_bytes(metadata_bytes(folder))
    found = read_snapshot(str(tmp_path), LocalStorage())
    rules = states(found, "07a6ec7f7ea4aa0ab982082b2e483a10")["rules"]
    assert rules.key
    assert (rules.kind, type_of(rules).name, rules.key.name, rules.bytes) == (
        *(StateKind.BROADCAST, "Long", "String"),
        252,
    )
    source = states(found, SOURCE)["SourceReaderState"]
    assert (source.kind, type_of(source).name, source.bytes) == (StateKind.OPERATOR_LIST, "byte[]", 62)


def test_sql_types_are_told_with_precision_and_nullability() -> None:
    join = states(snapshot("sqlplan-rocksdb-canonical"), "6_join")
    row, count = type_of(join["left-records"]).parts
    assert row.logical == ("BIGINT", "BIGINT", "DECIMAL(10, 2)")
    assert count.name == "Integer"
    assert join["left-records"].ttl
    aggregate = states(snapshot("sqlplan-rocksdb-canonical"), "9_group-aggregate")
    assert type_of(aggregate["accState"]).logical[1] == "DECIMAL(38, 2)"
    assert type_of(aggregate["distinctAcc_0_null_state"]).name == "BIGINT NOT NULL"


def test_python_states_are_told_as_flink_keeps_them() -> None:
    found = states(snapshot("py-rocksdb-canonical"), "py-count")
    told = {name.removeprefix("python-state-"): (state.kind, state.ttl) for name, state in found.items()}
    assert told["py_count"] == (StateKind.LIST, True)
    assert told["py_map"] == (StateKind.MAP, False)
    assert told["py_list"] == (StateKind.LIST, False)


def test_a_changelog_tells_its_states_and_what_it_does_not_tell(tmp_path: Path) -> None:
    (tmp_path / "_metadata").write_bytes(metadata_bytes("ck-cl"))
    found = read_snapshot(str(tmp_path), LocalStorage())
    assert (found.is_savepoint, found.format, found.checkpoint_id) == (False, None, 7)
    counter = operator(found, COUNTER)
    assert {state.name for state in counter.states} == {
        *("count", "accs", "opaque", "red"),
        "_timer_state/processing_user-timers",
    }
    assert counter.key is None
    assert counter.unread
    assert "the type of its keys is not told" in counter.unread


@pytest.mark.parametrize(
    ("folder", "version", "form"),
    [
        ("f118-rocksdb-native", 4, SnapshotFormat.NATIVE),
        ("java-hashmap-canonical", 6, SnapshotFormat.CANONICAL),
    ],
)
def test_a_savepoint_is_told_with_its_version_and_format(folder: str, version: int, form: SnapshotFormat) -> None:
    found = snapshot(folder)
    assert (found.metadata_version, found.is_savepoint, found.format) == (version, True, form)


def test_sizes_are_told_by_subtask() -> None:
    counter = operator(snapshot("java-hashmap-canonical"), COUNTER)
    assert counter.subtask_bytes == (177136, 119648)
    assert counter.bytes == 177136 + 119648
    source = operator(snapshot("java-hashmap-canonical"), SOURCE)
    assert source.bytes == sum(source.subtask_bytes) + source.coordinator_bytes
    assert source.coordinator_bytes == 16


@pytest.mark.parametrize("folder", [*JAVA, "py-rocksdb-canonical", "sql-rocksdb-canonical"])
def test_nothing_of_a_real_savepoint_stays_unread(folder: str) -> None:
    found = snapshot(folder)
    assert [each.unread for each in found.operators if each.unread] == []
    kinds = [type_of(state) for each in found.operators for state in each.states]
    assert all(known(kind) for kind in kinds)


def known(kind: StateType) -> bool:
    fields = [field.type for field in kind.fields]
    return kind.known and all(map(known, kind.parts)) and all(each is not None and known(each) for each in fields)


def test_one_head_is_read_for_each_operator_and_64_kib_of_it() -> None:
    storage = Counting()
    read_snapshot(str(FILES / "java-hashmap-canonical"), storage)
    assert [(start, length) for name, start, length in storage.reads if name != "_metadata"] == [(0, 65536)]
    every = Counting()
    read_snapshot(str(FILES / "java-hashmap-canonical"), every, every_subtask=True)
    assert len({name for name, _, _ in every.reads} - {"_metadata"}) == 2


def test_heads_in_metadata_need_no_file() -> None:
    storage = Counting()
    read_snapshot(str(FILES / "java-rocksdb-native"), storage)
    assert {name for name, _, _ in storage.reads} == {"_metadata"}


def test_a_snapshot_may_be_named_by_its_metadata_or_as_uri() -> None:
    plain = snapshot("f120-rocksdb-canonical")
    for location in ("_metadata", ""):
        named = read_snapshot(f"file:{FILES}/f120-rocksdb-canonical/{location}", LocalStorage())
        assert named.operators == plain.operators


def test_no_snapshot_is_told(tmp_path: Path) -> None:
    with pytest.raises(SnapshotNotFound, match="there is no file"):
        read_snapshot(str(tmp_path), LocalStorage())


class Vanishing(Counting):
    """A storage where a checkpoint is subsumed after so many reads."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._after = after

    def size(self, path: str) -> int:
        self._look(path)
        return super().size(path)

    def read(self, path: str, start: int, length: int) -> bytes:
        self._look(path)
        return super().read(path, start, length)

    def _look(self, path: str) -> None:
        if len(self.reads) >= self._after:
            raise SnapshotNotFound(f"there is no file {path!r}")


def test_a_checkpoint_that_is_subsumed_while_it_is_read_is_told_as_gone() -> None:
    with pytest.raises(SnapshotGone, match="was deleted while it was read"):
        read_snapshot(str(FILES / "java-hashmap-canonical"), Vanishing(after=1))


def test_a_missing_state_file_is_told_of_its_operator_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "_metadata").write_bytes(metadata_bytes("java-hashmap-canonical"))
    found = read_snapshot(str(tmp_path), LocalStorage())
    told = operator(found, COUNTER).unread
    assert told
    assert "is missing" in told
    assert states(found, WINDOW)["window-contents"].type


def test_a_state_file_that_is_cut_short_is_told_of_its_operator(tmp_path: Path) -> None:
    folder = FILES / "java-hashmap-canonical"
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[: 10_000 if file.name != "_metadata" else None])
    told = operator(read_snapshot(str(tmp_path), LocalStorage()), COUNTER).unread
    assert told
    assert "is cut short" in told
