"""Brings up versions of applications: their code fetched, properties written, their own Flink started, the job in it.

Knows nothing of statuses and operations: those are `lifecycle.py`'s.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.emulator import configuration, properties
from scurry.emulator.plane import Plane, Program, Shape
from scurry.model.errors import ScurryError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scurry.emulator.code import Codes
    from scurry.emulator.records import Application, Records, Version
    from scurry.flink.runtimes import Runtimes
    from scurry.model.ports import Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What the start of a version needs, fetched."""

    shape: Shape
    program: Program


class Launching:
    """The Flinks of all applications."""

    def __init__(self, records: Records, runtimes: Runtimes, codes: Codes, reporter: Reporter, *, scale: float) -> None:
        """`scale`: part of a KPU's memory that each TaskManager gets."""
        self._records = records
        self._runtimes = runtimes
        self._codes = codes
        self._reporter = reporter
        self._scale = scale
        self._planes: dict[str, Plane] = {}
        # Twenty starts at once would all be slow, until the first ones have run out of time.
        self._at_once = threading.BoundedSemaphore(max(os.cpu_count() or 0, 2))

    def plane(self, application: Application) -> Plane:
        """Return the Flink of an application, whether it runs or not."""
        if application.name not in self._planes:
            place = self._records.place(application.name)
            self._planes[application.name] = Plane(place, self._runtimes, self._reporter, self._at_once)
        return self._planes[application.name]

    def forget(self, application: Application) -> None:
        """Forget an application that was deleted."""
        self._planes.pop(application.name, None)

    def tear_down(self) -> None:
        """Stop every Flink."""
        for plane in list(self._planes.values()):
            plane.tear_down()

    def prepare(self, application: Application, version: Version) -> Prepared | None:
        """Fetch and upload a version's code while the one before still runs; None where that failed.

        It fails again when it is started, which is where the service tells it.
        """
        try:
            found = self._prepared(application, version)
        except ScurryError:
            return None
        self.plane(application).prepare(found.shape, found.program)
        return found

    def launch(
        self,
        application: Application,
        version: Version,
        *,
        restore: str | None,
        wanted: Callable[[], bool],
        prepared: Prepared | None = None,
    ) -> str:
        """Start a version's job and return its id. Raises a `ScurryError` when there is none then."""
        start = prepared or self._prepared(application, version)
        properties.write(self._etc(application), configuration.property_groups(version.configuration))
        flink_run = (application.run or {}).get("FlinkRunConfigurationDescription", {})
        return self.plane(application).start(
            start.shape,
            start.program,
            restore=restore,
            allow_non_restored=bool(flink_run.get("AllowNonRestoredState")),
            wanted=wanted,
        )

    def _prepared(self, application: Application, version: Version) -> Prepared:
        shape = self._shape(application, version)
        program = self._codes.program(self._records.place(application.name), version, shape.flink_version)
        return Prepared(shape=shape, program=program)

    def _etc(self, application: Application) -> Path:
        return self._records.place(application.name) / "etc"

    def _shape(self, application: Application, version: Version) -> Shape:
        folder = self._etc(application)
        wrapper = properties.wrapper(folder)
        if not wrapper:
            self._reporter.warn(
                f"runtime properties cannot be laid at {properties.PLACE} on this machine: they are in {folder}"
            )
        parallelism, per_kpu = configuration.parallelism(version.configuration)
        return Shape(
            flink_version=self._runtimes.newest(version.runtime.removeprefix("FLINK-").replace("_", ".")),
            parallelism=application.parallelism or parallelism,
            per_kpu=per_kpu,
            checkpointing=configuration.checkpointing(version.configuration),
            log_level=configuration.monitoring(version.configuration)["LogLevel"],
            scale=self._scale,
            wrapper=wrapper,
        )
