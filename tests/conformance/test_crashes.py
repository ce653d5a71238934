"""`scurry apply` is killed as by kill -9 at every delicate moment of an upgrade; the next one has to go on from there.

What that means: one job runs, it is the new revision's, it has the state of the old one, and no record is lost or
processed twice.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from scurry.model.errors import PlanOutdated
from scurry.model.journal import RevisionOutcome
from scurry.model.operation import Action
from scurry.model.result import ApplyOutcome
from scurry.model.snapshot import SnapshotKind
from tests.conformance.stage import Ledger, Stage, is_same

pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(600)]

MOMENTS = [
    "upload:sent",
    "check:landed",
    "stop:started",
    "stop:landed",
    "stop:journalled",
    "submit:started",
    "submit:sent",
    "submit:landed",
    "health",
]


@pytest.fixture(scope="module")
def survivor(stage: Stage) -> Iterator[Ledger]:
    """An application that lives through all of it."""
    ledger = Ledger(stage, "survivor")
    ledger.converge("label=first")
    yield ledger
    ledger.end()


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_upgrade_that_is_killed_is_carried_through_by_the_next_apply(moment: str, survivor: Ledger) -> None:
    label = f"label={moment}"
    before = survivor.job()
    build = MOMENTS.index(moment) + 1
    survivor.write(label, build=build)
    survivor.stage.killed_apply(moment, survivor.spec)

    applied = survivor.converge(label, build=build)

    assert applied.error is None
    job = survivor.job()
    assert job.id != before.id
    assert job.restored_from
    _, history = survivor.stage.open().observe(survivor.name)
    assert history.current
    assert history.current.desired.args[-1] == label
    assert history.current.outcome is RevisionOutcome.HEALTHY
    assert history.restored
    assert history.restored.job_id == before.id
    assert is_same(job.restored_from, history.restored.location)
    assert survivor.apply(label, build=build).outcome is ApplyOutcome.UNCHANGED


def test_a_stop_that_is_still_in_progress_is_waited_for(ledger: Ledger, stage: Stage) -> None:
    first = ledger.converge("label=a", "slow-snapshot=2000")
    ledger.write("label=b")
    stage.killed_apply("stop:sent", ledger.spec)

    second = ledger.converge("label=b")

    assert second.snapshot
    assert second.snapshot.job_id == first.job_id
    assert is_same(ledger.job().restored_from, second.snapshot.location)
    _, operations = stage.open().history(ledger.name)
    stops = [entry for record in operations for entry in record.steps if entry.step.action is Action.STOP]
    assert len(stops) == 1, "it was not stopped a second time"


@pytest.mark.parametrize("moment", ["cancel:sent", "cancel:landed"])
def test_a_killed_upgrade_by_last_state_goes_on_from_the_last_checkpoint(
    moment: str, ledger: Ledger, stage: Stage
) -> None:
    first = ledger.converge("label=a", mode="last-state")
    ledger.write("label=b", mode="last-state")
    stage.killed_apply(moment, ledger.spec)

    ledger.converge("label=b", mode="last-state")

    _, history = stage.open().observe(ledger.name)
    assert history.restored
    assert (history.restored.kind, history.restored.job_id) == (SnapshotKind.CHECKPOINT, first.job_id)
    assert is_same(ledger.job().restored_from, history.restored.location)


def test_a_job_that_nobody_knows_to_have_started_is_not_started_from_older_state(ledger: Ledger, stage: Stage) -> None:
    """Killed right after the submit; the job commits for a while; then its JobManager is killed, too."""
    ledger.converge("label=a")
    ledger.write("label=b")
    stage.killed_apply("submit:landed", ledger.spec)
    ledger.goes_on()
    stage.kill("jobmanager", signal.SIGKILL)

    ledger.converge("label=b")


@pytest.mark.parametrize("moment", ["stop:landed", "submit:sent"])
def test_with_its_flink_killed_too_it_goes_on_from_what_is_left_on_the_disk(
    moment: str, ledger: Ledger, stage: Stage
) -> None:
    first = ledger.converge("label=a")
    ledger.write("label=b")
    stage.killed_apply(moment, ledger.spec)
    stage.kill("jobmanager", signal.SIGKILL)

    ledger.converge("label=b")

    job = ledger.job()
    assert job.restored_from
    _, history = stage.open().observe(ledger.name)
    assert history.restored
    if moment != "submit:sent":  # its job may have started, and have a checkpoint of its own
        assert history.restored.job_id == first.job_id
    assert is_same(job.restored_from, history.restored.location)


def test_a_rollback_that_is_killed_is_carried_through(ledger: Ledger, stage: Stage) -> None:
    good = ledger.converge("label=good")
    ledger.write("label=bad", "fail=")
    stage.killed_apply("cancel:landed", ledger.spec)

    again = ledger.apply("label=bad", "fail=")

    assert again.outcome is ApplyOutcome.ROLLED_BACK
    assert ledger.job().id != good.job_id
    ledger.goes_on()


def test_another_revision_after_a_killed_submit_is_the_one_that_runs(ledger: Ledger, stage: Stage) -> None:
    """The submit that was on its way comes about while the file says something else already."""
    ledger.converge("label=a")
    ledger.write("label=b", "slow-main=4000")
    stage.killed_apply("submit:sent", ledger.spec)

    with pytest.raises(PlanOutdated, match="come about only now"):
        ledger.apply("label=c", parallelism=2)
    ledger.goes_on()
    assert ledger.job().parallelism == 1

    ledger.converge("label=c", parallelism=2)
    assert ledger.job().parallelism == 2
    ledger.verb("stop")
    ledger.check()
