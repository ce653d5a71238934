"""A lease whose holder is provably dead is taken at once; in any doubt the holder lives until its lease expires."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing, contextmanager
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

import psutil
import pytest

from scurry.journal.process import default_owner
from scurry.journal.sqlite import SqliteJournal
from scurry.model.errors import ApplicationLocked, LeaseLost
from scurry.model.journal import Intent
from scurry.testing.journal_story import APPLICATION, MINUTE, SetClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLDER = """
    import sys
    from pathlib import Path
    from scurry.journal.sqlite import SqliteJournal
    from scurry.testing.journal_story import MINUTE, SetClock
    with SqliteJournal.open(Path(sys.argv[1]), clock=SetClock()) as journal:
        print(journal.acquire("orders", duration=60 * MINUTE).fencing, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@contextmanager
def _holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lease."""
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "1\n"
        try:
            yield process
        finally:
            process.kill()


def _await_its_end(pid: int) -> None:
    deadline = monotonic() + 60
    while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert monotonic() < deadline
        Event().wait(0.01)


def _set(path: Path, **columns: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for name, value in columns.items():
            connection.execute(f"UPDATE application SET {name} = ?", (value,))


def _take(path: Path) -> int:
    with SqliteJournal.open(path, clock=SetClock()) as journal:
        return journal.acquire(APPLICATION, duration=MINUTE).fencing


def test_the_lease_of_a_process_that_lives_is_not_taken_and_it_is_named(path: Path) -> None:
    with _holder(path) as holder, pytest.raises(ApplicationLocked) as caught:
        _take(path)
    user, _, _ = default_owner().partition(" pid ")
    assert caught.value.owner == f"{user} pid {holder.pid}"


def test_the_lease_of_a_process_that_was_killed_is_taken_at_once(path: Path) -> None:
    with _holder(path) as holder:
        holder.kill()
        holder.wait()
        assert _take(path) == 2


def test_a_killed_process_that_was_not_collected_yet_is_dead(path: Path) -> None:
    with _holder(path) as holder:
        holder.kill()
        assert holder.stdout
        assert holder.stdout.read() == ""  # the end of its output: it is going, and stays in the process table
        _await_its_end(holder.pid)
        assert _take(path) == 2


def test_the_lease_of_a_process_that_is_stopped_is_not_taken(path: Path) -> None:
    with _holder(path) as holder:
        holder.send_signal(signal.SIGSTOP)
        with pytest.raises(ApplicationLocked):
            _take(path)


def test_a_process_that_got_the_pid_of_a_dead_one_is_not_that_one(path: Path) -> None:
    with _holder(path):
        _set(path, lease_process_start="1")
        assert _take(path) == 2


def test_a_process_whose_start_is_not_known_lives_while_its_pid_does(path: Path) -> None:
    with _holder(path):
        _set(path, lease_process_start="")
        with pytest.raises(ApplicationLocked):
            _take(path)


def test_nothing_is_known_of_a_process_on_another_host(path: Path) -> None:
    with _holder(path) as holder:
        holder.kill()
        holder.wait()
        _set(path, lease_host="elsewhere")
        with pytest.raises(ApplicationLocked):
            _take(path)


def test_who_was_taken_over_while_it_was_paused_writes_nothing(path: Path) -> None:
    clock = SetClock()
    with SqliteJournal.open(path, clock=clock) as paused, SqliteJournal.open(path, clock=clock) as other:
        lease = paused.acquire(APPLICATION, duration=MINUTE)
        clock.sleep(3600)
        other.acquire(APPLICATION, duration=MINUTE)
        with pytest.raises(LeaseLost):
            paused.set_intent(lease, Intent.RUN)
        assert other.history(APPLICATION).intent is Intent.ABSENT
