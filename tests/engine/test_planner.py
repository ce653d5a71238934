"""Desired × Observed × History → Plan: what is planned, from which state, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from scurry.engine.phase import phase_of
from scurry.engine.planner import make_plan
from scurry.model.desired import (
    Artifact,
    ArtifactKind,
    Desired,
    DriftPolicy,
    RecoveryPolicy,
    UpgradeMode,
    UpgradePolicy,
)
from scurry.model.errors import Refused, TargetUnavailable
from scurry.model.journal import History, Intent, Revision, RevisionOutcome
from scurry.model.observed import CheckpointCounts, Job, JobState, Observed, Phase
from scurry.model.operation import Adjust, Deploy, Rescale, Resume, Upgrade
from scurry.model.plan import Plan
from scurry.model.snapshot import FromLatest, FromSnapshot, Snapshot, SnapshotKind, Stateless
from scurry.model.values import SecretRef

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
JOB = "a" * 32
BASE = Desired(
    application="shop",
    target="local",
    flink_version="2.3.0",
    artifact=Artifact(kind=ArtifactKind.JAR, digest="sha256:" + "1" * 64, file_name="shop.jar", size_bytes=1),
    parallelism=2,
    config={"execution.checkpointing.interval": "10s"},
)


def snapshot(name: str, *, minutes_ago: int = 5, job_id: str = JOB, drained: bool = False) -> Snapshot:
    return Snapshot(
        kind=SnapshotKind.SAVEPOINT,
        location=f"/savepoints/{name}",
        taken_at=NOW - timedelta(minutes=minutes_ago),
        job_id=job_id,
        drained=drained,
    )


def job(state: JobState = JobState.RUNNING, *, checkpoint: Snapshot | None = None, completed: int = 0) -> Job:
    return Job(
        id=JOB,
        name="shop",
        state=state,
        vertices=1,
        vertices_running=1,
        checkpoints=CheckpointCounts(completed=completed),
        latest_checkpoint=checkpoint,
    )


def history(desired: Desired = BASE, **changes: object) -> History:
    revision = Revision(number=1, desired=desired, applied_at=NOW, applied_by="me", outcome=RevisionOutcome.HEALTHY)
    known = History(
        application="shop", position=7, intent=Intent.RUN, current=revision, healthy=revision, job_id=JOB, marks=(JOB,)
    )
    return msgspec.structs.replace(known, **changes)


def observed(*jobs: Job, **facts: object) -> Observed:
    return msgspec.structs.replace(Observed(jobs=jobs), **facts)


def plan(desired: Desired, seen: Observed, known: History) -> Plan:
    return make_plan(desired, seen, known, now=NOW)


def changed(**fields: object) -> Desired:
    return msgspec.structs.replace(BASE, **fields)


def policy(**fields: object) -> Desired:
    return changed(upgrade=msgspec.structs.replace(UpgradePolicy(), **fields))


# What is running ------------------------------------------------------------------------------------------------


def test_what_is_as_desired_needs_nothing() -> None:
    assert plan(BASE, observed(job()), history()).is_converged


def test_a_plan_remembers_the_position_it_was_made_at() -> None:
    assert plan(BASE, observed(job()), history()).position == 7


@pytest.mark.parametrize(
    ("desired", "kind", "reason"),
    [
        (changed(description="new words"), Adjust, "description"),
        (changed(labels={"team": "shop"}), Adjust, "labels.team"),
        (policy(rollback=False), Adjust, "upgrade.rollback true → false"),
        (changed(recovery=RecoveryPolicy.ALERT), Adjust, "recovery restart → alert"),
        (changed(drift=DriftPolicy.REPORT), Adjust, "drift repair → report"),
        (changed(parallelism=4), Upgrade, "parallelism 2 → 4"),
        (changed(config={"execution.checkpointing.interval": "5s"}), Upgrade, "interval 10s → 5s"),
        (changed(flink_version="2.3.1"), Upgrade, "flink_version 2.3.0 → 2.3.1"),
        (changed(args=("--x",)), Upgrade, "args"),
        (changed(parallelism=4, description="x"), Upgrade, "and 1 more"),
    ],
)
def test_the_greatest_difference_decides(desired: Desired, kind: type, reason: str) -> None:
    (change,) = plan(desired, observed(job()), history()).changes
    assert isinstance(change.operation, kind)
    assert reason in change.reason


def test_parallelism_alone_is_rescaled_in_place_where_flink_can() -> None:
    seen = observed(job(), rescales_in_place=True)
    (change,) = plan(changed(parallelism=4), seen, history()).changes
    assert isinstance(change.operation, Rescale)
    (both,) = plan(changed(parallelism=4, args=("--x",)), seen, history()).changes
    assert isinstance(both.operation, Upgrade)


def test_what_somebody_else_changed_is_put_right_though_the_wish_is_the_same() -> None:
    seen = observed(job(), drifted=("LogLevel INFO → DEBUG",))
    for desired in (BASE, changed(description="new words")):
        (change,) = plan(desired, seen, history()).changes
        assert isinstance(change.operation, Upgrade)
        assert change.operation.restore == FromLatest()
        assert change.reason == "changed by somebody else since it was started: LogLevel INFO → DEBUG"
    (change,) = plan(changed(parallelism=4), seen, history()).changes
    assert change.reason == "parallelism 2 → 4"


def test_a_secret_is_never_shown() -> None:
    secret = SecretRef(source="env", name="PASSWORD")
    (change,) = plan(changed(properties={"db": {"password": secret}}), observed(job()), history()).changes
    (difference,) = change.differences
    assert difference.after == "{password: ••• (env PASSWORD)}"


def test_an_upgrade_starts_from_the_latest_state_and_says_so() -> None:
    (change,) = plan(changed(args=("--x",)), observed(job()), history(typical_gap_s=0.4)).changes
    assert isinstance(change.operation, Upgrade)
    assert change.operation.restore == FromLatest()
    assert change.gap == timedelta(seconds=0.4)
    assert "the old one is put back" in change.consequences[0]


def test_last_state_needs_a_checkpoint_before_anything_is_cancelled() -> None:
    desired = msgspec.structs.replace(policy(mode=UpgradeMode.LAST_STATE), args=("--x",))
    with pytest.raises(Refused, match="no checkpoint"):
        plan(desired, observed(job()), history())
    (change,) = plan(desired, observed(job(checkpoint=snapshot("chk-3", minutes_ago=1))), history()).changes
    assert "1 min old" in change.consequences[0]


def test_a_stateless_upgrade_says_what_it_drops() -> None:
    desired = msgspec.structs.replace(policy(mode=UpgradeMode.STATELESS), args=("--x",))
    (change,) = plan(desired, observed(job()), history()).changes
    assert "STATE IS DROPPED" in change.consequences[0]


def test_a_sick_job_is_warned_about() -> None:
    sick = msgspec.structs.replace(job(JobState.RESTARTING), root_exception="NullPointerException")
    (change,) = plan(changed(args=("--x",)), observed(sick), history()).changes
    assert "NullPointerException" in change.warnings[0]


def test_another_target_is_not_moved_to_silently() -> None:
    with pytest.raises(Refused, match="moving it"):
        plan(changed(target="staging"), observed(job()), history())


# What is not running --------------------------------------------------------------------------------------------


def test_a_new_application_starts_without_state() -> None:
    (change,) = plan(BASE, observed(), History(application="shop")).changes
    assert isinstance(change.operation, Deploy)
    assert isinstance(change.operation.restore, Stateless)


def test_beside_a_stranger_of_the_same_name_nothing_is_started() -> None:
    with pytest.raises(Refused, match="twice"):
        plan(BASE, observed(strangers=(job(),)), History(application="shop"))


@pytest.mark.parametrize(
    ("seen", "known", "location"),
    [
        (observed(), history(snapshots=(snapshot("s1"),)), "/savepoints/s1"),
        (
            observed(retained=(snapshot("chk-9", minutes_ago=1),)),
            history(snapshots=(snapshot("s1"),)),
            "/savepoints/chk-9",
        ),
        (observed(job(JobState.FAILED, checkpoint=snapshot("chk-4"), completed=4)), history(), "/savepoints/chk-4"),
        (
            observed(),
            history(snapshots=(snapshot("other", job_id="b" * 32),), restored=snapshot("own")),
            "/savepoints/own",
        ),
    ],
    ids=["journalled", "left on disk", "latest checkpoint", "not another job's"],
)
def test_what_does_not_run_starts_from_the_newest_state_of_its_last_job(
    seen: Observed, known: History, location: str
) -> None:
    (change,) = plan(BASE, seen, known).changes
    assert isinstance(change.operation, Resume)
    assert isinstance(change.operation.restore, FromSnapshot)
    assert change.operation.restore.snapshot.location == location
    assert location in change.consequences[0]


def test_state_that_is_not_found_is_never_taken_for_none() -> None:
    with pytest.raises(Refused, match="no snapshot"):
        plan(BASE, observed(), history())


def test_what_never_completed_a_checkpoint_had_no_state() -> None:
    current = history().current
    assert current is not None
    pending = msgspec.structs.replace(current, outcome=RevisionOutcome.BAD)
    (change,) = plan(BASE, observed(job(JobState.FAILED)), history(current=pending, healthy=None)).changes
    assert isinstance(change.operation, Resume)
    assert isinstance(change.operation.restore, Stateless)


def test_a_bounded_job_that_came_to_its_end_is_done_until_its_spec_changes() -> None:
    ended = observed(job(JobState.FINISHED))
    assert plan(BASE, ended, history()).is_converged
    (change,) = plan(changed(args=("--x",)), ended, history()).changes
    assert isinstance(change.operation, Deploy)


def test_a_target_that_does_not_answer_is_not_guessed_about() -> None:
    with pytest.raises(TargetUnavailable, match="refused"):
        plan(BASE, observed(reachable=False, unreachable_because="connection refused"), history())


@pytest.mark.parametrize(
    ("seen", "known", "phase"),
    [
        (observed(), History(application="shop"), Phase.ABSENT),
        (observed(job()), history(), Phase.RUNNING),
        (observed(msgspec.structs.replace(job(), vertices_running=0)), history(), Phase.STARTING),
        (observed(job(JobState.INITIALIZING)), history(), Phase.STARTING),
        (observed(job(JobState.RESTARTING)), history(), Phase.RESTARTING),
        (observed(job(JobState.CANCELLING)), history(), Phase.STOPPING),
        (observed(job(JobState.FINISHED)), history(stopped=True), Phase.SUSPENDED),
        (observed(job(JobState.FINISHED)), history(), Phase.FINISHED),
        (observed(job(JobState.FAILED)), history(), Phase.FAILED),
        (observed(), history(), Phase.LOST),
        (observed(), history(intent=Intent.ABSENT), Phase.ABSENT),
        (observed(reachable=False), history(), Phase.UNKNOWN),
    ],
)
def test_phases(seen: Observed, known: History, phase: Phase) -> None:
    assert phase_of(seen, known) is phase
