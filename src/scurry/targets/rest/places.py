"""Directories that a cluster writes to, and which of them this machine sees: restorable state on the file system."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from scurry.model.snapshot import Snapshot, SnapshotKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scurry.model.observed import Job

_METADATA = "_metadata"
_ID_IN_NAME = 6
"""Flink names a savepoint `savepoint-<first 6 digits of the job's id>-<random>` (AbstractFsCheckpointStorageAccess)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Directories of a cluster, as the project file names them."""

    savepoints: str | None = None
    """where savepoints go; None: where the cluster puts them"""
    checkpoints: str | None = None
    """where the cluster puts checkpoints, to find those of jobs that it has forgotten"""
    shared: Path | None = None
    """a directory that this machine and all of the cluster's see under the same path"""

    def retained(self, job_ids: Sequence[str]) -> tuple[Snapshot, ...]:
        """Return the checkpoints and savepoints of these jobs that this machine can see, newest first."""
        found = [*_checkpoints(local_path(self.checkpoints), job_ids), *_savepoints(self.savepoints, job_ids)]
        return tuple(sorted(found, key=lambda snapshot: snapshot.taken_at, reverse=True))

    def left_by(self, job: Job) -> tuple[Snapshot, ...]:
        """Return the savepoints of a job, and all that the job before it has left that this machine can see.

        Which one was before it is known by the snapshot that it was started from: the path of a checkpoint holds the
        job's id, the name of a savepoint its first digits.
        """
        before = [id for id in self._jobs_with_checkpoints() if _is_named_in(id, job.restored_from)]
        own = _savepoints(self.savepoints, [job.id])
        found = {snapshot.location: snapshot for snapshot in (*own, *self.retained(before))}
        started_from = local_path(job.restored_from)
        if started_from and (started_from / _METADATA).is_file():
            kind = SnapshotKind.CHECKPOINT if started_from.name.startswith("chk-") else SnapshotKind.SAVEPOINT
            snapshot = _snapshot(kind, started_from / _METADATA, None)
            found.setdefault(snapshot.location, snapshot)
        return tuple(sorted(found.values(), key=lambda snapshot: snapshot.taken_at, reverse=True))

    def _jobs_with_checkpoints(self) -> Iterator[str]:
        directory = local_path(self.checkpoints)
        yield from (folder.name for folder in directory.glob("[0-9a-f]" * 32)) if directory else ()

    def has_checkpoint(self, job_id: str) -> bool:
        """Whether this machine can see a checkpoint of that very job (a savepoint's name holds six digits only)."""
        return any(_checkpoints(local_path(self.checkpoints), [job_id]))


def local_path(location: str | None) -> Path | None:
    """Return the path that a location of Flink's names on a machine's own file system, or None for any other."""
    if location is None:
        return None
    parts = urlsplit(location)
    if parts.scheme not in {"", "file"} or parts.netloc or not parts.path.startswith("/"):
        return None
    return Path(unquote(parts.path) if parts.scheme else location)


def _checkpoints(directory: Path | None, job_ids: Sequence[str]) -> Iterator[Snapshot]:
    for job_id in job_ids if directory else ():
        for metadata in (directory / job_id).glob(f"chk-*/{_METADATA}") if directory else ():
            yield _snapshot(SnapshotKind.CHECKPOINT, metadata, job_id)


def _savepoints(location: str | None, job_ids: Sequence[str]) -> Iterator[Snapshot]:
    directory = local_path(location)
    by_name = {job_id[:_ID_IN_NAME]: job_id for job_id in reversed(job_ids)}
    for metadata in directory.glob(f"savepoint-*/{_METADATA}") if directory else ():
        job_id = by_name.get(metadata.parent.name.split("-")[1])
        if job_id:
            yield _snapshot(SnapshotKind.SAVEPOINT, metadata, job_id)


def _is_named_in(job_id: str, location: str | None) -> bool:
    parts = (location or "").split("/")
    return job_id in parts or any(part.startswith(f"savepoint-{job_id[:_ID_IN_NAME]}-") for part in parts)


def _snapshot(kind: SnapshotKind, metadata: Path, job_id: str | None) -> Snapshot:
    taken_at = datetime.fromtimestamp(metadata.stat().st_mtime, UTC)
    return Snapshot(kind=kind, location=f"file:{metadata.parent}", taken_at=taken_at, job_id=job_id)
