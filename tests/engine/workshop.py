"""An application on the memory target with a real journal: what tests of the executor work on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from scurry.engine.attempt import Services
from scurry.engine.executor import Executor
from scurry.engine.lease import LEASE
from scurry.engine.planner import make_plan
from scurry.journal.sqlite import SqliteJournal
from scurry.model.desired import Desired
from scurry.model.journal import History
from scurry.model.observed import Observed
from scurry.model.plan import Plan
from scurry.model.reporting import SilentReporter
from scurry.model.result import Applied
from scurry.targets.memory import MemoryTarget
from tests.targets.memory_rig import FakeClock, NoArtifacts, PlainSecrets

APPLICATION = "shop"


class Workshop:
    """Plans and applies, as the workspace does."""

    def __init__(self, folder: Path, target: type[MemoryTarget] = MemoryTarget) -> None:
        self.clock = FakeClock()
        self.target = target("memory", clock=self.clock)
        self.journal = SqliteJournal.open(folder / "journal.db", clock=self.clock, owner="tester@here pid 1")

    def apply(self, desired: Desired) -> Applied:
        """Converge the application on a wish."""
        return self.change(lambda observed, history: make_plan(desired, observed, history, now=self.clock.now()))

    def change(self, decide: Callable[[Observed, History], Plan]) -> Applied:
        """Do what a verb decides."""
        lease = self.journal.acquire(APPLICATION, duration=LEASE)
        try:
            executor = Executor(self._services(), lease)
            while True:
                observed, history = self.observe(), self.history()
                if not executor.settle():
                    return executor.execute(decide(observed, history))
        finally:
            self.journal.release(lease)

    def plan(self, desired: Desired) -> Plan:
        """Return what apply would do."""
        return make_plan(desired, self.observe(), self.history(), now=self.clock.now())

    def history(self) -> History:
        """Return what the journal says."""
        return self.journal.history(APPLICATION)

    def observe(self) -> Observed:
        """Return what the target says."""
        return self.target.observe(APPLICATION, self.history().marks)

    def lineage_of_state(self) -> tuple[str, ...]:
        """Return the jobs whose state the live job holds, oldest first."""
        live = self.observe().live
        assert live is not None
        return self.target._load().jobs[live.id].state.history

    def live_jobs(self) -> list[str]:
        """Return the ids of all jobs on the target that are not at their end."""
        return [id for id, job in self.target.survey().items() if not job.state.is_terminal]

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.move(timedelta(seconds=seconds))

    def _services(self) -> Services:
        return Services(
            target=self.target,
            journal=self.journal,
            clock=self.clock,
            reporter=SilentReporter(),
            secrets=PlainSecrets(),
            artifacts=NoArtifacts(),
        )
