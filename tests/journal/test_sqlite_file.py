"""The file that a journal is in: made whole or not at all, not harmed by a look, clear about what is wrong with it."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scurry.journal import schema, sqlite_file
from scurry.journal.sqlite import SqliteJournal
from scurry.model.errors import JournalDamaged, JournalError, JournalTooNew, WorkspaceError
from scurry.model.journal import Intent
from scurry.testing.journal_story import APPLICATION, MINUTE, SetClock, Story, savepoint, wish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scurry.model.journal import Lease

NOBODY = 65534


def open_journal(path: Path, *, read_only: bool = False) -> SqliteJournal:
    return SqliteJournal.open(path, clock=SetClock(), read_only=read_only)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with something in it."""
    path = tmp_path / "journal.db"
    with open_journal(path) as journal:
        Story(journal).upgrade(1, "job-1", snapshot=savepoint("s1"))
    return path


def _meta(path: Path, **facts: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for name, value in facts.items():
            connection.execute("UPDATE meta SET value = ? WHERE name = ?", (value, name))


# Made whole or not at all ------------------------------------------------------------------------------------------


def test_opening_makes_the_journal_and_its_directory(tmp_path: Path) -> None:
    path = tmp_path / "with space" / "100% #1?" / "journal.db"
    with open_journal(path) as journal:
        Story(journal).revise(1)
    assert [entry.name for entry in path.parent.iterdir()] == ["journal.db"]
    with open_journal(path, read_only=True) as journal:
        assert journal.history(APPLICATION).next_revision == 2


def test_all_who_make_a_journal_at_once_get_the_same_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "journal.db"
    barrier = threading.Barrier(8)
    found: list[str] = []

    def make(name: str) -> None:
        barrier.wait()
        with open_journal(path) as journal:
            Story(journal, name).revise(1)
            found.append(journal.history(name).lineage)

    threads = [threading.Thread(target=make, args=(f"application-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    with open_journal(path) as journal:
        assert len(journal.applications()) == 8
    assert [entry.name for entry in path.parent.iterdir()] == ["journal.db"]


def test_a_commit_is_on_the_disk_before_it_returns(path: Path) -> None:
    with closing(sqlite_file.connect_to_write(path)) as connection:
        told = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert told == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


# Looking changes nothing -------------------------------------------------------------------------------------------


def test_looking_at_a_journal_that_is_not_there_shows_an_empty_one_and_makes_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".scurry" / "journal.db"
    with open_journal(path, read_only=True) as journal:
        assert journal.applications() == ()
        history = journal.history(APPLICATION)
        assert (history.position, history.lineage, history.intent) == (0, "", Intent.ABSENT)
        assert journal.revisions(APPLICATION) == ()
        assert not path.parent.exists()
        with open_journal(path) as writer:
            Story(writer).revise(1)
        assert journal.history(APPLICATION).next_revision == 2


def test_looking_at_a_journal_changes_nothing_in_it(path: Path) -> None:
    before = path.read_bytes(), path.stat().st_mtime_ns
    with open_journal(path, read_only=True) as journal:
        assert journal.history(APPLICATION).job_id == "job-1"
        assert len(journal.operations(APPLICATION)) == 1
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_who_only_looks_cannot_write(path: Path) -> None:
    with open_journal(path, read_only=True) as journal:
        for write in (_acquire, _enter):
            with pytest.raises(JournalError, match="reading only"):
                write(journal)


def _acquire(journal: SqliteJournal) -> None:
    journal.acquire("other", duration=MINUTE)


def _enter(journal: SqliteJournal) -> None:
    with journal.transaction():
        pass


def test_looking_sees_what_a_writer_has_not_yet_put_into_the_main_file(path: Path) -> None:
    with open_journal(path) as writer, open_journal(path, read_only=True) as reader:
        lease = writer.acquire("late", duration=MINUTE)
        writer.add_revision(lease, wish(application="late"))
        assert reader.applications() == ("late", APPLICATION)


# Versions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read_only", [False, True])
def test_a_journal_of_a_newer_scurry_is_refused_untouched(path: Path, *, read_only: bool) -> None:
    _meta(path, schema_version="99", written_by="12.3.4")
    before = path.read_bytes()
    with (
        pytest.raises(JournalTooNew, match=r"scurry 12\.3\.4.*nothing was touched"),
        open_journal(path, read_only=read_only) as journal,
    ):
        journal.history(APPLICATION)
    assert path.read_bytes() == before


@pytest.fixture
def newer_scurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scurry whose journal has one table more."""
    migrations = (*schema.MIGRATIONS, ("CREATE TABLE note (text TEXT)", "INSERT INTO note (text) VALUES ('new')"))
    for module in (schema, sqlite_file):
        monkeypatch.setattr(module, "MIGRATIONS", migrations)
    monkeypatch.setattr(schema, "__version__", "0.2.0")


@pytest.mark.usefixtures("newer_scurry")
def test_an_older_journal_is_brought_up_to_date_once_with_all_that_is_in_it(path: Path) -> None:
    threads = [threading.Thread(target=lambda: open_journal(path).close()) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open_journal(path) as journal:
        assert journal.history(APPLICATION).job_id == "job-1"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT text FROM note").fetchall() == [("new",)]
        facts = dict(connection.execute("SELECT name, value FROM meta"))
    assert (facts["schema_version"], facts["written_by"]) == (str(len(schema.MIGRATIONS)), "0.2.0")


@pytest.mark.usefixtures("newer_scurry")
def test_an_older_journal_can_be_looked_at_as_it_is(path: Path) -> None:
    before = path.read_bytes()
    with open_journal(path, read_only=True) as journal:
        history = journal.history(APPLICATION)
    assert history.job_id == "job-1"
    assert len(history.lineage) == 32
    assert path.read_bytes() == before


def test_a_migration_that_fails_leaves_the_journal_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = (*schema.MIGRATIONS, ("CREATE TABLE note (text TEXT)", "INSERT INTO nowhere VALUES (1)"))
    with monkeypatch.context() as patch:
        for module in (schema, sqlite_file):
            patch.setattr(module, "MIGRATIONS", broken)
        with pytest.raises(JournalError, match="nowhere"):
            open_journal(path)
    with open_journal(path) as journal:
        assert journal.history(APPLICATION).job_id == "job-1"


# Damage ------------------------------------------------------------------------------------------------------------


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _other_database(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE customer (name TEXT)")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a journal at all\n" * 100),
    "truncated": _truncate,
    "truncated to less than a page": lambda path: os.truncate(path, 1000),
    "header of SQLite, then noise": lambda path: path.write_bytes(path.read_bytes()[:100] + b"\xa5" * 8192),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "somebody else's database": _other_database,
    "no version": lambda path: _meta(path, schema_version="x"),
}


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_no_journal_is_refused_and_left_as_it_is(path: Path, damage: str, *, read_only: bool) -> None:
    DAMAGES[damage](path)
    before = path.read_bytes()
    with (
        pytest.raises(JournalDamaged, match=r"journal\.db") as caught,
        open_journal(path, read_only=read_only) as journal,
    ):
        journal.history(APPLICATION)
    assert caught.value.hint
    assert "scurry journal check" in caught.value.hint
    assert path.read_bytes() == before


@pytest.mark.parametrize("statement", ["UPDATE revision SET desired = '{'", "UPDATE revision SET outcome = 'odd'"])
def test_a_record_that_cannot_be_read_is_damage(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    with open_journal(path) as journal, pytest.raises(JournalDamaged):
        journal.history(APPLICATION)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_journal_that_is_gone_but_for_its_log_is_not_replaced_by_an_empty_one(path: Path, *, read_only: bool) -> None:
    log = path.with_name("journal.db-wal")
    path.rename(log)
    with (
        pytest.raises(JournalDamaged, match="is gone, but its log"),
        open_journal(path, read_only=read_only) as journal,
    ):
        journal.history(APPLICATION)
    assert not path.exists()


# Rights, room and other processes ----------------------------------------------------------------------------------


def test_a_directory_is_no_journal(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="is a directory"):
        open_journal(tmp_path)


def test_a_file_where_the_directory_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WorkspaceError, match=r"file/journal\.db"):
        open_journal(tmp_path / "file" / "journal.db")


@pytest.fixture
def foreign(path: Path) -> Iterator[Path]:
    """The journal in a workspace where we may read and not write."""
    # pytest's own directories are closed to other users; the one that only reads has to get at it.
    place = Path(tempfile.mkdtemp(prefix="scurry-foreign-"))
    shutil.copy(path, place / "journal.db")
    (place / "journal.db").chmod(0o444)
    place.chmod(0o555)
    yield place / "journal.db"
    place.chmod(0o755)
    shutil.rmtree(place)


def _as_somebody_else(path: Path, *, read_only: bool) -> str:
    """Open the journal in a process without rights to it (root, who has all rights, becomes nobody for it)."""
    code = f"""
        import getpass, os, pwd
        from pathlib import Path
        from scurry.journal.sqlite import SqliteJournal
        from scurry.model.errors import ScurryError
        from scurry.testing.journal_story import SetClock
        if os.getuid() == 0:
            os.setuid({NOBODY})
        try:
            with SqliteJournal.open(Path({str(path)!r}), clock=SetClock(), read_only={read_only}) as journal:
                print("job", journal.history("orders").job_id)
        except ScurryError as error:
            print(type(error).__name__, error.message, error.hint)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, capture_output=True, text=True)
    return done.stdout


def test_a_journal_of_another_user_is_refused_with_its_owners_name(foreign: Path) -> None:
    told = _as_somebody_else(foreign, read_only=False)
    assert told.startswith("WorkspaceError")
    assert "no right to write" in told
    assert f"belongs to user {foreign.owner()!r}" in told


def test_a_workspace_of_another_user_gets_no_journal(foreign: Path) -> None:
    told = _as_somebody_else(foreign.parent / "sub" / "journal.db", read_only=False)
    assert told.startswith("WorkspaceError")
    assert f"belongs to user {foreign.owner()!r}" in told


def test_a_journal_of_another_user_can_be_looked_at(foreign: Path) -> None:
    assert _as_somebody_else(foreign, read_only=True) == "job job-1\n"
    assert [entry.name for entry in foreign.parent.iterdir()] == ["journal.db"]


def test_a_full_disk_is_told_and_harms_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = path.stat().st_size // 4096
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_file, "PRAGMAS", (*sqlite_file.PRAGMAS, f"PRAGMA max_page_count = {pages + 2}"))
        with open_journal(path) as journal:
            lease = journal.acquire("full", duration=MINUTE)
            before = journal.history("full")
            with pytest.raises(WorkspaceError, match="no room on the disk"), journal.transaction():
                _fill(journal, lease)
            assert journal.history("full") == before
    with open_journal(path) as journal:
        assert journal.history(APPLICATION).job_id == "job-1"
        journal.add_revision(lease, wish(application="full"))


def test_nothing_more_is_written_in_a_transaction_that_the_database_undid(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = path.stat().st_size // 4096
    monkeypatch.setattr(sqlite_file, "PRAGMAS", (*sqlite_file.PRAGMAS, f"PRAGMA max_page_count = {pages + 2}"))
    with open_journal(path) as journal:
        lease = journal.acquire("full", duration=MINUTE)
        before = journal.history("full")
        with pytest.raises(JournalError, match="was undone"):
            _go_on_after_a_full_disk(journal, lease)
        assert journal.history("full") == before


def _fill(journal: SqliteJournal, lease: Lease) -> None:
    for number in range(1000):
        journal.add_revision(lease, wish(number, "full"))


def _go_on_after_a_full_disk(journal: SqliteJournal, lease: Lease) -> None:
    with journal.transaction():
        with pytest.raises(WorkspaceError):
            _fill(journal, lease)
        journal.set_intent(lease, Intent.RUN)


def test_a_disk_that_takes_no_more_bytes_is_told_and_harms_nothing(path: Path) -> None:
    code = f"""
        from pathlib import Path
        from scurry.journal.sqlite import SqliteJournal
        from scurry.model.errors import ScurryError
        from scurry.testing.journal_story import SetClock, Story
        with SqliteJournal.open(Path({str(path)!r}), clock=SetClock()) as journal:
            story = Story(journal, "full")
            try:
                for number in range(10000):
                    story.revise(number)
                    print(number, flush=True)
            except ScurryError as error:
                print(type(error).__name__, error.message)
    """
    room = path.stat().st_size + 200_000
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
        check=True,
        capture_output=True,
        text=True,
    )
    *written, told = done.stdout.splitlines()
    assert told.startswith(("WorkspaceError", "JournalError"))
    assert "journal.db" in told
    with open_journal(path) as journal:
        assert journal.history("full").next_revision == len(written) + 1


def test_a_writer_that_never_ends_is_told_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_S", 0.1)
    with open_journal(path) as stuck, open_journal(path) as journal, stuck.transaction():
        with pytest.raises(JournalError, match="being written by another process"):
            journal.acquire("other", duration=MINUTE)
        assert journal.history(APPLICATION).job_id == "job-1"


def test_a_name_that_no_file_can_have_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="too long"):
        open_journal(tmp_path / ("x" * 300))
