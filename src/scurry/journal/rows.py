"""Between rows and the model's types: JSON by msgspec, times as text of one width, so that text order is time order."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from scurry.model.desired import Desired
from scurry.model.errors import JournalDamaged
from scurry.model.journal import OperationOutcome, OperationRecord, Revision, RevisionOutcome, StepRecord
from scurry.model.operation import Operation, Outcome, Step
from scurry.model.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scurry.journal.database import Database, Row, Value

T = TypeVar("T")


def stamp(at: datetime) -> str:
    """Write a time: UTC, with microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def moment(text: str) -> datetime:
    """Read a time that `stamp` wrote. Raises `JournalDamaged`."""
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise _damaged(f"{text!r} is not a time") from error


def storable(text: str | None) -> str | None:
    """Return a text of others, such as a job's exception, without what no database stores: NUL, half surrogates."""
    return text and text.replace("\0", "\N{SYMBOL FOR NULL}").encode(errors="replace").decode()


def encode(value: object) -> str:
    """Write one of the model's types as JSON."""
    return msgspec.json.encode(value).decode()


def decode(text: str, kind: type[T]) -> T:
    """Read one of the model's types. Raises `JournalDamaged`."""
    try:
        return cast("T", _decoder(cast("Any", kind)).decode(text))
    except msgspec.DecodeError as error:
        raise _damaged(f"a {getattr(kind, '__name__', 'record').lower()} in it cannot be read: {error}") from error


def decode_operation(text: str) -> Operation:
    """Read an operation. Raises `JournalDamaged`."""
    return cast("Operation", decode(text, cast("Any", Operation)))


def revisions(database: Database, application: str, condition: str, *values: Value) -> tuple[Revision, ...]:
    """Return the revisions that a condition selects, each with the newest of its snapshots that was not dropped."""
    found = database.rows(
        "SELECT number, desired, applied_at, applied_by, outcome, error, ("
        " SELECT body FROM snapshot WHERE snapshot.application = revision.application"
        " AND snapshot.revision = revision.number AND dropped_at IS NULL ORDER BY taken_at DESC LIMIT 1"
        f") FROM revision WHERE application = ? AND {condition}",
        application,
        *values,
    )
    return tuple(_revision(row) for row in found)


def operations(database: Database, application: str, *, limit: int) -> tuple[OperationRecord, ...]:
    """Return the operations that were started last with their steps, newest first."""
    found = database.rows(
        "SELECT number, body, reason, revision, started_at, started_by, finished_at, outcome, error, gap_s"
        " FROM operation WHERE application = ? ORDER BY number DESC LIMIT ?",
        application,
        limit,
    )
    return tuple(_operation(row, application, _steps(database, application, row[0])) for row in found)


def snapshots(found: Iterable[Row]) -> tuple[Snapshot, ...]:
    """Read the snapshots of rows of one column, all at once: a history tells fifty."""
    bodies = ",".join(body for (body,) in found)
    return decode(f"[{bodies}]", tuple[Snapshot, ...])


def _steps(database: Database, application: str, operation: int) -> tuple[StepRecord, ...]:
    found = database.rows(
        "SELECT body, started_at, finished_at, outcome, error FROM step"
        " WHERE application = ? AND operation = ? ORDER BY ordinal",
        application,
        operation,
    )
    return tuple(
        StepRecord(
            step=decode(body, Step),
            started_at=moment(started),
            finished_at=moment(finished) if finished else None,
            outcome=decode(outcome, Outcome) if outcome else None,
            error=error,
        )
        for body, started, finished, outcome, error in found
    )


def _revision(row: Row) -> Revision:
    number, desired, applied_at, applied_by, outcome, error, snapshot = row
    return Revision(
        number=number,
        desired=decode(desired, Desired),
        applied_at=moment(applied_at),
        applied_by=applied_by,
        outcome=_member(RevisionOutcome, outcome),
        error=error,
        snapshot=decode(snapshot, Snapshot) if snapshot else None,
    )


def _operation(row: Row, application: str, steps: tuple[StepRecord, ...]) -> OperationRecord:
    number, body, reason, revision, started_at, started_by, finished_at, outcome, error, gap_s = row
    return OperationRecord(
        id=number,
        application=application,
        operation=decode_operation(body),
        reason=reason,
        revision=revision,
        started_at=moment(started_at),
        started_by=started_by,
        finished_at=moment(finished_at) if finished_at else None,
        outcome=_member(OperationOutcome, outcome) if outcome else None,
        error=error,
        gap_s=gap_s,
        steps=steps,
    )


def _member(kind: Any, text: str) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise _damaged(f"{text!r} is no {kind.__name__}") from error


@cache
def _decoder(kind: Any) -> Any:
    return msgspec.json.Decoder(kind)


def _damaged(why: str) -> JournalDamaged:
    return JournalDamaged(
        f"the journal is damaged: {why}", hint="To see all that is wrong with it, run:\n  scurry journal check"
    )
