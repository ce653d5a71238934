"""What a write changes in what `history` summarises: the revision and job that run, what is healthy, the snapshots.

Called inside the transaction of that write, so that the records and their summary never differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from scurry.journal.leases import Counts
from scurry.journal.rows import decode_operation, encode, stamp
from scurry.model.operation import Action, Adopt, DropSnapshot, Outcome

if TYPE_CHECKING:
    from datetime import datetime

    from scurry.journal.database import Database
    from scurry.model.snapshot import Snapshot

TRIGGERED = frozenset({Action.STOP, Action.SNAPSHOT})
"""actions with a trigger id of ours, counted when their fate is known"""
LANDING = frozenset({Action.SUBMIT, Action.RESCALE, Action.STOP, Action.CANCEL, Action.DISPOSE})
"""actions that change more than their record and the snapshot that they brought: those that `land` knows"""


def resolved(action: Action, *, times: int = 1) -> Counts:
    """Return what an attempt counts for whose fate is known now."""
    return Counts(submits=times * (action is Action.SUBMIT), triggers=times * (action in TRIGGERED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """A step that is known to have happened."""

    operation: int
    action: Action
    mark: str
    outcome: Outcome


def land(database: Database, application: str, landing: Landing, *, now: datetime) -> None:
    """Take over what a step brought about."""
    operation, outcome = landing.operation, landing.outcome
    if outcome.snapshot:
        keep(database, application, outcome.snapshot)
    if landing.action not in LANDING:
        return
    match landing.action:
        case Action.SUBMIT:
            _make_current(database, application, operation)
            database.execute(
                "UPDATE application SET job_id = ?, stopped = 0, restored = ? WHERE id = ?",
                *(outcome.job_id or landing.mark, encode(outcome.restored) if outcome.restored else None, application),
            )
        case Action.RESCALE:
            _make_current(database, application, operation)
        case Action.STOP | Action.CANCEL:
            database.execute("UPDATE application SET stopped = 1 WHERE id = ? AND job_id IS NOT NULL", application)
        case Action.DISPOSE:
            _dispose(database, application, operation, now)
        case _:
            pass


CONCLUDING = frozenset({"adjust", "rescale", "adopt", "delete"})
"""kinds of operations whose end, when they are done, changes more than their record: those that `conclude` knows"""


def conclude(database: Database, application: str, *, operation: int, kind: str) -> None:
    """Take over what an operation that is done means."""
    if kind not in CONCLUDING:
        return
    match kind:
        case "adjust" | "rescale":
            _make_current(database, application, operation)
        case "adopt":
            _make_current(database, application, operation)
            _adopt(database, application, operation)
        case "delete":
            # What was before a delete is over: nothing is rolled back to it. Its revisions keep their numbers, and its
            # snapshots stay, since an application that is deployed again may start from them.
            database.execute(
                "UPDATE application SET deleted = 1, current_revision = NULL, job_id = NULL, stopped = 0,"
                " restored = NULL,"
                " forgotten_revision = (SELECT COALESCE(MAX(number), 0) FROM revision WHERE application = ?)"
                " WHERE id = ?",
                application,
                application,
            )
        case _:
            pass


def _adopt(database: Database, application: str, operation: int) -> None:
    """The job that runs is one that no submit of this journal started; with it come the snapshots that it left."""
    [(body,)] = database.rows("SELECT body FROM operation WHERE application = ? AND number = ?", application, operation)
    adopted = decode_operation(body)
    if not isinstance(adopted, Adopt):
        raise AssertionError("called for an adoption")
    database.execute(
        "UPDATE application SET job_id = ?, stopped = ?, restored = ? WHERE id = ?",
        adopted.job_id,
        int(adopted.job_id is None),
        encode(adopted.restored) if adopted.restored else None,
        application,
    )
    for snapshot in adopted.snapshots:
        if not database.rows(
            "SELECT 1 FROM snapshot WHERE application = ? AND location = ?", application, snapshot.location
        ):
            keep(database, application, snapshot)


def mark_newest_healthy(database: Database, application: str, digest: str) -> None:
    """Mark the newest healthy revision of a digest, after one of them was judged."""
    database.execute(
        "UPDATE revision SET newest_healthy = 0 WHERE application = ? AND digest = ? AND newest_healthy = 1",
        application,
        digest,
    )
    database.execute(
        "UPDATE revision SET newest_healthy = 1 WHERE application = ? AND number = ("
        " SELECT MAX(number) FROM revision WHERE application = ? AND digest = ? AND outcome = 'healthy')",
        application,
        application,
        digest,
    )


def keep(database: Database, application: str, snapshot: Snapshot) -> None:
    """Remember a snapshot. One that does not say whose it is belongs to the revision that runs, if its job wrote it."""
    if snapshot.revision is None:
        snapshot = msgspec.structs.replace(snapshot, revision=_revision_of(database, application, snapshot))
    database.execute(
        "INSERT INTO snapshot (application, location, taken_at, revision, body) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (application, location) DO UPDATE SET taken_at = excluded.taken_at,"
        " revision = excluded.revision, body = excluded.body, dropped_at = NULL",
        application,
        snapshot.location,
        stamp(snapshot.taken_at),
        snapshot.revision,
        encode(snapshot),
    )


def drop(database: Database, application: str, snapshot: Snapshot, *, now: datetime) -> None:
    """Remember that a snapshot is gone, also one that was not known before (a checkpoint that Flink kept)."""
    database.execute(
        "INSERT INTO snapshot (application, location, taken_at, revision, dropped_at, body) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (application, location) DO UPDATE SET dropped_at = excluded.dropped_at",
        application,
        snapshot.location,
        stamp(snapshot.taken_at),
        snapshot.revision,
        stamp(now),
        encode(snapshot),
    )


def _make_current(database: Database, application: str, operation: int) -> None:
    """An operation without a revision of its own (a start of what was there) leaves the current one."""
    database.execute(
        "UPDATE application SET current_revision = COALESCE("
        " (SELECT revision FROM operation WHERE application = ? AND number = ?), current_revision) WHERE id = ?",
        application,
        operation,
        application,
    )


def _revision_of(database: Database, application: str, snapshot: Snapshot) -> int | None:
    [(current, submitted, is_known, revision)] = database.rows(
        "SELECT current_revision, job_id, (SELECT COUNT(*) FROM snapshot WHERE application = ? AND location = ?),"
        " (SELECT revision FROM snapshot WHERE application = ? AND location = ?) FROM application WHERE id = ?",
        *(application, snapshot.location, application, snapshot.location, application),
    )
    owner: int | None = current if snapshot.job_id in {None, submitted} else None
    return revision if is_known else owner


def _dispose(database: Database, application: str, operation: int, now: datetime) -> None:
    """The files are gone from this moment on, whether or not the process lives to say so itself."""
    [(body,)] = database.rows("SELECT body FROM operation WHERE application = ? AND number = ?", application, operation)
    intended = decode_operation(body)
    if isinstance(intended, DropSnapshot):
        drop(database, application, intended.snapshot, now=now)
