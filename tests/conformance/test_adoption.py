"""A real job whose journal is gone is adopted as it runs and then upgraded, and no record is lost or there twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from scurry.engine.adoption import Wanted
from scurry.model.errors import Refused
from scurry.model.plan import Plan
from scurry.model.result import ApplyOutcome
from scurry.model.snapshot import SnapshotKind
from scurry.workspace import Workspace
from tests.conformance.stage import Ledger, is_same
from tests.flink.local_flink import until

pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(600)]

LATEST = Wanted(job="latest")


def _lose_the_journal(ledger: Ledger) -> None:
    for file in (ledger.stage.folder / ".scurry").glob("journal.db*"):
        file.unlink()


def _on_rest(ledger: Ledger, folder: Path) -> Workspace:
    """Another project, on another machine as it were: it knows the cluster's address, and has no journal."""
    folder.mkdir()
    url = ledger.stage.cluster().rest_url
    savepoints = ledger.stage.folder / "rest-savepoints"
    (folder / "scurry.yaml").write_text(
        f"target: cluster\ntargets: {{cluster: {{kind: rest, url: '{url}', savepoints: '{savepoints}'}}}}\n"
    )
    return Workspace.open(folder)


def test_a_lost_journal_is_rebuilt_from_what_the_cluster_shows(ledger: Ledger) -> None:
    ledger.converge("label=a")
    taken = ledger.verb("take_snapshot").snapshot
    before = ledger.job()
    assert taken
    _lose_the_journal(ledger)
    with pytest.raises(Refused, match="scurry did not start"):
        ledger.apply("label=a")

    ledger.stage.open().adopt(ledger.spec, LATEST, confirm=lambda plan: True)

    assert ledger.job().id == before.id, "nothing was stopped"
    savepoints = [s for s in ledger.stage.open().snapshots(ledger.name) if s.kind is SnapshotKind.SAVEPOINT]
    assert [is_same(found.location, taken.location) for found in savepoints] == [True]
    assert ledger.stage.open().plan(ledger.spec).is_converged, "all that can be seen is as the spec says"
    upgraded = ledger.converge("label=b")
    assert upgraded.snapshot
    assert is_same(ledger.job().restored_from, upgraded.snapshot.location)
    assert ledger.verb("rollback").outcome is ApplyOutcome.CONVERGED
    ledger.goes_on()


def test_what_a_job_was_started_from_and_the_job_before_it_left_come_back_as_well(ledger: Ledger) -> None:
    first = ledger.converge("label=a")
    early = ledger.verb("take_snapshot").snapshot
    second = ledger.converge("label=b")
    assert early
    assert second.snapshot
    _lose_the_journal(ledger)

    ledger.stage.open().adopt(ledger.spec, LATEST, confirm=lambda plan: True)

    found = [snapshot.location for snapshot in ledger.stage.open().snapshots(ledger.name)]
    assert any(is_same(location, second.snapshot.location) for location in found)
    assert any(is_same(location, early.location) for location in found), "of the job before, by the id in its name"
    assert first.job_id != second.job_id
    ledger.converge("label=c")


def test_another_project_adopts_it_by_the_address_and_puts_right_what_differs(ledger: Ledger, tmp_path: Path) -> None:
    ledger.converge("label=a")
    before = ledger.job()
    elsewhere = _on_rest(ledger, tmp_path / "elsewhere")
    ledger.write("label=a", parallelism=2)
    spec = ledger.spec.read_text().replace("interval: 300ms", "interval: 500ms")
    (elsewhere.project.root / "ledger-0.jar").write_bytes((ledger.stage.folder / "ledger-0.jar").read_bytes())
    file = elsewhere.project.root / "app.yaml"
    file.write_text(spec)
    shown: list[Plan] = []

    def confirm(plan: Plan) -> bool:
        shown.append(plan)
        return True

    elsewhere.adopt(file, Wanted(job=before.id[:8]), confirm=confirm)

    differences = {(item.field, item.before, item.after) for item in shown[0].changes[0].differences}
    assert differences == {
        ("parallelism", "1", "2"),
        ("config.execution.checkpointing.interval", "300 ms", "500ms"),
    }
    applied = elsewhere.apply(file, confirm=lambda plan: True)
    assert applied.outcome is ApplyOutcome.CONVERGED, applied
    assert applied.snapshot
    assert applied.snapshot.job_id == before.id
    last = ledger.last()
    observed, _ = elsewhere.observe(ledger.name)
    assert observed.live
    assert observed.live.parallelism == 2
    jobs = elsewhere.target("cluster").survey().values()
    assert [job.id for job in jobs if job.name == ledger.name and not job.state.is_terminal] == [observed.live.id]
    until(lambda: ledger.last() > last, "it commits more")
    ledger.check()


def test_the_state_of_a_job_that_runs_no_more_is_adopted(ledger: Ledger) -> None:
    ledger.converge("label=a")
    stopped = ledger.verb("stop").snapshot
    assert stopped
    _lose_the_journal(ledger)

    ledger.stage.open().adopt(ledger.spec, Wanted(state=stopped.location), confirm=lambda plan: True)

    applied = ledger.converge("label=b")
    assert applied.outcome is ApplyOutcome.CONVERGED
    assert is_same(ledger.job().restored_from, stopped.location)
