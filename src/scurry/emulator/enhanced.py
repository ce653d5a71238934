"""Enhanced snapshots: canonical savepoints that belong to the account and outlive the application they are taken of.

A call checks, writes down what it begins and returns; a thread does the work and writes down the end: the operation's
status and the snapshot's in one write.
"""

from __future__ import annotations

import secrets
import shutil
import threading
from typing import TYPE_CHECKING

from scurry.emulator import configuration
from scurry.emulator.enhanced_records import (
    CREATE,
    DELETE,
    EXPORT,
    IMPORT,
    SYSTEM,
    EnhancedSnapshot,
    SnapshotOperation,
    Source,
)
from scurry.emulator.enhanced_transfer import TransferFailed, read_in, size_of, write_out
from scurry.emulator.errors import (
    bad_configuration,
    in_use,
    invalid_argument,
    invalid_request,
    limit_exceeded,
    not_found,
)
from scurry.emulator.plane import is_running
from scurry.model.errors import RejectedByTarget, ScurryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scurry.emulator.enhanced_transfer import Buckets
    from scurry.emulator.plane import Plane
    from scurry.emulator.records import Application, Version
    from scurry.emulator.work import Works

RESERVED = "SYSTEMSNAPSHOT"
OWNED_KEY = {"KeyType": "AWS_OWNED_KEY"}
_FIRST_RUNTIME = (1, 20)


