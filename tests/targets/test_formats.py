"""The format of a job's savepoints: what its metrics tell, how long is waited for them, and what is done then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from scurry.flink.rest import FlinkRest
from scurry.flink.rest_answers import (
    Checkpoint,
    Checkpoints,
    Dashboard,
    JobDetail,
    OperationAnswer,
    OperationResult,
    OperationState,
    Vertex,
    VertexMetric,
)
from scurry.model.errors import TargetUnavailable
from scurry.model.operation import Action, Step
from scurry.model.reporting import SilentActivity
from scurry.model.snapshot import SnapshotFormat
from scurry.targets.rest.ending import Ending
from scurry.targets.rest.formats import savepoint_format

JOB = "a" * 32
NOW_MS = 1_800_000_000_000
ASYNC = "count.asyncStateProcessing.numInFlightRecords"
USUAL = "0.numRecordsIn"


@dataclass
class Clock:
    """Counts what is slept."""

    slept: float = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(NOW_MS / 1000, UTC)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


@dataclass
class Cluster:
    """A Flink with one job, which answers what is needed here."""

    clock: Clock
    metrics: Sequence[Mapping[str, tuple[str, ...]]]
    """by look: the metrics of each vertex; the last one stays"""
    version: str = "2.3.0"
    acknowledged_ago_ms: int | None = None
    options_: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, int] = field(default_factory=lambda: {"RUNNING": 1})
    looks: int = 0
    asked: list[Mapping[str, Any]] = field(default_factory=list)

    def dashboard(self) -> Dashboard:
        return Dashboard(flink_version=self.version, refresh_interval_ms=100)

    def options(self) -> Mapping[str, str]:
        return self.options_

    def job(self, job_id: str) -> JobDetail:
        names = self.metrics[0]
        vertices = tuple(Vertex(id=name, name=name, parallelism=1, status="", tasks=self.tasks) for name in names)
        return JobDetail(jid=job_id, name="shop", state="RUNNING", start_time=0, now=NOW_MS, vertices=vertices)

    def checkpoints(self, job_id: str) -> Checkpoints:
        if self.acknowledged_ago_ms is None:
            return Checkpoints()
        done = Checkpoint(
            id=1, external_path="/sp", savepoint_format="NATIVE", latest_ack_timestamp=NOW_MS - self.acknowledged_ago_ms
        )
        return Checkpoints(history=(done,))

    def vertex_metrics(self, job_id: str, vertex: str) -> tuple[VertexMetric, ...]:
        found = self.metrics[min(self.looks, len(self.metrics) - 1)]
        if vertex == list(found)[-1]:
            self.looks += 1
        return tuple(VertexMetric(id=name) for name in found[vertex])

    def stop(self, job_id: str, **given: Any) -> str:
        self.asked.append(given)
        return "trigger"

    trigger_savepoint = stop

    def savepoint_status(self, job_id: str, mark: str) -> OperationAnswer:
        return OperationAnswer(status=OperationState(id="COMPLETED"), operation=OperationResult(location="/sp"))

    def format(self) -> SnapshotFormat | None:
        return savepoint_format(cast("FlinkRest", self), JOB, self.clock)


def cluster(*metrics: Mapping[str, tuple[str, ...]], **more: Any) -> Cluster:
    return Cluster(clock=Clock(), metrics=metrics, **more)


def test_an_operator_with_asynchronous_state_anywhere_makes_it_native() -> None:
    found = cluster({"a": (USUAL,), "b": (USUAL, ASYNC)})
    assert found.format() is SnapshotFormat.NATIVE
    assert found.clock.slept == 0


def test_without_any_it_is_canonical_after_a_second_look() -> None:
    found = cluster({"a": (USUAL,), "b": (USUAL,)}, acknowledged_ago_ms=60_000)
    assert found.format() is SnapshotFormat.CANONICAL
    assert found.clock.slept == 0.25


def test_what_the_second_look_finds_counts() -> None:
    found = cluster({"a": ()}, {"a": (USUAL, ASYNC)}, acknowledged_ago_ms=60_000)
    assert found.format() is SnapshotFormat.NATIVE


def test_of_a_young_job_the_next_metrics_are_waited_for() -> None:
    looks: list[Mapping[str, tuple[str, ...]]] = [{"a": (USUAL,)}] * 30
    assert cluster(*looks, {"a": (USUAL, ASYNC)}).format() is SnapshotFormat.NATIVE
    found = cluster({"a": (USUAL,)}, acknowledged_ago_ms=5_000)
    assert found.format() is SnapshotFormat.CANONICAL
    assert 10 <= found.clock.slept <= 11


@pytest.mark.parametrize(
    ("text", "seconds"), [("300", 0.5), ("300 ms", 0.5), ("2s", 2.25), ("2 s", 2.25), ("x", 10.25)]
)
def test_it_is_waited_no_longer_than_metrics_are_old(text: str, seconds: float) -> None:
    found = cluster({"a": (USUAL,)}, options_={"metrics.fetcher.update-interval": text})
    assert found.format() is SnapshotFormat.CANONICAL
    assert seconds <= found.clock.slept <= seconds + 0.25


def test_a_flink_before_2_is_not_asked() -> None:
    found = cluster({"a": (ASYNC,)}, version="1.20.5")
    assert (found.format(), found.looks) == (SnapshotFormat.CANONICAL, 0)


def test_of_a_job_that_has_not_all_started_nothing_is_claimed() -> None:
    """An operator that is being set up has not named its metrics; another process may look a moment later."""
    found = cluster({"a": (USUAL,)}, tasks={"INITIALIZING": 1}, acknowledged_ago_ms=60_000)
    assert found.format() is None
    assert 2 <= found.clock.slept <= 3


def test_what_does_not_tell_is_not_known() -> None:
    assert cluster({"a": ()}, acknowledged_ago_ms=60_000).format() is None
    assert cluster({"a": (USUAL,)}, tasks={"FINISHED": 1}).format() is None


def test_a_cluster_that_does_not_answer_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(self: Cluster) -> Dashboard:
        raise TargetUnavailable("it is silent")

    monkeypatch.setattr(Cluster, "dashboard", silent)
    assert cluster({"a": (ASYNC,)}).format() is None


# What is done with it ------------------------------------------------------------------------------------------


def ended(on: Cluster, action: Action, told: SnapshotFormat | None) -> SnapshotFormat | None:
    rest = cast("FlinkRest", on)
    ending = Ending(rest=rest, clock=on.clock, target="prod", directory=None, format_of=lambda job_id: told)
    step = Step(action=action, mark="b" * 32, title="stop", inputs={"job_id": JOB})
    take = ending.stop if action is Action.STOP else ending.savepoint
    return take(step, limit=timedelta(seconds=1), activity=SilentActivity()).format


@pytest.mark.parametrize("action", [Action.STOP, Action.SNAPSHOT])
@pytest.mark.parametrize("told", list(SnapshotFormat))
def test_a_savepoint_is_asked_for_in_the_format_that_was_told(action: Action, told: SnapshotFormat) -> None:
    on = cluster({"a": ()})
    assert ended(on, action, told) is told
    assert [given["format"] for given in on.asked] == [told.upper()]


def test_of_a_savepoint_that_was_asked_for_before_the_format_is_looked_up() -> None:
    """The job has ended: its format cannot be told any more, and the trigger joins the first one."""
    for on, told in ((cluster({"a": ()}, acknowledged_ago_ms=1), SnapshotFormat.NATIVE), (cluster({"a": ()}), None)):
        ending = Ending(rest=cast("FlinkRest", on), clock=on.clock, target="prod", directory=None)
        step = Step(action=Action.STOP, mark="b" * 32, title="stop", inputs={"job_id": JOB})
        found = ending.await_savepoint(step, limit=timedelta(seconds=1), activity=SilentActivity(), what="the stop")
        assert (found.format, on.asked) == (told, [])


def test_where_it_is_not_told_a_canonical_one_is_asked_for_and_nothing_is_claimed() -> None:
    on = cluster({"a": ()}, acknowledged_ago_ms=1)
    assert ended(on, Action.STOP, None) is None
    assert [given["format"] for given in on.asked] == ["CANONICAL"]
