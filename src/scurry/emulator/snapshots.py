"""The snapshots of an application: savepoints of its job, taken by a user or by the service itself.

In the legacy mode they are the application's; in the other mode they are enhanced ones (`enhanced.py`).
"""

from __future__ import annotations

import secrets
import shutil
import time
from typing import TYPE_CHECKING, Any, TypeAlias

from scurry.emulator import configuration
from scurry.emulator.enhanced import Enhanced
from scurry.emulator.errors import bad_configuration, in_use, invalid_argument
from scurry.emulator.records import Snapshot
from scurry.model.errors import ScurryError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scurry.emulator.enhanced_records import EnhancedSnapshot
    from scurry.emulator.plane import Plane
    from scurry.emulator.records import Application, Version
    from scurry.emulator.work import Works

SKIP, LATEST, CUSTOM = "SKIP_RESTORE_FROM_SNAPSHOT", "RESTORE_FROM_LATEST_SNAPSHOT", "RESTORE_FROM_CUSTOM_SNAPSHOT"
NAME, ARN = "SnapshotName", "SnapshotArn"
Taken: TypeAlias = "Snapshot | EnhancedSnapshot"


class Snapshots:
    """Takes and deletes them."""

    def __init__(self, works: Works, plane: Callable[[Application], Plane]) -> None:
        self._works = works
        self._plane = plane
        self.enhanced = Enhanced(works, plane)

    def take_before(self, application: Application, version: Version, job_id: str) -> Taken:
        """Stop the job with the service's own snapshot. Raises a `ScurryError`; then the job runs on.

        It is of the kind that the application's newest version has: that of the update to the other mode is enhanced.
        """
        if configuration.enhanced_snapshots(application.current.configuration):
            return self.enhanced.take_before(application, version, job_id)
        snapshot = self.begin(application, version, secrets.token_hex(16))
        plane = self._plane(application)
        if error := self._write(application, snapshot, lambda place: plane.stop_with_savepoint(job_id, place)):
            raise error
        return snapshot

    def take(self, application: Application, version: Version, name: str) -> None:
        """Begin to take one of a job that goes on. Its status alone tells that it failed: the service has no more.

        Raises `ServiceError` where the application's snapshots are enhanced ones.
        """
        if configuration.enhanced_snapshots(version.configuration):
            raise bad_configuration(f"Application {application.name} uses {configuration.ENHANCED}: use CreateSnapshot")
        snapshot, plane, job_id = self.begin(application, version, name), self._plane(application), application.job_id

        def work() -> None:
            self._write(application, snapshot, lambda place: plane.savepoint(str(job_id), place))

        self._works.run(work)

    def begin(self, application: Application, version: Version, name: str) -> Snapshot:
        """Write down one that is being taken."""
        with self._works.lock:
            snapshot = Snapshot(
                name=name,
                status="CREATING",
                version=version.id,
                created=time.time(),
                runtime=version.runtime,
                number=application.next_number(),
            )
            application.snapshots.append(snapshot)
            self._works.records.save(application)
            return snapshot

    def delete(self, application: Application, snapshot: Snapshot) -> None:
        """Begin to delete one. Raises `ServiceError`."""
        if snapshot.status in {"CREATING", "DELETING"}:
            raise in_use(f"Snapshot {snapshot.name} is {snapshot.status}")
        snapshot.status = "DELETING"
        self._works.records.save(application)
        folder = self._folder(application, snapshot)

        def work() -> None:
            shutil.rmtree(folder, ignore_errors=True)
            with self._works.lock:
                application.snapshots.remove(snapshot)
                if application.name in self._works.records.applications:
                    self._works.records.save(application)

        self._works.run(work)

    def latest(self, application: Application, *, of: Version | None = None) -> Taken | None:
        """Return the newest of both kinds that is whole; of those that a version's job wrote, where one is named."""
        own, enhanced = application.latest_snapshot(of=of), self.enhanced.latest(application, of=of)
        return max((each for each in (own, enhanced) if each), key=lambda snapshot: snapshot.number, default=None)

    def to_restore(self, application: Application, version: Version, run: dict[str, Any]) -> str | None:
        """Return the place of the snapshot that a run configuration asks for; None: none. Raises `ServiceError`.

        Which kind may be named is the version's to say.
        """
        restore = run.get("ApplicationRestoreConfigurationDescription", {})
        kind = restore.get("ApplicationRestoreType", LATEST)
        if kind == SKIP:
            return None
        if kind == LATEST:
            latest = self.latest(application)
            return latest.location if latest else None
        enhanced, arn = configuration.enhanced_snapshots(version.configuration), restore.get("SnapshotArn")
        if enhanced != (arn is not None):
            mode, member = (configuration.ENHANCED, ARN) if enhanced else (configuration.LEGACY, NAME)
            raise invalid_argument(f"With the snapshot mode {mode}, {CUSTOM} takes a {member}")
        if arn:
            return self.enhanced.by_arn(arn, application).location
        name = restore[NAME]
        found = next((each for each in application.snapshots if each.name == name), None)
        if found is None or found.status != "READY":
            raise invalid_argument(f"Snapshot {name} of application {application.name} does not exist")
        return found.location

    def _write(self, application: Application, snapshot: Snapshot, write: Callable[[Path], str]) -> ScurryError | None:
        location, failed = None, None
        try:
            location = write(self._folder(application, snapshot))
        except ScurryError as error:
            failed = error
        with self._works.lock:
            snapshot.location, snapshot.status = location, "FAILED" if failed else "READY"
            if application.name in self._works.records.applications:
                self._works.records.save(application)
        return failed

    def _folder(self, application: Application, snapshot: Snapshot) -> Path:
        return self._plane(application).savepoints / str(snapshot.number)


def described_run(run: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    """Return a `RunConfigurationDescription`. Leaving `AllowNonRestoredState` out makes it false again."""
    old = (before or {}).get("ApplicationRestoreConfigurationDescription", {"ApplicationRestoreType": LATEST})
    restore = run.get("ApplicationRestoreConfiguration") or old
    named = [member for member in (NAME, ARN) if member in restore]
    if restore["ApplicationRestoreType"] != CUSTOM and named:
        raise invalid_argument(f"A {named[0]} is only allowed with {CUSTOM}")
    if restore["ApplicationRestoreType"] == CUSTOM and len(named) != 1:
        raise invalid_argument(f"{CUSTOM} needs a {NAME} or a {ARN}, and not both")
    allow = run.get("FlinkRunConfiguration", {}).get("AllowNonRestoredState", False)
    return {
        "ApplicationRestoreConfigurationDescription": dict(restore),
        "FlinkRunConfigurationDescription": {"AllowNonRestoredState": allow},
    }
