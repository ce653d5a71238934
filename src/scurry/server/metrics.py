"""Metrics for Prometheus. What can be read from what the server remembers is read when somebody asks for it.

Of several servers each tells about its own share: together they tell about all, and nothing twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from scurry.server.events import Event
    from scurry.server.fleet import Tracked
    from scurry.server.loop import Loop

_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
_ONE = ("application", "target")


class Metrics:
    """The metrics of one server."""

    CONTENT_TYPE = CONTENT_TYPE_LATEST

    def __init__(self, loop: Loop) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Fleet(loop))
        self._events = Counter("scurry_events", "Events, by what they are about.", ["kind"], registry=self._registry)
        self._operations = Histogram(
            "scurry_operation_duration_seconds",
            "How long took what the server did by itself.",
            ["cause", "outcome"],
            buckets=_SECONDS,
            registry=self._registry,
        )

    def count(self, event: Event) -> None:
        """Count an event."""
        self._events.labels(event.kind.value).inc()

    def took(self, cause: str, outcome: str, seconds: float) -> None:
        """Remember how long an operation took."""
        self._operations.labels(cause, outcome).observe(seconds)

    def text(self) -> bytes:
        """Return all of it, in Prometheus's format."""
        return generate_latest(self._registry)


class _Fleet:
    """Reads the loop and what it remembers, at the moment when somebody asks."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Say nothing beforehand: the registry would collect everything when it starts."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metrics."""
        loop, now = self._loop, self._loop.clock.now()
        tracked = [entry for target in loop.ours for entry in loop.fleet.of_target(target)]
        yield from _applications(tracked, now)
        yield from _targets(loop, now)
        yield GaugeMetricFamily("scurry_operations_in_hand", "Applications being worked on.", loop.crew.in_hand)
        yield GaugeMetricFamily("scurry_operations_waiting", "Applications that wait for it.", loop.crew.waiting)
        yield GaugeMetricFamily("scurry_servers", "Servers on this journal.", len(loop.servers))


def _applications(tracked: list[Tracked], now: datetime) -> Iterator[GaugeMetricFamily]:
    phases = GaugeMetricFamily("scurry_application_phase", "1 for the phase it is in.", labels=(*_ONE, "phase"))
    revisions = GaugeMetricFamily("scurry_application_revision", "Number of the current revision.", labels=_ONE)
    restarts = GaugeMetricFamily("scurry_application_restarts", "Restarts of its job, when last seen.", labels=_ONE)
    ages = GaugeMetricFamily("scurry_application_last_snapshot_age_seconds", "Age of its newest one.", labels=_ONE)
    lags = GaugeMetricFamily("scurry_reconcile_lag_seconds", "Since when it is not as it should be.", labels=_ONE)
    for entry in tracked:
        one = (entry.application, entry.target)
        if entry.sight:
            phases.add_metric((*one, entry.sight.phase.value), 1)
        if entry.history.current:
            revisions.add_metric(one, entry.history.current.number)
        if entry.job:
            restarts.add_metric(one, entry.job.restarts)
        if newest := entry.history.latest_snapshot:
            ages.add_metric(one, (now - newest.taken_at).total_seconds())
        lags.add_metric(one, (now - entry.unlike_since).total_seconds() if entry.unlike_since else 0)
    yield from (phases, revisions, restarts, ages, lags)


def _targets(loop: Loop, now: datetime) -> Iterator[GaugeMetricFamily]:
    up = GaugeMetricFamily("scurry_target_up", "Whether it answers.", labels=("target",))
    took = GaugeMetricFamily("scurry_target_survey_seconds", "How long its last survey took.", labels=("target",))
    ages = GaugeMetricFamily("scurry_target_survey_age_seconds", "How old its last survey is.", labels=("target",))
    for name in loop.ours:
        place = loop.surveyor.places.get(name)
        if place is None:
            continue
        up.add_metric((name,), 0 if place.silent_since else 1)
        if place.surveyed_at:
            took.add_metric((name,), place.took_s)
            ages.add_metric((name,), (now - place.surveyed_at).total_seconds())
    yield from (up, took, ages)
