"""What the journal asks of a database: statements in transactions. All that differs between databases is behind it.

Statements are written in the SQL that SQLite (3.24 and later) and PostgreSQL read alike, with `?` for values. Times are
text of one width in UTC, truth values are 0 and 1, and what is structured is JSON in text. Nothing relies on a
database's own numbering, clock, or row locks beyond those of an `UPDATE`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

Value: TypeAlias = str | int | float | None
Row: TypeAlias = tuple[Any, ...]


class Database(Protocol):
    """One database, used by many threads. `execute` and `rows` work inside a transaction of the calling thread only.

    Raises errors of `scurry.model.errors`, never the database library's own.
    """

    def execute(self, sql: str, *values: Value) -> int:
        """Run a statement. Returns how many rows it changed."""

    def rows(self, sql: str, *values: Value) -> list[Row]:
        """Run a query and return all of its rows."""

    def reading(self) -> AbstractContextManager[None]:
        """See one state of everything for the length of the block; inside another transaction: that one's."""

    def writing(self) -> AbstractContextManager[None]:
        """Write all of the block's changes durably at its end, or none if it raises. Inside another one: the same
        for this block, but durable only when the outermost one is."""

    def close(self) -> None:
        """Give back what is held open."""
