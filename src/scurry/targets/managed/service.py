"""What the service says: applications and their operations, as small types. Reads only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from scurry.targets.managed.aws import SERVICE
from scurry.targets.managed.configuration import ENHANCED
from scurry.targets.managed.faults import NOT_FOUND, Answered
from scurry.targets.managed.marking import Mark, mark_in
from scurry.targets.managed.snapshots import Snapshots, location_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from scurry.targets.managed.aws import Aws

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
        return bool(self._snapshots.get("SnapshotsEnabled"))

    @property
    def is_enhanced(self) -> bool:
        """Whether it takes and restores enhanced snapshots."""
        return self._snapshots.get("SnapshotMode") == ENHANCED

    @property
    def restored_from(self) -> str | None:
        """The snapshot that its newest start named."""
        run = self.configuration.get("RunConfigurationDescription", {})
        restore = run.get("ApplicationRestoreConfigurationDescription", {})
        return location_of(self.name, restore) if {"SnapshotName", "SnapshotArn"} & restore.keys() else None

    @property
    def _snapshots(self) -> dict[str, Any]:
        return dict(self.configuration.get("ApplicationSnapshotConfigurationDescription", {}))


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
        self.snapshots = Snapshots(aws)

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
