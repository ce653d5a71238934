"""The journal in an SQLite file: the default. Transactions and threads; what the file is, is in `sqlite_file`."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from scurry.journal.process import default_owner
from scurry.journal.sql_journal import SqlJournal
from scurry.journal.sqlite_file import connect_to_read, connect_to_write, make_ready, translated
from scurry.model.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scurry.journal.database import Row, Value
    from scurry.model.ports import Clock


class SqliteJournal(SqlJournal):
    """The port `Journal` on an SQLite file."""

    @classmethod
    def open(cls, path: Path, *, clock: Clock, owner: str | None = None, read_only: bool = False) -> SqliteJournal:
        """Open the journal; unless `read_only`, create it where there is none and bring an older one up to date.

        `owner` names the holder of leases to people; without it, `user@host pid 123`. With `read_only` nothing is
        written or created: a missing journal is an empty one, and writing raises `JournalError`.

        Raises `JournalTooNew`, `JournalDamaged`, or `WorkspaceError` when the file or its directory may not be used.
        """
        database = SqliteDatabase(path, read_only=read_only)
        return cls(database, clock=clock, owner=owner or ("" if read_only else default_owner()))


class SqliteDatabase:
    """The port `Database` on an SQLite file. Each transaction has a connection to itself, for as long as it lasts."""

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self._path = path
        self._read_only = read_only
        self._idle: list[sqlite3.Connection] = []
        self._mine = threading.local()
        if not read_only:
            make_ready(path)

    def execute(self, sql: str, *values: Value) -> int:
        """Run a statement. Returns how many rows it changed."""
        with translated(self._path):
            return self._connection().execute(sql, values).rowcount

    def rows(self, sql: str, *values: Value) -> list[Row]:
        """Run a query and return all of its rows."""
        with translated(self._path):
            return self._connection().execute(sql, values).fetchall()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """See one state of everything for the length of the block."""
        if self._in_transaction():
            yield
            return
        with self._transaction("BEGIN"):
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write all of the block's changes durably at its end, or none if it raises."""
        if self._read_only:
            raise JournalError(f"the journal {str(self._path)!r} was opened for reading only")
        # IMMEDIATE takes the write lock at once: a transaction that reads first could not get it later (SQLITE_BUSY).
        with self._savepoint() if self._in_transaction() else self._transaction("BEGIN IMMEDIATE"):
            yield

    def close(self) -> None:
        """Close the connections that no transaction uses."""
        while self._idle:
            self._idle.pop().close()

    def _in_transaction(self) -> bool:
        return getattr(self._mine, "connection", None) is not None

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            raise AssertionError("statements run inside `reading` or `writing`")
        if not connection.in_transaction:
            # SQLite itself rolls back when the disk is full or fails. Going on would write half of a transaction.
            raise JournalError(f"the transaction on the journal {str(self._path)!r} was undone; nothing was written")
        return connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        with translated(self._path):
            connection = self._take()
        try:
            self._mine.connection = connection
            with translated(self._path):
                connection.execute(begin)
            yield
            with translated(self._path):
                self._connection().execute("COMMIT")
        finally:
            self._mine.connection = None
            self._give_back(connection)

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        connection = self._connection()
        # Savepoints nest by name like brackets: ROLLBACK TO and RELEASE find the innermost one.
        self.execute("SAVEPOINT block")
        try:
            yield
        except BaseException:
            if connection.in_transaction:
                self.execute("ROLLBACK TO SAVEPOINT block")
                self.execute("RELEASE SAVEPOINT block")
            raise
        self.execute("RELEASE SAVEPOINT block")

    def _take(self) -> sqlite3.Connection:
        with suppress(IndexError):
            return self._idle.pop()
        return connect_to_read(self._path) if self._read_only else connect_to_write(self._path)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        """Undo what was not committed. A connection for reading is not kept: the file may be there by the next time."""
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            connection.close()
            return
        if self._read_only:
            connection.close()
            return
        self._idle.append(connection)
