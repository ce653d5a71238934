"""What needs no lease and moves no position: what people froze, the servers that live, and what people were told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.journal.rows import moment, stamp, storable
from scurry.model.errors import JournalError
from scurry.model.journal import Alert, Freeze

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


def alerts(database: Database) -> tuple[Alert, ...]:
    """Return what people were told and is not over, by application."""
    with database.reading():
        found = database.rows("SELECT application, cause, what, told_at FROM alert ORDER BY application")
    return tuple(Alert(application=name, cause=cause, what=what, at=moment(at)) for name, cause, what, at in found)


def remember_alert(database: Database, application: str, *, cause: str, what: str, now: datetime) -> Alert:
    """Remember what people were told of an application, in place of what they were told before."""
    what = storable(what) or ""
    with database.writing():
        database.execute(
            "INSERT INTO alert (application, cause, what, told_at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (application) DO UPDATE SET cause = excluded.cause, what = excluded.what,"
            " told_at = excluded.told_at",
            *(application, cause, what, stamp(now)),
        )
    return Alert(application=application, cause=cause, what=what, at=now)


def forget_alert(database: Database, application: str) -> None:
    """Remember that it is over."""
    with database.writing():
        database.execute("DELETE FROM alert WHERE application = ?", application)
