"""A project on memory targets, and servers that look after it: each a process of its own, as in real life."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import urllib3

from scurry.model.observed import Job, JobState
from scurry.targets.memory import Memory, MemoryJob
from scurry.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scurry.model.journal import History
    from scurry.model.report import StatusReport
    from scurry.model.result import Applied

PATIENCE_S = 30.0
PROJECT = """\
target: mem
targets:
  mem: {kind: memory}
  other: {kind: memory}
  gone: {kind: rest, url: "http://127.0.0.1:9"}
"""
PROGRAM = ("-m", "scurry.cli.main")
SPEC = """\
name: shop
flink: "2.3.0"
code: {jar: shop.jar}
upgrade: {health: {window: 300ms}}
"""


def until(is_so: Callable[[], object], what: str, *, patience_s: float = PATIENCE_S) -> None:
    """Wait until something is so. Fails when it is not in time."""
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.02)


@dataclass(kw_only=True)
class Running:
    """A server's process."""

    process: subprocess.Popen[str]
    lines: list[dict[str, Any]] = field(default_factory=list)
    """what it has logged"""

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr
        with self.process.stderr as stream:
            for line in stream:
                try:
                    self.lines.append(json.loads(line))
                except ValueError:
                    self.lines.append({"message": line.rstrip(), "level": "raw"})

    def events(self, kind: str, application: str | None = None) -> list[dict[str, Any]]:
        """The events of a kind that it told."""
        return [
            line for line in self.lines if line.get("event") == kind and application in {None, line.get("application")}
        ]

    def await_event(
        self, kind: str, application: str | None = None, *, patience_s: float = PATIENCE_S
    ) -> dict[str, Any]:
        """Wait for an event."""
        try:
            until(
                lambda: self.events(kind, application) or self.process.poll() is not None,
                f"event {kind} of {application}",
                patience_s=patience_s,
            )
            assert self.events(kind, application), "the server has ended"
        except AssertionError as error:
            raise AssertionError(f"{error}; told:\n{self.told()}") from None
        return self.events(kind, application)[0]

    def address(self) -> str:
        """The address of its API."""
        found: list[str] = []

        def is_told() -> bool:
            said = (re.search(r"the API answers at (http://[^, ]+)", line["message"]) for line in self.lines)
            found.extend(match[1] for match in said if match)
            return bool(found) or self.process.poll() is not None

        until(is_told, "the API answers")
        assert found, self.told()
        return found[0]

    def looks_after(self) -> int | None:
        """How many targets it looks after, as it told last."""
        found = [re.match(r"(\d+) of \d+ targets", line["message"]) for line in self.lines]
        return next((int(match[1]) for match in reversed(found) if match), None)

    def told(self) -> str:
        """All that it has logged."""
        return "\n".join(str(line) for line in self.lines[-30:])

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, by its pid."""
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop it and return its exit code."""
        if self.process.poll() is None:
            self.send(number)
        try:
            code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGABRT)  # it shows where each of its threads stands
            self.process.wait(PATIENCE_S)
            self._reader.join(5)
            shown = "\n".join(str(line["message"]) for line in self.lines[-200:])
            raise AssertionError(f"it does not end:\n{shown}") from None
        self._reader.join(5)
        return code


