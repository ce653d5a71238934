"""Observed: what a target says now. Facts only; what they mean is decided in the engine."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from scurry.model.errors import ScurryError, TargetUnavailable
from scurry.model.snapshot import Snapshot


class JobState(StrEnum):
    """Flink's `JobStatus`, in lower case, as every target can tell it."""

    INITIALIZING = "initializing"
    CREATED = "created"
    RUNNING = "running"
    FAILING = "failing"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELED = "canceled"
    FINISHED = "finished"
    RESTARTING = "restarting"
    SUSPENDED = "suspended"
    RECONCILING = "reconciling"

    @property
    def is_terminal(self) -> bool:
        """Whether the job will never run again (Flink: globally terminal)."""
        return self in {JobState.FAILED, JobState.CANCELED, JobState.FINISHED}


class Phase(StrEnum):
    """The closed lifecycle of an application, seen from outside. Each target maps its own words to it."""

    ABSENT = "absent"
    """never deployed, or deleted"""
    STARTING = "starting"
    """the job exists and not all of its vertices run yet"""
    RUNNING = "running"
    RESTARTING = "restarting"
    """Flink restarts it after a failure"""
    STOPPING = "stopping"
    SUSPENDED = "suspended"
    """stopped on purpose, its state kept"""
    FINISHED = "finished"
    """a bounded job came to its end"""
    FAILED = "failed"
    """Flink gave up"""
    LOST = "lost"
    """it should run, but the target knows no such job"""
    UNKNOWN = "unknown"
    """the target does not answer"""


class CheckpointCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How the checkpoints of a job went since it was started."""

    completed: int = 0
    failed: int = 0
    in_progress: int = 0


class JobFailure(msgspec.Struct, frozen=True, kw_only=True):
    """One failure of a job: what made Flink restart it, or give it up."""

    at: datetime
    """the target's clock"""
    message: str
    """the root cause in a line"""
    causes: str = ""
    """the chain of exceptions, outermost first, a class and its message each; empty where a newer one says the same"""
    where: str | None = None
    """the line of code that threw the root cause"""
    task: str | None = None
    """the subtask that failed: `counting (1/2)`"""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run of an application inside Flink."""

    id: str
    """32 hexadecimal digits"""
    name: str
    state: JobState
    started_at: datetime | None = None
    parallelism: int | None = None
    """the greatest parallelism of its vertices"""
    vertices: int = 0
    vertices_running: int = 0
    """vertices whose every subtask runs; a finished subtask counts as running"""
    restarts: int = 0
    checkpoints: CheckpointCounts = CheckpointCounts()
    latest_checkpoint: Snapshot | None = None
    restored_from: str | None = None
    root_exception: str | None = None
    """the first lines of what Flink shows as the root exception"""
    failures: tuple[JobFailure, ...] = ()
    """newest first; Flink remembers the last 16"""
    modified_at: datetime | None = None
    """when Flink last changed anything of its execution: a survey sees by this that something happened"""
    back_pressure: float | None = None
    """from 0 to 1: the greatest share of their time so far that a vertex's subtasks waited for the ones behind them"""
    back_pressured: str | None = None
    """the name of that vertex"""
    watermark: datetime | None = None
    """how far event time has come in the last vertex; None where it has no watermark, or the target tells none"""
    source_lag: int | None = None
    """records that wait in the sources, as far as they tell"""
    idle_source: str | None = None
    """the name of a source of which some subtasks have a watermark and others have none"""
    checkpoint_failure: str | None = None
    """why the newest checkpoint failed; None when it completed"""
    told_late_by_s: float = 0.0
    """how many seconds later than they happen the target may tell of restarts and checkpoints"""
    untold: bool = False
    """the target has told nothing of its restarts and checkpoints yet: that there are none is not known"""


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What a target says of one application now."""

    reachable: bool = True
    unreachable_because: str | None = None
    unreachable_hint: str | None = None
    """what to do about it"""
    unsuitable: bool = False
    """something answers, but it is no target: trying again does not help"""
    jobs: tuple[Job, ...] = ()
    """the application's own jobs that the target still shows, by the marks that we chose; newest first"""
    strangers: tuple[Job, ...] = ()
    """jobs that run under the application's name but were not started by us"""
    flink_version: str | None = None
    slots_total: int | None = None
    slots_free: int | None = None
    rescales_in_place: bool = False
    """whether the live job's parallelism can be changed while it runs (Flink's adaptive scheduler)"""
    ui_url: str | None = None
    drifted: tuple[str, ...] = ()
    """what somebody else changed of how the live job runs since it was started; secrets masked"""
    retained: tuple[Snapshot, ...] = ()
    """checkpoints that are still there of jobs that are not, newest first (where the target can see them)"""

    @classmethod
    def silent(cls, error: ScurryError) -> Observed:
        """Return what is observed of a target that could not be asked: that it could not."""
        return cls(
            reachable=False,
            unreachable_because=error.message,
            unreachable_hint=error.hint,
            unsuitable=not isinstance(error, TargetUnavailable),
        )

    @property
    def live(self) -> Job | None:
        """The application's job that is not at its end. State-safety rule: there is at most one."""
        return next((job for job in self.jobs if not job.state.is_terminal), None)

    @property
    def newest(self) -> Job | None:
        """The live job, else the one that ended last."""
        return self.live or next(iter(self.jobs), None)
