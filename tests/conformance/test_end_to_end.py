"""The verbs on a real Flink, each as a new command: what they change, and that no record is lost or there twice."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from scurry.model.errors import PlanError, Refused
from scurry.model.journal import RevisionOutcome
from scurry.model.observed import Phase
from scurry.model.result import ApplyOutcome
from scurry.model.snapshot import SnapshotKind
from tests.conformance.ledger import check, committed
from tests.conformance.stage import Ledger, Stage, is_same
from tests.flink.local_flink import until

pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(600)]


def test_an_upgrade_goes_on_from_the_savepoint_of_its_own_stop(ledger: Ledger) -> None:
    first = ledger.converge("label=a")
    assert (first.revision, first.gap_s) == (1, None)
    assert ledger.apply("label=a").outcome is ApplyOutcome.UNCHANGED
    assert ledger.job().id == first.job_id

    second = ledger.converge("label=b")

    assert second.revision == 2
    assert second.gap_s is not None
    assert 0 < second.gap_s < 60
    assert second.snapshot
    assert (second.snapshot.kind, second.snapshot.job_id) == (SnapshotKind.SAVEPOINT, first.job_id)
    job = ledger.job()
    assert job.id == second.job_id
    assert is_same(job.restored_from, second.snapshot.location)
    revisions, _ = ledger.stage.open().history(ledger.name)
    assert [(revision.number, revision.outcome) for revision in revisions] == [
        (2, RevisionOutcome.HEALTHY),
        (1, RevisionOutcome.HEALTHY),
    ]


def test_a_revision_that_fails_on_its_first_record_is_rolled_back_with_the_state(ledger: Ledger) -> None:
    ledger.converge("label=good")

    bad = ledger.apply("label=bad", "fail=")

    assert bad.outcome is ApplyOutcome.ROLLED_BACK
    assert bad.error
    assert "told to fail at number" in bad.error.message
    assert bad.snapshot
    assert is_same(ledger.job().restored_from, bad.snapshot.location)
    ledger.goes_on()
    revisions, _ = ledger.stage.open().history(ledger.name)
    assert [revision.outcome for revision in revisions] == [
        RevisionOutcome.HEALTHY,
        RevisionOutcome.BAD,
        RevisionOutcome.HEALTHY,
    ]
    assert revisions[0].desired == revisions[2].desired

    assert ledger.apply("label=bad", "fail=").outcome is ApplyOutcome.ROLLED_BACK, "again, and as well as before"
    ledger.goes_on()
    assert ledger.converge("label=better").revision == revisions[0].number + 3


def test_a_rollback_by_hand_takes_the_state_along(ledger: Ledger) -> None:
    ledger.converge("label=a")
    ledger.converge("label=b")

    back = ledger.verb("rollback")

    assert back.outcome is ApplyOutcome.CONVERGED
    assert back.snapshot
    assert is_same(ledger.job().restored_from, back.snapshot.location)
    ledger.goes_on()
    assert ledger.stage.open().plan(ledger.spec).changes, "the file still says the revision that was left"
    ledger.write("label=a")
    assert ledger.stage.open().plan(ledger.spec).is_converged


def test_a_stopped_application_starts_where_it_stopped(ledger: Ledger) -> None:
    ledger.converge("label=a")

    stopped = ledger.verb("stop")

    assert stopped.outcome is ApplyOutcome.SUSPENDED
    assert ledger.status().phase is Phase.SUSPENDED
    ledger.check()
    assert ledger.verb("stop").outcome is ApplyOutcome.UNCHANGED
    started = ledger.verb("start")
    assert stopped.snapshot
    assert is_same(ledger.job().restored_from, stopped.snapshot.location)
    assert started.revision == 1
    ledger.goes_on()


def test_a_job_that_was_cancelled_starts_from_its_newest_checkpoint(ledger: Ledger) -> None:
    ledger.converge("label=a")

    ledger.verb("stop", snapshot=False)

    newest = ledger.status().latest_snapshot
    assert newest
    assert newest.kind is SnapshotKind.CHECKPOINT
    ledger.verb("start")
    assert is_same(ledger.job().restored_from, newest.location)
    ledger.goes_on()


def test_scaling_there_and_back_moves_the_state(ledger: Ledger) -> None:
    ledger.converge("label=a")

    wider = ledger.verb("scale", 2)

    assert wider.outcome is ApplyOutcome.CONVERGED
    assert ledger.job().parallelism == 2
    ledger.verb("scale", 1)
    assert ledger.job().parallelism == 1
    ledger.verb("stop")
    check(committed(ledger.output))


def test_last_state_goes_on_from_the_newest_checkpoint(ledger: Ledger) -> None:
    first = ledger.converge("label=a", mode="last-state")

    second = ledger.converge("label=b", mode="last-state")

    assert second.snapshot
    assert (second.snapshot.kind, second.snapshot.job_id) == (SnapshotKind.CHECKPOINT, first.job_id)
    assert is_same(ledger.job().restored_from, second.snapshot.location)


def test_snapshots_are_taken_listed_and_dropped_when_nothing_needs_them(ledger: Ledger) -> None:
    ledger.converge("label=a")
    older = ledger.verb("take_snapshot").snapshot
    newer = ledger.verb("take_snapshot").snapshot
    assert older
    assert newer
    listed = [snapshot.location for snapshot in ledger.stage.open().snapshots(ledger.name)]
    assert {older.location, newer.location} <= set(listed)

    with pytest.raises(Refused, match="newest"):
        ledger.verb("drop_snapshot", newer.location)
    ledger.verb("drop_snapshot", older.location.rpartition("/")[2])

    assert Path(newer.location.removeprefix("file:")).exists()
    assert not Path(older.location.removeprefix("file:")).exists()
    assert older.location not in [snapshot.location for snapshot in ledger.stage.open().snapshots(ledger.name)]
    ledger.goes_on()


def test_what_is_deleted_is_forgotten_but_for_its_state(ledger: Ledger) -> None:
    ledger.converge("label=a")

    deleted = ledger.verb("delete")

    assert deleted.snapshot
    assert Path(deleted.snapshot.location.removeprefix("file:")).exists()
    ledger.check()
    with pytest.raises(PlanError, match="no application"):
        ledger.verb("start")
    ledger.converge("label=a")
    assert is_same(ledger.job().restored_from, deleted.snapshot.location)


def test_an_upgrade_that_cannot_start_leaves_the_job_alone(ledger: Ledger) -> None:
    first = ledger.converge("label=a")

    with pytest.raises(Exception, match="told to fail"):
        ledger.apply("label=b", "fail-main=")

    job = ledger.job()
    assert (job.id, job.restarts) == (first.job_id, 0)
    ledger.goes_on()


def test_after_the_job_manager_was_killed_it_goes_on_from_the_newest_state(ledger: Ledger, stage: Stage) -> None:
    ledger.converge("label=a")
    before = stage.cluster().job_manager
    stage.kill("jobmanager", signal.SIGKILL)
    assert ledger.status().phase is Phase.LOST

    ledger.converge("label=a")

    assert stage.cluster().job_manager != before
    restored = ledger.job().restored_from
    assert restored
    assert "/chk-" in restored


def test_a_killed_task_manager_is_replaced_by_the_next_apply(ledger: Ledger, stage: Stage) -> None:
    first = ledger.converge("label=a")
    stage.kill("taskmanager-1", signal.SIGKILL)
    until(lambda: ledger.job().vertices_running == 0, "Flink has noticed")

    assert ledger.apply("label=a").error is None

    ledger.goes_on()
    job = ledger.job()
    assert job.id == first.job_id
    assert stage.cluster().is_whole
    ledger.converge("label=b")
