"""A process that is paused, or whose clock is wrong, does no harm: real processes, on SQLite and on PostgreSQL."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from scurry.journal.postgres import PostgresJournal
from scurry.journal.postgres_server import Address
from scurry.model.errors import ApplicationLocked
from scurry.model.journal import Intent
from scurry.testing.journal_story import APPLICATION, MINUTE, SetClock
from tests.journal.told_writer import open_journal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.journal.sql_journal import SqlJournal
    from scurry.model.journal import Lease

ROOT = Path(__file__).parents[2]
LEASE_S = 1.0
PATIENCE_S = 60.0


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "journal.db")
    return str(request.getfixturevalue("journal_url"))


class Writer:
    """A process that writes when it is told to."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def hear(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def say(self, word: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def told(self, word: str) -> str:
        self.say(word)
        return self.hear()


@contextmanager
def writer(place: str, *, before: str = "") -> Iterator[Writer]:
    program = f"{before}\nfrom tests.journal.told_writer import main\nmain({place!r}, {LEASE_S})"
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        writing = Writer(process)
        assert writing.hear() == "open"
        try:
            yield writing
        finally:
            process.kill()


def acquired_when_free(journal: SqlJournal) -> Lease:
    deadline = monotonic() + PATIENCE_S
    while True:
        try:
            return journal.acquire(APPLICATION, duration=MINUTE)
        except ApplicationLocked:
            assert monotonic() < deadline
            Event().wait(0.05)


def test_who_was_paused_past_its_lease_writes_nothing_when_it_wakes(place: str) -> None:
    with writer(place) as paused, open_journal(place) as journal:
        assert paused.told("acquire") == "done"
        assert paused.told("write") == "done"
        paused.process.send_signal(signal.SIGSTOP)
        with pytest.raises(ApplicationLocked):
            journal.acquire(APPLICATION, duration=MINUTE)
        lease = acquired_when_free(journal)
        journal.set_intent(lease, Intent.SUSPEND)
        before = journal.history(APPLICATION)
        paused.process.send_signal(signal.SIGCONT)
        assert paused.told("write").startswith("LeaseLost: the right to change 'orders'")
        assert paused.told("acquire").startswith("ApplicationLocked")
        assert journal.history(APPLICATION) == before


def test_of_many_processes_that_want_the_lease_at_once_one_gets_it(place: str) -> None:
    open_journal(place).close()
    processes = [writer(place) for _ in range(4)]
    writers = [process.__enter__() for process in processes]
    try:
        for each in writers:
            each.say("acquire")
        answers = sorted(each.hear().partition(":")[0] for each in writers)
        assert answers == ["ApplicationLocked"] * 3 + ["done"]
    finally:
        for process in processes:
            process.__exit__(None, None, None)


def test_who_is_paused_in_a_transaction_keeps_nobody_waiting_for_long(journal_url: str) -> None:
    quick = "from scurry.journal import postgres_server\npostgres_server.IDLE_TIMEOUT_S = 1"
    with writer(journal_url, before=quick) as paused, open_journal(journal_url) as journal:
        assert paused.told("acquire") == "done"
        assert paused.told("transaction") == "in it"
        paused.process.send_signal(signal.SIGSTOP)
        lease = acquired_when_free(journal)  # waits for the row until the server undoes the transaction
        journal.set_intent(lease, Intent.SUSPEND)
        paused.process.send_signal(signal.SIGCONT)
        assert "paused for more than" in paused.told("go on")
        assert journal.history(APPLICATION).intent is Intent.SUSPEND
        assert paused.told("write").startswith("LeaseLost")


@pytest.mark.parametrize("off", [timedelta(hours=-2), timedelta(hours=2)])
def test_hosts_whose_clocks_differ_agree_about_leases_and_servers(journal_url: str, off: timedelta) -> None:
    address, wrong = Address.read(journal_url), SetClock(at=datetime.now(UTC) + off)
    with open_journal(journal_url) as right, PostgresJournal.open(address, clock=wrong) as other:
        lease = right.acquire(APPLICATION, duration=MINUTE)
        with pytest.raises(ApplicationLocked):
            other.acquire(APPLICATION, duration=MINUTE)
        right.release(lease)
        theirs = other.acquire(APPLICATION, duration=MINUTE)
        assert abs(theirs.expires_at - datetime.now(UTC) - MINUTE) < MINUTE
        with pytest.raises(ApplicationLocked):
            right.acquire(APPLICATION, duration=MINUTE)
        right.attend("a", duration=MINUTE)
        assert other.attend("b", duration=MINUTE) == ("a", "b")
        assert right.attend("a", duration=MINUTE) == ("a", "b")
