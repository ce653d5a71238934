"""A PostgreSQL server for all tests of the journal, and a database for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.journal.postgresql import PostgreSql

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """A server that is shared by all tests; one that stops or kills it starts its own."""
    with PostgreSql.running() as server:
        yield server


@pytest.fixture
def journal_url(postgresql: PostgreSql) -> Iterator[str]:
    """The address of an empty database."""
    database = postgresql.new_database()
    yield postgresql.url(database)
    postgresql.drop(database)
