"""The eight operations of enhanced snapshots, by their names: checks the request against what there is, and answers.

What takes time is `enhanced.py`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scurry.emulator.enhanced import OWNED_KEY
from scurry.emulator.enhanced_describing import detail, operation_detail, operation_summary, summary
from scurry.emulator.enhanced_records import CREATE, EXPORT, IMPORT, EnhancedSnapshot, SnapshotOperation
from scurry.emulator.errors import invalid_argument, not_found
from scurry.emulator.paging import page
from scurry.emulator.tagging import checked_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from scurry.emulator.enhanced import Enhanced
    from scurry.emulator.enhanced_transfer import Buckets
    from scurry.emulator.records import Records

    Request: TypeAlias = Mapping[str, Any]
    Answer: TypeAlias = dict[str, Any]

_FILTERS = ("SourceApplicationName", "SnapshotInitiator", "SnapshotInitiatorOperation", "SnapshotStatus")
_OPERATION_FILTERS = ("SnapshotOperation", "SnapshotOperationStatus")


class EnhancedService:
    """The control plane of enhanced snapshots."""

    def __init__(self, enhanced: Enhanced, records: Records, buckets: Buckets, prefix: str) -> None:
        """`prefix`: of the ARNs of an account and Region."""
        self._enhanced = enhanced
        self._records = records
        self._buckets = buckets
        self._arn = f"{prefix}snapshot/"
        self.operations: dict[str, Callable[[Request], Answer]] = {
            "CreateSnapshot": self.create,
            "DeleteSnapshot": self.delete,
            "DescribeSnapshot": self.describe,
            "ListSnapshots": self.list,
            "ExportSnapshot": self.bring_out,
            "ImportSnapshot": self.bring_in,
            "DescribeSnapshotOperation": self.describe_operation,
            "ListSnapshotOperations": self.list_operations,
        }

    def create(self, request: Request) -> Answer:
        """`CreateSnapshot`. The model has no ResourceNotFoundException for it."""
        application = self._records.applications.get(request["ApplicationName"])
        if application is None:
            raise invalid_argument(f"Application {request['ApplicationName']} was not found")
        snapshot = _new(request, CREATE)
        return self._began(snapshot, self._enhanced.take(application, snapshot))

    def delete(self, request: Request) -> Answer:
        """`DeleteSnapshot`. Clients keep the time of creation in whole seconds."""
        snapshot = self._enhanced.known(request["SnapshotName"])
        if int(float(request["SnapshotCreationTimestamp"])) != int(snapshot.created):
            raise invalid_argument("The SnapshotCreationTimestamp is not that of the snapshot")
        return self._began(snapshot, self._enhanced.delete(snapshot))

    def describe(self, request: Request) -> Answer:
        """`DescribeSnapshot`."""
        snapshot = self._enhanced.known(request["SnapshotName"])
        return {"SnapshotInfoDetails": detail(snapshot, self._arn + snapshot.name)}

    def list(self, request: Request) -> Answer:
        """`ListSnapshots`, newest first."""
        _only_one(request, _FILTERS)
        found = sorted(self._records.enhanced.snapshots, key=lambda snapshot: -snapshot.created)
        entries = [summary(each, self._arn + each.name) for each in found]
        return page(request, "SnapshotInfoList", _filtered(request, _FILTERS, entries))

    def bring_out(self, request: Request) -> Answer:
        """`ExportSnapshot`."""
        snapshot = self._enhanced.known(request["SnapshotName"])
        given = request["ExportDestinationConfiguration"]
        operation = SnapshotOperation(
            name=EXPORT,
            location=dict(given["DestinationS3PrefixLocation"]),
            destination_key=_key(given.get("DestinationEncryptionConfiguration")),
        )
        self._enhanced.bring_out(snapshot, operation, given["ExportRoleArn"], self._buckets)
        return {"SnapshotOperationId": operation.id, "SnapshotOperationStatus": operation.status}

    def bring_in(self, request: Request) -> Answer:
        """`ImportSnapshot`."""
        given = request["ImportSourceConfiguration"]
        place = dict(given["SourceS3PrefixLocation"])
        snapshot = _new(request, IMPORT)
        snapshot.imported = place
        snapshot.key = _key(request.get("DestinationEncryptionConfiguration"))
        operation = SnapshotOperation(
            name=IMPORT,
            location=place,
            source_key=_key(given.get("SourceEncryptionConfiguration")),
            destination_key=snapshot.key,
        )
        self._enhanced.bring_in(snapshot, operation, given["ImportRoleArn"], self._buckets)
        return self._began(snapshot, operation)

    def describe_operation(self, request: Request) -> Answer:
        """`DescribeSnapshotOperation`, also of a snapshot that is deleted."""
        name, wanted = request["SnapshotName"], request["SnapshotOperationId"]
        for operation in self._enhanced.operations(name):
            if operation.id == wanted:
                return {"SnapshotOperationInfoDetails": operation_detail(operation, self._arn + name)}
        raise not_found(f"There is no operation {wanted} of snapshot {name}")

    def list_operations(self, request: Request) -> Answer:
        """`ListSnapshotOperations`, newest first."""
        _only_one(request, _OPERATION_FILTERS)
        entries = [operation_summary(each) for each in self._enhanced.operations(request["SnapshotName"])]
        return page(request, "SnapshotOperationInfoList", _filtered(request, _OPERATION_FILTERS, entries))

    def _began(self, snapshot: EnhancedSnapshot, operation: SnapshotOperation) -> Answer:
        return {
            "SnapshotArn": self._arn + snapshot.name,
            "SnapshotStatus": snapshot.status,
            "SnapshotOperationId": operation.id,
            "SnapshotOperationStatus": operation.status,
        }


def _new(request: Request, operation: str) -> EnhancedSnapshot:
    return EnhancedSnapshot(
        name=request["SnapshotName"],
        operation=operation,
        description=request.get("SnapshotDescription"),
        key=dict(OWNED_KEY),
        tags=checked_tags(request.get("Tags", ())),
    )


def _key(given: Request | None) -> dict[str, str]:
    """Return a `SnapshotEncryptionConfiguration`. A customer's key is named by its ARN; AWS's own by nothing."""
    found = dict(given or OWNED_KEY)
    if found["KeyType"] == "CUSTOMER_MANAGED_KEY":
        if not found.get("KeyId", "").startswith("arn:"):
            raise invalid_argument("A KeyType of CUSTOMER_MANAGED_KEY needs the ARN of a key as KeyId")
    elif "KeyId" in found:
        raise invalid_argument("A KeyId is only allowed with the KeyType CUSTOMER_MANAGED_KEY")
    return found


def _only_one(request: Request, filters: tuple[str, ...]) -> None:
    if sum(name in request for name in filters) > 1:
        raise invalid_argument(f"Only one of {', '.join(filters)} may be given")


def _filtered(request: Request, filters: tuple[str, ...], entries: list[Answer]) -> list[Answer]:
    given = {name: request[name] for name in filters if name in request}
    return [each for each in entries if all(each.get(name) == value for name, value in given.items())]
