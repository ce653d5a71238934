"""Revisions and operations, for people and as JSON."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from scurry.cli import views
from scurry.cli.text import grid, paint
from scurry.cli.views_plan import operation_name
from scurry.model.journal import OperationOutcome, RevisionOutcome
from scurry.model.values import format_duration

if TYPE_CHECKING:
    from datetime import datetime

    from scurry.model.journal import OperationRecord, Revision

_COLOURS: dict[str, str] = {
    RevisionOutcome.HEALTHY: "green",
    RevisionOutcome.PENDING: "yellow",
    RevisionOutcome.BAD: "red",
    RevisionOutcome.REFUSED: "red",
    OperationOutcome.DONE: "green",
    OperationOutcome.FAILED: "red",
    OperationOutcome.INTERRUPTED: "yellow",
}


def document(
    application: str, revisions: tuple[Revision, ...], operations: tuple[OperationRecord, ...]
) -> dict[str, Any]:
    """Return the history as programs read it."""
    return {
        "application": application,
        "revisions": [
            {
                "number": revision.number,
                "outcome": revision.outcome,
                "applied_at": revision.applied_at,
                "applied_by": revision.applied_by,
                "snapshot": revision.snapshot,
                "error": revision.error,
            }
            for revision in revisions
        ],
        "operations": [_operation(record) for record in operations],
    }


def _operation(record: OperationRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "operation": operation_name(record.operation),
        "reason": record.reason,
        "revision": record.revision,
        "started_at": record.started_at,
        "started_by": record.started_by,
        "finished_at": record.finished_at,
        "outcome": record.outcome,
        "error": record.error,
        "gap_seconds": views.seconds(record.gap_s),
        "steps": [
            {
                "action": entry.step.action,
                "title": entry.step.title,
                "started_at": entry.started_at,
                "finished_at": entry.finished_at,
                "error": entry.error,
            }
            for entry in record.steps
        ],
    }


def tables(revisions: tuple[Revision, ...], operations: tuple[OperationRecord, ...]) -> str:
    """Return both tables."""
    return f"{_revisions(revisions)}\n\n{_operations(operations)}"


def _revisions(revisions: tuple[Revision, ...]) -> str:
    rows = [
        (
            str(revision.number),
            _outcome(revision.outcome.value),
            _moment(revision.applied_at),
            revision.applied_by,
            views.snapshot_name(revision.snapshot) if revision.snapshot else "",
            views.first_line(revision.error or ""),
        )
        for revision in revisions
    ]
    return grid(("REVISION", "OUTCOME", "APPLIED", "BY", "SNAPSHOT", ""), rows)


def _operations(operations: tuple[OperationRecord, ...]) -> str:
    rows = [
        (
            _moment(record.started_at),
            operation_name(record.operation),
            _outcome(record.outcome.value if record.outcome else "open"),
            format_duration(record.finished_at - record.started_at) if record.finished_at else "",
            format_duration(timedelta(seconds=record.gap_s)) if record.gap_s is not None else "",
            record.started_by,
            views.first_line(f"{record.reason}: {record.error}" if record.error else record.reason),
        )
        for record in operations
    ]
    return grid(("STARTED", "OPERATION", "OUTCOME", "TOOK", "GAP", "BY", "WHY"), rows)


def _outcome(word: str) -> str:
    return paint(word, _COLOURS.get(word, "yellow"))


def _moment(moment: datetime) -> str:
    """Write a moment as the reader's clock shows it."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
