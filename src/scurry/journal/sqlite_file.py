"""The SQLite file that a journal is in: making it, connecting to it, its version, and what its errors mean.

The write-ahead log lets others read while one process writes. `synchronous = FULL` makes a commit durable before it
returns, since what follows is a call to a target that cannot be taken back.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from scurry.journal.schema import MIGRATIONS, migrate
from scurry.model.errors import JournalDamaged, JournalError, JournalTooNew, ScurryError, WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY_TIMEOUT_S = 10.0
LEAST_ROOM_BYTES = 4_000_000
"""many times what one operation writes"""
PRAGMAS = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON")

LOOK = "To see what is wrong with it, run:\n  scurry journal check"
REPLACE = "Put a copy of it that is whole in its place. Without one, move it away; running jobs go on meanwhile."

_NO_RIGHT = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH})
_DAMAGED = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT})
_NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def connect_to_write(path: Path) -> sqlite3.Connection:
    """Connect to a journal that `make_ready` has seen."""
    return _connect(path, "rw", *PRAGMAS)


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Connect without changing anything. No journal, or one of an older scurry, is looked at as a copy in memory."""
    if not path.exists():
        _refuse_orphaned_log(path)
        return _in_memory(None)
    connection = connect_as_it_is(path)
    try:
        if version(connection, path) == len(MIGRATIONS):
            return connection
        old, connection = connection, _in_memory(connection)
        old.close()
    except BaseException:
        connection.close()
        raise
    return connection


def connect_as_it_is(path: Path) -> sqlite3.Connection:
    """Connect to a file without changing anything, whatever it is."""
    connection = _connect(path, "ro")
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        connection.close()
        # Where we may not write, or the disk is full, SQLite cannot make the shared index of the log. Without a log, or
        # with an empty one, none is needed.
        if _primary_code(error) not in _NO_RIGHT | _NO_ROOM or _has_log(path):
            raise
        return _connect(path, "ro&immutable=1")
    return connection


def make_ready(path: Path) -> None:
    """See that there is a journal of this version that we may write. What is wrong is found before anything is touched.

    Raises `JournalTooNew`, `JournalDamaged`, `WorkspaceError`.
    """
    with translated(path):
        _refuse_orphaned_log(path)
        if not path.exists():
            _create(path)
        _refuse_what_we_may_not_write(path)
        _refuse_a_full_disk(path)
        connection = _connect(path, "ro")
        try:
            found = version(connection, path)
        finally:
            connection.close()
        if found < len(MIGRATIONS):
            connection = connect_to_write(path)
            try:
                _bring_up_to_date(connection, path)
            finally:
                connection.close()


def version(connection: sqlite3.Connection, path: Path) -> int:
    """Return a journal's version. Raises `JournalTooNew`, and `JournalDamaged` for what is no journal."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'").fetchone():
        raise _damaged(path, "it is not a journal of scurry")
    facts = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    found = str(facts.get("schema_version", ""))
    if not found.isdecimal():
        raise _damaged(path, "it does not say which version it has")
    if int(found) > len(MIGRATIONS):
        raise JournalTooNew(
            f"the journal {str(path)!r} was written by scurry {facts.get('written_by', 'of a later version')}, "
            f"which is newer than this one; nothing was touched",
            hint="To install the newest scurry, run:\n  pip install --upgrade scurry",
        )
    return int(found)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn the errors of SQLite and of the file system into scurry's."""
    try:
        yield
    except sqlite3.Error as error:
        raise _told(error, path) from error
    except OSError as error:
        raise WorkspaceError(
            f"the journal {str(path)!r} cannot be used: {error.strerror or error}", hint=_whose(path)
        ) from error


