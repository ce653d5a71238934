"""Steps over the state handles of a subtask: each is checked and its bytes are counted, but nothing is made of it.

The hot path of a large `_metadata`. It knows the handles that most subtasks have; whatever else there is, and all that
is damaged, is read by `handle_reading` instead, which also says what is wrong.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from scurry.savepoints.handle_reading import read_subtask
from scurry.savepoints.handles import ABSOLUTE, INLINE, KEYED, RELATIVE

if TYPE_CHECKING:
    from scurry.savepoints.reading import Cursor

_NAME = struct.Struct(">H").unpack_from
_LENGTH = struct.Struct(">xH").unpack_from
_SIZE_AND_LENGTH = struct.Struct(">xqH").unpack_from
_SIZE = struct.Struct(">q").unpack_from
_I32 = struct.Struct(">i").unpack_from
_TWO = struct.Struct(">ii").unpack_from

_NO_OPERATOR_STATE = bytes(8)
_NOTHING_MORE = bytes(9)
"""no raw keyed state, no channels of either direction"""
_NOTHING = _NO_OPERATOR_STATE + bytes(1) + _NOTHING_MORE
_MOST_FILES = 10_000
"""of a database; where there are more, what they take in memory is counted"""


class _UncommonError(Exception):
    """Something that is not stepped over here."""


def step_over_subtask(cursor: Cursor, number: int, version: int) -> tuple[int, int]:
    """Step over what one subtask left. Returns its `Subtask.size` and `Subtask.holds`. Raises as `read_subtask`."""
    if version > 2:
        try:
            return _step_over(cursor)
        except (_UncommonError, struct.error, IndexError):
            pass  # nothing moved on
    subtask = read_subtask(cursor, number, version)
    return subtask.size, subtask.holds


def _step_over(cursor: Cursor) -> tuple[int, int]:
    """Step over keyed state alone, in one stream or in the files of a database, or over nothing."""
    data, pos = cursor.data, cursor.pos
    if data[pos : pos + 18] == _NOTHING:
        cursor.pos = pos + 18
        return 0, 0
    if data[pos : pos + 8] != _NO_OPERATOR_STATE:
        raise _UncommonError
    type_ = data[pos + 8]
    if type_ in {3, 7}:
        size, pos = _stream(data, _key_groups(data, pos + 9, each=8))
    elif type_ in {5, 11}:
        size, pos = _database(data, pos + 9, type_)
    else:
        raise _UncommonError
    if data[pos : pos + 9] != _NOTHING_MORE:
        raise _UncommonError
    cursor.pos = pos + 9
    return size, KEYED


def _database(data: bytes | memoryview, pos: int, type_: int) -> tuple[int, int]:
    """Return the bytes of state in the files of RocksDB or ForSt, and where the handle ends."""
    pos = _key_groups(data, _text(data, pos + 8), each=0)
    size, pos = _stream(data, pos + 8 if type_ == 11 else pos)
    for _ in ("shared", "private"):
        (number,) = _I32(data, pos)
        if not 0 <= number <= _MOST_FILES:
            raise _UncommonError
        pos += 4
        for _ in range(number):
            bytes_, pos = _stream(data, _text(data, pos))
            size += bytes_
    return size, _text(data, pos) if type_ == 11 else pos


def _key_groups(data: bytes | memoryview, pos: int, *, each: int) -> int:
    """Return where key groups end, with so many bytes behind for each of them."""
    first, number = _TWO(data, pos)
    if first < 0 or number < 0:
        raise _UncommonError
    return pos + 8 + each * int(number)


def _text(data: bytes | memoryview, pos: int) -> int:
    """Return where a text ends."""
    (length,) = _NAME(data, pos)
    stop: int = pos + 2 + length
    if not bytes(data[pos + 2 : stop]).isascii():
        raise _UncommonError
    return stop


def _stream(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """Return the bytes that a stream handle is about, and where it ends."""
    type_ = data[at]
    if type_ == INLINE:
        (length,) = _LENGTH(data, at)
        text = at + 3
        stop = text + length
        (size,) = _I32(data, stop)
        end = stop + 4 + size
    elif type_ == RELATIVE:
        (length,) = _LENGTH(data, at)
        text = at + 3
        stop = text + length
        (size,) = _SIZE(data, stop)
        end = stop + 8
    elif type_ == ABSOLUTE:
        size, length = _SIZE_AND_LENGTH(data, at)
        text = at + 11
        end = stop = text + length
    else:
        raise _UncommonError
    if size < 0 or end > len(data) or not bytes(data[text:stop]).isascii():
        raise _UncommonError
    return size, end
