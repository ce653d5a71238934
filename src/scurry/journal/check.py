"""Looks a journal over and tells all that is wrong with it. Changes nothing."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from scurry.journal import rows
from scurry.journal.schema import MIGRATIONS
from scurry.journal.sqlite_file import LOOK, REPLACE, connect_as_it_is, translated, version
from scurry.model.desired import Desired
from scurry.model.errors import JournalDamaged, Place, Problem, ScurryError
from scurry.model.operation import Outcome, Step
from scurry.model.snapshot import Snapshot

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from scurry.journal.database import Row

_OPEN = """
    SELECT number, kind, application, started_by, started_at,
        number = (SELECT MAX(number) FROM operation AS newer WHERE newer.application = operation.application)
    FROM operation WHERE finished_at IS NULL ORDER BY application, number
"""
_ORPHANS = {
    "{0!r}: its current revision {1} does not exist": """
        SELECT id, current_revision FROM application WHERE current_revision IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM revision WHERE application = application.id AND number = application.current_revision)
    """,
    "{0!r}: step {2} of operation {1} belongs to no operation": """
        SELECT application, operation, ordinal FROM step WHERE NOT EXISTS (
            SELECT 1 FROM operation WHERE operation.application = step.application AND number = step.operation)
    """,
    "{0!r}: operation {1} is for revision {2}, which does not exist": """
        SELECT application, number, revision FROM operation WHERE revision IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM revision WHERE revision.application = operation.application
            AND revision.number = operation.revision)
    """,
    "{0!r} has revisions, but is not an application here": """
        SELECT DISTINCT application FROM revision WHERE application NOT IN (SELECT id FROM application)
    """,
    "{0!r} has operations, but is not an application here": """
        SELECT DISTINCT application FROM operation WHERE application NOT IN (SELECT id FROM application)
    """,
    "{0!r} has snapshots, but is not an application here": """
        SELECT DISTINCT application FROM snapshot WHERE application NOT IN (SELECT id FROM application)
    """,
}
# A count that is too low would choose a mark again that was used, and the next submit would be refused for ever.
_COUNTS = {
    "{0!r}: {1} submits are counted as resolved, but {2} are": """
        SELECT id, resolved_submits, found FROM (
            SELECT id, resolved_submits, (SELECT COUNT(*) FROM step WHERE application = application.id
                AND action = 'submit' AND finished_at IS NOT NULL) AS found FROM application
        ) AS counted WHERE resolved_submits <> found
    """,
    "{0!r}: {1} stops and snapshots are counted as resolved, but {2} are": """
        SELECT id, resolved_triggers, found FROM (
            SELECT id, resolved_triggers, (SELECT COUNT(*) FROM step WHERE application = application.id
                AND action IN ('stop', 'snapshot') AND finished_at IS NOT NULL) AS found FROM application
        ) AS counted WHERE resolved_triggers <> found
    """,
}
_RECORDS: tuple[tuple[str, str, Any], ...] = (
    ("revision {1} of {0!r}", "SELECT application, number, desired FROM revision", Desired),
    ("operation {1} of {0!r}", "SELECT application, number, body FROM operation", None),
    ("a step of operation {1} of {0!r}", "SELECT application, operation, body FROM step", Step),
    (
        "the outcome of a step of operation {1} of {0!r}",
        "SELECT application, operation, outcome FROM step WHERE outcome IS NOT NULL",
        Outcome,
    ),
    ("snapshot {1!r} of {0!r}", "SELECT application, location, body FROM snapshot", Snapshot),
)


def check(path: Path) -> list[Problem]:
    """Return what is wrong with a journal, worst first; empty when it is whole and nothing is left open in it.

    Reads all of it, and raises nothing: that it cannot be read is a problem like the others.
    """
    place = Place(file=str(path))
    try:
        with translated(path):
            return [Problem(message=problem.message, place=place, hint=problem.hint) for problem in _problems(path)]
    except ScurryError as error:
        hint = REPLACE if isinstance(error, JournalDamaged) and error.hint == f"{LOOK}\n{REPLACE}" else error.hint
        return [Problem(message=error.message, place=place, hint=hint)]


def _problems(path: Path) -> Iterator[Problem]:
    if not path.exists():
        yield Problem(message="there is no journal", hint="It is made by the first `scurry apply`.")
        return
    with closing(connect_as_it_is(path)) as connection:
        found = version(connection, path)
        if broken := _broken_pages(connection):
            yield from broken
            return
        if found < len(MIGRATIONS):
            yield Problem(
                message=f"it has version {found}; this scurry writes version {len(MIGRATIONS)}",
                hint="The next command that writes brings it up to date.",
            )
            return
        yield from records(lambda query: connection.execute(query).fetchall())


def records(rows_of: Callable[[str], Sequence[Row]]) -> Iterator[Problem]:
    """Yield what does not fit together in the records, what cannot be read, and what was left open: in any database."""
    yield from _orphans(rows_of)
    yield from _unreadable(rows_of)
    yield from _open_operations(rows_of)


def _broken_pages(connection: sqlite3.Connection) -> list[Problem]:
    hint = "Put a copy that is whole in its place; or save what can be read:\n  sqlite3 JOURNAL .recover"
    told = (text for (text,) in connection.execute("PRAGMA integrity_check") if text != "ok")
    return [Problem(message=f"the file is damaged: {text}", hint=hint) for text in told]


def _orphans(rows_of: Callable[[str], Sequence[Row]]) -> Iterator[Problem]:
    for message, query in (*_ORPHANS.items(), *_COUNTS.items()):
        for row in rows_of(query):
            yield Problem(message=message.format(*row))


def _unreadable(rows_of: Callable[[str], Sequence[Row]]) -> Iterator[Problem]:
    for what, query, kind in _RECORDS:
        for application, number, body in rows_of(query):
            try:
                rows.decode(body, kind) if kind else rows.decode_operation(body)
            except JournalDamaged as error:
                yield Problem(message=f"{what.format(application, number)}: {error.message}")


def _open_operations(rows_of: Callable[[str], Sequence[Row]]) -> Iterator[Problem]:
    for number, kind, application, owner, since, is_newest in rows_of(_OPEN):
        hint = "If that one does not run any more, the next `scurry apply` finds out what became of it and goes on."
        if not is_newest:
            hint = "A newer operation hides it: nobody will look for what became of its steps."
        yield Problem(
            message=f"operation {number} ({kind}) of {application!r}, begun by {owner} at {since}, has not ended",
            hint=hint,
        )
