"""Restorable state, and where a job's state comes from. The choice is always explicit, never `None`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec


class SnapshotKind(StrEnum):
    """What made the snapshot and who owns its files."""

    SAVEPOINT = "savepoint"
    CHECKPOINT = "checkpoint"
    MANAGED = "managed"


class SnapshotFormat(StrEnum):
    """Flink's savepoint formats: canonical can change the state backend, native is faster to take and to restore."""

    CANONICAL = "canonical"
    NATIVE = "native"


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Any restorable state of an application."""

    kind: SnapshotKind
    location: str
    """what Flink restores from: a directory or a `_metadata` file, as a path or URI"""
    taken_at: datetime
    job_id: str | None = None
    revision: int | None = None
    """the revision whose job wrote it"""
    flink_version: str | None = None
    format: SnapshotFormat | None = None
    size_bytes: int | None = None
    drained: bool = False
    """taken with MAX_WATERMARK emitted: windows have fired, so going on from it would fire them again"""
    foreign: bool = False
    """scurry did not take it, and leaves it to people to delete it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A copy of a snapshot, of a target that keeps its snapshots to itself. Never written down."""

    location: str
    """in S3"""
    s3: Any
    """boto3's client for it, with the target's own credentials, region and endpoint"""


class FromSnapshot(msgspec.Struct, frozen=True, kw_only=True, tag="snapshot"):
    """Start from this very snapshot."""

    snapshot: Snapshot


class FromLatest(msgspec.Struct, frozen=True, kw_only=True, tag="latest"):
    """Start from the newest state there is when the job is started: for an upgrade, the savepoint its own stop takes.

    Without any it is an error, never a start without state.
    """


class Stateless(msgspec.Struct, frozen=True, kw_only=True, tag="stateless"):
    """Start with no state. Only the spec or a person's flag may say so, or that there never was any."""

    why: str


Restore: TypeAlias = FromSnapshot | FromLatest | Stateless
