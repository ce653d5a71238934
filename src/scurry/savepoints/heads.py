"""Heads of state streams: which states there are, of which kinds and types.

`KeyedBackendSerializationProxy` and `OperatorBackendSerializationProxy` of Flink, each with a `StateMetaInfoSnapshot`
for every state. Behind a serializer that cannot be read the next mark is searched: its use, or another state.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.savepoints.serializers import TypeReader

if TYPE_CHECKING:
    from scurry.model.state import StateType
    from scurry.savepoints.reading import Cursor

KEY_VALUE, OPERATOR, BROADCAST, PRIORITY_QUEUE, KEY_VALUE_V2 = range(5)
VALUE, NAMESPACE, KEY, USER_KEY = "VALUE_SERIALIZER", "NAMESPACE_SERIALIZER", "KEY_SERIALIZER", "USER_KEY_SERIALIZER"
KIND, MODE = "KEYED_STATE_TYPE", "OPERATOR_STATE_DISTRIBUTION_MODE"

_META = "state meta info"
_META_COST = 1500
_OPTION_COST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class StateMeta:
    """What a head says of one state."""

    name: str
    backend_type: int
    options: dict[str, str]
    serializers: dict[str, StateType]
    ttl: bool = False
    """a serializer of it keeps a time to live"""
    missed: bool = False
    """behind a serializer that cannot be read no mark of the others was found"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a head says."""

    key: StateType | None = None
    """of keyed state"""
    states: tuple[StateMeta, ...] = ()
    length: int = 0
    """in bytes"""
    cost: int = 0
    """about how many bytes of memory it takes"""
    missed: bool = False
    """behind a serializer that cannot be read no mark was found: not all states, or not all of their types, are here"""


def read_keyed_head(cursor: Cursor) -> Head:
    """Read the head of keyed state. Raises `SnapshotUnreadable`; `BytesEnded` when it is longer than what is there."""
    start = cursor.pos
    _version(cursor, {6}, "keyed state")
    cursor.boolean("compression of keyed state")
    reader = TypeReader(cursor)
    key = reader.read_versioned()
    if reader.lost and not _to_count(cursor):
        return Head(key=key, length=cursor.pos - start, cost=cursor.spent, missed=True)
    count = _state_count(cursor)
    states, _ = _states(cursor, count)
    missed = len(states) < count or any(meta.missed for meta in states)
    return Head(key=key, states=tuple(states), length=cursor.pos - start, cost=cursor.spent, missed=missed)


def read_operator_head(cursor: Cursor) -> Head:
    """Read the head of operator and broadcast state. Raises as `read_keyed_head`."""
    start = cursor.pos
    if _version(cursor, {5, 6}, "operator state") >= 6:
        cursor.boolean("compression of operator state")
    count = _state_count(cursor)
    states, lost = _states(cursor, count)
    # Behind an unknown serializer of the last operator state, broadcast states are found by the mark of the first.
    # Whether there are any, the handle in `_metadata` tells.
    if len(states) == count and (not lost or _to_count(cursor, BROADCAST)):
        broadcast = _state_count(cursor)
        count += broadcast
        states += _states(cursor, broadcast)[0]
    missed = len(states) < count or any(meta.missed for meta in states)
    return Head(states=tuple(states), length=cursor.pos - start, cost=cursor.spent, missed=missed)


def read_state_meta(cursor: Cursor) -> StateMeta:
    """Read what is told of one state, as it stands alone in the changes of a changelog. Raises `SnapshotUnreadable`."""
    return _state_meta(cursor)[0]


def _version(cursor: Cursor, known: set[int], what: str) -> int:
    field = f"version of the head of {what}"
    version = cursor.i32(field)
    if version not in known:
        cursor.pos -= 4
        older = "; it is of a Flink before 1.7" if 0 < version < min(known) else ""
        cursor.refuse(field, f"version {version} is not known{older}")
    return version


def _state_count(cursor: Cursor) -> int:
    field = "number of states"
    count = cursor.i16(field)
    if count < 0:
        cursor.pos -= 2
        cursor.refuse(field, f"{count} states cannot be")
    cursor.spend(count, _META_COST, field)
    return count