def _connect(path: Path, mode: str, *pragmas: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    # Connections wander between threads, one at a time; and transactions are begun by us, not by the library.
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        for pragma in pragmas:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def _in_memory(source: sqlite3.Connection | None) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    if source is None:
        migrate(connection.execute, 0)
        # What does not exist has no lineage: nothing may be derived from one that is another at the next look.
        connection.execute("DELETE FROM meta WHERE name = 'lineage'")
        return connection
    source.backup(connection)
    _bring_up_to_date(connection, Path(":memory:"))
    return connection


def _create(path: Path) -> None:
    """Make a journal and give it its name in one step.

    So a file that is empty or cut short is never a journal that is just being made, and nobody finds half of one.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = _connect(draft, "rwc", *PRAGMAS)
        try:
            connection.execute("BEGIN IMMEDIATE")
            migrate(connection.execute, 0)
            connection.execute("COMMIT")
        finally:
            connection.close()
        _name_it(draft, path)
    finally:
        with suppress(OSError):
            draft.unlink()
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _name_it(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was faster; then that is the journal
    except OSError:  # a file system without hard links
        if not path.exists():
            draft.rename(path)


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    # Asked again under the lock: another process may have done it while we waited.
    migrate(connection.execute, version(connection, path))
    connection.execute("COMMIT")


def _refuse_what_we_may_not_write(path: Path) -> None:
    # SQLite would open it all the same, and only the first write would fail: when a job may have been touched.
    if path.is_dir():
        raise IsADirectoryError(0, "it is a directory")
    for needed in (path, path.parent):
        if not os.access(needed, os.W_OK):
            raise PermissionError(0, f"no right to write {str(needed)!r}")


def _refuse_a_full_disk(path: Path) -> None:
    # A disk that fills up between a stop and the start after it would leave an application stopped.
    free = shutil.disk_usage(path.parent).free
    if free < LEAST_ROOM_BYTES:
        raise WorkspaceError(
            f"only {free // 1000} kB are free on the disk of the journal {str(path)!r}; {LEAST_ROOM_BYTES // 1000} kB "
            "are the least that a change is begun with. Nothing was changed",
            hint=f"Make room, then run the same command again. To see what fills the disk:\n  df -h {path.parent}",
        )


def _refuse_orphaned_log(path: Path) -> None:
    # SQLite would apply the log of the old journal to a new one of the same name. The log is looked for first: of a
    # journal that another process makes at this moment, the file is there before its log.
    log = _log(path)
    if log.exists() and not path.exists():
        raise JournalDamaged(
            f"the journal {str(path)!r} is gone, but its log {log.name!r} is there",
            hint=f"Put the journal back beside it. To begin with an empty one instead, run:\n  rm {log}",
        )


def _has_log(path: Path) -> bool:
    return _log(path).exists() and _log(path).stat().st_size > 0


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _told(error: sqlite3.Error, path: Path) -> ScurryError:
    code = _primary_code(error)
    name = f"the journal {str(path)!r}"
    if code == sqlite3.SQLITE_FULL:
        return WorkspaceError(
            f"{name} cannot be written: no room on the disk. What is in it is whole",
            hint="Make room and run the same command again.",
        )
    if code in _DAMAGED:
        return _damaged(path, str(error))
    if code in _BUSY:
        return JournalError(
            f"{name} is being written by another process for more than {BUSY_TIMEOUT_S:.0f} s",
            hint="Run the same command again when that one is done.",
        )
    if code in _NO_RIGHT:
        return WorkspaceError(f"{name} cannot be used: {error}", hint=_whose(path))
    if code == sqlite3.SQLITE_IOERR:
        return JournalError(
            f"{name} cannot be read or written: {error} ({error.sqlite_errorname})",
            hint="See that the disk is whole and has room.",
        )
    return JournalError(f"{name} cannot be used: {error}", hint="To look for damage, run:\n  scurry journal check")


def _primary_code(error: sqlite3.Error) -> int:
    """Return the kind of an error; the bits above it say more exactly what happened (`SQLITE_READONLY_DIRECTORY`)."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF


def _damaged(path: Path, why: str) -> JournalDamaged:
    return JournalDamaged(
        f"the journal {str(path)!r} cannot be read: {why}. It was left as it is",
        hint=f"{LOOK}\n{REPLACE}",
    )


def _whose(path: Path) -> str:
    for place in (path, *path.parents):
        with suppress(OSError, KeyError, ImportError):
            import pwd

            owner = pwd.getpwuid(place.stat().st_uid).pw_name
            return (
                f"{str(place)!r} belongs to user {owner!r}. Use a workspace of your own, or ask for the right to write."
            )
    return "See that the directory exists and that you may write there."
