"""What the crash points and the stories of failures have found, each as the shortest story that showed it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from msgspec.structs import replace

from scurry.model.desired import Desired, HealthPolicy, UpgradeMode, UpgradePolicy
from scurry.model.errors import PlanOutdated, RejectedByTarget, TargetUnavailable
from scurry.model.journal import RevisionOutcome
from scurry.model.observed import Phase
from scurry.model.operation import Action
from scurry.model.result import ApplyOutcome
from scurry.testing.crash_points import CrashPoint
from tests.engine import world as people
from tests.engine.test_machine_points import Points
from tests.engine.world import APPLICATION, Command, Killed, World, processes
from tests.targets.memory_rig import wish

WINDOW = HealthPolicy(window=timedelta(seconds=2))
GOOD, BETTER = wish(health=WINDOW), wish(variant=1, health=WINDOW)


def bad(behaviour: str, **policy: object) -> Desired:
    desired = wish(variant=2, behaviour=behaviour)
    return replace(desired, upgrade=replace(desired.upgrade, health=WINDOW, **policy))


@pytest.fixture
def world() -> Iterator[World]:
    """A good revision runs, and has committed some records."""
    with processes():
        world = World()
        world.run(people.apply(GOOD))
        world.target.go_on(10, checkpoint=True)
        yield world


def kill(world: World, command: Command, at: str) -> None:
    with pytest.raises(Killed):
        world.run(command, Points(world, at=at))


def outcome_of(world: World, number: int) -> RevisionOutcome:
    revision = world.journal().revision(APPLICATION, number)
    assert revision
    return revision.outcome


def test_a_bad_revision_that_nobody_watched_is_rolled_back_with_its_state(world: World) -> None:
    kill(world, people.apply(bad("restarts")), "1:upgrade/submit:journalled")
    assert world.run(people.apply(bad("restarts"))).outcome is ApplyOutcome.ROLLED_BACK
    world.target.go_on(1, checkpoint=True)
    assert world.target.committed() > 10


def test_a_bad_revision_that_nobody_came_to_roll_back_is_rolled_back(world: World) -> None:
    kill(world, people.apply(bad("restarts")), "1:upgrade/transaction:journalled")
    assert outcome_of(world, 2) is RevisionOutcome.BAD
    assert world.run(people.apply(bad("restarts"))).outcome is ApplyOutcome.ROLLED_BACK


def test_a_start_that_is_refused_after_an_interrupted_stop_is_rolled_back(world: World) -> None:
    kill(world, people.apply(bad("rejects-submit")), "1:upgrade/stop:journalled")
    assert world.run(people.apply(bad("rejects-submit"))).outcome is ApplyOutcome.ROLLED_BACK


def test_a_stop_never_takes_the_savepoint_of_an_interrupted_snapshot_for_its_own(world: World) -> None:
    world.target.late_s = 60.0
    kill(world, people.take_snapshot(), "1:take-snapshot/snapshot:in-flight")
    upgrade = Points(world, lands_at="1:upgrade/check:landed")
    assert world.run(people.apply(BETTER), upgrade).outcome is ApplyOutcome.CONVERGED
    assert len(world.target.live()) == 1
    assert world.target.committed() > 10


def test_a_stop_that_comes_about_late_is_found_with_its_savepoint(world: World) -> None:
    """The job is at its end then, as a bounded one that has finished; but it was stopped."""
    world.target.late_s = 60.0
    kill(world, people.stop(), "1:suspend/stop:in-flight")
    assert world.run(people.apply(GOOD)).outcome is ApplyOutcome.UNCHANGED, "nothing has come about yet"
    world.clock.sleep(60)
    assert world.run(people.apply(BETTER)).outcome is ApplyOutcome.CONVERGED
    assert world.target.committed() > 10


def test_the_phase_of_what_was_stopped_late_is_not_finished(world: World) -> None:
    from scurry.engine.phase import phase_of

    world.target.late_s = 60.0
    kill(world, people.stop(), "1:suspend/stop:in-flight")
    world.run(people.apply(GOOD))
    world.clock.sleep(60)
    assert phase_of(world.observe(), world.history()) is Phase.SUSPENDED


def test_a_start_that_comes_about_while_it_is_made_again_is_that_start(world: World) -> None:
    world.target.late_s = 50.0
    kill(world, people.apply(BETTER), "1:upgrade/submit:in-flight")
    again = Points(world, lands_at="1:resume/check:landed")
    assert world.run(people.apply(BETTER), again).outcome is ApplyOutcome.CONVERGED
    world.check_truth()


def test_a_job_that_comes_about_late_is_not_taken_for_another_revision(world: World) -> None:
    world.target.late_s = 600.0
    kill(world, people.apply(BETTER), "1:upgrade/submit:in-flight")
    with pytest.raises(PlanOutdated, match="come about only now"):
        world.run(people.apply(GOOD), Points(world, lands_at="1:resume/check:landed"))
    world.check_truth()
    assert world.run(people.apply(GOOD)).outcome is ApplyOutcome.CONVERGED
    world.check_truth()


@pytest.mark.parametrize("command", [people.stop(), people.delete()], ids=["stop", "delete"])
def test_what_is_stopped_or_deleted_does_not_come_up_again_by_itself(world: World, command: Command) -> None:
    """A start was interrupted, whose job is there only after a while."""
    world.target.late_s = 30.0
    kill(world, people.apply(BETTER), "1:upgrade/submit:in-flight")
    with pytest.raises(PlanOutdated, match="come about only now"):
        world.run(command)
    world.run(command)
    assert world.target.live() == []


def test_an_adjusted_bad_revision_is_not_healthy(world: World) -> None:
    stays = bad("restarts", rollback=False)
    assert world.run(people.apply(stays)).outcome is ApplyOutcome.FAILED
    adjusted = replace(stays, description="adjusted")
    assert world.run(people.apply(adjusted)).outcome is ApplyOutcome.FAILED
    assert outcome_of(world, 3) is RevisionOutcome.BAD


def test_a_bad_revision_that_may_be_rolled_back_from_now_on_is(world: World) -> None:
    world.run(people.apply(bad("restarts", rollback=False)))
    assert world.run(people.apply(bad("restarts"))).outcome is ApplyOutcome.ROLLED_BACK
    world.check_truth()


@pytest.mark.parametrize("behaviour", ["fails-check", "rejects-submit"])
def test_a_rollback_that_cannot_start_tells_both_failures(world: World, behaviour: str) -> None:
    world.target.breaks(GOOD, behaviour)
    applied = world.run(people.apply(bad("fails")))
    assert applied.outcome is ApplyOutcome.SUSPENDED
    assert applied.error
    assert applied.error.code == "unhealthy"
    assert "memory.behaviour is fails" in applied.error.message
    assert f"memory.behaviour is {behaviour}" in applied.error.message
    assert applied.snapshot
    assert applied.snapshot.location in applied.error.message


def test_a_rollback_that_is_not_answered_tells_both_failures(world: World) -> None:
    world.target.falls_silent_after = Action.CANCEL
    with pytest.raises(TargetUnavailable, match=r"restarts.*rollback was begun and is not finished.*refused"):
        world.run(people.apply(bad("restarts")))


def test_the_gap_of_a_rollback_counts_from_the_first_stop(world: World) -> None:
    before = world.clock.time
    applied = world.run(people.apply(bad("never-checkpoints")))
    assert applied.outcome is ApplyOutcome.ROLLED_BACK
    assert applied.gap_s is not None
    assert 2 <= applied.gap_s <= (world.clock.time - before).total_seconds()
    refused = world.run(people.apply(bad("rejects-submit")))
    assert refused.outcome is ApplyOutcome.ROLLED_BACK
    assert refused.gap_s is not None


def test_a_healthy_revision_that_cannot_be_restarted_stays_healthy(world: World) -> None:
    world.target.breaks(GOOD, "fails-check")
    with pytest.raises(RejectedByTarget):
        world.run(people.restart())
    assert outcome_of(world, 1) is RevisionOutcome.HEALTHY


class RecoversTooLate(Points):
    """Has the job run again, and commit, when the rollback has begun and the job was not cancelled yet."""

    def reached(self, point: CrashPoint) -> None:
        if str(point) == "2:upgrade/check:started":
            self._world.target.recover()
        super().reached(point)


def test_a_failed_rescale_goes_back_from_the_checkpoint_that_is_newest_when_its_job_ends(world: World) -> None:
    world.target.rescales_in_place = True
    world.target.restarts_when_rescaled = True
    applied = world.run(people.apply(replace(GOOD, parallelism=2)), RecoversTooLate(world))
    assert applied.outcome is ApplyOutcome.ROLLED_BACK, applied
    assert world.target.committed() > 10
    world.check_truth()


def test_a_failed_upgrade_without_state_puts_the_old_revision_back_with_its_state(world: World) -> None:
    stateless = replace(bad("fails"), upgrade=UpgradePolicy(mode=UpgradeMode.STATELESS, health=WINDOW))
    assert world.run(people.apply(stateless)).outcome is ApplyOutcome.ROLLED_BACK
    (live,) = world.target.live()
    assert world.target._memory.jobs[live.id].state.position >= 10


def test_a_stopped_revision_is_not_put_back_without_its_state(world: World) -> None:
    """What failed was to start without state, by its own word."""
    world.run(people.stop())
    stateless = replace(bad("fails"), upgrade=UpgradePolicy(mode=UpgradeMode.STATELESS, health=WINDOW))
    assert world.run(people.apply(stateless)).outcome is ApplyOutcome.ROLLED_BACK
    (live,) = world.target.live()
    assert world.target._memory.jobs[live.id].state.position >= 10


def test_who_has_said_none_is_not_asked_for_a_snapshot_again(world: World) -> None:
    never_well = replace(bad("fails", rollback=False), upgrade=UpgradePolicy(mode=UpgradeMode.STATELESS, health=WINDOW))
    world.run(people.delete(snapshot=False))
    world.run(people.apply(never_well))
    world.run(people.start("none"))
    assert world.run(people.apply(GOOD)).outcome is ApplyOutcome.CONVERGED
