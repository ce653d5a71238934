"""The journal's database in memory, which can be copied: for tests that need thousands of journals."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from scurry.journal.database import Row, Value
from scurry.journal.schema import migrate


class MemoryDatabase:
    """The port `Database` on SQLite in memory. One connection, so one transaction at a time."""

    def __init__(self, image: bytes | None = None) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._depth = 0
        if image is not None:
            self._connection.deserialize(image)
            return
        self._connection.execute("PRAGMA foreign_keys = ON")
        migrate(self._connection.execute, 0)
        self._connection.execute("UPDATE meta SET value = 'one' WHERE name = 'lineage'")  # marks are the same each time

    @property
    def in_transaction(self) -> bool:
        """Whether a block is open."""
        return self._depth > 0

    def image(self) -> bytes:
        """Return all that is in it, for a copy."""
        return self._connection.serialize()

    def execute(self, sql: str, *values: Value) -> int:
        return self._connection.execute(sql, values).rowcount

    def rows(self, sql: str, *values: Value) -> list[Row]:
        return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def reading(self) -> Iterator[None]:
        yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        self._connection.execute(f"SAVEPOINT block_{self._depth}")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._connection.execute(f"ROLLBACK TO block_{self._depth - 1}")
            raise
        finally:
            self._depth -= 1
            self._connection.execute(f"RELEASE block_{self._depth}")

    def close(self) -> None:
        self._connection.close()
