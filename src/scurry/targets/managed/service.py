"""What the service says: applications, their operations and snapshots, as small types. Reads only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from scurry.model.snapshot import Snapshot, SnapshotKind
from scurry.targets.managed.faults import NOT_FOUND, Answered
from scurry.targets.managed.marking import Mark, mark_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from scurry.targets.managed.aws import Aws

SERVICE = "kinesisanalyticsv2"
SCHEME = "msf://"
LIVE = frozenset({"STARTING", "RUNNING", "UPDATING", "AUTOSCALING", "MAINTENANCE", "ROLLING_BACK"})
"""statuses in which a job runs, or is about to"""
RESTING = frozenset({"READY", "ROLLED_BACK"})
PASSING = frozenset({"STARTING", "UPDATING", "AUTOSCALING", "MAINTENANCE", "ROLLING_BACK"})
"""statuses that pass by themselves, with a job afterwards"""


@dataclass(frozen=True)
class Application:
    """One application, as `DescribeApplication` tells it."""

    detail: dict[str, Any]
    tagged: Mark | None = None
    """the mark in its tags, where that is the one that counts"""

    @property
    def name(self) -> str:
        """Its name on the service."""
        return str(self.detail["ApplicationName"])

    @property
    def arn(self) -> str:
        """Its ARN."""
        return str(self.detail["ApplicationARN"])

    @property
    def status(self) -> str:
        """The service's word."""
        return str(self.detail["ApplicationStatus"])

    @property
    def version(self) -> int:
        """Number of the current version."""
        return int(self.detail["ApplicationVersionId"])

    @property
    def runtime(self) -> str:
        """`FLINK-1_20`."""
        return str(self.detail["RuntimeEnvironment"])

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """`ApplicationConfigurationDescription`."""
        return dict(self.detail.get("ApplicationConfigurationDescription", {}))

    @cached_property
    def groups(self) -> list[dict[str, Any]]:
        """Groups of runtime properties."""
        described = self.configuration.get("EnvironmentPropertyDescriptions", {})
        return list(described.get("PropertyGroupDescriptions", ()))

    @cached_property
    def mark(self) -> Mark:
        """The mark of its newest start by scurry; of an application that has none, one that stands for it."""
        found = self.tagged or mark_in(self.groups)
        if found:
            return found
        named = f"{self.arn} {self.detail['CreateTimestamp'].timestamp():.0f}"
        return Mark(job=hashlib.sha256(named.encode()).hexdigest()[:32], application="", after="")

    @property
    def parallelism(self) -> int:
        """The parallelism that its job has now."""
        flink = self.configuration.get("FlinkApplicationConfigurationDescription", {})
        block = flink.get("ParallelismConfigurationDescription", {})
        return int(block.get("CurrentParallelism") or block.get("Parallelism", 1))

    @property
    def snapshots_enabled(self) -> bool:
        """Whether a stop takes a snapshot."""
        return bool(self.configuration.get("ApplicationSnapshotConfigurationDescription", {}).get("SnapshotsEnabled"))

    @property
    def restored_from(self) -> str | None:
        """The snapshot that its newest start named."""
        run = self.configuration.get("RunConfigurationDescription", {})
        name = run.get("ApplicationRestoreConfigurationDescription", {}).get("SnapshotName")
        return location_of(self.name, name) if name else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One entry of `ListApplicationOperations`."""

    id: str
    name: str
    status: str
    start: datetime


class Service:
    """The service, for looking."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws

    def application(self, name: str) -> Application | None:
        """Return an application by its name on the service."""
        try:
            answer = self.aws.call(SERVICE, "describe_application", ApplicationName=name)
        except Answered as error:
            if error.word == NOT_FOUND:
                return None
            raise
        return Application(answer["ApplicationDetail"])

    def tags(self, arn: str) -> dict[str, str]:
        """Return an application's tags."""
        told = self.aws.call(SERVICE, "list_tags_for_resource", ResourceARN=arn).get("Tags", ())
        return {tag["Key"]: tag.get("Value", "") for tag in told}

    def summaries(self) -> Iterator[dict[str, Any]]:
        """Give all applications of the account and region that run Flink, as `ListApplications` tells them."""
        for summary in self.aws.pages(SERVICE, "list_applications", "ApplicationSummaries", Limit=50):
            if str(summary.get("RuntimeEnvironment", "")).startswith("FLINK"):
                yield summary

    def operations(self, name: str, *, after: str) -> tuple[Operation, ...]:
        """Return the operations since the one with the id `after`, newest first; all that are known without one."""
        found = []
        for entry in self.aws.pages(
            SERVICE, "list_application_operations", "ApplicationOperationInfoList", ApplicationName=name, Limit=50
        ):
            if entry["OperationId"] == after:
                break
            found.append(
                Operation(
                    id=entry["OperationId"],
                    name=entry["Operation"],
                    status=entry["OperationStatus"],
                    start=entry["StartTime"],
                )
            )
        return tuple(found)

    def newest_operation(self, name: str) -> str:
        """Return the id of an application's newest operation; empty when there is none."""
        answer = self.aws.call(SERVICE, "list_application_operations", ApplicationName=name, Limit=1)
        return next((str(entry["OperationId"]) for entry in answer["ApplicationOperationInfoList"]), "")

    def outcome(self, name: str, operation: str) -> tuple[str, str]:
        """Return an operation's status, and why it failed; empty when it did not."""
        answer = self.aws.call(SERVICE, "describe_application_operation", ApplicationName=name, OperationId=operation)
        detail = answer["ApplicationOperationInfoDetails"]
        error = detail.get("OperationFailureDetails", {}).get("ErrorInfo", {}).get("ErrorString", "")
        return str(detail["OperationStatus"]), str(error)

    def snapshots(self, name: str) -> tuple[dict[str, Any], ...]:
        """Return an application's snapshots that are whole, newest first."""
        listed = self.aws.pages(
            SERVICE, "list_application_snapshots", "SnapshotSummaries", ApplicationName=name, Limit=50
        )
        whole = [entry for entry in listed if entry["SnapshotStatus"] == "READY"]
        return tuple(sorted(whole, key=lambda entry: entry["SnapshotCreationTimestamp"], reverse=True))

    def snapshot(self, name: str, snapshot: str) -> dict[str, Any] | None:
        """Return one snapshot, whatever its status."""
        try:
            answer = self.aws.call(
                SERVICE, "describe_application_snapshot", ApplicationName=name, SnapshotName=snapshot
            )
        except Answered as error:
            if error.word == NOT_FOUND or "does not exist" in error.message:
                return None
            raise
        found: dict[str, Any] = answer["SnapshotDetails"]
        return found


def location_of(application: str, snapshot: str) -> str:
    """Return how a snapshot of the service is written: `msf://APPLICATION/SNAPSHOT`."""
    return f"{SCHEME}{application}/{snapshot}"


def parts_of(location: str) -> tuple[str, str] | None:
    """Return the application and the name of a snapshot's location; None where it is none of the service's."""
    application, _, snapshot = location.removeprefix(SCHEME).partition("/")
    return (application, snapshot) if location.startswith(SCHEME) and application and snapshot else None


def told_snapshot(application: str, entry: dict[str, Any], job_id: str | None) -> Snapshot:
    """Return a snapshot of the service as the model has it."""
    return Snapshot(
        kind=SnapshotKind.MANAGED,
        location=location_of(application, entry["SnapshotName"]),
        taken_at=entry["SnapshotCreationTimestamp"],
        job_id=job_id,
        flink_version=series_of(entry["RuntimeEnvironment"]) if entry.get("RuntimeEnvironment") else None,
    )


def series_of(runtime: str) -> str:
    """Return the series of Flink that a runtime environment names: `FLINK-1_20` → `1.20`."""
    return runtime.removeprefix("FLINK-").replace("_", ".")
