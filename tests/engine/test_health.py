"""What samples of a job say, as a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scurry.engine.health import Sample, Verdict, checkpoint_interval, judge, judge_now
from scurry.model.desired import HealthPolicy
from scurry.model.observed import CheckpointCounts, Job, JobState

START = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = HealthPolicy(window=timedelta(seconds=30), restarts=0, checkpoints=1)


def job(
    state: JobState = JobState.RUNNING, *, running: int = 2, restarts: int = 0, completed: int = 1, failed: int = 0
) -> Job:
    return Job(
        id="a" * 32,
        name="shop",
        state=state,
        vertices=2,
        vertices_running=running,
        restarts=restarts,
        checkpoints=CheckpointCounts(completed=completed, failed=failed),
        root_exception="boom" if state is JobState.FAILED else None,
    )


@pytest.mark.parametrize(
    ("seen", "after_s", "verdict", "reason"),
    [
        (job(), 1, Verdict.HEALTHY, "2 vertices running"),
        (job(completed=0), 1, Verdict.UNDECIDED, "0 of 1 checkpoints"),
        (job(completed=0), 31, Verdict.UNDECIDED, "0 of 1 checkpoints"),
        (job(completed=0, failed=3), 41, Verdict.UNHEALTHY, "3 failed"),
        (job(running=1), 1, Verdict.UNDECIDED, "1 of 2 vertices"),
        (job(running=1), 30, Verdict.UNHEALTHY, "1 of 2 vertices"),
        (job(restarts=1), 1, Verdict.UNHEALTHY, "restarted 1 time"),
        (job(JobState.FAILED), 1, Verdict.UNHEALTHY, "boom"),
        (job(JobState.CANCELED), 1, Verdict.UNHEALTHY, "canceled"),
        (job(JobState.FINISHED, completed=0), 1, Verdict.HEALTHY, "came to its end"),
        (job(JobState.INITIALIZING, running=0), 1, Verdict.UNDECIDED, "0 of 2"),
        (job(JobState.RESTARTING, running=0), 31, Verdict.UNHEALTHY, "restarting"),
        (None, 1, Verdict.UNDECIDED, "waiting for the job"),
        (None, 30, Verdict.UNHEALTHY, "no such job"),
    ],
)
def test_a_started_job_is_judged_by_what_it_does(seen: Job | None, after_s: int, verdict: Verdict, reason: str) -> None:
    sample = Sample(at=START + timedelta(seconds=after_s), job=seen)
    found = judge(sample, policy=POLICY, started_at=START, patience=timedelta(seconds=10))
    assert found.verdict is verdict
    assert reason in found.reason


def test_a_job_without_checkpointing_need_not_complete_one() -> None:
    policy = HealthPolicy(checkpoints=0)
    sample = Sample(at=START, job=job(completed=0))
    assert judge(sample, policy=policy, started_at=START, patience=timedelta()).verdict is Verdict.HEALTHY


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (None, Verdict.UNDECIDED),
        (job(), Verdict.HEALTHY),
        (job(restarts=3), Verdict.HEALTHY),
        (job(running=1), Verdict.UNDECIDED),
        (job(completed=0), Verdict.UNDECIDED),
        (job(JobState.RESTARTING), Verdict.UNHEALTHY),
        (job(JobState.FAILED), Verdict.UNHEALTHY),
        (job(JobState.FINISHED), Verdict.HEALTHY),
    ],
)
def test_status_judges_without_a_window(seen: Job | None, verdict: Verdict) -> None:
    assert judge_now(seen, policy=POLICY).verdict is verdict


@pytest.mark.parametrize(
    ("written", "seconds"), [("10s", 10), ("1 min", 60), ("250", 0.25), ("500ms", 0.5), ("soon", 0), (None, 0)]
)
def test_the_checkpoint_interval_is_read_as_flink_reads_it(written: str | None, seconds: float) -> None:
    config = {"execution.checkpointing.interval": written} if written else {}
    assert checkpoint_interval(config).total_seconds() == seconds
