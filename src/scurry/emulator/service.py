"""The operations of the service, by their names: checks the request against what there is, and answers.

What takes time is `lifecycle.py`'s. Requests come validated against the model; answers go out as its shapes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeAlias

from scurry.emulator import configuration, describing
from scurry.emulator.enhanced import check_mode
from scurry.emulator.enhanced_service import EnhancedService
from scurry.emulator.errors import (
    concurrent,
    in_use,
    invalid_argument,
    invalid_request,
    limit_exceeded,
    not_found,
    unsupported,
)
from scurry.emulator.paging import page
from scurry.emulator.records import Application, Version
from scurry.emulator.tagging import Tagging, checked_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scurry.emulator.code import Codes
    from scurry.emulator.enhanced_transfer import Buckets
    from scurry.emulator.lifecycle import Lifecycle
    from scurry.emulator.records import Snapshot

Request: TypeAlias = "dict[str, Any]"
Answer: TypeAlias = "dict[str, Any]"

REGION, ACCOUNT = "us-east-1", "123456789012"
RUNTIMES = ("FLINK-1_15", "FLINK-1_18", "FLINK-1_19", "FLINK-1_20", "FLINK-2_2", "FLINK-2_3")
"""those that this emulator runs; the service's older ones are not to be had for Java 11 and later any more"""


