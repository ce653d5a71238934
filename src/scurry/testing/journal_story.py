"""Writes about one application as the engine does, so that a test of a journal reads like what happened.

Shipped for whoever writes a journal; it is no fake: it only calls the port.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from scurry.model.desired import Artifact, ArtifactKind, Desired, UpgradeMode
from scurry.model.journal import Intent, OperationOutcome, RevisionOutcome
from scurry.model.operation import (
    Action,
    Adjust,
    Adopt,
    Delete,
    Deploy,
    DropSnapshot,
    Operation,
    Outcome,
    Rescale,
    Resume,
    Step,
    Suspend,
    TakeSnapshot,
    Upgrade,
)
from scurry.model.snapshot import FromLatest, Snapshot, SnapshotKind, Stateless

if TYPE_CHECKING:
    from scurry.model.journal import Lease
    from scurry.model.ports import Journal

APPLICATION = "orders"
MINUTE = timedelta(minutes=1)
START = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


@dataclass(slots=True)
class SetClock:
    """A clock that stands still until it is set forward."""

    at: datetime = START

    def now(self) -> datetime:
        """Return the time that it is set to."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """Set it forward."""
        self.at += timedelta(seconds=seconds)


def wish(parallelism: int = 1, application: str = APPLICATION) -> Desired:
    """Return a wish; those of equal parallelism are equal."""
    artifact = Artifact(kind=ArtifactKind.JAR, digest="sha256:" + "0" * 64, file_name="orders.jar", size_bytes=7)
    return Desired(
        application=application, target="local", flink_version="2.3.0", artifact=artifact, parallelism=parallelism
    )


def savepoint(name: str, *, minutes: int = 0, job_id: str | None = None, revision: int | None = None) -> Snapshot:
    """Return a savepoint that was taken some minutes after the start."""
    return Snapshot(
        kind=SnapshotKind.SAVEPOINT,
        location=f"file:/savepoints/{name}",
        taken_at=START + minutes * MINUTE,
        job_id=job_id,
        revision=revision,
    )


@dataclass(slots=True)
class Story:
    """What happens to one application. Each method writes what the engine would write then."""

    journal: Journal
    application: str = APPLICATION
    lease: Lease = field(init=False)
    operation: int = field(init=False, default=0)
    ordinal: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Become the writer."""
        self.lease = self.journal.acquire(self.application, duration=MINUTE)

    def revise(self, parallelism: int) -> int:
        """Number a wish."""
        return self.journal.add_revision(self.lease, wish(parallelism, self.application)).number

    def judge(self, number: int, outcome: RevisionOutcome) -> None:
        """Say what became of a revision."""
        self.journal.judge_revision(self.lease, number, outcome)

    def begin(self, operation: Operation, revision: int | None = None) -> int:
        """Begin an operation."""
        record = self.journal.start_operation(self.lease, operation, reason="told so", revision=revision)
        self.operation = record.id
        return record.id

    def start(self, action: Action, mark: str = "mark") -> int:
        """Start a step, and leave it open."""
        step = Step(action=action, mark=mark, title=f"{action.value} {mark}")
        self.ordinal = self.journal.start_step(self.lease, self.operation, step)
        return self.ordinal

    def land(self, action: Action, mark: str = "mark", *, snapshot: Snapshot | None = None) -> None:
        """Start a step, and see it happen."""
        self.start(action, mark)
        job_id = mark if action is Action.SUBMIT else None
        self.journal.finish_step(
            self.lease, self.operation, self.ordinal, outcome=Outcome(job_id=job_id, snapshot=snapshot)
        )

    def refuse(self, action: Action, mark: str = "mark") -> None:
        """Start a step, and see it refused."""
        self.start(action, mark)
        self.journal.finish_step(self.lease, self.operation, self.ordinal, error="refused")

    def end(self, outcome: OperationOutcome = OperationOutcome.DONE, *, gap_s: float | None = None) -> None:
        """End the operation."""
        self.journal.finish_operation(self.lease, self.operation, outcome, gap_s=gap_s)

    def begin_deploy(self, parallelism: int) -> int:
        """Number a wish and begin to deploy it."""
        number = self.revise(parallelism)
        restore = Stateless(why="there never was any state")
        self.begin(Deploy(desired=wish(parallelism, self.application), restore=restore), number)
        return number

    def deploy(self, parallelism: int, job: str) -> int:
        """Deploy a wish; it is healthy."""
        number = self.begin_deploy(parallelism)
        self.land(Action.SUBMIT, job)
        self.judge(number, RevisionOutcome.HEALTHY)
        self.end()
        return number

    def begin_upgrade(self, parallelism: int) -> int:
        """Number a wish and begin to upgrade to it."""
        number = self.revise(parallelism)
        desired = wish(parallelism, self.application)
        self.begin(Upgrade(desired=desired, restore=FromLatest(), mode=UpgradeMode.SAVEPOINT, job_id="old"), number)
        return number

    def upgrade(self, parallelism: int, job: str, *, snapshot: Snapshot, gap_s: float | None = None) -> int:
        """Upgrade to a wish; it is healthy."""
        number = self.begin_upgrade(parallelism)
        self.land(Action.STOP, f"stop-{job}", snapshot=snapshot)
        self.land(Action.SUBMIT, job)
        self.judge(number, RevisionOutcome.HEALTHY)
        self.end(gap_s=gap_s)
        return number

    def begin_adjust(self, parallelism: int) -> int:
        """Number a wish and begin to record it."""
        number = self.revise(parallelism)
        self.begin(Adjust(desired=wish(parallelism, self.application)), number)
        return number

    def begin_adopt(self, parallelism: int, job: str | None, *snapshots: Snapshot) -> int:
        """Number a wish and begin to take over a job, or only what it left."""
        number = self.revise(parallelism)
        desired = wish(parallelism, self.application)
        self.begin(Adopt(desired=desired, job_id=job, sound=True, snapshots=snapshots), number)
        return number

    def begin_rescale(self, parallelism: int) -> int:
        """Number a wish and begin to rescale to it in place."""
        number = self.revise(parallelism)
        self.begin(Rescale(desired=wish(parallelism, self.application), job_id="job-1"), number)
        return number

    def begin_suspend(self) -> None:
        """Begin to suspend."""
        self.begin(Suspend(job_id="job-1"))

    def begin_resume(self, parallelism: int, revision: int | None) -> None:
        """Begin to start again what does not run."""
        self.begin(Resume(desired=wish(parallelism, self.application), restore=FromLatest()), revision)

    def begin_snapshot(self) -> None:
        """Begin to take a savepoint."""
        self.begin(TakeSnapshot(job_id="job-1"))

    def begin_drop(self, snapshot: Snapshot) -> None:
        """Begin to drop a snapshot."""
        self.begin(DropSnapshot(snapshot=snapshot))

    def begin_delete(self) -> None:
        """Begin to delete the application."""
        self.begin(Delete(job_id="job-1"))

    def want_absent(self) -> None:
        """Say that the application should not be."""
        self.journal.set_intent(self.lease, Intent.ABSENT)
