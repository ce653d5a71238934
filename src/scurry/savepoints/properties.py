"""What kind of snapshot a `_metadata` file is of: the Java object at its end, from version 4 on (Flink 1.15)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.savepoints.java_objects import JavaEnum, JavaObject, read_object

if TYPE_CHECKING:
    from scurry.savepoints.java_objects import JavaValue
    from scurry.savepoints.reading import Cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointProperties:
    """Of Flink's `CheckpointProperties` what concerns a reader."""

    name: str | None
    """`Checkpoint`, `Full Checkpoint`, `Savepoint`, `Terminate Savepoint`, `Suspend Savepoint`"""
    is_savepoint: bool
    canonical: bool | None
    """a savepoint's format, else native; None for a checkpoint"""


def read_properties(cursor: Cursor) -> CheckpointProperties:
    """Read the properties; the cursor is behind the operators. Raises `SnapshotUnreadable`."""
    start = cursor.pos
    cursor.spend_anew()
    found = read_object(cursor)
    kind = found.fields.get("checkpointType") if isinstance(found, JavaObject) else None
    if not isinstance(kind, JavaObject):
        cursor.pos = start
        cursor.refuse("properties", "they do not tell what kind of snapshot it is")
    name = kind.fields.get("name")
    return CheckpointProperties(
        name=name if isinstance(name, str) else None,
        is_savepoint=kind.type.endswith(".SavepointType"),
        canonical=_canonical(kind.fields.get("formatType")),
    )


def _canonical(format_type: JavaValue) -> bool | None:
    return format_type.constant == "CANONICAL" if isinstance(format_type, JavaEnum) else None
