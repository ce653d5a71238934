"""The service's snapshots, of both kinds, and the calls about them.

*Legacy* ones belong to an application and are written `msf://APPLICATION/NAME`; *enhanced* ones belong to the account,
and their ARN is where they are. An application takes and restores those of its own mode alone (developer guide,
"Restore an application from an enhanced snapshot").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scurry.model.snapshot import Snapshot, SnapshotFormat, SnapshotKind
from scurry.targets.managed.aws import SERVICE
from scurry.targets.managed.configuration import series_of
from scurry.targets.managed.faults import NOT_FOUND, Answered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.targets.managed.aws import Aws
    from scurry.targets.managed.service import Application

SCHEME = "msf://"
CREATE, EXPORT = "CreateSnapshot", "ExportSnapshot"
_ARN = re.compile(r"arn:[^:]+:kinesisanalytics:[^:]*:[^:]*:snapshot/([^/]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What a snapshot is asked for by."""

    name: str
    application: str | None = None
    """None: an enhanced one, whose name is unique in account and region"""
    arn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One operation on an enhanced snapshot."""

    id: str
    status: str


class Snapshots:
    """Snapshots of one account and region."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def of(self, application: Application) -> tuple[dict[str, Any], ...]:
        """Return an application's snapshots that are whole, newest first; enhanced ones are only there in that mode."""
        listed = [*self._legacy(application.name)]
        if application.is_enhanced:
            listed += self._enhanced(application)
        whole = [entry for entry in listed if entry["SnapshotStatus"] == "READY"]
        return tuple(sorted(whole, key=lambda entry: entry["SnapshotCreationTimestamp"], reverse=True))

    def find(self, key: Key) -> dict[str, Any] | None:
        """Describe one snapshot, whatever its status."""
        try:
            if key.application is None:
                answer = self._call("describe_snapshot", SnapshotName=key.name)
                found: dict[str, Any] = answer["SnapshotInfoDetails"]
                return found if key.arn in {None, found["SnapshotArn"]} else None
            answer = self._call("describe_application_snapshot", ApplicationName=key.application, SnapshotName=key.name)
        except Answered as error:
            if error.word == NOT_FOUND or "does not exist" in error.message:
                return None
            raise
        return dict(answer["SnapshotDetails"])

    def create(self, application: Application, key: Key) -> None:
        """Begin to take one of the application's own mode."""
        what = "create_snapshot" if key.application is None else "create_application_snapshot"
        self._call(what, ApplicationName=application.name, SnapshotName=key.name)

    def delete(self, key: Key, entry: dict[str, Any]) -> None:
        """Begin to delete one. `entry`: as `find` gave it."""
        told = {"SnapshotName": key.name, "SnapshotCreationTimestamp": entry["SnapshotCreationTimestamp"]}
        if key.application is None:
            self._call("delete_snapshot", **told)
        else:
            self._call("delete_application_snapshot", ApplicationName=key.application, **told)

    def export(self, name: str, *, bucket: str, prefix: str, role: str) -> str:
        """Begin to copy an enhanced one to S3; return the operation's id."""
        answer = self._call(
            "export_snapshot",
            SnapshotName=name,
            ExportDestinationConfiguration={
                "DestinationType": "S3",
                "ExportRoleArn": role,
                "DestinationS3PrefixLocation": {
                    "BucketARN": f"arn:{_partition(role)}:s3:::{bucket}",
                    "KeyPrefix": prefix,
                },
            },
        )
        return str(answer["SnapshotOperationId"])

    def works(self, name: str, operation: str) -> tuple[Work, ...]:
        """Return the operations of one kind on an enhanced snapshot, newest first; the service forgets in 90 days."""
        entries = list(
            self._aws.pages(
                SERVICE,
                "list_snapshot_operations",
                "SnapshotOperationInfoList",
                SnapshotName=name,
                SnapshotOperation=operation,
            )
        )
        entries.sort(key=lambda entry: entry["StartTime"].timestamp() if "StartTime" in entry else 0.0, reverse=True)
        return tuple(Work(id=each["SnapshotOperationId"], status=each["SnapshotOperationStatus"]) for each in entries)

    def work(self, name: str, id: str) -> dict[str, Any]:
        """Describe one operation on an enhanced snapshot."""
        answer = self._call("describe_snapshot_operation", SnapshotName=name, SnapshotOperationId=id)
        return dict(answer["SnapshotOperationInfoDetails"])

    def outcome(self, name: str, id: str) -> tuple[str, str]:
        """Return the status of an operation on an enhanced snapshot, and why it failed; empty when it did not."""
        found = self.work(name, id)
        error = found.get("SnapshotOperationFailureDetails", {}).get("ErrorInfo", {})
        words = (error.get("ErrorCode"), error.get("ErrorString"))
        return str(found["SnapshotOperationStatus"]), ": ".join(word for word in words if word)

    def exported(self, name: str) -> str | None:
        """Return the address in S3 that the newest whole copy of an enhanced snapshot is at."""
        whole = next((each for each in self.works(name, EXPORT) if each.status == "SUCCESSFUL"), None)
        return exported_to(self.work(name, whole.id)) if whole else None

    def probe(self) -> None:
        """Ask something that an account without enhanced snapshots answers with UnsupportedOperationException."""
        self._call("list_snapshots", Limit=1)

    def _legacy(self, application: str) -> Iterator[dict[str, Any]]:
        return self._aws.pages(
            SERVICE, "list_application_snapshots", "SnapshotSummaries", ApplicationName=application, Limit=50
        )

    def _enhanced(self, application: Application) -> list[dict[str, Any]]:
        """Those of an earlier application of the same name are another's."""
        listed = self._aws.pages(
            SERVICE, "list_snapshots", "SnapshotInfoList", SourceApplicationName=application.name, Limit=50
        )
        made = int(application.detail["CreateTimestamp"].timestamp())
        return [entry for entry in listed if int(entry["SnapshotCreationTimestamp"].timestamp()) >= made]

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        return self._aws.call(SERVICE, operation, **request)


