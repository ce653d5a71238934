"""The conformance suite is judged by mutations: each way of being wrong below has to be found by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import pytest

from scurry.model.errors import ScurryError
from scurry.model.observed import Job, Observed
from scurry.model.operation import Action, Operation, Outcome, Step
from scurry.model.ports import Marks, StepContext
from scurry.model.snapshot import Stateless
from scurry.targets.memory import Memory, MemoryTarget
from scurry.testing.target_conformance import TargetConformance
from tests.targets.memory_rig import FakeClock, MemoryRig


class IgnoresRestore(MemoryTarget):
    """Starts without state, whatever it was told."""

    def _submit(self, memory: Memory, step: Step, context: StepContext) -> Outcome:
        context.restore = Stateless(why="mutated")  # type: ignore[misc] # the test's context is a plain dataclass
        return super()._submit(memory, step, context)


class SubmitsTwice(MemoryTarget):
    """Takes every submit for a new one, under an id of its own when ours is taken."""

    def _submit(self, memory: Memory, step: Step, context: StepContext) -> Outcome:
        if step.mark in memory.jobs:
            step = msgspec.structs.replace(step, mark="a" * 32)
        return super()._submit(memory, step, context)


class ForgetsTriggers(MemoryTarget):
    """Does not know a stop again by its mark."""

    def _savepoint(self, memory: Memory, step: Step) -> Outcome:
        memory.triggers.clear()
        return super()._savepoint(memory, step)


class StopsBeforeChecking(MemoryTarget):
    """Stops the old job first."""

    def steps(self, operation: Operation, marks: Marks) -> tuple[Step, ...]:
        steps = super().steps(operation, marks)
        stops = tuple(step for step in steps if step.action in {Action.STOP, Action.CANCEL})
        return (*stops, *(step for step in steps if step not in stops))


class ChecksNothing(MemoryTarget):
    """Says that everything can start."""

    def _check(self, memory: Memory, step: Step, context: StepContext) -> Outcome:
        return Outcome()


class SavepointThenRunsOn(MemoryTarget):
    """Takes the savepoint of a stop and leaves the job running."""

    def _savepoint(self, memory: Memory, step: Step) -> Outcome:
        return super()._savepoint(memory, msgspec.structs.replace(step, action=Action.SNAPSHOT))


class SnapshotStops(MemoryTarget):
    """Stops the job for a savepoint that should leave it running."""

    def _savepoint(self, memory: Memory, step: Step) -> Outcome:
        return super()._savepoint(memory, msgspec.structs.replace(step, action=Action.STOP))


class FindsEverything(MemoryTarget):
    """Says of every submit that it landed."""

    def find(self, step: Step) -> Outcome | None:
        return Outcome(job_id=step.mark)


class FindsNothing(MemoryTarget):
    """Says of nothing that it landed."""

    def find(self, step: Step) -> Outcome | None:
        return None


class HidesStrangers(MemoryTarget):
    """Does not show jobs that others started."""

    def observe(self, application: str, marks: Sequence[str]) -> Observed:
        return msgspec.structs.replace(super().observe(application, marks), strangers=())


class ShowsEverybodysJobs(MemoryTarget):
    """Shows jobs as the application's that are not."""

    def observe(self, application: str, marks: Sequence[str]) -> Observed:
        return super().observe(application, tuple(self.survey()))


class SurveysNothing(MemoryTarget):
    """Has an empty survey."""

    def survey(self) -> Mapping[str, Job]:
        return {}


class KeepsDroppedSnapshots(MemoryTarget):
    """Says that it deleted a snapshot, and did not."""

    def _run(self, memory: Memory, step: Step, context: StepContext) -> Outcome:
        return Outcome() if step.action is Action.DISPOSE else super()._run(memory, step, context)


class StopsTheUnknown(MemoryTarget):
    """Says that it stopped what it does not know."""

    def run(self, step: Step, context: StepContext) -> Outcome:
        try:
            return super().run(step, context)
        except ScurryError:
            if step.action in {Action.STOP, Action.CANCEL}:
                return Outcome()
            raise


class StartsFromNothingInstead(MemoryTarget):
    """Falls to no state when the snapshot is not there."""

    def _submit(self, memory: Memory, step: Step, context: StepContext) -> Outcome:
        try:
            return super()._submit(memory, step, context)
        except ScurryError:
            if step.mark in memory.jobs:
                raise
            context.restore = Stateless(why="mutated")  # type: ignore[misc] # the test's context is a plain dataclass
            return super()._submit(memory, step, context)


MUTANTS = [
    IgnoresRestore,
    SubmitsTwice,
    ForgetsTriggers,
    StopsBeforeChecking,
    ChecksNothing,
    SavepointThenRunsOn,
    SnapshotStops,
    FindsEverything,
    FindsNothing,
    HidesStrangers,
    ShowsEverybodysJobs,
    SurveysNothing,
    KeepsDroppedSnapshots,
    StopsTheUnknown,
    StartsFromNothingInstead,
]
PROMISES = [name for name in dir(TargetConformance) if name.startswith("test_")]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_suite_finds_the_mutant(mutant: type[MemoryTarget]) -> None:
    found = [name for name in PROMISES if _fails(name, mutant)]
    assert found, f"no test of the suite fails for a target that {mutant.__doc__}"


def test_the_suite_finds_nothing_wrong_with_the_original() -> None:
    assert [name for name in PROMISES if _fails(name, MemoryTarget)] == []


def _fails(name: str, kind: type[MemoryTarget]) -> bool:
    from scurry.testing.rig import CountedMarks, Runner

    rig = MemoryRig(kind("memory", clock=FakeClock()))
    rig.patience_s = 0.05
    promise = getattr(TargetConformance(), name)
    given = {"rig": rig, "runner": Runner(rig, CountedMarks(prefix=1))}
    wanted = promise.__func__.__code__.co_varnames[1 : promise.__func__.__code__.co_argcount]
    try:
        promise(**{argument: given[argument] for argument in wanted})
    except (AssertionError, ScurryError, pytest.fail.Exception):
        return True
    return False
