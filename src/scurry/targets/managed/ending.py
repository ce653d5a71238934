"""Ends jobs, takes and deletes snapshots. Each call is made at most once more than needed, and found again.

A stop is known again by whose job it ends: the application's mark. What it wrote is the newest snapshot since it began.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.model.desired import UpgradePolicy
from scurry.model.errors import JobNotFound, RejectedByTarget, TargetUnsuitable
from scurry.model.operation import Outcome
from scurry.model.snapshot import FromLatest
from scurry.targets.managed.aws import SERVICE
from scurry.targets.managed.configuration import switched, takes_enhanced
from scurry.targets.managed.faults import IN_USE, NOT_FOUND, Answered
from scurry.targets.managed.runs import Run, run_of, snapshots_of
from scurry.targets.managed.service import PASSING, RESTING
from scurry.targets.managed.snapshots import CREATE, Key, key_of, told_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from scurry.model.operation import Step
    from scurry.model.ports import Activity, StepContext
    from scurry.model.project import ManagedTarget as Settings
    from scurry.model.snapshot import Snapshot
    from scurry.targets.managed.exporting import Exporting
    from scurry.targets.managed.service import Application, Service
    from scurry.targets.managed.waiting import Waiting

_NOT_STOPPED = "It was not stopped, and its state is safe. When the cause is gone, run the same command again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Ends what runs on one target."""

    service: Service
    waiting: Waiting
    exporting: Exporting
    settings: Settings
    target: str
    of_job: Callable[[str], Application | None]
    """returns the application whose newest start has that mark, as it is now"""

    # Stops with the service's own snapshot

    def stop(self, step: Step, context: StepContext) -> Outcome:
        """Stop with a snapshot, or join the stop that was begun. Raises `JobNotFound`, `RejectedByTarget`."""
        job_id: str = step.inputs["job_id"]
        limit = _limit(context)
        application = self._passed(self.known(job_id), context.activity, limit)
        if application.status == "RUNNING":
            self._refuse_without_snapshots(application)
            if context.desired is not None:
                application = self._enhanced(application, context.activity, limit)
            operation = self._stop(application, force=False)
            if operation:
                self.waiting.operation(
                    application.name, operation, activity=context.activity, limit=limit, what="the stop with a snapshot"
                )
        found = self.stopped(job_id, context.activity, limit)
        if found is not None:
            self._copy_of_stop(found, context)
            return Outcome(snapshot=found)
        run = run_of(self.service, self.known(job_id))
        raise self._not_stopped(run, job_id)

    def stopped(self, job_id: str, activity: Activity, limit: timedelta | None) -> Snapshot | None:
        """Return the snapshot of a job's stop, which is waited for; None when there was no such stop."""
        application = self.of_job(job_id)
        if application is None or (application.status not in RESTING and application.status != "STOPPING"):
            return None
        run = run_of(self.service, application)
        if run.stop is None:
            return None
        self.waiting.operation(
            application.name, run.stop.id, activity=activity, limit=limit, what="the stop with a snapshot"
        )
        if run_of(self.service, application).stop is None:
            return None  # it failed
        for entry in self.service.snapshots.of(application):
            since = int(entry["SnapshotCreationTimestamp"].timestamp()) >= int(run.stop.start.timestamp())
            if since and entry.get("SnapshotInitiator") != "USER":
                return told_snapshot(application.name, entry, job_id, runtime=application.runtime)
        return None

    def _enhanced(self, application: Application, activity: Activity, limit: timedelta) -> Application:
        """Switch a job that runs to enhanced snapshots, where they are wanted: its stop then takes one.

        After the stop it would be too late: an application of that mode starts from no legacy snapshot.
        """
        if not takes_enhanced(application, self.settings):
            return application
        activity.describe("the service switches it to enhanced snapshots, once; the job is restarted for that")
        answer = self.service.aws.call(
            SERVICE,
            "update_application",
            ApplicationName=application.name,
            CurrentApplicationVersionId=application.version,
            ApplicationConfigurationUpdate={"ApplicationSnapshotConfigurationUpdate": switched()},
        )
        if operation := answer.get("OperationId"):
            status, why = self.waiting.operation(
                application.name, operation, activity=activity, limit=limit, what="the switch to enhanced snapshots"
            )
            if status != "SUCCESSFUL":
                raise RejectedByTarget(
                    f"{application.name!r} could not be switched to enhanced snapshots: {why or status}",
                    target=self.target,
                    hint="To go on without them, leave `snapshots` out of the target.",
                    cause=why,
                )
        return self._passed(self.known(application.mark.job), activity, limit)

    def _copy_of_stop(self, snapshot: Snapshot, context: StepContext) -> None:
        """Begin to copy what a job is suspended with; where another one is started from it, nobody waits for that."""
        key = key_of(snapshot.location)
        if context.desired is None and key is not None:
            self.exporting.begin(key)

    def _not_stopped(self, run: Run, job_id: str) -> RejectedByTarget:
        application = run.application
        if application.status in RESTING:
            return RejectedByTarget(
                f"job {job_id[:8]} does not run any more, and it was not stopped with a snapshot", target=self.target
            )
        _, why = self.service.outcome(application.name, run.failure.id) if run.failure else ("", "")
        return RejectedByTarget(
            f"the stop with a snapshot of job {job_id[:8]} failed, and the application is {application.status}: "
            f"{why or 'the service does not say why'}",
            target=self.target,
            hint=_NOT_STOPPED,
        )

    def _refuse_without_snapshots(self, application: Application) -> None:
        if not application.snapshots_enabled:
            raise TargetUnsuitable(
                f"snapshots of {application.name!r} are switched off: a stop would lose its state",
                target=self.target,
                hint="Switch them on (ApplicationSnapshotConfiguration), or stop it without one: --no-snapshot",
            )

    # Stops by force

    def cancel(self, step: Step, context: StepContext) -> Outcome:
        """Stop by force; return the newest snapshot that the job has left, where that is what comes next."""
        job_id: str = step.inputs["job_id"]
        application = self.known(job_id)
        needs = context.desired is not None and isinstance(context.restore, FromLatest)
        if needs and self._newest(application) is None:
            raise TargetUnsuitable(
                f"job {job_id[:8]} has left no snapshot that another job could go on from",
                target=self.target,
                hint="Take one, or use `upgrade.mode: savepoint`.",
            )
        if application.status not in RESTING:
            if application.status != "FORCE_STOPPING":
                self._stop(application, force=True)
            self.waiting.rest(application.name, activity=context.activity)
        wants = context.desired is None or needs
        return Outcome(snapshot=self._newest(self.known(job_id)) if wants else None)

    def cancelled(self, step: Step) -> Outcome | None:
        """Say whether a job is at its end."""
        application = self.of_job(step.inputs["job_id"])
        if application is None:
            return Outcome()
        return Outcome(snapshot=self._newest(application)) if application.status in RESTING else None

    def _newest(self, application: Application) -> Snapshot | None:
        own, _ = snapshots_of(run_of(self.service, application), self.service.snapshots.of(application))
        return next(iter(own), None)

    # Snapshots

    def take(self, step: Step, context: StepContext) -> Outcome:
        """Take a snapshot under a name that is our mark, or join the one that was begun."""
        application, limit = self.known(step.inputs["job_id"]), _limit(context)
        key = _key(step, application)
        if self.service.snapshots.find(key) is None:
            self.service.snapshots.create(application, key)
        status = self.waiting.snapshot(key, activity=context.activity, limit=limit)
        if status != "READY":
            raise RejectedByTarget(
                f"the snapshot {key.name!r} of {application.name!r} failed; {self._why_not_taken(key)}",
                target=self.target,
                hint="The job goes on. The application's log stream may tell more.",
            )
        self.exporting.export(key, activity=context.activity, limit=limit)
        self.exporting.tell_of_none(application)
        found = self._whole(step, application)
        if found is None:
            raise RejectedByTarget(f"the snapshot {key.name!r} is gone again", target=self.target)
        return found

    def taken(self, step: Step, activity: Activity) -> Outcome | None:
        """Return a snapshot by its mark, if it is whole, and its copy was begun where one is wanted."""
        application = self.of_job(step.inputs["job_id"])
        found = self._whole(step, application) if application else None
        if application is None or found is None:
            return None
        return found if self.exporting.is_over(_key(step, application), activity=activity) else None

    def _whole(self, step: Step, application: Application) -> Outcome | None:
        entry = self.service.snapshots.find(_key(step, application))
        if entry is None or entry["SnapshotStatus"] != "READY":
            return None
        return Outcome(snapshot=told_snapshot(application.name, entry, step.inputs["job_id"]))

    def _why_not_taken(self, key: Key) -> str:
        works = self.service.snapshots.works(key.name, CREATE) if key.application is None else ()
        _, why = self.service.snapshots.outcome(key.name, works[0].id) if works else ("", "")
        return why or "the service does not say why"

    def dispose(self, location: str, *, activity: Activity) -> Outcome:
        """Delete a snapshot; one that is not there is deleted already."""
        key = key_of(location)
        if key is None:
            raise RejectedByTarget(f"{location!r} is no snapshot of the managed service", target=self.target)
        entry = self.service.snapshots.find(key)
        if entry is None:
            return Outcome()
        if entry["SnapshotStatus"] != "DELETING":
            self.service.snapshots.delete(key, entry)
        self.waiting.snapshot(key, activity=activity, limit=None)
        return Outcome()

    # Both

    def known(self, job_id: str) -> Application:
        """Return the application whose newest start has that mark. Raises `JobNotFound`."""
        application = self.of_job(job_id)
        if application is None:
            raise JobNotFound(f"target {self.target!r} knows no job {job_id}", target=self.target)
        return application

    def _passed(self, application: Application, activity: Activity, limit: timedelta) -> Application:
        """Wait while the service itself moves the job: it allows no stop with a snapshot meanwhile."""
        if application.status not in PASSING:
            return application
        self.waiting.status(application.name, lambda status: status not in PASSING, activity=activity, limit=limit)
        return self.known(application.mark.job)

    def _stop(self, application: Application, *, force: bool) -> str | None:
        """Ask for a stop; return its operation. None: one is under way already, which is what is wanted."""
        try:
            answer = self.service.aws.call(SERVICE, "stop_application", ApplicationName=application.name, Force=force)
            return answer.get("OperationId")
        except Answered as error:
            if error.word == NOT_FOUND:
                raise JobNotFound(error.message, target=self.target) from error
            now = self.of_job(application.mark.job)
            passing = now is not None and (now.status in RESTING or now.status.endswith("STOPPING"))
            if error.word != IN_USE or not passing:
                raise
            return None


def _key(step: Step, application: Application) -> Key:
    """Return what the snapshot that a step takes is known by: its mark. It is of the application's own kind."""
    return Key(name=f"scurry-{step.mark}", application=None if application.is_enhanced else application.name)


def _limit(context: StepContext) -> timedelta:
    return (context.desired.upgrade if context.desired else UpgradePolicy()).stop_timeout
