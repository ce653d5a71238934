"""What the emulator knows of its applications, and keeps in its state directory: a JSON file for each, and its code.

A file is replaced as a whole, so a process that is killed leaves the one before or the one after.
"""

from __future__ import annotations

import shutil
import time
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import msgspec

from scurry.emulator.durable import write_durably
from scurry.emulator.enhanced_records import EnhancedRecords

if TYPE_CHECKING:
    from pathlib import Path


class Version(msgspec.Struct, kw_only=True):
    """One version of an application. `configuration` is an `ApplicationConfigurationDescription`, without the run's."""

    id: int
    runtime: str
    role: str
    configuration: dict[str, Any]
    logging: list[dict[str, str]] = []
    created: float
    updated_from: int | None = None


class Operation(msgspec.Struct, kw_only=True):
    """One entry of `ListApplicationOperations`."""

    id: str
    name: str
    start: float
    end: float
    status: str = "IN_PROGRESS"
    versions: tuple[int, int] | None = None
    error: str | None = None
    rollback: str | None = None
    """operation that undid this one"""


class Snapshot(msgspec.Struct, kw_only=True):
    """A snapshot, and the savepoint that it is."""

    name: str
    status: str
    version: int
    created: float
    runtime: str
    location: str | None = None
    number: int = 0
    """grows with each: the latest is the one with the greatest"""


class Application(msgspec.Struct, kw_only=True):
    """An application. Times are seconds since 1970."""

    name: str
    arn: str
    description: str | None = None
    mode: str = "STREAMING"
    status: str = "READY"
    created: float
    updated: float
    version: int = 1
    versions: list[Version]
    operations: list[Operation] = []
    snapshots: list[Snapshot] = []
    tags: dict[str, str] = {}
    run: dict[str, Any] | None = None
    """`RunConfigurationDescription`; None before the first start"""
    maintenance_start: str = "06:00"
    rolled_back_from: int | None = None
    rolled_back_to: int | None = None
    ran: list[int] = []
    """versions that were RUNNING, the last one last"""
    job_id: str | None = None
    parallelism: int | None = None
    """that it runs with, where autoscaling has changed it"""
    counter: int = 0
    """for ids of operations, snapshots and options"""

    def at(self, version: int) -> Version:
        """Return a version."""
        return next(each for each in self.versions if each.id == version)

    @property
    def current(self) -> Version:
        """The version that the application is at."""
        return self.at(self.version)

    def next_number(self) -> int:
        """Return a number that no other thing of this application has."""
        self.counter += 1
        return self.counter

    def next_version(self, like: Version) -> Version:
        """Return a version that comes after all others and is like one of them; it is not the application's yet."""
        return Version(
            id=max(each.id for each in self.versions) + 1,
            runtime=like.runtime,
            role=like.role,
            configuration=deepcopy(like.configuration),
            logging=[dict(option) for option in like.logging],
            created=time.time(),
            updated_from=self.version,
        )

    def latest_snapshot(self, *, of: Version | None = None) -> Snapshot | None:
        """Return the newest that is whole; of those that a version's job wrote, where one is named."""
        whole = [each for each in self.snapshots if each.status == "READY" and (of is None or each.version == of.id)]
        return max(whole, key=lambda snapshot: snapshot.number, default=None)


class Records:
    """The applications of one state directory, and the enhanced snapshots, which outlive them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "applications"
        self._directory.mkdir(parents=True, exist_ok=True)
        paths = sorted(self._directory.glob("app-*/application.json"))
        found = [msgspec.json.decode(path.read_bytes(), type=Application) for path in paths]
        self.applications = {application.name: application for application in found}
        self.enhanced = EnhancedRecords(directory)

    def place(self, name: str) -> Path:
        """Return the folder of an application: its record, its code, its cluster and its state."""
        return self._directory / f"app-{name}"  # a name may be `..`

    def save(self, application: Application) -> None:
        """Write an application down, durably."""
        self.applications[application.name] = application
        write_durably(self.place(application.name) / "application.json", msgspec.json.encode(application))

    def forget(self, name: str) -> None:
        """Delete an application, with its state."""
        self.applications.pop(name, None)
        (self.place(name) / "application.json").unlink(missing_ok=True)
        shutil.rmtree(self.place(name), ignore_errors=True)
