"""The journal's conformance suite is judged by mutations: each way of being wrong below has to be found by it."""

from __future__ import annotations

import inspect
import itertools
import os
import shutil
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest

from scurry.journal import bookkeeping, leases, sqlite_file
from scurry.journal.sqlite import SqliteDatabase, SqliteJournal
from scurry.model.errors import ScurryError
from scurry.model.operation import Action, Outcome
from scurry.testing.journal_concurrency import ALICE, BOB
from scurry.testing.journal_conformance import JournalConformance
from scurry.testing.journal_story import SetClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scurry.journal.database import Row, Value
    from scurry.model.desired import Desired
    from scurry.model.journal import Lease, Revision
    from scurry.model.operation import Step
    from scurry.model.ports import Clock, Journal

SQL_MUTANTS = {
    "lease not checked": ("WHERE id = ? AND fencing = ? AND lease_owner <> ''", "WHERE id = ? AND ? IS NOT NULL"),
    "fencing ignored": ("AND fencing = ? AND lease_owner <> ''", "AND ? > 0 AND lease_owner <> ''"),
    "lease that was given back still writes": ("AND fencing = ? AND lease_owner <> ''", "AND fencing = ?"),
    "release by the loser frees the winner's lease": (
        "lease_expires_at = '' WHERE id = ? AND fencing = ?",
        "lease_expires_at = '' WHERE id = ? AND ? > 0",
    ),
    "release frees nothing": ("SET lease_owner = '', lease_expires_at = ''", "SET lease_owner = lease_owner"),
    "renewing prolongs nothing": (
        "SET lease_expires_at = ? WHERE",
        "SET lease_expires_at = COALESCE(lease_expires_at, ?) WHERE",
    ),
    "position not moved": ("position = position + ?,", "position = position + 0 * ?,"),
    "position of all applications moved": (
        "resolved_triggers = resolved_triggers + ? WHERE id = ?",
        "resolved_triggers = resolved_triggers + ? WHERE (1 = 1 OR id = ?)",
    ),
    "open step told as done": (
        "SELECT body, started_at, finished_at",
        "SELECT body, started_at, COALESCE(finished_at, started_at)",
    ),
    "open operation told as done": (
        "started_at, started_by, finished_at, outcome, error, gap_s",
        "started_at, started_by, COALESCE(finished_at, started_at), outcome, error, gap_s",
    ),
    "revisions and operations in reverse": ("ORDER BY number DESC LIMIT ?", "ORDER BY number LIMIT ?"),
    "steps in reverse": ("AND operation = ? ORDER BY ordinal", "AND operation = ? ORDER BY ordinal DESC"),
    "snapshots in the order in which they were found": (
        "ORDER BY taken_at DESC LIMIT 50",
        "ORDER BY rowid DESC LIMIT 50",
    ),
    "oldest snapshots told instead of the newest": ("ORDER BY taken_at DESC LIMIT 50", "ORDER BY taken_at LIMIT 50"),
    "snapshot drop ignored": ("dropped_at = excluded.dropped_at", "dropped_at = NULL"),
    "unknown snapshot that was dropped is told": (
        "WHERE application = ? AND dropped_at IS NULL",
        "WHERE application = ?",
    ),
    "revision keeps a dropped snapshot": ("revision.number AND dropped_at IS NULL", "revision.number"),
    "snapshot of no revision": ("SELECT current_revision, job_id", "SELECT NULL, job_id"),
    "snapshot of somebody else's job taken for ours": (
        "SELECT current_revision, job_id",
        "SELECT current_revision, 'x'",
    ),
    "another application's steps taken for ours": ("FROM step WHERE application = ?", "FROM step WHERE ? <> ''"),
    "stop not remembered": ("SET stopped = 1", "SET stopped = 0"),
    "stop remembered beyond the next submit": ("SET job_id = ?, stopped = 0", "SET job_id = ?, stopped = stopped"),
    "what was restored not remembered": ("restored = ? WHERE", "restored = COALESCE(NULL, restored, ?) WHERE"),
    "start without a revision forgets the current one": (
        "WHERE application = ? AND number = ?), current_revision) WHERE",
        "WHERE application = ? AND number = ?), NULL) WHERE",
    ),
    "end told twice counted twice": ("SELECT action, mark, finished_at,", "SELECT action, mark, NULL,"),
    "step begins in an ended operation": ("SELECT kind, finished_at, outcome", "SELECT kind, NULL, outcome"),
    "next operation begins while one is open": ("SELECT number, kind, finished_at", "SELECT number, kind, 'x'"),
    "way back looks at two healthy revisions only": (
        "newest_healthy = 1 AND number > ?",
        "outcome = 'healthy' AND number > ?",
    ),
    "revision that turned out bad is still healthy": (
        "UPDATE revision SET newest_healthy = 0 WHERE application = ? AND digest = ?",
        "UPDATE revision SET newest_healthy = newest_healthy WHERE application = ? AND digest = ? AND 1 = 0",
    ),
    "delete forgets nothing": (
        "forgotten_revision = (SELECT COALESCE(MAX(number), 0)",
        "forgotten_revision = (SELECT 0",
    ),
    "deleted application still known": ("SET deleted = 1", "SET deleted = 0"),
    "deleted application never known again": ("deleted = deleted * ?", "deleted = deleted + 0 * ?"),
    "deleted application's job is still the last": (
        "current_revision = NULL, job_id = NULL",
        "current_revision = NULL",
    ),
    "application that was only locked is known": ("WHERE position > 0 AND deleted", "WHERE deleted"),
    "gaps of failed upgrades count": ("AND outcome = 'done' AND gap_s", "AND gap_s"),
    "gaps of all operations count": ("AND kind = 'upgrade'", ""),
    "gaps of the first upgrades count": ("gap_s IS NOT NULL ORDER BY number DESC", "gap_s IS NOT NULL ORDER BY number"),
    "marks without those that are open": ("AND finished_at IS NULL ORDER BY operation", "AND 1 = 0 ORDER BY operation"),
    "marks of other steps": ("AND action = 'submit'", ""),
    "half of a transaction stays": ("ROLLBACK TO SAVEPOINT block", "SELECT 1"),
    "positions of what was deleted": (
        "position FROM application WHERE position > 0 AND deleted = 0",
        "position FROM application WHERE position > 0",
    ),
    "positions of what was only locked": (
        "position FROM application WHERE position > 0 AND",
        "position FROM application WHERE",
    ),
    "snapshots that were dropped are on the pages": ("dropped_at IS NULL AND taken_at < ?", "taken_at < ?"),
    "pages of snapshots overlap": ("dropped_at IS NULL AND taken_at < ?", "dropped_at IS NULL AND taken_at <= ?"),
    "a page of snapshots ends in the middle of a time": ("taken_at DESC, location", "taken_at DESC, location LIMIT 2"),
    "freezing again keeps the old reason": ("reason = excluded.reason", "reason = frozen.reason"),
    "thawing does nothing": ("DELETE FROM frozen WHERE scope = ?", "DELETE FROM frozen WHERE scope = ? AND 1 = 0"),
    "thawing thaws everything": ("DELETE FROM frozen WHERE scope = ?", "DELETE FROM frozen WHERE ? <> ''"),
    "attending again does not help": ("lives_until = excluded.lives_until", "lives_until = server.lives_until"),
    "a server that leaves stays": ("DELETE FROM server WHERE name = ?", "DELETE FROM server WHERE name = ? AND 1 = 0"),
    "lineage of its own for everybody": ("SELECT value FROM meta", "SELECT hex(randomblob(16)) FROM meta"),
}


