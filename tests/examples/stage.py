"""An example in a folder of its own, and the installed `scurry` command in it, as anybody would run it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import urllib3

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = Path(__file__).parents[2] / "examples"
SCURRY = Path(sys.executable).with_name("scurry")
PATIENCE_S = 180.0


class Stage:
    """A copy of an example, to be run and changed. All of them keep their data in the folder `data`."""

    def __init__(self, example: str, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns(".demo", ".scurry", "data", "__pycache__")
        shutil.copytree(EXAMPLES / example, folder, ignore=ignored)
        self.data = folder / "data"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command; its standard output is a pipe."""
        return subprocess.Popen(
            [SCURRY, *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, exit_code: int = 0) -> str:
        """Run the command and return its standard output."""
        return finished(self.start(*arguments), exit_code=exit_code)

    def json(self, *arguments: str) -> Any:
        """Run the command and return its document."""
        return json.loads(self.run(*arguments, "--json"))

    def apply(self, *arguments: str) -> Any:
        """Apply the example's specification and return what became of it."""
        (applied,) = self.json("apply", "application.yaml", "--yes", *arguments)["applications"]
        return applied

    def status(self, application: str) -> Any:
        """Return the application's status."""
        (found,) = self.json("status", application)["applications"]
        return found

    def rest(self, application: str, path: str) -> Any:
        """Ask Flink itself."""
        address = urlsplit(self.json("ui", application)["url"])
        answer = urllib3.request("GET", f"{address.scheme}://{address.netloc}{path}", timeout=30, retries=False)
        assert answer.status == 200, answer.data
        return answer.json()

    def edit(self, file: str, before: str, after: str) -> None:
        """Change the example as a person would."""
        path = self.folder / file
        text = path.read_text("utf-8")
        assert before in text, f"{file} has no {before!r}"
        path.write_text(text.replace(before, after), "utf-8")

    def close(self) -> None:
        """Stop what runs. The command knows its own processes."""
        if (self.folder / ".scurry").exists():
            self.run("local", "stop", "--yes")


def finished(process: subprocess.Popen[str], *, exit_code: int = 0) -> str:
    """Wait for a command and return its standard output."""
    output, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == exit_code, f"exit code {process.returncode}\n{output}\n{errors}"
    return output


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll until it is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S:.0f} s: {what}"
        time.sleep(0.1)


def rows(folder: Path, pattern: str = "**/part-*") -> list[str]:
    """Return the lines of all files that Flink has finished; the ones in progress have names that begin with a dot."""
    return [line for file in sorted(folder.glob(pattern)) for line in file.read_text("utf-8").splitlines()]
