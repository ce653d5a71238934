"""What is refused because of the state, and how that is told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from scurry.engine.compatibility import judge
from scurry.engine.compatibility_asking import StateWanted, plan_to_check
from scurry.engine.compatibility_refusal import refuse_unfit
from scurry.model.compatibility import Compatibility
from scurry.model.desired import StateCheck, UnknownState, UpgradeMode, UpgradePolicy
from scurry.model.errors import IncompatibleState, PlanError, SnapshotNotFound
from scurry.model.journal import History
from scurry.model.observed import Job, JobState, Observed, Phase
from scurry.model.operation import Operation, Resume, Suspend, Upgrade
from scurry.model.plan import Change, Plan
from scurry.model.snapshot import FromLatest, FromSnapshot, Snapshot, SnapshotKind
from tests.engine.state_of import STRING, held, program, snapshot, value, wanted
from tests.targets.memory_rig import wish

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COUNT = value("count")
KEPT = Snapshot(kind=SnapshotKind.SAVEPOINT, location="file:/state/savepoint-1", taken_at=NOW)
LOST = judge(snapshot(held("a", COUNT), held("b", COUNT), held("c", COUNT), held("d", COUNT)), program())


def plan(found: Compatibility | None, operation: Operation | None = None, policy: UpgradePolicy | None = None) -> Plan:
    desired = replace(wish(), upgrade=policy or UpgradePolicy())
    chosen = operation or Resume(desired=desired, restore=FromSnapshot(snapshot=KEPT))
    return Plan(
        application="shop",
        target="here",
        phase=Phase.RUNNING,
        position=1,
        changes=(Change(operation=chosen, reason="so", compatibility=found),),
        made_at=NOW,
    )


def refused(found: Compatibility, **more: object) -> IncompatibleState:
    with pytest.raises(IncompatibleState) as caught:
        refuse_unfit(plan(found, **more))  # type: ignore[arg-type]
    return caught.value


def test_what_fits_and_what_nobody_looked_at_is_let_pass() -> None:
    refuse_unfit(plan(judge(snapshot(held("a", COUNT)), program(wanted("a", COUNT)))))
    refuse_unfit(plan(None))
    refuse_unfit(plan(LOST, Suspend(job_id="a" * 32)))


def test_the_first_reasons_are_told_and_how_many_more_there_are() -> None:
    error = refused(LOST)
    assert "nothing was stopped" in error.message
    assert [f'operator "{name}"' in error.message for name in ("A", "B", "C", "D")] == [True, True, True, False]
    assert "and 1 more" in error.message
    assert 'allow_non_restored_state: ["a"]' in (error.hint or "")
    assert "state_check: off" in (error.hint or "")


def test_what_blocks_the_whole_is_told_too() -> None:
    error = refused(judge(snapshot(held("a", COUNT)), program(wanted("a", COUNT), flink_version="1.20.5")))
    assert "Flink 1.20.5 cannot read it" in error.message


def test_a_rollback_is_told_the_way_that_is_left() -> None:
    back = Upgrade(desired=wish(), restore=FromLatest(), mode=UpgradeMode.SAVEPOINT, job_id="a" * 32, rollback_to=3)
    assert "scurry rollback shop --from own" in (refused(LOST, operation=back).hint or "")


@pytest.mark.parametrize(
    "found",
    [
        Compatibility.unknown("the store does not answer"),
        judge(snapshot(held("a", COUNT)), program(wanted("a", states=None, key=None))),
    ],
)
def test_what_is_not_certain_is_refused_only_where_the_spec_says_so(found: Compatibility) -> None:
    refuse_unfit(plan(found))
    error = refused(found, policy=UpgradePolicy(unknown_state=UnknownState.REFUSE))
    assert "not certain" in error.message
    assert error.about
    assert error.about.path == ("upgrade", "unknown_state")


# What a person only asks about ----------------------------------------------------------------------------------


def asked(wanted: StateWanted, *, live: bool = True, policy: UpgradePolicy | None = None) -> Plan:
    job = Job(id="a" * 32, name="shop", state=JobState.RUNNING)
    return plan_to_check(
        replace(wish(), upgrade=policy or UpgradePolicy()),
        Observed(jobs=(job,) if live else ()),
        History(application="shop", snapshots=(KEPT,)),
        wanted=wanted,
        now=NOW,
    )


def test_of_what_runs_its_newest_state_is_asked_about() -> None:
    (change,) = asked(StateWanted()).changes
    assert isinstance(change.operation, Upgrade)
    assert isinstance(change.operation.restore, FromLatest)


@pytest.mark.parametrize(("wanted", "live"), [(StateWanted(), False), (StateWanted(source="savepoint-1"), True)])
def test_of_what_does_not_run_and_of_a_named_snapshot_that_is_asked_about(wanted: StateWanted, live: bool) -> None:
    (change,) = asked(wanted, live=live).changes
    assert isinstance(change.operation, Resume)
    assert change.operation.restore == FromSnapshot(snapshot=KEPT)


def test_no_state_and_no_snapshot_are_no_question() -> None:
    with pytest.raises(PlanError, match="needs no check"):
        asked(StateWanted(source="none"))
    with pytest.raises(SnapshotNotFound):
        asked(StateWanted(source="savepoint-9"))


@pytest.mark.parametrize(
    ("named", "more", "either"),
    [
        (False, (), False),
        (("a",), (), ("a",)),
        (False, ("b",), ("b",)),
        (("a",), ("b",), ("a", "b")),
        (True, ("b",), True),
        (("a",), True, True),
    ],
)
def test_what_may_go_is_what_the_spec_and_the_question_name(
    named: bool | tuple[str, ...], more: bool | tuple[str, ...], either: bool | tuple[str, ...]
) -> None:
    policy = UpgradePolicy(allow_non_restored_state=named)
    found = asked(StateWanted(allowed=more), policy=policy).desired
    assert found
    assert found.upgrade.allow_non_restored_state == either


def test_a_question_is_answered_also_where_plans_do_not_look() -> None:
    policy = UpgradePolicy(state_check=StateCheck.OFF, mode=UpgradeMode.STATELESS)
    found = asked(StateWanted(), policy=policy).desired
    assert found
    assert (found.upgrade.state_check, found.upgrade.mode) == (StateCheck.FULL, UpgradeMode.SAVEPOINT)


def test_types_are_told_in_the_refusal() -> None:
    error = refused(judge(snapshot(held("a", COUNT)), program(wanted("a", value("count", STRING)))))
    assert "Long becomes String" in error.message
