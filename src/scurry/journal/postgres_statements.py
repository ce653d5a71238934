"""The writes that every operation begins and ends with, each as one statement that is a transaction by itself.

They do what `SqlJournal` does in five statements and as many journeys to the server, if nothing is unusual. If anything
is (the lease is lost, an operation is open or ended, there is no such revision), they do nothing and return nothing;
then `SqlJournal` finds out what it is. `RETURNING` and changes in `WITH` are PostgreSQL's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.journal.bookkeeping import CONCLUDING, LANDING, TRIGGERED
from scurry.journal.rows import encode, stamp
from scurry.model.operation import Action

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from scurry.journal.postgres import PostgresDatabase
    from scurry.model.journal import Lease, OperationOutcome
    from scurry.model.operation import Operation, Outcome, Step


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in sorted(words))


# Waits for whoever writes about the application, checks the lease on what that one left, and locks the row; nothing
# else happens unless this gives a row. What the conditions read may be older, if it waited: then a key is there twice,
# and the statement as a whole fails.
_HELD = """
    WITH held AS (
        UPDATE application SET position = position + 1{more} WHERE id = ? AND fencing = ? AND lease_owner <> ''
            AND {condition}
        RETURNING id
    )
"""
# Plans are made once, often while the tables are still empty. Subqueries of one row leave the planner no other way than
# the primary key's index, and `ORDER BY … LIMIT 1` no other than its last entry, however many rows there are later.
_OPERATION_IS_OPEN = """(
    SELECT finished_at IS NULL{more} FROM operation WHERE application = application.id AND number = ?)"""
_NO_OPERATION_IS_OPEN = """(
    SELECT finished_at IS NULL FROM operation WHERE application = application.id ORDER BY number DESC LIMIT 1
) IS NOT TRUE"""
_START_OPERATION = (
    _HELD.format(more=", deleted = deleted * ?", condition=_NO_OPERATION_IS_OPEN)
    + """
    INSERT INTO operation (application, number, kind, revision, reason, started_at, started_by, body)
    SELECT id, COALESCE((SELECT number FROM operation WHERE application = held.id ORDER BY number DESC LIMIT 1), 0) + 1,
        ?, ?, ?, ?, ?, ?
    FROM held RETURNING number
"""
)
_START_STEP = (
    _HELD.format(more="", condition=_OPERATION_IS_OPEN.format(more=""))
    + """
    INSERT INTO step (application, operation, ordinal, action, mark, started_at, body)
    SELECT id, ?, COALESCE((
        SELECT ordinal FROM step WHERE application = held.id AND operation = ? ORDER BY ordinal DESC LIMIT 1
    ), -1) + 1, ?, ?, ?, ? FROM held RETURNING ordinal
"""
)
_FINISH_OPERATION = (
    _HELD.format(
        more="", condition=_OPERATION_IS_OPEN.format(more=f" AND (? <> 'done' OR kind NOT IN ({_listed(CONCLUDING)}))")
    )
    + """
    UPDATE operation SET finished_at = ?, outcome = ?, error = ?, gap_s = ?
    WHERE application = ? AND number = ? AND finished_at IS NULL AND EXISTS (SELECT 1 FROM held) RETURNING number
"""
)
# Here the lease's row is locked before the step is looked at, since counts that are added twice would lead to a wrong
# mark: a step that the same write has ended meanwhile (its answer was lost) is then seen as ended.
_ENDED = f"""
    WITH mine AS (
        SELECT id FROM application WHERE id = ? AND fencing = ? AND lease_owner <> '' FOR UPDATE
    ), ended AS (
        UPDATE step SET finished_at = ?, outcome = ?, error = ? FROM mine
        WHERE application = mine.id AND operation = ? AND ordinal = ? AND finished_at IS NULL
            AND (? OR action NOT IN ({_listed(action.value for action in LANDING)}))
        RETURNING application, action
    ), held AS (
        UPDATE application SET position = position + 1,
            resolved_submits = resolved_submits + (ended.action = '{Action.SUBMIT}')::int,
            resolved_triggers = resolved_triggers + (ended.action IN ({_listed(TRIGGERED)}))::int
        FROM ended WHERE id = ended.application RETURNING id
    )
"""
_FINISH_STEP = _ENDED + "SELECT 1 FROM held"
_FINISH_STEP_WITH_SNAPSHOT = (
    _ENDED
    + """
    INSERT INTO snapshot (application, location, taken_at, revision, body) SELECT id, ?, ?, ?, ? FROM held
    ON CONFLICT (application, location) DO UPDATE SET taken_at = excluded.taken_at, revision = excluded.revision,
        body = excluded.body, dropped_at = NULL
    RETURNING 1
"""
)


def start_operation(
    database: PostgresDatabase, lease: Lease, operation: Operation, *, reason: str, revision: int | None, now: datetime
) -> int | None:
    """Remember that an operation begins, one that brings a deleted application back. Returns its number."""
    return database.at_once(
        _START_OPERATION,
        *(0, lease.application, lease.fencing),
        *(str(operation.__struct_config__.tag), revision, reason, stamp(now), lease.owner, encode(operation)),
    )


def start_step(database: PostgresDatabase, lease: Lease, operation: int, step: Step, *, now: datetime) -> int | None:
    """Remember that a step will run now. Returns its ordinal."""
    return database.at_once(
        _START_STEP,
        *(lease.application, lease.fencing, operation, operation, operation),
        *(step.action.value, step.mark, stamp(now), encode(step)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnd:
    """How a step ended."""

    ordinal: int
    outcome: Outcome | None
    error: str | None
    at: datetime


def finish_step(database: PostgresDatabase, lease: Lease, operation: int, end: StepEnd) -> bool:
    """Remember how a step ended that means nothing beyond it and the snapshot that it brought. Returns whether it did.

    A snapshot that does not say whose it is has to be looked up first, and is left to `SqlJournal`.
    """
    snapshot = end.outcome.snapshot if end.outcome else None
    brought = encode(end.outcome) if end.outcome else None
    ended = (
        *(lease.application, lease.fencing, stamp(end.at), brought, end.error, operation, end.ordinal),
        end.outcome is None,
    )
    if snapshot is None:
        return database.at_once(_FINISH_STEP, *ended) is not None
    if snapshot.revision is None:
        return False
    kept = (snapshot.location, stamp(snapshot.taken_at), snapshot.revision, encode(snapshot))
    return database.at_once(_FINISH_STEP_WITH_SNAPSHOT, *ended, *kept) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How an operation ended."""

    outcome: OperationOutcome
    error: str | None
    gap_s: float | None
    at: datetime


def finish_operation(database: PostgresDatabase, lease: Lease, operation: int, end: End) -> bool:
    """Remember how an operation ended that means nothing beyond it. Returns whether it did."""
    ended = database.at_once(
        _FINISH_OPERATION,
        *(lease.application, lease.fencing, end.outcome.value, operation),
        *(stamp(end.at), end.outcome.value, end.error, end.gap_s, lease.application, operation),
    )
    return ended is not None
