"""A program of its own: runs a command behind a fence and clears up after it, also when who asked for it was killed.

Run by `isolation.py` as `python -I -S fence_process.py LIFELINE SCRATCH NETWORK COMMAND…`; imports nothing of scurry.
LIFELINE is the file descriptor of a pipe: when its other end is closed, all that the command started is killed and
SCRATCH deleted. Two paths that come through it (NUL between them) are a file that the command still writes, and its
final name; the command may first come to its end then, within a minute. What fence there is, is written to
`SCRATCH/fence`, and the command's exit code to `SCRATCH/ended`. It gets our standard input and output.

Linux only: namespaces of processes and of the network, which is the loopback then. Where they are forbidden, the
command runs without, in a session of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import select
import shutil
import signal
import socket
import struct
import sys
import time

# sched.h, linux/if.h, linux/sockios.h, linux/prctl.h
_NEW_USER, _NEW_PID, _NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1
_NEW_MOUNTS, _PRIVATE = 0x20000, 0x44000  # sys/mount.h: MS_PRIVATE | MS_REC
_SET_PARENT_DEATH_SIGNAL = 1
_PROPERTIES = "service-properties.json"
"""in `SCRATCH/files`: is at `/etc/flink/application_properties.json` for the command, as on Amazon's managed service"""
_MOST_OUTPUT = 512 << 20
"""bytes of any file that the command writes: what a program prints must not fill the disk"""
_RELEASED_FOR_S = 60


def main(arguments: list[str]) -> None:
    """Run the command, and clear up."""
    lifeline, scratch, network = int(arguments[0]), arguments[1], arguments[2] == "open"
    _tell(scratch, "fence", _enter_namespaces(network=network))
    ours = os.getpid()
    woken = _wake_for_children()
    child = os.fork()
    if not child:
        with contextlib.suppress(OSError):
            _lay_over(scratch)
        _become(arguments[3:], parent=ours, lifeline=lifeline)
    _watch(child, lifeline, woken, scratch)
    _kill(child)
    shutil.rmtree(scratch, ignore_errors=True)


def _enter_namespaces(*, network: bool) -> str:
    """Return `processes network`, `processes`, or `none` with the reason."""
    if not sys.platform.startswith("linux"):
        return "none: only Linux has namespaces"
    reason = _tried(network=network)
    if reason:
        return f"none: {reason}"
    _unshare(network=network)
    return "processes" if network else "processes network"


def _tried(*, network: bool) -> str:
    """Return why it does not work, found out by a process that is not needed any more.

    A system may let us in and then forbid what is needed there (AppArmor on Ubuntu); there is no way back.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            _unshare(network=network)
        except OSError as error:
            os.write(writing, (error.strerror or str(error)).encode())
            os._exit(1)
        os._exit(0)
    os.close(writing)
    reason = os.read(reading, 1000).decode()
    os.close(reading)
    _, status = os.waitpid(child, 0)
    return reason or ("it is forbidden" if status else "")


def _unshare(*, network: bool) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_NEW_USER | _NEW_PID | (0 if network else _NEW_NETWORK)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    # Who we are stays the same in there: files keep their owner.
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
    if not network:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            request = fcntl.ioctl(any_socket, _GET_FLAGS, struct.pack("16sh22x", b"lo", 0))
            (flags,) = struct.unpack_from("h", request, 16)
            fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh22x", b"lo", flags | _UP))


def _lay_over(scratch: str) -> None:
    """Lay the properties over `/etc`, for this process and what it starts. Raises `OSError` where that is forbidden."""
    given = os.path.join(scratch, "files", _PROPERTIES)
    if not os.path.exists(given) or not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    place = os.path.join(scratch, "etc")
    os.mkdir(place)
    _mount(libc, "none", "/", None, _PRIVATE, None)
    _mount(libc, "tmpfs", place, "tmpfs", 0, None)
    upper, work = os.path.join(place, "upper"), os.path.join(place, "work")
    os.makedirs(os.path.join(upper, "flink"))
    os.mkdir(work)
    shutil.copyfile(given, os.path.join(upper, "flink", "application_properties.json"))
    layers = f"lowerdir=/etc,upperdir={upper},workdir={work}"
    try:
        _mount(libc, "overlay", "/etc", "overlay", 0, f"userxattr,{layers}")
    except OSError:
        _mount(libc, "overlay", "/etc", "overlay", 0, layers)


def _mount(libc: ctypes.CDLL, source: str, place: str, kind: str | None, flags: int, options: str | None) -> None:
    texts = [text.encode() if text is not None else None for text in (source, place, kind, options)]
    if libc.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3]):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _become(command: list[str], *, parent: int, lifeline: int) -> None:
    """Turn this process into the command."""
    try:
        os.close(lifeline)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        if sys.platform.startswith("linux"):
            ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
            if os.getppid() not in (parent, 0):  # 0: the parent is outside of our namespace
                os._exit(125)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_OUTPUT, _MOST_OUTPUT))
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _wake_for_children() -> int:
    """Return what can be read when a child has ended. No thread may be started: our children's namespace forbids it."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    return woken


def _watch(child: int, lifeline: int, woken: int, scratch: str) -> None:
    """Return when it is time to clear up."""
    status: int | None = None
    while True:
        readable, _, _ = select.select([lifeline, woken], [], [])
        if woken in readable:
            status = _reap(child, woken)
            if status is not None:
                _tell(scratch, "ended", str(status))
        if lifeline in readable:
            keep = os.read(lifeline, 8192)
            if keep:
                _keep(child, woken, status, keep.split(b"\0"))
            return


def _keep(child: int, woken: int, status: int | None, paths: list[bytes]) -> None:
    deadline = time.monotonic() + _RELEASED_FOR_S
    while status is None and select.select([woken], [], [], max(deadline - time.monotonic(), 0))[0]:
        status = _reap(child, woken)
    with contextlib.suppress(OSError):
        if status == 0:
            os.rename(paths[0], paths[1])
        else:
            os.unlink(paths[0])


def _reap(child: int, woken: int) -> int | None:
    os.read(woken, 64)
    ended, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _tell(scratch: str, name: str, text: str) -> None:
    draft = os.path.join(scratch, f"{name}.draft")
    with open(draft, "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(draft, os.path.join(scratch, name))


def _kill(child: int) -> None:
    # The group, and by its first process the whole namespace.
    for end in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            end(child, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