class ReusesJudged(SqliteJournal):
    """Gives an equal wish its old number, whatever became of that revision."""

    def add_revision(self, lease: Lease, desired: Desired) -> Revision:
        equal = [revision for revision in self.revisions(lease.application) if revision.desired == desired]
        return equal[0] if equal else super().add_revision(lease, desired)


class CountsUnresolved(SqliteJournal):
    """Counts an attempt when it starts."""

    def start_step(self, lease: Lease, operation: int, step: Step) -> int:
        ordinal = super().start_step(lease, operation, step)
        with self.transaction():
            leases.hold(self._database, lease, moves=0, counts=bookkeeping.resolved(step.action))
        return ordinal


class CountsWhatLanded(SqliteJournal):
    """Counts an attempt only when it was no failure."""

    def finish_step(
        self, lease: Lease, operation: int, ordinal: int, *, outcome: Outcome | None = None, error: str | None = None
    ) -> None:
        super().finish_step(lease, operation, ordinal, outcome=outcome, error=error)
        if error:
            with self.transaction():
                leases.hold(self._database, lease, moves=0, counts=bookkeeping.resolved(Action.SUBMIT, times=-1))


class LandsWhatWasRefused(SqliteJournal):
    """Takes every end of a step for a success."""

    def finish_step(
        self, lease: Lease, operation: int, ordinal: int, *, outcome: Outcome | None = None, error: str | None = None
    ) -> None:
        super().finish_step(lease, operation, ordinal, outcome=outcome or Outcome(), error=error)


