"""Writes `_metadata` files of all versions, from values of the reader's own types: for tests only.

Independent of the reader but for those values: it follows Flink's `MetadataV2V3SerializerBase` and its heirs.
Offsets of key groups are zeros, since a reader steps over them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

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
    SegmentStream,
    SharedFile,
    Stream,
    Subtask,
)

MAGIC = 0x4960672D


@dataclass(frozen=True, kw_only=True)
class Operator:
    """An operator to be written; subtasks by number, `finished` those that left nothing."""

    id: bytes = bytes(16)
    name: str = ""
    uid: str = ""
    parallelism: int = 1
    max_parallelism: int = 128
    coordinator: Stream | None = None
    subtasks: tuple[Subtask, ...] = ()
    finished: tuple[int, ...] = ()
    all_finished: bool = False


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A `_metadata` to be written; `properties` as bytes."""

    version: int = 6
    checkpoint_id: int = 1
    master_states: tuple[str, ...] = ()
    operators: tuple[Operator, ...] = ()
    properties: bytes = field(default=b"", repr=False)


def i8(value: int) -> bytes:
    return struct.pack(">b", value)


def i16(value: int) -> bytes:
    return struct.pack(">h", value)


def i32(value: int) -> bytes:
    return struct.pack(">i", value)


def i64(value: int) -> bytes:
    return struct.pack(">q", value)


def utf(text: str) -> bytes:
    """Modified UTF-8 with its length, as `DataOutput.writeUTF` writes it."""
    units = text.encode("utf-16-be", "surrogatepass")
    out = bytearray()
    for high, low in zip(units[::2], units[1::2], strict=True):
        unit = high << 8 | low
        if 0 < unit < 0x80:
            out.append(unit)
        elif unit < 0x800:
            out += bytes((0xC0 | unit >> 6, 0x80 | unit & 0x3F))
        else:
            out += bytes((0xE0 | unit >> 12, 0x80 | unit >> 6 & 0x3F, 0x80 | unit & 0x3F))
    return struct.pack(">H", len(out)) + bytes(out)


def framed(data: bytes) -> bytes:
    return i32(len(data)) + data


def write(snapshot: Snapshot) -> bytes:
    """Return the bytes of a `_metadata`."""
    out = struct.pack(">Iiq", MAGIC, snapshot.version, snapshot.checkpoint_id)
    out += i32(len(snapshot.master_states))
    for name in snapshot.master_states:
        out += struct.pack(">I", 0xC96B1696) + framed(i32(1) + utf(name) + framed(b"state"))
    out += i32(len(snapshot.operators))
    out += b"".join(_operator(operator, snapshot.version) for operator in snapshot.operators)
    return out + snapshot.properties


def _operator(operator: Operator, version: int) -> bytes:
    out = utf(operator.name) + utf(operator.uid) if version >= 5 else b""
    out += operator.id + i32(operator.parallelism) + i32(operator.max_parallelism)
    out += stream(operator.coordinator) if version >= 3 else b""
    out += i32(7) if version == 2 else b""
    if operator.all_finished:
        return out + i32(-1)
    out += i32(len(operator.subtasks) + len(operator.finished))
    for subtask in operator.subtasks:
        out += i32(subtask.number) + _subtask(subtask, version)
    return out + b"".join(i32(-number - 1) for number in operator.finished)


def _subtask(subtask: Subtask, version: int) -> bytes:
    out = i64(5) + i32(0) if version == 2 else b""
    for handle in (subtask.operator, subtask.raw_operator):
        out += i32(1) + operator_handle(handle) if handle else i32(0)
    out += keyed(subtask.keyed) + keyed(subtask.raw_keyed)
    if version >= 3:
        for channels in (subtask.inputs, subtask.results):
            out += i32(len(channels)) + b"".join(_channel(channel, version) for channel in channels)
    return out


