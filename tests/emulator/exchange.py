"""What tests of enhanced snapshots do over and over: begin, wait for the end, look at what is in S3."""

from __future__ import annotations

import json
from typing import Any

from tests.emulator.clients import Clients
from tests.flink.local_flink import until

BUCKET = "exchange"
SAVEPOINT = {"_metadata": bytes.fromhex("4960672d") + b" and what Flink writes", "part-1": b"state" * 100}
"""what an import takes for one"""


class Snapshots:
    """What tests do with them over and over."""

    def __init__(self, clients: Clients, role: str) -> None:
        self.service = clients.service
        self._clients = clients
        self.role = role

    def place(self, prefix: str) -> dict[str, str]:
        return {"BucketARN": f"arn:aws:s3:::{BUCKET}", "KeyPrefix": prefix}

    def begin_import(self, name: str, prefix: str = "given", **given: Any) -> dict[str, Any]:
        source: dict[str, Any] = {
            "SourceType": "S3",
            "ImportRoleArn": self.role,
            "SourceS3PrefixLocation": self.place(prefix),
        }
        source |= given.pop("source", {})
        return dict(self.service.import_snapshot(SnapshotName=name, ImportSourceConfiguration=source, **given))

    def begin_export(self, name: str, prefix: str = "out/", **given: Any) -> str:
        target: dict[str, Any] = {"DestinationType": "S3", "ExportRoleArn": self.role}
        target |= {"DestinationS3PrefixLocation": self.place(prefix), **given}
        answer = self.service.export_snapshot(SnapshotName=name, ExportDestinationConfiguration=target)
        return str(answer["SnapshotOperationId"])

    def detail(self, name: str) -> dict[str, Any]:
        return dict(self.service.describe_snapshot(SnapshotName=name)["SnapshotInfoDetails"])

    def operation(self, name: str, number: str) -> dict[str, Any]:
        answer = self.service.describe_snapshot_operation(SnapshotName=name, SnapshotOperationId=number)
        return dict(answer["SnapshotOperationInfoDetails"])

    def ended(self, name: str, number: str) -> dict[str, Any]:
        """Wait for an operation's end, and return its details."""
        until(lambda: self.operation(name, number)["SnapshotOperationStatus"] != "IN_PROGRESS", f"{number} ends")
        return self.operation(name, number)

    def imported(self, name: str, prefix: str = "given", **given: Any) -> dict[str, Any]:
        """Import, and wait for the end of that."""
        return self.ended(name, self.begin_import(name, prefix, **given)["SnapshotOperationId"])

    def exported(self, name: str, prefix: str = "out/", **given: Any) -> dict[str, Any]:
        """Export, and wait for the end of that."""
        return self.ended(name, self.begin_export(name, prefix, **given))

    def begin_delete(self, name: str) -> str:
        """Begin to delete; clients keep times in whole seconds."""
        created = self.detail(name)["SnapshotCreationTimestamp"].replace(microsecond=0)
        answer = self.service.delete_snapshot(SnapshotName=name, SnapshotCreationTimestamp=created)
        return str(answer["SnapshotOperationId"])

    def names(self, **given: Any) -> list[str]:
        """Return the names in a list, the newest first."""
        return [each["SnapshotName"] for each in self.service.list_snapshots(**given)["SnapshotInfoList"]]

    def system(self, application: str) -> list[dict[str, Any]]:
        """Return the service's own of an application, the newest first."""
        found = self.service.list_snapshots(SourceApplicationName=application)["SnapshotInfoList"]
        return [each for each in found if each["SnapshotInitiator"] == "SYSTEM"]

    def objects(self, prefix: str) -> dict[str, bytes]:
        """Return what is below a prefix."""
        s3 = self._clients.s3
        found = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())
        read = {each["Key"]: s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read() for each in found}
        return {key.rpartition("/")[2]: content for key, content in read.items()}


def prepared(clients: Clients) -> Snapshots:
    """Make the role and the bucket, and a savepoint below `given/`."""
    role = clients.client("iam").create_role(RoleName="transfer", AssumeRolePolicyDocument=json.dumps({}))["Role"][
        "Arn"
    ]
    clients.s3.create_bucket(Bucket=BUCKET)
    for name, content in SAVEPOINT.items():
        clients.s3.put_object(Bucket=BUCKET, Key=f"given/{name}", Body=content)
    return Snapshots(clients, role)
