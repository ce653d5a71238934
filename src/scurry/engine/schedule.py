"""When an application's next scheduled snapshot is due. Pure: the time is given, and nothing is remembered.

What was missed (scurry was not running, the job was down) is made up once: only the first time after the last
snapshot counts, however many have passed since.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cronsim import CronSim

from scurry.model.schedule import parse_schedule
from scurry.model.snapshot import SnapshotKind
from scurry.model.values import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.model.desired import SnapshotPolicy
    from scurry.model.journal import History

SPREAD = 0.1
"""of the time between two snapshots, they are put off by at most this share"""
LONGEST_DELAY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """When a snapshot is due."""

    scheduled: datetime
    """what the schedule says, in its time zone"""
    delay: timedelta
    """by how much this application is put off, so that many with one schedule do not begin in the same second"""

    @property
    def at(self) -> datetime:
        """When it is due, in UTC."""
        return self.scheduled.astimezone(UTC) + self.delay

    def __str__(self) -> str:
        return f"{self.scheduled:%Y-%m-%d %H:%M %Z}, put off by {format_duration(self.delay)} to spread the load"


def next_snapshot(history: History, *, now: datetime) -> Due | None:
    """Return when the next snapshot of the current revision's schedule is due; in the past when one was missed.

    None when there is no schedule, no revision, or a schedule that names no day of the next fifty years. Every
    savepoint since a scheduled time stands for it, whoever asked for it. A snapshot that the clock says was taken in
    the future (it was put back) counts as taken now.
    """
    if history.current is None:
        return None
    taken = (kept.taken_at for kept in history.snapshots if kept.kind is not SnapshotKind.CHECKPOINT)
    since = max([history.current.applied_at, *taken])
    return due_after(min(since, now), policy=history.current.desired.snapshots, application=history.application)


def due_after(since: datetime, *, policy: SnapshotPolicy, application: str) -> Due | None:
    """Return the first time of a schedule after a moment, and by how much this application is put off."""
    if policy.schedule is None:
        return None
    times = _times(policy.schedule, since.astimezone(ZoneInfo(policy.zone)))
    first = next(times, None)
    if first is None:
        return None
    following = next(times, None)
    gap = following.astimezone(UTC) - first.astimezone(UTC) if following else LONGEST_DELAY / SPREAD
    return Due(scheduled=first, delay=_share(application) * min(gap * SPREAD, LONGEST_DELAY))


def _times(schedule: str, since: datetime) -> Iterator[datetime]:
    """Yield the times after a moment as Debian's cron has them when clocks are changed.

    A line with fixed hours and minutes runs once in the hour that comes twice, and right after the hour that is
    skipped; one with `*` goes by real time. The library steps by the clock on the wall, which in the second pass of an
    hour that comes twice is behind `since` again.
    """
    return (time for time in CronSim(parse_schedule(schedule), since) if time.astimezone(UTC) > since.astimezone(UTC))


def _share(application: str) -> float:
    """Return a number from 0 to 1, always the same for an application, evenly spread over all of them."""
    return int.from_bytes(hashlib.sha256(application.encode()).digest()[:4]) / 2**32
