"""What every target has to do: subclass `TargetConformance`, give a `rig` fixture, and pytest runs the suite on it.

    class TestMyTarget(TargetConformance):
        @pytest.fixture
        def rig(self, tmp_path):
            return MyRig(tmp_path)

The suite speaks only the `Target` protocol. It is judged by mutations of the memory
target, in tests/targets/test_mutations.py.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from scurry.model.desired import Desired, UpgradeMode
from scurry.model.errors import AlreadySubmitted, JobNotFound, RejectedByTarget, ScurryError, TargetUnsuitable
from scurry.model.operation import (
    Action,
    Delete,
    Deploy,
    DropSnapshot,
    Resume,
    Suspend,
    TakeSnapshot,
    Upgrade,
)
from scurry.model.snapshot import FromLatest, FromSnapshot, Snapshot, SnapshotKind, Stateless
from scurry.testing.rig import CountedMarks, Runner, missing_snapshot

if TYPE_CHECKING:
    from scurry.testing.rig import Rig

_PREFIXES = itertools.count(1)
_NEW = Stateless(why="it is new")


class LifecycleConformance:
    """The way of an application from its first start to its end, with its state."""

    @pytest.fixture
    def rig(self) -> Rig:
        """Return the target under test. A subclass overrides it."""
        raise NotImplementedError("a conformance suite needs a fixture `rig`")

    @pytest.fixture
    def runner(self, rig: Rig) -> Runner:
        """Run operations with marks that no other test uses."""
        import os

        return Runner(rig, CountedMarks(prefix=os.getpid() << 24 | next(_PREFIXES)))

    def test_state_goes_along_through_upgrade_stop_and_start(self, rig: Rig, runner: Runner) -> None:
        """Each job starts from what the one before it left, and there is never more than one."""
        first = _deploy(runner, rig.wish())
        upgraded = runner.run(_upgrade(rig.wish(variant=1), first))
        savepoint = _snapshot(upgraded[Action.STOP].snapshot)
        second = _id(upgraded[Action.SUBMIT].job_id)
        assert savepoint.job_id == first
        assert _same(runner.await_running(second).restored_from, savepoint.location)
        assert _live(runner) == [second]
        stopped = _snapshot(runner.run(Suspend(job_id=second))[Action.STOP].snapshot)
        assert _live(runner) == []
        resumed = runner.run(Resume(desired=rig.wish(variant=1), restore=FromSnapshot(snapshot=stopped)))
        third = _id(resumed[Action.SUBMIT].job_id)
        assert _same(runner.await_running(third).restored_from, stopped.location)
        runner.run(Delete(job_id=third))
        assert _live(runner) == []


class TargetConformance(LifecycleConformance):
    """All that is asked of a target."""

    stop_leaves = SnapshotKind.SAVEPOINT
    """what kind of snapshot a stop writes; a service that keeps snapshots itself says `MANAGED`"""

    def test_what_was_never_deployed_is_not_there(self, runner: Runner) -> None:
        """An absent application is an observation, not an error."""
        observed = runner.observe()
        assert observed.reachable
        assert observed.jobs == ()

    def test_a_deploy_checks_before_it_submits_and_submits_under_our_id(self, rig: Rig, runner: Runner) -> None:
        """The mark of the submit is the job's id, and the target shows it."""
        operation = Deploy(desired=rig.wish(), restore=_NEW)
        steps = rig.target.steps(operation, CountedMarks(prefix=7))
        actions = [step.action for step in steps]
        assert actions.index(Action.UPLOAD) < actions.index(Action.CHECK) < actions.index(Action.SUBMIT)
        job_id = _deploy(runner, rig.wish())
        assert job_id == runner.job_ids[0]
        assert job_id in rig.target.survey()

    def test_lowering_an_operation_is_pure(self, rig: Rig) -> None:
        """The same operation and marks give the same steps; a dry run is the real run."""
        operation = Upgrade(desired=rig.wish(), restore=FromLatest(), mode=UpgradeMode.SAVEPOINT, job_id="0" * 32)
        assert rig.target.steps(operation, CountedMarks(prefix=9)) == rig.target.steps(
            operation, CountedMarks(prefix=9)
        )

    def test_an_upgrade_finds_out_everything_before_it_stops_the_job(self, rig: Rig) -> None:
        """What can fail beforehand comes before the stop."""
        operation = Upgrade(desired=rig.wish(), restore=FromLatest(), mode=UpgradeMode.SAVEPOINT, job_id="0" * 32)
        actions = [step.action for step in rig.target.steps(operation, CountedMarks())]
        assert actions[-4:] == [Action.UPLOAD, Action.CHECK, Action.STOP, Action.SUBMIT]

    def test_only_an_upgrade_from_the_latest_state_takes_a_savepoint(self, rig: Rig) -> None:
        """Where the state comes from a named snapshot, or from nowhere, the old job is cancelled."""
        for source in (Stateless(why="test"), FromSnapshot(snapshot=_some_snapshot())):
            operation = Upgrade(desired=rig.wish(), restore=source, mode=UpgradeMode.SAVEPOINT, job_id="0" * 32)
            actions = [step.action for step in rig.target.steps(operation, CountedMarks())]
            assert Action.STOP not in actions
            assert actions.index(Action.CANCEL) == actions.index(Action.SUBMIT) - 1

    def test_the_same_job_is_never_submitted_twice(self, rig: Rig, runner: Runner) -> None:
        """A second submit under the same mark is refused or finds the first; nothing runs twice."""
        operation = Deploy(desired=rig.wish(), restore=_NEW)
        *before, submit = rig.target.steps(operation, runner.marks)
        context = runner.context(operation)
        for step in before:
            runner.step(step, context)
        assert rig.target.find(submit) is None
        runner.step(submit, context)
        runner.await_running(submit.mark)
        try:
            again = runner.step(submit, context)
        except AlreadySubmitted:
            pass
        else:
            assert again.job_id == submit.mark
        assert _live(runner) == [submit.mark]
        found = rig.target.find(submit)
        assert found is not None
        assert found.job_id == submit.mark
        _cancel(runner, submit.mark)

    def test_a_stop_that_is_made_again_joins_the_first(self, rig: Rig, runner: Runner) -> None:
        """The savepoint of a stop whose answer was lost is found by its mark, and only one is taken."""
        job_id = _deploy(runner, rig.wish())
        operation = Suspend(job_id=job_id)
        (stop,) = (step for step in rig.target.steps(operation, runner.marks) if step.action is Action.STOP)
        assert rig.target.find(stop) is None
        first = _snapshot(runner.step(stop, runner.context(operation)).snapshot)
        assert first.kind is self.stop_leaves
        found = rig.target.find(stop)
        assert found is not None
        assert _snapshot(found.snapshot).location == first.location
        assert _snapshot(runner.step(stop, runner.context(operation)).snapshot).location == first.location
        assert _live(runner) == []

    def test_a_savepoint_leaves_the_job_running(self, rig: Rig, runner: Runner) -> None:
        """The snapshot can be restored from, until it is deleted."""
        job_id = _deploy(runner, rig.wish())
        snapshot = _snapshot(runner.run(TakeSnapshot(job_id=job_id))[Action.SNAPSHOT].snapshot)
        assert snapshot.job_id == job_id
        assert _live(runner) == [job_id]
        _cancel(runner, job_id)
        resumed = runner.run(Resume(desired=rig.wish(), restore=FromSnapshot(snapshot=snapshot)))
        second = _id(resumed[Action.SUBMIT].job_id)
        assert _same(runner.await_running(second).restored_from, snapshot.location)
        _cancel(runner, second)
        runner.run(DropSnapshot(snapshot=snapshot))
        assert _fails_to_start(runner, rig.wish(), snapshot)

    def test_state_that_is_not_there_is_never_taken_for_none(self, rig: Rig, runner: Runner) -> None:
        """A snapshot that cannot be read fails the start."""
        job_id = _deploy(runner, rig.wish())
        snapshot = _snapshot(runner.run(Suspend(job_id=job_id))[Action.STOP].snapshot)
        assert _fails_to_start(runner, rig.wish(), missing_snapshot(snapshot))
        assert _live(runner) == []

    def test_a_check_that_fails_leaves_the_running_job_alone(self, rig: Rig, runner: Runner) -> None:
        """A job graph that does not build is found out while the old job runs."""
        job_id = _deploy(runner, rig.wish())
        operation = _upgrade(rig.broken(), job_id)
        with pytest.raises(ScurryError):
            runner.run(operation)
        assert _live(runner) == [job_id]
        assert runner.await_running(job_id).restarts == 0
        _cancel(runner, job_id)

    def test_too_much_parallelism_is_found_out_before_anything_runs(self, rig: Rig, runner: Runner) -> None:
        """Slots that do not suffice are an error of the check."""
        with pytest.raises(TargetUnsuitable, match="slots"):
            runner.run(Deploy(desired=rig.wish(parallelism=9999), restore=_NEW))
        assert _live(runner) == []

    def test_a_cancelled_job_is_at_its_end(self, rig: Rig, runner: Runner) -> None:
        """Suspend without a snapshot takes none."""
        job_id = _deploy(runner, rig.wish())
        outcome = runner.run(Suspend(job_id=job_id, snapshot=False))[Action.CANCEL]
        assert outcome.snapshot is None or outcome.snapshot.kind is SnapshotKind.CHECKPOINT
        job = runner.job(job_id)
        assert job is None or job.state.is_terminal
        assert _live(runner) == []

    def test_stopping_a_job_that_is_not_there_says_so(self, rig: Rig, runner: Runner) -> None:
        """It is an error of its own, so that nobody takes it for a stop."""
        with pytest.raises(JobNotFound):
            runner.run(Suspend(job_id="f" * 32))

    def test_a_job_of_the_same_name_that_is_not_ours_is_a_stranger(self, rig: Rig, runner: Runner) -> None:
        """Starting beside it would run the application twice, so it is shown."""
        job_id = _deploy(runner, rig.wish())
        observed = rig.target.observe(rig.wish().application, ("e" * 32,))
        assert observed.jobs == ()
        assert [job.id for job in observed.strangers] == [job_id]
        _cancel(runner, job_id)

    def test_observing_changes_nothing(self, rig: Rig, runner: Runner) -> None:
        """Two looks at a stopped application see the same jobs as they ended; statistics may still be catching up."""
        job_id = _deploy(runner, rig.wish())
        _cancel(runner, job_id)
        looks = [runner.observe() for _ in range(2)]
        assert [[(job.id, job.state) for job in look.jobs] for look in looks] == [
            [(job_id, looks[0].jobs[0].state)]
        ] * 2
        assert looks[0].strangers == looks[1].strangers


