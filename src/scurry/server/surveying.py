"""Looks at a whole target with one call, and picks out what deserves a closer look.

A target that does not answer is told once, and so is its return; what runs there is neither judged nor touched.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scurry.engine.glance import Sight, Survey, is_as_expected, worth_a_look
from scurry.model.errors import ScurryError
from scurry.model.observed import Phase
from scurry.server.events import Event, EventKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from scurry.model.ports import Clock, Target
    from scurry.server.events import Events
    from scurry.server.fleet import Fleet, Tracked

AGAIN = timedelta(seconds=5)
"""one application is not looked at more often than this, however much happens to its job"""
UNWELL_AGAIN = timedelta(seconds=30)
"""what is not well is looked at again after this, though nothing seems to have changed"""


@dataclass(slots=True)
class Place:
    """What is known of a target itself."""

    silent_since: datetime | None = None
    why: str | None = None
    surveyed_at: datetime | None = None
    took_s: float = 0.0
    failures: int = 0


@dataclass(kw_only=True)
class Surveyor:
    """Surveys targets, each by its name; called by many threads, for one target by one at a time."""

    fleet: Fleet
    clock: Clock
    events: Events
    connect: Callable[[str], Target]
    look: Callable[[Tracked, str], None]
    """has an application looked at closely, and says why"""
    places: dict[str, Place] = field(default_factory=dict)

    def survey(self, target: str) -> None:
        """Look at one target and at all that should be there."""
        place = self.places.setdefault(target, Place())
        started = time.monotonic()
        try:
            survey = Survey.of(self.connect(target).survey())
        except ScurryError as error:
            self._silent(target, place, error)
            return
        place.took_s = time.monotonic() - started
        place.surveyed_at = self.clock.now()
        if place.silent_since:
            self._back(target, place)
        for tracked in self.fleet.of_target(target):
            self._compare(tracked, survey, place.surveyed_at)

    def _compare(self, tracked: Tracked, survey: Survey, now: datetime) -> None:
        sight = Sight.of(tracked.history, survey.observed(tracked.history))
        before, tracked.sight = tracked.sight, sight
        why = worth_a_look(tracked.history, sight, tracked.seen)
        if why is None:
            tracked.unlike_since = None
            tracked.seen = tracked.seen or sight
            why = _by_time(tracked, now)
        else:
            tracked.unlike_since = tracked.unlike_since or now
        turned = before is None or (before.phase, before.strangers) != (sight.phase, sight.strangers)
        if why and _may_look(tracked, now, has_turned=turned):
            self.look(tracked, why)

    def _silent(self, target: str, place: Place, error: ScurryError) -> None:
        now = self.clock.now()
        place.failures += 1
        place.why = error.message
        for tracked in self.fleet.of_target(target):
            tracked.sight = Sight(phase=Phase.UNKNOWN)
        if place.silent_since is None:
            place.silent_since = now
            told = f"target {target!r} does not answer: {error.message}"
            self.events.tell(Event(kind=EventKind.TARGET_SILENT, at=now, target=target, message=told, todo=error.hint))

    def _back(self, target: str, place: Place) -> None:
        place.silent_since, place.why, place.failures = None, None, 0
        told = f"target {target!r} answers again"
        self.events.tell(Event(kind=EventKind.TARGET_BACK, at=self.clock.now(), target=target, message=told))


def _by_time(tracked: Tracked, now: datetime) -> str | None:
    if tracked.due_at is not None and now >= tracked.due_at:
        return "a snapshot is due"
    if tracked.tidy_at is not None and now >= tracked.tidy_at:
        return "snapshots are looked through"
    if _is_over(tracked.looked_at, UNWELL_AGAIN, now) and not _is_well(tracked):
        return "it was not well"
    return None


def _is_well(tracked: Tracked) -> bool:
    """Whether it runs, came to its end, or stands still as it should."""
    sight = tracked.sight
    if sight is None or tracked.report is not None:
        return False
    return sight.phase in {Phase.RUNNING, Phase.FINISHED} or is_as_expected(tracked.history, sight)


def _may_look(tracked: Tracked, now: datetime, *, has_turned: bool) -> bool:
    if tracked.not_before is not None and now < tracked.not_before:
        return False
    return _is_over(tracked.looked_at, AGAIN, now) or (has_turned and tracked.failures == 0)


def _is_over(since: datetime | None, pause: timedelta, now: datetime) -> bool:
    return since is None or now - since >= pause
