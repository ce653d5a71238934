"""A revision that wrote checkpoints before it went bad: what its sinks committed is neither lost nor written twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from scurry.engine import recovery
from scurry.model.desired import HealthPolicy, UpgradePolicy
from scurry.model.errors import RejectedByTarget
from scurry.model.journal import OperationOutcome, RevisionOutcome
from scurry.model.observed import JobFailure, JobState, Observed
from scurry.model.operation import Action, Outcome, Step
from scurry.model.plan import Plan
from scurry.model.ports import StepContext
from scurry.model.result import ApplyOutcome
from scurry.targets.memory import MemoryTarget
from tests.engine.workshop import APPLICATION, Workshop
from tests.targets.memory_rig import wish

HOLD = HealthPolicy(hold=timedelta(seconds=20))
UNFIT = "StateMigrationException: the new state serializer (A@1) must not be incompatible with the old"
LATE = wish(variant=1, health=HOLD)


class LateTarget(MemoryTarget):
    """Its jobs process and commit whenever they are looked at; those of the second variant fail after a while."""

    failing_s = 10.0
    loops = False
    unfit = False
    """the first variant cannot read what the second wrote"""

    def observe(self, application: str, marks: Sequence[str]) -> Observed:
        self.writes_checkpoints = True
        memory = self._load()
        now = self._clock.now()
        for id, entry in memory.jobs.items():
            began = entry.job.started_at
            is_late = began is not None and now - began >= timedelta(seconds=self.failing_s)
            if entry.config.get("variant") == "1" and is_late and not entry.job.state.is_terminal:
                self._go_bad(id)
            else:
                self.process(id, 10)
                self.checkpoint(id)
        return super().observe(application, marks)

    def run(self, step: Step, context: StepContext) -> Outcome:
        outcome = super().run(step, context)
        desired = context.desired
        if step.action is Action.SUBMIT and desired and outcome.job_id:
            entry = self._load().jobs[outcome.job_id]
            entry.config = {"variant": desired.artifact.digest[-1]}
            wrote = getattr(context.restore, "snapshot", None)
            by = self._load().jobs.get(wrote.job_id) if wrote else None
            if self.unfit and entry.config["variant"] == "0" and by and by.config.get("variant") == "1":
                entry.job = msgspec.structs.replace(entry.job, state=JobState.FAILED, root_exception=UNFIT)
        return outcome

    def _go_bad(self, job_id: str) -> None:
        if not self.loops:
            self.fail(job_id)
            return
        entry, now = self._load().jobs[job_id], self._clock.now()
        failures = tuple(JobFailure(at=now - timedelta(seconds=s), message="boom") for s in (1, 11, 21))
        entry.job = msgspec.structs.replace(entry.job, restarts=3, failures=failures)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, LateTarget)


def target(workshop: Workshop) -> LateTarget:
    assert isinstance(workshop.target, LateTarget)
    return workshop.target


def written_twice(workshop: Workshop) -> int:
    """How many records were committed more than once; fails when one is missing."""
    numbers = [n for commit in workshop.target.output(APPLICATION) for n in range(commit.first, commit.end)]
    assert set(numbers) == set(range(max(numbers) + 1)), "records are lost"
    return len(numbers) - len(set(numbers))


@pytest.mark.parametrize("loops", [False, True])
def test_a_revision_that_fails_late_is_rolled_back_and_nothing_is_written_twice(
    workshop: Workshop, loops: bool
) -> None:
    target(workshop).loops = loops
    workshop.apply(wish())

    result = workshop.apply(LATE)

    assert result.outcome is ApplyOutcome.ROLLED_BACK
    assert result.error
    assert "no state was lost" in result.error.message
    assert "twice" not in result.error.message
    workshop.observe()
    assert written_twice(workshop) == 0
    assert len(workshop.live_jobs()) == 1
    assert len(workshop.lineage_of_state()) == 3, "the state of the failed revision's job went along"


def test_without_a_hold_the_same_revision_is_healthy_at_once(workshop: Workshop) -> None:
    workshop.apply(wish())
    before = workshop.clock.time
    assert workshop.apply(wish(variant=1)).outcome is ApplyOutcome.CONVERGED
    assert workshop.clock.time - before < timedelta(seconds=1)


@pytest.mark.parametrize("loops", [False, True])
def test_by_default_the_state_of_the_failed_revision_is_not_trusted_and_that_is_said(
    workshop: Workshop, loops: bool
) -> None:
    target(workshop).loops = loops
    workshop.apply(wish())

    result = workshop.apply(msgspec.structs.replace(LATE, upgrade=UpgradePolicy(health=HOLD)))

    assert result.outcome is ApplyOutcome.ROLLED_BACK
    assert result.error
    assert "no state was lost" in result.error.message
    assert "may be there twice" in result.error.message
    stops = [record.landed(Action.STOP) for record in workshop.journal.operations(APPLICATION)]
    assert result.snapshot in [stop.snapshot for stop in stops if stop]
    assert len(workshop.lineage_of_state()) == 2, "the state of the failed revision's job stays behind"
    workshop.observe()
    assert written_twice(workshop) > 0


@pytest.mark.parametrize("loops", [False, True])
def test_what_cannot_be_read_by_the_revision_before_is_left_and_said_to_be_written_twice(
    workshop: Workshop, loops: bool
) -> None:
    target(workshop).loops = loops
    target(workshop).unfit = True
    workshop.apply(wish())

    result = workshop.apply(LATE)

    assert result.outcome is ApplyOutcome.ROLLED_BACK
    assert result.error
    assert "may be there twice" in result.error.message
    assert len(workshop.live_jobs()) == 1
    assert len(workshop.lineage_of_state()) == 2
    workshop.observe()
    assert written_twice(workshop) > 0


class NoWayBack(LateTarget):
    """Refuses to start the first variant a second time."""

    def run(self, step: Step, context: StepContext) -> Outcome:
        desired = context.desired
        is_first = desired is not None and desired.artifact == wish().artifact
        if step.action is Action.CHECK and is_first and self._load().jobs:
            raise RejectedByTarget("its jar cannot be read", target=self.name)
        return super().run(step, context)


@pytest.mark.parametrize("loops", [False, True])
def test_where_neither_revision_can_run_the_application_stands_still_with_its_state(
    tmp_path: Path, loops: bool
) -> None:
    workshop = Workshop(tmp_path, NoWayBack)
    target(workshop).loops = loops
    workshop.apply(wish())

    result = workshop.apply(LATE)

    assert result.outcome is ApplyOutcome.SUSPENDED
    assert result.error
    assert "The rollback was tried and failed, too: its jar cannot be read" in result.error.message
    assert result.snapshot
    assert f"Its state is safe in {result.snapshot.location}" in result.error.message
    assert "\n  scurry start shop" in (result.error.hint or "")
    assert not workshop.live_jobs()
    if loops:  # it was cancelled, which is a last word; of one that failed by itself the server tries a recovery, once
        assert recover(workshop) is None


def recover(workshop: Workshop) -> recovery.Decision:
    observed, history = workshop.observe(), workshop.history()
    operations = workshop.journal.operations(APPLICATION)
    return recovery.decide(observed, history, operations, now=workshop.clock.now())


def recovered(workshop: Workshop) -> recovery.Decision:
    """Let time pass until something is decided, and do it."""
    for _ in range(60):
        decision = recover(workshop)
        if decision is not None:
            break
        workshop.wait(1)
    if isinstance(decision, Plan):
        workshop.change(lambda observed, history: decision)
    return decision


@pytest.mark.parametrize("loops", [False, True])
def test_a_young_revision_that_goes_bad_after_its_gate_is_rolled_back_and_marked_bad(
    workshop: Workshop, loops: bool
) -> None:
    target(workshop).loops = loops
    workshop.apply(wish())
    workshop.apply(wish(variant=1))

    assert isinstance(recovered(workshop), Plan)

    workshop.observe()
    assert written_twice(workshop) == 0
    history = workshop.history()
    assert history.current
    assert history.current.desired.artifact == wish().artifact
    bad = workshop.journal.revision(APPLICATION, 2)
    assert bad
    assert bad.outcome is RevisionOutcome.BAD
    assert bad.error
    assert "boom" in bad.error or "told to fail" in bad.error
    assert recover(workshop) is None


@pytest.mark.parametrize("loops", [False, True])
def test_where_the_revision_before_cannot_read_the_newest_state_it_stands_still_and_a_person_is_told(
    workshop: Workshop, loops: bool
) -> None:
    target(workshop).loops, target(workshop).unfit = loops, True
    workshop.apply(wish())
    workshop.apply(wish(variant=1))

    assert isinstance(recovered(workshop), Plan)

    assert workshop.live_jobs() == []
    newest = workshop.history().restored
    assert newest
    told = recover(workshop)
    assert isinstance(told, recovery.Alert)
    assert written_twice(workshop) == 0, "the newest state was not given up"


def grow_old(workshop: Workshop) -> None:
    workshop.wait(2 * 86400)


@pytest.mark.parametrize("loops", [False, True])
def test_an_old_revision_is_started_again_once_and_then_a_person_is_told(workshop: Workshop, loops: bool) -> None:
    late = target(workshop)
    late.loops, late.failing_s = loops, 2 * 86400
    workshop.apply(wish())
    workshop.apply(wish(variant=1))
    grow_old(workshop)
    late.failing_s = 10

    assert isinstance(recovered(workshop), Plan)
    assert workshop.observe().live
    assert workshop.history().current
    assert isinstance(recovered(workshop), recovery.Alert)
    assert written_twice(workshop) == 0
    last = workshop.history().last
    assert last
    assert last.outcome is OperationOutcome.DONE
