"""The journal's tables, in SQL that SQLite and PostgreSQL read alike, and how older journals are brought up to date.

Migrations only go forward: entry n of `MIGRATIONS` brings version n to n + 1. An entry that was released never changes.
What is decided from is in columns; the whole of each record is JSON beside it. Counters and pointers that `history`
needs are kept in `application`, so that its cost does not grow with the journal.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from scurry import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST = (
    """
    CREATE TABLE meta (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    )
    """,
    # The lease is in the same row as the position: one UPDATE checks the fencing number, locks the row against other
    # writers and moves the position. An empty lease_owner means that nobody holds it.
    """
    CREATE TABLE application (
        id TEXT PRIMARY KEY,
        position BIGINT NOT NULL DEFAULT 0,
        intent TEXT NOT NULL DEFAULT 'absent',
        deleted INTEGER NOT NULL DEFAULT 0,
        current_revision BIGINT,
        forgotten_revision BIGINT NOT NULL DEFAULT 0,
        job_id TEXT,
        restored TEXT,
        stopped INTEGER NOT NULL DEFAULT 0,
        resolved_submits BIGINT NOT NULL DEFAULT 0,
        resolved_triggers BIGINT NOT NULL DEFAULT 0,
        fencing BIGINT NOT NULL DEFAULT 0,
        lease_owner TEXT NOT NULL DEFAULT '',
        lease_acquired_at TEXT NOT NULL DEFAULT '',
        lease_expires_at TEXT NOT NULL DEFAULT '',
        lease_host TEXT NOT NULL DEFAULT '',
        lease_pid BIGINT NOT NULL DEFAULT 0,
        lease_process_start TEXT NOT NULL DEFAULT ''
    )
    """,
    # newest_healthy marks, for each digest, the newest healthy revision with it: so the newest one that differs from
    # the current one is among the first two rows of an index, however often the same wish was applied again.
    """
    CREATE TABLE revision (
        application TEXT NOT NULL REFERENCES application (id),
        number BIGINT NOT NULL,
        digest TEXT NOT NULL,
        outcome TEXT NOT NULL,
        newest_healthy INTEGER NOT NULL DEFAULT 0,
        applied_at TEXT NOT NULL,
        applied_by TEXT NOT NULL,
        error TEXT,
        desired TEXT NOT NULL,
        PRIMARY KEY (application, number)
    )
    """,
    "CREATE INDEX revision_by_digest ON revision (application, digest, outcome, number)",
    "CREATE UNIQUE INDEX revision_healthy_digest ON revision (application, digest) WHERE newest_healthy = 1",
    "CREATE INDEX revision_healthy ON revision (application, number) WHERE newest_healthy = 1",
    """
    CREATE TABLE operation (
        application TEXT NOT NULL REFERENCES application (id),
        number BIGINT NOT NULL,
        kind TEXT NOT NULL,
        revision BIGINT,
        reason TEXT NOT NULL,
        started_at TEXT NOT NULL,
        started_by TEXT NOT NULL,
        finished_at TEXT,
        outcome TEXT,
        error TEXT,
        gap_s DOUBLE PRECISION,
        body TEXT NOT NULL,
        PRIMARY KEY (application, number),
        FOREIGN KEY (application, revision) REFERENCES revision (application, number)
    )
    """,
    "CREATE INDEX operation_gap ON operation (application, kind, number) WHERE gap_s IS NOT NULL AND outcome = 'done'",
    """
    CREATE TABLE step (
        application TEXT NOT NULL,
        operation BIGINT NOT NULL,
        ordinal BIGINT NOT NULL,
        action TEXT NOT NULL,
        mark TEXT NOT NULL,
        started_at TEXT NOT NULL,
        finished_at TEXT,
        error TEXT,
        body TEXT NOT NULL,
        outcome TEXT,
        PRIMARY KEY (application, operation, ordinal),
        FOREIGN KEY (application, operation) REFERENCES operation (application, number)
    )
    """,
    "CREATE INDEX step_by_action ON step (application, action, operation, ordinal)",
    "CREATE INDEX step_open ON step (application, action, operation, ordinal) WHERE finished_at IS NULL",
    """
    CREATE TABLE snapshot (
        application TEXT NOT NULL REFERENCES application (id),
        location TEXT NOT NULL,
        taken_at TEXT NOT NULL,
        revision BIGINT,
        dropped_at TEXT,
        body TEXT NOT NULL,
        PRIMARY KEY (application, location)
    )
    """,
    "CREATE INDEX snapshot_kept ON snapshot (application, taken_at) WHERE dropped_at IS NULL",
    "CREATE INDEX snapshot_of_revision ON snapshot (application, revision, taken_at) WHERE dropped_at IS NULL",
)

# What belongs to no application: what people froze, and the servers that live.
_FLEET = (
    """
    CREATE TABLE frozen (
        scope TEXT PRIMARY KEY,
        reason TEXT NOT NULL,
        frozen_by TEXT NOT NULL,
        frozen_at TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE server (
        name TEXT PRIMARY KEY,
        lives_until TEXT NOT NULL
    )
    """,
)

# What people were told of an application and is not over: servers come and go, and tell it once.
_ALERTS = (
    """
    CREATE TABLE alert (
        application TEXT PRIMARY KEY,
        cause TEXT NOT NULL,
        what TEXT NOT NULL,
        told_at TEXT NOT NULL
    )
    """,
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _FLEET, _ALERTS)


def migrate(execute: Callable[[str, tuple[str, ...]], Any], found: int) -> None:
    """Bring a journal of version `found` (0: an empty database) up to date, inside the caller's transaction.

    A new journal gets its lineage: an id that no other one has, from which the marks of its attempts are derived.
    """
    for statements in MIGRATIONS[found:]:
        for statement in statements:
            execute(statement, ())
    facts = {"schema_version": str(len(MIGRATIONS)), "written_by": __version__}
    if found == 0:
        facts["lineage"] = os.urandom(16).hex()
    for name, value in facts.items():
        execute(
            "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )
