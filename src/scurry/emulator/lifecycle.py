"""What start, stop, update, rollback, delete and snapshots do to an application: its states, and its Flink.

A call checks, writes down what it begins, and returns; a thread does the work and writes down the end. Status and
operation always flip together. A thread whose application was stopped by force or deleted meanwhile writes nothing any
more (`work.py`).
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scurry.emulator import configuration
from scurry.emulator.code import MOST_BYTES
from scurry.emulator.enhanced import check_return, require_health
from scurry.emulator.errors import bad_configuration, in_use, invalid_request, limit_exceeded
from scurry.emulator.launching import Launching
from scurry.emulator.plane import is_running
from scurry.emulator.snapshots import Snapshots, described_run
from scurry.emulator.work import Works, added, end
from scurry.model.errors import ScurryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scurry.emulator.code import Codes
    from scurry.emulator.launching import Prepared
    from scurry.emulator.plane import Plane
    from scurry.emulator.records import Application, Operation, Records, Snapshot, Version
    from scurry.emulator.snapshots import Taken
    from scurry.emulator.work import Work
    from scurry.flink.runtimes import Runtimes
    from scurry.model.ports import Reporter

_FORCED = frozenset({"STARTING", "UPDATING", "STOPPING", "AUTOSCALING", "RUNNING", "ROLLING_BACK"})
_WITHOUT_FLINK = frozenset({"READY", "FORCE_STOPPING", "DELETING"})
_WATCH_S = 1.0
_STANDBY_S = 20.0
"""so long a Flink whose job was stopped waits for the next: to many clients, stop, update and start are one change"""
_ERROR_LENGTH = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Quotas of one application, and how many there may be."""

    kpus: int = 64
    snapshots: int = 1000
    applications: int = 100
    """of all"""
    code_bytes: int = MOST_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """An update of an application that runs."""

    before: Version
    version: Version
    run: dict[str, Any] | None
    """what to start from, where the call says it; else the snapshot that the update itself takes"""
    snapshots: bool


class Lifecycle:
    """The applications' lives."""

    def __init__(
        self,
        records: Records,
        runtimes: Runtimes,
        codes: Codes,
        reporter: Reporter,
        *,
        limits: Limits | None = None,
        scale: float = 0.25,
    ) -> None:
        self.records = records
        self.works = Works(records)
        self.limits = limits or Limits()
        self._launching = Launching(records, runtimes, codes, reporter, scale=scale)
        self._snapshots = Snapshots(self.works, self._plane)
        self.enhanced = self._snapshots.enhanced
        self.closed = threading.Event()

    # Calls -----------------------------------------------------------------------------------------------------------

    def start(self, application: Application, run: dict[str, Any]) -> Operation:
        """Begin to start. Raises `ServiceError`."""
        self._require(application, "started", {"READY"})
        version = application.current
        self._check_size(version)
        if "ApplicationCodeConfigurationDescription" not in version.configuration:
            raise bad_configuration(f"The application {application.name} has no code")
        described = described_run(run, None)
        restore = self._snapshots.to_restore(application, version, described)
        application.run, application.parallelism = described, None
        operation = self.works.begin(application, "StartApplication", "STARTING")

        def work(done: Work) -> None:
            self._run(application, restore, done, operation)

        self._spawn(application, operation, work, otherwise="READY")
        return operation

    def stop(self, application: Application, *, force: bool) -> Operation:
        """Begin to stop, by force without a snapshot. Raises `ServiceError`."""
        self._require(application, "stopped", _FORCED if force else {"RUNNING"})
        version, job_id = application.current, application.job_id
        snapshots = configuration.snapshots_enabled(version.configuration) and not force
        if snapshots:
            self._require_health(application)
        for open_one in application.operations:
            if force and open_one.status == "IN_PROGRESS":
                end(open_one, "CANCELLED", "The operation was interrupted by a forced stop")
        operation = self.works.begin(application, "StopApplication", "FORCE_STOPPING" if force else "STOPPING")

        def work(done: Work) -> None:
            plane = self._plane(application)
            if snapshots and job_id:
                self._snapshots.take_before(application, version, job_id)
                plane.stand_by(_STANDBY_S)
            else:
                plane.tear_down()
            with self.works.finishing(done, operation) as alive:
                if alive:
                    application.status, application.job_id = "READY", None
            self.closed.wait(_STANDBY_S)
            plane.retire()

        self._spawn(application, operation, work, otherwise="RUNNING")
        return operation

    def update(self, application: Application, version: Version, run: dict[str, Any] | None) -> Operation:
        """Begin to bring an application to a new version. Raises `ServiceError`; then nothing is changed."""
        self._check_size(version)
        before, was_running = application.current, application.status == "RUNNING"
        snapshots = was_running and configuration.snapshots_enabled(version.configuration)
        if snapshots:
            self._require_health(application)
        wanted = described_run(run, application.run) if run is not None and application.run is not None else None
        if wanted:
            self._snapshots.to_restore(application, version, wanted)
            application.run = wanted
        told = configuration.parallelism_block
        if told(version.configuration) != told(before.configuration):
            application.parallelism = None
        application.versions.append(version)
        application.version, application.updated = version.id, time.time()
        operation = self.works.begin(application, "UpdateApplication", "UPDATING", versions=(before.id, version.id))

        def work(done: Work) -> None:
            if was_running:
                change = _Change(before=before, version=version, run=wanted, snapshots=snapshots)
                self._replace(application, change, done, operation)
                return
            with self.works.finishing(done, operation) as alive:
                if alive:
                    application.status = "READY"

        self._spawn(application, operation, work, otherwise="READY")
        return operation

    def note(self, application: Application, version: Version) -> Operation:
        """Take over a version that changes nothing of what runs."""
        operation = added(application, "UpdateApplication", versions=(application.version, version.id))
        end(operation, "SUCCESSFUL")
        if application.ran and application.ran[-1] == application.version and application.status == "RUNNING":
            application.ran.append(version.id)
        application.versions.append(version)
        application.version, application.updated = version.id, operation.start
        self.records.save(application)
        return operation

    def roll_back(self, application: Application) -> Operation:
        """Begin to return to the version that ran before, with its newest snapshot. Raises `ServiceError`."""
        self._require(application, "rolled back", {"RUNNING", "UPDATING", "AUTOSCALING"})
        earlier = [number for number in application.ran if number != application.version]
        target = application.at(earlier[-1]) if earlier else None
        snapshot = self._snapshots.latest(application, of=target) if target else None
        if target is None or snapshot is None:
            raise invalid_request(f"Application {application.name} has no previous running version with a snapshot")
        check_return(application, target)
        operation = self._roll_back(application, target)

        def work(done: Work) -> None:
            self._plane(application).tear_down()
            self._run(application, snapshot.location, done, operation)

        self._spawn(application, operation, work, otherwise="READY")
        return operation

    def rescale(self, application: Application, parallelism: int) -> Operation:
        """Begin to do what autoscaling does: another CurrentParallelism, with the state. Raises `ServiceError`."""
        _, per_kpu = configuration.parallelism(application.current.configuration)
        self._check_kpus(configuration.kpus(parallelism, per_kpu))
        return self._restart(application, ("AutoScaling", "AUTOSCALING"), parallelism)

    def maintain(self, application: Application) -> Operation:
        """Begin to do what maintenance does: the same again, with its state. Raises `ServiceError`."""
        return self._restart(application, ("Maintenance", "MAINTENANCE"), application.parallelism)

    def _restart(self, application: Application, names: tuple[str, str], parallelism: int | None) -> Operation:
        """`names`: of the operation, and of the status meanwhile. Without snapshots, from the newest checkpoint."""
        self._require(application, "restarted", {"RUNNING"})
        version, job_id, before = application.current, application.job_id or "", application.parallelism
        snapshots = configuration.snapshots_enabled(version.configuration)
        if snapshots:
            self._require_health(application)
        operation = self.works.begin(application, *names)

        def work(done: Work) -> None:
            plane, restore = self._plane(application), None
            try:
                if snapshots:
                    restore = self._snapshots.take_before(application, version, job_id).location
            except ScurryError as error:
                self._fail(application, operation, done, "RUNNING", error)
                return
            if not snapshots:
                plane.tear_down()
            application.parallelism = parallelism
            try:
                self._run(application, restore or plane.newest_checkpoint(job_id), done, operation)
            except ScurryError:
                application.parallelism = before
                raise

        self._spawn(application, operation, work, otherwise="READY")
        return operation

    def delete(self, application: Application) -> None:
        """Begin to delete, with all snapshots. Raises `ServiceError`."""
        self._require(application, "deleted", {"READY", "RUNNING"})
        application.status = "DELETING"
        done = self.works.renew(application)
        self.records.save(application)

        def work() -> None:
            self._plane(application).tear_down()
            with self.works.lock:
                if self.works.counts(done):
                    self.records.forget(application.name)
                    self._launching.forget(application)

        self.works.run(work)

    def take_snapshot(self, application: Application, name: str) -> None:
        """Begin to take a snapshot. Raises `ServiceError`."""
        self._require(application, "snapshotted", {"RUNNING"})
        if any(each.name == name for each in application.snapshots):
            raise in_use(f"Snapshot {name} of application {application.name} already exists")
        if len(application.snapshots) >= self.limits.snapshots:
            raise limit_exceeded(f"Application {application.name} has {self.limits.snapshots} snapshots, the most")
        self._require_health(application)
        self._snapshots.take(application, application.current, name)

    def delete_snapshot(self, application: Application, snapshot: Snapshot) -> None:
        """Begin to delete a snapshot. Raises `ServiceError`."""
        self._snapshots.delete(application, snapshot)

    def dashboard(self, application: Application) -> str | None:
        """Return the address of the application's own Flink; None while none runs."""
        return self._plane(application).dashboard

    def running(self) -> list[tuple[Application, Plane]]:
        """Return the applications that have a job, each with its Flink."""
        with self.works.lock:
            found = [each for each in self.records.applications.values() if each.job_id and each.status == "RUNNING"]
            return [(application, self._plane(application)) for application in found]

    # The emulator's own life -----------------------------------------------------------------------------------------

    def resume(self) -> None:
        """Take up what an emulator before this one left: what ran runs again, from its newest state."""
        with self.works.lock:
            self.records.enhanced.resume()
            for application in list(self.records.applications.values()):
                self._resume(application)
        self.works.run(self._watch)

    def close(self) -> None:
        """Stop every Flink. What ran is written down as running, and runs again when its state directory is served."""
        self.closed.set()
        self.works.join(timeout_s=5)
        self._launching.tear_down()

    def _resume(self, application: Application) -> None:
        for operation in application.operations:
            if operation.status == "IN_PROGRESS":
                end(operation, "FAILED", "The emulator was restarted")
        application.snapshots = [each for each in application.snapshots if each.status in {"READY", "FAILED"}]
        if application.status == "DELETING":
            self.records.forget(application.name)
            return
        version, job_id, plane = application.current, application.job_id, self._plane(application)
        if application.status != "RUNNING" or job_id is None:
            plane.tear_down()
            application.status, application.job_id = "READY", None
            self.records.save(application)
            return
        if is_running(plane, job_id):
            return
        latest = self._snapshots.latest(application)
        restore = plane.newest_checkpoint(job_id) or (latest.location if latest else None)
        plane.tear_down()
        done = self.works.renew(application)

        self.works.run(lambda: self._go_on(application, version, restore, done))

    def _go_on(self, application: Application, version: Version, restore: str | None, done: Work) -> None:
        try:
            started = self._launch(application, version, restore, done)
        except ScurryError as error:
            self._fail(application, added(application, "StartApplication"), done, "READY", error)
            return
        with self.works.lock:
            if self.works.counts(done):
                application.job_id = started
                self.records.save(application)

    def _watch(self) -> None:
        """A bounded job that came to its end makes its application READY."""
        while not self.closed.wait(_WATCH_S):
            with self.works.lock:
                running = [each for each in self.records.applications.values() if each.status == "RUNNING"]
            for application in running:
                self._look(application)

    def _look(self, application: Application) -> None:
        job_id = application.job_id
        try:
            ended = job_id is not None and self._plane(application).health(job_id).state == "FINISHED"
        except ScurryError:
            return
        with self.works.lock:
            if not (ended and application.status == "RUNNING" and application.job_id == job_id):
                return
            application.status, application.job_id = "READY", None
            self.works.renew(application)
            self.records.save(application)
        self._plane(application).tear_down()

    # Work ------------------------------------------------------------------------------------------------------------

    def _replace(self, application: Application, change: _Change, done: Work, operation: Operation) -> None:
        """Stop what runs, with a snapshot if they are enabled, and start the new version from what is asked for."""
        before, version, taken = change.before, change.version, None
        plane = self._plane(application)
        if change.snapshots:
            prepared = self._launching.prepare(application, version)
            taken = self._snapshots.take_before(application, before, application.job_id or "")
        else:
            prepared = None
            plane.tear_down()
        restore = taken.location if taken else None
        if change.run:
            restore = self._snapshots.to_restore(application, version, change.run)
        try:
            self._run(application, restore, done, operation, prepared)
        except ScurryError as error:
            if not self.works.counts(done):
                raise
            plane.tear_down()
            if not configuration.system_rollback(version.configuration):
                raise
            self._roll_back_by_itself(application, before, taken, (error, operation))

    def _roll_back_by_itself(
        self,
        application: Application,
        before: Version,
        taken: Taken | None,
        failed: tuple[ScurryError, Operation],
    ) -> None:
        error, operation = failed
        with self.works.lock:
            undoing = self._roll_back(application, before)
            mine = self.works.newest(application)
            end(operation, "FAILED", error.message[:_ERROR_LENGTH])
            operation.rollback = undoing.id
            self.records.save(application)
        try:
            self._run(application, taken.location if taken else None, mine, undoing)
        except ScurryError as again:
            self._fail(application, undoing, mine, "READY", again)

    def _roll_back(self, application: Application, target: Version) -> Operation:
        """Make the target's configuration a new version; nothing runs yet."""
        before, version = application.version, application.next_version(target)
        application.versions.append(version)
        application.version, application.updated = version.id, version.created
        application.rolled_back_from, application.rolled_back_to = before, target.id
        versions = (before, version.id)
        return self.works.begin(application, "RollbackApplication", "ROLLING_BACK", versions=versions)

    def _run(
        self,
        application: Application,
        restore: str | None,
        done: Work,
        operation: Operation,
        prepared: Prepared | None = None,
    ) -> None:
        """Start the current version; when it runs, so does the application, and the operation is done."""
        version = application.current
        job_id = self._launch(application, version, restore, done, prepared)
        with self.works.finishing(done, operation) as alive:
            if alive:
                application.status, application.job_id = "RUNNING", job_id
                application.ran.append(version.id)
        if not alive and application.status in _WITHOUT_FLINK:
            self._plane(application).tear_down()  # it was stopped by force, or deleted, while this came up

    def _launch(
        self,
        application: Application,
        version: Version,
        restore: str | None,
        done: Work,
        prepared: Prepared | None = None,
    ) -> str:
        return self._launching.launch(
            application, version, restore=restore, wanted=lambda: self.works.counts(done), prepared=prepared
        )

    # Small things ----------------------------------------------------------------------------------------------------

    def _plane(self, application: Application) -> Plane:
        return self._launching.plane(application)

    def _require(self, application: Application, what: str, statuses: frozenset[str] | set[str]) -> None:
        if application.status not in statuses:
            raise in_use(f"Application {application.name} cannot be {what} while its status is {application.status}")

    def _require_health(self, application: Application) -> None:
        require_health(application, self._plane(application))

    def _check_size(self, version: Version) -> None:
        self._check_kpus(configuration.kpus(*configuration.parallelism(version.configuration)))

    def _check_kpus(self, kpus: int) -> None:
        if kpus > self.limits.kpus:
            raise limit_exceeded(f"{kpus} KPUs are needed, and the quota is {self.limits.kpus}")

    def _spawn(
        self, application: Application, operation: Operation, work: Callable[[Work], None], *, otherwise: str
    ) -> None:
        """Do work in a thread. Where it fails, so does its operation, and the application is `otherwise`."""
        mine = self.works.newest(application)

        def run() -> None:
            try:
                work(mine)
            except Exception as error:
                self._fail(application, operation, mine, otherwise, error)

        self.works.run(run)

    def _fail(
        self, application: Application, operation: Operation, work: Work, otherwise: str, error: Exception
    ) -> None:
        """A stop whose snapshot failed leaves the job as it was; after anything else nothing runs."""
        if not self.works.counts(work):
            return
        if otherwise != "RUNNING":
            self._plane(application).tear_down()
        with self.works.lock:
            if not self.works.counts(work):
                return
            message = error.message if isinstance(error, ScurryError) else f"{type(error).__name__}: {error}"
            end(operation, "FAILED", message[:_ERROR_LENGTH] or "it failed")
            application.status = otherwise
            if otherwise != "RUNNING":
                application.job_id = None
            self.records.save(application)
