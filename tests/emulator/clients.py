"""boto3 as everybody has it, pointed at the emulator; and what tests do with it over and over."""

from __future__ import annotations

import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3

from scurry.emulator import properties as properties_file
from tests.flink.local_flink import until

ROLE = "arn:aws:iam::123456789012:role/service"


def is_laid_over() -> bool:
    """Whether runtime properties can be had at `/etc/flink` here: the jobs of these tests read them there."""
    with tempfile.TemporaryDirectory() as folder:
        return bool(properties_file.wrapper(Path(folder) / "etc"))


class Clients:
    """boto3's clients of one endpoint."""

    def __init__(self, url: str) -> None:
        self.url = url

    @cached_property
    def service(self) -> Any:
        """Of the managed service; a call is not tried again."""
        return self.client("kinesisanalyticsv2")

    @cached_property
    def s3(self) -> Any:
        """Of S3."""
        return self.client("s3")

    @cached_property
    def cloudwatch(self) -> Any:
        """Of CloudWatch's metrics."""
        return self.client("cloudwatch")

    @cached_property
    def logs(self) -> Any:
        """Of CloudWatch's logs."""
        return self.client("logs")

    def client(self, name: str) -> Any:
        """Of any service; a call is not tried again."""
        from botocore.config import Config

        return boto3.session.Session().client(
            name,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def upload(self, path: Path, key: str = "code.jar") -> dict[str, Any]:
        """Put a file into S3, and return an `ApplicationCodeConfiguration` that names it."""
        self.s3.create_bucket(Bucket="code")
        self.s3.upload_file(str(path), "code", key)
        return code_in_s3(key)

    def create(self, name: str, *, runtime: str = "FLINK-1_20", **configuration: Any) -> dict[str, Any]:
        """Create an application and return its detail."""
        given = {"ApplicationConfiguration": configuration} if configuration else {}
        answer = self.service.create_application(
            ApplicationName=name, RuntimeEnvironment=runtime, ServiceExecutionRole=ROLE, **given
        )
        found: dict[str, Any] = answer["ApplicationDetail"]
        return found

    def detail(self, name: str) -> dict[str, Any]:
        """Describe an application."""
        found: dict[str, Any] = self.service.describe_application(ApplicationName=name)["ApplicationDetail"]
        return found

    def status(self, name: str) -> str:
        """Return an application's status."""
        return str(self.detail(name)["ApplicationStatus"])

    def ended(self, name: str, operation: str) -> dict[str, Any]:
        """Wait for an operation's end, and return its details."""

        def found() -> dict[str, Any]:
            answer = self.service.describe_application_operation(ApplicationName=name, OperationId=operation)
            return dict(answer["ApplicationOperationInfoDetails"])

        until(lambda: found()["OperationStatus"] != "IN_PROGRESS", f"operation {operation} of {name} ends")
        return found()

    def start(self, name: str, **run: Any) -> dict[str, Any]:
        """Start, and wait for the end of that."""
        return self.ended(
            name, self.service.start_application(ApplicationName=name, RunConfiguration=run)["OperationId"]
        )

    def stop(self, name: str, *, force: bool = False) -> dict[str, Any]:
        """Stop, and wait for the end of that."""
        given = {"Force": True} if force else {}
        return self.ended(name, self.service.stop_application(ApplicationName=name, **given)["OperationId"])

    def update(self, name: str, **given: Any) -> dict[str, Any]:
        """Update the current version, and wait for the end of that."""
        version = self.detail(name)["ApplicationVersionId"]
        answer = self.service.update_application(ApplicationName=name, CurrentApplicationVersionId=version, **given)
        return self.ended(name, answer["OperationId"])

    def snapshot(self, name: str, snapshot: str) -> dict[str, Any]:
        """Take a snapshot, and wait until it is whole or not."""
        self.service.create_application_snapshot(ApplicationName=name, SnapshotName=snapshot)

        def found() -> dict[str, Any]:
            answer = self.service.describe_application_snapshot(ApplicationName=name, SnapshotName=snapshot)
            return dict(answer["SnapshotDetails"])

        until(lambda: found()["SnapshotStatus"] != "CREATING", f"snapshot {snapshot} is whole")
        return found()

    def remove(self, name: str) -> None:
        """Delete an application, and wait until it is gone."""
        self.service.delete_application(ApplicationName=name, CreateTimestamp=self.detail(name)["CreateTimestamp"])
        until(lambda: name not in self.names(), f"{name} is gone")

    def names(self) -> list[str]:
        """Return the names of the applications."""
        return [each["ApplicationName"] for each in self.service.list_applications()["ApplicationSummaries"]]


def code_in_s3(key: str) -> dict[str, Any]:
    """Return an `ApplicationCodeConfiguration`."""
    location = {"BucketARN": "arn:aws:s3:::code", "FileKey": key}
    return {"CodeContentType": "ZIPFILE", "CodeContent": {"S3ContentLocation": location}}


def properties(**values: str) -> dict[str, Any]:
    """Return `EnvironmentProperties` with one group."""
    return {"PropertyGroups": [{"PropertyGroupId": "Job", "PropertyMap": values}]}


def custom_flink(*, parallelism: int = 1, per_kpu: int = 1, interval_ms: int = 60000) -> dict[str, Any]:
    """Return a `FlinkApplicationConfiguration`."""
    return {
        "CheckpointConfiguration": {
            "ConfigurationType": "CUSTOM",
            "CheckpointingEnabled": True,
            "CheckpointInterval": interval_ms,
            "MinPauseBetweenCheckpoints": 0,
        },
        "ParallelismConfiguration": {
            "ConfigurationType": "CUSTOM",
            "Parallelism": parallelism,
            "ParallelismPerKPU": per_kpu,
            "AutoScalingEnabled": False,
        },
    }
