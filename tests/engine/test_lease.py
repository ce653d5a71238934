"""Keeping a lease while the journal's server comes and goes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from scurry.engine import lease as leases
from scurry.journal.sqlite import SqliteJournal
from scurry.model.errors import JournalUnavailable
from scurry.model.journal import Intent, Lease
from scurry.model.reporting import SilentReporter
from scurry.testing.journal_story import APPLICATION, SetClock

TRIES = 3


class AwayForAWhile(SqliteJournal):
    """Cannot be reached the first times that a lease is to be renewed, nor when it is to be given back."""

    renewals = 0
    renewed = Event()

    def renew(self, lease: Lease, *, duration: timedelta) -> Lease:
        self.renewals += 1
        if self.renewals <= TRIES:
            raise JournalUnavailable("away")
        kept = super().renew(lease, duration=duration)
        self.renewed.set()
        return kept

    def release(self, lease: Lease) -> None:
        raise JournalUnavailable("away")


def test_a_lease_is_kept_though_the_journal_is_away_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE", timedelta(seconds=0.03))
    monkeypatch.setattr(leases, "_POLL_S", 0.01)
    clock = SetClock()
    with AwayForAWhile.open(tmp_path / "journal.db", clock=clock) as journal:
        assert isinstance(journal, AwayForAWhile)
        with leases.held(APPLICATION, journal=journal, clock=clock, reporter=SilentReporter()) as lease:
            assert journal.renewed.wait(60)
            journal.set_intent(lease, Intent.RUN)
        assert journal.renewals > TRIES
