"""What is fuzzed: bytes are taken for a `_metadata`, and for each kind of head; only the typed error may come out."""

from __future__ import annotations

from collections.abc import Callable

from scurry.model.errors import SnapshotNotFound, SnapshotUnreadable
from scurry.savepoints.heads import Head, read_keyed_head, read_operator_head
from scurry.savepoints.metadata import read_metadata
from scurry.savepoints.reading import Cursor
from scurry.savepoints.snapshot import read_snapshot
from scurry.savepoints.states import as_state

HEADS: tuple[Callable[[Cursor], Head], ...] = (read_keyed_head, read_operator_head)
PREFIX = 1
"""bytes in front that choose what the rest is taken for"""


class InMemory:
    """A storage that holds a `_metadata` and nothing else."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def size(self, path: str) -> int:
        if path != "memory/_metadata":
            raise SnapshotNotFound(f"there is no file {path!r}")
        return len(self._data)

    def read(self, path: str, start: int, length: int) -> bytes:
        self.size(path)
        return self._data[start : start + length]


def one_input(data: bytes) -> None:
    """Take bytes for what their first one says."""
    choice, rest = data[:PREFIX], data[PREFIX:]
    try:
        if choice == b"m":
            everything_of(rest)
        elif choice in {b"k", b"o"}:
            head = HEADS[choice == b"o"](Cursor(rest, source="head"))
            for meta in head.states:
                as_state(meta)
    except SnapshotUnreadable as error:
        check(error, len(rest))


def check(error: SnapshotUnreadable, size: int) -> None:
    """See to it that an error tells where, and what to do."""
    assert 0 <= error.offset <= size
    assert error.field
    assert error.hint


def everything_of(data: bytes) -> None:
    """Read all that there is in a `_metadata`."""
    for operator in read_metadata(data).operators:
        for subtask in operator.subtasks:
            for text in subtask.paths():
                assert int.from_bytes(data[text.at - 2 : text.at], "big") == text.length
            assert subtask.size >= 0
    found = read_snapshot("memory", InMemory(data), every_subtask=True)
    assert found.bytes >= 0
