"""The server as a whole: puts its parts together, runs until it is told to stop, and goes without leaving a mess."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from scurry.server.clock import ServerClock
from scurry.server.events import Events
from scurry.server.fleet import Fleet
from scurry.server.loop import Loop
from scurry.server.narrating import LogReporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from scurry.model.project import Project
    from scurry.server.settings import ServerSettings
    from scurry.workspace import Workspace

logger = logging.getLogger(__name__)

_LAST_WORDS_S = 5.0


class Server:
    """One reconciling server of a project."""

    def __init__(self, project: Project, settings: ServerSettings) -> None:
        from scurry.workspace import Workspace

        self.settings = settings
        self.clock = ServerClock()
        self.events = Events()
        self.workspace = Workspace(project, reporter=LogReporter(""), clock=self.clock)
        self.fleet = Fleet(journal=self.workspace.journal)
        self.loop = Loop(
            settings=settings,
            journal=self.workspace.journal,
            fleet=self.fleet,
            clock=self.clock,
            events=self.events,
            connect=self.workspace.target,
            workspace=self.workspace_for,
        )

    def workspace_for(self, application: str) -> Workspace:
        """Return a workspace for one piece of work on an application."""
        return self.workspace.beside(reporter=LogReporter(application))

    def run(self, until: threading.Event, *, ended: Callable[[], None] = lambda: None) -> bool:
        """Run until an event is set. Returns whether everything in hand came to its end, and was not handed over."""
        loop = threading.Thread(target=self.loop.run, name="loop", daemon=True)
        loop.start()
        logger.info("server %s looks after the project in %s", self.settings.name, self.workspace.project.root)
        until.wait()
        logger.info("stopping: %d operations in hand", self.loop.crew.in_hand)
        self.loop.stop()
        ended()
        done = self.loop.crew.await_end(self.settings.grace_s)
        if not done:
            logger.warning("%d operations are handed over", self.loop.crew.in_hand)
            self.clock.end()
            self.loop.crew.await_end(_LAST_WORDS_S)
        loop.join(_LAST_WORDS_S)
        self.loop.leave()
        logger.info("stopped")
        return done
