"""The summary that decisions are made from. Indexed queries with limits: its cost does not grow with the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.journal import rows
from scurry.model.journal import History, Intent
from scurry.model.operation import Action
from scurry.model.snapshot import Snapshot

if TYPE_CHECKING:
    from datetime import datetime

    from scurry.journal.database import Database
    from scurry.model.journal import Revision

MARKS = 20
SNAPSHOTS = 50
_GAPS = 5
_LATER_THAN_ALL = "~"


def history(database: Database, application: str) -> History:
    """Return the summary of one application, inside the caller's transaction."""
    lineage = _lineage(database)
    found = database.rows(
        "SELECT position, intent, current_revision, forgotten_revision, job_id, stopped, restored,"
        " resolved_submits, resolved_triggers FROM application WHERE id = ?",
        application,
    )
    if not found:
        return History(application=application, lineage=lineage)
    position, intent, number, forgotten, job_id, stopped, restored, submits, triggers = found[0]
    current = _revision(database, application, number)
    healthy, previous_healthy = _healthy(database, application, current, forgotten)
    return History(
        application=application,
        lineage=lineage,
        position=position,
        intent=Intent(intent),
        current=current,
        healthy=healthy,
        previous_healthy=previous_healthy,
        last=next(iter(rows.operations(database, application, limit=1)), None),
        job_id=job_id,
        stopped=bool(stopped),
        marks=_marks(database, application, job_id),
        snapshots=_snapshots(database, application),
        restored=rows.decode(restored, Snapshot) if restored else None,
        typical_gap_s=_typical_gap(database, application),
        next_revision=_newest_number(database, application) + 1,
        resolved_submits=submits,
        resolved_triggers=triggers,
    )


def snapshots(database: Database, application: str, *, limit: int, before: datetime | None) -> tuple[Snapshot, ...]:
    """Return a page of the snapshots that were not dropped, newest first, and all that are as old as its last one."""
    until = rows.stamp(before) if before else _LATER_THAN_ALL
    kept = "FROM snapshot WHERE application = ? AND dropped_at IS NULL AND taken_at < ?"
    last = database.rows(
        f"SELECT taken_at {kept} ORDER BY taken_at DESC LIMIT 1 OFFSET ?", application, until, max(limit, 1) - 1
    )
    since = last[0][0] if last else ""
    return rows.snapshots(
        database.rows(
            f"SELECT body {kept} AND taken_at >= ? ORDER BY taken_at DESC, location", application, until, since
        )
    )


def _lineage(database: Database) -> str:
    return next((value for (value,) in database.rows("SELECT value FROM meta WHERE name = 'lineage'")), "")


def _revision(database: Database, application: str, number: int | None) -> Revision | None:
    if number is None:
        return None
    return next(iter(rows.revisions(database, application, "number = ?", number)), None)


def _healthy(
    database: Database, application: str, current: Revision | None, forgotten: int
) -> tuple[Revision | None, Revision | None]:
    """Return the newest healthy revision, and the newest one whose wish is not the current one.

    `newest_healthy` leaves one row for each digest, so at most the first of two can have the current one's.
    """
    newest = rows.revisions(
        database, application, "newest_healthy = 1 AND number > ? ORDER BY number DESC LIMIT 2", forgotten
    )
    digest = current.desired.digest() if current else None
    others = [revision for revision in newest if revision.desired.digest() != digest]
    return next(iter(newest), None), next(iter(others), None)


def _marks(database: Database, application: str, job_id: str | None) -> tuple[str, ...]:
    """Return the job ids of the last submits, newest first.

    A mark is used again as long as its fate is not known, so many attempts may share one. However many there were, the
    job that runs and the submits that are open are among the answer.
    """
    last, unresolved = (
        database.rows(
            f"SELECT operation, ordinal, mark FROM step WHERE application = ? AND action = '{Action.SUBMIT.value}'"
            f"{condition} ORDER BY operation DESC, ordinal DESC LIMIT {MARKS}",
            application,
        )
        for condition in ("", " AND finished_at IS NULL")
    )
    marks = [mark for _, _, mark in sorted({*last, *unresolved}, reverse=True)]
    return tuple(dict.fromkeys([*marks, job_id] if job_id else marks))


def _snapshots(database: Database, application: str) -> tuple[Snapshot, ...]:
    return rows.snapshots(
        database.rows(
            "SELECT body FROM snapshot WHERE application = ? AND dropped_at IS NULL"
            f" ORDER BY taken_at DESC LIMIT {SNAPSHOTS}",
            application,
        )
    )


def _typical_gap(database: Database, application: str) -> float | None:
    found = database.rows(
        "SELECT gap_s FROM operation WHERE application = ? AND kind = 'upgrade' AND outcome = 'done'"
        f" AND gap_s IS NOT NULL ORDER BY number DESC LIMIT {_GAPS}",
        application,
    )
    gaps: list[float] = sorted(gap for (gap,) in found)
    middle = len(gaps) // 2
    if not gaps:
        return None
    return gaps[middle] if len(gaps) % 2 else (gaps[middle - 1] + gaps[middle]) / 2


def _newest_number(database: Database, application: str) -> int:
    [(number,)] = database.rows("SELECT MAX(number) FROM revision WHERE application = ?", application)
    return number or 0
