"""What belongs to no application: what people froze, and the servers that live. Needs no lease, moves no position."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.journal.rows import moment, stamp
from scurry.model.errors import JournalError
from scurry.model.journal import Freeze

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from scurry.journal.database import Database


def freeze(database: Database, scope: str, *, reason: str, by: str, now: datetime) -> Freeze:
    """Remember a freeze, in place of one of the same scope. Raises `JournalError` for what is no scope."""
    try:
        frozen = Freeze(scope=scope, reason=reason, by=by, at=now)
    except ValueError as error:
        raise JournalError(f"nothing was frozen: {error}") from error
    with database.writing():
        database.execute(
            "INSERT INTO frozen (scope, reason, frozen_by, frozen_at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (scope) DO UPDATE SET reason = excluded.reason, frozen_by = excluded.frozen_by,"
            " frozen_at = excluded.frozen_at",
            *(scope, reason, by, stamp(now)),
        )
    return frozen


def thaw(database: Database, scope: str) -> bool:
    """Take a freeze back. Returns whether there was one."""
    with database.writing():
        return database.execute("DELETE FROM frozen WHERE scope = ?", scope) > 0


def freezes(database: Database) -> tuple[Freeze, ...]:
    """Return all freezes, by scope."""
    with database.reading():
        found = database.rows("SELECT scope, reason, frozen_by, frozen_at FROM frozen ORDER BY scope")
    return tuple(Freeze(scope=scope, reason=reason, by=by, at=moment(at)) for scope, reason, by, at in found)


def attend(database: Database, server: str, *, now: datetime, duration: timedelta) -> tuple[str, ...]:
    """Let a server live until its time is over. Returns the names of all that live, sorted."""
    with database.writing():
        database.execute(
            "INSERT INTO server (name, lives_until) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET lives_until = excluded.lives_until",
            *(server, stamp(now + duration)),
        )
    with database.reading():
        found = database.rows("SELECT name, lives_until FROM server ORDER BY name")
    dead = [name for name, until in found if until <= stamp(now)]
    if dead:
        # One row in a transaction of its own: servers that clear up at the same time cannot wait for each other.
        with database.writing():
            database.execute("DELETE FROM server WHERE name = ? AND lives_until <= ?", dead[0], stamp(now))
    return tuple(name for name, until in found if until > stamp(now))


def leave(database: Database, server: str) -> None:
    """Let a server live no longer."""
    with database.writing():
        database.execute("DELETE FROM server WHERE name = ?", server)
