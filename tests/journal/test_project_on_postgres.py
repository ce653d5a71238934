"""A project whose journal is on PostgreSQL: the installed command, from scurry.yaml to the database and back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scurry.clock import SystemClock
from scurry.journal.postgres import PostgresJournal
from scurry.journal.postgres_server import Address
from scurry.journal.sqlite import SqliteJournal
from scurry.testing.journal_story import SetClock
from tests.journal.postgresql import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.journal.postgresql import PostgreSql

SCURRY = Path(sys.executable).with_name("scurry")

PROJECT = """\
target: mem
targets:
  mem: {{kind: memory}}
journal: {journal}
"""
SPEC = "name: orders\nflink: '2.3.0'\ncode: {jar: orders.jar}\nparallelism: 2\n"


@pytest.fixture
def run(tmp_path: Path, journal_url: str, postgresql: PostgreSql) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in a project with its password in the environment; see that nothing ever shows it."""
    database = journal_url.rpartition("/")[2]
    place = f"postgresql://scurry@127.0.0.1:{postgresql.port}/{database}"
    settings = f"{{url: '{place}', password: {{env: JOURNAL_PASSWORD}}}}"
    (tmp_path / "scurry.yaml").write_text(PROJECT.format(journal=settings))
    (tmp_path / "orders.yaml").write_text(SPEC)
    with zipfile.ZipFile(tmp_path / "orders.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMain-Class: com.example.Main\n")
        jar.writestr("com/example/Main.class", b"\xca\xfe\xba\xbe" + bytes(100))

    def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [SCURRY, *command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "JOURNAL_PASSWORD": PASSWORD, **environment},
        )
        assert PASSWORD not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def document(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)


def test_commands_write_to_the_database_and_read_from_it(run: Any, tmp_path: Path) -> None:
    assert document(run("status", "--json"))["applications"] == []
    done = run("apply", "orders.yaml", "--yes")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / ".scurry" / "journal.db").exists()
    [application] = document(run("status", "--json"))["applications"]
    assert (application["name"], application["revision"]) == ("orders", 1)
    assert len(document(run("history", "orders", "--json"))["operations"]) == 1
    assert run("plan", "orders.yaml", "--check").returncode == 0
    checked = run("journal", "check", "--json")
    assert checked.returncode == 0, checked.stdout
    assert document(checked)["path"].startswith("postgresql://scurry@127.0.0.1:")


def test_a_plan_after_a_crash_finds_out_in_a_copy_what_became_of_it(run: Any, journal_url: str) -> None:
    assert run("apply", "orders.yaml", "--yes").returncode == 0
    clock = SetClock()
    with PostgresJournal.open(Address.read(journal_url), clock=clock) as journal:
        with journal._database.writing():
            journal._database.execute("UPDATE operation SET finished_at = NULL, outcome = NULL")
        before = journal.history("orders")
        assert before.interrupted
        planned = run("plan", "orders.yaml")
        assert planned.returncode == 0, planned.stderr
        assert journal.history("orders") == before
        assert run("apply", "orders.yaml", "--yes").returncode == 0
        assert journal.history("orders").interrupted is None


def test_a_missing_or_wrong_password_is_told_with_its_place(run: Any) -> None:
    wrong = run("status", JOURNAL_PASSWORD="not it")
    assert wrong.returncode == 1
    assert "refuses user 'scurry'" in wrong.stderr
    missing = run("status", JOURNAL_PASSWORD="")
    assert missing.returncode == 1


@pytest.mark.parametrize(
    ("journal", "told"),
    [
        ("postgresql://me:secret@db/scurry", "the address holds a password"),
        ("postgresql://me@db/scurry?password=secret", "the address holds a password"),
        ("mysql://db/scurry", "is not an address of PostgreSQL"),
        ("{url: 'postgresql://db/scurry', path: journal.db}", "either path or url"),
        ("{path: journal.db, password: x}", "password needs url"),
    ],
)
def test_what_scurry_yaml_says_wrongly_about_the_journal_is_told(
    run: Any, tmp_path: Path, journal: str, told: str
) -> None:
    (tmp_path / "scurry.yaml").write_text(PROJECT.format(journal=journal))
    done = run("status")
    assert done.returncode == 1
    assert told in done.stderr
    assert "scurry.yaml:4:" in done.stderr


