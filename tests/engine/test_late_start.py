"""A submit whose answer never came may come about later; what it starts is never taken for something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from scurry.model.errors import PlanOutdated, TargetUnavailable
from scurry.model.operation import Outcome, Step
from scurry.model.ports import StepContext
from scurry.model.result import ApplyOutcome
from scurry.targets.memory import Memory, MemoryTarget
from tests.engine.workshop import Workshop
from tests.targets.memory_rig import wish

SOON_S = 30.0


class SlowToStart(MemoryTarget):
    """Loses the answer of the second submit, whose job is there only when `lands_at` is past; if it is ever."""

    submits = 0
    lands_at: float | None = None
    under_way: tuple[Step, StepContext] | None = None

    def _submit(self, memory: Memory, step: Step, context: StepContext) -> Outcome:
        self.submits += 1
        if self.submits == 2:
            self.under_way = (step, context)
            raise TargetUnavailable("the connection broke", target=self.name)
        return super()._submit(memory, step, context)

    def find(self, step: Step) -> Outcome | None:
        if self.under_way and self.lands_at is not None and self._clock.now().timestamp() >= self.lands_at:
            late, context = self.under_way
            self.under_way = None
            self.run(late, context)
        return super().find(step)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """An upgrade was interrupted in its submit."""
    workshop = Workshop(tmp_path, SlowToStart)
    workshop.apply(wish())
    with pytest.raises(TargetUnavailable):
        workshop.apply(wish(variant=1))
    return workshop


def land_soon(workshop: Workshop) -> None:
    assert isinstance(workshop.target, SlowToStart)
    workshop.target.lands_at = workshop.clock.now().timestamp() + SOON_S / 2


def test_the_start_of_something_else_waits_for_it_and_goes_on_from_its_state(workshop: Workshop) -> None:
    land_soon(workshop)
    with pytest.raises(PlanOutdated, match="come about only now"):
        workshop.apply(wish(variant=2))
    (late,) = workshop.live_jobs()
    current = workshop.history().current
    assert current is not None
    assert current.desired == wish(variant=1), "what runs is not taken for what was asked for last"

    result = workshop.apply(wish(variant=2))

    assert result.outcome is ApplyOutcome.CONVERGED
    assert len(workshop.live_jobs()) == 1
    assert workshop.lineage_of_state()[-2] == late


def test_the_same_again_does_not_wait(workshop: Workshop) -> None:
    before = workshop.clock.now()
    assert workshop.apply(wish(variant=1)).outcome is ApplyOutcome.CONVERGED
    assert (workshop.clock.now() - before).total_seconds() < SOON_S / 2
    assert len(workshop.live_jobs()) == 1


def test_one_that_never_comes_about_holds_nothing_up_for_ever(workshop: Workshop) -> None:
    assert workshop.apply(wish(variant=2)).outcome is ApplyOutcome.CONVERGED
    before = workshop.clock.now()
    assert workshop.apply(wish(variant=3)).outcome is ApplyOutcome.CONVERGED
    assert (workshop.clock.now() - before).total_seconds() < SOON_S
    assert len(workshop.lineage_of_state()) == 3, "of the first, of the second that came about, and of the third"
