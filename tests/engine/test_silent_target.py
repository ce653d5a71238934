"""A target that falls silent while a new job is watched: its job is not condemned for that, and not run twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from scurry.model.errors import TargetUnavailable
from scurry.model.journal import RevisionOutcome
from scurry.model.observed import Observed
from scurry.model.operation import Action, Outcome, Step
from scurry.model.ports import StepContext
from scurry.model.result import ApplyOutcome
from scurry.targets.memory import MemoryTarget
from tests.engine.workshop import Workshop
from tests.targets.memory_rig import wish


class FallsSilent(MemoryTarget):
    """Does not answer for some time after each submit; or after a job was seen that is not well."""

    silent_s = 0.0
    after_a_failure = False
    _until = 0.0

    def run(self, step: Step, context: StepContext) -> Outcome:
        outcome = super().run(step, context)
        if step.action is Action.SUBMIT and not self.after_a_failure:
            self._fall_silent()
        return outcome

    def observe(self, application: str, marks: Sequence[str]) -> Observed:
        if self._clock.now().timestamp() < self._until:
            return Observed(reachable=False, unreachable_because="connection refused")
        observed = super().observe(application, marks)
        if self.after_a_failure and observed.live and observed.live.restarts:
            self._fall_silent()
        return observed

    def _fall_silent(self) -> None:
        self._until, self.silent_s = self._clock.now().timestamp() + self.silent_s, 0.0


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    workshop = Workshop(tmp_path, FallsSilent)
    workshop.apply(wish())
    return workshop


def fall_silent(workshop: Workshop, seconds: float, *, after_a_failure: bool = False) -> None:
    assert isinstance(workshop.target, FallsSilent)
    workshop.target.silent_s = seconds
    workshop.target.after_a_failure = after_a_failure


def test_a_short_silence_is_waited_out(workshop: Workshop) -> None:
    fall_silent(workshop, 10)
    assert workshop.apply(wish(variant=1)).outcome is ApplyOutcome.CONVERGED
    assert len(workshop.live_jobs()) == 1


def test_a_long_silence_condemns_nothing_and_the_next_apply_goes_on(workshop: Workshop) -> None:
    fall_silent(workshop, 3600)
    with pytest.raises(TargetUnavailable, match="connection refused"):
        workshop.apply(wish(variant=1))
    current = workshop.history().current
    assert current is not None
    assert current.outcome is RevisionOutcome.PENDING
    (job,) = workshop.live_jobs()

    workshop.wait(3600)
    assert workshop.apply(wish(variant=1)).outcome is ApplyOutcome.CONVERGED

    assert workshop.live_jobs() == [job]
    current = workshop.history().current
    assert current is not None
    assert (current.desired, current.outcome) == (wish(variant=1), RevisionOutcome.HEALTHY)


@pytest.mark.parametrize("silent_s", [10, 60, 3600])
def test_a_silence_before_the_rollback_starts_no_second_job(workshop: Workshop, silent_s: float) -> None:
    fall_silent(workshop, silent_s, after_a_failure=True)
    result = workshop.apply(wish(variant=1, behaviour="restarts"))
    expected = ApplyOutcome.ROLLED_BACK if silent_s < 20 else ApplyOutcome.FAILED
    assert result.outcome is expected
    assert len(workshop.live_jobs()) == 1
