"""What the conformance suite needs of a target under test: wishes that it can run, and a context to run steps in."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from scurry.model.reporting import SilentActivity
from scurry.model.snapshot import FromSnapshot, Restore, Snapshot, Stateless

if TYPE_CHECKING:
    from collections.abc import Callable

    from scurry.model.desired import Desired
    from scurry.model.observed import Job, Observed
    from scurry.model.operation import Action, Operation, Outcome, Step
    from scurry.model.ports import Activity, ArtifactStore, Secrets, Target


class Rig(Protocol):
    """A target under test. A subclass of the suite gives one by its `rig` fixture."""

    @property
    def target(self) -> Target:
        """The target under test."""

    @property
    def secrets(self) -> Secrets:
        """Resolves what the wishes refer to."""

    @property
    def artifacts(self) -> ArtifactStore:
        """Holds the wishes' artifacts."""

    @property
    def patience_s(self) -> float:
        """How long a job may take to run and to complete a checkpoint."""

    def wish(self, *, variant: int = 0, parallelism: int = 1) -> Desired:
        """Return an application that runs, holds state and checkpoints often; another variant is another revision."""

    def broken(self) -> Desired:
        """Return an application whose job graph does not build."""


@dataclass(slots=True)
class CountedMarks:
    """Marks for tests, from `prefix` and a number. They differ in their first digits, too, as real ones do."""

    prefix: int = 0
    count: int = 0

    def job_id(self) -> str:
        """Return the next job id."""
        return self._next()

    def trigger_id(self, action: Action) -> str:
        """Return the next trigger id."""
        return self._next()

    def _next(self) -> str:
        self.count += 1
        return hashlib.sha256(f"{self.prefix}/{self.count}".encode()).hexdigest()[:32]


@dataclass(slots=True, kw_only=True)
class Context:
    """A context for steps outside of an executor."""

    desired: Desired | None
    secrets: Secrets
    artifacts: ArtifactStore
    restore: Restore = field(default=Stateless(why="a test starts it"))
    artifact_ref: str | None = None
    activity: Activity = field(default_factory=SilentActivity)


@dataclass(slots=True)
class Runner:
    """Runs operations on a rig, step by step, as the executor does but without a journal."""

    rig: Rig
    marks: CountedMarks
    job_ids: list[str] = field(default_factory=list)

    def run(self, operation: Operation) -> dict[Action, Outcome]:
        """Run all steps of an operation. Returns their outcomes."""
        context = self.context(operation)
        outcomes: dict[Action, Outcome] = {}
        for step in self.rig.target.steps(operation, self.marks):
            outcomes[step.action] = self.step(step, context)
        return outcomes

    def step(self, step: Step, context: Context) -> Outcome:
        """Run one step."""
        if step.action.value == "submit":
            self.job_ids.insert(0, step.mark)
        outcome = self.rig.target.run(step, context)
        if outcome.artifact_ref:
            context.artifact_ref = outcome.artifact_ref
        if outcome.snapshot and not isinstance(context.restore, Stateless | FromSnapshot):
            context.restore = FromSnapshot(snapshot=outcome.snapshot)
        return outcome

    def context(self, operation: Operation) -> Context:
        """Return a context for an operation's steps."""
        return Context(
            desired=getattr(operation, "desired", None),
            secrets=self.rig.secrets,
            artifacts=self.rig.artifacts,
            restore=getattr(operation, "restore", Stateless(why="a test starts it")),
        )

    def observe(self) -> Observed:
        """Observe the application by the job ids that were submitted."""
        return self.rig.target.observe(self.rig.wish().application, tuple(self.job_ids))

    def job(self, id: str) -> Job | None:
        """Return a job by its id."""
        return next((job for job in self.observe().jobs if job.id == id), None)

    def await_job(self, id: str, ready: Callable[[Job], bool]) -> Job:
        """Wait until a job is as wanted. Fails with what it was at last."""
        until = time.monotonic() + self.rig.patience_s
        job = None
        while time.monotonic() < until:
            job = self.job(id)
            if job and ready(job):
                return job
            time.sleep(0.05)
        raise AssertionError(f"job {id} did not get there in {self.rig.patience_s} s; it was {job}")

    def await_running(self, id: str) -> Job:
        """Wait until all of a job's vertices run and a checkpoint completed."""
        return self.await_job(
            id,
            lambda job: (
                job.state.value == "running"
                and 0 < job.vertices <= job.vertices_running
                and job.checkpoints.completed > 0
            ),
        )


def missing_snapshot(like: Snapshot) -> Snapshot:
    """Return a snapshot that does not exist, beside one that does."""
    from msgspec.structs import replace

    return replace(like, location=f"{like.location}-that-never-was", taken_at=datetime.now(UTC))
