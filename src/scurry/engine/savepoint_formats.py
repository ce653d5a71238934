"""What the format of a savepoint means for who goes on from it, told in the plan. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scurry.model.desired import UpgradeMode
from scurry.model.operation import Delete, Suspend, TakeSnapshot, Upgrade
from scurry.model.snapshot import FromLatest, SnapshotFormat

if TYPE_CHECKING:
    from scurry.model.operation import Operation
    from scurry.model.plan import Plan

_NATIVE = (
    "The savepoint is a native one: the job keeps asynchronous state, which Flink cannot write canonically. So what "
    "goes on from it needs the same state backend."
)


def job_to_save(operation: Operation) -> str | None:
    """Return the id of the job that an operation takes a savepoint of; None where it takes none."""
    match operation:
        case Upgrade(restore=FromLatest(), mode=UpgradeMode.SAVEPOINT) | TakeSnapshot():
            return operation.job_id
        case Suspend(snapshot=True) | Delete(snapshot=True):
            return operation.job_id
        case _:
            return None


def told(plan: Plan, format: SnapshotFormat | None) -> Plan:
    """Return a plan that says where its savepoints are not canonical."""
    if format is not SnapshotFormat.NATIVE:
        return plan
    changes = (
        msgspec.structs.replace(change, consequences=(*change.consequences, _NATIVE))
        if job_to_save(change.operation)
        else change
        for change in plan.changes
    )
    return msgspec.structs.replace(plan, changes=tuple(changes))
