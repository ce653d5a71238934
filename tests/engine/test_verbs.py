"""The verbs that go back: to which revision, from which state, and what they say is lost."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from scurry.engine import verbs
from scurry.engine.planner import make_plan
from scurry.model.desired import UpgradeMode
from scurry.model.errors import NothingToRollBackTo, Refused, SnapshotNotFound
from scurry.model.journal import History, Revision, RevisionOutcome
from scurry.model.observed import Job, JobState, Observed
from scurry.model.operation import Resume, Suspend, Upgrade
from scurry.model.plan import Change
from scurry.model.snapshot import FromLatest, FromSnapshot, Stateless
from tests.engine.test_recovery import (
    CHECKPOINT,
    JOB_ID,
    NOW,
    OLD_ID,
    STOPPED_AT,
    ago,
    history,
    job,
    revision,
    snapshot,
    wish,
)

OWN = snapshot(at=ago(hours=2), job_id=OLD_ID)
SEEN = Observed(jobs=(job(),))
SICK = Observed(jobs=(job(JobState.RESTARTING, vertices_running=0),))
GONE = Observed()


def first(**changes: object) -> Revision:
    return msgspec.structs.replace(revision(1, age=timedelta(days=9)), snapshot=OWN, **changes)


def back(seen: Observed, past: History | None = None, *, to: Revision | None = None, source: str = "latest") -> Change:
    plan = verbs.plan_rollback(seen, past or history(), now=NOW, to=to, source=source)
    (change,) = plan.changes
    return change


def told(change: Change) -> str:
    return " ".join(change.consequences)


def test_a_rollback_takes_the_state_of_now_along_and_says_so() -> None:
    change = back(SEEN, to=first())
    assert isinstance(change.operation, Upgrade)
    assert (change.operation.rollback_to, change.operation.restore) == (1, FromLatest())
    assert "nothing is lost or processed again" in told(change)


def test_a_rollback_of_what_cannot_write_a_savepoint_says_what_is_processed_again() -> None:
    change = back(SICK)
    assert isinstance(change.operation, Upgrade)
    assert (change.operation.restore, change.operation.mode) == (FromLatest(), UpgradeMode.LAST_STATE)
    assert "What was processed in the 30 s since then is processed again, and lost if the sources" in told(change)


def test_a_rollback_to_its_own_snapshot_says_how_much_is_processed_again() -> None:
    change = back(SEEN, to=first(), source="own")
    assert isinstance(change.operation, Upgrade)
    assert change.operation.restore == FromSnapshot(snapshot=OWN)
    assert "What was processed in the 2 h since then is processed again" in told(change)
    resumed = back(GONE, history(stopped=True), to=first(), source="own")
    assert resumed.operation == Resume(desired=first().desired, restore=FromSnapshot(snapshot=OWN))


def test_a_revision_whose_own_snapshot_is_gone_is_refused_with_it() -> None:
    with pytest.raises(SnapshotNotFound, match="no snapshot that revision 1 has left") as caught:
        back(SEEN, to=revision(1, age=timedelta(days=9)), source="own")
    assert "scurry snapshot list shop" in (caught.value.hint or "")


@pytest.mark.parametrize("outcome", [RevisionOutcome.BAD, RevisionOutcome.REFUSED, RevisionOutcome.PENDING])
def test_a_revision_that_was_never_healthy_is_refused(outcome: RevisionOutcome) -> None:
    with pytest.raises(Refused, match=f"revision 1 is {outcome.value}, not healthy: boom"):
        back(SEEN, to=first(outcome=outcome, error="boom"))


def test_the_revision_that_runs_is_refused_unless_it_is_sick_or_another_state_is_named() -> None:
    current = history().current
    with pytest.raises(Refused, match="revision 2 is the one that runs"):
        back(SEEN, to=current)
    assert isinstance(back(SICK, to=current).operation, Upgrade)
    assert isinstance(back(SEEN, to=current, source=CHECKPOINT.location).operation, Upgrade)


def test_without_an_earlier_revision_there_is_nowhere_to_go() -> None:
    with pytest.raises(NothingToRollBackTo):
        back(SEEN, history(earlier=False))


def test_a_rollback_of_what_was_stopped_loses_nothing_and_says_nothing_of_a_loss() -> None:
    stopped = snapshot(at=ago(minutes=3))
    change = back(GONE, history(stopped=True, snapshots=(stopped,)))
    assert "processed again" not in told(change)
    failed = back(Observed(jobs=(job(JobState.FAILED),)))
    assert "processed again" in told(failed)


def restarted(seen: Observed, source: str = "latest") -> Change:
    (change,) = verbs.plan_restart(seen, history(), now=NOW, source=source).changes
    return change


def test_a_restart_from_a_snapshot_says_what_is_processed_again() -> None:
    assert "since then is processed again" in told(restarted(SEEN, CHECKPOINT.location))
    none = restarted(SEEN, "none")
    assert isinstance(none.operation, Upgrade)
    assert isinstance(none.operation.restore, Stateless)
    assert "It starts with NO state." in told(none)


def test_a_job_in_a_restart_loop_is_restarted_from_its_newest_checkpoint_without_a_savepoint() -> None:
    operation = restarted(SICK).operation
    assert isinstance(operation, Upgrade)
    assert (operation.mode, operation.restore) == (UpgradeMode.LAST_STATE, FromLatest())
    sound = restarted(SEEN).operation
    assert isinstance(sound, Upgrade)
    assert sound.mode is UpgradeMode.SAVEPOINT


def without_snapshot(seen: Job) -> str:
    past = history(restored=None)
    plan = verbs.plan_stop(Observed(jobs=(seen,)), past, now=NOW, snapshot=False, drain=False)
    return told(plan.changes[0])


def test_a_stop_without_a_snapshot_says_what_is_dropped_and_what_stays() -> None:
    some = without_snapshot(job())
    assert "WHAT IT DID IN THE LAST 30 s IS DROPPED; what stays is the checkpoint" in some
    assert CHECKPOINT.location in some
    assert "ALL OF ITS STATE IS DROPPED" in without_snapshot(job(latest_checkpoint=None))


def test_a_job_in_a_restart_loop_is_stopped_with_its_newest_checkpoint_kept() -> None:
    (change,) = verbs.plan_stop(SICK, history(), now=NOW, snapshot=True, drain=False).changes
    assert change.operation == Suspend(job_id=JOB_ID, snapshot=False)
    assert "can write no savepoint" in told(change)
    assert CHECKPOINT.location in told(change)
    bare = Observed(jobs=(msgspec.structs.replace(SICK.jobs[0], latest_checkpoint=None),))
    (tried,) = verbs.plan_stop(bare, history(restored=None), now=NOW, snapshot=True, drain=False).changes
    assert tried.operation == Suspend(job_id=JOB_ID, snapshot=True), "never dropped unasked"


LOOPING = Observed(jobs=(job(failed_s_ago=(5, 25, 45)),))


@pytest.mark.parametrize("seen", [SICK, LOOPING])
def test_a_correction_of_a_job_in_a_restart_loop_goes_on_from_its_newest_checkpoint(seen: Observed) -> None:
    plan = make_plan(wish(3), seen, history(), now=NOW)
    (change,) = plan.changes
    assert isinstance(change.operation, Upgrade)
    assert (change.operation.mode, change.operation.restore) == (UpgradeMode.LAST_STATE, FromLatest())
    assert "can write no savepoint" in told(change)
    assert "30 s old" in told(change)


def test_a_correction_of_a_job_without_any_checkpoint_goes_on_from_what_that_started_from() -> None:
    bare = Observed(jobs=(msgspec.structs.replace(SICK.jobs[0], latest_checkpoint=None),))
    (change,) = make_plan(wish(3), bare, history(), now=NOW).changes
    assert isinstance(change.operation, Upgrade)
    assert change.operation.restore == FromSnapshot(snapshot=STOPPED_AT)
    (nothing,) = make_plan(wish(3), bare, history(restored=None), now=NOW).changes
    assert isinstance(nothing.operation, Upgrade)
    assert nothing.operation.mode is UpgradeMode.SAVEPOINT, "it is tried, and refused by Flink"
