"""Autoscaling by the service's rule, with times that suit a laptop: load over a while doubles or halves a parallelism.

Source: "Use automatic scaling": container CPU of 75 % or more for 15 minutes scales up, under 10 % for 6 hours scales
down, never below the Parallelism that is configured, never above the quota of KPUs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scurry.emulator import configuration
from scurry.emulator.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scurry.emulator.metrics_tasks import Point
    from scurry.emulator.records import Application

LOAD = "containerCPUUtilization"
BUSY, IDLE = 75.0, 10.0
"""percent"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How long a load lasts before it counts, in seconds. The service's: 900 and 21600."""

    up_s: float
    down_s: float


@dataclass(slots=True, kw_only=True)
class Autoscaler:
    """Watches the load of the applications that may be scaled."""

    rule: Rule
    most_kpus: int
    rescale: Callable[[Application, int], object]
    """raises `ServiceError` where it cannot be done now"""
    _since: dict[str, tuple[str, float]] = field(default_factory=dict)
    """application → whether it is busy or idle, and since when"""

    def note(self, application: Application, points: Sequence[Point], *, now: float | None = None) -> None:
        """Take a sample, and rescale the application if the rule says so."""
        loads = [point.value for point in points if point.name == LOAD]
        block = configuration.parallelism_block(application.current.configuration)
        if not loads or not block["AutoScalingEnabled"]:
            self._since.pop(application.name, None)
            return
        now = time.monotonic() if now is None else now
        found = "busy" if max(loads) >= BUSY else "idle" if max(loads) < IDLE else ""
        before, since = self._since.get(application.name, ("", now))
        if found != before or not found:
            self._since[application.name] = (found, now)
            return
        if now - since < (self.rule.up_s if found == "busy" else self.rule.down_s):
            return
        self._since[application.name] = (found, now)
        current = application.parallelism or block["Parallelism"]
        most = self.most_kpus * block["ParallelismPerKPU"]
        wanted = min(current * 2, most) if found == "busy" else max(-(-current // 2), block["Parallelism"])
        self._try(application, current, wanted)

    def _try(self, application: Application, current: int, wanted: int) -> None:
        """A job that is down is not scaled now; its load is looked at again from the beginning."""
        if wanted == current:
            return
        try:
            self.rescale(application, wanted)
        except ServiceError:
            return
