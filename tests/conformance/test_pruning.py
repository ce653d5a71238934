"""Pruning on a real Flink: its files go, the job does not notice, and a rollback still works."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from scurry import pruning
from scurry.flink.connection import RestSettings
from scurry.flink.rest import FlinkRest
from scurry.model.leftover import Leftover, LeftoverKind
from scurry.model.result import ApplyOutcome
from scurry.model.snapshot import Snapshot
from scurry.targets.rest.places import local_path
from tests.conformance.stage import Ledger

pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(600)]


def _keep(ledger: Ledger, count: int) -> None:
    ledger.spec.write_text(f"{ledger.spec.read_text()}snapshots: {{keep: {count}}}\n")
    assert ledger.stage.open().apply(ledger.spec, confirm=lambda plan: True).error is None


def _take(ledger: Ledger) -> Path:
    found = ledger.verb("take_snapshot").snapshot
    assert found
    return _path(found)


def _path(snapshot: Snapshot) -> Path:
    path = local_path(snapshot.location)
    assert path
    return path


def _prune(ledger: Ledger) -> list[pruning.Deleted]:
    pruner = pruning.Pruner(ledger.stage.open())
    return list(pruner.carry_out(pruner.plan()))


def _uploads(ledger: Ledger) -> set[str]:
    with FlinkRest(RestSettings(url=ledger.stage.cluster().rest_url)) as rest:
        return {jar.name for jar in rest.jars()}


def test_files_of_dropped_savepoints_are_deleted_and_what_is_gone_already_counts(ledger: Ledger) -> None:
    ledger.converge("label=a")
    _keep(ledger, 1)
    gone, old, new = (_take(ledger) for _ in range(3))
    shutil.rmtree(gone)

    deleted = _prune(ledger)

    assert [found.error for found in deleted if found.application == ledger.name] == [None, None]
    assert (old.exists(), (new / "_metadata").exists()) == (False, True)
    assert sum(found.what.size_bytes or 0 for found in deleted) > 0
    ledger.goes_on()
    assert ledger.verb("restart").outcome is ApplyOutcome.CONVERGED
    ledger.goes_on()


def test_the_stop_of_an_upgrade_keeps_what_its_rollback_needs(ledger: Ledger) -> None:
    ledger.converge("label=a")
    ledger.converge("label=b")
    _keep(ledger, 1)
    _prune(ledger)
    assert ledger.verb("rollback").outcome is ApplyOutcome.CONVERGED
    ledger.goes_on()


def test_while_the_job_is_down_pruning_works_and_leaves_what_a_start_needs(ledger: Ledger) -> None:
    ledger.converge("label=a")
    _keep(ledger, 1)
    for _ in range(2):
        _take(ledger)
    stopped = ledger.verb("stop").snapshot
    assert stopped
    gone = [found for found in _prune(ledger) if found.application == ledger.name]
    assert len(gone) == 2
    assert ledger.verb("start").outcome is ApplyOutcome.CONVERGED
    ledger.goes_on()


def test_old_uploads_go_while_their_jobs_run_and_another_projects_stay(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for build in (1, 2, 3):
        ledger.converge("label=a", build=build)
    _keep(ledger, 1)
    foreign = tmp_path / "foreign.jar"
    shutil.copy(ledger.stage.folder / "ledger-1.jar", foreign)
    name = f"foreign-{'0' * 40}.jar"
    with FlinkRest(RestSettings(url=ledger.stage.cluster().rest_url)) as rest:
        rest.upload(foreign, name=name)
    before = _uploads(ledger)
    monkeypatch.setattr(pruning, "UNUSED", timedelta(0))

    deleted = _prune(ledger)

    leftovers = [found.what for found in deleted if isinstance(found.what, Leftover)]
    gone = {leftover.name for leftover in leftovers if leftover.kind is LeftoverKind.UPLOAD}
    assert any(jar.startswith("ledger-1") for jar in gone)
    assert _uploads(ledger) == before - gone
    assert name in _uploads(ledger)
    assert not any(jar.startswith("ledger-3") for jar in gone), "the revision that runs"
    ledger.goes_on()
    assert ledger.verb("rollback").outcome is ApplyOutcome.CONVERGED
    ledger.goes_on()


def test_checkpoints_that_cancelled_jobs_left_go_and_the_job_goes_on(ledger: Ledger) -> None:
    for label in "abc":
        ledger.converge(f"label={label}", mode="last-state")
    _keep(ledger, 1)
    ledger.verb("take_snapshot")
    checkpoints = {
        _path(snapshot) for snapshot in ledger.stage.open().snapshots(ledger.name) if "/chk-" in snapshot.location
    }
    gone = {_path(found.what) for found in _prune(ledger) if isinstance(found.what, Snapshot) and found.is_gone}
    assert gone, checkpoints
    assert gone <= checkpoints
    assert not any((path / "_metadata").exists() for path in gone)
    ledger.goes_on()
    assert ledger.verb("restart").outcome is ApplyOutcome.CONVERGED
    ledger.goes_on()