def _deploy(runner: Runner, desired: Desired) -> str:
    job_id = _id(runner.run(Deploy(desired=desired, restore=_NEW))[Action.SUBMIT].job_id)
    runner.await_running(job_id)
    return job_id


def _upgrade(desired: Desired, job_id: str) -> Upgrade:
    return Upgrade(desired=desired, restore=FromLatest(), mode=UpgradeMode.SAVEPOINT, job_id=job_id)


def _cancel(runner: Runner, job_id: str) -> None:
    runner.run(Suspend(job_id=job_id, snapshot=False))
    runner.await_job(job_id, lambda job: job.state.is_terminal)


def _fails_to_start(runner: Runner, desired: Desired, snapshot: Snapshot) -> bool:
    """Whether a start from that snapshot fails: refused at once, or the job goes to its end without having run."""
    try:
        outcomes = runner.run(Resume(desired=desired, restore=FromSnapshot(snapshot=snapshot)))
    except RejectedByTarget:
        return True
    job = runner.await_job(
        _id(outcomes[Action.SUBMIT].job_id), lambda job: job.state.is_terminal or job.checkpoints.completed > 0
    )
    return job.state.value == "failed"


def _live(runner: Runner) -> list[str]:
    return [job.id for job in runner.observe().jobs if not job.state.is_terminal]


def _snapshot(snapshot: Snapshot | None) -> Snapshot:
    assert snapshot is not None, "the outcome of a stop or snapshot holds the snapshot"
    return snapshot


def _id(job_id: str | None) -> str:
    assert job_id is not None, "the outcome of a submit holds the job's id"
    return job_id


def _same(left: str | None, right: str) -> bool:
    """Whether two locations are the same: Flink writes `file:/x` where `file:///x` was given."""
    return left is not None and left.replace("file:///", "file:/") == right.replace("file:///", "file:/")


def _some_snapshot() -> Snapshot:
    from datetime import UTC, datetime

    return Snapshot(kind=SnapshotKind.SAVEPOINT, location="file:///somewhere", taken_at=datetime.now(UTC))


__all__ = ["LifecycleConformance", "TargetConformance"]
