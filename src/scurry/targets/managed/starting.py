"""Starts jobs: a version with the wish and our mark, then its start. Killed between any two calls, it is found again.

The mark comes with the version, by a call that the service refuses when anybody changed the application meanwhile. So
what is READY under our mark with no start since was not started, and the same step makes it a version anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scurry.model.errors import AlreadySubmitted, PlanOutdated, RejectedByTarget, TargetUnsuitable
from scurry.model.observed import JobState
from scurry.model.operation import Outcome
from scurry.model.snapshot import FromLatest, FromSnapshot
from scurry.targets.managed import configuration
from scurry.targets.managed.aws import SERVICE
from scurry.targets.managed.faults import IN_USE, Answered
from scurry.targets.managed.marking import APPLICATION_TAG, JOB_TAG, Mark
from scurry.targets.managed.runs import START, run_of
from scurry.targets.managed.service import PASSING, RESTING
from scurry.targets.managed.snapshots import key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from scurry.model.ports import Activity
    from scurry.model.project import ManagedTarget as Settings
    from scurry.model.snapshot import Restore
    from scurry.targets.managed.configuration import Wished
    from scurry.targets.managed.runs import Run
    from scurry.targets.managed.service import Application, Service
    from scurry.targets.managed.waiting import Waiting

_TRIES = 3
"""so often is a version made anew that somebody else's change came between"""
SKIP, LATEST, CUSTOM = "SKIP_RESTORE_FROM_SNAPSHOT", "RESTORE_FROM_LATEST_SNAPSHOT", "RESTORE_FROM_CUSTOM_SNAPSHOT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What is to be started."""

    name: str
    """on the service"""
    mark: str
    restore: Restore
    may_drop: bool
    wished: Callable[[Mark], Wished]
    application: str
    """our id"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Starting:
    """Starts on one target."""

    service: Service
    waiting: Waiting
    settings: Settings
    target: str
    described: Callable[[str], Application | None]
    """returns an application by its name on the service, with its mark"""

    def submit(self, start: Start, activity: Activity) -> Outcome:
        """Start under our mark. Raises `AlreadySubmitted`, `RejectedByTarget` with why it could not start."""
        application = self._at_rest(start, activity)
        if self.settings.owner == "terraform":
            self._tag(start, application)
        elif application is None:
            self._create(start)
        else:
            self._tidy(start, application, activity)
            self._update(start, activity)
        return self._start(start, activity)

    def landed(self, run: Run, activity: Activity) -> Outcome | None:
        """Say whether a start under a mark came about; waits for one in progress. None: it did not, or it failed."""
        begun = run.start
        if begun is None:
            return None
        name = run.application.name
        if begun.status == "IN_PROGRESS":
            self.waiting.operation(name, begun.id, activity=activity, what="the start")
        now = self.described(name)
        if now is None or now.mark.job != run.application.mark.job:
            return Outcome(job_id=run.application.mark.job)  # it ran, and something else does now
        again = run_of(self.service, now)
        if again.state is JobState.FAILED and not any(
            each.name == START and each.status == "SUCCESSFUL" for each in again.operations
        ):
            return None
        return Outcome(job_id=now.mark.job)

    # In order

    def _tag(self, start: Start, application: Application | None) -> None:
        """Mark the start without touching the configuration, which is Terraform's."""
        if application is None:
            raise TargetUnsuitable(
                f"there is no application {start.name!r} on the service; it is Terraform's to make it",
                target=self.target,
                hint="To make it:\n  terraform apply",
            )
        mark = self._mark(start, after=self.service.newest_operation(start.name))
        self.service.aws.call(SERVICE, "tag_resource", ResourceARN=application.arn, Tags=mark.tags())

    def _at_rest(self, start: Start, activity: Activity) -> Application | None:
        """Return the application, which nobody runs. Raises `AlreadySubmitted` when its job is the one to start."""
        application = self.described(start.name)
        if application is None:
            return None
        if application.mark.job == start.mark:
            self._refuse_what_ran(run_of(self.service, application))
        elif application.status not in RESTING and application.status not in PASSING | {"RUNNING"}:
            self.waiting.rest(start.name, activity=activity)
            application = self.described(start.name)
        if application is not None and application.status not in RESTING:
            raise RejectedByTarget(
                f"application {start.name!r} of the service is {application.status}: somebody else has started it",
                target=self.target,
                hint=f"To take it over as it runs:\n  scurry adopt FILE --job latest --named {start.name}",
            )
        if application is not None:
            self._refuse_what_is_anothers(start, application)
        return application

    def _refuse_what_ran(self, run: Run) -> None:
        """A mark is that of one job: only a start under it that failed, or never was, may be tried again."""
        failed = run.application.status in RESTING and (run.start is None or run.state is JobState.FAILED)
        if not failed:
            raise AlreadySubmitted(
                f"job {run.application.mark.job} was started before, as application {run.application.name!r}",
                target=self.target,
            )

    def _refuse_what_is_anothers(self, start: Start, application: Application) -> None:
        mark = application.mark
        if mark.is_ours and mark.application != start.application:
            raise TargetUnsuitable(
                f"application {start.name!r} of the service is {mark.application!r}, not {start.application!r}",
                target=self.target,
                hint="Name another one for it, under `applications` of the target.",
            )

    def _create(self, start: Start) -> None:
        wished = start.wished(self._mark(start, after=""))
        self.service.aws.call(SERVICE, "create_application", **configuration.created(wished, start.name))
        if self.settings.maintenance:
            self._set_maintenance(start.name)

    def _update(self, start: Start, activity: Activity) -> None:
        """Make the version that is started. Somebody else's change in between is seen, and written over."""
        for tries in range(1, _TRIES + 1):
            application = self.waiting.rest(start.name, activity=activity)
            if application is None:
                raise PlanOutdated(f"application {start.name!r} of the service was deleted meanwhile")
            wished = start.wished(self._mark(start, after=self.service.newest_operation(start.name)))
            switch = configuration.takes_enhanced(application, self.settings) and not _is_legacy(start.restore)
            request = configuration.updated(wished, application.detail, switch=switch)
            try:
                answer = self.service.aws.call(
                    SERVICE,
                    "update_application",
                    ApplicationName=start.name,
                    CurrentApplicationVersionId=application.version,
                    **request,
                )
            except PlanOutdated:
                if tries == _TRIES:
                    raise
                continue
            if operation := answer.get("OperationId"):
                status, why = self.waiting.operation(start.name, operation, activity=activity, what="the update")
                if status != "SUCCESSFUL":
                    raise RejectedByTarget(
                        f"the new version of {start.name!r} was refused: {why or status}", target=self.target, cause=why
                    )
            return

    def _start(self, start: Start, activity: Activity) -> Outcome:
        self.waiting.rest(start.name, activity=activity)
        try:
            answer = self.service.aws.call(
                SERVICE, "start_application", ApplicationName=start.name, RunConfiguration=run_of_start(start)
            )
        except Answered as error:
            now = self.described(start.name)
            if error.word == IN_USE and now is not None and now.mark.job == start.mark:
                raise AlreadySubmitted(error.message, target=self.target) from error
            raise
        status, why = self.waiting.operation(start.name, answer["OperationId"], activity=activity, what="the start")
        if status == "SUCCESSFUL":
            return Outcome(job_id=start.mark)
        raise RejectedByTarget(
            f"{start.name!r} could not be started: {why or f'its start is {status}'}", target=self.target, cause=why
        )

    def _mark(self, start: Start, *, after: str) -> Mark:
        return Mark(job=start.mark, application=start.application, after=after)

    # What has calls of its own

    def _tidy(self, start: Start, application: Application, activity: Activity) -> None:
        """Bring logging, network, tags and maintenance window to what the settings say, where they differ."""
        if application.tagged is not None:  # it was Terraform's until now
            self.service.aws.call(
                SERVICE, "untag_resource", ResourceARN=application.arn, TagKeys=[JOB_TAG, APPLICATION_TAG]
            )
        self._tidy_logging(start, application, activity)
        self._tidy_vpc(start, application, activity)
        if self.settings.tags:
            there = self.service.tags(application.arn)
            new = [{"Key": key, "Value": value} for key, value in self.settings.tags.items() if there.get(key) != value]
            if new:
                self.service.aws.call(SERVICE, "tag_resource", ResourceARN=application.arn, Tags=new)
        window = application.detail.get("ApplicationMaintenanceConfigurationDescription", {})
        begins = window.get("ApplicationMaintenanceWindowStartTime")
        if self.settings.maintenance and begins != self.settings.maintenance:
            self._set_maintenance(start.name)

    def _tidy_logging(self, start: Start, application: Application, activity: Activity) -> None:
        there = application.detail.get("CloudWatchLoggingOptionDescriptions", [])
        wanted = configuration.log_stream_of(self.settings, start.name)
        if wanted is None or [option["LogStreamARN"] for option in there] == [wanted]:
            return
        for option in there:
            self._change(
                start, activity, "delete_application_cloud_watch_logging_option",
                CloudWatchLoggingOptionId=option["CloudWatchLoggingOptionId"],
            )  # fmt: skip
        self._change(
            start, activity, "add_application_cloud_watch_logging_option",
            CloudWatchLoggingOption={"LogStreamARN": wanted},
        )  # fmt: skip

    def _tidy_vpc(self, start: Start, application: Application, activity: Activity) -> None:
        if self.settings.vpc is None:
            return
        there, wanted = application.configuration.get("VpcConfigurationDescriptions", []), self.settings.vpc
        if [(set(vpc["SubnetIds"]), set(vpc["SecurityGroupIds"])) for vpc in there] == [
            (set(wanted.subnets), set(wanted.security_groups))
        ]:
            return
        for vpc in there:
            self._change(
                start, activity, "delete_application_vpc_configuration", VpcConfigurationId=vpc["VpcConfigurationId"]
            )
        self._change(
            start, activity, "add_application_vpc_configuration", VpcConfiguration=configuration.vpc_of(self.settings)
        )

    def _change(self, start: Start, activity: Activity, operation: str, **request: Any) -> None:
        application = self.waiting.rest(start.name, activity=activity)
        version = application.version if application else 0
        self.service.aws.call(
            SERVICE, operation, ApplicationName=start.name, CurrentApplicationVersionId=version, **request
        )

    def _set_maintenance(self, name: str) -> None:
        update = {"ApplicationMaintenanceWindowStartTimeUpdate": self.settings.maintenance}
        self.service.aws.call(
            SERVICE,
            "update_application_maintenance_configuration",
            ApplicationName=name,
            ApplicationMaintenanceConfigurationUpdate=update,
        )


def run_of_start(start: Start) -> dict[str, Any]:
    """Return the `RunConfiguration`: which state, said expressly, and whether some may be left over, this once."""
    if isinstance(start.restore, FromLatest):
        raise AssertionError("a start needs to know which state it is from")
    restore: dict[str, str] = {"ApplicationRestoreType": SKIP}
    if isinstance(start.restore, FromSnapshot):
        key = key_of(start.restore.snapshot.location)
        if key is None:
            raise AssertionError("the check has seen that it is a snapshot of the service")
        named = {"SnapshotArn": key.arn} if key.arn else {"SnapshotName": key.name}
        restore = {"ApplicationRestoreType": CUSTOM, **named}
    return {
        "ApplicationRestoreConfiguration": restore,
        "FlinkRunConfiguration": {"AllowNonRestoredState": start.may_drop},
    }


def _is_legacy(restore: Restore) -> bool:
    """Whether it starts from a legacy snapshot: an application with enhanced ones could not."""
    key = key_of(restore.snapshot.location) if isinstance(restore, FromSnapshot) else None
    return key is not None and key.application is not None