def test_a_whole_address_may_be_a_secret(run: Any, tmp_path: Path, journal_url: str) -> None:
    (tmp_path / "scurry.yaml").write_text(PROJECT.format(journal="{url: {env: JOURNAL_URL}}"))
    done = run("apply", "orders.yaml", "--yes", JOURNAL_URL=journal_url)
    assert done.returncode == 0, done.stderr
    with PostgresJournal.open(Address.read(journal_url), clock=SetClock(), read_only=True) as journal:
        assert journal.applications() == ("orders",)


@pytest.fixture
def moved(run: Any, tmp_path: Path) -> Any:
    """A project that had its journal in a file, with an application in it, and now says that it is in the database."""
    settings = (tmp_path / "scurry.yaml").read_text()
    (tmp_path / "scurry.yaml").write_text(settings.partition("journal:")[0])
    assert run("apply", "orders.yaml", "--yes").returncode == 0
    assert run("freeze", "orders", "--reason", "holidays").returncode == 0
    before = run("history", "orders", "--json").stdout
    (tmp_path / "scurry.yaml").write_text(settings)
    return before


FILE = ".scurry/journal.db"


def test_a_journal_moves_from_its_file_to_the_database(moved: str, run: Any, tmp_path: Path) -> None:
    assert document(run("status", "--json"))["applications"] == []
    done = run("journal", "move", FILE, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert document(done)["applications"] == ["orders"]
    assert run("history", "orders", "--json").stdout == moved
    assert run("plan", "orders.yaml", "--check").returncode == 0
    assert "holidays" in run("freeze").stdout
    assert not (tmp_path / FILE).exists()
    assert run("journal", "check", document(done)["kept"]).returncode == 0
    assert run("journal", "check").returncode == 0


def test_a_move_that_was_killed_before_its_end_goes_on(moved: str, run: Any, tmp_path: Path) -> None:
    saved = (tmp_path / FILE).read_bytes()
    assert run("journal", "move", FILE, "--yes").returncode == 0
    (tmp_path / f"{FILE}.moved").unlink()
    (tmp_path / FILE).write_bytes(saved)  # killed when the records were there, and the file not yet put aside
    done = run("journal", "move", FILE, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert document(done)["applications"] == []
    assert run("history", "orders", "--json").stdout == moved


def test_what_was_changed_on_both_sides_is_not_moved(moved: str, run: Any, tmp_path: Path) -> None:
    saved = (tmp_path / FILE).read_bytes()
    assert run("journal", "move", FILE, "--yes").returncode == 0
    assert run("thaw", "orders").returncode == 0
    assert run("stop", "orders", "--yes").returncode == 0
    (tmp_path / FILE).write_bytes(saved)
    before = run("history", "orders", "--json").stdout
    done = run("journal", "move", FILE, "--yes")
    assert done.returncode == 1
    assert "is in both journals, and they differ" in done.stderr
    assert run("history", "orders", "--json").stdout == before
    assert (tmp_path / FILE).exists()


def test_records_are_not_mixed_with_those_of_another_project(moved: str, run: Any, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(SPEC.replace("name: orders", "name: other"))
    assert run("apply", "other.yaml", "--yes").returncode == 0
    done = run("journal", "move", FILE, "--yes")
    assert done.returncode == 1
    assert "holds other applications already: other" in done.stderr
    assert (tmp_path / FILE).exists()


def test_what_somebody_is_at_work_with_is_not_moved(moved: str, run: Any, tmp_path: Path) -> None:
    with SqliteJournal.open(tmp_path / FILE, clock=SystemClock()) as journal:
        journal.acquire("orders", duration=timedelta(minutes=1))
        done = run("journal", "move", FILE, "--yes")
    assert done.returncode == 1
    assert "is being changed by" in done.stderr
    assert document(run("status", "--json"))["applications"] == []


@pytest.mark.parametrize(("file", "told"), [("nothing.db", "there is no journal"), ("scurry.yaml", "journal")])
def test_what_is_no_journal_is_not_moved(file: str, told: str, run: Any) -> None:
    done = run("journal", "move", file, "--yes")
    assert done.returncode == 1
    assert told in done.stderr


def test_the_projects_own_journal_has_nowhere_to_go(run: Any, tmp_path: Path) -> None:
    (tmp_path / "scurry.yaml").write_text((tmp_path / "scurry.yaml").read_text().partition("journal:")[0])
    assert run("apply", "orders.yaml", "--yes").returncode == 0
    done = run("journal", "move", FILE, "--yes")
    assert done.returncode == 1
    assert "is the project's journal" in done.stderr
