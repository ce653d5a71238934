"""Which process holds a lease, and whether it is provably dead. "Provably" leaves no guess: in doubt it lives.

A pid says nothing on another machine, after a reboot, or in another container; so the host's name, the boot and the
pid namespace go with it, and the process's start time, since pids are used again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process, told apart from every other one."""

    host: str
    pid: int
    started: str
    """compared for equality only; empty when the system does not tell"""


def this_process() -> Process:
    """Return the calling process."""
    return Process(host=_host(), pid=os.getpid(), started=_started(os.getpid()) or "")


def default_owner() -> str:
    """Return how a lease names its holder to people: `user@host pid 123`."""
    import getpass

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no such user in the password database, as in many containers
        user = f"uid {os.getuid()}"
    return f"{user}@{os.uname().nodename} pid {os.getpid()}"


def is_provably_dead(process: Process) -> bool:
    """Whether the process ran on this very host and certainly does not run any more."""
    if process.host != _host() or process.pid <= 0:
        return False
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # another user's: it is there, and what is asked next may be hidden (`hidepid`)
        pass
    started = _started(process.pid)
    return bool(started and process.started and started != process.started)


def _host() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    try:
        return f"{os.uname().nodename} {boot.read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:  # not Linux: the hardware address tells machines of the same name apart
        import uuid

        return f"{os.uname().nodename} {uuid.getnode():x}"


def _started(pid: int) -> str | None:
    """Return when a process started; `zombie` for one that only waits to be collected; None when it cannot be told.

    On Linux in clock ticks since boot (proc(5), field 22 of `stat`), which a change of the wall clock does not move.
    """
    try:
        # The second field is the command in parentheses, and may hold spaces and parentheses itself.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "zombie" if fields[0] in {"Z", "X"} else fields[19]
    except FileNotFoundError:
        return _started_elsewhere(pid)
    except OSError:
        return None


def _started_elsewhere(pid: int) -> str | None:
    if Path("/proc/self/stat").exists():
        return None
    import psutil

    try:
        process = psutil.Process(pid)
        return "zombie" if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.0f}"
    except psutil.Error:
        return None
