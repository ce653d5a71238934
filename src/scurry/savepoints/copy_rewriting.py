"""What a copy of a snapshot consists of: the files to copy, by new names, and a `_metadata` that refers to them.

Every path becomes relative to `_metadata`, so that the copy can be moved again; a part of a file that several
checkpoints share (file merging, Flink 1.20 and later) becomes a file of its own. Nothing else of `_metadata` changes.
Does no I/O.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scurry.model.errors import SnapshotUnreadable
from scurry.savepoints.files import METADATA, beside, local_path
from scurry.savepoints.handles import RELATIVE, EmptySegment, FileStream, SegmentStream, plain
from scurry.savepoints.metadata import read_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.savepoints.handles import OperatorHandle, PlainStream
    from scurry.savepoints.metadata import Metadata, OperatorEntry

OWN_PREFIX = ".scurry-"
"""of the names of our own files in a copy that is not complete"""

_MERGED_OPERATOR = 17
_PLAIN_OPERATOR = 4
_NO_HANDLE = struct.pack(">i", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file of the copy, and the bytes that it is to hold."""

    name: str
    """relative to the copy's directory"""
    source: str
    start: int = 0
    length: int | None = None
    """None: all of the source's file"""
    size: int
    """what `_metadata` says of it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """What a copy consists of."""

    metadata: bytes
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(part.size for part in self.parts)


def rewrite(data: bytes, *, source: str, target: str) -> Rewritten:
    """Return what the copy at `target` of a snapshot at `source` consists of; `data` is its `_metadata`.

    `target` is written into a file of version 2 alone: Flink before 1.11 knows no relative paths.
    Raises `SnapshotUnreadable`.
    """
    metadata = read_metadata(data, source=source)
    writer = _Rewriting(data, source, "" if metadata.version > 2 else f"{target}/")
    for operator in metadata.operators:
        coordinator = plain(operator.coordinator)
        if coordinator is not None:
            writer.stream(coordinator)
        for subtask in operator.subtasks:
            for handle in (subtask.operator, subtask.raw_operator):
                if handle is not None and handle.type == _MERGED_OPERATOR:
                    writer.merged_operator(handle)
            for stream in subtask.streams():
                writer.stream(stream)
    rewritten = Rewritten(metadata=writer.spliced(), parts=tuple(writer.parts.values()))
    _check(metadata, read_metadata(rewritten.metadata, source=f"the copy of {source}"), rewritten, writer.prefix)
    return rewritten


@dataclass(slots=True)
class _Rewriting:
    """Gathers what is to be copied, and what is to stand in `_metadata` instead."""

    data: bytes
    source: str
    prefix: str
    """of the paths in the copy: empty for relative ones"""
    parts: dict[tuple[str, int, int | None], Part] = field(default_factory=dict)
    _folder: str = ""
    """the snapshot's directory, in the one spelling"""
    _names: set[str] = field(default_factory=set)
    _edits: list[tuple[int, int, bytes]] = field(default_factory=list)
    """from, to, and the bytes instead"""

    def stream(self, stream: PlainStream) -> None:
        """Have a stream copied, and its new place written. What is in `_metadata` itself stays."""
        if isinstance(stream, FileStream):
            path = beside(self.source, stream.path) if stream.relative else stream.path
            name = self._named(path, 0, None, stream.size)
            if not (stream.relative and name == stream.path):
                self._edits.append((stream.at, stream.end, self._handle(name, stream.size)))
        elif isinstance(stream, SegmentStream):
            name = self._named(stream.path, stream.start, stream.size, stream.size)
            self._edits.append((stream.at, self._end(stream), self._handle(name, stream.size)))

    def merged_operator(self, handle: OperatorHandle) -> None:
        """Make a plain handle of one with file merging: its directories belong to the job that wrote it.

        One that is empty keeps such a directory from being deleted, and holds nothing
        (`EmptyFileMergingOperatorStreamStateHandle`): it goes.
        """
        task, shared = handle.directories
        at = task.at - 2 - sum(_length(entry.name) + 7 + 8 * entry.partitions for entry in handle.states) - 5
        if at < 4 or self.data[at] != _MERGED_OPERATOR:
            raise _unreadable(self.source, task.at, "operator state handle", "it does not begin where it has to")
        behind = shared.at + shared.length + 1  # and whether it is empty
        if isinstance(plain(handle.stream), EmptySegment):
            self._edits.append((at - 4, behind + 1, _NO_HANDLE))
            return
        self._edits.append((at, at + 1, bytes([_PLAIN_OPERATOR])))
        self._edits.append((task.at - 2, behind, b""))

    def spliced(self) -> bytes:
        """Return `_metadata` with all that was to be changed."""
        view, place = memoryview(self.data), 0
        found: list[bytes | memoryview] = []
        for start, end, instead in sorted(self._edits):
            if start < place:
                raise _unreadable(self.source, start, "state handle", "it overlaps the one before it")
            found += [view[place:start], instead]
            place = end
        return b"".join([*found, view[place:]])

    def _named(self, path: str, start: int, length: int | None, size: int) -> str:
        spelled = _one_spelling(path)
        key = (spelled, start, length)
        if key in self.parts:
            return self.parts[key].name
        name = self._free_name(spelled, start if length is not None else None)
        self.parts[key] = Part(name=name, source=path, start=start, length=length, size=size)
        return name

    def _free_name(self, path: str, start: int | None) -> str:
        """Return the name that a file has below the snapshot's directory, else its last one; nobody else's."""
        if not self._folder:
            self._folder = _one_spelling(beside(self.source, ""))
        inner = path.removeprefix(self._folder)
        wanted = inner if inner != path and _is_plain(inner) else path.rstrip("/").rpartition("/")[2]
        if start is not None:
            wanted = f"{wanted}-{start}"
        if wanted in {"", ".", "..", METADATA} or wanted.startswith(OWN_PREFIX):
            wanted = f"file-{wanted.strip('.')}"
        name, number = wanted, 1
        while name in self._names:
            number += 1
            name = f"{wanted}-{number}"
        self._names.add(name)
        return name

    def _handle(self, name: str, size: int) -> bytes:
        if self.prefix:
            return struct.pack(">bq", 2, size) + _java_text(self.prefix + name)
        return struct.pack(">b", RELATIVE) + _java_text(name) + struct.pack(">q", size)

    def _end(self, stream: SegmentStream) -> int:
        """Where a segment's handle ends: behind its path there is the logical id."""
        at = stream.text.at + stream.path_length
        return at + 2 + int.from_bytes(self.data[at : at + 2], "big")


