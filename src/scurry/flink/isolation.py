"""Runs programs of the user's that are only asked something: apart, with a time limit, without a network.

Each runs in a process of its own with an empty working directory that only we can read. When it has answered, took too
long, or when this very process was killed, all of its processes are ended and all of its files deleted
(`fence_process.py`). On Linux it has no network but the loopback, where the machine allows that; `Fence` tells.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from scurry.model.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_POLL_S = 0.004
_TAIL = 16_384
_SECRET = re.compile(r"(?i)secret|token|passw|credential|private|api_?key|access_?key|session")
_OURS = re.compile(
    r"(FLINK_|SCURRY_|PYTHON)|(VIRTUAL_ENV|CLASSPATH|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS|_JAVA_OPTIONS|(OLD)?PWD|SHLVL|_)$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """What keeps a program apart."""

    network: bool
    """it has no network but the loopback"""
    processes: bool
    """nothing that it starts can outlive it"""
    reason: str | None = None
    """why not, in the system's words"""


class Enclosure:
    """A place for one program: `work`, where it runs, and `files` for what it is given and gives back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.files = folder / "files"
        self._lifeline: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        for place in (self.work, self.files):
            place.mkdir(mode=0o700)

    @property
    def output(self) -> str:
        """The end of what the program printed."""
        return _tail(self.folder / "output")

    @property
    def fence(self) -> Fence:
        """What fence there is, of a program that was started."""
        kinds, _, reason = _tail(self.folder / "fence").partition(": ")
        return Fence(network="network" in kinds, processes="processes" in kinds, reason=reason or None)

    def start(self, command: Sequence[str], *, environment: Mapping[str, str], network: bool, said: bytes) -> None:
        """Start the program and say something to its standard input, which stays open. Raises `WorkspaceError`."""
        theirs, self._lifeline = os.pipe()
        fence = str(files("scurry.flink") / "fence_process.py")
        fenced = [sys.executable, "-I", "-S", fence, str(theirs), str(self.folder), "open" if network else "closed"]
        try:
            with (self.folder / "output").open("wb") as output:
                self._process = subprocess.Popen(
                    [*fenced, *command],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self.work,
                    env=dict(environment),
                    pass_fds=(theirs,),
                )
            with contextlib.suppress(BrokenPipeError):  # it ended at once; `await_file` tells
                assert self._process.stdin
                self._process.stdin.write(said)
                self._process.stdin.flush()
        except OSError as error:
            raise WorkspaceError(f"no process can be started: {error.strerror}") from error
        finally:
            os.close(theirs)

    def await_file(self, path: Path, *, timeout_s: float) -> int | None:
        """Wait until the program has written a file, or ended without: then return its exit code.

        Raises `TimeoutError`.
        """
        deadline = time.monotonic() + timeout_s
        while not path.exists():
            code = self._exit_code()
            if code is not None:
                return None if path.exists() else code
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(_POLL_S)
        return None

    def _exit_code(self) -> int | None:
        ended = _tail(self.folder / "ended")
        if ended:
            return int(ended)
        assert self._process
        return self._process.poll()  # the fence's own process outlives the program, unless somebody kills it

    def release(self, *, keep: tuple[Path, Path]) -> None:
        """Let the program come to its end by itself, in at most a minute, and its files be deleted then.

        If it ends well, the first path of `keep` is renamed to the second one, else deleted.
        """
        if self._lifeline is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._lifeline, b"\0".join(map(os.fsencode, keep)))

    def close(self) -> None:
        """End the program and delete the place, unless it was released and still runs."""
        if self._lifeline is not None:
            os.close(self._lifeline)  # the fence's process ends all others, deletes the folder and ends itself
        if self._process is None or self._process.poll() is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self._process is None:
            return
        with contextlib.suppress(BrokenPipeError):
            assert self._process.stdin
            self._process.stdin.close()
        threading.Thread(target=self._process.wait, daemon=True).start()


@contextlib.contextmanager
def enclosure() -> Iterator[Enclosure]:
    """Give a place for one program; at the end the program is ended and the place deleted. Raises `WorkspaceError`."""
    try:
        place = Enclosure(Path(tempfile.mkdtemp(prefix="scurry-apart-")))
    except OSError as error:
        raise WorkspaceError(f"no temporary folder can be made: {error.strerror}") from error
    try:
        yield place
    finally:
        place.close()


def plain_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what looks like a secret and what would lead Flink, Java or Python elsewhere."""
    return {key: value for key, value in inherited.items() if not _SECRET.search(key) and not _OURS.match(key)}


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - _TAIL, 0))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
