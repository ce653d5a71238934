"""The heads of a snapshot's state themselves, byte for byte: what Flink is given to compare a new version with.

`operator_states.py` says what is in them. What cannot be read is left out here, and told there.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from scurry.model.errors import SnapshotUnreadable
from scurry.model.state import StateHeads
from scurry.savepoints.handles import (
    KEYED,
    OPERATOR,
    ChangelogHandle,
    IncrementalHandle,
    InlineStream,
    KeyGroupsHandle,
    plain,
)
from scurry.savepoints.heads import read_keyed_head, read_operator_head
from scurry.savepoints.streams import StreamReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scurry.savepoints.files import Storage
    from scurry.savepoints.handles import KeyedHandle, PlainStream
    from scurry.savepoints.heads import Head
    from scurry.savepoints.metadata import Metadata, Subtasks
    from scurry.savepoints.reading import Cursor

_MOST = 16
"""different heads of one operator"""
_TRIES = 3
"""heads in files of one operator, until one can be read"""


def read_heads(location: str, metadata: Metadata, storage: Storage) -> tuple[StateHeads, ...]:
    """Return the heads of each operator of a snapshot that has any. Raises as `read_snapshot` does."""
    reader = StreamReader(location, storage)
    found = (
        StateHeads(
            operator=entry.id,
            keyed=_gathered(_keyed(entry.subtasks), reader, read_keyed_head),
            not_keyed=_gathered(_not_keyed(entry.subtasks), reader, read_operator_head),
        )
        for entry in metadata.operators
    )
    return tuple(heads for heads in found if heads.keyed or heads.not_keyed)


def _keyed(subtasks: Subtasks) -> Iterator[PlainStream]:
    for place in subtasks.holding(KEYED):
        yield from _streams(subtasks[place].keyed)


def _streams(handle: KeyedHandle | None) -> Iterator[PlainStream]:
    match handle:
        case KeyGroupsHandle(stream=stream) | IncrementalHandle(meta=stream):
            if (found := plain(stream)) is not None:
                yield found
        case ChangelogHandle(materialized=materialized):
            for nested in materialized:
                yield from _streams(nested)
        case _:
            pass


def _not_keyed(subtasks: Subtasks) -> Iterator[PlainStream]:
    for place in subtasks.holding(OPERATOR):
        handle = subtasks[place].operator
        if handle is not None and (found := plain(handle.stream)) is not None:
            yield found


def _gathered(
    streams: Iterator[PlainStream], reader: StreamReader, parse: Callable[[Cursor], Head]
) -> tuple[bytes, ...]:
    """Return different heads: of all that are in `_metadata` itself, and of one that is in a file."""
    found: list[bytes] = []
    tries = 0

    def captured(cursor: Cursor) -> Head:
        start = cursor.pos
        head = parse(cursor)
        end = cursor.end if head.missed else start + head.length
        found.append(bytes(cursor.view[start:end]))
        return head

    for stream in streams:
        inline = isinstance(stream, InlineStream)
        if len(found) >= _MOST or (not inline and (found or tries >= _TRIES)):
            break
        if isinstance(stream, InlineStream) and any(stream.content[: len(head)] == head for head in found):
            continue
        tries += not inline
        with suppress(SnapshotUnreadable):
            reader.head(stream, captured)
    return tuple(dict.fromkeys(found))
