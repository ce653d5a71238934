"""State handles: where the bytes of one subtask's state are. Values only; `handle_reading` reads them.

`type` is the number that Flink wrote in front of a handle, so that a copy can be written the same. They are named
tuples since a file holds hundreds of thousands: a frozen dataclass takes four times as long to make.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias, assert_never

if TYPE_CHECKING:
    from collections.abc import Iterator

INLINE = 1
ABSOLUTE = 2
RELATIVE = 6
SAVEPOINT_KEY_GROUPS = 7

OPERATOR, KEYED, RAW, CHANNELS = 1, 2, 4, 8
"""kinds of state that a subtask can hold, as bits"""


class PathText(NamedTuple):
    """A path and where its text is in `_metadata`: its length (u16) is in the two bytes before `at`."""

    path: str
    at: int
    length: int
    """in bytes"""


class InlineStream(NamedTuple):
    """Bytes that are in `_metadata` itself, being few (type 1)."""

    name: str
    content: memoryview

    @property
    def size(self) -> int:
        """Bytes of state."""
        return len(self.content)


class FileStream(NamedTuple):
    """A file by its absolute path (type 2) or by its path relative to the snapshot's directory (type 6)."""

    type: int
    path: str
    size: int
    at: int
    """of the type byte in `_metadata`"""
    path_length: int
    """of the path, in bytes"""

    @property
    def relative(self) -> bool:
        """Whether the path is relative to the directory of `_metadata`."""
        return self.type == RELATIVE

    @property
    def text(self) -> PathText:
        """The path and its place."""
        return PathText(self.path, self.at + (3 if self.type == RELATIVE else 11), self.path_length)

    @property
    def end(self) -> int:
        """Where the next handle begins in `_metadata`."""
        return self.at + 11 + self.path_length


class SegmentStream(NamedTuple):
    """A part of a file that several handles share (type 15): file merging, from 1.20 on."""

    path: str
    start: int
    """of the part in the file"""
    size: int
    """of the part"""
    shared: bool
    """of scope SHARED, else EXCLUSIVE"""
    logical_id: str
    at: int
    """of the type byte in `_metadata`"""
    path_length: int

    @property
    def text(self) -> PathText:
        """The path and its place."""
        return PathText(self.path, self.at + 23, self.path_length)


class EmptySegment(NamedTuple):
    """No bytes, in a checkpoint with file merging (type 16)."""

    size: int = 0


class KeyGroupsStream(NamedTuple):
    """Key groups where a stream is expected (type 3 there); read by Flink, written by none that is known."""

    first_key_group: int
    key_groups: int
    stream: PlainStream | None

    @property
    def size(self) -> int:
        """Bytes of state."""
        return self.stream.size if self.stream else 0


PlainStream: TypeAlias = InlineStream | FileStream | SegmentStream | EmptySegment
Stream: TypeAlias = PlainStream | KeyGroupsStream


class OperatorStateEntry(NamedTuple):
    """One state of a partitionable operator state."""

    name: str
    mode: int
    """0 SPLIT_DISTRIBUTE, 1 UNION, 2 BROADCAST"""
    partitions: int
    start: int | None
    """where its first partition begins in the stream"""


class OperatorHandle(NamedTuple):
    """Operator state and broadcast state of a subtask (type 4; 17 with file merging)."""

    type: int
    states: tuple[OperatorStateEntry, ...]
    stream: Stream | None
    directories: tuple[PathText, ...] = ()
    """of file merging: that of the task, that of what is shared"""
    empty: bool = False
    """said by type 17"""

    @property
    def size(self) -> int:
        """Bytes of state."""
        return self.stream.size if self.stream else 0


class KeyGroupsHandle(NamedTuple):
    """Keyed state in one stream (types 3, 7, 12)."""

    type: int
    first_key_group: int
    key_groups: int
    stream: Stream | None
    handle_id: str = ""

    @property
    def canonical(self) -> bool:
        """Of a canonical savepoint, which any state backend restores."""
        return self.type == SAVEPOINT_KEY_GROUPS

    @property
    def size(self) -> int:
        """Bytes of state."""
        return self.stream.size if self.stream else 0


class SharedFile(NamedTuple):
    """A file of RocksDB or ForSt, by its name in the database's directory."""

    local_name: str
    stream: Stream | None


