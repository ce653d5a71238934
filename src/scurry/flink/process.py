"""Processes of this machine that outlive scurry: starts them, knows them again, ends them.

A process is known by its pid together with its start, so a foreign one that got the same pid later is never touched.
Knows nothing of Flink.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_POLL_S = 0.02
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class ProcessId(msgspec.Struct, frozen=True, kw_only=True):
    """One process, told apart from every other that had or will have the same pid."""

    pid: int
    start: str
    """when it started, exactly, in the kernel's words; only compared"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawned:
    """A process that this one just started."""

    id: ProcessId
    popen: subprocess.Popen[bytes]

    def returncode(self) -> int | None:
        """Return how it ended: an exit code, or minus the signal's number; None while it runs."""
        # The process can be seen dead a moment before our thread has reaped it.
        return None if is_alive(self.id) else self.popen.wait(timeout=10)


def spawn(command: Sequence[str], *, environment: Mapping[str, str], directory: Path, output: Path) -> Spawned:
    """Start a process that survives this one and the terminal, its output appended to a file.

    It is reaped when it ends while we still run, so that no zombie is left. Raises `OSError`.
    """
    with output.open("ab") as file:
        popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=dict(environment),
            start_new_session=True,
        )
    # Nobody else may wait for it (the engine's threads do not), and a reference has to live as long as it does.
    threading.Thread(target=popen.wait, daemon=True, name=f"reap {popen.pid}").start()
    return Spawned(id=ProcessId(pid=popen.pid, start=start_of(popen.pid) or "gone"), popen=popen)


def start_of(pid: int) -> str | None:
    """Return when a process started, or None if there is none or it is only a zombie.

    On Linux the kernel's own count of ticks since boot: psutil's `create_time` moves when the clock is set.
    """
    if not _BOOT_ID.exists():
        return _start_by_psutil(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc(5): the name, in parentheses, may hold anything; after it come the state (3rd field) and `starttime` (22nd).
    fields = stat[stat.rindex(b")") + 2 :].split()
    if fields[0] in (b"Z", b"X"):
        return None
    return f"{_BOOT_ID.read_text().strip()}:{fields[19].decode()}"


def is_alive(process: ProcessId) -> bool:
    """Whether this very process still runs."""
    return start_of(process.pid) == process.start


def send(process: ProcessId, number: signal.Signals) -> None:
    """Send a signal to this very process; nothing happens if it is gone."""
    if not hasattr(os, "pidfd_open"):
        with contextlib.suppress(ProcessLookupError):
            if is_alive(process):
                os.kill(process.pid, number)
        return
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return
    try:
        # The handle stays with the process that had the pid when it was opened, so no other can slip in after this.
        if is_alive(process):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)


def end(processes: Iterable[ProcessId], *, patience_s: float) -> tuple[ProcessId, ...]:
    """End processes: SIGTERM, and SIGKILL for those that are still there after `patience_s`. Returns the latter."""
    processes = tuple(processes)
    for process in processes:
        send(process, signal.SIGTERM)
    stubborn = wait_for_end(processes, timeout_s=patience_s)
    for process in stubborn:
        send(process, signal.SIGKILL)
    wait_for_end(stubborn, timeout_s=10)
    return stubborn


def wait_for_end(processes: Iterable[ProcessId], *, timeout_s: float) -> tuple[ProcessId, ...]:
    """Wait until processes are gone. Returns those that are not when the time is up."""
    deadline = time.monotonic() + timeout_s
    left = tuple(process for process in processes if is_alive(process))
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        left = tuple(process for process in left if is_alive(process))
    return left


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A process that carries a mark in its environment."""

    id: ProcessId
    mark: str
    command: tuple[str, ...]
    session: int
    """the pid of the process that `spawn` started and that this one descends from, unless it left its session"""


def marked(variable: str) -> tuple[Marked, ...]:
    """Return our own user's processes that have `variable` in their environment.

    The environment is inherited, so what a marked process started is found too, even when its parent is dead.
    """
    import psutil

    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid == os.getpid() or process.uids().real != os.getuid():
                continue
            mark = process.environ().get(variable)
            start = start_of(process.pid)
            if mark is None or start is None:
                continue
            id = ProcessId(pid=process.pid, start=start)
            command = tuple(process.cmdline())
            found.append(Marked(id=id, mark=mark, command=command, session=os.getsid(process.pid)))
    return tuple(found)


def listener(port: int) -> str | None:
    """Say which process listens on a TCP port (`java (pid 123)`), if the system tells us."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.pid or not connection.laddr:
                continue
            if connection.laddr.port == port:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return None


def _start_by_psutil(pid: int) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.3f}"
    except psutil.NoSuchProcess:
        return None
