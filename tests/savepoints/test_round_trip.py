"""Any `_metadata` of any version that is written is read as it was: every handle, size and path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

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
    KeyGroupsStream,
    OperatorHandle,
    OperatorStateEntry,
    PathText,
    SegmentStream,
    SharedFile,
    Stream,
    Subtask,
)
from scurry.savepoints.metadata import read_metadata
from tests.savepoints.examples import FILES
from tests.savepoints.writing import Operator, Snapshot, write

T = TypeVar("T")

PROPERTIES = (FILES / "f120-rocksdb-canonical" / "_metadata").read_bytes().rpartition(b"\xac\xed\0\5")
QUICKLY = settings(deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
"""a file is so large a value that making a failing one smaller takes minutes"""
names = st.text(st.characters(codec="utf-8"), max_size=12)
sizes = st.integers(0, 2**40)
groups = st.integers(0, 20)
SOMEWHERE = 0
"""a place in the file, which only the reader knows"""


def built(make: Callable[..., T], *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[T]:
    """As `st.builds`, which would make up values for defaults of named tuples, too."""
    return st.tuples(*parts).map(lambda values: make(*values))


def _view(content: bytes) -> memoryview:
    return memoryview(content)


inline = built(lambda name, content: InlineStream(name, memoryview(content)), names, st.binary(max_size=30))
files = built(
    lambda kind, path, size: FileStream(kind, path, size, SOMEWHERE, 0), st.sampled_from([2, 6]), names, sizes
)
segments = built(
    lambda path, start, size, shared, logical: SegmentStream(path, start, size, shared, logical, SOMEWHERE, 0),
    *(names, sizes, sizes, st.booleans(), names),
)
plain_streams = st.one_of(inline, files, segments, st.just(EmptySegment()))
streams: st.SearchStrategy[Stream | None] = st.one_of(
    plain_streams, st.none(), built(KeyGroupsStream, groups, groups, plain_streams)
)
many_streams = st.lists(built(SharedFile, names, streams), max_size=3).map(tuple)

key_groups = st.one_of(
    built(KeyGroupsHandle, st.sampled_from([3, 7]), groups, groups, streams),
    built(KeyGroupsHandle, st.just(12), groups, groups, streams, names),
)
incremental = st.one_of(
    built(
        lambda *parts: IncrementalHandle(5, *parts), sizes, names, groups, groups, streams, many_streams, many_streams
    ),
    built(
        lambda *parts: IncrementalHandle(11, *parts),
        *(sizes, names, groups, groups, streams, many_streams, many_streams, sizes, names),
    ),
)
changes = st.lists(st.binary(max_size=9).map(_view), max_size=3).flatmap(
    lambda told: built(
        lambda first, number, rest, more, name: ChangelogBytes(
            *(9, first, number, len(told) + more, sum(map(len, told)) + (rest if more else 0), tuple(told), name)
        ),
        *(groups, groups, st.integers(0, 20), st.integers(0, 3), names),
    )
)
offsets_and_streams = st.lists(st.tuples(sizes, streams), max_size=3).map(tuple)
changelog_files = st.one_of(
    built(ChangelogFiles, st.just(10), groups, groups, offsets_and_streams, sizes, names),
    built(ChangelogFiles, st.just(13), groups, groups, offsets_and_streams, sizes, names, names),
)


def changelogs(nested: st.SearchStrategy[KeyedHandle]) -> st.SearchStrategy[KeyedHandle]:
    some = st.lists(st.one_of(nested, st.none()), max_size=3).map(tuple)
    return st.one_of(
        built(
            lambda first, number, old, new, id_, name: ChangelogHandle(8, first, number, old, new, id_, None, name),
            groups,
            groups,
            some,
            some,
            sizes,
            names,
        ),
        built(ChangelogHandle, st.just(14), groups, groups, some, some, sizes, sizes, names),
    )


plain_keyed: st.SearchStrategy[KeyedHandle] = st.one_of(key_groups, incremental, changes, changelog_files)
keyed = st.recursive(plain_keyed, changelogs, max_leaves=4)
entries = built(
    lambda name, mode, number, start: OperatorStateEntry(name, mode, number, start if number else None),
    *(names, st.integers(0, 2), st.integers(0, 3), st.integers(0, 1000)),
)
states = st.lists(entries, max_size=3).map(tuple)
directories = st.tuples(*[names.map(lambda path: PathText(path, SOMEWHERE, 0))] * 2)
operator_handles = st.one_of(
    built(OperatorHandle, st.just(4), states, streams),
    built(OperatorHandle, st.just(17), states, streams, directories, st.booleans()),
)


def channels(version: int) -> st.SearchStrategy[tuple[ChannelHandle, ...]]:
    if version == 2:
        return st.just(())
    kinds = st.sampled_from([1, 2, 3, 4]) if version == 6 else st.just(0)
    return st.lists(built(ChannelHandle, kinds, sizes, streams), max_size=2).map(tuple)


def optional(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return st.one_of(st.none(), strategy)


@st.composite
def operators(draw: st.DrawFn, version: int) -> Operator:
    parallelism = draw(st.integers(0, 5))
    numbers = draw(st.permutations(range(parallelism)))
    stateful = draw(st.integers(0, parallelism))
    finished = draw(st.integers(stateful, parallelism)) if version > 2 else stateful
    made = built(
        lambda *parts: parts,
        *(optional(operator_handles), optional(operator_handles), optional(keyed), optional(keyed)),
        *(channels(version), channels(version)),
    )
    everything = draw(st.booleans()) if version > 2 else False
    return Operator(
        id=draw(st.binary(min_size=16, max_size=16)),
        name=draw(names) if version >= 5 else "",
        uid=draw(names) if version >= 5 else "",
        parallelism=parallelism,
        max_parallelism=draw(st.integers(parallelism, 32768)),
        coordinator=draw(st.one_of(st.none(), inline)) if version >= 3 else None,
        subtasks=() if everything else tuple(Subtask(number, *draw(made)) for number in numbers[:stateful]),
        finished=() if everything else tuple(numbers[stateful:finished]),
        all_finished=everything,
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    version = draw(st.integers(2, 6))
    return Snapshot(
        version=version,
        checkpoint_id=draw(sizes),
        master_states=tuple(draw(st.lists(names, max_size=2))),
        operators=tuple(draw(st.lists(operators(version), max_size=3))),
        properties=b"".join(PROPERTIES[1:]) if version >= 4 else b"",
    )


def without_places(value: Any) -> Any:
    """The same value, with every place in the file set to `SOMEWHERE`."""
    match value:
        case FileStream() | SegmentStream():
            return value._replace(at=SOMEWHERE, path_length=0)
        case PathText():
            return PathText(value.path, SOMEWHERE, 0)
        case tuple() if hasattr(value, "_make"):
            return value._make(map(without_places, value))
        case tuple():
            return tuple(map(without_places, value))
    return value


@settings(QUICKLY, max_examples=300)
@given(snapshots())
def test_what_is_written_is_read(snapshot: Snapshot) -> None:
    data = write(snapshot)
    found = read_metadata(data)
    assert (found.version, found.checkpoint_id, found.master_states) == (
        *(snapshot.version, snapshot.checkpoint_id),
        snapshot.master_states,
    )
    assert (found.properties is None) == (snapshot.version < 4)
    read = tuple(
        Operator(
            id=bytes.fromhex(entry.id),
            name=entry.name or "",
            uid=entry.uid or "",
            parallelism=entry.parallelism,
            max_parallelism=entry.max_parallelism,
            coordinator=entry.coordinator,
            subtasks=tuple(without_places(subtask) for subtask in entry.subtasks),
            finished=tuple(entry.finished_subtasks),
            all_finished=entry.finished,
        )
        for entry in found.operators
    )
    assert read == snapshot.operators


@settings(QUICKLY, max_examples=100)
@given(snapshots())
def test_every_path_can_be_replaced_where_it_is(snapshot: Snapshot) -> None:
    data = write(snapshot)
    places = [text for entry in read_metadata(data).operators for subtask in entry.subtasks for text in subtask.paths()]
    moved = bytearray(data)
    for text in sorted(places, key=lambda text: text.at, reverse=True):
        moved[text.at - 2 : text.at + text.length] = b"\0\5moved"
    found = [
        text.path for entry in read_metadata(bytes(moved)).operators for sub in entry.subtasks for text in sub.paths()
    ]
    assert found == ["moved"] * len(places)


@settings(QUICKLY, max_examples=100)
@given(snapshots())
def test_sizes_and_kinds_kept_of_a_subtask_are_those_of_its_handles(snapshot: Snapshot) -> None:
    for operator, entry in zip(snapshot.operators, read_metadata(write(snapshot)).operators, strict=True):
        assert list(entry.subtasks.sizes) == [subtask.size for subtask in operator.subtasks]
        assert list(entry.subtasks.holds) == [subtask.holds for subtask in operator.subtasks]
        stateful = operator.coordinator is not None or any(subtask.holds for subtask in operator.subtasks)
        assert entry.has_state == stateful


@given(names)
def test_a_text_of_any_characters_is_read(text: str) -> None:
    snapshot = Snapshot(operators=(replace(Operator(), name=text),), properties=b"".join(PROPERTIES[1:]))
    assert (read_metadata(write(snapshot)).operators[0].name or "") == text
