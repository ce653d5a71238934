"""What samples of a job say, as a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from scurry.engine.health import Judgement, Sample, Verdict, checkpoint_interval, judge, judge_now, restart_loop
from scurry.model.desired import HealthPolicy
from scurry.model.observed import CheckpointCounts, Job, JobFailure, JobState

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
    found = judge([sample], policy=POLICY, started_at=START, patience=timedelta(seconds=10))
    assert found.verdict is verdict
    assert reason in found.reason


def test_a_job_without_checkpointing_need_not_complete_one() -> None:
    policy = HealthPolicy(checkpoints=0)
    sample = Sample(at=START, job=job(completed=0))
    assert judge([sample], policy=policy, started_at=START, patience=timedelta()).verdict is Verdict.HEALTHY


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


def judged(*seen: tuple[float, Job], hold_s: float = 20, restarts: int = 0) -> Judgement:
    policy = HealthPolicy(hold=timedelta(seconds=hold_s), restarts=restarts)
    samples = [Sample(at=START + timedelta(seconds=at_s), job=job) for at_s, job in seen]
    return judge(samples, policy=policy, started_at=START, patience=timedelta())


def test_without_a_hold_the_first_healthy_moment_decides() -> None:
    assert judged((10, job()), hold_s=0).verdict is Verdict.HEALTHY


def test_with_a_hold_a_job_has_to_stay_healthy_for_so_long() -> None:
    found = judged((5, job(completed=0)), (10, job()), (25, job()))
    assert found == Judgement(verdict=Verdict.UNDECIDED, reason="healthy for 15 s of 20 s")
    assert judged((10, job()), (25, job()), (30, job())).verdict is Verdict.HEALTHY


def test_a_hold_may_last_longer_than_the_window() -> None:
    assert judged((10, job()), (40, job()), hold_s=60).verdict is Verdict.UNDECIDED
    assert judged((10, job()), (40, job()), (70, job()), hold_s=60).verdict is Verdict.HEALTHY


def test_a_job_that_fails_within_its_hold_is_not_healthy() -> None:
    found = judged((2, job()), (20, job()), (21, job(restarts=1)))
    assert found == Judgement(verdict=Verdict.UNHEALTHY, reason="the job restarted 1 time")
    assert judged((2, job()), (20, job()), (21, job(JobState.FAILED))).verdict is Verdict.UNHEALTHY


def test_a_forgiven_restart_begins_the_hold_anew() -> None:
    seen = ((2, job()), (15, job(restarts=1)), (30, job(restarts=1)))
    assert judged(*seen, restarts=1).reason == "healthy for 15 s of 20 s"
    assert judged(*seen, (35, job(restarts=1)), restarts=1).verdict is Verdict.HEALTHY


def test_a_bounded_job_that_ends_within_its_hold_is_healthy() -> None:
    assert judged((1, job()), (2, job(JobState.FINISHED))).verdict is Verdict.HEALTHY


def test_the_vertex_that_holds_up_the_checkpoints_is_named() -> None:
    slow = msgspec.structs.replace(job(completed=0, failed=2), back_pressure=0.98, back_pressured="numbers")
    found = judged((31, slow))
    assert found.verdict is Verdict.UNHEALTHY
    assert found.reason == (
        "only 0 of 1 checkpoints completed, 2 failed; 'numbers' waited 98% of its time for what is behind it"
    )
    easy = msgspec.structs.replace(slow, back_pressure=0.1)
    assert "waited" not in judged((31, easy)).reason


def failing(*at_s: float, restarts: int = 0, state: JobState = JobState.RUNNING) -> Job:
    failures = tuple(JobFailure(at=START + timedelta(seconds=s), message="boom") for s in sorted(at_s, reverse=True))
    return msgspec.structs.replace(job(state, restarts=restarts or len(at_s)), failures=failures)


@pytest.mark.parametrize(
    ("seen", "now_s", "is_loop"),
    [
        (failing(0, 20, 40), 41, True),
        (failing(0, 20, 40), 100, True),
        (failing(0, 20, 40), 101, False),
        (failing(0, 20), 21, False),
        (failing(0, 290, 580), 581, True),
        (failing(0, 290, 580), 580 + 2 * 290, True),
        (failing(0, 290, 580), 580 + 2 * 290 + 1, False),
        (failing(0, 300, 601), 602, False),
        (failing(0, 9000, 9010, 9020), 9021, True),
        (failing(*range(16), restarts=40), 16, True),
        (job(restarts=3), 1, False),
        (job(JobState.RESTARTING, restarts=3), 1, True),
        (job(JobState.RESTARTING, restarts=2), 1, False),
    ],
)
def test_three_failures_in_a_short_time_are_a_loop_until_the_job_runs_well_again(
    seen: Job, now_s: float, is_loop: bool
) -> None:
    told = restart_loop(seen, now=START + timedelta(seconds=now_s))
    assert (told is not None) is is_loop
    assert told is None or told.startswith(f"the job restarted {seen.restarts} times")


def test_status_calls_a_looping_job_unhealthy_while_it_happens_to_run() -> None:
    seen = failing(0, 20, 40)
    assert judge_now(seen, policy=POLICY).verdict is Verdict.HEALTHY
    found = judge_now(seen, policy=POLICY, now=START + timedelta(seconds=50))
    assert found == Judgement(verdict=Verdict.UNHEALTHY, reason="the job restarted 3 times: boom")