def exported_to(work: dict[str, Any]) -> str | None:
    """Return where a finished export went; None where the service does not tell."""
    place = work.get("SnapshotDestinationLocationDescription", {}).get("S3PrefixLocation", {})
    bucket, prefix = str(place.get("BucketARN", "")).rpartition(":")[2], str(place.get("ExportedPrefix", ""))
    return f"s3://{bucket}/{prefix.rstrip('/')}" if bucket and prefix else None


def location_of(application: str, entry: dict[str, Any]) -> str:
    """Return how a snapshot is written: an enhanced one as its ARN, a legacy one as `msf://APPLICATION/NAME`."""
    return str(entry.get("SnapshotArn") or f"{SCHEME}{application}/{entry['SnapshotName']}")


def key_of(location: str) -> Key | None:
    """Return what the snapshot at a location is asked for by; None where it is none of the service's."""
    if enhanced := _ARN.fullmatch(location):
        return Key(name=enhanced[1], arn=location)
    application, _, name = location.removeprefix(SCHEME).partition("/")
    return Key(application=application, name=name) if location.startswith(SCHEME) and application and name else None


def told_snapshot(
    application: str, entry: dict[str, Any], job_id: str | None, *, runtime: str | None = None
) -> Snapshot:
    """Return a snapshot of the service as the model has it. `runtime`: that of its job, where the entry has none."""
    runtime = entry.get("RuntimeEnvironment") or runtime
    return Snapshot(
        kind=SnapshotKind.MANAGED,
        location=location_of(application, entry),
        taken_at=entry["SnapshotCreationTimestamp"],
        job_id=job_id,
        flink_version=series_of(runtime) if runtime else None,
        format=SnapshotFormat.CANONICAL if entry.get("SnapshotFormat") == "CANONICAL" else None,
        size_bytes=entry.get("SnapshotSizeInBytes") or None,
    )


def _partition(role: str) -> str:
    """Return the partition that an ARN is of: `aws`, `aws-cn`."""
    return role.split(":")[1] if role.startswith("arn:") else "aws"
