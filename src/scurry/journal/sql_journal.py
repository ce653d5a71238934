"""The journal on any SQL database: every write is one transaction that checks the lease, moves the position and writes.

What `history` summarises is kept up to date here, in the transaction of the write that changes it.
"""

from __future__ import annotations

from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING, Any, Self

from scurry.journal import bookkeeping, fleet, leases, rows, summary
from scurry.journal.leases import Counts
from scurry.journal.rows import encode, stamp, storable
from scurry.model.errors import JournalError
from scurry.model.journal import Intent, OperationOutcome, OperationRecord, Revision, RevisionOutcome
from scurry.model.operation import Action, Delete

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime, timedelta
    from pathlib import Path
    from types import TracebackType

    from scurry.journal.database import Database, Row, Value
    from scurry.model.desired import ApplicationId, Desired
    from scurry.model.journal import Alert, Freeze, History, Lease
    from scurry.model.operation import Operation, Outcome, Step
    from scurry.model.ports import Clock
    from scurry.model.reporting import Reporter
    from scurry.model.snapshot import Snapshot


class SqlJournal:
    """The port `Journal`. Safe to be used by many threads; a transaction belongs to the thread that began it."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        owner: str,
        lease_time: Callable[[], datetime] | None = None,
    ) -> None:
        """`lease_time` tells the time that leases and servers live by; without it, the clock does."""
        self._database = database
        self._clock = clock
        self._owner = owner
        self._lease_time = lease_time or clock.now

    def close(self) -> None:
        """Give back what is held open. Leases stay as they are."""
        self._database.close()

    def known_as(self, owner: str) -> Self:
        """Return the same journal for somebody else, who is told as the one that did what is written by it."""
        other = copy(self)
        other._owner = owner
        return other

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Reading ---------------------------------------------------------------------------------------------------

    def applications(self) -> tuple[ApplicationId, ...]:
        """Return the applications that something was written about and that were not deleted, by name."""
        with self._database.reading():
            found = self._database.rows("SELECT id FROM application WHERE position > 0 AND deleted = 0 ORDER BY id")
        return tuple(name for (name,) in found)

    def all_applications(self) -> tuple[ApplicationId, ...]:
        """Return every application that the journal has a record of, deleted ones too, by name."""
        with self._database.reading():
            return tuple(name for (name,) in self._database.rows("SELECT id FROM application ORDER BY id"))

    def positions(self) -> Mapping[ApplicationId, int]:
        """Return the positions of the applications that are known and not deleted."""
        with self._database.reading():
            return dict(self._database.rows("SELECT id, position FROM application WHERE position > 0 AND deleted = 0"))

    def history(self, application: ApplicationId) -> History:
        """Return the summary that decisions are made from."""
        with self._database.reading():
            return summary.history(self._database, application)

    def revisions(
        self, application: ApplicationId, *, limit: int = 20, before: int | None = None
    ) -> tuple[Revision, ...]:
        """Return revisions, newest first."""
        with self._database.reading():
            if before is None:
                return rows.revisions(self._database, application, "1 = 1 ORDER BY number DESC LIMIT ?", limit)
            return rows.revisions(self._database, application, "number < ? ORDER BY number DESC LIMIT ?", before, limit)

    def revision(self, application: ApplicationId, number: int) -> Revision | None:
        """Return one revision."""
        with self._database.reading():
            return next(iter(rows.revisions(self._database, application, "number = ?", number)), None)

    def operations(self, application: ApplicationId, *, limit: int = 20) -> tuple[OperationRecord, ...]:
        """Return operations with their steps, newest first. A step's ordinal is its index in `steps`."""
        with self._database.reading():
            return rows.operations(self._database, application, limit=limit)

    def snapshots(
        self, application: ApplicationId, *, limit: int = 1000, before: datetime | None = None
    ) -> tuple[Snapshot, ...]:
        """Return the snapshots that were not dropped, newest first; with `before`, those that were taken earlier."""
        with self._database.reading():
            return summary.snapshots(self._database, application, limit=limit, before=before)

    @contextmanager
    def copied(self, application: ApplicationId) -> Iterator[SqlJournal]:
        """A copy of what is written about one application, for the length of the block: what is tried is tried there.

        Leases are copied, too: it can be written where this one could.
        """
        from scurry.journal.copying import copied
        from scurry.journal.process import default_owner

        with copied(self._database, application) as database:
            owner = self._owner or default_owner()
            yield SqlJournal(database, clock=self._clock, owner=owner, lease_time=self._lease_time)

    def take_over(self, file: Path, *, reporter: Reporter) -> tuple[tuple[ApplicationId, ...], Path]:
        """Move all records of a journal file here. Returns the applications that are new here, and its new path.

        Done again after a crash it goes on: what is here already, just as it is there, is left. Raises `JournalError`
        when the two do not fit together, `ApplicationLocked` when somebody is at work with the file.
        """
        from scurry.journal import moving

        with moving.opened(file, clock=self._clock) as source:
            count = len(source.all_applications())
            with (
                reporter.activity(f"Moving {count} applications", total=count) as activity,
                source._database.reading(),
                self._database.writing(),
            ):
                moved = moving.move(source._database, self._database, activity)
        return moved, moving.put_aside(file)

    # Leases ----------------------------------------------------------------------------------------------------

    def acquire(self, application: ApplicationId, *, duration: timedelta) -> Lease:
        """Become the one writer. Raises `ApplicationLocked`. Leases do not move the position."""
        with self._database.writing():
            return leases.acquire(
                self._database, application, owner=self._owner, now=self._lease_time(), duration=duration
            )

    def renew(self, lease: Lease, *, duration: timedelta) -> Lease:
        """Stay the one writer. Raises `LeaseLost`."""
        with self._database.writing():
            return leases.renew(self._database, lease, now=self._lease_time(), duration=duration)

    def release(self, lease: Lease) -> None:
        """Let others write."""
        with self._database.writing():
            leases.release(self._database, lease)

    # Writing ---------------------------------------------------------------------------------------------------

    def set_intent(self, lease: Lease, intent: Intent) -> None:
        """Remember what a person asked for."""
        with self._write(lease, Counts(known=intent is not Intent.ABSENT)) as database:
            database.execute("UPDATE application SET intent = ? WHERE id = ?", intent.value, lease.application)

    def add_revision(self, lease: Lease, desired: Desired) -> Revision:
        """Number a wish. The newest revision again if it is equal and still pending."""
        if desired.application != lease.application:
            raise JournalError(
                f"a lease on {lease.application!r} gives no right to write about {desired.application!r}"
            )
        digest = desired.digest()
        with self._check(lease) as database:
            newest = next(iter(self.revisions(lease.application, limit=1)), None)
            if newest and newest.outcome is RevisionOutcome.PENDING and newest.desired.digest() == digest:
                return newest
            number = newest.number + 1 if newest else 1
            revision = Revision(number=number, desired=desired, applied_at=self._clock.now(), applied_by=lease.owner)
            leases.hold(database, lease, moves=1, counts=Counts(known=True))
            database.execute(
                "INSERT INTO revision (application, number, digest, outcome, applied_at, applied_by, desired)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                *(lease.application, number, digest, revision.outcome.value),
                *(stamp(revision.applied_at), revision.applied_by, encode(desired)),
            )
            return revision

    def judge_revision(self, lease: Lease, number: int, outcome: RevisionOutcome, *, error: str | None = None) -> None:
        """Say what became of a revision."""
        with self._write(lease) as database:
            found = database.rows(
                "SELECT digest FROM revision WHERE application = ? AND number = ?", lease.application, number
            )
            if not found:
                raise JournalError(f"{lease.application!r} has no revision {number}")
            database.execute(
                "UPDATE revision SET outcome = ?, error = ? WHERE application = ? AND number = ?",
                *(outcome.value, storable(error), lease.application, number),
            )
            bookkeeping.mark_newest_healthy(database, lease.application, found[0][0])

    def start_operation(
        self, lease: Lease, operation: Operation, *, reason: str, revision: int | None
    ) -> OperationRecord:
        """Remember that an operation begins. Raises `JournalError` while another one of the application is open."""
        with self._write(lease, Counts(known=not isinstance(operation, Delete))) as database:
            if revision is not None and self.revision(lease.application, revision) is None:
                raise JournalError(f"{lease.application!r} has no revision {revision}")
            record = OperationRecord(
                id=_next_operation(database, lease.application),
                application=lease.application,
                operation=operation,
                reason=reason,
                revision=revision,
                started_at=self._clock.now(),
                started_by=lease.owner,
            )
            kind = str(operation.__struct_config__.tag)
            database.execute(
                "INSERT INTO operation (application, number, kind, revision, reason, started_at, started_by, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                *(record.application, record.id, kind, revision, reason),
                *(stamp(record.started_at), record.started_by, encode(operation)),
            )
            return record

    def finish_operation(
        self,
        lease: Lease,
        operation: int,
        outcome: OperationOutcome,
        *,
        error: str | None = None,
        gap_s: float | None = None,
    ) -> None:
        """Remember how it ended. The same end again changes nothing; a different one raises `JournalError`."""
        error = storable(error)
        with self._write(lease) as database:
            kind, *end = _operation(database, lease, operation)
            if end[0] is not None:
                _same_end(f"operation {operation}", lease, end, [outcome.value, error, gap_s])
                leases.hold(database, lease, moves=-1)
                return
            database.execute(
                "UPDATE operation SET finished_at = ?, outcome = ?, error = ?, gap_s = ?"
                " WHERE application = ? AND number = ?",
                *(stamp(self._clock.now()), outcome.value, error, gap_s, lease.application, operation),
            )
            if outcome is OperationOutcome.DONE:
                bookkeeping.conclude(database, lease.application, operation=operation, kind=kind)

    def start_step(self, lease: Lease, operation: int, step: Step) -> int:
        """Remember that a step will run now; durable when this returns. Returns its ordinal, its index in `steps`."""
        with self._write(lease) as database:
            ordinal = _next_step(database, lease, operation)
            database.execute(
                "INSERT INTO step (application, operation, ordinal, action, mark, started_at, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                *(lease.application, operation, ordinal, step.action.value, step.mark),
                *(stamp(self._clock.now()), encode(step)),
            )
            return ordinal

    def finish_step(
        self, lease: Lease, operation: int, ordinal: int, *, outcome: Outcome | None = None, error: str | None = None
    ) -> None:
        """Remember how a step ended, and the snapshot that it brought (or, for a dispose, took).

        With neither outcome nor error: it is known that it did not land. The same end again changes nothing; a
        different one raises `JournalError`.
        """
        now, error = self._clock.now(), storable(error)
        brought = encode(outcome) if outcome else None
        with self._database.writing():
            database = self._database
            action, mark, *end = _step(database, lease, operation, ordinal)
            if end[0] is None:
                leases.hold(database, lease, moves=1, counts=bookkeeping.resolved(Action(action)))
                if not database.execute(
                    "UPDATE step SET finished_at = ?, outcome = ?, error = ?"
                    " WHERE application = ? AND operation = ? AND ordinal = ? AND finished_at IS NULL",
                    *(stamp(now), brought, error, lease.application, operation, ordinal),
                ):
                    # It was ended before the lease's row was ours: the same write, whose answer was lost on the way.
                    leases.hold(database, lease, moves=-1, counts=bookkeeping.resolved(Action(action), times=-1))
                    _, _, *end = _step(database, lease, operation, ordinal)
            if end[0] is not None:
                leases.hold(database, lease, moves=0)
                _same_end(f"step {ordinal} of operation {operation}", lease, end, [brought, error])
                return
            if outcome:
                landing = bookkeeping.Landing(operation=operation, action=Action(action), mark=mark, outcome=outcome)
                bookkeeping.land(database, lease.application, landing, now=now)

    def drop_snapshot(self, lease: Lease, snapshot: Snapshot) -> None:
        """Remember that a snapshot is gone, also one that the journal did not know."""
        with self._write(lease) as database:
            bookkeeping.drop(database, lease.application, snapshot, now=self._clock.now())

    def transaction(self) -> AbstractContextManager[None]:
        """Group the calling thread's writes: all of them or none. A block inside a block is undone by itself."""
        return self._database.writing()

    # What belongs to no application ----------------------------------------------------------------------------

    def freeze(self, scope: str, *, reason: str, by: str | None = None) -> Freeze:
        """Remember that nothing in a scope is to be changed. Raises `JournalError` for what is no scope."""
        return fleet.freeze(self._database, scope, reason=reason, by=by or self._owner, now=self._clock.now())

    def thaw(self, scope: str) -> bool:
        """Take a freeze back; False when there was none."""
        return fleet.thaw(self._database, scope)

    def freezes(self) -> tuple[Freeze, ...]:
        """Return all freezes, by scope."""
        return fleet.freezes(self._database)

    def attend(self, server: str, *, duration: timedelta) -> tuple[str, ...]:
        """Say that a server lives from now on for `duration`. Returns the names of all that live, sorted."""
        return fleet.attend(self._database, server, now=self._lease_time(), duration=duration)

    def leave(self, server: str) -> None:
        """Say that a server ends."""
        fleet.leave(self._database, server)

    def alerts(self) -> tuple[Alert, ...]:
        """Return what people were told and is not over, by application."""
        return fleet.alerts(self._database)

    def remember_alert(self, application: ApplicationId, *, cause: str, what: str) -> Alert:
        """Remember what people were told of an application, in place of what they were told before."""
        return fleet.remember_alert(self._database, application, cause=cause, what=what, now=self._clock.now())

    def forget_alert(self, application: ApplicationId) -> None:
        """Remember that it is over."""
        fleet.forget_alert(self._database, application)

    @contextmanager
    def _write(self, lease: Lease, counts: Counts | None = None) -> Iterator[Database]:
        with self._database.writing():
            leases.hold(self._database, lease, moves=1, counts=counts)
            yield self._database

    @contextmanager
    def _check(self, lease: Lease) -> Iterator[Database]:
        """For what may turn out to change nothing: it then does not move the position."""
        with self._database.writing():
            leases.hold(self._database, lease, moves=0)
            yield self._database


