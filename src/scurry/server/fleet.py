"""What the server remembers of every application: enough to see by a survey whether it is as it should be.

Nothing here is the truth; that is the journal's. An application is read again when its position there has moved.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scurry.engine.glance import Sight, slim
from scurry.engine.reconciler import Cause, Report
from scurry.engine.schedule import next_snapshot
from scurry.model.operation import Action

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scurry.model.desired import SnapshotPolicy
    from scurry.model.journal import Alert, Freeze, History, OperationRecord
    from scurry.model.observed import Job
    from scurry.model.ports import Journal

_TIDY_EVERY = timedelta(hours=1)
"""how often snapshots are looked through for what has become too old"""


@dataclass(slots=True, kw_only=True)
class Tracked:
    """One application, as the server last saw it. Written by whoever works on it: one at a time."""

    history: History
    due_at: datetime | None = None
    """when the next scheduled snapshot is due"""
    tidy_at: datetime | None = None
    """when snapshots are next looked through; None: nothing limits them"""
    planned_parallelism: int | None = None
    sight: Sight | None = None
    """of the last survey"""
    seen: Sight | None = None
    """of the last closer look that left it as it is"""
    looked_at: datetime | None = None
    """when that look was"""
    unlike_since: datetime | None = None
    """since when it has not been as it should be"""
    not_before: datetime | None = None
    failures: int = 0
    chore_failures: int = 0
    """scheduled snapshots and deletions that failed in a row: they delay themselves, and nothing else"""
    report: Report | None = None
    """what stands against it until it is seen to be well again"""
    job: Job | None = None
    """as the last closer look showed it"""

    @property
    def application(self) -> str:
        """Its name."""
        return self.history.application

    @property
    def target(self) -> str:
        """Where it runs."""
        return self.history.target or ""


@dataclass(kw_only=True)
class Fleet:
    """All applications that the journal knows, by name and by target."""

    journal: Journal
    tracked: dict[str, Tracked] = field(default_factory=dict)
    freezes: tuple[Freeze, ...] = ()
    alerts: dict[str, Alert] = field(default_factory=dict)
    """what people were told, by this server or another, and is not over"""
    _positions: Mapping[str, int] = field(default_factory=dict)
    _by_target: dict[str, dict[str, Tracked]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self, now: datetime) -> int:
        """Read what has changed in the journal. Returns how many applications that were."""
        self.freezes = self.journal.freezes()
        self.alerts = {alert.application: alert for alert in self.journal.alerts()}
        positions = self.journal.positions()
        before = self._positions
        moved = [name for name, position in positions.items() if before.get(name) != position]
        for name in before.keys() - positions.keys():
            self._forget(name)
        for name in moved:
            self.read(name, now)
        for name in self.alerts.keys() - positions.keys():
            self.journal.forget_alert(name)
        self._positions = positions
        return len(moved)

    def of_target(self, target: str) -> tuple[Tracked, ...]:
        """Return the applications of one target."""
        with self._lock:
            return tuple(self._by_target.get(target, {}).values())

    def targets(self) -> tuple[str, ...]:
        """Return the targets that have applications."""
        with self._lock:
            return tuple(self._by_target)

    def frozen(self, tracked: Tracked) -> Freeze | None:
        """Return the freeze that covers an application, if one does."""
        return next((freeze for freeze in self.freezes if freeze.covers(tracked.application, tracked.target)), None)

    def forget_sights(self, targets: Iterable[str]) -> None:
        """Forget how the applications of some targets looked: another server looks after them now."""
        for target in targets:
            for tracked in self.of_target(target):
                tracked.sight = tracked.seen = tracked.unlike_since = tracked.report = tracked.job = None

    def recall(self, targets: Iterable[str]) -> None:
        """Know what people were told of the applications of some targets: this server looks after them from now on."""
        for target in targets:
            for tracked in self.of_target(target):
                alert = self.alerts.get(tracked.application)
                tracked.report = Report(cause=Cause(alert.cause), what=alert.what) if alert else None

    def read(self, name: str, now: datetime) -> None:
        """Read one application from the journal."""
        history = self.journal.history(name)
        tracked = self.tracked.get(name)
        if history.target is None:
            self._forget(name)
            return
        if tracked is None or tracked.target != history.target:
            self._forget(name)
            tracked = Tracked(history=history)
        tracked.planned_parallelism = _planned(history, tracked)
        if tracked.history.job_id != history.job_id:
            tracked.job = None
        tracked.history, tracked.seen = slim(history), None
        tracked.due_at, tracked.tidy_at = _due_at(history, now), _tidy_at(history, now)
        with self._lock:
            self.tracked[name] = tracked
            self._by_target.setdefault(tracked.target, {})[name] = tracked

    def _forget(self, name: str) -> None:
        with self._lock:
            tracked = self.tracked.pop(name, None)
            if tracked is None:
                return
            of_target = self._by_target.get(tracked.target, {})
            of_target.pop(name, None)
            if not of_target:
                self._by_target.pop(tracked.target, None)


def _due_at(history: History, now: datetime) -> datetime | None:
    due = next_snapshot(history, now=now)
    return due.at if due else None


def _tidy_at(history: History, now: datetime) -> datetime | None:
    """At once when something has changed; then every hour."""
    return now if history.current and limits(history.current.desired.snapshots) else None


def limits(policy: SnapshotPolicy) -> bool:
    """Whether a policy ever drops anything."""
    return policy.keep is not None or policy.max_age is not None or policy.max_size is not None


def next_tidy(now: datetime) -> datetime:
    """Return when snapshots are looked through the next time."""
    return now + _TIDY_EVERY


def _planned(history: History, before: Tracked) -> int | None:
    """Return the parallelism that the running job was started with: what Flink planned in its start's check."""
    found = _planned_by(history.last) if history.last else None
    if found is None and before.history.job_id == history.job_id:
        return before.planned_parallelism
    return found


def _planned_by(record: OperationRecord) -> int | None:
    checked = record.landed(Action.CHECK)
    if record.landed(Action.SUBMIT) is None or checked is None:
        return None
    slots = checked.detail.get("slots")
    return slots if isinstance(slots, int) else None
