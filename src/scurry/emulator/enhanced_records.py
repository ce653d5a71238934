"""What the emulator keeps of enhanced snapshots: they are the account's, so a file for each name, beside applications.

What was done to a snapshot outlives it: a name's file holds its operations also when the snapshot is deleted.
"""

from __future__ import annotations

import secrets
import shutil
import time
from typing import TYPE_CHECKING

import msgspec

from scurry.emulator.durable import write_durably

if TYPE_CHECKING:
    from pathlib import Path

OPERATIONS_KEPT_S = 90 * 24 * 3600.0
""" "Snapshot operations are available for 90 days after they are created" """
CREATE, DELETE, IMPORT, EXPORT, SYSTEM = (
    *("CreateSnapshot", "DeleteSnapshot", "ImportSnapshot", "ExportSnapshot"),
    "SystemCreateSnapshot",
)
INTERRUPTED = "Interrupted"
_ERROR_LENGTH = 512


class SnapshotOperation(msgspec.Struct, kw_only=True):
    """One entry of `ListSnapshotOperations`. Times are seconds since 1970."""

    id: str = msgspec.field(default_factory=lambda: secrets.token_hex(8))
    name: str
    status: str = "IN_PROGRESS"
    start: float = msgspec.field(default_factory=time.time)
    end: float | None = None
    error: tuple[str, str] | None = None
    """code and text"""
    location: dict[str, str] | None = None
    """`S3PrefixLocation` that is read or written"""
    exported: str | None = None
    """prefix that was written"""
    source_key: dict[str, str] | None = None
    destination_key: dict[str, str] | None = None
    application: str | None = None
    application_operation: str | None = None
    """of the application's, where the service itself took the snapshot"""


class Source(msgspec.Struct, kw_only=True, frozen=True):
    """The application that a snapshot is of. Another one may have its name later."""

    application: str
    created: float
    version: int


class EnhancedSnapshot(msgspec.Struct, kw_only=True):
    """An enhanced snapshot, and the savepoint that it is."""

    name: str
    operation: str
    """that made it"""
    status: str = "CREATING"
    created: float = msgspec.field(default_factory=time.time)
    description: str | None = None
    runtime: str | None = None
    source: Source | None = None
    imported: dict[str, str] | None = None
    """`S3PrefixLocation`"""
    key: dict[str, str]
    """`SnapshotEncryptionConfiguration`"""
    tags: dict[str, str] = {}
    size: int = 0
    location: str | None = None
    number: int = 0
    """among all snapshots of its application, of both kinds: the latest has the greatest"""
    folder: str = msgspec.field(default_factory=lambda: secrets.token_hex(8))


class Name(msgspec.Struct, kw_only=True):
    """A name, what has it now, and what was done to that and to all that had it before; the newest first."""

    name: str
    snapshot: EnhancedSnapshot | None = None
    operations: list[SnapshotOperation] = []


class EnhancedRecords:
    """The enhanced snapshots of one state directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "snapshots"
        paths = sorted(self._directory.glob("snap-*/snapshot.json"))
        found = [msgspec.json.decode(path.read_bytes(), type=Name) for path in paths]
        self.names = {each.name: each for each in found}

    @property
    def snapshots(self) -> list[EnhancedSnapshot]:
        """All there are, also those that failed."""
        return [each.snapshot for each in self.names.values() if each.snapshot]

    def snapshot(self, name: str) -> EnhancedSnapshot | None:
        """Return what has a name."""
        found = self.names.get(name)
        return found.snapshot if found else None

    def folder(self, snapshot: EnhancedSnapshot) -> Path:
        """Return the folder of a snapshot's bytes."""
        return self._place(snapshot.name) / snapshot.folder

    def save(self, name: str) -> None:
        """Write a name down, durably."""
        write_durably(self._place(name) / "snapshot.json", msgspec.json.encode(self.names[name]))

    def begin(self, operation: SnapshotOperation, name: str, new: EnhancedSnapshot | None = None) -> SnapshotOperation:
        """Write down an operation, and the snapshot that it makes."""
        found = self.names.setdefault(name, Name(name=name))
        found.snapshot = new or found.snapshot
        found.operations.insert(0, operation)
        self.save(name)
        return operation

    def end(self, operation: SnapshotOperation, snapshot: EnhancedSnapshot, failed: tuple[str, str] | None) -> None:
        """Write down how an operation ended, in the same write as what became of its snapshot."""
        operation.end, operation.error = time.time(), None
        operation.status = "SUCCESSFUL"
        if failed:
            code, text = failed
            operation.status, operation.error = "FAILED", (code, text[:_ERROR_LENGTH] or "it failed")
        if operation.name == DELETE and not failed:
            self.names[snapshot.name].snapshot = None
        elif operation.name != EXPORT:
            snapshot.status = "FAILED" if failed else "READY"
        self.save(snapshot.name)

    def resume(self) -> None:
        """Make what an emulator before this one left in the middle FAILED; forget operations that are too old."""
        oldest = time.time() - OPERATIONS_KEPT_S
        for found in list(self.names.values()):
            for operation in found.operations:
                if operation.status == "IN_PROGRESS":
                    operation.status, operation.end = "FAILED", time.time()
                    operation.error = (INTERRUPTED, "The emulator was restarted")
            if found.snapshot and found.snapshot.status in {"CREATING", "DELETING"}:
                found.snapshot.status = "FAILED"
                shutil.rmtree(self.folder(found.snapshot), ignore_errors=True)
            found.operations = [each for each in found.operations if each.start >= oldest]
            if found.snapshot or found.operations:
                self.save(found.name)
            else:
                del self.names[found.name]
                shutil.rmtree(self._place(found.name), ignore_errors=True)

    def _place(self, name: str) -> Path:
        return self._directory / f"snap-{name}"  # a name may be `..`
