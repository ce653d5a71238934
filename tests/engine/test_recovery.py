"""What the server does by itself about a job that went bad or is gone, as a table of situations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from scurry.engine.recovery import PROBATION, YOUNG, Alert, Decision, decide
from scurry.model.desired import (
    Artifact,
    ArtifactKind,
    Desired,
    DriftPolicy,
    RecoveryPolicy,
    UpgradeMode,
    UpgradePolicy,
)
from scurry.model.journal import History, Intent, OperationOutcome, OperationRecord, Revision, RevisionOutcome
from scurry.model.observed import Job, JobFailure, JobState, Observed
from scurry.model.operation import Operation, Resume, TakeSnapshot, Upgrade
from scurry.model.plan import Change, Plan
from scurry.model.snapshot import FromLatest, FromSnapshot, Snapshot, SnapshotKind, Stateless

NOW = datetime(2026, 1, 10, tzinfo=UTC)
JOB_ID, OLD_ID = "a" * 32, "b" * 32


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


def snapshot(kind: SnapshotKind = SnapshotKind.SAVEPOINT, *, at: datetime, job_id: str = JOB_ID) -> Snapshot:
    return Snapshot(kind=kind, location=f"{kind.value}@{at:%H:%M:%S}", taken_at=at, job_id=job_id)


CHECKPOINT = snapshot(SnapshotKind.CHECKPOINT, at=ago(seconds=30))
STOPPED_AT = snapshot(at=ago(hours=30), job_id=OLD_ID)


def wish(number: int, **changes: Any) -> Desired:
    artifact = Artifact(kind=ArtifactKind.JAR, digest=f"sha256:{number}", file_name="shop.jar", size_bytes=1)
    desired = Desired(application="shop", target="mem", flink_version="2.3.0", artifact=artifact)
    return msgspec.structs.replace(desired, **changes)


def revision(number: int, *, age: timedelta, **changes: Any) -> Revision:
    return Revision(
        number=number,
        desired=wish(number, **changes),
        applied_at=NOW - age,
        applied_by="anna",
        outcome=RevisionOutcome.HEALTHY,
    )


def history(*, age: timedelta = timedelta(days=3), earlier: bool = True, **changes: Any) -> History:
    """The history of an application at its second revision; keys of the wish by their names."""
    keys = {key: changes.pop(key) for key in ("recovery", "drift", "upgrade") if key in changes}
    current = revision(2, age=age, **keys)
    previous = revision(1, age=timedelta(days=9)) if earlier else None
    found = History(
        application="shop",
        intent=Intent.RUN,
        position=7,
        current=current,
        healthy=current,
        previous_healthy=previous,
        job_id=JOB_ID,
        marks=(JOB_ID, OLD_ID),
        restored=STOPPED_AT,
    )
    return msgspec.structs.replace(found, **changes)


def job(state: JobState = JobState.RUNNING, *, failed_s_ago: tuple[float, ...] = (), **changes: Any) -> Job:
    failures = tuple(JobFailure(at=ago(seconds=s), message="boom") for s in failed_s_ago)
    found = Job(
        id=JOB_ID,
        name="shop",
        state=state,
        vertices=1,
        vertices_running=1,
        restarts=len(failures),
        failures=failures,
        latest_checkpoint=CHECKPOINT,
    )
    return msgspec.structs.replace(found, **changes)


LOOPING = job(failed_s_ago=(5, 25, 45))


def done(operation: Operation, *, at: datetime, outcome: OperationOutcome = OperationOutcome.DONE) -> OperationRecord:
    return OperationRecord(
        id=1,
        application="shop",
        operation=operation,
        reason="its job has failed",
        revision=2,
        started_at=at,
        started_by="server",
        finished_at=at,
        outcome=outcome,
    )


def recovered(at: datetime) -> OperationRecord:
    return done(Resume(desired=wish(2), restore=FromSnapshot(snapshot=CHECKPOINT), recovery=True), at=at)


def decided(seen: Job | None, past: History | None = None, *operations: OperationRecord, **more: Any) -> Decision:
    observed = Observed(jobs=(seen,) if seen else (), **more)
    return decide(observed, past or history(), operations, now=NOW)


def change(decision: Decision) -> Change:
    assert isinstance(decision, Plan), decision
    (only,) = decision.changes
    return only


def alert(decision: Decision) -> Alert:
    assert isinstance(decision, Alert), decision
    assert decision.reason
    assert "\n  scurry " in decision.todo, "the command is on a line of its own"
    return decision


# Nothing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seen",
    [
        job(),
        job(failed_s_ago=(5,)),
        job(JobState.RESTARTING, failed_s_ago=(5, 25)),
        job(failed_s_ago=(5, 400, 3000)),
        job(failed_s_ago=(3600, 3620, 3640)),
        job(JobState.FINISHED),
        job(JobState.CANCELLING, failed_s_ago=(5, 25, 45)),
    ],
)
def test_a_job_that_runs_or_only_stumbles_is_left_alone(seen: Job) -> None:
    assert decided(seen) is None


@pytest.mark.parametrize(
    "past",
    [
        history(intent=Intent.SUSPEND, stopped=True),
        history(intent=Intent.ABSENT),
        History(application="shop"),
        history(last=msgspec.structs.replace(recovered(NOW), finished_at=None, outcome=None)),
    ],
)
def test_what_a_person_stopped_or_a_crash_left_open_is_not_touched(past: History) -> None:
    assert decided(None, past) is None
    assert decided(LOOPING, past) is None


def test_of_a_target_that_does_not_answer_nothing_is_decided() -> None:
    assert decided(None, reachable=False) is None


# A restart loop ------------------------------------------------------------------------------------------------


def test_an_old_revision_in_a_loop_is_started_again_from_its_newest_checkpoint() -> None:
    plan = decided(LOOPING)
    only = change(plan)
    operation = only.operation
    assert isinstance(operation, Upgrade)
    assert operation == Upgrade(
        desired=wish(2), restore=FromLatest(), mode=UpgradeMode.LAST_STATE, job_id=JOB_ID, recovery=True
    )
    assert only.reason == "the job restarted 3 times: boom; start it again from its newest state"
    assert isinstance(plan, Plan)
    assert (plan.position, plan.target, plan.snapshot) == (7, "mem", CHECKPOINT)


@pytest.mark.parametrize("since_third_restart_s", [0, 30, 59])
def test_a_loop_is_found_within_a_minute_of_the_third_restart(since_third_restart_s: int) -> None:
    seen = job(failed_s_ago=tuple(since_third_restart_s + age for age in (1, 61, 121)))
    assert isinstance(decided(seen), Plan)


def test_a_young_revision_in_a_loop_is_rolled_back_with_its_newest_state() -> None:
    operation = change(decided(LOOPING, history(age=YOUNG - timedelta(seconds=1)))).operation
    assert isinstance(operation, Upgrade)
    assert (operation.desired, operation.rollback_to, operation.restore) == (wish(1), 1, FromLatest())
    assert operation.mode is UpgradeMode.LAST_STATE


@pytest.mark.parametrize(
    "past",
    [
        history(age=YOUNG),
        history(age=timedelta(hours=1), earlier=False),
        history(age=timedelta(hours=1), upgrade=UpgradePolicy(rollback=False)),
    ],
)
def test_it_is_not_rolled_back_when_it_is_old_or_nothing_is_before_it_or_the_spec_forbids_it(past: History) -> None:
    operation = change(decided(LOOPING, past)).operation
    assert isinstance(operation, Upgrade)
    assert (operation.desired.artifact, operation.rollback_to) == (wish(2).artifact, None)


def test_with_rollback_as_its_policy_an_old_revision_is_rolled_back_too() -> None:
    operation = change(decided(LOOPING, history(recovery=RecoveryPolicy.ROLLBACK))).operation
    assert isinstance(operation, Upgrade)
    assert operation.rollback_to == 1
    without = change(decided(LOOPING, history(recovery=RecoveryPolicy.ROLLBACK, earlier=False))).operation
    assert isinstance(without, Upgrade)
    assert without.rollback_to is None


def test_with_alert_as_its_policy_a_person_is_told_and_nothing_else() -> None:
    found = alert(decided(LOOPING, history(recovery=RecoveryPolicy.ALERT, age=timedelta(hours=1))))
    assert found.code == "restart-loop"
    assert "boom" in found.reason


@pytest.mark.parametrize("age", [timedelta(days=3), timedelta(hours=1)])
def test_what_goes_bad_again_soon_after_a_recovery_is_told_instead(age: timedelta) -> None:
    snapshots = [done(TakeSnapshot(job_id=JOB_ID), at=ago(minutes=n)) for n in range(5)]
    soon = alert(decided(LOOPING, history(age=age), *snapshots, recovered(NOW - PROBATION + timedelta(seconds=1))))
    assert soon.code == "restart-loop"
    assert isinstance(decided(LOOPING, history(age=age), *snapshots, recovered(NOW - PROBATION)), Plan)


def test_a_start_by_a_person_is_no_recovery() -> None:
    by_hand = done(Resume(desired=wish(2), restore=FromLatest()), at=ago(minutes=1))
    assert isinstance(decided(LOOPING, None, by_hand), Plan)


FULL = "java.io.IOException: No space left on device"


def of_cluster(state: JobState = JobState.RUNNING) -> Job:
    seen = job(state, failed_s_ago=(5, 25, 45))
    return msgspec.structs.replace(
        seen, failures=tuple(msgspec.structs.replace(failure, causes=FULL) for failure in seen.failures)
    )


def test_against_what_is_wrong_with_the_cluster_no_revision_is_tried() -> None:
    found = alert(decided(of_cluster(), history(age=timedelta(hours=1))))
    assert found.code == "cluster"
    assert "disk is full" in found.reason


def test_a_job_that_failed_for_its_cluster_goes_on_as_the_same_revision() -> None:
    operation = change(decided(of_cluster(JobState.FAILED), history(age=timedelta(hours=1)))).operation
    assert isinstance(operation, Resume)
    assert operation.desired == wish(2)


def test_a_savepoint_that_is_newer_than_the_checkpoint_is_gone_on_from() -> None:
    newer = snapshot(at=ago(seconds=10))
    operation = change(decided(LOOPING, history(snapshots=(newer,)))).operation
    assert isinstance(operation, Upgrade)
    assert operation.restore == FromSnapshot(snapshot=newer)


def test_without_a_checkpoint_of_its_own_it_goes_back_to_what_it_started_from() -> None:
    operation = change(decided(msgspec.structs.replace(LOOPING, latest_checkpoint=None))).operation
    assert isinstance(operation, Upgrade)
    assert operation.restore == FromSnapshot(snapshot=STOPPED_AT)


@pytest.mark.parametrize("age", [timedelta(days=3), timedelta(hours=1)])
def test_without_any_state_it_is_never_started_from_nothing_but_told(age: timedelta) -> None:
    found = alert(decided(msgspec.structs.replace(LOOPING, latest_checkpoint=None), history(age=age, restored=None)))
    assert found.code == "no-state"
    assert "scurry restart shop --from none" in found.todo


def test_what_is_stateless_by_its_spec_starts_without_state() -> None:
    past = history(upgrade=UpgradePolicy(mode=UpgradeMode.STATELESS))
    operation = change(decided(msgspec.structs.replace(LOOPING, latest_checkpoint=None), past)).operation
    assert isinstance(operation, Upgrade)
    assert isinstance(operation.restore, Stateless)
    assert operation.mode is UpgradeMode.STATELESS


# Not there any more --------------------------------------------------------------------------------------------


def test_a_job_that_failed_goes_on_from_the_checkpoint_that_it_left() -> None:
    operation = change(decided(job(JobState.FAILED, root_exception="boom"))).operation
    assert operation == Resume(desired=wish(2), restore=FromSnapshot(snapshot=CHECKPOINT), recovery=True)


def test_a_young_revision_that_failed_is_rolled_back() -> None:
    operation = change(decided(job(JobState.FAILED), history(age=timedelta(hours=1)))).operation
    assert operation == Resume(desired=wish(1), restore=FromSnapshot(snapshot=CHECKPOINT), recovery=True)


def test_a_job_that_failed_again_after_its_recovery_is_told() -> None:
    found = alert(decided(job(JobState.FAILED, root_exception="boom"), None, recovered(ago(minutes=10))))
    assert found.code == "failed"
    assert found.reason.startswith("Flink gave the job up: boom")


def test_a_job_that_failed_and_left_no_state_is_told_with_the_command() -> None:
    found = alert(decided(job(JobState.FAILED, latest_checkpoint=None), history(restored=None)))
    assert found.code == "refused"
    assert "scurry start shop --from" in found.todo


@pytest.mark.parametrize("seen", [None, job(JobState.CANCELED)])
@pytest.mark.parametrize("recovery", RecoveryPolicy)
@pytest.mark.parametrize("age", [timedelta(days=3), timedelta(hours=1)])
def test_a_job_that_was_cancelled_or_forgotten_goes_on_whatever_recovery_says(
    seen: Job | None, recovery: RecoveryPolicy, age: timedelta
) -> None:
    past = history(recovery=recovery, age=age, snapshots=(snapshot(at=ago(seconds=90)),))
    operation = change(decided(seen, past, recovered(ago(minutes=1)))).operation
    assert isinstance(operation, Resume)
    assert operation.desired.artifact == wish(2).artifact
    assert operation.restore == FromSnapshot(snapshot=CHECKPOINT if seen else past.snapshots[0])


@pytest.mark.parametrize(("seen", "code"), [(None, "lost"), (job(JobState.CANCELED), "cancelled")])
def test_drift_is_only_told_where_the_spec_says_so(seen: Job | None, code: str) -> None:
    assert alert(decided(seen, history(drift=DriftPolicy.REPORT))).code == code


def test_nothing_is_started_beside_a_stranger() -> None:
    stranger = msgspec.structs.replace(job(), id="c" * 32)
    assert alert(decided(None, strangers=(stranger,))).code == "refused"


# Between a stop and a start ------------------------------------------------------------------------------------


def test_a_start_that_was_interrupted_goes_on() -> None:
    upgrade = Upgrade(desired=wish(3), restore=FromLatest(), mode=UpgradeMode.SAVEPOINT, job_id=JOB_ID)
    stopped = snapshot(at=ago(minutes=1))
    past = history(
        stopped=True,
        last=done(upgrade, at=ago(minutes=2), outcome=OperationOutcome.INTERRUPTED),
        snapshots=(stopped,),
    )
    operation = change(decided(None, past)).operation
    assert operation == Resume(desired=wish(2), restore=FromSnapshot(snapshot=stopped), recovery=True)


def _failed_for_want_of_slots() -> OperationRecord:
    resume = Resume(desired=wish(2), restore=FromSnapshot(snapshot=STOPPED_AT))
    record = done(resume, at=ago(minutes=2), outcome=OperationOutcome.FAILED)
    return msgspec.structs.replace(record, error="not enough free slots: 2 are needed, 0 are free")


def test_a_start_that_failed_for_want_of_the_cluster_is_tried_again() -> None:
    operation = change(decided(None, history(stopped=True, last=_failed_for_want_of_slots()))).operation
    assert isinstance(operation, Resume)
    assert operation.restore == FromSnapshot(snapshot=STOPPED_AT)


def test_but_not_where_recovery_is_only_to_tell() -> None:
    past = history(stopped=True, last=_failed_for_want_of_slots(), recovery=RecoveryPolicy.ALERT)
    assert alert(decided(None, past)).code == "stands-still"


def test_a_start_that_failed_is_not_tried_again_and_again() -> None:
    resume = Resume(desired=wish(2), restore=FromSnapshot(snapshot=STOPPED_AT))
    last = msgspec.structs.replace(
        done(resume, at=ago(minutes=2), outcome=OperationOutcome.FAILED), error="the jar is gone"
    )
    found = alert(decided(None, history(stopped=True, last=last)))
    assert found.code == "stands-still"
    assert "the jar is gone" in found.reason
    assert STOPPED_AT.location in found.reason
