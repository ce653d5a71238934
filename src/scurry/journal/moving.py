"""Moves all records of a journal file into another journal, in one transaction, and puts the file out of the way.

Both would go on to be written otherwise, each knowing half: jobs of the one are strangers to the other.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from scurry.journal.copying import copy_rows
from scurry.journal.sqlite import SqliteJournal
from scurry.model.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scurry.journal.database import Database
    from scurry.model.ports import Clock
    from scurry.model.reporting import Activity

_LONGEST = timedelta(hours=1)
_FREEZE = "scope, reason, frozen_by, frozen_at"
_BESIDE = ("", "-wal", "-shm")
"""the files of an SQLite database"""


@contextmanager
def opened(file: Path, *, clock: Clock) -> Iterator[SqliteJournal]:
    """Open a journal file, and keep everybody else from writing about any of its applications.

    Raises `JournalError` when there is none, `ApplicationLocked`, `JournalDamaged`.
    """
    if not file.is_file():
        raise JournalError(
            f"there is no journal {str(file)!r}",
            hint="Name the file that the project had before, as a rule:\n  scurry journal move .scurry/journal.db",
        )
    with SqliteJournal.open(file, clock=clock) as source, ExitStack() as stack:
        for application in source.all_applications():
            lease = source.acquire(application, duration=_LONGEST)
            stack.callback(source.release, lease)
        yield source


def put_aside(file: Path) -> Path:
    """Rename a journal file and what belongs to it. Returns its new path."""
    kept = file.with_name(f"{file.name}.moved")
    if kept.exists():
        raise JournalError(f"{str(kept)!r} is there already, and may be the only copy of something; rename it")
    for suffix in _BESIDE:
        part = file.with_name(file.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))
    return kept


def move(source: Database, to: Database, activity: Activity) -> tuple[str, ...]:
    """Copy all rows, inside the caller's transactions. Returns the applications that were not there already.

    Raises `JournalError` when the other journal knows any of them otherwise, or others of another lineage: the marks of
    attempts whose fate is not known are derived from it, and by another one they would not be found again.
    """
    known: dict[str, int] = dict(to.rows("SELECT id, position FROM application WHERE position > 0"))
    if known and _lineage(source) != _lineage(to):
        raise JournalError(
            f"the project's journal holds other applications already: {', '.join(sorted(known)[:5])}",
            hint="Records are moved into an empty journal only. On PostgreSQL give each project a schema of its own:\n"
            "  journal: postgresql://…?schema=NAME",
        )
    if not known:
        to.execute("UPDATE meta SET value = ? WHERE name = 'lineage'", _lineage(source))
    moved = [
        application for application, position in _applications(source) if not _is_there(known, application, position)
    ]
    for application in moved:
        to.execute("DELETE FROM application WHERE id = ? AND position = 0 AND lease_owner = ''", application)
        copy_rows(source, to, application, columns=source)
        # The lease was ours, on the file. Its number goes up, so that nobody who held one there can write here.
        to.execute("UPDATE application SET lease_owner = '', lease_expires_at = '' WHERE id = ?", application)
        activity.advance(1)
    for row in source.rows(f"SELECT {_FREEZE} FROM frozen"):
        to.execute(f"INSERT INTO frozen ({_FREEZE}) VALUES (?, ?, ?, ?) ON CONFLICT (scope) DO NOTHING", *row)
    return tuple(moved)


def _applications(source: Database) -> list[tuple[str, int]]:
    return [(name, position) for name, position in source.rows("SELECT id, position FROM application ORDER BY id")]


def _is_there(known: dict[str, int], application: str, position: int) -> bool:
    if application not in known:
        return False
    if known[application] != position:
        raise JournalError(
            f"{application!r} is in both journals, and they differ",
            hint=f"To see what the project's journal knows of it, run:\n  scurry history {application}",
        )
    return True


def _lineage(database: Database) -> str:
    return next((value for (value,) in database.rows("SELECT value FROM meta WHERE name = 'lineage'")), "")
