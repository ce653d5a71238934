"""What the journal remembers, and the summary of it that decisions are made from."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from scurry.model.desired import ApplicationId, Desired
from scurry.model.operation import Action, Operation, Outcome, Step
from scurry.model.snapshot import Snapshot


class RevisionOutcome(StrEnum):
    """What became of a revision."""

    PENDING = "pending"
    """being applied, or interrupted"""
    HEALTHY = "healthy"
    BAD = "bad"
    """it ran and was not healthy, or it could not start"""
    REFUSED = "refused"
    """it was found out before anything was stopped"""


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable, numbered Desired that was applied."""

    number: int
    desired: Desired
    applied_at: datetime
    applied_by: str
    outcome: RevisionOutcome = RevisionOutcome.PENDING
    error: str | None = None
    snapshot: Snapshot | None = None
    """the newest snapshot that this revision's jobs left"""


class OperationOutcome(StrEnum):
    """How an operation ended."""

    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """the process died or was stopped in the middle; a later one took over"""


class StepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A step in the journal. Neither `outcome` nor `error`: started, and not known to have ended."""

    step: Step
    started_at: datetime
    finished_at: datetime | None = None
    outcome: Outcome | None = None
    error: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it was started and is not known to have ended."""
        return self.finished_at is None


class OperationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An operation in the journal."""

    id: int
    application: ApplicationId
    operation: Operation
    reason: str
    revision: int | None
    started_at: datetime
    started_by: str
    finished_at: datetime | None = None
    outcome: OperationOutcome | None = None
    error: str | None = None
    gap_s: float | None = None
    """seconds without a job processing records"""
    steps: tuple[StepRecord, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it was started and is not known to have ended."""
        return self.finished_at is None

    def landed(self, action: Action) -> Outcome | None:
        """Return the outcome of the operation's last step of that kind, if it is known to have happened."""
        for record in reversed(self.steps):
            if record.step.action is action and record.outcome is not None:
                return record.outcome
        return None


class Intent(StrEnum):
    """What a person last asked for."""

    RUN = "run"
    SUSPEND = "suspend"
    ABSENT = "absent"


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal says of one application: a summary of bounded size, however long the journal is."""

    application: ApplicationId
    lineage: str = ""
    """which journal this is: marks are derived from it, so that two journals never choose the same ones"""
    position: int = 0
    """grows with every write about this application"""
    intent: Intent = Intent.ABSENT
    current: Revision | None = None
    """the revision of the job that was submitted last"""
    healthy: Revision | None = None
    """the newest healthy revision"""
    previous_healthy: Revision | None = None
    """the newest healthy revision that differs from the current one: where a rollback goes by itself"""
    last: OperationRecord | None = None
    """the operation that was started last; open when a crash interrupted it"""
    job_id: str | None = None
    """the job that was submitted last"""
    stopped: bool = False
    """that job was stopped by us: a STOP or CANCEL landed after its submit"""
    marks: tuple[str, ...] = ()
    """job ids that were chosen for submits, newest first, those whose fate is not known included"""
    snapshots: tuple[Snapshot, ...] = ()
    """not dropped, newest first, bounded"""
    restored: Snapshot | None = None
    """what the job that was submitted last was restored from"""
    typical_gap_s: float | None = None
    """median of the gaps of the last upgrades"""
    next_revision: int = 1
    resolved_submits: int = 0
    """submits whose fate is known: what the next job id is derived from, so that an unresolved one is used again"""
    resolved_triggers: int = 0
    """the same for the trigger ids of stops and snapshots"""

    @property
    def interrupted(self) -> OperationRecord | None:
        """The operation that a crash interrupted, if one is."""
        return self.last if self.last and self.last.is_open else None

    @property
    def target(self) -> str | None:
        """Where it runs; of what was interrupted, or never came to run, where that was to be."""
        last: Desired | None = getattr(self.last.operation, "desired", None) if self.last else None
        current = self.current.desired if self.current else None
        wish = (last or current) if self.interrupted else (current or last)
        return wish.target if wish else None

    @property
    def latest_snapshot(self) -> Snapshot | None:
        """The newest snapshot that is still there as far as we know."""
        return next(iter(self.snapshots), None)


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to write about one application. `fencing` grows with every lease; older ones are refused."""

    application: ApplicationId
    owner: str
    """`user@host pid 123`"""
    fencing: int
    acquired_at: datetime
    expires_at: datetime


EVERYTHING = "*"
"""the scope of a freeze of all applications"""


def target_scope(target: str) -> str:
    """Return the scope of a freeze of all that runs on one target."""
    return f"target:{target}"


def application_scope(application: ApplicationId) -> str:
    """Return the scope of a freeze of one application."""
    return f"application:{application}"


class Freeze(msgspec.Struct, frozen=True, kw_only=True):
    """A person's word that nothing in a scope is to be changed until it is taken back."""

    scope: str
    """`*`, `target:NAME` or `application:ID`"""
    reason: str
    by: str
    at: datetime

    def __post_init__(self) -> None:
        """Raises `ValueError` for what is no scope: it would freeze nothing, silently."""
        kind, _, name = self.scope.partition(":")
        if self.scope != EVERYTHING and not (kind in {"target", "application"} and name.strip()):
            raise ValueError(f"'{self.scope}' is no scope; write *, target:NAME or application:ID")

    def covers(self, application: ApplicationId, target: str | None) -> bool:
        """Whether it freezes an application that runs on a target (None: nobody knows on which)."""
        scopes = {EVERYTHING, application_scope(application)} | ({target_scope(target)} if target else set())
        return self.scope in scopes


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What people were told of an application, and has not been seen to be over: it is not told again."""

    application: ApplicationId
    cause: str
    what: str
    at: datetime
