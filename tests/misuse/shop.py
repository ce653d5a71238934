"""A project with a running application, the installed `scurry` command in it, and what bad input has to be answered by.

`refused` is the promise of all tests here: the exit code, the error for people, the same as a document, no word that
only a programmer understands, and the running job as it was.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SCURRY = Path(sys.executable).with_name("scurry")
PATIENCE_S = 120.0

PROJECT = """\
name: shop
target: mem
targets:
  mem: {kind: memory}
"""
SPEC = """\
name: orders
flink: "2.3.0"
code:
  jar: orders.jar
parallelism: 2
"""

_NOT_FOR_PEOPLE = re.compile(
    r"Traceback \(most recent|\n\s+at [\w.$]+\(|Caused by:|java\.(lang|util|io)\.|org\.apache\.flink\.\w+\.|"
    r"pydantic|input_value|validation error|bug in scurry|\bNone\b|<class |Errno|\x1b\["
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one document on standard output; anything else there is an error."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """How bad input was answered: for people, and as the error document."""

    text: str
    error: dict[str, Any]

    @property
    def message(self) -> str:
        return str(self.error["message"])

    @property
    def hint(self) -> str:
        return str(self.error["hint"] or "")

    @property
    def code(self) -> str:
        return str(self.error["code"])

    def is_at(self, file: str, line: int | None = None, key: str | None = None, *, column: int | None = None) -> None:
        """Check the place: in the document, and for people as `--> file:line:column  (key)`."""
        found = self.error
        assert (found["file"], found["line"], found["key"]) == (file, line, key), self.text
        assert column is None or found["column"] == column, self.text
        shown = ":".join(str(part) for part in (file, line) if part is not None)
        assert f"--> {shown}" in self.text
        assert key is None or f"({key})" in self.text


class Shop:
    """A project folder, and commands run in it as anybody would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self) -> None:
        """Make the project and start its application, on the memory target."""
        self.write("scurry.yaml", PROJECT)
        self.write("orders.yaml", SPEC)
        make_jar(self.folder / "orders.jar")
        self.done("apply", "orders.yaml", "--yes")

    # Files

    def path(self, name: str) -> Path:
        return self.folder / name

    def write(self, name: str, text: str) -> None:
        self.path(name).write_text(text, "utf-8")

    def change(self, before: str, after: str, *, file: str = "orders.yaml") -> None:
        """Change a file as a person would."""
        text = self.path(file).read_text("utf-8")
        assert before in text, f"{file} has no {before!r}"
        self.write(file, text.replace(before, after))

    def add(self, text: str, *, file: str = "orders.yaml") -> None:
        """Add lines to a file."""
        self.write(file, self.path(file).read_text("utf-8") + text)

    # Commands

    def start(self, *arguments: str, env: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen[str]:
        """Start a command. Standard input is empty."""
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [SCURRY, *arguments],
            cwd=self.folder,
            env={**os.environ, **(env or {})},
            text=True,
            **(given | options),
        )

    def run(self, *arguments: str, env: Mapping[str, str] | None = None, **options: Any) -> Finished:
        """Run a command to its end."""
        return finished(self.start(*arguments, env=env, **options))

    def done(self, *arguments: str, env: Mapping[str, str] | None = None) -> Finished:
        """Run a command that has to succeed."""
        result = self.run(*arguments, env=env)
        assert result.code == 0, result.out + result.err
        return result

    def refused(
        self, *arguments: str, env: Mapping[str, str] | None = None, code: int = 1, locks: bool = False, **options: Any
    ) -> Refusal:
        """Run a command that has to be refused, for people and with `--json`, and check all that is true of any.

        Both at once, to save time; unless the command comes so far that it `locks` the application.
        """
        before = self.jobs()
        if locks:
            people = self.run(*arguments, env=env, **options)
            programs = self.run(*arguments, "--json", env=env, **options)
        else:
            both = [self.start(*arguments, *more, env=env, **options) for more in ((), ("--json",))]
            people, programs = [finished(process) for process in both]
        assert (people.code, programs.code) == (code, code), people.out + people.err + programs.out + programs.err
        refusal = check_refusal(people, programs)
        assert self.jobs() == before, "the running job was touched"
        return refusal

    @contextmanager
    def on_terminal(self, *arguments: str) -> Iterator[Terminal]:
        """Run a command on a terminal."""
        ours, theirs = pty.openpty()
        process = self.start(*arguments, env={"TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        try:
            yield Terminal(ours, process)
        finally:
            process.kill()
            process.wait()
            os.close(ours)

    # What runs

    def jobs(self) -> dict[str, str]:
        """Return the state of every job that the memory target ever had."""
        kept = json.loads(self.path(".scurry/memory/mem.json").read_text("utf-8"))
        return {id: entry["job"]["state"] for id, entry in kept["jobs"].items()}

    def running(self) -> list[str]:
        """Return the ids of the jobs that run."""
        return [id for id, state in self.jobs().items() if state.lower() == "running"]


class Terminal:
    """The person's side of a terminal."""

    def __init__(self, descriptor: int, process: subprocess.Popen[str]) -> None:
        self._descriptor = descriptor
        self._process = process
        self.screen = ""

    def read_until(self, text: str) -> None:
        """Wait until something is shown."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.screen:
            assert time.monotonic() < deadline, self.screen
            if select.select([self._descriptor], [], [], 0.5)[0]:
                self.screen += os.read(self._descriptor, 65536).decode("utf-8", "replace")

    def type(self, text: str) -> None:
        """Type."""
        os.write(self._descriptor, text.encode())

    def end(self) -> int:
        """Read to the end and return the exit code."""
        try:
            while data := os.read(self._descriptor, 65536):
                self.screen += data.decode("utf-8", "replace")
        except OSError:
            pass  # Linux says so that the other end is closed
        return self._process.wait(PATIENCE_S)


def check_refusal(people: Finished, programs: Finished) -> Refusal:
    """Check what is true of any error, told for people and as a document."""
    document = programs.document
    assert document["schema"] == "scurry/error/1", programs.out
    error = document["error"]
    assert error.keys() >= {"code", "message", "hint", "file", "line"}
    assert error["code"] != "bug", error
    assert "error: " in people.err, people.err
    for problem in error.get("problems") or [error]:
        assert problem["message"] in people.err
        assert (problem["hint"] or "") in people.err
    assert people.err.count("error: ") == len(error.get("problems") or [error]), people.err
    for text in (people.out, people.err, programs.err, error["message"], error["hint"] or ""):
        found = _NOT_FOR_PEOPLE.search(text)
        assert found is None, f"no word for people: {found}\n{text}"
    return Refusal(text=people.err, error=error)


def finished(process: subprocess.Popen[str]) -> Finished:
    """Wait for the end of a command; one that hangs is killed."""
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Finished(code=process.returncode, out=out or "", err=err or "")


def make_jar(path: Path, *, content: bytes = b"1", main_class: str | None = "com.example.Orders") -> None:
    """Make a jar that starts with a class `com.example.Orders`, as far as can be seen without a Java."""
    manifest = "Manifest-Version: 1.0\n" + (f"Main-Class: {main_class}\n" if main_class else "")
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", manifest)
        jar.writestr("com/example/Orders.class", content)


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Poll until it is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S:.0f} s: {what}"
        time.sleep(0.02)
