"""The server as a whole: puts its parts together, runs until it is told to stop, and goes without leaving a mess."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from scurry.model.errors import ScurryError
from scurry.server.clock import ServerClock
from scurry.server.events import Events
from scurry.server.fleet import Fleet
from scurry.server.loop import Loop
from scurry.server.metrics import Metrics
from scurry.server.narrating import LogReporter
from scurry.server.outcomes import went_wrong
from scurry.server.webhook import Webhook
from scurry.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from scurry.model.project import Project
    from scurry.model.result import Applied
    from scurry.server.settings import ServerSettings

logger = logging.getLogger(__name__)

MOST_FOLLOWERS = 8
"""who read on in logs: each holds one of the threads that answer"""
_FOLLOWERS_S = 2.0
_LAST_WORDS_S = 5.0
_STANDS_STILL_S = 60.0
_STALE_S = 15.0


class Server:
    """One reconciling server of a project."""

    def __init__(self, project: Project, settings: ServerSettings) -> None:
        self.settings = settings
        self.clock = ServerClock()
        self.events = Events()
        self.workspace = Workspace(project, reporter=LogReporter(""), clock=self.clock)
        self.loop = Loop(
            settings=settings,
            journal=self.workspace.journal,
            fleet=Fleet(journal=self.workspace.journal),
            clock=self.clock,
            events=self.events,
            connect=self.workspace.target,
            workspace=self.workspace_for,
            durations=self._took,
        )
        self.metrics: Metrics = Metrics(self.loop)
        self.events.listen(self.metrics.count)
        self._webhook = self._connect_webhook(project)
        self._changed = threading.Condition()
        self._changes = 0
        self.is_stopping = False
        """whether nothing is taken on any more"""
        self._followers = 0

    @property
    def is_alive(self) -> bool:
        """Whether the loop goes on."""
        return time.monotonic() - self.loop.beat_at < _STANDS_STILL_S

    @property
    def is_ready(self) -> bool:
        """Whether all has been read, the journal answers, and work is taken on."""
        is_fresh = time.monotonic() - self.loop.refreshed_at < _STALE_S
        return self.loop.is_ready and is_fresh and not self.is_stopping

    @property
    def token(self) -> str | None:
        """The token of the API, if there is one. Raises `SecretMissing`."""
        token = self.workspace.project.server.token
        resolved = self.workspace.assembly.secrets.resolve(token) if token is not None else None
        return self.settings.token or resolved

    def workspace_for(self, application: str) -> Workspace:
        """Return a workspace for one piece of work on an application."""
        return self.workspace.beside(reporter=LogReporter(application))

    def _took(self, cause: str, outcome: str, seconds: float) -> None:
        self.metrics.took(cause, outcome, seconds)

    def take_on(self, most: int) -> bool:
        """Say that a change begins. False when it may not: there are too many, or the server stops."""
        with self._changed:
            if self.is_stopping or self._changes >= most:
                return False
            self._changes += 1
            return True

    def tell_of(self, applied: Applied) -> None:
        """Tell of a change that somebody asked for, if it went wrong."""
        target = self.workspace.journal.history(applied.application).target or ""
        for event in went_wrong(applied, target=target, at=self.clock.now()):
            self.events.tell(event)

    def change_ended(self) -> None:
        """Say that a change has ended."""
        with self._changed:
            self._changes -= 1
            self._changed.notify_all()

    def seat(self) -> bool:
        """Say that somebody begins to follow logs. False when there is no room, or the server stops."""
        with self._changed:
            if self.is_stopping or self._followers >= MOST_FOLLOWERS:
                return False
            self._followers += 1
            return True

    def seat_left(self) -> None:
        """Say that somebody follows no longer."""
        with self._changed:
            self._followers -= 1
            self._changed.notify_all()

    def run(self, *, until: Callable[[], object]) -> bool:
        """Run until a function returns. Returns whether everything in hand came to its end, and was not handed over."""
        self.loop.beat_at = time.monotonic()
        loop = threading.Thread(target=self.loop.run, name="loop", daemon=True)
        loop.start()
        logger.info("server %s looks after the project in %s", self.settings.name, self.workspace.project.root)
        until()
        self.is_stopping = True
        logger.info("stopping: %d operations in hand", self.loop.crew.in_hand + self._changes)
        self.loop.stop()
        done = self._await_end(self.settings.grace_s)
        if not done:
            logger.warning("%d operations are handed over", self.loop.crew.in_hand + self._changes)
            self.clock.end()
            self._await_end(_LAST_WORDS_S)
        self._leave(loop)
        return done

    def _await_end(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        idle = self.loop.crew.await_end(seconds)
        with self._changed:
            return self._changed.wait_for(lambda: not self._changes, max(deadline - time.monotonic(), 0)) and idle

    def _leave(self, loop: threading.Thread) -> None:
        with self._changed:  # each is told that nothing more comes
            self._changed.wait_for(lambda: not self._followers, _FOLLOWERS_S)
        loop.join(_LAST_WORDS_S)
        try:
            self.loop.leave()
        except ScurryError as error:  # the others will find out
            logger.warning("%s", error.message)
        if self._webhook:
            self._webhook.drain(_LAST_WORDS_S)
        logger.info("stopped")

    def _connect_webhook(self, project: Project) -> Webhook | None:
        settings = project.server.webhook
        if settings is None:
            return None
        resolve = self.workspace.assembly.secrets.resolve
        secret = settings.secret
        webhook = Webhook(url=settings.url, secret=lambda: resolve(secret) if secret is not None else None)
        webhook.secret()  # a secret that is not there is told now, not when it is needed
        self.events.courier = webhook.take
        return webhook
