"""Copies what is written about one application into an empty journal: to try out there what may not be written here."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from scurry.journal.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.journal.database import Database

_TABLES = {"application": "id", "revision": "application", "operation": "application"}
_TABLES |= {"step": "application", "snapshot": "application"}
"""each with the column that names the application, in the order in which they refer to each other"""


@contextmanager
def copied(source: Database, application: str) -> Iterator[Database]:
    """A database of its own, on this machine, with the rows of one application of any journal; gone after the block."""
    with TemporaryDirectory() as folder:
        copy = SqliteDatabase(Path(folder) / "journal.db", read_only=False)
        try:
            with source.reading(), copy.writing():
                _copy(source, copy, application)
            yield copy
        finally:
            copy.close()


def _copy(source: Database, to: Database, application: str) -> None:
    # The same lineage, so that the same marks are derived from it.
    for (lineage,) in source.rows("SELECT value FROM meta WHERE name = 'lineage'"):
        to.execute("UPDATE meta SET value = ? WHERE name = 'lineage'", lineage)
    copy_rows(source, to, application, columns=to)


def copy_rows(source: Database, to: Database, application: str, *, columns: Database) -> None:
    """Copy all rows of one application. `columns` is the one of the two that is an SQLite file, and can name them."""
    for table, key in _TABLES.items():
        names = ", ".join(name for (name,) in columns.rows("SELECT name FROM pragma_table_info(?)", table))
        marks = ", ".join("?" for _ in names.split(", "))
        for row in source.rows(f"SELECT {names} FROM {table} WHERE {key} = ?", application):
            to.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", *row)
