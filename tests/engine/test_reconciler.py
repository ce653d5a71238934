"""What the server decides, and what it finds worth a closer look: on histories that a real journal has written."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scurry.engine import verbs
from scurry.engine.glance import Sight, Survey, is_as_expected, slim, worth_a_look
from scurry.engine.lease import LEASE
from scurry.engine.reconciler import Cause, Decision, Do, Nothing, Report, Settle, Situation, decide
from scurry.model.desired import Desired, DriftPolicy, SnapshotPolicy
from scurry.model.journal import EVERYTHING, Freeze, Intent, OperationOutcome
from scurry.model.observed import Job, JobState, Observed, Phase
from scurry.model.operation import Delete, Operation, Suspend, TakeSnapshot
from scurry.model.snapshot import SnapshotKind
from tests.engine.workshop import Workshop
from tests.targets.memory_rig import wish


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """An application that runs."""
    shop = Workshop(tmp_path)
    shop.apply(wish(parallelism=2))
    return shop


def _decided(shop: Workshop, observed: Observed | None = None, **more: Any) -> Decision:
    seen = observed or shop.observe()
    operations = shop.journal.operations("shop", limit=20)
    found = Situation(observed=seen, history=shop.history(), now=shop.clock.now(), operations=operations, **more)
    return decide(found)


def _freeze(shop: Workshop) -> Freeze:
    return Freeze(scope=EVERYTHING, reason="the fair", by="anna", at=shop.clock.now())


def _adjusted(shop: Workshop, **changes: Any) -> Desired:
    current = shop.history().current
    assert current
    desired: Desired = msgspec.structs.replace(current.desired, **changes)
    shop.apply(desired)
    return desired


def _interrupted(shop: Workshop, operation: Operation, *, settled: bool, intent: Intent | None = None) -> None:
    """Begin an operation and die; with `settled`, what became of it was found out."""
    lease = shop.journal.acquire("shop", duration=LEASE)
    if intent:
        shop.journal.set_intent(lease, intent)
    record = shop.journal.start_operation(lease, operation, reason="asked for", revision=None)
    if settled:
        shop.journal.finish_operation(lease, record.id, OperationOutcome.INTERRUPTED, error="interrupted")
    shop.journal.release(lease)


def _live(shop: Workshop) -> Job:
    live = shop.observe().live
    assert live
    return live


def test_what_is_well_is_left_alone(shop: Workshop) -> None:
    assert _decided(shop) == Nothing()


def test_of_a_target_that_does_not_answer_nothing_is_known(shop: Workshop) -> None:
    assert _decided(shop, Observed(reachable=False)) == Nothing(is_known=False)


def test_what_was_never_applied_is_left_alone(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    lease = shop.journal.acquire("shop", duration=LEASE)
    shop.journal.set_intent(lease, Intent.RUN)
    assert _decided(shop) == Nothing()


def test_what_is_interrupted_is_settled_first_unless_it_is_frozen(shop: Workshop) -> None:
    _interrupted(shop, TakeSnapshot(job_id=_live(shop).id), settled=False)
    decided = _decided(shop)
    assert isinstance(decided, Settle)
    assert "takesnapshot of tester@here pid 1 was interrupted" in decided.what
    withheld = _decided(shop, frozen=_freeze(shop))
    assert isinstance(withheld, Report)
    assert withheld.frozen
    assert withheld.cause is Cause.INTERRUPTED
    assert "frozen by anna: the fair" in withheld.what


def test_an_interrupted_snapshot_needs_no_completing(shop: Workshop) -> None:
    _interrupted(shop, TakeSnapshot(job_id=_live(shop).id), settled=True)
    assert _decided(shop) == Nothing()


@pytest.mark.parametrize("intent", [None, Intent.ABSENT])
def test_an_interrupted_delete_is_completed(shop: Workshop, intent: Intent | None) -> None:
    _interrupted(shop, Delete(job_id=_live(shop).id), settled=True, intent=intent)
    decided = _decided(shop)
    assert isinstance(decided, Do)
    assert decided.cause is Cause.INTERRUPTED
    assert isinstance(decided.plan.changes[0].operation, Delete)


def test_an_interrupted_stop_without_a_savepoint_is_completed_as_it_was_asked_for(shop: Workshop) -> None:
    _interrupted(shop, Suspend(job_id=_live(shop).id, snapshot=False), settled=True, intent=Intent.SUSPEND)
    decided = _decided(shop)
    assert isinstance(decided, Do)
    assert decided.plan.changes[0].operation == Suspend(job_id=_live(shop).id, snapshot=False)


def test_a_stop_that_had_its_effect_before_it_was_interrupted_is_over(shop: Workshop) -> None:
    shop.change(
        lambda observed, history: verbs.plan_stop(observed, history, now=shop.clock.now(), snapshot=True, drain=False)
    )
    assert _decided(shop) == Nothing()
    _interrupted(shop, Suspend(job_id="0" * 32), settled=True, intent=Intent.SUSPEND)
    assert _decided(shop) == Nothing()


def test_a_deleted_application_is_left_alone(shop: Workshop) -> None:
    shop.change(lambda observed, history: verbs.plan_delete(observed, history, now=shop.clock.now(), snapshot=True))
    assert _decided(shop) == Nothing()


def test_a_snapshot_is_taken_when_it_is_due_of_a_job_that_runs_and_is_not_frozen(shop: Workshop) -> None:
    _adjusted(shop, snapshots=SnapshotPolicy(schedule="*/10 * * * *"))
    assert _decided(shop) == Nothing()
    shop.wait(700)
    decided = _decided(shop)
    assert isinstance(decided, Do)
    assert decided.cause is Cause.SNAPSHOT
    assert _decided(shop, frozen=_freeze(shop)) == Nothing()
    starting = msgspec.structs.replace(_live(shop), vertices_running=0)
    assert _decided(shop, msgspec.structs.replace(shop.observe(), jobs=(starting,))) == Nothing()


@pytest.mark.parametrize(
    ("drift", "free", "expected"),
    [(DriftPolicy.REPAIR, 10, Do), (DriftPolicy.REPORT, 10, Report), (DriftPolicy.REPAIR, 0, Report)],
)
def test_another_parallelism_than_planned_is_drift(
    shop: Workshop, drift: DriftPolicy, free: int, expected: type
) -> None:
    _adjusted(shop, drift=drift)
    fewer = msgspec.structs.replace(_live(shop), parallelism=1)
    observed = msgspec.structs.replace(shop.observe(), jobs=(fewer,), slots_free=free)
    decided = _decided(shop, observed, planned_parallelism=2)
    assert isinstance(decided, expected)
    assert isinstance(decided, Do | Report)
    assert decided.cause is Cause.DRIFT
    assert _decided(shop, observed) == Nothing()  # what it was started with is not known


@pytest.mark.parametrize(("policy", "kind"), [(DriftPolicy.REPAIR, Do), (DriftPolicy.REPORT, Report)])
def test_what_somebody_else_changed_of_how_a_job_runs_is_drift(
    shop: Workshop, policy: DriftPolicy, kind: type[Do] | type[Report]
) -> None:
    _adjusted(shop, drift=policy)
    observed = msgspec.structs.replace(shop.observe(), drifted=("LogLevel INFO → DEBUG",))
    decided = _decided(shop, observed)
    assert isinstance(decided, kind)
    assert decided.cause is Cause.DRIFT
    assert "LogLevel INFO → DEBUG" in decided.what


def test_a_cancelled_job_that_is_frozen_is_only_told_of(shop: Workshop) -> None:
    shop.change(lambda observed, history: verbs.plan_snapshot(observed, history, now=shop.clock.now()))
    gone = msgspec.structs.replace(_live(shop), state=JobState.CANCELED)
    observed = msgspec.structs.replace(shop.observe(), jobs=(gone,))
    decided = _decided(shop, observed)
    assert isinstance(decided, Do)
    assert decided.cause is Cause.DRIFT
    assert isinstance(_decided(shop, observed, frozen=_freeze(shop)), Report)


def test_a_bounded_job_that_came_to_its_end_is_left_alone(shop: Workshop) -> None:
    ended = msgspec.structs.replace(_live(shop), state=JobState.FINISHED)
    assert _decided(shop, msgspec.structs.replace(shop.observe(), jobs=(ended,))) == Nothing()


# From afar -----------------------------------------------------------------------------------------------------


def _sight(shop: Workshop, *jobs: Job) -> Sight:
    history = slim(shop.history())
    return Sight.of(history, Survey.of({job.id: job for job in jobs}).observed(history))


def test_a_glance_tells_what_is_worth_a_closer_look(shop: Workshop) -> None:
    history, live = slim(shop.history()), _live(shop)
    well = _sight(shop, live)
    stranger = msgspec.structs.replace(live, id="f" * 32)
    moved = msgspec.structs.replace(live, modified_at=shop.clock.now() + timedelta(seconds=1))
    assert is_as_expected(history, well)
    assert worth_a_look(history, well, None) is None
    assert worth_a_look(history, well, well) is None
    for sight, seen, told in (
        (_sight(shop), None, "it is lost and should be running"),
        (_sight(shop), well, "it was running and is lost"),
        (_sight(shop, live, stranger), None, "did not start"),
        (_sight(shop, live, stranger), well, "came or went"),
        (_sight(shop, moved), well, "something happened"),
    ):
        assert told in (worth_a_look(history, sight, seen) or "")
    assert worth_a_look(history, _sight(shop), _sight(shop)) is None


def test_what_was_begun_and_has_not_ended_is_always_worth_a_look(shop: Workshop) -> None:
    well = _sight(shop, _live(shop))
    _interrupted(shop, TakeSnapshot(job_id=_live(shop).id), settled=False)
    assert "interrupted" in (worth_a_look(slim(shop.history()), well, well) or "")


def test_what_was_stopped_is_as_expected_and_a_job_of_it_is_not(shop: Workshop) -> None:
    live = _live(shop)
    shop.change(
        lambda observed, history: verbs.plan_stop(observed, history, now=shop.clock.now(), snapshot=True, drain=False)
    )
    history = slim(shop.history())
    assert _sight(shop).phase is Phase.SUSPENDED
    assert is_as_expected(history, _sight(shop))
    assert not is_as_expected(history, _sight(shop, live))
    assert len(history.snapshots) == 1
    assert history.snapshots[0].kind is SnapshotKind.SAVEPOINT


def test_what_was_never_judged_is_worth_a_look(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    lease = shop.journal.acquire("shop", duration=LEASE)
    shop.journal.set_intent(lease, Intent.RUN)
    assert not is_as_expected(slim(shop.history()), Sight(phase=Phase.RUNNING))
