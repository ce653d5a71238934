"""kill -9 at any moment: what was said to be written is there, nothing is half there, and the next process goes on."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import msgspec

from scurry.journal.check import check
from scurry.journal.sqlite import SqliteJournal
from scurry.model.journal import OperationOutcome, RevisionOutcome
from scurry.testing.journal_story import APPLICATION, SetClock

ROUNDS = 40
WRITER = [sys.executable, "-m", "tests.journal.killed_writer"]
ROOT = Path(__file__).parents[2]


def test_a_writer_that_is_killed_at_any_moment_loses_nothing_that_it_was_told_is_written(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    chance = random.Random(20130101)
    for _ in range(ROUNDS):
        said = _write_until_killed(path, after=chance.randrange(40), moment_s=chance.uniform(0, 0.02))
        assert said, "the writer wrote nothing: it could not take over from the one that was killed before it"
        _see_that_all_is_there(path, said)
    with SqliteJournal.open(path, clock=SetClock()) as journal:
        history = journal.history(APPLICATION)
    assert history.next_revision > ROUNDS
    assert history.healthy


def _write_until_killed(path: Path, *, after: int, moment_s: float) -> list[list[Any]]:
    """Return all that the writer said, the last words after which it was killed included."""
    with subprocess.Popen([*WRITER, str(path)], stdout=subprocess.PIPE, cwd=ROOT) as writer:
        assert writer.stdout
        heard = [writer.stdout.readline() for _ in range(after + 1)]
        Event().wait(moment_s)  # into the middle of whatever it does then; a commit takes some milliseconds
        writer.kill()
        heard += writer.stdout.readlines()
    return [msgspec.json.decode(line) for line in heard if line.endswith(b"\n")]


def _see_that_all_is_there(path: Path, said: list[list[Any]]) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert all("has not ended" in problem.message for problem in check(path))
    with SqliteJournal.open(path, clock=SetClock(), read_only=True) as journal:
        operations = {record.id: record for record in journal.operations(APPLICATION, limit=10_000)}
        revisions = {revision.number: revision for revision in journal.revisions(APPLICATION, limit=10_000)}
        history = journal.history(APPLICATION)
    for what, number, *more in said:
        match what:
            case "revision":
                assert number in revisions
            case "operation":
                assert number in operations
            case "started":
                assert len(operations[number].steps) > more[0]
            case "finished":
                assert operations[number].steps[more[0]].outcome
            case "done":
                assert operations[number].outcome is OperationOutcome.DONE
    for record in operations.values():
        # One transaction wrote both.
        assert record.revision
        is_healthy = revisions[record.revision].outcome is RevisionOutcome.HEALTHY
        assert is_healthy == (record.outcome is OperationOutcome.DONE)
    landed = [entry for record in operations.values() for entry in record.steps if entry.outcome]
    assert history.resolved_submits == sum(entry.step.action == "submit" for entry in landed)
    assert history.resolved_triggers == sum(entry.step.action == "stop" for entry in landed)
