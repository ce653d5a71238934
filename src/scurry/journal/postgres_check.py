"""Looks a journal on a PostgreSQL server over. Changes nothing. Its files are the server's own business."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from scurry.journal.check import records
from scurry.journal.postgres_server import connect, told, version
from scurry.journal.schema import MIGRATIONS
from scurry.model.errors import Place, Problem, ScurryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.journal.postgres_server import Address, Connection

_UNSAFE = {
    "fsync": "after a power cut, the whole database may be broken",
    "full_page_writes": "after a power cut, pages may be half written",
    "synchronous_commit": "scurry turns it on for its own writes; others' may be lost in a crash",
}


def check(address: Address) -> list[Problem]:
    """Return what is wrong with a journal, worst first; empty when nothing is, and nothing is left open in it.

    Looks at how safely the server writes, and at all records. Raises nothing: that it cannot be read is a problem, too.
    """
    place = Place(file=str(address))
    try:
        connection = connect(address)
        try:
            found = list(_problems(connection, address))
        except psycopg.Error as error:
            raise told(error, address) from error
        finally:
            connection.close()
    except ScurryError as error:
        return [Problem(message=error.message, place=place, hint=error.hint)]
    return [Problem(message=problem.message, place=place, hint=problem.hint) for problem in found]


def _problems(connection: Connection, address: Address) -> Iterator[Problem]:
    connection.execute("SET statement_timeout = 0")
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    yield from _unsafe(connection)
    found = version(connection, address)
    if found == 0:
        yield Problem(message="there is no journal", hint="It is made by the first `scurry apply`.")
    elif found < len(MIGRATIONS):
        yield Problem(
            message=f"it has version {found}; this scurry writes version {len(MIGRATIONS)}",
            hint="The next command that writes brings it up to date.",
        )
    else:
        yield from records(lambda query: connection.execute(query.encode()).fetchall())


def _unsafe(connection: Connection) -> Iterator[Problem]:
    # `reset_val` is what the server would do by itself: connecting has turned synchronous_commit on already.
    found = connection.execute("SELECT name, reset_val FROM pg_settings WHERE name = ANY(%s)", (list(_UNSAFE),))
    for name, setting in found.fetchall():
        if setting == "off":
            yield Problem(message=f"its server runs with {name} = off: {_UNSAFE[name]}", hint="Turn it on.")
