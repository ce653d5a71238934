"""The server's parts in this process, one round at a time, with a clock that is moved by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from scurry.model.reporting import SilentReporter
from scurry.server.events import Event, EventKind, Events
from scurry.server.fleet import Fleet
from scurry.server.reconciling import Reconciler
from scurry.server.surveying import Surveyor
from scurry.workspace import Workspace
from tests.server.site import SPEC, Site

if TYPE_CHECKING:
    from pathlib import Path

    from scurry.model.ports import Target
    from scurry.model.result import Applied
    from scurry.server.fleet import Tracked


class MovedClock:
    """A clock that moves when somebody sleeps, or when it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the time; it passes a little."""
        self.time += timedelta(microseconds=50)
        return self.time

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)


class Rounds(Site):
    """A site whose server takes a round when it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.clock = MovedClock()
        self.told: list[Event] = []
        self.looks: list[tuple[str, str]] = []
        self.restart()

    def restart(self) -> None:
        """Begin as a new server, which remembers nothing."""
        self.workspace = self.open()
        self.fleet = Fleet(journal=self.workspace.journal)
        self.has_begun = False
        events = self.events = Events(self.told.append)
        self.reconciler = Reconciler(
            journal=self.workspace.journal,
            fleet=self.fleet,
            clock=self.clock,
            events=events,
            workspace=lambda _: self.workspace.beside(reporter=SilentReporter()),
        )
        self.surveyor = Surveyor(
            fleet=self.fleet, clock=self.clock, events=events, connect=self.connect, look=self._look
        )

    def open(self) -> Workspace:
        """Open the project with the clock of the test."""
        return Workspace.open(self.folder, clock=self.clock)

    def connect(self, name: str) -> Target:
        """Return a target to be surveyed."""
        return self.workspace.target(name)

    def round(self, target: str = "mem", *, after: timedelta = timedelta(seconds=6)) -> list[Event]:
        """Let time pass, then read the journal and survey a target. Returns what was told."""
        self.clock.time += after
        before = len(self.told)
        self.fleet.refresh(self.clock.now())
        if not self.has_begun:
            self.fleet.recall(self.fleet.targets())
            self.has_begun = True
        self.surveyor.survey(target)
        return self.told[before:]

    def kinds(self, target: str = "mem", *, after: timedelta = timedelta(seconds=6)) -> list[EventKind]:
        """Take a round. Returns the kinds of what was told."""
        return [event.kind for event in self.round(target, after=after)]

    def reapply(self, name: str = "shop", *, more: str = "") -> Applied:
        """Apply a changed spec."""
        spec = self.folder / f"{name}.yaml"
        spec.write_text(SPEC.replace("name: shop", f"name: {name}") + more)
        return self.open().apply(spec, confirm=lambda plan: True)

    def _look(self, tracked: Tracked, why: str) -> None:
        self.looks.append((tracked.application, why))
        self.reconciler.reconcile(tracked, why)
