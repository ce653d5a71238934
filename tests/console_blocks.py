"""Runs what a Markdown page shows: its marked `console` blocks, in order, in one shell in a folder of their own.

    <!-- file: application.yaml -->   the code block after it is written to that file
    <!-- run -->                      the console block after it is run; `<!-- run flink -->`: it needs a real Flink

In a block `$ ` begins a command, `> ` goes on with it, and what follows is output that has to come, in this order.
Numbers and long hexadecimal ids match any, `…` matches anything. `# exit code 3` at a command's end expects that.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_MARKED = re.compile(r"^<!-- (run|run flink|file: \S+) -->\n+```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"\s+# exit code (\d+)$")
_TIMEOUT_S = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command, and what a page shows of its output."""

    text: str
    shown: tuple[str, ...] = ()
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A file that a page shows."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What there is to do of a page."""

    steps: tuple[Command | NewFile, ...]
    needs_flink: bool


def read_page(text: str) -> Page:
    """Find the marked blocks."""
    steps: list[Command | NewFile] = []
    needs_flink = False
    for mark, language, block in _MARKED.findall(text):
        if mark.startswith("file: "):
            steps.append(NewFile(name=mark.removeprefix("file: "), text=block))
            continue
        if language != "console":
            raise ValueError(f"a block that is run is marked ```console, not ```{language}")
        needs_flink = needs_flink or mark == "run flink"
        steps += _commands(block)
    return Page(steps=tuple(steps), needs_flink=needs_flink)


def _commands(block: str) -> list[Command]:
    found: list[tuple[list[str], list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif not found:
            raise ValueError(f"a console block begins with a command, not with {line!r}")
        elif line.startswith("> ") and not found[-1][1]:
            found[-1][0].append(line[2:])
        else:
            found[-1][1].append(line)
    return [_command("\n".join(lines), shown) for lines, shown in found]


def _command(text: str, shown: list[str]) -> Command:
    exits = _EXIT.search(text)
    return Command(
        text=_EXIT.sub("", text),
        shown=tuple(line for line in shown if line.strip()),
        exit_code=int(exits[1]) if exits else 0,
    )


def run_page(page: Page, folder: Path, environment: dict[str, str]) -> list[str]:
    """Do what a page shows, and return what is not as shown. Stops at the first command that ends otherwise."""
    shell = folder
    for step in page.steps:
        if isinstance(step, NewFile):
            path = shell / step.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text, "utf-8")
            continue
        code, output, shell = _run(step, shell, environment)
        if code != step.exit_code:
            return [f"`{step.text}` ended with {code}, not with {step.exit_code}:\n{output}"]
        if missing := missing_line(step.shown, output):
            return [f"`{step.text}` did not show `{missing}`:\n{output}"]
    return []


def _run(command: Command, folder: Path, environment: dict[str, str]) -> tuple[int, str, Path]:
    """Run a command and return its exit code, its output, and the folder that it ended in (`cd` lasts)."""
    where = folder / ".where-the-shell-ended"
    script = f"{command.text}\ncode=$?\npwd > {str(where)!r}\nexit $code"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    ended = Path(where.read_text().strip()) if where.exists() else folder
    where.unlink(missing_ok=True)
    return done.returncode, done.stdout, ended


def missing_line(shown: tuple[str, ...], output: str) -> str | None:
    """Return the first line that a page shows and that does not come in its turn."""
    lines = iter([_loose(line) for line in output.splitlines()])
    for expected in shown:
        pattern = re.compile(".*".join(map(re.escape, _loose(expected).split("…"))))
        if not any(pattern.fullmatch(line) for line in lines):
            return expected
    return None


def _loose(line: str) -> str:
    """Return a line without what differs from run to run: numbers, ids, how much space a table leaves."""
    line = re.sub(r"\b[0-9a-f]{8,}\b", "#", line)
    line = re.sub(r"\d+(\.\d+)?", "#", line)
    return " ".join(line.split())
