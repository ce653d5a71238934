"""The PostgreSQL server that a journal is on: its address, connecting to it, making the tables, what its errors mean.

No password is ever in a message: an address is shown without it, and an address that cannot be read is not shown.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from scurry.journal.schema import MIGRATIONS, migrate
from scurry.journal.sqlite_file import REPLACE
from scurry.model.errors import (
    JournalDamaged,
    JournalError,
    JournalTooNew,
    JournalUnavailable,
    ScurryError,
    WorkspaceError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"

SCHEMA = "scurry"
STATEMENT_TIMEOUT_S = 30
LOCK_TIMEOUT_S = 10
IDLE_TIMEOUT_S = 30
"""how long a client that is paused in a transaction may keep others waiting: less than a lease"""
MIGRATION_TIMEOUT_S = 600
_LOCK = 0x7363757272796A6E
"""of the advisory lock under which tables are made; any number does that nothing else in the database uses"""
_PARAMETERS = {
    # A server that is gone without a word is noticed within half a minute, not within hours.
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
    "application_name": "scurry",
    "client_encoding": "UTF8",
}
_TEXT = re.compile(r"\bTEXT\b")
_COMMAND = "Run the same command again: it looks first, and goes on from what is there."


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a journal is. Its text is what people may see."""

    parameters: Mapping[str, str] = field(repr=False)
    schema: str = SCHEMA

    @classmethod
    def read(cls, url: str, *, password: str | None = None) -> Address:
        """Read an address; behind its `?` may follow what libpq knows, and `schema`. Raises `WorkspaceError`."""
        url, schema = _without_schema(url)
        try:
            parameters = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
        except psycopg.Error:  # its message quotes the address, and perhaps the password in it
            raise WorkspaceError(
                "the address of the journal cannot be read as one of PostgreSQL's",
                hint="It looks like this, with special characters as %XX:\n  postgresql://USER@HOST:5432/DATABASE",
            ) from None
        if password is not None:
            parameters["password"] = password
        return cls(parameters=parameters, schema=schema)

    def __str__(self) -> str:
        known = self.parameters
        user = f"{known['user']}@" if "user" in known else ""
        hosts, ports = known.get("host", known.get("hostaddr", "")).split(","), known.get("port", "").split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        places = ",".join(f"{host}:{port}" if port else host for host, port in zip(hosts, ports, strict=False))
        schema = f" (schema {self.schema})" if self.schema != SCHEMA else ""
        return f"postgresql://{user}{places}/{known.get('dbname', '')}{schema}"

    @property
    def database(self) -> str:
        """The database's name; libpq takes the user's where none is given."""
        return self.parameters.get("dbname") or self.parameters.get("user") or ""


def connect(address: Address) -> Connection:
    """Connect. Raises `JournalUnavailable` when nobody answers, `WorkspaceError` when we are not let in."""
    given: dict[str, Any] = {**_PARAMETERS, **address.parameters}
    try:
        connection = psycopg.connect(**given, autocommit=True)
    except psycopg.Error as error:
        raise _not_let_in(error, address) from None  # the frames below hold the password
    try:
        connection.execute("SELECT set_config('search_path', %s, false)", (_quoted(address.schema),))
        _settle(connection)
    except psycopg.Error as error:
        connection.close()
        raise told(error, address) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _settle(connection: Connection) -> None:
    connection.execute(
        "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false),"
        " set_config('idle_in_transaction_session_timeout', %s, false),"
        " set_config('default_transaction_isolation', 'read committed', false),"
        " set_config('default_transaction_read_only', 'off', false),"
        " set_config('plan_cache_mode', 'force_generic_plan', false), set_config('enable_seqscan', 'off', false),"
        # A commit that may be lost is none. What is stricter (`remote_apply`) stays.
        " set_config('synchronous_commit', CASE current_setting('synchronous_commit')"
        " WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)",
        [f"{seconds}s" for seconds in (STATEMENT_TIMEOUT_S, LOCK_TIMEOUT_S, IDLE_TIMEOUT_S)],
    )


