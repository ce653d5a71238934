"""What the service tells of enhanced snapshots and of what was done to them: the shapes of its answers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scurry.emulator.enhanced_records import CREATE, EXPORT, IMPORT

if TYPE_CHECKING:
    from scurry.emulator.enhanced_records import EnhancedSnapshot, SnapshotOperation


def summary(snapshot: EnhancedSnapshot, arn: str) -> dict[str, Any]:
    """Return a `SnapshotInfo`."""
    found = _always(snapshot, arn)
    if snapshot.source:
        found["SourceApplicationName"] = snapshot.source.application
    return found


def detail(snapshot: EnhancedSnapshot, arn: str) -> dict[str, Any]:
    """Return a `SnapshotInfoDetails`."""
    source: dict[str, Any] = {}
    if snapshot.source:
        source["SourceApplicationDescription"] = {
            "ApplicationName": snapshot.source.application,
            "ApplicationCreationTimestamp": snapshot.source.created,
            "ApplicationVersionId": snapshot.source.version,
        }
    if snapshot.imported:
        source["S3PrefixLocation"] = dict(snapshot.imported)
    optional = {"SnapshotDescription": snapshot.description, "RuntimeEnvironment": snapshot.runtime}
    return {
        **_always(snapshot, arn),
        "SnapshotSizeInBytes": snapshot.size,
        "SnapshotEncryptionConfigurationDescription": dict(snapshot.key),
        "SnapshotSourceDescription": source,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _always(snapshot: EnhancedSnapshot, arn: str) -> dict[str, Any]:
    return {
        "SnapshotName": snapshot.name,
        "SnapshotArn": arn,
        "SnapshotStatus": snapshot.status,
        "SnapshotCreationTimestamp": snapshot.created,
        "SnapshotInitiator": initiator(snapshot),
        "SnapshotInitiatorOperation": snapshot.operation,
        "SnapshotFormat": "CANONICAL",
    }


def initiator(snapshot: EnhancedSnapshot) -> str:
    """Return who made it."""
    return "USER" if snapshot.operation in {CREATE, IMPORT} else "SYSTEM"


def operation_summary(operation: SnapshotOperation) -> dict[str, Any]:
    """Return a `SnapshotOperationInfo`. Here EndTime is of those that have ended only."""
    found = {
        "SnapshotOperationId": operation.id,
        "SnapshotOperation": operation.name,
        "SnapshotOperationStatus": operation.status,
        "StartTime": operation.start,
    }
    return found if operation.end is None else {**found, "EndTime": operation.end}


def operation_detail(operation: SnapshotOperation, arn: str) -> dict[str, Any]:
    """Return a `SnapshotOperationInfoDetails`."""
    found = {**operation_summary(operation), "SnapshotArn": arn}
    if operation.source_key:
        found["SourceEncryptionConfigurationDescription"] = dict(operation.source_key)
    if operation.destination_key:
        found["DestinationEncryptionConfigurationDescription"] = dict(operation.destination_key)
    if operation.application:
        found["ApplicationOperationDescription"] = {
            "ApplicationName": operation.application,
            "ApplicationOperationId": operation.application_operation,
        }
    if operation.error:
        code, text = operation.error
        found["SnapshotOperationFailureDetails"] = {"ErrorInfo": {"ErrorCode": code, "ErrorString": text}}
    return found | _location(operation)


def _location(operation: SnapshotOperation) -> dict[str, Any]:
    """That of an export is told when it has ended; where it wrote to, when it was done."""
    if operation.location is None or (operation.name == EXPORT and operation.end is None):
        return {}
    member = "Destination" if operation.name == EXPORT else "Source"
    place = dict(operation.location)
    if operation.exported:
        place["ExportedPrefix"] = operation.exported
    return {f"Snapshot{member}LocationDescription": {"LocationType": "S3", "S3PrefixLocation": place}}
