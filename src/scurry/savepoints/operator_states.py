"""The states of one operator, put together from the heads of its subtasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from scurry.model.errors import SnapshotUnreadable
from scurry.savepoints.handles import (
    KEYED,
    OPERATOR,
    RAW,
    ChangelogBytes,
    ChangelogFiles,
    ChangelogHandle,
    IncrementalHandle,
    InlineStream,
    KeyGroupsHandle,
    plain,
)
from scurry.savepoints.heads import BROADCAST as BROADCAST_TYPE
from scurry.savepoints.heads import OPERATOR as OPERATOR_TYPE
from scurry.savepoints.heads import read_keyed_head, read_operator_head, read_state_meta
from scurry.savepoints.reading import Cursor
from scurry.savepoints.states import as_state, named_only

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Set

    from scurry.model.state import State, StateType
    from scurry.savepoints.handles import KeyedHandle, OperatorHandle, PlainStream
    from scurry.savepoints.heads import Head, StateMeta
    from scurry.savepoints.metadata import Subtasks
    from scurry.savepoints.streams import StreamReader

_STATE_META_CHANGE = 8
"""`StateChangeOperation.METADATA`"""
_MOST_KNOWN_HEADS = 64
"""that others are compared with"""
_MOST_FAILURES = 3
"""heads of an operator that cannot be read, before no more is tried"""
_MOST_NOTES = 3
_NAME_COST = 500
_BACKEND_TYPES = (OPERATOR_TYPE, OPERATOR_TYPE, BROADCAST_TYPE)
"""by the mode of an operator state"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStates:
    """What the heads of an operator say."""

    key: StateType | None = None
    states: tuple[State, ...] = ()
    unread: str | None = None


def read_states(subtasks: Subtasks, reader: StreamReader, *, every_subtask: bool) -> FoundStates:
    """Read the states of an operator. Raises `SnapshotGone`; all else that goes wrong is told in `unread`."""
    gathered = _Gathered(reader)
    _gather_keyed(subtasks, gathered, every_subtask=every_subtask)
    told = _gather_operator(subtasks, gathered)
    if gathered.metas and gathered.changelog and gathered.key is None:
        gathered.note("its changelog was not materialized yet, so the type of its keys is not told")
    if any(kinds & RAW for kinds in subtasks.holds):
        gathered.note(
            "it holds raw state, which only its operator can read (timers that are kept on the heap are, too)"
        )
    return FoundStates(
        key=gathered.key,
        states=tuple(_states(subtasks, gathered.metas, told)),
        unread="; ".join(gathered.notes) or None,
    )


class _Gathered:
    """What was found so far."""

    def __init__(self, reader: StreamReader) -> None:
        self._reader = reader
        self._known_heads: list[bytes] = []
        self._known_changes: set[bytes] = set()
        self.key: StateType | None = None
        self.metas: dict[tuple[int, str], StateMeta] = {}
        self.notes: list[str] = []
        self.changelog = False

    def note(self, what: str) -> None:
        if what not in self.notes and len(self.notes) < _MOST_NOTES:
            self.notes.append(what)

    def read(self, stream: PlainStream | None, parse: Callable[[Cursor], Head]) -> bool:
        """Read a head, unless the same was read before; whether that went well."""
        if stream is None or (isinstance(stream, InlineStream) and self._is_known(stream.content)):
            return True
        try:
            head = self._reader.head(stream, parse)
            if head and any(not self.has(meta) for meta in head.states):
                self._reader.keep(head.cost)
        except SnapshotUnreadable as error:
            self.note(error.message)
            return False
        if head is None:
            return True
        if isinstance(stream, InlineStream) and len(self._known_heads) < _MOST_KNOWN_HEADS:
            self._known_heads.append(bytes(stream.content[: head.length]))
        self.key = self.key or head.key
        for meta in head.states:
            self.add(meta)
        if head.missed:
            self.note("behind a serializer of a class that is not known there is more, which could not be found")
        return True

    def read_change(self, change: memoryview) -> bool:
        """Read what a change tells of a state, unless the same was read before; whether that went well."""
        told = bytes(change)
        if told in self._known_changes:
            return True
        cursor = Cursor(told, source="_metadata: changes of a changelog", pos=1)
        try:
            cursor.i32("version of a change")
            meta = read_state_meta(cursor)
            if not self.has(meta):
                self._reader.keep(cursor.spent + len(told))
                self._known_changes.add(told)
        except SnapshotUnreadable as error:
            self.note(error.message)
            return False
        self.add(meta)
        return True

    def keep_names(self, new: Set[str]) -> None:
        self._reader.keep(_NAME_COST * len(new))

    def has(self, meta: StateMeta) -> bool:
        return (meta.backend_type, meta.name) in self.metas

    def add(self, meta: StateMeta) -> None:
        self.metas.setdefault((meta.backend_type, meta.name), meta)

    def _is_known(self, content: memoryview) -> bool:
        return any(content[: len(head)] == head for head in self._known_heads)