class LetsAnybodyIn(SqliteJournal):
    """Gives the lease to whoever asks."""

    @classmethod
    def mutate(cls, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(leases, "is_provably_dead", lambda _: True)


class NeverExpires(SqliteJournal):
    """Does not let go of an expired lease."""

    @classmethod
    def mutate(cls, patch: pytest.MonkeyPatch) -> None:
        free = leases._free
        patch.setattr(
            leases, "_free", lambda database, application, now: free(database, application, now.replace(year=2000))
        )


class IgnoresRescales(SqliteJournal):
    """Does not see that a rescale landed."""

    @classmethod
    def mutate(cls, patch: pytest.MonkeyPatch) -> None:
        land = bookkeeping.land

        def land_others(database: Any, application: str, landing: bookkeeping.Landing, **more: Any) -> None:
            if landing.action is not Action.RESCALE:
                land(database, application, landing, **more)

        patch.setattr(bookkeeping, "land", land_others)


class KeepsWhatWasDisposed(SqliteJournal):
    """Waits to be told that a snapshot is gone, though its dispose landed."""

    @classmethod
    def mutate(cls, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(bookkeeping, "_dispose", lambda *_: None)


CODE_MUTANTS = [
    ReusesJudged,
    CountsUnresolved,
    CountsWhatLanded,
    LandsWhatWasRefused,
    LetsAnybodyIn,
    NeverExpires,
    IgnoresRescales,
    KeepsWhatWasDisposed,
]


@pytest.fixture
def fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[type[SqliteJournal]], str | None]:
    """A function that runs the suite and returns the first promise that is broken."""
    # Durability is not what is judged here; and most of a journal's time is waiting for the disk.
    monkeypatch.setattr(sqlite_file, "PRAGMAS", tuple(pragma.replace("FULL", "OFF") for pragma in sqlite_file.PRAGMAS))
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_S", 0.5)

    def run(kind: type[SqliteJournal]) -> str | None:
        for number, (name, arguments) in enumerate(_promises()):
            folder = tmp_path / str(number)
            broken = _is_broken(name, arguments, folder, kind)
            shutil.rmtree(folder)
            if broken:
                return name
        return None

    return run


@pytest.mark.parametrize("mutant", SQL_MUTANTS)
def test_the_suite_finds_the_mutated_statement(
    mutant: str, fails: Callable[[type[SqliteJournal]], str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = SQL_MUTANTS[mutant]
    mutated: set[str] = set()

    def change(sql: str) -> str:
        if old in sql:
            mutated.add(sql)
        return sql.replace(old, new)

    execute, rows = SqliteDatabase.execute, SqliteDatabase.rows

    def execute_changed(self: SqliteDatabase, sql: str, *values: Value) -> int:
        return execute(self, change(sql), *values)

    def rows_changed(self: SqliteDatabase, sql: str, *values: Value) -> list[Row]:
        return rows(self, change(sql), *values)

    monkeypatch.setattr(SqliteDatabase, "execute", execute_changed)
    monkeypatch.setattr(SqliteDatabase, "rows", rows_changed)
    found = fails(SqliteJournal)
    assert mutated, "the mutated statement does not exist (any more)"
    assert found, f"no test of the suite fails when: {mutant}"


@pytest.mark.parametrize("mutant", CODE_MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_suite_finds_the_mutant(
    mutant: type[SqliteJournal],
    fails: Callable[[type[SqliteJournal]], str | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    getattr(mutant, "mutate", lambda _: None)(monkeypatch)
    assert fails(mutant), f"no test of the suite fails for a journal that {mutant.__doc__}"


def test_the_suite_finds_nothing_wrong_with_the_original(
    fails: Callable[[type[SqliteJournal]], str | None],
) -> None:
    assert fails(SqliteJournal) is None


def _promises() -> Iterator[tuple[str, dict[str, Any]]]:
    """Return each test of the suite with each set of its parameters."""
    for name, promise in inspect.getmembers(JournalConformance, inspect.isfunction):
        if not name.startswith("test_"):
            continue
        marks = [mark for mark in getattr(promise, "pytestmark", []) if mark.name == "parametrize"]
        choices = [[(mark.args[0], value) for value in mark.args[1]] for mark in marks]
        for chosen in itertools.product(*choices):
            yield name, dict(chosen)


def _is_broken(name: str, arguments: dict[str, Any], folder: Path, kind: type[SqliteJournal]) -> bool:
    promise = getattr(JournalConformance(), name)
    clock = SetClock()
    with ExitStack() as opened:

        def open_journal(*, clock: Clock, owner: str) -> Journal:
            return opened.enter_context(kind.open(folder / "journal.db", clock=clock, owner=owner))

        given = {
            "clock": clock,
            "journal_factory": open_journal,
            "journal": open_journal(clock=clock, owner=ALICE),
            "other": open_journal(clock=clock, owner=BOB),
            **arguments,
        }
        wanted = inspect.signature(promise).parameters
        with suppress(AssertionError, ScurryError, IndexError, pytest.fail.Exception):
            promise(**{argument: given[argument] for argument in wanted})
            return False
    return True