def _is_plain(path: str) -> bool:
    parts = path.split("/")
    return not path.startswith(OWN_PREFIX) and path != METADATA and not any(part in {"", ".", ".."} for part in parts)


def _one_spelling(path: str) -> str:
    """Return one spelling of those that Flink has for the same file: `file:/x` and `/x`, `s3a://` and `s3://`."""
    scheme, found, rest = path.partition("://")
    if found and scheme != "file":
        return f"s3://{rest}" if scheme in {"s3a", "s3n", "s3p"} else path
    bare = path.removeprefix("file:")
    if "//" not in bare and "/./" not in bare:
        return bare
    return str(local_path(path)) + ("/" if path.endswith("/") else "")


def _java_text(text: str) -> bytes:
    """Return a text as `DataOutput.writeUTF` writes it: modified UTF-8 behind its length in two bytes."""
    if text.isascii() and "\0" not in text:
        return struct.pack(">H", len(text)) + text.encode("ascii")
    units = text.encode("utf-16-be")
    found = bytearray()
    for high, low in zip(units[::2], units[1::2], strict=True):
        unit = high << 8 | low
        if 0 < unit < 0x80:
            found.append(unit)
        elif unit < 0x800:
            found += bytes((0xC0 | unit >> 6, 0x80 | unit & 0x3F))
        else:
            found += bytes((0xE0 | unit >> 12, 0x80 | unit >> 6 & 0x3F, 0x80 | unit & 0x3F))
    return struct.pack(">H", len(found)) + found


def _length(text: str) -> int:
    """Bytes of a text in modified UTF-8."""
    return len(_java_text(text)) - 2


def _check(before: Metadata, after: Metadata, rewritten: Rewritten, prefix: str) -> None:
    """Raise `SnapshotUnreadable` unless the new `_metadata` says the same of the files of the copy."""
    names = {prefix + part.name for part in rewritten.parts}
    same = (before.version, before.checkpoint_id, before.properties) == (
        after.version,
        after.checkpoint_id,
        after.properties,
    ) and [_summary(operator) for operator in before.operators] == [_summary(each) for each in after.operators]
    if not same or not {path for operator in after.operators for path in _paths(operator)} <= names:
        raise _unreadable("_metadata", 0, "state handles", "it cannot be rewritten so that it says the same")


def _summary(entry: OperatorEntry) -> tuple[object, ...]:
    what = (entry.id, entry.uid, entry.name, entry.parallelism, entry.max_parallelism, entry.finished)
    return (*what, entry.subtasks.numbers, entry.subtasks.sizes)


def _paths(operator: OperatorEntry) -> Iterator[str]:
    for subtask in operator.subtasks:
        for text in subtask.paths():
            yield text.path


def _unreadable(source: str, offset: int, field_: str, why: str) -> SnapshotUnreadable:
    return SnapshotUnreadable(
        f"{source!r} cannot be copied at its {field_} (offset {offset:,}): {why}",
        offset=offset,
        field=field_,
        hint="Take a new savepoint, and copy that",
    )
