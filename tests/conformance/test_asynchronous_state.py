"""Jobs with asynchronous state (Flink 2): Flink cannot write it canonically, and fails the job that is asked to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from scurry.flink.connection import RestSettings
from scurry.flink.rest import FlinkRest
from scurry.flink.runtimes import Runtimes
from scurry.model.compatibility import Fit, Weight
from scurry.model.errors import IncompatibleState
from scurry.model.result import Applied, ApplyOutcome
from scurry.model.snapshot import SnapshotFormat
from scurry.savepoints.snapshot import read_snapshot
from scurry.savepoints.storage import AnyStorage
from scurry.workspace import Workspace
from tests.conformance.stage import PROJECT, VERSION
from tests.flink.local_flink import stopped_afterwards, until
from tests.targets.probe import jar_of, probe_jar

pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(600)]

SPEC = """\
name: {name}
flink: "{version}"
code: {{jar: {jar}, args: {args}}}
config: {{execution.checkpointing.interval: 300ms, state.backend.type: {backend}}}
upgrade: {{health: {{window: 60s, hold: 3s}}}}
"""
SCRIPT = """\
CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '50', 'fields.n.max' = '9');
CREATE TABLE counts (n BIGINT, c BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO counts SELECT n, COUNT(*) FROM numbers GROUP BY n;
"""
SQL = """\
name: sql
flink: "{version}"
code: {{sql: counts.sql}}
config: {{execution.checkpointing.interval: 300ms, table.exec.async-state.enabled: "true"}}
upgrade: {{health: {{window: 60s}}}}
"""
NATIVE = "The savepoint is a native one: the job keeps asynchronous state"


class Shop:
    """A project with an application that keeps asynchronous state, and one that keeps none."""

    def __init__(self, folder: Path, jars: dict[str, Path]) -> None:
        self.folder = folder
        self.jars = jars
        (folder / "scurry.yaml").write_text(PROJECT)

    def write(self, name: str, *args: str, backend: str = "rocksdb") -> Path:
        spec = self.folder / f"{name}.yaml"
        spec.write_text(
            SPEC.format(name=name, version=VERSION, jar=self.jars[name], args=json.dumps(args), backend=backend)
        )
        return spec

    def open(self) -> Workspace:
        return Workspace.open(self.folder)

    def apply(self, name: str, *args: str) -> Applied:
        applied = self.open().apply(self.write(name, *args), confirm=lambda plan: True)
        assert applied.outcome is ApplyOutcome.CONVERGED, applied
        return applied

    def told(self, name: str, *args: str, backend: str = "rocksdb") -> str:
        plan = self.open().plan(self.write(name, *args, backend=backend))
        return " ".join(sentence for change in plan.changes for sentence in change.consequences)

    def restarts(self, name: str) -> int:
        observed, _ = self.open().observe(name)
        assert observed.live
        return observed.live.restarts


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, runtimes: Runtimes) -> Iterator[Shop]:
    """Both run."""
    folder = tmp_path_factory.mktemp("async")
    source = Path(__file__).parent / "applications" / "Asynchronous.java"
    with stopped_afterwards(folder / ".scurry"):
        shop = Shop(folder, {"async": jar_of(source, runtimes, VERSION), "plain": probe_jar(runtimes, VERSION)})
        shop.apply("async")
        shop.apply("plain")
        yield shop


def test_an_upgrade_takes_a_native_savepoint_and_says_so_and_the_state_goes_on(shop: Shop) -> None:
    assert NATIVE in shop.told("async", "going-on")
    applied = shop.apply("async", "going-on")
    assert applied.snapshot
    assert applied.snapshot.format is SnapshotFormat.NATIVE
    assert read_snapshot(applied.snapshot.location, AnyStorage()).format is SnapshotFormat.NATIVE
    shop.apply("async", "going-on", "once-more")


def test_a_snapshot_leaves_the_job_running(shop: Shop) -> None:
    before = shop.restarts("async")
    taken = shop.open().take_snapshot("async", confirm=lambda plan: NATIVE in str(plan)).snapshot
    assert taken
    assert taken.format is SnapshotFormat.NATIVE
    assert shop.restarts("async") == before


def test_another_state_backend_is_refused_before_the_stop(shop: Shop) -> None:
    observed, _ = shop.open().observe("async")
    with pytest.raises(IncompatibleState, match="nothing was stopped"):
        shop.open().apply(shop.write("async", "going-on", backend="hashmap"), confirm=lambda plan: True)
    (change,) = shop.open().plan(shop.write("async", "going-on", backend="hashmap")).changes
    assert change.compatibility
    assert change.compatibility.fit is Fit.BLOCKED
    assert any(remark.weight is Weight.BLOCKS for remark in change.compatibility.remarks)
    after, _ = shop.open().observe("async")
    assert observed.live
    assert after.live
    assert after.live.id == observed.live.id


def test_a_job_that_is_stopped_and_started_goes_on(shop: Shop) -> None:
    shop.apply("async", "going-on")
    stopped = shop.open().stop("async", confirm=lambda plan: True)
    assert stopped.snapshot
    assert stopped.snapshot.format is SnapshotFormat.NATIVE
    started = shop.open().start("async", confirm=lambda plan: True)
    assert started.outcome is ApplyOutcome.CONVERGED, started


def test_a_job_without_such_state_has_canonical_savepoints(shop: Shop) -> None:
    assert NATIVE not in shop.told("plain", "again")
    taken = shop.open().take_snapshot("plain", confirm=lambda plan: NATIVE not in str(plan)).snapshot
    assert taken
    assert taken.format is SnapshotFormat.CANONICAL


def test_a_script_whose_state_is_asynchronous_has_native_ones_too(shop: Shop) -> None:
    shop.open().stop("plain", snapshot=False, confirm=lambda plan: True)
    (shop.folder / "counts.sql").write_text(SCRIPT)
    spec = shop.folder / "sql.yaml"
    spec.write_text(SQL.format(version=VERSION))
    applied = shop.open().apply(spec, confirm=lambda plan: True)
    assert applied.outcome is ApplyOutcome.CONVERGED, applied
    stopped = shop.open().stop("sql", confirm=lambda plan: NATIVE in str(plan)).snapshot
    assert stopped
    assert stopped.format is SnapshotFormat.NATIVE
    started = shop.open().start("sql", confirm=lambda plan: True)
    assert started.outcome is ApplyOutcome.CONVERGED, started
    shop.open().stop("sql", snapshot=False, confirm=lambda plan: True)


def test_flink_itself_fails_the_job_when_it_is_asked_for_a_canonical_one(shop: Shop) -> None:
    """Should it ever not, none of this is needed any more."""
    job = shop.open().observe("async")[0].live
    cluster = shop.open().local_clusters.find(VERSION)
    assert job
    assert cluster
    with FlinkRest(RestSettings(url=cluster.rest_url)) as rest:
        rest.trigger_savepoint(job.id, trigger_id="ab" * 16, directory=str(shop.folder), format="CANONICAL")
        until(lambda: rest.savepoint_status(job.id, "ab" * 16).completed, "it has ended")
        operation = rest.savepoint_status(job.id, "ab" * 16).operation
    assert operation
    assert operation.location is None