def _gather_keyed(subtasks: Subtasks, gathered: _Gathered, *, every_subtask: bool) -> None:
    """Heads that are in `_metadata` itself are read of all subtasks, those in files of one that can be read."""
    done = failed = 0
    in_files = False
    for place in subtasks.holding(KEYED):
        if in_files and not every_subtask and (done or failed >= _MOST_FAILURES):
            return
        handle = subtasks[place].keyed
        in_files = in_files or not _inline(handle)
        if _gather_handle(handle, gathered):
            done += 1
        else:
            failed += 1


def _inline(handle: KeyedHandle | None) -> bool:
    match handle:
        case KeyGroupsHandle(stream=stream) | IncrementalHandle(meta=stream):
            return isinstance(plain(stream), InlineStream)
    return True


def _gather_handle(handle: KeyedHandle | None, gathered: _Gathered) -> bool:
    """Gather what a handle tells; whether all of it could be read."""
    match handle:
        case None:
            return True
        case KeyGroupsHandle(stream=stream) | IncrementalHandle(meta=stream):
            return gathered.read(plain(stream), read_keyed_head)
        case ChangelogHandle(materialized=materialized, changes=changes):
            gathered.changelog = True
            done = [_gather_handle(nested, gathered) for nested in (*materialized, *changes)]
            return all(done)
        case ChangelogBytes():
            return _gather_changes(handle, gathered)
        case ChangelogFiles():
            gathered.note("its newest changes are in files of the changelog, which are not read: states may be missing")
            return True
        case _:
            assert_never(handle)


def _gather_changes(handle: ChangelogBytes, gathered: _Gathered) -> bool:
    """The changes that tell of a state, each when it is used first since the last materialization."""
    for change in handle.about_states:
        if not change or change[0] != _STATE_META_CHANGE:
            continue
        if not gathered.read_change(change):
            return False
    return True


def _gather_operator(subtasks: Subtasks, gathered: _Gathered) -> dict[str, _Told]:
    """Handles name all states of operator state, so heads are read until each was found. Returns what handles tell."""
    told: dict[str, _Told] = {}
    failed = 0
    for place in subtasks.holding(OPERATOR):
        handle = subtasks[place].operator
        if handle is None:
            continue
        sizes = _sizes(handle)
        try:
            gathered.keep_names(sizes.keys() - told.keys())
        except SnapshotUnreadable as error:
            gathered.note(error.message)
            break
        for entry in handle.states:
            known = told.setdefault(entry.name, _Told(mode=entry.mode))
            known.bytes += sizes[entry.name]
        missing = any((_BACKEND_TYPES[entry.mode], entry.name) not in gathered.metas for entry in handle.states)
        if missing and failed < _MOST_FAILURES:
            failed += not gathered.read(plain(handle.stream), read_operator_head)
    return told


@dataclass(slots=True, kw_only=True)
class _Told:
    """What handles tell of an operator state, all subtasks together."""

    mode: int
    bytes: int = 0


def _sizes(handle: OperatorHandle) -> dict[str, int]:
    """Bytes of each state: one begins where the one before it ends."""
    sizes = {entry.name: 0 for entry in handle.states}
    starts = sorted((entry.start, entry.name) for entry in handle.states if entry.start is not None)
    ends = [*(start for start, _ in starts[1:]), handle.size] if starts else []  # states may all be empty
    for (start, name), end in zip(starts, ends, strict=True):
        sizes[name] = max(end - start, 0)
    return sizes


def _states(subtasks: Subtasks, metas: dict[tuple[int, str], StateMeta], told: dict[str, _Told]) -> Iterator[State]:
    keyed = [meta for meta in metas.values() if meta.backend_type not in _BACKEND_TYPES]
    only = len(keyed) == 1 and not set(subtasks.holds) - {0, KEYED}
    for meta in keyed:
        yield as_state(meta, size=sum(subtasks.sizes) if only else None)
    for name, handle in told.items():
        found = metas.get((_BACKEND_TYPES[handle.mode], name))
        yield as_state(found, size=handle.bytes) if found else named_only(name, handle.mode, size=handle.bytes)
