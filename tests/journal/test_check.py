"""`check` finds what is wrong with a journal, says it in words, and changes nothing."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from scurry.journal.check import check
from scurry.journal.sqlite import SqliteJournal
from scurry.model.journal import OperationOutcome
from scurry.testing.journal_story import SetClock, Story, savepoint

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of two applications that is whole."""
    path = tmp_path / "journal.db"
    with SqliteJournal.open(path, clock=SetClock(), owner="alice@here pid 1") as journal:
        for name in ("orders", "payments"):
            Story(journal, name).upgrade(1, "job-1", snapshot=savepoint("s1"))
    return path


def _change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def _messages(path: Path) -> str:
    return "\n".join(problem.message for problem in check(path))


def test_a_whole_journal_has_no_problems(path: Path) -> None:
    before = path.read_bytes()
    assert check(path) == []
    assert path.read_bytes() == before


def test_a_missing_journal_is_told_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "journal.db"
    [problem] = check(path)
    assert problem.message == "there is no journal"
    assert problem.place
    assert problem.place.file == str(path)
    assert not path.parent.exists()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM revision WHERE application = 'orders'", "'orders': its current revision 1 does not exist"),
        ("DELETE FROM revision WHERE application = 'orders'", "operation 1 is for revision 1, which does not exist"),
        (
            "DELETE FROM operation WHERE application = 'orders'",
            "'orders': step 1 of operation 1 belongs to no operation",
        ),
        ("DELETE FROM application WHERE id = 'orders'", "'orders' has revisions, but is not an application"),
        ("DELETE FROM application WHERE id = 'orders'", "'orders' has operations, but is not an application"),
        ("DELETE FROM application WHERE id = 'orders'", "'orders' has snapshots, but is not an application"),
        ("UPDATE application SET resolved_submits = 0", "'payments': 0 submits are counted as resolved, but 1 are"),
        ("UPDATE application SET resolved_triggers = 7", "7 stops and snapshots are counted as resolved, but 1 are"),
        ("UPDATE revision SET desired = '{}'", "revision 1 of 'orders': the journal is damaged"),
        ("UPDATE operation SET body = 'x'", "operation 1 of 'payments': the journal is damaged"),
        ("UPDATE step SET body = '[]'", "a step of operation 1 of 'orders': the journal is damaged"),
        ("UPDATE step SET outcome = '[]'", "the outcome of a step of operation 1 of 'orders': the journal is damaged"),
        ("UPDATE snapshot SET body = '[]'", "snapshot 'file:/savepoints/s1' of 'orders': the journal is damaged"),
        ("UPDATE meta SET value = '0' WHERE name = 'schema_version'", "it has version 0"),
        ("UPDATE meta SET value = '99' WHERE name = 'schema_version'", "newer than this one"),
        ("DROP TABLE meta", "it is not a journal of scurry"),
        ("DROP TABLE step", "no such table"),
    ],
)
def test_what_is_wrong_is_told(path: Path, statement: str, told: str) -> None:
    _change(path, statement)
    assert told in _messages(path)


def test_an_operation_that_is_open_is_told_with_who_began_it(path: Path) -> None:
    with SqliteJournal.open(
        path, clock=SetClock(at=SetClock().at.replace(hour=20)), owner="bob@there pid 2"
    ) as journal:
        Story(journal).begin_suspend()
    [problem] = check(path)
    assert "operation 2 (suspend) of 'orders', begun by bob@there pid 2 at 2026-03-01T20" in problem.message
    assert problem.hint
    assert "apply" in problem.hint
    with SqliteJournal.open(path, clock=SetClock(at=SetClock().at.replace(hour=23))) as journal:
        story = Story(journal)
        journal.finish_operation(story.lease, 2, OperationOutcome.INTERRUPTED)
    assert check(path) == []


def test_an_open_operation_behind_another_one_is_told(path: Path) -> None:
    with SqliteJournal.open(path, clock=SetClock(at=SetClock().at.replace(hour=20))) as journal:
        story = Story(journal)
        story.begin_suspend()
        story.end()
    _change(path, "UPDATE operation SET finished_at = NULL, outcome = NULL WHERE application = 'orders' AND number = 1")
    [problem] = check(path)
    assert problem.hint
    assert "hides it" in problem.hint


def test_a_page_that_was_overwritten_is_found(path: Path) -> None:
    _change(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    pages = path.stat().st_size // 4096
    found = 0
    for page in range(2, pages):
        whole = path.read_bytes()
        with path.open("r+b") as file:
            file.seek(page * 4096)
            file.write(os.urandom(4096))
        found += bool(check(path))
        path.write_bytes(whole)
    assert found == pages - 2
    assert check(path) == []


@pytest.mark.parametrize("content", [b"", b"text", bytes(8192)])
def test_what_is_no_journal_is_told(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    [problem] = check(path)
    assert "cannot be read" in problem.message
    assert path.read_bytes() == content
