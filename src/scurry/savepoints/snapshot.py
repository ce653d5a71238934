"""What state a snapshot holds: `_metadata`, and of each operator the heads of its state.

One head is read of each operator, that of the subtask with the most state; more where `_metadata` shows that states are
missing in it, where heads are in `_metadata` itself and differ, and where every subtask is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.model.errors import SnapshotNotFound
from scurry.model.snapshot import SnapshotFormat
from scurry.model.state import OperatorState, SnapshotState
from scurry.savepoints.files import metadata_path
from scurry.savepoints.metadata import read_metadata
from scurry.savepoints.operator_states import read_states
from scurry.savepoints.streams import StreamReader, gone

if TYPE_CHECKING:
    from scurry.savepoints.files import Storage
    from scurry.savepoints.metadata import Metadata, OperatorEntry


def read_snapshot(location: str, storage: Storage, *, every_subtask: bool = False) -> SnapshotState:
    """Read what a snapshot holds; `location` is its directory or its `_metadata`, as a path or URI.

    `every_subtask` reads the heads of all subtasks: states that a subtask registers only when it needs them are in its
    own head alone.

    Raises `SnapshotNotFound`; `SnapshotGone` when it vanishes meanwhile, as a running job's checkpoint may: read the
    next one; `SnapshotUnreadable` when its `_metadata` is damaged; `StorageError`. What cannot be read of one operator
    is told in its `unread`.
    """
    return describe(location, load_metadata(location, storage), storage, every_subtask=every_subtask)


def describe(location: str, metadata: Metadata, storage: Storage, *, every_subtask: bool = False) -> SnapshotState:
    """Return what a snapshot holds whose `_metadata` is read. Raises and takes arguments as `read_snapshot` does."""
    reader = StreamReader(location, storage)
    properties = metadata.properties
    return SnapshotState(
        location=location,
        metadata_version=metadata.version,
        checkpoint_id=metadata.checkpoint_id,
        is_savepoint=properties.is_savepoint if properties else None,
        format=_format(metadata),
        operators=tuple([_operator(entry, reader, every_subtask=every_subtask) for entry in metadata.operators]),
    )


def load_metadata(location: str, storage: Storage) -> Metadata:
    """Read the `_metadata` of a snapshot alone. Raises as `read_snapshot` does."""
    path = metadata_path(location)
    size = storage.size(path)
    try:
        data = storage.read(path, 0, size)
    except SnapshotNotFound as error:
        raise gone(location) from error
    return read_metadata(data, source=path)


def _format(metadata: Metadata) -> SnapshotFormat | None:
    if not metadata.properties or metadata.properties.canonical is None:
        return None
    return SnapshotFormat.CANONICAL if metadata.properties.canonical else SnapshotFormat.NATIVE


def _operator(entry: OperatorEntry, reader: StreamReader, *, every_subtask: bool) -> OperatorState:
    found = read_states(entry.subtasks, reader, every_subtask=every_subtask)
    return OperatorState(
        id=entry.id,
        uid=entry.uid,
        name=entry.name,
        parallelism=entry.parallelism,
        max_parallelism=entry.max_parallelism,
        finished=entry.finished,
        key=found.key,
        states=found.states,
        bytes=sum(entry.subtasks.sizes) + entry.coordinator_bytes,
        subtask_bytes=_by_subtask(entry),
        coordinator_bytes=entry.coordinator_bytes,
        has_state=entry.has_state,
        unread=found.unread,
    )


def _by_subtask(entry: OperatorEntry) -> tuple[int, ...]:
    if not entry.subtasks:
        return ()
    found = [0] * entry.parallelism
    for number, size in zip(entry.subtasks.numbers, entry.subtasks.sizes, strict=True):
        found[number] = size
    return tuple(found)
