"""The PostgreSQL journal passes the conformance suite, on a real server."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from scurry.journal.postgres import PostgresJournal
from scurry.journal.postgres_server import Address
from scurry.testing.journal_conformance import JournalConformance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.model.ports import Clock, Journal
    from scurry.testing.journal_concurrency import JournalFactory


class TestPostgresJournal(JournalConformance):
    @pytest.fixture
    def journal_factory(self, journal_url: str) -> Iterator[JournalFactory]:
        with ExitStack() as opened:

            def open_journal(*, clock: Clock, owner: str) -> Journal:
                address = Address.read(journal_url)
                return opened.enter_context(PostgresJournal.open(address, clock=clock, owner=owner, lease_clock=clock))

            yield open_journal
