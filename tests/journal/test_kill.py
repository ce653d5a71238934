"""kill -9 at any moment: what was said to be written is there, nothing is half there, and the next process goes on."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from scurry.journal.check import check
from scurry.journal.postgres_check import check as check_on_server
from scurry.journal.postgres_server import Address
from scurry.model.journal import OperationOutcome, RevisionOutcome
from scurry.testing.journal_story import APPLICATION
from tests.journal.killed_writer import open_journal
from tests.journal.postgresql import PostgreSql

if TYPE_CHECKING:
    from scurry.model.errors import Problem

ROUNDS = 40
SERVER_ROUNDS = 12
WRITER = [sys.executable, "-m", "tests.journal.killed_writer"]
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "journal.db")
    return str(request.getfixturevalue("journal_url"))


def test_a_writer_that_is_killed_at_any_moment_loses_nothing_that_it_was_told_is_written(place: str) -> None:
    chance = random.Random(20130101)
    for _ in range(ROUNDS):
        said = _write_until_killed(place, after=chance.randrange(40), moment_s=chance.uniform(0, 0.02))
        assert said, "the writer wrote nothing: it could not take over from the one that was killed before it"
        _see_that_all_is_there(place, said)
    with open_journal(place) as journal:
        history = journal.history(APPLICATION)
    assert history.next_revision > ROUNDS
    assert history.healthy


def test_a_database_server_that_is_killed_at_any_moment_loses_nothing_that_it_said_is_written() -> None:
    chance = random.Random(20130102)
    said: list[list[Any]] = []
    with PostgreSql.running() as server:
        place = server.url(server.new_database())
        with subprocess.Popen([*WRITER, place], stdout=subprocess.PIPE, cwd=ROOT) as writer:
            assert writer.stdout
            for _ in range(SERVER_ROUNDS):
                said += [msgspec.json.decode(writer.stdout.readline()) for _ in range(chance.randrange(10, 60))]
                Event().wait(chance.uniform(0, 0.02))
                server.kill()
                server.start()
            said += [msgspec.json.decode(writer.stdout.readline()) for _ in range(100)]
            writer.kill()
        _see_that_all_is_there(place, [words for words in said if words[0] != "lost"])
        assert any(words[0] == "done" for words in said[-100:]), "the writer went on with the server that was back"
        assert any(words[0] == "lost" for words in said), "no kill came in the middle of a write"


def _write_until_killed(place: str, *, after: int, moment_s: float) -> list[list[Any]]:
    """Return all that the writer said, the last words after which it was killed included."""
    with subprocess.Popen([*WRITER, place], stdout=subprocess.PIPE, cwd=ROOT) as writer:
        assert writer.stdout
        heard = [writer.stdout.readline() for _ in range(after + 1)]
        Event().wait(moment_s)  # into the middle of whatever it does then; a commit takes some milliseconds
        writer.kill()
        heard += writer.stdout.readlines()
    return [msgspec.json.decode(line) for line in heard if line.endswith(b"\n")]


def _problems(place: str) -> list[Problem]:
    if "://" in place:
        return check_on_server(Address.read(place))
    with closing(sqlite3.connect(place)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return check(Path(place))


def _see_that_all_is_there(place: str, said: list[list[Any]]) -> None:
    assert all("has not ended" in problem.message for problem in _problems(place))
    with open_journal(place, read_only=True) as journal:
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
