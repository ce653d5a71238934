"""What the service tells of an application: the shapes of its answers, from the records. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scurry.emulator.records import Application, Operation, Snapshot, Version


def detail(application: Application, version: Version | None = None) -> dict[str, Any]:
    """Return an `ApplicationDetail`, of the current version or of an earlier one."""
    is_current = version is None or version.id == application.version
    version = version or application.current
    found: dict[str, Any] = {
        "ApplicationARN": application.arn,
        "ApplicationDescription": application.description or "",
        "ApplicationName": application.name,
        "RuntimeEnvironment": version.runtime,
        "ServiceExecutionRole": version.role,
        "ApplicationStatus": application.status if is_current else "READY",
        "ApplicationVersionId": version.id,
        "CreateTimestamp": application.created,
        "LastUpdateTimestamp": application.updated if is_current else version.created,
        "ApplicationVersionCreateTimestamp": version.created,
        "ApplicationConfigurationDescription": _configuration(application, version, is_current=is_current),
        "ApplicationMaintenanceConfigurationDescription": maintenance(application),
        "ConditionalToken": token(application),
        "ApplicationMode": application.mode,
    }
    if version.logging:
        found["CloudWatchLoggingOptionDescriptions"] = [dict(option) for option in version.logging]
    optional = {
        "ApplicationVersionUpdatedFrom": version.updated_from,
        "ApplicationVersionRolledBackFrom": application.rolled_back_from if is_current else None,
        "ApplicationVersionRolledBackTo": application.rolled_back_to if is_current else None,
    }
    return found | {name: value for name, value in optional.items() if value is not None}


def _configuration(application: Application, version: Version, *, is_current: bool) -> dict[str, Any]:
    found = dict(version.configuration)
    flink = dict(found["FlinkApplicationConfigurationDescription"])
    block = dict(flink["ParallelismConfigurationDescription"])
    current = application.parallelism if is_current else None
    block["CurrentParallelism"] = current or block["Parallelism"]
    flink["ParallelismConfigurationDescription"] = block
    found["FlinkApplicationConfigurationDescription"] = flink
    if not found.get("VpcConfigurationDescriptions"):
        found.pop("VpcConfigurationDescriptions", None)
    if application.run is not None and is_current:
        found["RunConfigurationDescription"] = application.run
    return found


def summary(application: Application) -> dict[str, Any]:
    """Return an `ApplicationSummary`."""
    return {
        "ApplicationName": application.name,
        "ApplicationARN": application.arn,
        "ApplicationStatus": application.status,
        "ApplicationVersionId": application.version,
        "RuntimeEnvironment": application.current.runtime,
        "ApplicationMode": application.mode,
    }


def operation_summary(operation: Operation) -> dict[str, Any]:
    """Return an `ApplicationOperationInfo`. EndTime is required, also of one that goes on."""
    return {
        "Operation": operation.name,
        "OperationId": operation.id,
        "StartTime": operation.start,
        "EndTime": operation.end,
        "OperationStatus": operation.status,
    }


def operation_detail(operation: Operation) -> dict[str, Any]:
    """Return an `ApplicationOperationInfoDetails`."""
    found = operation_summary(operation)
    del found["OperationId"]
    if operation.versions:
        before, after = operation.versions
        found["ApplicationVersionChangeDetails"] = {
            "ApplicationVersionUpdatedFrom": before,
            "ApplicationVersionUpdatedTo": after,
        }
    if operation.error:
        failure: dict[str, Any] = {"ErrorInfo": {"ErrorString": operation.error}}
        if operation.rollback:
            failure["RollbackOperationId"] = operation.rollback
        found["OperationFailureDetails"] = failure
    return found


def snapshot_detail(snapshot: Snapshot) -> dict[str, Any]:
    """Return a `SnapshotDetails`."""
    return {
        "SnapshotName": snapshot.name,
        "SnapshotStatus": snapshot.status,
        "ApplicationVersionId": snapshot.version,
        "SnapshotCreationTimestamp": snapshot.created,
        "RuntimeEnvironment": snapshot.runtime,
    }


def maintenance(application: Application) -> dict[str, str]:
    """Return the window: eight hours from its start."""
    hour, minute = application.maintenance_start.split(":")
    return {
        "ApplicationMaintenanceWindowStartTime": application.maintenance_start,
        "ApplicationMaintenanceWindowEndTime": f"{(int(hour) + 8) % 24:02}:{minute}",
    }


def token(application: Application) -> str:
    """Return what an update may name in place of the version id."""
    return hashlib.sha256(f"{application.arn} {application.created} {application.version}".encode()).hexdigest()
