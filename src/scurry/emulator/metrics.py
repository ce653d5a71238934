"""CloudWatch metrics of the applications, read from their own Flinks' REST API, under the service's names.

Source: "Metrics and dimensions in Managed Service for Apache Flink". Each sample is what Flink says now; the statistics
over minutes are CloudWatch's. An application that does not run has no metrics.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from scurry.emulator import configuration
from scurry.emulator.metrics_tasks import BYTES, COUNT, MS, PERCENT, Point, TaskReadings
from scurry.model.errors import ScurryError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping, Sequence

    from scurry.emulator.plane import Plane
    from scurry.emulator.records import Application
    from scurry.flink.rest import FlinkRest

NAMESPACE = "AWS/KinesisAnalytics"

# "Flink 2.2 metric changes" on the page above: what went, and what came in its place. Flink's names are the service's.
_OF_JOB = {
    "uptime": MS,
    "downtime": MS,
    "lastCheckpointDuration": MS,
    "lastCheckpointSize": BYTES,
    "numberOfFailedCheckpoints": COUNT,
}
_UNTIL_1_20 = {"fullRestarts": COUNT}
_RESTARTING = "restartingTime"
_SINCE_2_2 = {"numRestarts": COUNT, "runningTime": MS, _RESTARTING: MS, "cancellingTime": MS, "failingTime": MS}
_FIRST_OF_2 = "FLINK-2"

_HEAP, _MANAGED = "Status.JVM.Memory.Heap", "Status.Flink.Memory.Managed"
_CPU_TIME = "Status.JVM.CPU.Time"
_THREADS = "Status.JVM.Threads.Count"
_OLD_COUNT, _OLD_TIME = (f"Status.JVM.GarbageCollector.G1_Old_Generation.{what}" for what in ("Count", "Time"))
_OF_PROCESS = (
    *(f"{_HEAP}.Used", f"{_HEAP}.Max", f"{_MANAGED}.Used", f"{_MANAGED}.Total"),
    *(_CPU_TIME, _THREADS, _OLD_COUNT, _OLD_TIME),
)
_NS = 1e9
_ORCHESTRATION_KPUS = 1
_PATIENCE_S = 10.0
"""with one Flink: the others are waiting"""


class Metrics(Protocol):
    """Where points go."""

    def put_metrics(self, points: Sequence[Point]) -> None:
        """Take points of now."""


@dataclass(slots=True)
class Readings:
    """Reads one application after the other. Remembers what it needs to tell CPU seconds per second."""

    _cpu: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    """job and TaskManager → its CPU seconds, and when they were read"""
    _tasks: TaskReadings = field(default_factory=TaskReadings)

    def read(self, application: Application, job_id: str, rest: FlinkRest) -> list[Point]:
        """Return the points of an application's job. Raises a `ScurryError` when its Flink does not answer."""
        version = application.current
        of_all = {"Application": application.name}
        parallelism, per_kpu = configuration.parallelism(version.configuration)
        kpus = configuration.kpus(application.parallelism or parallelism, per_kpu) + _ORCHESTRATION_KPUS
        found = [Point(name="KPUs", value=kpus, unit=COUNT, dimensions=of_all)]
        units = _OF_JOB | (_SINCE_2_2 if version.runtime.startswith(_FIRST_OF_2) else _UNTIL_1_20)
        of_job = _of_job(rest, job_id, units)
        found += [Point(name=name, value=of_job[name], unit=units[name], dimensions=of_all) for name in of_job]
        for process in rest.taskmanagers():
            found += self._of_process((job_id, process.id), rest, of_all)
        level = configuration.monitoring(version.configuration)["MetricsLevel"]
        return found + self._tasks.read(rest, job_id, of_all, level)

    def _of_process(self, process: tuple[str, str], rest: FlinkRest, of_all: Mapping[str, str]) -> Iterator[Point]:
        """The service publishes a sample for each TaskManager: greatest, least and average are told by CloudWatch."""
        told = rest.taskmanager_metrics(process[1], *_OF_PROCESS)
        shares = {
            "heapMemoryUtilization": _share(told, f"{_HEAP}.Used", f"{_HEAP}.Max"),
            "managedMemoryUtilization": _share(told, f"{_MANAGED}.Used", f"{_MANAGED}.Total"),
        }
        load = self._load(process, told.get(_CPU_TIME))
        shares |= {"cpuUtilization": load, "containerCPUUtilization": load}
        for name, share in shares.items():
            if share is not None:
                yield Point(name=name, value=share, unit=PERCENT, dimensions=of_all)
        amounts = {
            "managedMemoryUsed": (f"{_MANAGED}.Used", BYTES),
            "managedMemoryTotal": (f"{_MANAGED}.Total", BYTES),
            "threadsCount": (_THREADS, COUNT),
            "oldGenerationGCCount": (_OLD_COUNT, COUNT),
            "oldGenerationGCTime": (_OLD_TIME, MS),
        }
        for name, (key, unit) in amounts.items():
            if key in told:
                yield Point(name=name, value=told[key], unit=unit, dimensions=of_all)

    def _load(self, process: tuple[str, str], cpu_ns: float | None) -> float | None:
        """CPU seconds per second, of the one CPU that a KPU has; None at the first reading."""
        if cpu_ns is None:
            return None
        now, spent = time.monotonic(), cpu_ns / _NS
        before = self._cpu.get(process)
        self._cpu[process] = (spent, now)
        if before is None or not (now > before[1] and spent >= before[0]):
            return None
        return min((spent - before[0]) / (now - before[1]) * 100, 100.0)


def _of_job(rest: FlinkRest, job_id: str, units: Mapping[str, str]) -> dict[str, float]:
    """Flink counts a downtime only from FAILING on, which a restart of a region does not pass."""
    told = rest.job_metrics(job_id, *units, _RESTARTING)
    if "downtime" in told:
        told["downtime"] = max(told["downtime"], told.get(_RESTARTING, 0))
    return {name: value for name, value in told.items() if name in units}


def _share(told: Mapping[str, float], used: str, of: str) -> float | None:
    if used not in told or told.get(of, 0) <= 0:
        return None
    return told[used] / told[of] * 100


class Sampler:
    """Reads what runs, again and again."""

    def __init__(self, metrics: Metrics, interval_s: float, *, note: Note | None = None) -> None:
        """`interval_s`: seconds between two samples of an application. `note`: who else is told of them."""
        self._metrics = metrics
        self._interval_s = interval_s
        self._note = note
        self._readings = Readings()

    def run(self, running: Running, closed: threading.Event) -> None:
        """Sample until the event is set."""
        while not closed.wait(self._interval_s):
            for application, plane in running():
                self._sample(application, plane)

    def _sample(self, application: Application, plane: Plane) -> None:
        """A Flink that does not answer, or just ends, has no metrics now: as on the service, there is a gap."""
        job_id = application.job_id
        if job_id is None:
            return
        try:
            with plane.rest(timeout_s=_PATIENCE_S) as rest:
                points = self._readings.read(application, job_id, rest)
        except ScurryError:
            return
        points = [point for point in points if math.isfinite(point.value)]
        self._metrics.put_metrics(points)
        if self._note:
            self._note(application, points)


class Note(Protocol):
    """Is told of samples."""

    def __call__(self, application: Application, points: Sequence[Point], /) -> None:
        """Take a sample of an application."""


class Running(Protocol):
    """Says what runs now."""

    def __call__(self) -> Sequence[tuple[Application, Plane]]:
        """Return the applications that have a job, each with its Flink."""
