"""Leases: who may write about an application. The fencing number grows with each, and every write names its own.

Only the clock that is passed in decides about expiry; the one exception is a holder that is provably dead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.journal.process import Process, is_provably_dead, this_process
from scurry.journal.rows import moment, stamp
from scurry.model.errors import ApplicationLocked, LeaseLost
from scurry.model.journal import Lease

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from scurry.journal.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a write changes in the application's row besides its position, in the same UPDATE."""

    known: bool = False
    """list it again, if it was deleted before"""
    submits: int = 0
    """attempts whose fate is known now; the next mark is derived from their number"""
    triggers: int = 0
    """the same of stops and snapshots"""


def acquire(database: Database, application: str, *, owner: str, now: datetime, duration: timedelta) -> Lease:
    """Take the lease if it is free, expired, or its holder is dead. Raises `ApplicationLocked`."""
    database.execute("INSERT INTO application (id) VALUES (?) ON CONFLICT (id) DO NOTHING", application)
    while True:
        fencing, until = _free(database, application, now)
        # Takes the row only if it is as it was read: no other process took or renewed the lease in between.
        process = this_process()
        taken = database.execute(
            "UPDATE application SET fencing = fencing + 1, lease_owner = ?, lease_acquired_at = ?,"
            " lease_expires_at = ?, lease_host = ?, lease_pid = ?, lease_process_start = ?"
            " WHERE id = ? AND fencing = ? AND lease_expires_at = ?",
            owner,
            stamp(now),
            stamp(now + duration),
            process.host,
            process.pid,
            process.started,
            application,
            fencing,
            until,
        )
        if taken:
            return Lease(
                application=application, owner=owner, fencing=fencing + 1, acquired_at=now, expires_at=now + duration
            )


def renew(database: Database, lease: Lease, *, now: datetime, duration: timedelta) -> Lease:
    """Move the expiry. Raises `LeaseLost`."""
    kept = database.execute(
        "UPDATE application SET lease_expires_at = ? WHERE id = ? AND fencing = ? AND lease_owner <> ''",
        stamp(now + duration),
        lease.application,
        lease.fencing,
    )
    if not kept:
        raise _lost(database, lease)
    return Lease(
        application=lease.application,
        owner=lease.owner,
        fencing=lease.fencing,
        acquired_at=lease.acquired_at,
        expires_at=now + duration,
    )


def release(database: Database, lease: Lease) -> None:
    """Free the lease if it is still this one; a lost one is left to whoever has it."""
    database.execute(
        "UPDATE application SET lease_owner = '', lease_expires_at = '' WHERE id = ? AND fencing = ?",
        lease.application,
        lease.fencing,
    )


def hold(database: Database, lease: Lease, *, moves: int, counts: Counts | None = None) -> None:
    """Check the lease and move the position, in the transaction of the write that follows. Raises `LeaseLost`.

    The UPDATE locks the application's row, so nobody can take the lease before that transaction ends.
    """
    counts = counts or Counts()
    held = database.execute(
        "UPDATE application SET position = position + ?, deleted = deleted * ?,"
        " resolved_submits = resolved_submits + ?, resolved_triggers = resolved_triggers + ?"
        " WHERE id = ? AND fencing = ? AND lease_owner <> ''",
        *(moves, int(not counts.known), counts.submits, counts.triggers),
        *(lease.application, lease.fencing),
    )
    if not held:
        raise _lost(database, lease)


def _free(database: Database, application: str, now: datetime) -> tuple[int, str]:
    [(fencing, owner, since, until, host, pid, started)] = database.rows(
        "SELECT fencing, lease_owner, lease_acquired_at, lease_expires_at, lease_host, lease_pid, lease_process_start"
        " FROM application WHERE id = ?",
        application,
    )
    if owner and until > stamp(now) and not is_provably_dead(Process(host=host, pid=pid, started=started)):
        raise ApplicationLocked(
            f"{application!r} is being changed by {owner}, since {_told(since)}",
            owner=owner,
            since=_told(since),
            hint="To wait for its end and then go on, run the same command with:\n  --wait 10min",
        )
    return fencing, until


def _lost(database: Database, lease: Lease) -> LeaseLost:
    found = database.rows(
        "SELECT lease_owner, lease_acquired_at FROM application WHERE id = ? AND fencing > ?",
        lease.application,
        lease.fencing,
    )
    why = "it was given back before"
    if found:
        owner, since = found[0]
        why = f"{owner or 'another process'} took it at {_told(since)}"
    return LeaseLost(
        f"the right to change {lease.application!r}, held since {_told(stamp(lease.acquired_at))}, is lost: {why}. "
        "Nothing was written.",
        hint=f"To see how things stand now, run:\n  scurry status {lease.application}",
    )


def _told(at: str) -> str:
    return f"{moment(at):%Y-%m-%d %H:%M:%S} UTC"