class Enhanced:
    """Takes, exports, imports and deletes them."""

    def __init__(self, works: Works, plane: Callable[[Application], Plane]) -> None:
        self._works = works
        self._plane = plane
        self._records = works.records.enhanced
        self._ended: dict[str, threading.Event] = {}
        """by id of the operations that go on"""

    def take(self, application: Application, snapshot: EnhancedSnapshot) -> SnapshotOperation:
        """Begin to take one of a job that goes on. Raises `ServiceError`."""
        if not configuration.enhanced_snapshots(application.current.configuration):
            raise bad_configuration(f"Application {application.name} does not use {configuration.ENHANCED}")
        if application.status != "RUNNING":
            raise in_use(f"Application {application.name} cannot be snapshotted while it is {application.status}")
        if any(each.status == "CREATING" and _is_of(each, application) for each in self._records.snapshots):
            raise limit_exceeded(f"A snapshot of application {application.name} is being created already")
        self._check_name(snapshot.name)
        plane, job_id = self._plane(application), str(application.job_id)
        require_health(application, plane)
        self._fill(snapshot, application, application.current)
        operation = self._records.begin(SnapshotOperation(name=CREATE), snapshot.name, snapshot)

        def work() -> None:
            snapshot.location = plane.savepoint(job_id, self._records.folder(snapshot))

        self._spawn(operation, snapshot, work)
        return operation

    def take_before(self, application: Application, version: Version, job_id: str) -> EnhancedSnapshot:
        """Stop the job with the service's own snapshot. Raises a `ScurryError`; then the job runs on."""
        plane, initiator = self._plane(application), application.operations[0].id
        operation = SnapshotOperation(name=SYSTEM, application=application.name, application_operation=initiator)
        with self._works.lock:
            name = f"{RESERVED}-{secrets.token_hex(12)}"
            snapshot = EnhancedSnapshot(name=name, operation=SYSTEM, key=OWNED_KEY)
            self._fill(snapshot, application, version)
            self._records.begin(operation, snapshot.name, snapshot)

        def work() -> None:
            snapshot.location = plane.stop_with_savepoint(job_id, self._records.folder(snapshot))

        if error := self._do(operation, snapshot, work):
            raise error if isinstance(error, ScurryError) else RejectedByTarget(_text(error))
        return snapshot

    def bring_in(self, snapshot: EnhancedSnapshot, operation: SnapshotOperation, role: str, buckets: Buckets) -> None:
        """Begin to import one from the operation's location. Raises `ServiceError`."""
        self._check_name(snapshot.name)
        _check_role(role, buckets)
        self._records.begin(operation, snapshot.name, snapshot)

        def work() -> None:
            folder = self._records.folder(snapshot)
            snapshot.location = read_in(folder, buckets, operation.location or {}, role=role)

        self._spawn(operation, snapshot, work)

    def bring_out(self, snapshot: EnhancedSnapshot, operation: SnapshotOperation, role: str, buckets: Buckets) -> None:
        """Begin to export one to the operation's location. Raises `ServiceError`."""
        if snapshot.status != "READY":
            raise in_use(f"Snapshot {snapshot.name} is {snapshot.status}")
        if self._exports(snapshot):
            raise limit_exceeded(f"Snapshot {snapshot.name} is being exported already")
        _check_role(role, buckets)
        self._records.begin(operation, snapshot.name)

        def work() -> None:
            place = operation.location or {}
            prefix = f"{place['KeyPrefix']}{operation.id}"
            write_out(self._records.folder(snapshot), buckets, place, role=role, prefix=prefix)
            operation.exported = prefix

        self._spawn(operation, snapshot, work)

    def delete(self, snapshot: EnhancedSnapshot) -> SnapshotOperation:
        """Begin to delete one, when its export has ended. Raises `ServiceError`."""
        if snapshot.status not in {"READY", "FAILED"}:
            raise in_use(f"Snapshot {snapshot.name} is {snapshot.status}")
        exports = [self._ended[each.id] for each in self._exports(snapshot)]
        snapshot.status = "DELETING"
        operation = self._records.begin(SnapshotOperation(name=DELETE), snapshot.name)

        def work() -> None:
            for ended in exports:
                ended.wait()
            if (folder := self._records.folder(snapshot)).exists():
                shutil.rmtree(folder)

        self._spawn(operation, snapshot, work)
        return operation

    def known(self, name: str) -> EnhancedSnapshot:
        """Return a snapshot. Raises `ServiceError`."""
        found = self._records.snapshot(name)
        if found is None:
            raise not_found(f"Snapshot {name} does not exist")
        return found

    def operations(self, name: str) -> list[SnapshotOperation]:
        """Return what was done to a snapshot, the newest first, also when it is deleted. Raises `ServiceError`."""
        found = self._records.names.get(name)
        if found is None:
            raise not_found(f"Snapshot {name} does not exist")
        return found.operations

    def latest(self, application: Application, *, of: Version | None = None) -> EnhancedSnapshot | None:
        """Return the newest of an application that is whole; of one version, where one is named."""
        whole = [
            each
            for each in self._records.snapshots
            if each.status == "READY"
            and _is_of(each, application)
            and (of is None or (each.source and each.source.version == of.id))
        ]
        return max(whole, key=lambda snapshot: snapshot.number, default=None)

    def by_arn(self, arn: str, application: Application) -> EnhancedSnapshot:
        """Return one that an application of the same account and Region may start from. Raises `ServiceError`."""
        prefix = application.arn.removesuffix(f"application/{application.name}") + "snapshot/"
        found = self._records.snapshot(arn.removeprefix(prefix)) if arn.startswith(prefix) else None
        if found is None:
            raise invalid_argument(f"Snapshot {arn} does not exist")
        if found.status != "READY":
            raise invalid_argument(f"Snapshot {arn} is {found.status}")
        return found

    # -----------------------------------------------------------------------------------------------------------------

    def _check_name(self, name: str) -> None:
        if name.upper().startswith(RESERVED):
            raise invalid_argument(f"Names that begin with {RESERVED} are reserved")
        if found := self._records.snapshot(name):
            raise in_use(f"Snapshot {name} already exists; it is {found.status}")

    def _fill(self, snapshot: EnhancedSnapshot, application: Application, version: Version) -> None:
        snapshot.runtime, snapshot.number = version.runtime, application.next_number()
        snapshot.source = Source(application=application.name, created=application.created, version=version.id)
        snapshot.key = dict(version.configuration.get("ApplicationEncryptionConfigurationDescription") or OWNED_KEY)
        if application.name in self._works.records.applications:
            self._works.records.save(application)

    def _exports(self, snapshot: EnhancedSnapshot) -> list[SnapshotOperation]:
        operations = self._records.names[snapshot.name].operations
        return [each for each in operations if each.name == EXPORT and each.status == "IN_PROGRESS"]

    def _spawn(self, operation: SnapshotOperation, snapshot: EnhancedSnapshot, work: Callable[[], None]) -> None:
        self._ended[operation.id] = threading.Event()

        def run() -> None:
            try:
                self._do(operation, snapshot, work)
            finally:
                self._ended.pop(operation.id).set()

        self._works.run(run)

    def _do(
        self, operation: SnapshotOperation, snapshot: EnhancedSnapshot, work: Callable[[], None]
    ) -> Exception | None:
        failed, folder = None, self._records.folder(snapshot)
        try:
            work()
        except Exception as error:
            failed = error
        makes = operation.name in {CREATE, IMPORT, SYSTEM}
        if failed and makes:
            shutil.rmtree(folder, ignore_errors=True)
        with self._works.lock:
            if makes:
                snapshot.size = 0 if failed else size_of(folder)
            self._records.end(operation, snapshot, _told(failed) if failed else None)
        return failed


