"""One run of an operation: its steps in order, each journalled before and after, and what they brought about so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from scurry.engine import health, settling
from scurry.model.errors import AlreadySubmitted, Refused, ScurryError, TargetUnavailable
from scurry.model.journal import OperationRecord
from scurry.model.operation import Action, Adopt, Deploy, Operation, Outcome, Rescale, Resume, Step, Upgrade
from scurry.model.reporting import SilentActivity
from scurry.model.snapshot import FromLatest, FromSnapshot, Restore, Snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scurry.model.desired import Desired, HealthPolicy
    from scurry.model.journal import Lease
    from scurry.model.observed import Job, Observed
    from scurry.model.ports import Activity, ArtifactStore, Clock, Journal, Marks, Reporter, Secrets, Target

_FIRST_POLL_S, _SLOWEST_POLL_S = 0.05, 0.5
_DOUBTS_S = 20.0
"""how long the fate of a step whose answer was lost is asked for before the operation is left to the next apply"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the executor works with."""

    target: Target
    journal: Journal
    clock: Clock
    reporter: Reporter
    secrets: Secrets
    artifacts: ArtifactStore


class _NotHealthy(Exception):
    """Ends the wait, so that it is shown as failed. Never leaves this module."""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """What an operation has brought about so far. It is also the context that its steps run in."""

    services: Services
    lease: Lease | None
    record: OperationRecord
    replaces: int | None = None
    """the revision whose job is stopped, or whose state is taken"""
    job_id: str | None = None
    snapshot: Snapshot | None = None
    artifact_ref: str | None = None
    has_stopped_the_job: bool = False
    was_refused_a_start: bool = False
    """what did not run was to be started again, and the target refused"""
    stopped_at: datetime | None = None
    started_at: datetime | None = None
    running_at: datetime | None = None
    silence: timedelta = timedelta()
    """for how long the target did not answer while it was watched"""
    restore: Restore = field(default=FromLatest())
    activity: Activity = field(init=False)

    def __post_init__(self) -> None:
        """Take the restore from the operation."""
        operation = self.record.operation
        if isinstance(operation, Deploy | Resume | Upgrade):
            self.restore = operation.restore
        if isinstance(operation, Adopt):
            self.job_id = operation.job_id

    @property
    def operation(self) -> Operation:
        """What is being done."""
        return self.record.operation

    @property
    def desired(self) -> Desired | None:
        """The wish that the operation carries, if it carries one."""
        return getattr(self.record.operation, "desired", None)

    @property
    def secrets(self) -> Secrets:
        """Resolves references to secrets."""
        return self.services.secrets

    @property
    def artifacts(self) -> ArtifactStore:
        """The artifact store."""
        return self.services.artifacts

    @property
    def starts_a_job(self) -> bool:
        """Whether there is a job to become healthy at the end."""
        return isinstance(self.operation, Deploy | Resume | Upgrade | Rescale)

    @property
    def gap_s(self) -> float | None:
        """Seconds between the old job's end and the moment when the new one was seen running on all vertices."""
        if self.stopped_at is None or self.running_at is None:
            return None
        return (self.running_at - self.stopped_at).total_seconds()

    def run_steps(self, marks: Marks) -> None:
        """Run the operation's steps. Raises what a step raises; the journal then holds the step with its error.

        A step whose answer was lost is asked after for a while; if its fate stays unknown, it stays open in the journal
        and `TargetUnavailable` is raised.
        """
        for step in self.services.target.steps(self.operation, marks):
            if step.action is Action.SUBMIT and isinstance(self.restore, FromLatest):
                raise Refused("the stop brought no snapshot to start from; nothing is started without state")
            self._run(step)

    def _run(self, step: Step) -> None:
        journal, lease = self.services.journal, self.lease
        if lease is None:
            raise AssertionError("only an attempt that holds a lease runs steps")
        ordinal = journal.start_step(lease, self.record.id, step)
        try:
            with self.services.reporter.activity(step.title) as self.activity:
                outcome = self._outcome(step)
        except TargetUnavailable:
            raise
        except ScurryError as error:
            self.was_refused_a_start = step.action is Action.SUBMIT and isinstance(self.operation, Resume)
            journal.finish_step(lease, self.record.id, ordinal, error=error.message)
            raise
        outcome = self._complete(step, outcome)
        self._note(step, outcome)
        journal.finish_step(lease, self.record.id, ordinal, outcome=outcome)

    def _outcome(self, step: Step) -> Outcome:
        try:
            return self.services.target.run(step, self)
        except AlreadySubmitted:
            # An interrupted attempt has come about meanwhile, under the same mark. Is it the same start?
            begun = self.lease is not None and settling.was_begun(self.services, self.lease, self.record)
            found = self.services.target.find(step) if begun else None
            if found is None:
                raise
            return found
        except TargetUnavailable as error:
            found = self._find(step, error)
            if found is None:
                raise
            return found

    def _find(self, step: Step, error: TargetUnavailable) -> Outcome | None:
        """Ask what became of a step whose answer was lost. None: not known, or not (yet) landed."""
        clock = self.services.clock
        until = clock.now() + timedelta(seconds=_DOUBTS_S)
        while clock.now() < until:
            self.activity.describe(f"answer lost ({error.message}); asking what became of it")
            clock.sleep(min(error.retry_after_s, 2.0))
            try:
                return self.services.target.find(step)
            except TargetUnavailable as again:
                error = again
        return None

    def _note(self, step: Step, outcome: Outcome) -> None:
        match step.action:
            case Action.UPLOAD:
                self.artifact_ref = outcome.artifact_ref
            case Action.STOP | Action.CANCEL:
                self.has_stopped_the_job = True
                self.stopped_at = self.stopped_at or self.services.clock.now()
                self.snapshot = outcome.snapshot
                if isinstance(self.restore, FromLatest) and outcome.snapshot:
                    self.restore = FromSnapshot(snapshot=outcome.snapshot)
            case Action.SUBMIT | Action.RESCALE:
                self.job_id = outcome.job_id
                self.started_at = self.services.clock.now()
            case Action.SNAPSHOT:
                self.snapshot = outcome.snapshot
            case _:
                pass

    def _complete(self, step: Step, outcome: Outcome) -> Outcome:
        """Add what only the attempt knows: what a submitted job was restored from, which revision a snapshot is of."""
        if step.action is Action.SUBMIT and isinstance(self.restore, FromSnapshot):
            return msgspec.structs.replace(outcome, restored=self.restore.snapshot)
        if outcome.snapshot and outcome.snapshot.revision is None:
            snapshot = msgspec.structs.replace(outcome.snapshot, revision=self.replaces)
            return msgspec.structs.replace(outcome, snapshot=snapshot)
        return outcome

    @classmethod
    def watching(cls, services: Services, operation: Resume | Rescale, job_id: str) -> Attempt:
        """Return an attempt that runs no steps but waits for a job that an interrupted one has started or rescaled."""
        now = services.clock.now()
        record = OperationRecord(
            id=0,
            application=operation.desired.application,
            operation=operation,
            reason="",
            revision=None,
            started_at=now,
            started_by="",
        )
        return cls(services=services, lease=None, record=record, job_id=job_id, started_at=now)

    def await_health(self) -> str | None:
        """Wait until the job is healthy or is not. Returns why it is not, or None.

        While the target does not answer nothing is judged, and the job's window does not pass.
        Raises `TargetUnavailable` when it does not answer for long.
        """
        try:
            self._await_health()
        except _NotHealthy as reason:
            return str(reason)
        return None

    def _await_health(self) -> None:
        desired, job_id = self.desired, self.job_id
        if desired is None or job_id is None:
            raise AssertionError("there is a job to wait for")
        policy = self._policy(desired)
        patience = health.checkpoint_interval(desired.config)
        started = self.started_at or self.services.clock.now()
        pause, samples = _FIRST_POLL_S, list[health.Sample]()
        with self.services.reporter.activity("wait until it is healthy") as activity:
            while True:
                job = _find(self.look((job_id,), activity), job_id)
                now = self.services.clock.now()
                if job and self.running_at is None and _runs(job):
                    self.running_at = now
                samples.append(health.Sample.of(job, at=now))
                verdict = health.judge(samples, policy=policy, started_at=started + self.silence, patience=patience)
                activity.describe(verdict.reason)
                if verdict.verdict is health.Verdict.HEALTHY:
                    return
                if verdict.verdict is health.Verdict.UNHEALTHY:
                    raise _NotHealthy(verdict.reason)
                self.services.clock.sleep(pause)
                pause = min(pause * 1.3, _SLOWEST_POLL_S)

    def look(self, marks: Sequence[str], activity: Activity) -> Observed:
        """Observe, and wait a while for a target that does not answer. Raises `TargetUnavailable`."""
        clock, target = self.services.clock, self.services.target
        began, was_silent = clock.now(), False
        while not (observed := target.observe(self.record.application, marks)).reachable:
            because = f"target {target.name!r} does not answer: {observed.unreachable_because}"
            if clock.now() >= began + timedelta(seconds=_DOUBTS_S):
                hint = "The job was left as it is. To go on when the target answers again, run the same command again."
                raise TargetUnavailable(because, target=target.name, hint=hint)
            activity.describe(because)
            clock.sleep(_SLOWEST_POLL_S)
            was_silent = True
        if was_silent:
            self.silence += clock.now() - began
        return observed

    def _policy(self, desired: Desired) -> HealthPolicy:
        """Return the policy; a rescale in place is itself a restart in Flink's counting (`numRestarts`)."""
        policy = desired.upgrade.health
        if not isinstance(self.operation, Rescale) or self.job_id is None:
            return policy
        job = _find(self.look((self.job_id,), SilentActivity()), self.job_id)
        return msgspec.structs.replace(policy, restarts=policy.restarts + 1 + (job.restarts if job else 0))


def _find(observed: Observed, job_id: str) -> Job | None:
    return next((job for job in observed.jobs if job.id == job_id), None)


def _runs(job: Job) -> bool:
    return job.vertices > 0 and job.vertices_running >= job.vertices