def make_ready(connection: Connection, address: Address) -> None:
    """See that the tables are there and of this version. Of many that come at once, one makes them.

    Raises `JournalTooNew`, `JournalDamaged`, `WorkspaceError`.
    """
    try:
        if version(connection, address) == len(MIGRATIONS):
            return
        with _alone(connection), connection.transaction():
            _refuse_another_encoding(connection, address)
            # Asked again under the lock: another process may have done it while we waited.
            found = version(connection, address)
            if found == 0 and not _exists(connection, "to_regnamespace", address):
                connection.execute(f"CREATE SCHEMA {_quoted(address.schema)}".encode())
            migrate(lambda sql, values: connection.execute(_dialect(sql), values), found)
    except psycopg.Error as error:
        raise told(error, address) from error


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Let nobody else make tables meanwhile.

    The lock is the session's, not the transaction's: a transaction that had begun before it got the lock would not see
    in the server's caches of names that the one before it made the tables.
    """
    # Waiting for another one's migration may take longer than a write ever should.
    limits = f"SET lock_timeout = '{MIGRATION_TIMEOUT_S}s'; SET statement_timeout = '{MIGRATION_TIMEOUT_S}s'"
    connection.execute(limits.encode())
    connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    yield
    connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
    _settle(connection)


def version(connection: Connection, address: Address) -> int:
    """Return a journal's version, 0 where there is none yet. Raises `JournalTooNew`, `JournalDamaged`."""
    if not _exists(connection, "to_regclass", address, "meta"):
        return 0
    facts: dict[str, str] = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    found = str(facts.get("schema_version", ""))
    if not found.isdecimal():
        raise JournalDamaged(f"the journal {str(address)!r} does not say which version it has", hint=REPLACE)
    if int(found) > len(MIGRATIONS):
        raise JournalTooNew(
            f"the journal {str(address)!r} was written by scurry {facts.get('written_by', 'of a later version')}, "
            f"which is newer than this one; nothing was touched",
            hint="To install the newest scurry, run:\n  pip install --upgrade scurry",
        )
    return int(found)


def told(error: psycopg.Error, address: Address) -> ScurryError:
    """Return scurry's error for one of the server's. The transaction that it came in is undone.

    The classes of states are those of the PostgreSQL documentation, appendix A.
    """
    state, said, name = error.sqlstate or "", _said(error), f"the journal {str(address)!r}"
    match state[:2], state:
        case ("" | "08" | "57", "" | "57P01" | "57P02" | "57P03" | "57P05") | ("08", _):
            return unavailable(address, said)
        case _, "25P03":
            return JournalUnavailable(
                f"this process was paused for more than {IDLE_TIMEOUT_S} s in the middle of a write, and {name} went on"
                " without it; nothing was written",
                hint=_COMMAND,
            )
        case "40", _:
            return JournalUnavailable(f"{name} undid a write in favour of another one; nothing was written: {said}")
        case _, "55P03" | "57014":
            return JournalError(
                f"{name} is being written by another process for more than {LOCK_TIMEOUT_S} s, or its server is too"
                f" busy; nothing was written: {said}",
                hint="Run the same command again when that one is done.",
            )
        case ("53", _) | (_, "25006" | "0A000" | "42501"):
            return WorkspaceError(f"{name} takes no writes: {said}. What is in it is whole", hint=_MAY_NOT.get(state))
        case ("XX" | "42" | "F0", _):
            return JournalDamaged(f"{name} cannot be read: {said}. It was left as it is", hint=REPLACE)
        case _:
            return JournalError(f"{name} cannot be used: {said} ({state})")


def unavailable(address: Address, said: str) -> JournalUnavailable:
    """Return the error for a server that does not answer, or not any more, when nothing was written."""
    return JournalUnavailable(
        f"the journal {str(address)!r} does not answer: {said}. Nothing was written",
        hint="Running jobs go on meanwhile. When the database is there again, run the same command again.",
    )


def in_doubt(address: Address, said: str) -> JournalUnavailable:
    """Return the error for a commit whose answer was lost."""
    return JournalUnavailable(
        f"the connection to the journal {str(address)!r} was lost while a write was being ended: {said}. It is not"
        " known whether it is in the journal",
        hint=_COMMAND,
        in_doubt=True,
    )


