"""The journal on a PostgreSQL server: transactions, threads, what is done again when the server was away for a moment.

What the server is, and what its errors mean, is in `postgres_server`.
"""

from __future__ import annotations

import select
import threading
from contextlib import contextmanager, suppress
from functools import cache, wraps
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper

from scurry.journal import postgres_statements
from scurry.journal.postgres_server import Address, connect, in_doubt, make_ready, said, told, version
from scurry.journal.postgres_statements import End, StepEnd
from scurry.journal.process import default_owner
from scurry.journal.rows import storable
from scurry.journal.schema import MIGRATIONS
from scurry.journal.sql_journal import SqlJournal
from scurry.model.errors import JournalError, JournalUnavailable
from scurry.model.journal import OperationRecord
from scurry.model.operation import Delete

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from scurry.journal.database import Row, Value
    from scurry.journal.postgres_server import Connection
    from scurry.model.journal import Lease, OperationOutcome
    from scurry.model.operation import Operation, Outcome, Step
    from scurry.model.ports import Clock

P = ParamSpec("P")
T = TypeVar("T")

MAX_CONNECTIONS = 16
"""of one process; more threads wait for each other"""
PATIENCE_S = 5.0
"""how long a server that was there before may be away: a restart, a failover"""
_TRIES = 3
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_LOOK = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresDatabase:
    """The port `Database` on a PostgreSQL server. Each transaction has a connection to itself, for as long as it lasts.

    Writes are READ COMMITTED: the first statement of each locks the application's row, and all that follows sees what
    the one before it committed. Reads are REPEATABLE READ: one state of everything, and never refused.
    """

    def __init__(self, address: Address, *, read_only: bool) -> None:
        self._address = address
        self._read_only = read_only
        self._idle: list[Connection] = []
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._mine = threading.local()
        self._was_there = False
        self._is_empty = False
        connection = self._connect()
        try:
            if read_only:
                self._look(connection)
            else:
                make_ready(connection, address)
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)

    def execute(self, sql: str, *values: Value) -> int:
        """Run a statement. Returns how many rows it changed."""
        return self._run(sql, values).rowcount

    def rows(self, sql: str, *values: Value) -> list[Row]:
        """Run a query and return all of its rows."""
        return [] if self._is_empty else self._run(sql, values).fetchall()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """See one state of everything for the length of the block."""
        if self.in_transaction:
            yield
            return
        with self._transaction(_LOOK) as connection:
            if self._is_empty:
                self._look(connection)
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write all of the block's changes durably at its end, or none if it raises."""
        if self._read_only:
            raise JournalError(f"the journal {str(self._address)!r} was opened for reading only")
        with self._savepoint() if self.in_transaction else self._transaction(_BEGIN):
            yield

    def at_once(self, sql: str, *values: Value) -> int | None:
        """Run one statement that is a transaction by itself. Returns what it returned; None if it changed nothing.

        Also None when it broke a rule of the tables: then nothing of it was done.
        """
        with self._room_for_one():
            connection = self._standing()
            try:
                row = connection.execute(_translated(sql), values).fetchone()
            except psycopg.IntegrityError:
                return None
            except psycopg.Error as error:
                # Without a COMMIT of its own there is no telling before which moment the connection was lost.
                if connection.closed:
                    raise in_doubt(self._address, said(error)) from error
                raise told(error, self._address) from error
            finally:
                self._give_back(connection)
        return int(row[0]) if row else None

    @property
    def in_transaction(self) -> bool:
        """Whether the calling thread is in a transaction."""
        return getattr(self._mine, "connection", None) is not None

    def now(self) -> datetime:
        """Return the server's time."""
        with self.reading():
            [(now,)] = self._run("SELECT clock_timestamp()", ()).fetchall()
        moment: datetime = now
        return moment

    def close(self) -> None:
        """Close the connections that no transaction uses."""
        while self._idle:
            self._idle.pop().close()

    def _run(self, sql: str, values: tuple[Value, ...]) -> psycopg.Cursor[Row]:
        connection: Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            raise AssertionError("statements run inside `reading` or `writing`")
        try:
            return connection.execute(_translated(sql), values)
        except psycopg.Error as error:
            raise told(error, self._address) from error

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        with self._room_for_one():
            connection = self._begin(begin)
            try:
                self._mine.connection = connection
                yield connection
                self._commit(connection, is_write=begin == _BEGIN)
            finally:
                self._mine.connection = None
                self._give_back(connection)

    @contextmanager
    def _room_for_one(self) -> Iterator[None]:
        if not self._room.acquire(timeout=PATIENCE_S * 6):
            raise JournalUnavailable(f"all {MAX_CONNECTIONS} connections to the journal are in use")
        try:
            yield
        finally:
            self._room.release()

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        # Savepoints nest by name like brackets: ROLLBACK TO and RELEASE find the innermost one.
        self.execute("SAVEPOINT block")
        try:
            yield
        except BaseException:
            with suppress(JournalError):  # the connection is lost, and all of the transaction with it
                self.execute("ROLLBACK TO SAVEPOINT block")
                self.execute("RELEASE SAVEPOINT block")
            raise
        self.execute("RELEASE SAVEPOINT block")

    def _begin(self, begin: str) -> Connection:
        """Return a connection in a transaction. One that broke while it was idle is not told of: nothing was lost."""
        with suppress(IndexError):
            while True:
                connection = self._idle.pop()
                try:
                    connection.execute(begin.encode())
                except psycopg.Error:
                    connection.close()
                except BaseException:
                    connection.close()
                    raise
                else:
                    return connection
        connection = self._connect()
        try:
            connection.execute(begin.encode())
        except psycopg.Error as error:
            connection.close()
            raise told(error, self._address) from error
        return connection

    def _standing(self) -> Connection:
        """Return a connection that stands: one that the server has ended, or said anything on unasked, is let go."""
        while self._idle:
            with suppress(IndexError, psycopg.Error):
                connection = self._idle.pop()
                if not select.select([connection.fileno()], [], [], 0)[0]:
                    return connection
                connection.close()
        return self._connect()

    def _connect(self) -> Connection:
        until = monotonic() + (PATIENCE_S if self._was_there else 0.0)
        while True:
            try:
                connection = connect(self._address)
            except JournalUnavailable:
                if monotonic() >= until:
                    raise
                sleep(0.1)
            else:
                # One type for all whole numbers, so that each statement is prepared once and not once for each width.
                connection.adapters.register_dumper(int, Int8BinaryDumper)
                self._was_there = True
                return connection

    def _commit(self, connection: Connection, *, is_write: bool) -> None:
        try:
            answer = connection.execute("COMMIT").statusmessage
        except psycopg.Error as error:
            # 25P03 came before the COMMIT did, and an error on a connection that still stands is an answer.
            if is_write and connection.closed and error.sqlstate != "25P03":
                raise in_doubt(self._address, said(error)) from error
            raise told(error, self._address) from error
        if answer != "COMMIT":  # the server says ROLLBACK, without an error, when a statement had failed
            raise JournalError(f"the transaction on the journal {str(self._address)!r} was undone; nothing was written")

    def _give_back(self, connection: Connection) -> None:
        """Undo what was not committed."""
        try:
            if not connection.closed and connection.info.transaction_status is not TransactionStatus.IDLE:
                connection.execute("ROLLBACK")
        except psycopg.Error:
            connection.close()
        if not connection.closed:
            self._idle.append(connection)

    def _look(self, connection: Connection) -> None:
        """For reading only: what is not there is empty, and what is older is left to who writes."""
        try:
            found = version(connection, self._address)
        except psycopg.Error as error:
            raise told(error, self._address) from error
        if 0 < found < len(MIGRATIONS):
            raise JournalError(
                f"the journal {str(self._address)!r} has version {found}, and this scurry reads version"
                f" {len(MIGRATIONS)}",
                hint="The next command that changes something brings it up to date.",
            )
        self._is_empty = found == 0


