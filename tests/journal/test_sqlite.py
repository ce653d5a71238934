"""The SQLite journal passes the conformance suite."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from scurry.journal.sqlite import SqliteJournal
from scurry.testing.journal_conformance import JournalConformance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scurry.model.ports import Clock, Journal
    from scurry.testing.journal_concurrency import JournalFactory


class TestSqliteJournal(JournalConformance):
    @pytest.fixture
    def journal_factory(self, tmp_path: Path) -> Iterator[JournalFactory]:
        with ExitStack() as opened:

            def open_journal(*, clock: Clock, owner: str) -> Journal:
                return opened.enter_context(SqliteJournal.open(tmp_path / "journal.db", clock=clock, owner=owner))

            yield open_journal
