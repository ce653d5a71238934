"""Whether a started job is healthy: a pure function from samples to a verdict.

A deployment is done when its job is *healthy* (all vertices run, no more restarts than forgiven, a checkpoint
completed since the restore), not when Flink says RUNNING: a job that fails on its first
record is RUNNING again and again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Self

import msgspec

from scurry.model.observed import Job, JobState
from scurry.model.values import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scurry.model.desired import HealthPolicy
    from scurry.model.values import Text


PRESSED = 0.5
"""from this share of their time on, tasks that wait for those behind them are worth a word"""
LOOP = 3
"""so many failures"""
LOOP_SPAN = timedelta(minutes=10)
"""within so long are a restart loop"""
LOOP_LULL = timedelta(seconds=60)
"""a loop is over when the job ran well for longer than that"""


class Verdict(StrEnum):
    """What the samples say."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict and why; for `undecided`, what is still missing."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a target said of the job at one moment; `job` is None when it does not show it."""

    at: datetime
    job: Job | None

    @classmethod
    def of(cls, job: Job | None, *, at: datetime) -> Self:
        """Return a sample without the texts of failures: thousands of samples may be kept of a job that is held."""
        return cls(at=at, job=msgspec.structs.replace(job, failures=()) if job else None)


def judge(samples: Sequence[Sample], *, policy: HealthPolicy, started_at: datetime, patience: timedelta) -> Judgement:
    """Judge a job that was started at `started_at` by what was seen of it since, oldest first.

    `patience` is how much longer than the window a job that runs well may take until its checkpoint completes:
    the checkpoint interval, since Flink does not take the first one before it. With `policy.hold` it is healthy when it
    has been so for that long; a restart meanwhile, even a forgiven one, begins the time anew.
    """
    newest = samples[-1]
    judgement = _judge(newest, policy=policy, started_at=started_at, patience=patience)
    if judgement.verdict is not Verdict.HEALTHY or newest.job is None or newest.job.state.is_terminal:
        return judgement
    held = newest.at - _healthy_since(samples, policy)
    if held >= policy.hold:
        return judgement
    told = f"healthy for {format_duration(held)} of {format_duration(policy.hold)}"
    return Judgement(verdict=Verdict.UNDECIDED, reason=told)


def _healthy_since(samples: Sequence[Sample], policy: HealthPolicy) -> datetime:
    """Return when the first of the newest samples that all show a healthy job was taken."""
    newest = samples[-1]
    restarts = newest.job.restarts if newest.job else 0
    since = newest.at
    for sample in reversed(samples):
        if sample.job is None or sample.job.restarts != restarts or not _is_good(sample.job, policy):
            break
        since = sample.at
    return since


def _is_good(job: Job, policy: HealthPolicy) -> bool:
    runs = job.state is JobState.RUNNING and 0 < job.vertices <= job.vertices_running
    return (
        runs and not job.untold and job.restarts <= policy.restarts and job.checkpoints.completed >= policy.checkpoints
    )


def _judge(sample: Sample, *, policy: HealthPolicy, started_at: datetime, patience: timedelta) -> Judgement:
    job = sample.job
    elapsed = sample.at - started_at
    window = policy.window + timedelta(seconds=job.told_late_by_s if job else 0)
    late = elapsed >= window
    if job is None:
        return _wait_or(late, "the target shows no such job", "waiting for the job to appear")
    if job.state is JobState.FINISHED:
        return Judgement(verdict=Verdict.HEALTHY, reason="the job came to its end")
    if job.state.is_terminal:
        return Judgement(verdict=Verdict.UNHEALTHY, reason=_because(f"the job is {job.state.value}", job))
    if job.restarts > policy.restarts:
        return Judgement(verdict=Verdict.UNHEALTHY, reason=_because(f"the job restarted {_times(job.restarts)}", job))
    if job.state is not JobState.RUNNING or job.vertices_running < job.vertices or not job.vertices:
        waiting = f"{job.vertices_running} of {job.vertices} vertices running"
        return _wait_or(late, _because(f"the job is {job.state.value} with {waiting}", job), waiting)
    if job.untold:
        return _wait_or(late, "the target's metrics tell nothing of it", "waiting for the target's metrics")
    if job.checkpoints.completed < policy.checkpoints:
        waiting = f"{job.checkpoints.completed} of {policy.checkpoints} checkpoints completed"
        too_late = elapsed >= window + patience
        short = f"only {waiting}, {job.checkpoints.failed} failed{_pressed(job)}"
        return _wait_or(too_late, _because(short, job), waiting)
    return Judgement(verdict=Verdict.HEALTHY, reason=_good(job))


def judge_now(job: Job | None, *, policy: HealthPolicy, now: datetime | None = None) -> Judgement:
    """Judge a job that was started some time ago, for `status`: restarts are told, but no window is over or open.

    With `now`, a job that restarts again and again is unhealthy between its restarts, too.
    """
    if job is None:
        return Judgement(verdict=Verdict.UNDECIDED, reason="no job runs")
    if job.state is JobState.FINISHED:
        return Judgement(verdict=Verdict.HEALTHY, reason="the job came to its end")
    if job.state.is_terminal or job.state in {JobState.RESTARTING, JobState.FAILING}:
        return Judgement(verdict=Verdict.UNHEALTHY, reason=_because(f"the job is {job.state.value}", job))
    loop = restart_loop(job, now=now) if now else None
    if loop:
        return Judgement(verdict=Verdict.UNHEALTHY, reason=loop)
    if job.vertices_running < job.vertices or not job.vertices:
        return Judgement(verdict=Verdict.UNDECIDED, reason=f"{job.vertices_running} of {job.vertices} vertices running")
    if job.untold:
        return Judgement(verdict=Verdict.UNDECIDED, reason="the target's metrics tell nothing of it yet")
    if job.checkpoints.completed < policy.checkpoints:
        return Judgement(verdict=Verdict.UNDECIDED, reason="no checkpoint completed yet")
    return Judgement(verdict=Verdict.HEALTHY, reason=_good(job))


def restart_loop(job: Job, *, now: datetime) -> str | None:
    """Say so when a job restarts again and again and is still at it; None when it does not.

    Three failures within ten minutes are a loop, until the job has run for twice as long as it did between them.
    """
    if len(job.failures) < LOOP:
        ails = job.restarts >= LOOP and job.state in {JobState.RESTARTING, JobState.FAILING}
        return _because(f"the job restarted {_times(job.restarts)}", job) if ails else None
    last, *_, first = times = [failure.at for failure in job.failures[:LOOP]]
    longest = max(later - earlier for later, earlier in pairwise(times))
    if last - first > LOOP_SPAN or now - last > max(LOOP_LULL, 2 * longest):
        return None
    restarts = max(job.restarts, LOOP)
    return f"the job restarted {_times(restarts)}: {job.failures[0].message}"


def checkpoint_interval(config: Mapping[str, Text]) -> timedelta:
    """Return the checkpoint interval of a Flink configuration; zero when checkpointing is off or it is not readable."""
    from scurry.model.values import parse_duration

    text = config.get("execution.checkpointing.interval")
    if not isinstance(text, str):
        return timedelta()
    try:
        # Flink reads a number without a unit as milliseconds (TimeUtils.parseDuration).
        return timedelta(milliseconds=int(text)) if text.strip().isdigit() else parse_duration(text)
    except ValueError:
        return timedelta()


def _wait_or(late: bool, unhealthy: str, waiting: str) -> Judgement:
    if late:
        return Judgement(verdict=Verdict.UNHEALTHY, reason=unhealthy)
    return Judgement(verdict=Verdict.UNDECIDED, reason=waiting)


def _because(what: str, job: Job) -> str:
    return f"{what}: {job.root_exception}" if job.root_exception else what


def _pressed(job: Job) -> str:
    """Say that records pile up where they do: the barriers of checkpoints wait among them."""
    if job.back_pressure is None or job.back_pressure < PRESSED:
        return ""
    return f"; {job.back_pressured!r} waited {job.back_pressure:.0%} of its time for what is behind it"


def _good(job: Job) -> str:
    checkpoints = job.checkpoints.completed
    return f"{job.vertices} vertices running, {_times(job.restarts, 'restart')}, {_times(checkpoints, 'checkpoint')}"


def _times(count: int, what: str = "time") -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