def operator_handle(handle: OperatorHandle) -> bytes:
    out = i8(handle.type) + i32(len(handle.states))
    for state in handle.states:
        out += utf(state.name) + i8(state.mode) + i32(state.partitions)
        out += b"".join(i64((state.start or 0) + 3 * number) for number in range(state.partitions))
    if handle.type == 17:
        out += b"".join(utf(directory.path) for directory in handle.directories) + i8(handle.empty)
    return out + stream(handle.stream)


def keyed(handle: KeyedHandle | None) -> bytes:
    match handle:
        case None:
            return i8(0)
        case KeyGroupsHandle():
            end = utf(handle.handle_id) if handle.type == 12 else b""
            return _groups(handle) + bytes(8 * handle.key_groups) + stream(handle.stream) + end
        case IncrementalHandle():
            out = i8(handle.type) + i64(handle.checkpoint_id) + utf(handle.backend)
            out += i32(handle.first_key_group) + i32(handle.key_groups)
            out += i64(handle.checkpointed_size or 0) if handle.type == 11 else b""
            out += stream(handle.meta) + _files(handle.shared) + _files(handle.private)
            return out + (utf(handle.handle_id) if handle.type == 11 else b"")
        case ChangelogHandle():
            out = _groups(handle) + i64(1)
            for nested in (handle.materialized, handle.changes):
                out += i32(len(nested)) + b"".join(map(keyed, nested))
            out += i64(handle.materialization_id)
            out += i64(handle.checkpoint_id or 0) if handle.type == 14 else b""
            return out + utf(handle.handle_id)
        case ChangelogBytes():
            return _changes(handle)
        case ChangelogFiles():
            out = _groups(handle) + i32(len(handle.streams))
            out += b"".join(i64(offset) + stream(each) for offset, each in handle.streams)
            out += i64(handle.size) + i64(0) + utf(handle.handle_id)
            return out + (utf(handle.storage) if handle.type == 13 else b"")


def _groups(handle: KeyedHandle) -> bytes:
    assert not isinstance(handle, IncrementalHandle)
    return i8(handle.type) + i32(handle.first_key_group) + i32(handle.key_groups)


def _files(files: tuple[SharedFile, ...]) -> bytes:
    return i32(len(files)) + b"".join(utf(file.local_name) + stream(file.stream) for file in files)


def _changes(handle: ChangelogBytes) -> bytes:
    """Those about states, and one more for all other bytes."""
    told = [(-1, bytes(change)) for change in handle.about_states]
    rest = handle.size - sum(len(change) for _, change in told)
    told += [(3, bytes(rest if number == len(told) else 0)) for number in range(len(told), handle.changes)]
    out = _groups(handle) + i64(1) + i64(2) + i32(len(told))
    return out + b"".join(i32(group) + framed(change) for group, change in told) + utf(handle.handle_id)


def _channel(channel: ChannelHandle, version: int) -> bytes:
    if channel.type in {3, 4}:
        return i8(channel.type) + i32(1) + i64(channel.size) + stream(channel.stream) + framed(b"offsets")
    out = i8(channel.type) if version >= 6 else b""
    return out + i32(1) + i32(2) + i32(3) + i32(1) + i64(0) + i64(channel.size) + stream(channel.stream)


def stream(handle: Stream | None) -> bytes:
    match handle:
        case None:
            return i8(0)
        case InlineStream():
            return i8(1) + utf(handle.name) + framed(bytes(handle.content))
        case FileStream(type=2):
            return i8(2) + i64(handle.size) + utf(handle.path)
        case FileStream():
            return i8(6) + utf(handle.path) + i64(handle.size)
        case SegmentStream():
            out = i8(15) + i64(handle.start) + i64(handle.size) + i32(int(handle.shared))
            return out + utf(handle.path) + utf(handle.logical_id)
        case EmptySegment():
            return i8(16)
        case KeyGroupsStream():
            out = i8(3) + i32(handle.first_key_group) + i32(handle.key_groups)
            return out + bytes(8 * handle.key_groups) + stream(handle.stream)