class Service:
    """The control plane."""

    def __init__(
        self, lifecycle: Lifecycle, codes: Codes, buckets: Buckets, *, region: str = REGION, account: str = ACCOUNT
    ) -> None:
        self._life = lifecycle
        self._codes = codes
        self._records = lifecycle.records
        prefix = f"arn:aws:kinesisanalytics:{region}:{account}:"
        self._arn = f"{prefix}application/"
        self.operations: dict[str, Callable[[Request], Answer]] = {
            "CreateApplication": self.create,
            "DescribeApplication": self.describe,
            "ListApplications": self.list,
            "StartApplication": self.start,
            "StopApplication": self.stop,
            "UpdateApplication": self.update,
            "RollbackApplication": self.roll_back,
            "DeleteApplication": self.delete,
            "DescribeApplicationOperation": self.describe_operation,
            "ListApplicationOperations": self.list_operations,
            "DescribeApplicationVersion": self.describe_version,
            "ListApplicationVersions": self.list_versions,
            "CreateApplicationSnapshot": self.create_snapshot,
            "DescribeApplicationSnapshot": self.describe_snapshot,
            "ListApplicationSnapshots": self.list_snapshots,
            "DeleteApplicationSnapshot": self.delete_snapshot,
            "AddApplicationCloudWatchLoggingOption": self.add_logging,
            "DeleteApplicationCloudWatchLoggingOption": self.delete_logging,
            "AddApplicationVpcConfiguration": self.add_vpc,
            "DeleteApplicationVpcConfiguration": self.delete_vpc,
            "UpdateApplicationMaintenanceConfiguration": self.update_maintenance,
            "CreateApplicationPresignedUrl": self.presigned_url,
            **EnhancedService(lifecycle.enhanced, self._records, buckets, prefix).operations,
            **Tagging(self._records, prefix).operations,
        }

    def call(self, operation: str, request: Request) -> Answer:
        """Run an operation. Raises `ServiceError`."""
        run = self.operations.get(operation)
        if run is None:
            raise unsupported(f"{operation} is not an operation that this emulator has for Flink applications")
        with self._life.works.lock:
            return run(request)

    # Applications ----------------------------------------------------------------------------------------------------

    def create(self, request: Request) -> Answer:
        """`CreateApplication`."""
        name = request["ApplicationName"]
        if name in self._records.applications:
            raise in_use(f"Application {name} already exists")
        if len(self._records.applications) >= self._life.limits.applications:
            raise limit_exceeded(f"There are {self._life.limits.applications} applications, the most of an account")
        self._check_runtime(request["RuntimeEnvironment"])
        given = request.get("ApplicationConfiguration", {})
        _refuse_other_kinds(given)
        now = time.time()
        version = Version(
            id=1,
            runtime=request["RuntimeEnvironment"],
            role=request["ServiceExecutionRole"],
            configuration=configuration.created(given),
            created=now,
        )
        for number, option in enumerate(request.get("CloudWatchLoggingOptions", ()), start=1):
            version.logging.append({"CloudWatchLoggingOptionId": f"1.{number}", **option})
        self._codes.check(version)
        check_mode(version)
        application = Application(
            name=name,
            arn=self._arn + name,
            description=request.get("ApplicationDescription"),
            mode=request.get("ApplicationMode", "STREAMING"),
            created=now,
            updated=now,
            versions=[version],
            tags=checked_tags(request.get("Tags", ())),
        )
        self._records.save(application)
        self._keep_inline(application, version, given.get("ApplicationCodeConfiguration", {}).get("CodeContent", {}))
        return {"ApplicationDetail": describing.detail(application)}

    def describe(self, request: Request) -> Answer:
        """`DescribeApplication`."""
        return {"ApplicationDetail": describing.detail(self._known(request))}

    def list(self, request: Request) -> Answer:
        """`ListApplications`, by name."""
        found = [self._records.applications[name] for name in sorted(self._records.applications)]
        return page(request, "ApplicationSummaries", [describing.summary(each) for each in found])

    def start(self, request: Request) -> Answer:
        """`StartApplication`."""
        operation = self._life.start(self._known(request), request.get("RunConfiguration", {}))
        return {"OperationId": operation.id}

    def stop(self, request: Request) -> Answer:
        """`StopApplication`."""
        return {"OperationId": self._life.stop(self._known(request), force=request.get("Force", False)).id}

    def update(self, request: Request) -> Answer:
        """`UpdateApplication`: a new version, always."""
        application = self._changeable(request)
        update = request.get("ApplicationConfigurationUpdate", {})
        _refuse_other_kinds(update)
        before = application.current
        version = application.next_version(application.current)
        version.configuration = configuration.updated(before.configuration, update)
        version.runtime = request.get("RuntimeEnvironmentUpdate", before.runtime)
        version.role = request.get("ServiceExecutionRoleUpdate", before.role)
        check_mode(version, before)
        self._check_upgrade(application, version)
        for change in request.get("CloudWatchLoggingOptionUpdates", ()):
            _update_logging(version.logging, change)
        if version.configuration != before.configuration:
            self._codes.check(version)
        operation = self._life.update(application, version, request.get("RunConfigurationUpdate"))
        content = update.get("ApplicationCodeConfigurationUpdate", {}).get("CodeContentUpdate", {})
        self._keep_inline(application, version, {key.removesuffix("Update"): each for key, each in content.items()})
        return {"ApplicationDetail": describing.detail(application), "OperationId": operation.id}

    def roll_back(self, request: Request) -> Answer:
        """`RollbackApplication`."""
        application = self._known(request)
        _check_version(application, request)
        operation = self._life.roll_back(application)
        return {"ApplicationDetail": describing.detail(application), "OperationId": operation.id}

    def delete(self, request: Request) -> Answer:
        """`DeleteApplication`. Clients keep the time of creation in whole seconds."""
        application = self._known(request)
        if int(float(request["CreateTimestamp"])) != int(application.created):
            raise invalid_argument("The CreateTimestamp is not that of the application")
        self._life.delete(application)
        return {}

    # Operations, versions --------------------------------------------------------------------------------------------

    def describe_operation(self, request: Request) -> Answer:
        """`DescribeApplicationOperation`."""
        for operation in self._known(request).operations:
            if operation.id == request["OperationId"]:
                return {"ApplicationOperationInfoDetails": describing.operation_detail(operation)}
        raise not_found(f"There is no operation {request['OperationId']}")

    def list_operations(self, request: Request) -> Answer:
        """`ListApplicationOperations`, newest first."""
        found = [
            describing.operation_summary(each)
            for each in self._known(request).operations
            if request.get("Operation", each.name) == each.name
            and request.get("OperationStatus", each.status) == each.status
        ]
        return page(request, "ApplicationOperationInfoList", found)

    def describe_version(self, request: Request) -> Answer:
        """`DescribeApplicationVersion`."""
        application = self._known(request)
        for version in application.versions:
            if version.id == request["ApplicationVersionId"]:
                return {"ApplicationVersionDetail": describing.detail(application, version)}
        raise not_found(f"There is no version {request['ApplicationVersionId']}")

    def list_versions(self, request: Request) -> Answer:
        """`ListApplicationVersions`, newest first."""
        application = self._known(request)
        found = [
            {
                "ApplicationVersionId": version.id,
                "ApplicationStatus": application.status if version.id == application.version else "READY",
            }
            for version in reversed(application.versions)
        ]
        return page(request, "ApplicationVersionSummaries", found)

    # Snapshots -------------------------------------------------------------------------------------------------------

    def create_snapshot(self, request: Request) -> Answer:
        """`CreateApplicationSnapshot`."""
        self._life.take_snapshot(self._known(request), request["SnapshotName"])
        return {}

    def describe_snapshot(self, request: Request) -> Answer:
        """`DescribeApplicationSnapshot`."""
        snapshot = _snapshot(self._known(request), request["SnapshotName"])
        return {"SnapshotDetails": describing.snapshot_detail(snapshot)}

    def list_snapshots(self, request: Request) -> Answer:
        """`ListApplicationSnapshots`, newest first."""
        found = sorted(self._known(request).snapshots, key=lambda snapshot: -snapshot.number)
        return page(request, "SnapshotSummaries", [describing.snapshot_detail(each) for each in found])

    def delete_snapshot(self, request: Request) -> Answer:
        """`DeleteApplicationSnapshot`. Clients keep the time of creation in whole seconds."""
        application = self._known(request)
        snapshot = _snapshot(application, request["SnapshotName"])
        if int(float(request["SnapshotCreationTimestamp"])) != int(snapshot.created):
            raise invalid_argument("The SnapshotCreationTimestamp is not that of the snapshot")
        self._life.delete_snapshot(application, snapshot)
        return {}

    # What belongs to an application ----------------------------------------------------------------------------------

    def add_logging(self, request: Request) -> Answer:
        """`AddApplicationCloudWatchLoggingOption`: a new version; what runs goes on."""
        application = self._changeable(request)
        version = application.next_version(application.current)
        if version.logging:
            raise invalid_argument("An application has one CloudWatch logging option at most")
        version.logging.append(
            {
                "CloudWatchLoggingOptionId": f"{version.id}.1",
                "LogStreamARN": request["CloudWatchLoggingOption"]["LogStreamARN"],
            }
        )
        return self._in_place(application, version, "CloudWatchLoggingOptionDescriptions", version.logging)

    def delete_logging(self, request: Request) -> Answer:
        """`DeleteApplicationCloudWatchLoggingOption`."""
        application = self._changeable(request)
        version = application.next_version(application.current)
        wanted = request["CloudWatchLoggingOptionId"]
        if all(option["CloudWatchLoggingOptionId"] != wanted for option in version.logging):
            raise not_found(f"There is no CloudWatch logging option {wanted}")
        version.logging = [each for each in version.logging if each["CloudWatchLoggingOptionId"] != wanted]
        return self._in_place(application, version, "CloudWatchLoggingOptionDescriptions", version.logging)

    def add_vpc(self, request: Request) -> Answer:
        """`AddApplicationVpcConfiguration`."""
        application = self._changeable(request)
        version = application.next_version(application.current)
        if version.configuration["VpcConfigurationDescriptions"]:
            raise invalid_argument("An application has one VPC configuration at most")
        described = configuration.vpc_described(request["VpcConfiguration"], f"{version.id}.1")
        version.configuration["VpcConfigurationDescriptions"] = [described]
        return self._in_place(application, version, "VpcConfigurationDescription", described)

    def delete_vpc(self, request: Request) -> Answer:
        """`DeleteApplicationVpcConfiguration`."""
        application = self._changeable(request)
        version = application.next_version(application.current)
        known = version.configuration["VpcConfigurationDescriptions"]
        left = [each for each in known if each["VpcConfigurationId"] != request["VpcConfigurationId"]]
        if len(left) == len(known):
            raise not_found(f"There is no VPC configuration {request['VpcConfigurationId']}")
        version.configuration["VpcConfigurationDescriptions"] = left
        return self._in_place(application, version)

    def update_maintenance(self, request: Request) -> Answer:
        """`UpdateApplicationMaintenanceConfiguration`: no new version."""
        application = self._known(request)
        if application.status not in {"READY", "RUNNING"}:
            raise in_use(f"Application {application.name} is {application.status}")
        update = request["ApplicationMaintenanceConfigurationUpdate"]
        application.maintenance_start = update["ApplicationMaintenanceWindowStartTimeUpdate"]
        self._records.save(application)
        return {
            "ApplicationARN": application.arn,
            "ApplicationMaintenanceConfigurationDescription": describing.maintenance(application),
        }

    def presigned_url(self, request: Request) -> Answer:
        """`CreateApplicationPresignedUrl`: the address of the application's own Flink dashboard."""
        application = self._known(request)
        url = self._life.dashboard(application) if application.status == "RUNNING" else None
        if url is None:
            raise in_use(f"Application {application.name} is {application.status}, and has a dashboard while it runs")
        return {"AuthorizedUrl": url}

    # -----------------------------------------------------------------------------------------------------------------

    def _known(self, request: Request) -> Application:
        name = request["ApplicationName"]
        found = self._records.applications.get(name)
        if found is None:
            raise not_found(f"Application {name} was not found")
        return found

    def _changeable(self, request: Request) -> Application:
        application = self._known(request)
        if application.status not in {"READY", "RUNNING"}:
            raise in_use(f"Application {application.name} cannot be updated while it is {application.status}")
        _check_version(application, request)
        return application

    def _in_place(self, application: Application, version: Version, member: str = "", value: Any = None) -> Answer:
        """Take a version over that changes nothing of what runs."""
        operation = self._life.note(application, version)
        return {
            "ApplicationARN": application.arn,
            "ApplicationVersionId": version.id,
            **({member: value} if value else {}),
            "OperationId": operation.id,
        }

    def _keep_inline(self, application: Application, version: Version, content: Request) -> None:
        if "ZipFileContent" in content:
            self._codes.keep(self._records.place(application.name), version, content["ZipFileContent"])

    def _check_runtime(self, runtime: str) -> None:
        if runtime not in RUNTIMES:
            raise unsupported(f"{runtime} applications cannot be run here; {', '.join(RUNTIMES)} can")

    def _check_upgrade(self, application: Application, version: Version) -> None:
        """A runtime goes up in place; down only to one that the application ran with before."""
        before = application.current.runtime
        if version.runtime == before:
            return
        self._check_runtime(version.runtime)
        known = {application.at(number).runtime for number in application.ran}
        if RUNTIMES.index(version.runtime) < RUNTIMES.index(before) and version.runtime not in known:
            raise invalid_argument(f"The runtime cannot be downgraded from {before} to {version.runtime}")


def _refuse_other_kinds(given: Request) -> None:
    for member in given:
        if member.startswith(("Sql", "Zeppelin")):
            raise unsupported("SQL and Zeppelin applications cannot be run here")


def _check_version(application: Application, request: Request) -> None:
    number, token = request.get("CurrentApplicationVersionId"), request.get("ConditionalToken")
    if number is None and token is None:
        raise invalid_request("Either CurrentApplicationVersionId or ConditionalToken must be given")
    if (number is not None and number != application.version) or (
        token is not None and token != describing.token(application)
    ):
        raise concurrent(f"Application {application.name} is at version {application.version}")


def _snapshot(application: Application, name: str) -> Snapshot:
    for snapshot in application.snapshots:
        if snapshot.name == name:
            return snapshot
    raise not_found(f"Snapshot {name} of application {application.name} does not exist")


def _update_logging(known: Sequence[dict[str, str]], change: Request) -> None:
    for option in known:
        if option["CloudWatchLoggingOptionId"] == change["CloudWatchLoggingOptionId"]:
            option["LogStreamARN"] = change.get("LogStreamARNUpdate", option["LogStreamARN"])
            return
    raise invalid_argument(f"There is no CloudWatch logging option {change['CloudWatchLoggingOptionId']}")
