"""Reads state handles: one function for each kind, as `MetadataV2V3SerializerBase` of Flink does.

This is the hot path of a large `_metadata`: several numbers are unpacked at once, offsets of key groups stepped over.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from scurry.savepoints.handles import (
    ABSOLUTE,
    INLINE,
    RELATIVE,
    ChangelogBytes,
    ChangelogFiles,
    ChangelogHandle,
    ChannelHandle,
    EmptySegment,
    FileStream,
    IncrementalHandle,
    InlineStream,
    KeyGroupsHandle,
    KeyGroupsStream,
    OperatorHandle,
    OperatorStateEntry,
    PathText,
    SegmentStream,
    SharedFile,
    Subtask,
)
from scurry.savepoints.reading import MOST_NESTED

if TYPE_CHECKING:
    from scurry.savepoints.handles import KeyedHandle, Stream
    from scurry.savepoints.reading import Cursor

_SIZE_AND_LENGTH = struct.Struct(">xqH").unpack_from
_LENGTH = struct.Struct(">xH").unpack_from
_SIZE = struct.Struct(">q").unpack_from
_I32 = struct.Struct(">i").unpack_from
_TWO = struct.Struct(">ii").unpack_from
_SEGMENT = struct.Struct(">xqqiH").unpack_from

# About what a value of a list takes in memory, with the texts and numbers in it.
_STATE_COST = 200
_FILE_COST = 400
_CHANGE_COST = 300
_CHANNEL_COST = 400

_NOTHING_MORE = bytes(9)
"""no raw keyed state, no channels of either direction: as most subtasks end"""
_KEY_GROUP_TYPES = frozenset({3, 7, 12})


def read_stream(cursor: Cursor, field: str) -> Stream | None:
    """Read a stream handle: where some bytes of state are."""
    at = cursor.pos
    if at >= cursor.end:
        cursor.cut(field)
    data = cursor.data
    type_ = data[at]
    try:
        if type_ == INLINE:
            (length,) = _LENGTH(data, at)
            name = cursor.text(length, at + 3, field)
            (length,) = _I32(data, cursor.pos)
            cursor.pos += 4
            return InlineStream(name, cursor.block(length, field))
        if type_ == RELATIVE:
            (length,) = _LENGTH(data, at)
            path = cursor.text(length, at + 3, field)
            (size,) = _SIZE(data, cursor.pos)
            cursor.pos += 8
        elif type_ == ABSOLUTE:
            size, length = _SIZE_AND_LENGTH(data, at)
            path = cursor.text(length, at + 11, field)
        else:
            return _other_stream(cursor, type_, field)
    except struct.error:
        cursor.cut(field)
    if size < 0:
        cursor.refuse(field, f"a file of {size} bytes cannot be")
    return FileStream(type_, path, size, at, length)


def _other_stream(cursor: Cursor, type_: int, field: str) -> Stream | None:
    if type_ == 3:
        cursor.pos += 1
        first, number = _key_groups(cursor, field)
        cursor.skip(8 * number, "offsets of key groups")
        nested = read_stream(cursor, field) if cursor.pos >= cursor.end or cursor.data[cursor.pos] != 3 else None
        if nested is None or isinstance(nested, KeyGroupsStream):
            cursor.refuse(field, "key groups in key groups cannot be")
        return KeyGroupsStream(first, number, nested)
    return _plain_stream(cursor, type_, field)


def _plain_stream(cursor: Cursor, type_: int, field: str) -> EmptySegment | SegmentStream | None:
    at = cursor.pos
    cursor.pos += 1
    match type_:
        case 0:
            return None
        case 15:
            start, size, scope, length = _SEGMENT(cursor.data, at)
            if start < 0 or size < 0:
                cursor.refuse(field, f"{size} bytes from {start} on cannot be")
            path = cursor.text(length, at + 23, field)
            return SegmentStream(path, start, size, scope == 1, cursor.utf(field), at, length)
        case 16:
            return EmptySegment()
    cursor.pos = at
    return cursor.refuse(field, f"there is no stream handle of type {type_}")


def _key_groups(cursor: Cursor, field: str) -> tuple[int, int]:
    """The first key group and how many there are."""
    try:
        first, number = _TWO(cursor.data, cursor.pos)
    except struct.error:
        cursor.cut(field)
    if first < 0 or number < 0:
        cursor.refuse(field, f"{number} key groups from {first} on cannot be")
    cursor.pos += 8
    return first, number


def read_operator(cursor: Cursor, field: str) -> OperatorHandle | None:
    """Read a handle of operator and broadcast state."""
    type_ = cursor.i8(field)
    if type_ == 0:
        return None
    if type_ not in {4, 17}:
        cursor.pos -= 1
        cursor.refuse(field, f"there is no operator state handle of type {type_}")
    number = cursor.count(field, least=7)
    cursor.spend(number, _STATE_COST, field)
    states = tuple([_operator_state(cursor) for _ in range(number)])
    if type_ == 4:
        return OperatorHandle(type_, states, read_stream(cursor, field))
    directories = (_path(cursor, "directory of a task"), _path(cursor, "directory of what is shared"))
    empty = cursor.boolean(field)
    return OperatorHandle(type_, states, read_stream(cursor, field), directories, empty)


def _operator_state(cursor: Cursor) -> OperatorStateEntry:
    name = cursor.utf("name of an operator state")
    mode = cursor.i8("mode of an operator state")
    if mode not in {0, 1, 2}:
        cursor.pos -= 1
        cursor.refuse("mode of an operator state", f"there is no mode {mode}")
    partitions = cursor.count("offsets of an operator state", least=8)
    start = _SIZE(cursor.data, cursor.pos)[0] if partitions else None
    cursor.pos += 8 * partitions
    return OperatorStateEntry(name, mode, partitions, start)


def _path(cursor: Cursor, field: str) -> PathText:
    at = cursor.pos + 2
    path = cursor.utf(field)
    return PathText(path, at, cursor.pos - at)


def read_keyed(cursor: Cursor, field: str, depth: int = 0) -> KeyedHandle | None:
    """Read a handle of keyed state."""
    at = cursor.pos
    type_ = cursor.u8(field)
    if type_ == 0:
        return None
    if type_ in _KEY_GROUP_TYPES:
        first, number = _key_groups(cursor, field)
        cursor.skip(8 * number, "offsets of key groups")
        stream = read_stream(cursor, field)
        return KeyGroupsHandle(type_, first, number, stream, cursor.utf(field) if type_ == 12 else "")
    if type_ in {5, 11}:
        return _incremental(cursor, type_)
    if type_ == 9:
        return _changelog_bytes(cursor)
    if type_ in {10, 13}:
        return _changelog_files(cursor, type_)
    if type_ in {8, 14} and depth < MOST_NESTED:
        return _changelog(cursor, type_, depth)
    cursor.pos = at
    why = "handles are nested too deeply" if depth else f"there is no keyed state handle of type {type_}"
    return cursor.refuse(field, why)


def _incremental(cursor: Cursor, type_: int) -> IncrementalHandle:
    checkpoint = cursor.i64("checkpoint of an incremental handle")
    backend = cursor.utf("backend of an incremental handle")
    first, number = _key_groups(cursor, "key groups of an incremental handle")
    size = cursor.i64("size of an incremental handle") if type_ == 11 else None
    return IncrementalHandle(
        type_,
        checkpoint,
        backend,
        first,
        number,
        read_stream(cursor, "meta state of an incremental handle"),
        _shared_files(cursor, "shared file of an incremental handle"),
        _shared_files(cursor, "private file of an incremental handle"),
        size,
        cursor.utf("id of an incremental handle") if type_ == 11 else "",
    )


def _shared_files(cursor: Cursor, field: str) -> tuple[SharedFile, ...]:
    number = cursor.count(field, least=3)
    cursor.spend(number, _FILE_COST, field)
    return tuple([SharedFile(cursor.utf(field), read_stream(cursor, field)) for _ in range(number)])


def _changelog(cursor: Cursor, type_: int, depth: int) -> ChangelogHandle:
    field = "changelog handle"
    first, number = _key_groups(cursor, field)
    cursor.i64(field)  # the checkpointed size, which is no fact about the state
    materialized = _nested(cursor, "materialized part of a changelog", depth)
    changes = _nested(cursor, "changes of a changelog", depth)
    materialization = cursor.i64("materialization of a changelog")
    checkpoint = cursor.i64("checkpoint of a changelog") if type_ == 14 else None
    return ChangelogHandle(
        type_, first, number, materialized, changes, materialization, checkpoint, cursor.utf("id of a changelog")
    )


def _nested(cursor: Cursor, field: str, depth: int) -> tuple[KeyedHandle | None, ...]:
    number = cursor.count(field, least=1)
    cursor.spend(number, _FILE_COST, field)
    return tuple([read_keyed(cursor, field, depth + 1) for _ in range(number)])


def _changelog_bytes(cursor: Cursor) -> ChangelogBytes:
    field = "changes of a changelog"
    first, number = _key_groups(cursor, field)
    cursor.skip(16, field)  # from and to: sequence numbers
    count = cursor.count(field, least=8)
    data, pos, end, size = cursor.data, cursor.pos, cursor.end, 0
    about_states = []
    for _ in range(count):
        try:
            key_group, length = _TWO(data, pos)
        except struct.error:
            cursor.cut(field)
        pos += 8
        if not 0 <= length <= end - pos:
            cursor.pos = pos - 4
            cursor.cut(field)
        if key_group == -1:
            cursor.spend(1, _CHANGE_COST, field)
            about_states.append(cursor.view[pos : pos + length])
        pos += length
        size += length
    cursor.pos = pos
    return ChangelogBytes(9, first, number, count, size, tuple(about_states), cursor.utf(field))


def _changelog_files(cursor: Cursor, type_: int) -> ChangelogFiles:
    field = "files of a changelog"
    first, number = _key_groups(cursor, field)
    count = cursor.count(field, least=9)
    cursor.spend(count, _FILE_COST, field)
    streams = tuple([(cursor.i64(field), read_stream(cursor, field)) for _ in range(count)])
    size = cursor.i64(field)
    if size < 0:
        cursor.refuse(field, f"a size of {size} bytes cannot be")
    cursor.i64(field)  # the checkpointed size
    handle_id = cursor.utf(field)
    return ChangelogFiles(type_, first, number, streams, size, handle_id, cursor.utf(field) if type_ == 13 else "")


def _channels(cursor: Cursor, version: int, field: str) -> tuple[ChannelHandle, ...]:
    number = cursor.count(field, least=13)
    cursor.spend(number, _CHANNEL_COST, field)
    return tuple([_channel(cursor, version, field) for _ in range(number)])


def _channel(cursor: Cursor, version: int, field: str) -> ChannelHandle:
    type_ = cursor.i8(field) if version >= 6 else 0
    if type_ not in {0, 1, 2, 3, 4} or (version >= 6 and type_ == 0):
        cursor.pos -= 1
        cursor.refuse(field, f"there is no channel state handle of type {type_}")
    merged = type_ in {3, 4}
    cursor.skip(4 if merged else 12, field)
    if not merged:
        offsets = cursor.count(field, least=8)
        cursor.pos += 8 * offsets
    size = cursor.i64(field)
    if size < 0:
        cursor.refuse(field, f"a size of {size} bytes cannot be")
    stream = read_stream(cursor, field)
    if merged:
        cursor.skip(cursor.i32(field), field)
    return ChannelHandle(type_, size, stream)


def read_subtask(cursor: Cursor, number: int, version: int) -> Subtask:
    """Read what one subtask left; the cursor is behind its index."""
    if version == 2:
        cursor.skip(12, "state of a subtask")  # a duration, and a count of what no longer is
    field = "operator state handle"
    try:
        managed, raw = _TWO(cursor.data, cursor.pos)
    except struct.error:
        cursor.cut(field)
    if managed == 0 == raw:  # as most are
        cursor.pos += 8
        operator = raw_operator = None
    else:
        operator = read_operator(cursor, field) if cursor.i32(field) else None
        raw_operator = read_operator(cursor, "raw " + field) if cursor.i32("raw " + field) else None
    keyed = read_keyed(cursor, "keyed state handle")
    pos = cursor.pos
    if version > 2 and cursor.data[pos : pos + 9] == _NOTHING_MORE:
        cursor.pos = pos + 9
        return Subtask(number, operator, raw_operator, keyed, None)
    raw_keyed = read_keyed(cursor, "raw keyed state handle")
    if version == 2:
        return Subtask(number, operator, raw_operator, keyed, raw_keyed)
    inputs = _channels(cursor, version, "input channel state")
    results = _channels(cursor, version, "result subpartition state")
    return Subtask(number, operator, raw_operator, keyed, raw_keyed, inputs, results)
