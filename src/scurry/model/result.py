"""What became of an application when its plan was applied."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from scurry.model.desired import ApplicationId
from scurry.model.snapshot import Snapshot


class ApplyOutcome(StrEnum):
    """How an apply ended. The words are part of the command line's JSON."""

    CONVERGED = "converged"
    UNCHANGED = "unchanged"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    SUSPENDED = "suspended"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, for people and for programs."""

    code: str
    message: str
    hint: str | None = None


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """The result for one application."""

    application: ApplicationId
    outcome: ApplyOutcome
    revision: int | None = None
    gap_s: float | None = None
    """seconds during which no job of the application processed records; None when nothing was stopped"""
    job_id: str | None = None
    snapshot: Snapshot | None = None
    """the snapshot that the operation took or started from"""
    error: Failure | None = None
