"""From operations to steps, for targets that speak to a Flink session cluster. Pure: the same input, the same steps.

The order is the safety: everything that can find out beforehand that the new job cannot start comes before the stop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from scurry.model.desired import UpgradeMode
from scurry.model.operation import (
    Action,
    Adjust,
    Adopt,
    Delete,
    Deploy,
    DropSnapshot,
    Operation,
    Rescale,
    Resume,
    Step,
    Suspend,
    TakeSnapshot,
    Upgrade,
)
from scurry.model.snapshot import FromLatest

if TYPE_CHECKING:
    from scurry.model.ports import Marks

Starting: TypeAlias = Deploy | Upgrade | Resume
"""what starts a job; `drops` says what was found out of its state beforehand"""


def steps(operation: Operation, marks: Marks) -> tuple[Step, ...]:  # noqa: C901, PLR0911 - a case for each operation
    """Return the outside calls that make up an operation, in order."""
    match operation:
        case Deploy() | Resume():
            return (*_before(operation, None), _submit(operation, marks))
        case Upgrade():
            return (*_before(operation, operation.job_id), _end(operation, marks), _submit(operation, marks))
        case Rescale():
            return (_of_job(Action.RESCALE, operation.job_id, operation.job_id, "rescale job"),)
        case Adjust() | Adopt():
            return ()
        case Suspend():
            return (_stop_or_cancel(operation.job_id, marks, snapshot=operation.snapshot, drain=operation.drain),)
        case Delete() if operation.job_id is None:
            return ()
        case Delete():
            return (_stop_or_cancel(operation.job_id, marks, snapshot=operation.snapshot),)
        case TakeSnapshot():
            mark = marks.trigger_id(Action.SNAPSHOT)
            return (_of_job(Action.SNAPSHOT, mark, operation.job_id, "take a savepoint of job"),)
        case DropSnapshot():
            location = operation.snapshot.location
            title = f"delete snapshot {location}"
            return (Step(action=Action.DISPOSE, mark=location, title=title, inputs={"location": location}),)
        case _:
            assert_never(operation)


def _before(operation: Starting, replaces: str | None) -> tuple[Step, ...]:
    artifact = operation.desired.artifact
    return (
        Step(action=Action.UPLOAD, mark=artifact.digest, title=f"upload {artifact.file_name}"),
        Step(
            action=Action.CHECK,
            mark=artifact.digest,
            title="check that the new job can start",
            inputs={"replaces": replaces, "drops": operation.drops},
        ),
    )


def _submit(operation: Starting, marks: Marks) -> Step:
    job_id = marks.job_id()
    inputs = {"drops": operation.drops}
    return Step(action=Action.SUBMIT, mark=job_id, title=f"start job {job_id[:8]}", inputs=inputs)


def _end(operation: Upgrade, marks: Marks) -> Step:
    """End the old job: by a savepoint only when the new one starts from it (see `Upgrade`)."""
    keeps = isinstance(operation.restore, FromLatest) and operation.mode is UpgradeMode.SAVEPOINT
    return _stop_or_cancel(operation.job_id, marks, snapshot=keeps)


def _stop_or_cancel(job_id: str | None, marks: Marks, *, snapshot: bool, drain: bool = False) -> Step:
    if job_id is None:
        raise AssertionError("there is a job to stop")
    if not snapshot:
        return _of_job(Action.CANCEL, job_id, job_id, "cancel job")
    return _of_job(Action.STOP, marks.trigger_id(Action.STOP), job_id, "stop with a savepoint job", drain=drain)


def _of_job(action: Action, mark: str, job_id: str, title: str, **inputs: Any) -> Step:
    return Step(action=action, mark=mark, title=f"{title} {job_id[:8]}", inputs={"job_id": job_id, **inputs})