def _next_operation(database: Database, application: str) -> int:
    """Return the number of the next operation.

    One that a crash left open has to be ended first: behind a newer one nobody would look for its steps again, and a
    savepoint that its stop wrote would be lost.
    """
    found = database.rows(
        "SELECT number, kind, finished_at FROM operation WHERE application = ? ORDER BY number DESC LIMIT 1",
        application,
    )
    if not found:
        return 1
    number, kind, finished_at = found[0]
    if finished_at is None:
        raise JournalError(f"operation {number} ({kind}) of {application!r} has not ended yet")
    return int(number) + 1


def _next_step(database: Database, lease: Lease, operation: int) -> int:
    found = database.rows(
        "SELECT finished_at, (SELECT COALESCE(MAX(ordinal), -1) + 1 FROM step WHERE application = ? AND operation = ?)"
        " FROM operation WHERE application = ? AND number = ?",
        *(lease.application, operation, lease.application, operation),
    )
    if not found:
        raise JournalError(f"{lease.application!r} has no operation {operation}")
    [(finished_at, ordinal)] = found
    if finished_at is not None:
        raise JournalError(f"operation {operation} of {lease.application!r} has already ended")
    return int(ordinal)


def _operation(database: Database, lease: Lease, operation: int) -> Row:
    found = database.rows(
        "SELECT kind, finished_at, outcome, error, gap_s FROM operation WHERE application = ? AND number = ?",
        *(lease.application, operation),
    )
    if not found:
        raise JournalError(f"{lease.application!r} has no operation {operation}")
    return found[0]


def _step(database: Database, lease: Lease, operation: int, ordinal: int) -> Row:
    found = database.rows(
        "SELECT action, mark, finished_at, outcome, error FROM step"
        " WHERE application = ? AND operation = ? AND ordinal = ?",
        *(lease.application, operation, ordinal),
    )
    if not found:
        raise JournalError(f"operation {operation} of {lease.application!r} has no step {ordinal}")
    return found[0]


def _same_end(what: str, lease: Lease, recorded: list[Any], now: list[Value]) -> None:
    at, *end = recorded
    if end != now:
        raise JournalError(f"{what} of {lease.application!r} has already ended otherwise, at {at}")