def check_mode(version: Version, before: Version | None = None) -> None:
    """Refuse a snapshot mode that a new version may not have. Raises `ServiceError`.

    What counts is the runtime that the application has, not one that the same update brings.
    """
    if configuration.enhanced_snapshots(version.configuration):
        runtimes = {version.runtime, (before or version).runtime}
        if too_old := sorted(each for each in runtimes if _series(each) < _FIRST_RUNTIME):
            raise invalid_argument(f"{configuration.ENHANCED} needs Flink 1.20 or later, and this is {too_old[0]}")
    elif before and configuration.enhanced_snapshots(before.configuration):
        raise invalid_argument("An update cannot change the SnapshotMode back to " + configuration.LEGACY)


def check_return(application: Application, target: Version) -> None:
    """Refuse a rollback to the legacy mode of an application that was updated in the other. Raises `ServiceError`."""
    current = application.current
    before = application.at(current.updated_from) if current.updated_from else current
    if configuration.enhanced_snapshots(before.configuration) and not configuration.enhanced_snapshots(
        target.configuration
    ):
        raise invalid_request(f"Application {application.name} was updated since it uses {configuration.ENHANCED}")


def require_health(application: Application, plane: Plane) -> None:
    """Refuse what needs a snapshot of a job that is down. Raises `ServiceError`, in the service's words."""
    if application.job_id is None or not is_running(plane, application.job_id):
        raise bad_configuration(
            f"Failed to take snapshot for the application {application.name} at this moment. The application is "
            "currently experiencing downtime. Please check the application's CloudWatch metrics or CloudWatch logs "
            "for any possible errors and retry the request. You can also retry the request after disabling the "
            "snapshots in the Managed Service for Apache Flink console or by updating the "
            "ApplicationSnapshotConfiguration through the AWS SDK."
        )


def _check_role(role: str, buckets: Buckets) -> None:
    if not buckets.has_role(role):
        raise invalid_argument(f"The role {role} does not exist or cannot be assumed")


def _is_of(snapshot: EnhancedSnapshot, application: Application) -> bool:
    """Another application may have had the same name before."""
    source = snapshot.source
    return source is not None and (source.application, source.created) == (application.name, application.created)


def _series(runtime: str) -> tuple[int, ...]:
    return tuple(int(part) for part in runtime.rpartition("-")[2].split("_"))


def _text(error: Exception) -> str:
    return error.message if isinstance(error, ScurryError) else f"{type(error).__name__}: {error}"


def _told(error: Exception) -> tuple[str, str]:
    if isinstance(error, TransferFailed):
        return error.code, str(error)
    return "SavepointFailed" if isinstance(error, ScurryError) else "InternalFailure", _text(error)
