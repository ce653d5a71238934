"""A JobManager that dies while a new job is watched takes it along: what that job committed is not written twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from scurry.model.desired import HealthPolicy
from scurry.model.observed import Observed
from scurry.model.result import ApplyOutcome
from scurry.targets.memory import MemoryTarget
from tests.engine.workshop import APPLICATION, Workshop
from tests.targets.memory_rig import wish

HOLD = HealthPolicy(hold=timedelta(seconds=20))


class Forgetful(MemoryTarget):
    """Its jobs process and commit whenever they are looked at; told to, it then loses all of them once."""

    is_about_to_die = False

    def observe(self, application: str, marks: Sequence[str]) -> Observed:
        self.writes_checkpoints = True
        for id in self._load().jobs:
            self.process(id, 10)
            self.checkpoint(id)
        watched = [entry.state for entry in self._load().jobs.values() if len(entry.state.history) == 2]
        if self.is_about_to_die and watched:
            self.is_about_to_die = False
            self.lose_jobs()
        return super().observe(application, marks)


def test_a_job_that_was_lost_after_it_committed_is_gone_on_from_where_it_was(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, Forgetful)
    target = workshop.target
    assert isinstance(target, Forgetful)
    workshop.apply(wish(health=HOLD))
    target.is_about_to_die = True

    applied = workshop.apply(wish(variant=1, health=HOLD))

    assert not target.is_about_to_die, "the job was not lost"
    assert applied.outcome is ApplyOutcome.ROLLED_BACK
    workshop.observe()
    commits = target.output(APPLICATION)
    assert len({commit.job_id for commit in commits}) == 3, "the first, the lost and the one that took over wrote"
    numbers = [number for commit in commits for number in range(commit.first, commit.end)]
    assert sorted(numbers) == list(range(len(numbers)))
