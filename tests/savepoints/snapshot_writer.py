"""Writes `_metadata` as Flink does, with handles that no kept example has: absolute paths, file merging, channels."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tests.savepoints.examples import metadata_bytes

MAGIC = 0x4960672D


def utf(text: str) -> bytes:
    """A text of `writeUTF`; the tests have none beyond ASCII but where they say so."""
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


def absolute(path: str, size: int) -> bytes:
    return struct.pack(">bq", 2, size) + utf(path)


def relative(path: str, size: int) -> bytes:
    return b"\x06" + utf(path) + struct.pack(">q", size)


def inline(content: bytes) -> bytes:
    return b"\x01" + utf("inline") + struct.pack(">i", len(content)) + content


def segment(path: str, start: int, size: int, *, shared: bool = False) -> bytes:
    return struct.pack(">bqqi", 15, start, size, shared) + utf(path) + utf(f"logical-{start}")


EMPTY_SEGMENT = b"\x10"


def operator_handle(stream: bytes, states: dict[str, list[int]]) -> bytes:
    return b"\x04" + _states(states) + stream


def merged_handle(stream: bytes, states: dict[str, list[int]], directory: str) -> bytes:
    dirs = utf(f"{directory}/taskowned") + utf(f"{directory}/shared")
    return b"\x11" + _states(states) + dirs + bytes([stream == EMPTY_SEGMENT]) + stream


def _states(states: dict[str, list[int]]) -> bytes:
    found = struct.pack(">i", len(states))
    for name, offsets in states.items():
        found += utf(name) + b"\x00" + struct.pack(f">i{len(offsets)}q", len(offsets), *offsets)
    return found


def key_groups(stream: bytes, *, type_: int = 12) -> bytes:
    found = struct.pack(">bii2q", type_, 0, 2, 10, 20) + stream
    return found + (utf("handle-id") if type_ == 12 else b"")


def incremental(meta: bytes, shared: dict[str, bytes], private: dict[str, bytes]) -> bytes:
    found = struct.pack(">bq", 11, 7) + utf("0f0f0f0f-0000-0000-0000-000000000000") + struct.pack(">iiq", 0, 2, 99)
    found += meta
    for files in (shared, private):
        found += struct.pack(">i", len(files)) + b"".join(utf(name) + stream for name, stream in files.items())
    return found + utf("handle-id")


def changelog(materialized: list[bytes], files: list[bytes]) -> bytes:
    changes = struct.pack(">biii", 13, 0, 2, len(files)) + b"".join(struct.pack(">q", 3) + file for file in files)
    changes += struct.pack(">qq", 50, 50) + utf("handle-id") + utf("filesystem")
    found = struct.pack(">biiqi", 14, 0, 2, 99, len(materialized)) + b"".join(materialized)
    return found + struct.pack(">i", 1) + changes + struct.pack(">qq", 3, 4) + utf("handle-id")


def channel(stream: bytes, size: int) -> bytes:
    """Of an input, in version 6."""
    return struct.pack(">biiiiqq", 1, 0, 0, 0, 1, 0, size) + stream


@dataclass(frozen=True, kw_only=True)
class Subtask:
    """Handles, written."""

    operator: bytes = b""
    raw_operator: bytes = b""
    keyed: bytes = b"\x00"
    channels: tuple[bytes, ...] = ()

    def written(self, number: int, version: int) -> bytes:
        found = struct.pack(">i", number)
        if version == 2:
            found += struct.pack(">qi", 0, 0)
        for handle in (self.operator, self.raw_operator):
            found += struct.pack(">i", bool(handle)) + handle
        found += self.keyed + b"\x00"
        if version > 2:
            found += struct.pack(">i", len(self.channels)) + b"".join(self.channels) + struct.pack(">i", 0)
        return found


def metadata(*subtasks: Subtask, version: int = 6, uid: str = "counter") -> bytes:
    """One operator with these subtasks."""
    found = struct.pack(">iiqii", MAGIC, version, 5, 0, 1)
    if version >= 5:
        found += utf("name") + utf(uid)
    found += bytes(range(16)) + struct.pack(">ii", len(subtasks), 16)
    found += struct.pack(">i", 0) if version == 2 else b"\x00"
    found += struct.pack(">i", len(subtasks))
    found += b"".join(subtask.written(number, version) for number, subtask in enumerate(subtasks))
    return found + (_properties() if version >= 4 else b"")


def _properties() -> bytes:
    whole = metadata_bytes("ck-cl")
    return whole[whole.rindex(b"\xac\xed\x00\x05sr") :]