def start_server(
    folder: Path, *arguments: str, environment: dict[str, str] | None = None, program: tuple[str, ...] = PROGRAM
) -> Running:
    """Start a server for a project's folder, its API on a free port. `program`: what Python runs."""
    command = [sys.executable, *program, "serve", "--log-format", "json", "--grace", "2s"]
    where = () if "--listen" in arguments else ("--listen", "127.0.0.1:0")
    process = subprocess.Popen(
        [*command, *where, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONFAULTHANDLER": "1", **(environment or {})},
    )
    return Running(process=process)


@contextmanager
def running_server(folder: Path, *arguments: str) -> Iterator[Running]:
    """Run a server, and end it."""
    server = start_server(folder, *arguments)
    try:
        yield server
    finally:
        server.end()


class Site:
    """A folder with a project in it."""

    def __init__(self, folder: Path, project: str = PROJECT) -> None:
        self.folder = folder
        self.servers: list[Running] = []
        self._workspace: Workspace | None = None
        (folder / "scurry.yaml").write_text(project)
        with zipfile.ZipFile(folder / "shop.jar", "w") as jar:
            jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMain-Class: com.example.Shop\n")
            jar.writestr("com/example/Shop.class", "1")

    def open(self) -> Workspace:
        """Open the project, once: a journal on a server keeps its connections."""
        self._workspace = self._workspace or Workspace.open(self.folder)
        return self._workspace

    @staticmethod
    def open_anew(folder: Path) -> Workspace:
        """Open a project whose file was changed."""
        return Workspace.open(folder)

    def spec(self, name: str, more: str = "") -> Path:
        """Write a spec."""
        path = self.folder / f"{name}.yaml"
        path.write_text(SPEC.replace("name: shop", f"name: {name}") + more)
        return path

    def apply(self, name: str = "shop", *, more: str = "", target: str | None = None) -> Applied:
        """Write a spec, apply it, and take a snapshot, so that there is state to start from."""
        applied = self.open().apply(self.spec(name, more), target=target, confirm=lambda plan: True)
        self.open().take_snapshot(name, confirm=lambda plan: True)
        return applied

    def history(self, name: str = "shop") -> History:
        """What the journal says."""
        return self.open().journal.history(name)

    def status(self, name: str = "shop") -> StatusReport:
        """How it is."""
        (report,) = self.open().status(name)
        return report

    def live(self, name: str = "shop", target: str = "mem") -> list[Job]:
        """The jobs of a name that run."""
        jobs = self.open().target(target).survey().values()
        return [job for job in jobs if job.name == name and not job.state.is_terminal]

    def meddle(self, change: Callable[[Memory], None], target: str = "mem") -> None:
        """Change the pretended Flink behind scurry's back."""
        path = self.folder / ".scurry" / "memory" / f"{target}.json"
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            memory = msgspec.json.decode(path.read_bytes(), type=Memory)
            change(memory)
            draft = path.with_suffix(".meddled")
            draft.write_bytes(msgspec.json.encode(memory))
            draft.replace(path)

    def cancel(self, name: str = "shop", target: str = "mem") -> str:
        """Cancel the job behind scurry's back. Returns its id."""
        (job,) = self.live(name, target)
        self.meddle(lambda memory: _set_state(memory.jobs[job.id], JobState.CANCELED), target)
        return job.id

    def forget(self, target: str = "mem") -> None:
        """Let the cluster be as after a restart: its savepoints are there, its jobs are not."""
        self.meddle(lambda memory: memory.jobs.clear(), target)

    @contextmanager
    def server(
        self, *arguments: str, environment: dict[str, str] | None = None, program: tuple[str, ...] = PROGRAM
    ) -> Iterator[Running]:
        """Run a server, and end it."""
        server = self.start_server(*arguments, environment=environment, program=program)
        try:
            yield server
        finally:
            server.send(signal.SIGCONT)
            server.end()

    def start_server(
        self, *arguments: str, environment: dict[str, str] | None = None, program: tuple[str, ...] = PROGRAM
    ) -> Running:
        """Start a server that surveys often."""
        running = start_server(self.folder, "--interval", "200ms", *arguments, environment=environment, program=program)
        self.servers.append(running)
        return running

    def until_ready(self, url: str) -> None:
        """Wait until a server says that it is ready."""
        pool = urllib3.PoolManager(retries=False)
        until(lambda: pool.request("GET", f"{url}/readyz").status == 200, "it is ready")
        pool.clear()

    def end(self) -> None:
        """Leave no process behind."""
        for server in self.servers:
            if server.process.poll() is None:
                server.end(signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """Close the journal's connections; it is opened again when it is needed."""
        if self._workspace:
            self._workspace.assembly.journal.close()
            self._workspace.assembly.journal_to_read.close()
            self._workspace = None


def _set_state(entry: MemoryJob, state: JobState) -> None:
    entry.job = msgspec.structs.replace(entry.job, state=state)
