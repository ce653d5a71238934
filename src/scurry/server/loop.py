"""The loop: which targets are ours, which are due to be surveyed, and who does what the surveys find.

One thread keeps the times; surveys and work are done by others. Each target has its own times, so that one that answers
slowly delays no other.
"""

from __future__ import annotations

import heapq
import logging
import random
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from scurry.model.errors import ScurryError
from scurry.server.backoff import Backoff
from scurry.server.crew import Crew
from scurry.server.reconciling import Reconciler
from scurry.server.sharing import owned
from scurry.server.surveying import Surveyor
from scurry.server.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from scurry.model.ports import Clock, Journal, Target
    from scurry.server.events import Events
    from scurry.server.fleet import Fleet, Tracked
    from scurry.server.settings import ServerSettings
    from scurry.workspace import Workspace

logger = logging.getLogger(__name__)

_TICK_S = 0.1
_READ_S = 1.0
"""between two looks at what has changed in the journal"""
_ATTEND_S = 3.0
"""between two signs of life, at most"""
_MOST_SURVEYS = 512
"""targets that are asked at one time: all that do not answer, and a few that do"""
_SILENT_LONGEST_S = 30.0


@dataclass(kw_only=True)
class Loop:
    """Surveys this server's share of the targets, again and again, until it is stopped."""

    settings: ServerSettings
    journal: Journal
    fleet: Fleet
    clock: Clock
    events: Events
    connect: Callable[[str], Target]
    workspace: Callable[[str], Workspace]
    durations: Callable[[str, str, float], None] = lambda cause, outcome, seconds: None
    ours: frozenset[str] = frozenset()
    servers: tuple[str, ...] = ()
    is_ready: bool = False
    """whether everything has been read, and this server's share is known"""
    beat_at: float = 0.0
    """when the loop last went round (monotonic), with or without success"""
    refreshed_at: float = 0.0
    """when it last did so with success"""
    _stop: threading.Event = field(default_factory=threading.Event)
    _due: list[tuple[float, str]] = field(default_factory=list)
    _scheduled: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Put the parts together."""
        self.crew = Crew(workers=self.settings.workers, per_target=self.settings.per_target)
        self.reconciler = Reconciler(
            journal=self.journal,
            fleet=self.fleet,
            clock=self.clock,
            events=self.events,
            workspace=self.workspace,
            durations=self.durations,
        )
        self.surveyor = Surveyor(
            fleet=self.fleet, clock=self.clock, events=self.events, connect=self.connect, look=self._look
        )
        self._surveys = Threads("survey", most=_MOST_SURVEYS)
        self._silent = Backoff(longest_s=_SILENT_LONGEST_S, first_s=self.settings.interval_s)
        self._attended = self._read = float("-inf")

    def run(self) -> None:
        """Go on until stopped. What goes wrong with the journal is told, and tried again."""
        failures = 0
        while not self._stop.is_set():
            self.beat_at = time.monotonic()
            try:
                self._tick()
                failures = 0
            except ScurryError as error:
                failures += 1
                logger.error("%s", error.message)
                self._stop.wait(Backoff(longest_s=10.0, first_s=0.5).pause_s(failures))
            except Exception:  # the loop outlives what nobody foresaw
                logger.exception("a bug in scurry")
                self._stop.wait(_READ_S)
            self._stop.wait(_TICK_S)

    def stop(self) -> None:
        """Begin nothing more."""
        self._stop.set()
        self.crew.close()

    def leave(self) -> None:
        """Let the others take this server's targets over now."""
        self.journal.leave(self.settings.name)

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._attended >= min(self.settings.attendance_s / 5, _ATTEND_S):
            self.servers = self.journal.attend(
                self.settings.name, duration=timedelta(seconds=self.settings.attendance_s)
            )
            self._attended = now
        if now - self._read >= _READ_S:
            self.fleet.refresh(self.clock.now())
            self._share()
            self._read = now
            self.is_ready = True
        self.refreshed_at = now
        self._begin_surveys(now)

    def _share(self) -> None:
        ours = owned(self.fleet.targets(), self.settings.name, self.servers)
        if ours == self.ours and self.is_ready:
            return
        self.fleet.forget_sights(self.ours - ours)
        new, self.ours = ours - self.ours, ours
        self.fleet.recall(new)
        for target in new - self._scheduled:  # spread over the interval, so that they stay so
            self._schedule(target, random.uniform(0, self.settings.interval_s) if len(new) > 4 else 0.0)
        logger.info("%d of %d targets are looked after here", len(ours), len(self.fleet.targets()))

    def _schedule(self, target: str, in_s: float) -> None:
        self._scheduled.add(target)
        heapq.heappush(self._due, (time.monotonic() + in_s, target))

    def _begin_surveys(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            _, target = heapq.heappop(self._due)
            if target in self.ours:
                self._surveys.run(lambda target=target: self._survey(target))  # type: ignore[misc]
            else:
                self._scheduled.discard(target)

    def _survey(self, target: str) -> None:
        try:
            self.surveyor.survey(target)
        except Exception:
            logger.exception("a bug in scurry", extra={"target": target})
        finally:
            place = self.surveyor.places[target]
            pause = self._silent.pause_s(place.failures) if place.failures else self.settings.interval_s
            self._schedule(target, pause)

    def _look(self, tracked: Tracked, why: str) -> None:
        self.crew.submit(tracked.target, tracked.application, lambda: self._reconcile(tracked.application, why))

    def _reconcile(self, application: str, why: str) -> None:
        """Work on an application, if it is still ours: it may have waited for a while."""
        tracked = self.fleet.tracked.get(application)
        if tracked is None or tracked.target not in self.ours or self._stop.is_set():
            return
        self.reconciler.reconcile(tracked, why)