def said(error: psycopg.Error) -> str:
    """Return what the server or its client library says, in one line."""
    return _said(error)


_STANDBY = (
    "It is a standby: the address has to name the primary. Of several hosts in it the right one is found with:\n"
    "  ?target_session_attrs=read-write"
)
_MAY_NOT = {
    "25006": _STANDBY,
    "0A000": _STANDBY,  # "cannot set transaction read-write mode during recovery"
    "42501": "The user of the journal's address needs the right to create its schema once, and to write its tables"
    " then:\n  GRANT CREATE ON DATABASE … TO …",
    "53100": "Make room on the server's disk, then run the same command again.",
    "53300": "The server has no connection left. Raise its max_connections, or put PgBouncer before it (session mode).",
}
_REFUSALS = (
    (
        re.compile(r"database \".*\" does not exist|3D000"),
        "its server has no database {database!r}",
        "To make it, run:\n  createdb --encoding UTF8 {database}",
    ),
    (
        re.compile(r"password authentication failed|no password supplied|fe_sendauth"),
        "its server refuses user {user!r}: {said}",
        "Put the password where scurry runs, and its name in scurry.yaml:\n"
        "  journal: {{url: …, password: {{env: JOURNAL_PASSWORD}}}}",
    ),
    (
        re.compile(r"pg_hba\.conf|role \".*\" does not exist|not permitted to log in|permission denied for database"),
        "its server refuses user {user!r}: {said}",
        "Its administrator has to let this user in from this machine.",
    ),
    (
        re.compile(r"certificate|SSL|sslmode|tls", re.IGNORECASE),
        "no safe connection: {said}",
        "What libpq needs goes into the address: ?sslmode=verify-full&sslrootcert=/path/of/ca.pem",
    ),
)


def _not_let_in(error: psycopg.Error, address: Address) -> ScurryError:
    """libpq gives no state for what happens before the connection stands, so its words decide; in doubt: no answer."""
    text = _said(error)
    if isinstance(error, psycopg.ProgrammingError):
        return WorkspaceError(f"the journal {str(address)!r} cannot be used: {text}")
    for words, message, hint in _REFUSALS:
        if words.search(text):
            facts = {"database": address.database, "user": address.parameters.get("user", ""), "said": text}
            return WorkspaceError(
                f"the journal {str(address)!r} cannot be used: {message.format(**facts)}", hint=hint.format(**facts)
            )
    return unavailable(address, text)


def _said(error: psycopg.Error) -> str:
    diagnosis = error.diag.message_primary
    text = diagnosis or str(error)
    # libpq tells of every address that it tried, each on lines of its own; the reason is the last thing that it says.
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")


def _without_schema(url: str) -> tuple[str, str]:
    """libpq refuses what it does not know; two journals in one database are told apart by their schema."""
    place, _, query = url.partition("?")
    given = [part for part in query.split("&") if part]
    ours = [part for part in given if part.startswith("schema=")]
    rest = "&".join(part for part in given if part not in ours)
    schema = unquote(ours[-1].removeprefix("schema=")) if ours else ""
    return f"{place}?{rest}" if rest else place, schema or SCHEMA


def _exists(connection: Connection, function: str, address: Address, table: str = "") -> bool:
    name = ".".join(_quoted(part) for part in (address.schema, table) if part)
    row = connection.execute(f"SELECT {function}(%s) IS NOT NULL".encode(), (name,)).fetchone()
    return bool(row and row[0])


def _refuse_another_encoding(connection: Connection, address: Address) -> None:
    [encoding] = connection.execute("SHOW server_encoding").fetchone() or [""]
    if encoding != "UTF8":
        raise WorkspaceError(
            f"the database of the journal {str(address)!r} is encoded in {encoding}, which cannot hold all text",
            hint=f"Make one that can:\n  createdb --encoding UTF8 --template template0 {address.database}",
        )


def _dialect(statement: str) -> bytes:
    """Return a statement of the schema as PostgreSQL has it: text is ordered by code points, as in SQLite."""
    if statement.lstrip().startswith("CREATE TABLE"):
        statement = _TEXT.sub('TEXT COLLATE "C"', statement)
    return statement.replace("?", "%s").encode()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
