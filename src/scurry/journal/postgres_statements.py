"""The writes that every operation begins and ends with, each as one statement that is a transaction by itself.

They do what `SqlJournal` does in five statements and as many journeys to the server, if nothing is unusual. If anything
is (the lease is lost, an operation is open or ended, there is no such revision), they do nothing and return nothing;
then `SqlJournal` finds out what it is. `RETURNING` and changes in `WITH` are PostgreSQL's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.journal.bookkeeping import CONCLUDING
from scurry.journal.rows import encode, stamp

if TYPE_CHECKING:
    from datetime import datetime

    from scurry.journal.postgres import PostgresDatabase
    from scurry.model.journal import Lease, OperationOutcome
    from scurry.model.operation import Operation, Step

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
_CONCLUDING = ", ".join(f"'{kind}'" for kind in sorted(CONCLUDING))
_FINISH_OPERATION = (
    _HELD.format(
        more="", condition=_OPERATION_IS_OPEN.format(more=f" AND (? <> 'done' OR kind NOT IN ({_CONCLUDING}))")
    )
    + """
    UPDATE operation SET finished_at = ?, outcome = ?, error = ?, gap_s = ?
    WHERE application = ? AND number = ? AND finished_at IS NULL AND EXISTS (SELECT 1 FROM held) RETURNING number
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
