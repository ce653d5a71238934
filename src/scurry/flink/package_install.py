"""Packages by pip, in a process of its own that dies with ours: download one, install several, ask for versions.

pip is what already knows the company's mirror, credentials, proxy and certificates, and checks the files' digests.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from scurry.model.errors import RuntimeUnavailable, ScurryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scurry.model.reporting import Activity, Reporter

# Our end of its standard input is open as long as we live. When we are killed, pip must not go on writing into
# a folder that the next scurry is about to clear, so a thread waits for the end of that input and then ends pip and
# all that pip started, which is a process group of its own.
_PIP_THAT_DIES_WITH_US = """
import os, runpy, signal, sys, threading
threading.Thread(target=lambda: (os.read(0, 1), os.killpg(0, signal.SIGKILL)), daemon=True).start()
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""

_PROGRESS = re.compile(r"Progress (\d+) of (\d+)$")
_NO_NETWORK = re.compile(
    r"NewConnectionError|Max retries exceeded|Failed to establish a new connection|ConnectTimeout|Read timed out"
    r"|ProxyError|SSLError|NameResolutionError|Temporary failure in name resolution|Connection refused"
    r"|ConnectionResetError|Connection aborted|connection broken by"
    r"|Could not fetch URL \S+: (?:40[137]|5\d\d) ",
    re.IGNORECASE,
)
_NO_ROOM = re.compile(r"No space left on device|Disk quota exceeded|File too large|\[Errno (?:27|28|122)\]")


class PipFailed(Exception):
    """pip did not do it. `output` is what it said, `log` is that with every detail."""

    def __init__(self, output: str, log: str = "") -> None:
        super().__init__(output[-2000:])
        self.output = output
        self.log = f"{output}\n{log}"

    @property
    def is_missing(self) -> bool:
        """This Python has no pip."""
        return "No module named pip" in self.output

    @property
    def is_offline(self) -> bool:
        """The package index could not be reached."""
        return bool(_NO_NETWORK.search(self.log))

    @property
    def is_out_of_room(self) -> bool:
        """The disk is full, or the user's share of it."""
        return bool(_NO_ROOM.search(self.log))

    @property
    def summary(self) -> str:
        """What pip gives as the error, without what led to it."""
        errors = [line.removeprefix("ERROR: ") for line in self.output.splitlines() if line.startswith("ERROR: ")]
        lines = errors or [line for line in self.output.splitlines() if line.strip()][-1:]
        return "\n".join(lines) or "pip said nothing"


def run_pip(
    arguments: Sequence[str], *, scratch: Path | None = None, on_line: Callable[[str], None] | None = None
) -> str:
    """Run pip and return what it printed. `scratch` is for its temporary files. Raises `PipFailed`."""
    environment = _environment()
    with tempfile.TemporaryDirectory(dir=_made(scratch), prefix="pip-") as temporary:
        environment["TMPDIR"] = temporary
        # Why an index could not be reached is in the log only; the console says that there is no such package.
        log = Path(temporary) / "log"
        command = [sys.executable, "-c", _PIP_THAT_DIES_WITH_US, "--log", str(log), *arguments]
        with _running(command, environment) as process:
            output = _followed(process, on_line)
            if process.wait() != 0:
                raise PipFailed(output, log.read_text("utf-8", "replace") if log.is_file() else "")
    return output


def download(requirement: str, *, into: Path, title: str, reporter: Reporter) -> Path:
    """Download one package, without dependencies: its wheel or source archive. Raises `PipFailed`."""
    files = into / "download"
    with contextlib.ExitStack() as stack:
        watch = _DownloadWatch(lambda total: stack.enter_context(reporter.activity(title, total=total)))
        run_pip(
            # No HTTP cache: a second copy of hundreds of megabytes that nobody would read again.
            ["download", "--no-deps", "--no-cache-dir", "--progress-bar", "raw", "--dest", str(files), requirement],
            scratch=into,
            on_line=watch,
        )
    return next(path for path in files.iterdir() if path.is_file())


def versions_of(package: str) -> tuple[str, ...]:
    """All released versions of a package that this Python may install, as the index has them. Raises `PipFailed`."""
    output = run_pip(["index", "versions", package])
    match = re.search(r"^Available versions: (.+)$", output, re.MULTILINE)
    return tuple(match[1].split(", ")) if match else ()


def unavailable(failure: PipFailed, *, title: str, package: str, cache: Path) -> ScurryError:
    """Say what pip's failure means for somebody who wants a runtime."""
    if failure.is_missing:
        return RuntimeUnavailable(
            f"{title} cannot be installed: the Python at {sys.executable!r} has no pip",
            hint=f"To get it, run:\n  {sys.executable} -m ensurepip --upgrade",
        )
    if failure.is_out_of_room:
        return RuntimeUnavailable(
            f"there is no room for {title} in {str(cache)!r}",
            hint="To see what can be removed:\n  scurry runtime list\n"
            "To use another folder:\n  export SCURRY_CACHE=/path/to/folder",
        )
    if failure.is_offline:
        return RuntimeUnavailable(
            f"{title} is not installed and the package index cannot be reached",
            hint="Check the network, or name your mirror:\n  export PIP_INDEX_URL=https://mirror.example.com/simple",
        )
    return RuntimeUnavailable(
        f"{title} cannot be installed: {failure.summary}",
        hint=f"To see for yourself:\n  {sys.executable} -m pip download --no-deps {package}",
    )


class _DownloadWatch:
    """Follows pip's raw progress lines; the size is known only when the first one comes."""

    def __init__(self, start: Callable[[int], Activity]) -> None:
        self._start = start
        self._activity: Activity | None = None
        self._done = 0

    def __call__(self, line: str) -> None:
        match = _PROGRESS.match(line)
        if not match:
            return
        done, total = int(match[1]), int(match[2])
        if self._activity is None:
            self._activity = self._start(total)
        self._activity.advance(done - self._done)
        self._done = done


def _environment() -> dict[str, str]:
    """The user's own, so that mirrors and credentials are found, but for what would lead packages to other places."""
    elsewhere = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "PIP_LOG")
    kept = {name: value for name, value in os.environ.items() if name not in elsewhere}
    kept.setdefault("PIP_RETRIES", "2")
    return kept | {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_COLOR": "1",
        "PIP_NO_INPUT": "1",
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_USER": "0",
        "PYTHONUNBUFFERED": "1",
    }


def _made(folder: Path | None) -> Path | None:
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _followed(process: subprocess.Popen[str], on_line: Callable[[str], None] | None) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        text = line.rstrip("\n")
        if not _PROGRESS.match(text):
            lines.append(text)
        if on_line:
            on_line(text)
    return "\n".join(lines)


@contextlib.contextmanager
def _running(command: Sequence[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        process_group=0,
    )
    try:
        yield process
    finally:
        if process.poll() is None:  # we are leaving by an exception, Ctrl-C for example
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
