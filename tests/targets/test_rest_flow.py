"""What the REST target reads of failures and of how records pass through a job, from canned answers of Flink."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scurry.model.observed import Job
from tests.targets.test_rest_pure import JOB, cluster_of, details_of, job, observe

NONE_YET, AT_ITS_END = -(2**63), 2**63 - 1
TRACE = """\
java.lang.RuntimeException: wrapped
\tat org.apache.flink.Task.run(Task.java:1)
Caused by: java.lang.IllegalStateException: no price in "x"
\tat com.shop.Prices.parse(Prices.java:12)
\tat com.shop.Prices.map(Prices.java:3)
"""


def vertex(id: str, *, pressed_ms: int = 0, duration: int = 10_000, parallelism: int = 2) -> dict[str, Any]:
    metrics = {"accumulated-backpressured-time": pressed_ms, "accumulated-busy-time": "NaN"}
    counts = {"RUNNING": parallelism}
    shown = {"id": id, "name": f"vertex {id}", "parallelism": parallelism, "status": "RUNNING", "tasks": counts}
    return {**shown, "duration": duration, "metrics": metrics}


def edge(id: str, *inputs: str) -> dict[str, Any]:
    return {"id": id, "inputs": [{"id": input} for input in inputs]}


def seen(folder: Path, *, duration: int = 60_000, **answers: Any) -> tuple[Job, list[str]]:
    """Observe a running job whose answers are overlaid."""
    paths = details_of(JOB, "RUNNING")
    paths[f"/jobs/{JOB}"] |= answers.pop("detail", {})
    paths |= {f"/jobs/{JOB}/{path}": answer for path, answer in answers.pop("more", {}).items()}
    summary = job(JOB, "RUNNING", running=3) | {"duration": duration} | answers
    observed, asked = observe(folder, cluster_of(summary, **paths), JOB)
    return observed.live, asked


def millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def test_all_failures_are_told_with_the_code_that_threw(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    entries = [
        {"stacktrace": TRACE, "timestamp": millis(now), "taskName": "prices (1/2)"},
        {"stacktrace": "a.b.C: x", "timestamp": millis(now - timedelta(seconds=20))},
    ]
    more = {"exceptions": {"exceptionHistory": {"entries": entries}}}
    found, _ = seen(tmp_path, detail={"now": millis(now)}, more=more)
    newest, older = found.failures
    assert newest.message == 'IllegalStateException: no price in "x"'
    assert newest.causes.splitlines() == [
        "java.lang.RuntimeException: wrapped",
        'Caused by: java.lang.IllegalStateException: no price in "x"',
    ]
    assert (newest.where, newest.task) == ("com.shop.Prices.parse(Prices.java:12)", "prices (1/2)")
    assert (older.message, older.where, older.task) == ("C: x", None, None)
    assert (found.restarts, found.root_exception) == (2, newest.message)
    assert abs(newest.at - now) < timedelta(seconds=1)
    assert newest.at - older.at == timedelta(seconds=20)


def test_the_same_failure_again_is_told_without_its_causes(tmp_path: Path) -> None:
    entries = [{"stacktrace": TRACE, "timestamp": n} for n in (3, 2, 1)]
    found, _ = seen(tmp_path, more={"exceptions": {"exceptionHistory": {"entries": entries}}})
    newest, *older = found.failures
    assert newest.causes
    assert [(failure.message, failure.causes) for failure in older] == [(newest.message, "")] * 2


@pytest.mark.parametrize("ahead_s", [-3600, -1, 0, 1, 3600])
def test_a_failure_is_as_old_as_the_job_managers_clock_says(ahead_s: int, tmp_path: Path) -> None:
    theirs = datetime.now(UTC) + timedelta(seconds=ahead_s)
    entries = [{"stacktrace": "a.b.C: x", "timestamp": millis(theirs - timedelta(seconds=60))}]
    more = {"exceptions": {"exceptionHistory": {"entries": entries}}}
    found, _ = seen(tmp_path, detail={"now": millis(theirs)}, more=more)
    age = datetime.now(UTC) - found.failures[0].at
    assert timedelta(seconds=58) < age < timedelta(seconds=66)


def test_a_restart_shows_in_the_survey_even_if_it_was_over_at_once(tmp_path: Path) -> None:
    found, _ = seen(tmp_path, **{"last-modification": 1_700_000_000_000})
    assert found.modified_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_the_vertex_that_waits_most_is_named_without_another_call(tmp_path: Path) -> None:
    vertices = [vertex("a", pressed_ms=19_000), vertex("b", pressed_ms=200), vertex("c", duration=-1)]
    found, asked = seen(tmp_path, duration=5_000, detail={"vertices": vertices})
    assert found.back_pressure == pytest.approx(0.95)
    assert found.back_pressured == "vertex a"
    assert not [path for path in asked if "/vertices/" in path]


def test_what_flink_counts_twice_is_at_most_all_of_the_time(tmp_path: Path) -> None:
    found, _ = seen(tmp_path, detail={"vertices": [vertex("a", pressed_ms=10**9)]})
    assert found.back_pressure == 1.0


class TestSettled:
    """A job that runs for a while has metrics."""

    DETAIL = {  # noqa: RUF012
        "vertices": [vertex("s1"), vertex("s2"), vertex("end")],
        "plan": {"nodes": [edge("end", "s1", "s2"), edge("s1"), edge("s2")]},
    }

    def more(self, *watermarks: int, **source: float) -> dict[str, Any]:
        shown = [{"id": f"{n}.currentInputWatermark", "value": str(mark)} for n, mark in enumerate(watermarks)]
        # One answer for both calls: that for the names, and that for the numbers.
        lag = {"id": "Source__orders.pendingRecords", "min": 10.0, "max": 30.0, "sum": 40.0}
        return {
            "vertices/end/watermarks": shown,
            "vertices/s1/subtasks/metrics": [{"id": "numRecordsIn", "sum": 7.0}],
            "vertices/s2/subtasks/metrics": [lag, {"id": "Source__orders.currentOutputWatermark", **source}],
        }

    def test_its_watermark_is_the_least_of_the_last_vertex(self, tmp_path: Path) -> None:
        found, asked = seen(tmp_path, detail=self.DETAIL, more=self.more(2_000_000, 1_000_000))
        assert found.watermark == datetime(1970, 1, 1, 0, 16, 40, tzinfo=UTC)
        assert found.source_lag == 40
        assert len([path for path in asked if "/vertices/" in path]) == 4

    @pytest.mark.parametrize("mark", [NONE_YET, AT_ITS_END])
    def test_none_yet_and_the_end_of_input_are_no_times(self, mark: int, tmp_path: Path) -> None:
        found, _ = seen(tmp_path, detail=self.DETAIL, more=self.more(2_000_000, mark) if mark < 0 else self.more(mark))
        assert found.watermark is None

    @pytest.mark.parametrize(
        ("least", "greatest", "idle"),
        [(NONE_YET, 5.0, "vertex s2"), (4.0, 5.0, None), (NONE_YET, NONE_YET, None)],
    )
    def test_a_source_of_which_only_some_subtasks_have_a_watermark_is_named(
        self, least: float, greatest: float, idle: str | None, tmp_path: Path
    ) -> None:
        found, _ = seen(tmp_path, detail=self.DETAIL, more=self.more(1, min=least, max=greatest, sum=0.0))
        assert found.idle_source == idle
        assert found.source_lag == 40

    def test_a_young_one_is_not_asked(self, tmp_path: Path) -> None:
        found, asked = seen(tmp_path, duration=14_000, detail=self.DETAIL, more=self.more(1_000_000))
        assert (found.watermark, found.source_lag) == (None, None)
        assert not [path for path in asked if "/vertices/" in path]

    def test_a_flink_that_does_not_tell_is_no_failure(self, tmp_path: Path) -> None:
        found, _ = seen(tmp_path, detail=self.DETAIL)
        assert (found.watermark, found.source_lag) == (None, None)


@pytest.mark.parametrize(("completed_at", "told"), [(None, "too slow"), (5, "too slow"), (11, None)])
def test_a_checkpoint_that_failed_is_told_until_one_completes(
    completed_at: int | None, told: str | None, tmp_path: Path
) -> None:
    latest: dict[str, Any] = {"failed": {"id": 3, "trigger_timestamp": 10, "failure_message": "too slow"}}
    if completed_at is not None:
        latest["completed"] = {"id": 4, "trigger_timestamp": completed_at}
    found, _ = seen(tmp_path, more={"checkpoints": {"counts": {"failed": 1}, "latest": latest}})
    assert found.checkpoint_failure == told
