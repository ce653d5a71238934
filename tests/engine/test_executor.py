"""The promises of apply: state goes along, a bad revision is undone, a crash is gone on from, nothing runs twice."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from scurry.engine import verbs
from scurry.model.desired import Desired, HealthPolicy, UpgradePolicy
from scurry.model.errors import NothingToRollBackTo, PlanOutdated, Refused, RejectedByTarget, TargetUnavailable
from scurry.model.journal import OperationOutcome, RevisionOutcome
from scurry.model.observed import Phase
from scurry.model.operation import Action, Outcome, Resume, Step
from scurry.model.ports import StepContext
from scurry.model.result import Applied, ApplyOutcome
from scurry.model.snapshot import FromSnapshot
from scurry.targets.memory import MemoryTarget
from tests.engine.workshop import Workshop
from tests.targets.memory_rig import wish


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def test_a_first_apply_deploys_and_a_second_changes_nothing(workshop: Workshop) -> None:
    first = workshop.apply(wish())
    assert (first.outcome, first.revision) == (ApplyOutcome.CONVERGED, 1)
    second = workshop.apply(wish())
    assert (second.outcome, second.revision) == (ApplyOutcome.UNCHANGED, 1)
    assert len(workshop.live_jobs()) == 1


def test_an_upgrade_takes_the_state_along_and_tells_the_gap(workshop: Workshop) -> None:
    workshop.apply(wish())
    result = workshop.apply(wish(variant=1))
    assert (result.outcome, result.revision) == (ApplyOutcome.CONVERGED, 2)
    assert result.gap_s is not None
    assert len(workshop.lineage_of_state()) == 2
    assert len(workshop.live_jobs()) == 1
    history = workshop.history()
    assert history.current is not None
    assert history.current.outcome is RevisionOutcome.HEALTHY
    assert history.restored == result.snapshot


def test_what_only_scurry_reads_restarts_nothing(workshop: Workshop) -> None:
    workshop.apply(wish())
    before = workshop.live_jobs()
    result = workshop.apply(wish(health=HealthPolicy(window=timedelta(seconds=77))))
    assert (result.outcome, result.revision) == (ApplyOutcome.CONVERGED, 2)
    assert workshop.live_jobs() == before
    assert workshop.apply(wish(health=HealthPolicy(window=timedelta(seconds=77)))).outcome is ApplyOutcome.UNCHANGED


def test_a_revision_that_fails_its_check_leaves_the_running_job_alone(workshop: Workshop) -> None:
    workshop.apply(wish())
    before = workshop.live_jobs()
    with pytest.raises(RejectedByTarget):
        workshop.apply(wish(variant=1, behaviour="fails-check"))
    assert workshop.live_jobs() == before
    revision = workshop.journal.revision("shop", 2)
    assert revision is not None
    assert revision.outcome is RevisionOutcome.REFUSED
    assert workshop.apply(wish()).outcome is ApplyOutcome.UNCHANGED


def test_a_savepoint_that_is_declined_leaves_the_running_job_alone(workshop: Workshop) -> None:
    workshop.apply(wish(behaviour="refuses-stop"))
    before = workshop.live_jobs()
    with pytest.raises(RejectedByTarget, match="declined"):
        workshop.apply(wish(variant=1))
    assert workshop.live_jobs() == before


@pytest.mark.parametrize("behaviour", ["rejects-submit", "fails", "restarts", "never-checkpoints"])
def test_a_revision_that_is_not_healthy_is_rolled_back_with_its_state(workshop: Workshop, behaviour: str) -> None:
    workshop.apply(wish())
    result = workshop.apply(wish(variant=1, behaviour=behaviour))
    assert result.outcome is ApplyOutcome.ROLLED_BACK
    assert result.error is not None
    assert "no state was lost" in result.error.message
    assert len(workshop.live_jobs()) == 1
    assert workshop.observe().live is not None
    history = workshop.history()
    assert history.current is not None
    assert history.current.desired.artifact == wish().artifact
    assert history.current.outcome is RevisionOutcome.HEALTHY
    bad = workshop.journal.revision("shop", 2)
    assert bad is not None
    assert bad.outcome is RevisionOutcome.BAD
    first_job = workshop.lineage_of_state()[0]
    assert first_job != workshop.live_jobs()[0]


def test_without_rollback_a_bad_revision_stays_and_is_told(workshop: Workshop) -> None:
    workshop.apply(wish())
    stays = _with_policy(wish(variant=1, behaviour="restarts"), UpgradePolicy(rollback=False))
    result = workshop.apply(stays)
    assert result.outcome is ApplyOutcome.FAILED
    assert result.error is not None
    assert "restarts" in result.error.message


def test_a_first_deployment_that_fails_has_nothing_to_go_back_to(workshop: Workshop) -> None:
    result = workshop.apply(wish(behaviour="fails"))
    assert result.outcome is ApplyOutcome.FAILED
    again = workshop.apply(wish(variant=1))
    assert again.outcome is ApplyOutcome.CONVERGED


def test_stop_keeps_the_state_and_start_goes_on_from_it(workshop: Workshop) -> None:
    workshop.apply(wish())
    stopped = _stop(workshop)
    assert stopped.outcome is ApplyOutcome.SUSPENDED
    assert stopped.snapshot is not None
    assert workshop.live_jobs() == []
    started = workshop.change(lambda o, h: verbs.plan_start(o, h, now=workshop.clock.now()))
    assert started.outcome is ApplyOutcome.CONVERGED
    assert started.revision == 1
    assert len(workshop.lineage_of_state()) == 2


def test_start_from_none_needs_the_word(workshop: Workshop) -> None:
    workshop.apply(wish())
    _stop(workshop)
    workshop.change(lambda o, h: verbs.plan_start(o, h, now=workshop.clock.now(), source="none"))
    assert len(workshop.lineage_of_state()) == 1


def test_a_drained_application_is_not_gone_on_from_unasked(workshop: Workshop) -> None:
    workshop.apply(wish())
    workshop.change(lambda o, h: verbs.plan_stop(o, h, now=workshop.clock.now(), snapshot=True, drain=True))
    with pytest.raises(Refused, match="drained"):
        workshop.change(lambda o, h: verbs.plan_start(o, h, now=workshop.clock.now()))
    assert workshop.live_jobs() == []


def test_rollback_by_hand_takes_the_state_along(workshop: Workshop) -> None:
    workshop.apply(wish())
    with pytest.raises(NothingToRollBackTo):
        workshop.change(lambda o, h: verbs.plan_rollback(o, h, now=workshop.clock.now(), to=None))
    workshop.apply(wish(variant=1))
    result = workshop.change(lambda o, h: verbs.plan_rollback(o, h, now=workshop.clock.now(), to=None))
    assert (result.outcome, result.revision) == (ApplyOutcome.CONVERGED, 3)
    history = workshop.history()
    assert history.current is not None
    assert history.current.desired.digest() == wish().digest()
    assert len(workshop.lineage_of_state()) == 3


def test_delete_forgets_and_a_later_apply_finds_the_kept_state(workshop: Workshop) -> None:
    workshop.apply(wish())
    workshop.change(lambda o, h: verbs.plan_delete(o, h, now=workshop.clock.now(), snapshot=True))
    assert workshop.journal.applications() == ()
    assert workshop.live_jobs() == []
    workshop.apply(wish())
    assert len(workshop.lineage_of_state()) == 2


def test_a_plan_is_refused_when_the_journal_moved(workshop: Workshop) -> None:
    plan = workshop.plan(wish())
    workshop.apply(wish())
    with pytest.raises(PlanOutdated):
        workshop.change(lambda _o, _h: plan)


def test_a_job_that_is_gone_starts_from_the_newest_snapshot_never_from_nothing(workshop: Workshop) -> None:
    workshop.apply(wish())
    taken = workshop.change(lambda o, h: verbs.plan_snapshot(o, h, now=workshop.clock.now()))
    workshop.target._load().jobs.clear()
    plan = workshop.plan(wish())
    assert plan.phase is Phase.LOST
    operation = plan.changes[0].operation
    assert isinstance(operation, Resume)
    assert taken.snapshot is not None
    assert operation.restore == FromSnapshot(snapshot=taken.snapshot)
    workshop.apply(wish())
    assert len(workshop.lineage_of_state()) == 2


def test_a_job_that_is_gone_and_left_no_snapshot_is_not_started_without_state(workshop: Workshop) -> None:
    workshop.apply(wish())
    workshop.target._load().jobs.clear()
    with pytest.raises(Refused, match="no snapshot"):
        workshop.apply(wish())
    assert workshop.live_jobs() == []


class Killed(BaseException):
    """The process dies here."""


class Dies(MemoryTarget):
    """Dies at a step of its choosing: before the call has an effect, or after."""

    at: Action | None = None
    after = False
    unavailable = False

    def run(self, step: Step, context: StepContext) -> Outcome:
        if step.action is not self.at:
            return super().run(step, context)
        outcome = super().run(step, context) if self.after else None
        self.at = None
        if self.unavailable:
            raise TargetUnavailable("the connection broke", target=self.name)
        del outcome
        raise Killed


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("action", [Action.UPLOAD, Action.CHECK, Action.STOP, Action.SUBMIT])
def test_a_crash_anywhere_in_an_upgrade_is_gone_on_from(tmp_path: Path, action: Action, after: bool) -> None:
    workshop = Workshop(tmp_path, Dies)
    assert isinstance(workshop.target, Dies)
    workshop.apply(wish())
    workshop.target.at, workshop.target.after = action, after
    with pytest.raises(Killed):
        workshop.apply(wish(variant=1))
    assert len(workshop.live_jobs()) <= 1
    result = workshop.apply(wish(variant=1))
    assert result.outcome is ApplyOutcome.CONVERGED
    assert len(workshop.live_jobs()) == 1
    assert len(workshop.lineage_of_state()) == 2
    history = workshop.history()
    assert history.current is not None
    assert history.current.desired.digest() == wish(variant=1).digest()
    assert history.current.outcome is RevisionOutcome.HEALTHY
    assert workshop.apply(wish(variant=1)).outcome is ApplyOutcome.UNCHANGED


@pytest.mark.parametrize("action", [Action.STOP, Action.SUBMIT])
def test_a_lost_answer_is_asked_after_and_the_upgrade_goes_on(tmp_path: Path, action: Action) -> None:
    workshop = Workshop(tmp_path, Dies)
    assert isinstance(workshop.target, Dies)
    workshop.apply(wish())
    workshop.target.at, workshop.target.after, workshop.target.unavailable = action, True, True
    assert workshop.apply(wish(variant=1)).outcome is ApplyOutcome.CONVERGED
    assert len(workshop.live_jobs()) == 1
    assert len(workshop.lineage_of_state()) == 2


def test_an_interrupted_operation_is_journalled_as_such(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, Dies)
    assert isinstance(workshop.target, Dies)
    workshop.apply(wish())
    workshop.target.at = Action.SUBMIT
    with pytest.raises(Killed):
        workshop.apply(wish(variant=1))
    assert workshop.plan(wish(variant=1)).phase is Phase.SUSPENDED
    workshop.apply(wish(variant=1))
    outcomes = [operation.outcome for operation in workshop.journal.operations("shop")]
    assert outcomes == [OperationOutcome.DONE, OperationOutcome.INTERRUPTED, OperationOutcome.DONE]


def _stop(workshop: Workshop) -> Applied:
    return workshop.change(lambda o, h: verbs.plan_stop(o, h, now=workshop.clock.now(), snapshot=True, drain=False))


def _with_policy(desired: Desired, policy: UpgradePolicy) -> Desired:
    import msgspec

    return msgspec.structs.replace(desired, upgrade=policy)


def test_a_snapshot_that_is_still_needed_is_not_dropped(workshop: Workshop) -> None:
    workshop.apply(wish())
    first = workshop.apply(wish(variant=1)).snapshot
    assert first is not None
    with pytest.raises(Refused, match="is kept"):
        workshop.change(lambda o, h: verbs.plan_drop(first, o, h, now=workshop.clock.now()))
    for _ in range(2):
        workshop.change(lambda o, h: verbs.plan_snapshot(o, h, now=workshop.clock.now()))
    newest, older, *_ = workshop.history().snapshots
    with pytest.raises(Refused, match="newest"):
        workshop.change(lambda o, h: verbs.plan_drop(newest, o, h, now=workshop.clock.now()))
    workshop.change(lambda o, h: verbs.plan_drop(older, o, h, now=workshop.clock.now()))
    assert older not in workshop.history().snapshots