def _states(cursor: Cursor, count: int) -> tuple[list[StateMeta], bool]:
    """So many states, or those before one behind which no mark is; and whether the cursor is not behind the last."""
    found: list[StateMeta] = []
    searched = 0
    for number in range(count):
        meta, lost = _state_meta(cursor)
        found.append(meta)
        if not lost:
            continue
        searched += 1
        if number == count - 1 or searched > _MOST_SEARCHES or not _to_state(cursor):
            return found, True
    return found, False


def _state_meta(cursor: Cursor) -> tuple[StateMeta, bool]:
    name = cursor.utf("name of a state")
    backend_type = cursor.i32("backend type of a state")
    if backend_type not in range(5):
        cursor.pos -= 4
        cursor.refuse("backend type of a state", f"{backend_type} is not known")
    options = {}
    number = cursor.count("options of a state", least=4)
    cursor.spend(number, _OPTION_COST, _META)
    for _ in range(number):
        option = cursor.utf("option of a state")
        options[option] = cursor.utf("value of an option")
    serializers: dict[str, StateType] = {}
    reader = TypeReader(cursor)
    left = cursor.count("serializers of a state", least=12)
    while left and (not reader.lost or _to_serializer(cursor)):
        reader.lost = False
        use = cursor.utf("use of a serializer")
        serializers[use] = reader.read_versioned()
        left -= 1
    meta = StateMeta(
        name=name,
        backend_type=backend_type,
        options=options,
        serializers=serializers,
        ttl=reader.ttl,
        missed=left > 0,
    )
    return meta, reader.lost


def _utf(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


def _any(*texts: str) -> bytes:
    return b"(?:" + b"|".join(re.escape(_utf(text)) for text in texts) + b")"


_SERIALIZER_MARK = _any(VALUE, NAMESPACE, KEY, USER_KEY) + rb"\x00\x00\x00\x02"
_STATE_MARK = (
    rb"\x00{3}[\x00\x01\x02\x04]\x00{3}\x01" + _any(KIND, MODE) + b"|"
    rb"\x00{3}\x03\x00{4}\x00{3}\x01" + _any(VALUE) + rb"\x00{3}\x02"
)
"""backend type, options, and for timers, which have none, the serializer"""
_FIND_STATE = re.compile(_STATE_MARK)
_FIND_EITHER = re.compile(b"(?P<state>" + _STATE_MARK + b")|" + _SERIALIZER_MARK)
_MOST_SEARCHES = 200
"""in one head"""
_LONGEST_NAME = 1000
"""of a state that is searched for"""


def _to_serializer(cursor: Cursor) -> bool:
    """Go on to the next serializer of the same state, if its mark comes before that of another state."""
    found = _FIND_EITHER.search(cursor.view, cursor.pos)
    if not found or found["state"] is not None:
        return False
    cursor.pos = found.start()
    return True


def _to_state(cursor: Cursor, backend_type: int | None = None) -> bool:
    """Go on to the next state (of a type): to its name, which stands before the mark."""
    start = cursor.pos
    for found in _FIND_STATE.finditer(cursor.view, start):
        if backend_type is not None and cursor.data[found.start() + 3] != backend_type:
            continue
        name = _name_before(cursor, found.start())
        if name is None:
            return False
        cursor.pos = name
        return True
    return False


def _to_count(cursor: Cursor, backend_type: int | None = None) -> bool:
    """Go on to the number of states that stands before the next one."""
    start = cursor.pos
    if not _to_state(cursor, backend_type) or cursor.pos - 2 < start:
        cursor.pos = start
        return False
    cursor.pos -= 2
    return True


def _name_before(cursor: Cursor, end: int) -> int | None:
    """Where a text begins that ends there: the one before which its length stands. Names hold no zero bytes."""
    view = cursor.view
    for length in range(min(_LONGEST_NAME, end - cursor.pos - 2) + 1):
        start = end - length - 2
        if view[start] << 8 | view[start + 1] == length:
            return start
    return None
