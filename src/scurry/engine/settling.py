"""What a crash has left open: what became of it is asked, journalled, and, where it may still come about, waited for.

A step that did not land stays open in the journal: its mark is used again by the next attempt, and it is asked after
again, since what was on its way to the target can come about after it was first asked for.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from scurry.engine.marks import DerivedMarks
from scurry.model.errors import PlanOutdated
from scurry.model.journal import OperationOutcome
from scurry.model.operation import Action, Delete, Deploy, Operation, Outcome, Resume, Upgrade
from scurry.model.snapshot import FromSnapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scurry.engine.attempt import Services
    from scurry.model.journal import History, Lease, OperationRecord, StepRecord
    from scurry.model.snapshot import Restore

RECENT = 5
"""of so many operations, newest first, the open steps are asked after"""
_UNDER_WAY = timedelta(seconds=60)
"""for so long after a submit was sent its job may still appear: `main` runs first, and PyFlink's takes its time"""
_LATE_POLL_S = 1.0


def is_settled(history: History, records: Sequence[OperationRecord]) -> bool:
    """Whether there is nothing to ask a target for: no operation is interrupted, and none of its steps is open."""
    return history.interrupted is None and not any(_open_steps(records, history))


def settle(services: Services, lease: Lease) -> bool:
    """Find out what became of the steps that a crash left open, and journal it. Returns whether it wrote anything.

    Raises `TargetUnavailable` when the target cannot tell now.
    """
    journal = services.journal
    history = journal.history(lease.application)
    wrote = False
    for record, ordinal in _open_steps(journal.operations(lease.application, limit=RECENT), history):
        step = record.steps[ordinal].step
        with services.reporter.activity(f"find out whether it happened: {step.title}"):
            outcome = services.target.find(step)
        if outcome is not None:
            _landed(services, lease, (record, ordinal), outcome)
            wrote = True
    if history.interrupted:
        journal.finish_operation(lease, history.interrupted.id, OperationOutcome.INTERRUPTED, error="interrupted")
        wrote = True
    return wrote


def outwait(services: Services, lease: Lease, operation: Operation | None) -> None:
    """Wait until an interrupted start of something else has landed or can no longer land. Raises `PlanOutdated`.

    A submit whose answer never came may still be under way in Flink, which runs the program's `main` first. Its
    mark is used again; so if it landed now, its job would be taken for the one that is to be started. And what is
    stopped or deleted (`operation` is None when nothing is left to do for that) would run all the same.
    """
    late = _unresolved_submit(services.journal.operations(lease.application, limit=RECENT))
    concerns_it = operation is None or isinstance(operation, Deploy | Resume | Upgrade | Delete)
    if late is None or not concerns_it or _is_same_start(operation, late[0]):
        return
    record, ordinal = late
    entry, clock = record.steps[ordinal], services.clock
    until = entry.started_at + _UNDER_WAY
    with services.reporter.activity(f"make sure that an interrupted start is over: {entry.step.title}"):
        while clock.now() < until:
            outcome = services.target.find(entry.step)
            if outcome is not None:
                _landed(services, lease, late, outcome)
                raise has_come_about(record.application)
            clock.sleep(_LATE_POLL_S)


def has_come_about(application: str) -> PlanOutdated:
    """Return the error for an interrupted start of something else whose job is there only now."""
    return PlanOutdated(
        f"a start of {application!r} that was interrupted has come about only now",
        hint="To go on from there, run the same command again.",
    )


def marks(services: Services, history: History) -> DerivedMarks:
    """Return the marks of the next operation: for its start that of an interrupted one, as long as that may happen."""
    late = _unresolved_submit(services.journal.operations(history.application, limit=RECENT))
    return DerivedMarks(history, unresolved=late[0].steps[late[1]].step.mark if late else None)


def was_begun(services: Services, lease: Lease, record: OperationRecord) -> bool:
    """Whether the start of an operation goes on with an interrupted one: its job is the one that was asked for."""
    records = services.journal.operations(lease.application, limit=RECENT)
    late = _unresolved_submit([other for other in records if other.id != record.id])
    return late is not None and _is_same_start(record.operation, late[0])


def _open_steps(records: Sequence[OperationRecord], history: History) -> Iterator[tuple[OperationRecord, int]]:
    """Give what may still have happened unknown to us, oldest first: the newest attempt under each mark counts.

    The end of a job that was replaced since is over and done with.
    """
    attempts: dict[tuple[Action, str], tuple[OperationRecord, int]] = {}
    for record in reversed(records):
        for ordinal, entry in enumerate(record.steps):
            if entry.error is not None:
                continue  # that attempt was refused; the one before it may still come about
            key = entry.step.action, entry.step.mark
            attempts.pop(key, None)
            attempts[key] = record, ordinal
    for record, ordinal in attempts.values():
        entry = record.steps[ordinal]
        if entry.is_open and (record.is_open or not _is_end_of_another(entry, history)):
            yield record, ordinal


def _is_end_of_another(entry: StepRecord, history: History) -> bool:
    ends = entry.step.action in {Action.STOP, Action.CANCEL}
    return ends and entry.step.inputs["job_id"] != history.job_id


def _landed(services: Services, lease: Lease, attempt: tuple[OperationRecord, int], outcome: Outcome) -> None:
    record, ordinal = attempt
    restored = _restored_by(record) if record.steps[ordinal].step.action is Action.SUBMIT else None
    known = msgspec.structs.replace(outcome, restored=restored.snapshot) if restored else outcome
    services.journal.finish_step(lease, record.id, ordinal, outcome=known)


def _restored_by(record: OperationRecord) -> FromSnapshot | None:
    """Return what the submit of an interrupted operation restored from: its own stop's snapshot, or what it names."""
    stopped = record.landed(Action.STOP) or record.landed(Action.CANCEL)
    if stopped and stopped.snapshot and isinstance(record.operation, Upgrade):
        named = record.operation.restore
        return named if isinstance(named, FromSnapshot) else FromSnapshot(snapshot=stopped.snapshot)
    restore = getattr(record.operation, "restore", None)
    return restore if isinstance(restore, FromSnapshot) else None


def _unresolved_submit(records: Sequence[OperationRecord]) -> tuple[OperationRecord, int] | None:
    """Return the newest start that was interrupted before it was known to have happened: its record, and which step.

    A later attempt under its mark that was refused says nothing of it.
    """
    landed: set[str] = set()
    for record in records:
        for ordinal, entry in enumerate(record.steps):
            if entry.step.action is not Action.SUBMIT:
                continue
            if entry.is_open and entry.step.mark not in landed:
                return record, ordinal
            if entry.outcome is not None:
                landed.add(entry.step.mark)
    return None


def _is_same_start(operation: Operation | None, record: OperationRecord) -> bool:
    """Whether both start the same from the same state."""
    before = record.operation
    if not isinstance(operation, Deploy | Resume | Upgrade) or not isinstance(before, Deploy | Resume | Upgrade):
        return False
    if before.desired.digest() != operation.desired.digest():
        return False
    return _source(_restored_by(record) or before.restore) == _source(operation.restore)


def _source(restore: Restore) -> str:
    return restore.snapshot.location if isinstance(restore, FromSnapshot) else type(restore).__name__
