"""Reads the beginning of a state stream, from `_metadata` itself or from its file, as much of it as its head needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from scurry.model.errors import SnapshotGone, SnapshotNotFound, SnapshotUnreadable
from scurry.savepoints.files import beside, metadata_path
from scurry.savepoints.handles import EmptySegment, FileStream, InlineStream, SegmentStream
from scurry.savepoints.reading import BytesEnded, Cursor

if TYPE_CHECKING:
    from collections.abc import Callable

    from scurry.savepoints.files import Storage
    from scurry.savepoints.handles import PlainStream
    from scurry.savepoints.heads import Head

FIRST_READ = 64 * 1024
"""bytes; heads take 1 to 8 KiB, those of wide SQL joins some tens"""
LONGEST_HEAD = 16 * 1024 * 1024
"""bytes; what is longer is not read on"""
MOST_KEPT = 64 * 1024 * 1024
"""bytes of memory for what is kept of all heads of a snapshot; a job with 1,000 stateful operators takes about 40 MB"""
_GROWTH = 4
_LOOK_AHEAD = 8
"""bytes behind a serializer by which it is told whether it has a body"""


class StreamReader:
    """Reads heads of the streams of one snapshot."""

    def __init__(self, location: str, storage: Storage) -> None:
        self.location = location
        self._storage = storage
        self._kept = 0

    def keep(self, cost: int) -> None:
        """Count what is kept of a head. Raises `SnapshotUnreadable` when it is too much in all."""
        self._kept += cost
        if self._kept > MOST_KEPT:
            raise SnapshotUnreadable(
                f"{self.location!r} holds more states than can be kept in {MOST_KEPT >> 20} MiB",
                offset=0,
                field="states",
                hint="It is damaged, or not what Flink wrote",
            )

    def head(self, stream: PlainStream, parse: Callable[[Cursor], Head]) -> Head | None:
        """Read a stream's head; None for a stream without bytes.

        Raises `SnapshotUnreadable`, also when its file is missing; `SnapshotGone` when the whole snapshot is.
        """
        match stream:
            case EmptySegment():
                return None
            case InlineStream(name, content):
                return parse(Cursor(content, source=f"{METADATA_PART}{name}")) if content else None
            case FileStream():
                path, start = self._path(stream), 0
            case SegmentStream():
                path, start = stream.path, stream.start
            case _:
                assert_never(stream)
        return self._of_file(path, start, stream.size, parse) if stream.size else None

    def _path(self, stream: FileStream) -> str:
        if not stream.relative:
            return stream.path
        if stream.path.startswith("/") or ".." in stream.path.split("/"):
            raise SnapshotUnreadable(
                f"the snapshot names a file {stream.path!r}, which is outside of its directory",
                offset=stream.text.at,
                field="path of a file",
                hint="It is damaged, or not what Flink wrote",
            )
        return beside(self.location, stream.path)

    def _of_file(self, path: str, start: int, size: int, parse: Callable[[Cursor], Head]) -> Head:
        data = b""
        wanted = FIRST_READ
        while True:
            data += self._read(path, start + len(data), min(wanted, size) - len(data))
            whole = len(data) >= min(size, LONGEST_HEAD)
            try:
                head = parse(Cursor(data, source=path))
                if whole or (not head.missed and head.length + _LOOK_AHEAD <= len(data)):
                    return head
            except BytesEnded:
                if whole:
                    raise
            wanted = min(len(data) * _GROWTH, LONGEST_HEAD)

    def _read(self, path: str, start: int, length: int) -> bytes:
        try:
            data = self._storage.read(path, start, length)
        except SnapshotNotFound as error:
            self._storage_still_there(error)
            raise SnapshotUnreadable(
                f"its file {path!r} is missing",
                offset=0,
                field="file",
                hint="The snapshot cannot be restored. Take or name another one",
            ) from error
        if len(data) < length:
            raise SnapshotUnreadable(
                f"{path!r} is cut short: it has {start + len(data):,} bytes, and `_metadata` tells of more",
                offset=start + len(data),
                field="file",
                hint="The snapshot cannot be restored. Take or name another one",
            )
        return data

    def _storage_still_there(self, missing: SnapshotNotFound) -> None:
        try:
            self._storage.size(metadata_path(self.location))
        except SnapshotNotFound:
            raise gone(self.location) from missing


METADATA_PART = "_metadata: "
"""in errors, in front of the name of a stream that is in `_metadata` itself"""


def gone(location: str) -> SnapshotGone:
    """Say that a snapshot vanished while it was read."""
    return SnapshotGone(
        f"{location!r} was deleted while it was read",
        hint="A checkpoint is deleted when a newer one is complete. Read the newest one",
    )
