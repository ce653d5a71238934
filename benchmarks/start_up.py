"""What class-data archives and the choice of compiler and collector save when a local cluster starts.

The rival is the same cluster by plain `java` command lines, as Flink's own scripts make them. Beside the wall time the
processor time of both processes is told, until the TaskManager is registered: other work on the machine moves it less.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import psutil

from benchmarks import timing
from scurry.flink import launch
from scurry.flink.cluster import LocalClusters
from scurry.flink.configuration import ClusterSettings
from scurry.model.reporting import SilentReporter
from scurry.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = "2.3.0"
ROUNDS = 5
_SPEED = ("_JOB_MANAGER_SPEED", "_TASK_MANAGER_SPEED")


class Stage:
    """Starts clusters, and stops them again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        runtimes = Workspace.open(folder).assembly.runtimes
        self.cache = runtimes.cache
        self.settings = ClusterSettings(
            flink=runtimes.flink(VERSION), java=runtimes.java(VERSION), state_directory=folder / "state", slots=1
        )
        self.processor: dict[str, list[float]] = {}

    def start(self, name: str, *, archives: bool, speed: bool) -> float:
        """Return the wall time of a start; the processor time is kept under the name."""
        place = self.folder / name
        clusters = LocalClusters(place, SilentReporter(), class_data=self.cache if archives else None)
        try:
            with nullcontext() if speed else plain_java():
                started = perf_counter()
                cluster = clusters.ensure(self.settings)
                wall = perf_counter() - started
            times = [psutil.Process(member.id.pid).cpu_times() for member in cluster.processes]
            self.processor.setdefault(name, []).append(sum(found.user + found.system for found in times))
        finally:
            clusters.stop()
            shutil.rmtree(place, ignore_errors=True)
        return wall

    def plain(self) -> float:
        return self.start("plain", archives=False, speed=False)

    def archives(self) -> float:
        return self.start("archives", archives=True, speed=False)

    def scurry(self) -> float:
        return self.start("scurry", archives=True, speed=True)


@contextmanager
def plain_java() -> Iterator[None]:
    """Start processes without the options that make a start quick."""
    kept = {name: getattr(launch, name) for name in _SPEED}
    try:
        for name in _SPEED:
            setattr(launch, name, ())
        yield
    finally:
        for name, value in kept.items():
            setattr(launch, name, value)


def main() -> dict[str, str]:
    folder = Path(tempfile.mkdtemp(prefix="scurry-start-"))
    try:
        stage = Stage(folder)
        # The first start of a role records the archive, the second is the first to use it.
        for _ in range(2):
            stage.scurry()
        stage.processor.clear()
        wall = timing.alternately(ROUNDS, plain=stage.plain, archives=stage.archives, scurry=stage.scurry)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    rows = {
        f"{name}: wall, processor time": f"{timing.spread(wall[name])}; {median(stage.processor[name]):.2f} s"
        for name in ("plain", "archives", "scurry")
    }
    return {
        **rows,
        "ratio of scurry to plain, wall": timing.ratio(wall["scurry"], wall["plain"]),
        "ratio of scurry to plain, processor time": timing.ratio(stage.processor["scurry"], stage.processor["plain"]),
    }