class IncrementalHandle(NamedTuple):
    """The files of a RocksDB or ForSt database (types 5, 11): checkpoints, incremental or not; native savepoints."""

    type: int
    checkpoint_id: int
    backend: str
    """a UUID"""
    first_key_group: int
    key_groups: int
    meta: Stream | None
    """holds the states' names and types"""
    shared: tuple[SharedFile, ...]
    private: tuple[SharedFile, ...]
    checkpointed_size: int | None = None
    handle_id: str = ""

    @property
    def size(self) -> int:
        """Bytes of state, those that are shared with other checkpoints included."""
        return sum(stream.size for stream in streams_of(self))


class ChangelogBytes(NamedTuple):
    """Changes that are in `_metadata` itself (type 9)."""

    type: int
    first_key_group: int
    key_groups: int
    changes: int
    """how many"""
    size: int
    """bytes of all changes"""
    about_states: tuple[memoryview, ...]
    """the changes of no key group, which tell of states"""
    handle_id: str = ""


class ChangelogFiles(NamedTuple):
    """Changes in files (types 10, 13)."""

    type: int
    first_key_group: int
    key_groups: int
    streams: tuple[tuple[int, Stream | None], ...]
    """each with the offset at which its changes begin"""
    size: int
    handle_id: str = ""
    storage: str = ""


class ChangelogHandle(NamedTuple):
    """Keyed state with a changelog (types 8, 14): what was materialized last, and the changes since."""

    type: int
    first_key_group: int
    key_groups: int
    materialized: tuple[KeyedHandle | None, ...]
    changes: tuple[KeyedHandle | None, ...]
    materialization_id: int
    checkpoint_id: int | None = None
    handle_id: str = ""

    @property
    def size(self) -> int:
        """Bytes of state and changes."""
        return sum(handle.size for handle in (*self.materialized, *self.changes) if handle)


KeyedHandle: TypeAlias = KeyGroupsHandle | IncrementalHandle | ChangelogHandle | ChangelogBytes | ChangelogFiles


class ChannelHandle(NamedTuple):
    """Records in flight, of an unaligned checkpoint (types 1 to 4; 0 in files older than version 6)."""

    type: int
    size: int
    stream: Stream | None


class Subtask(NamedTuple):
    """What one subtask of an operator left."""

    number: int
    """from 0"""
    operator: OperatorHandle | None
    raw_operator: OperatorHandle | None
    keyed: KeyedHandle | None
    raw_keyed: KeyedHandle | None
    inputs: tuple[ChannelHandle, ...] = ()
    results: tuple[ChannelHandle, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of state, as Flink's `getStateSize` counts them."""
        found = 0
        for part in self[1:5]:
            if part is not None:
                found += part.size
        for channel in (*self.inputs, *self.results):
            found += channel.size
        return found

    @property
    def holds(self) -> int:
        """Kinds of state, 0 if there is none: Flink's `hasState` counts any handle, an empty one, too."""
        found = 0
        if self.operator is not None:
            found = OPERATOR
        if self.keyed is not None:
            found |= KEYED
        if self.raw_operator is not None or self.raw_keyed is not None:
            found |= RAW
        if self.inputs or self.results:
            found |= CHANNELS
        return found

    def streams(self) -> Iterator[PlainStream]:
        """Every stream, those within incremental and changelog handles, too."""
        for handle in (self.operator, self.raw_operator, *self.inputs, *self.results):
            stream = plain(handle.stream) if handle else None
            if stream is not None:
                yield stream
        for keyed in (self.keyed, self.raw_keyed):
            if keyed is not None:
                yield from streams_of(keyed)

    def paths(self) -> Iterator[PathText]:
        """Every path that the handles hold, in no certain order: of files, and the directories of file merging."""
        for handle in (self.operator, self.raw_operator):
            if handle:
                yield from handle.directories
        for stream in self.streams():
            if isinstance(stream, FileStream | SegmentStream):
                yield stream.text


def streams_of(handle: KeyedHandle) -> Iterator[PlainStream]:
    """Every stream of keyed state, those of nested handles included."""
    found: tuple[Stream | None, ...]
    match handle:
        case KeyGroupsHandle():
            found = (handle.stream,)
        case IncrementalHandle():
            found = (handle.meta, *(file.stream for file in (*handle.shared, *handle.private)))
        case ChangelogFiles():
            found = tuple(stream for _, stream in handle.streams)
        case ChangelogBytes():
            found = ()
        case ChangelogHandle():
            for nested in (*handle.materialized, *handle.changes):
                if nested is not None:
                    yield from streams_of(nested)
            return
        case _:
            assert_never(handle)
    yield from (stream for stream in map(plain, found) if stream is not None)


def plain(stream: Stream | None) -> PlainStream | None:
    """Return where the bytes of a stream are, without the key groups that it may be wrapped in."""
    return stream.stream if isinstance(stream, KeyGroupsStream) else stream