def _again(
    method: Callable[Concatenate[Any, P], T], *, repeatable: bool
) -> Callable[Concatenate[PostgresJournal, P], T]:
    """Do one write again when the server was away, or chose another one's: unless it may have been written.

    `repeatable` is a write that changes nothing more when it was: then the doubt does not matter.
    """

    @wraps(method)
    def call(journal: PostgresJournal, /, *args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(_TRIES - 1):
            try:
                return method(journal, *args, **kwargs)
            except JournalUnavailable as error:
                # In a transaction of the caller's, more than this one write is lost: only the caller can do it again.
                if journal.database.in_transaction or (error.in_doubt and not repeatable):
                    raise
        return method(journal, *args, **kwargs)

    return call


class PostgresJournal(SqlJournal):
    """The port `Journal` on a PostgreSQL server."""

    def __init__(
        self, database: PostgresDatabase, *, clock: Clock, owner: str, lease_clock: Clock | None = None
    ) -> None:
        # Several hosts share the journal, and their clocks differ. A lease must not seem over to one of them too early.
        super().__init__(
            database, clock=clock, owner=owner, lease_time=lease_clock.now if lease_clock else database.now
        )
        self.database = database

    @classmethod
    def open(
        cls,
        address: Address,
        *,
        clock: Clock,
        owner: str | None = None,
        read_only: bool = False,
        lease_clock: Clock | None = None,
    ) -> PostgresJournal:
        """Open the journal; unless `read_only`, create it where there is none and bring an older one up to date.

        `owner` names the holder of leases to people; without it, `user@host pid 123`. Leases and the attendance of
        servers go by the server's clock, or by `lease_clock`; the times in the records are `clock`'s.

        Raises `JournalUnavailable`, `JournalTooNew`, `JournalDamaged`, or `WorkspaceError` when we are not let in.
        """
        database = PostgresDatabase(address, read_only=read_only)
        return cls(
            database, clock=clock, owner=owner or ("" if read_only else default_owner()), lease_clock=lease_clock
        )

    def _start_operation(
        self, lease: Lease, operation: Operation, *, reason: str, revision: int | None
    ) -> OperationRecord:
        now, number = self._clock.now(), None
        if not (self.database.in_transaction or isinstance(operation, Delete)):
            number = postgres_statements.start_operation(
                self.database, lease, operation, reason=reason, revision=revision, now=now
            )
        if number is None:
            return super().start_operation(lease, operation, reason=reason, revision=revision)
        return OperationRecord(
            id=number,
            application=lease.application,
            operation=operation,
            reason=reason,
            revision=revision,
            started_at=now,
            started_by=lease.owner,
        )

    def _finish_operation(
        self,
        lease: Lease,
        operation: int,
        outcome: OperationOutcome,
        *,
        error: str | None = None,
        gap_s: float | None = None,
    ) -> None:
        end = End(outcome=outcome, error=storable(error), gap_s=gap_s, at=self._clock.now())
        if self.database.in_transaction or not postgres_statements.finish_operation(
            self.database, lease, operation, end
        ):
            super().finish_operation(lease, operation, outcome, error=error, gap_s=gap_s)

    def _start_step(self, lease: Lease, operation: int, step: Step) -> int:
        ordinal = None
        if not self.database.in_transaction:
            ordinal = postgres_statements.start_step(self.database, lease, operation, step, now=self._clock.now())
        return super().start_step(lease, operation, step) if ordinal is None else ordinal

    def _finish_step(
        self, lease: Lease, operation: int, ordinal: int, *, outcome: Outcome | None = None, error: str | None = None
    ) -> None:
        end = StepEnd(ordinal=ordinal, outcome=outcome, error=storable(error), at=self._clock.now())
        if self.database.in_transaction or not postgres_statements.finish_step(self.database, lease, operation, end):
            super().finish_step(lease, operation, ordinal, outcome=outcome, error=error)

    applications = _again(SqlJournal.applications, repeatable=True)
    positions = _again(SqlJournal.positions, repeatable=True)
    history = _again(SqlJournal.history, repeatable=True)
    revisions = _again(SqlJournal.revisions, repeatable=True)
    revision = _again(SqlJournal.revision, repeatable=True)
    operations = _again(SqlJournal.operations, repeatable=True)
    snapshots = _again(SqlJournal.snapshots, repeatable=True)
    acquire = _again(SqlJournal.acquire, repeatable=False)
    renew = _again(SqlJournal.renew, repeatable=True)
    release = _again(SqlJournal.release, repeatable=True)
    set_intent = _again(SqlJournal.set_intent, repeatable=True)
    add_revision = _again(SqlJournal.add_revision, repeatable=True)
    judge_revision = _again(SqlJournal.judge_revision, repeatable=True)
    start_operation = _again(_start_operation, repeatable=False)
    finish_operation = _again(_finish_operation, repeatable=True)
    start_step = _again(_start_step, repeatable=False)
    finish_step = _again(_finish_step, repeatable=True)
    drop_snapshot = _again(SqlJournal.drop_snapshot, repeatable=True)
    freeze = _again(SqlJournal.freeze, repeatable=True)
    thaw = _again(SqlJournal.thaw, repeatable=False)
    freezes = _again(SqlJournal.freezes, repeatable=True)
    attend = _again(SqlJournal.attend, repeatable=True)
    leave = _again(SqlJournal.leave, repeatable=True)


@cache
def _translated(sql: str) -> bytes:
    return sql.replace("%", "%%").replace("?", "%s").encode()
