"""Files that scurry made and that nothing can need any more, beside snapshots."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class LeftoverKind(StrEnum):
    """Where it is."""

    ARTIFACT = "artifact"
    """in the workspace's store"""
    DELIVERED = "delivered"
    """properties and Python code that were put where jobs read them"""
    UPLOAD = "upload"
    """a jar that a JobManager keeps; a job that runs does not need it"""
    CLASS_DATA = "class-data"
    """recorded for a Java or Flink that is gone"""


class Leftover(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder of ours that no revision needs which can run again."""

    kind: LeftoverKind
    name: str
    """for people"""
    ref: str
    """what its owner knows it by: a digest, a path, a jar's id"""
    target: str | None = None
    """whose JobManager keeps it"""
    size_bytes: int | None = None
