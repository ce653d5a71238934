"""What state an application, or a place, holds: read from a snapshot's own files. Changes nothing.

Part of floor 3, above the workspace, which knows the snapshots of an application.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from scurry.inspection import plain
from scurry.model.errors import ScurryError, SnapshotNotFound
from scurry.model.snapshot import SnapshotKind
from scurry.savepoints.files import METADATA
from scurry.savepoints.snapshot import read_snapshot
from scurry.savepoints.storage import AnyStorage, kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scurry.model.snapshot import Snapshot
    from scurry.model.state import SnapshotState
    from scurry.workspace import Workspace

PAUSES_S = (0.1, 0.3, 0.6, 1.0, 2.0)
"""before the next checkpoint of a job is looked for, when one vanished. Flink tells of it up to 3 s after it deleted
the one before (`web.refresh-interval`)"""


def is_place(name: str) -> bool:
    """Whether a name is that of a place, and not of an application: those have no slash and no scheme."""
    return "/" in name or re.match(r"[a-z][a-z0-9+.-]*:", name) is not None or (Path(name) / METADATA).is_file()


def state_at(place: str, *, every_subtask: bool = False) -> SnapshotState:
    """Return what the snapshot at a place holds. Raises as `read_snapshot` does, `StorageError`, `MissingExtra`."""
    return read_snapshot(place, AnyStorage(), every_subtask=every_subtask)


def state_of(workspace: Workspace, application: str, *, every_subtask: bool = False) -> SnapshotState:
    """Return what the newest snapshot of an application holds: of a job that runs, that is its latest checkpoint.

    That is deleted as soon as the next one is complete. So when it is gone, the next one is looked for; only when there
    is none, an older snapshot is read. Of a target that keeps its snapshots to itself, it is the newest one of which
    there is a copy. Raises `SnapshotNotFound`, and what reading raises.
    """
    gone: set[str] = set()
    for pause in (*PAUSES_S, None):
        found = _untried(workspace, application, gone)
        if found.kind is SnapshotKind.MANAGED:
            return _copied_state(workspace, application, every_subtask=every_subtask)
        try:
            return _read(workspace, application, found, every_subtask=every_subtask)
        except SnapshotNotFound:
            if pause is None:
                break
            gone.add(found.location)
            workspace.clock.sleep(pause)
    raise SnapshotNotFound(
        f"each checkpoint of {application!r} was deleted while it was read: they follow each other too fast",
        hint=f"Take a savepoint, which stays, and look at that:\n  scurry snapshot create {application}",
    )


def _copied_state(workspace: Workspace, application: str, *, every_subtask: bool) -> SnapshotState:
    """Return what the newest snapshot holds of which there is a copy."""
    from scurry.engine.restore import all_known
    from scurry.model.ports import ExportsSnapshots
    from scurry.savepoints.storage_s3 import S3Store

    observed, history = workspace.observe(application)
    place = workspace.target(history.target or "")
    for snapshot in all_known(observed, history):
        copy = place.exported(snapshot) if isinstance(place, ExportsSnapshots) else None
        if copy is not None:
            return read_snapshot(copy.location, S3Store(copy.s3), every_subtask=every_subtask)
    raise SnapshotNotFound(
        f"there is no copy of a snapshot of {application!r} that could be read: its target keeps them to itself",
        hint=f"Where `snapshots` of the target has them copied, take one:\n  scurry snapshot create {application}",
    )


def _untried(workspace: Workspace, application: str, gone: set[str]) -> Snapshot:
    known = workspace.snapshots(application)
    found = next((snapshot for snapshot in known if snapshot.location not in gone), None)
    if found is not None:
        return found
    if known:
        raise SnapshotNotFound(
            f"the files of no snapshot of {application!r} are to be seen from this machine: {known[0].location}",
            hint=f"To see what there is, run:\n  scurry snapshot list {application}",
        )
    raise SnapshotNotFound(
        f"no snapshot of {application!r} is known, and no job of it has completed a checkpoint",
        hint=f"To take one, run:\n  scurry snapshot create {application}",
    )


def _read(workspace: Workspace, application: str, snapshot: Snapshot, *, every_subtask: bool) -> SnapshotState:
    storage = storage_of(workspace, application, snapshot.location)
    return read_snapshot(snapshot.location, storage, every_subtask=every_subtask)


def storage_of(workspace: Workspace, application: str, location: str) -> AnyStorage:
    """Return what reads where an application's snapshots are. Its target is asked only for what is not a file."""
    return AnyStorage(flink_options(workspace, application) if kind_of(location) != "file" else None)


def flink_options(workspace: Workspace, application: str) -> Mapping[str, str]:
    """Return what the options of an application and its target say of the S3 that its job writes to."""
    try:
        _, history = workspace.observe(application)
    except ScurryError:
        return {}
    if history.target is None or history.current is None:
        return {}
    wish = history.current.desired
    options = options_of(workspace, history.target, wish.flink_version)
    return plain({**options, **wish.config}, workspace.assembly.secrets)


def options_of(workspace: Workspace, target: str, flink_version: str) -> Mapping[str, str]:
    """Return the Flink options of a target; none where it tells none, or does not answer."""
    from scurry.model.ports import RunsFlink

    try:
        place = workspace.target(target)
        return place.defaults(flink_version) if isinstance(place, RunsFlink) else {}
    except ScurryError:
        return {}
