"""A project on the memory target, and commands run on it: in this process, in another one, or on a terminal."""

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scurry.cli.documents import DOCUMENTS
from scurry.cli.main import main

PROJECT = """\
name: desk
target: mem
targets:
  mem: {kind: memory}
"""
SPEC = """\
name: shop
flink: "2.3.0"
code: {jar: shop.jar}
parallelism: 1
upgrade: {health: {window: 200ms}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output; anything else there is an error."""
        return json.loads(self.out)

    @property
    def shown(self) -> str:
        """Standard output without what differs from run to run: ids, times, sizes of gaps."""
        text = re.sub(r"\b[0-9a-f]{12,32}\b", "ID", self.out)
        text = re.sub(r"\d+\.\d s\b", "N s", text)
        text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
        return re.sub(r"\S+@\S+ pid \d+", "WHO", text)


class Desk:
    """A folder with a project in it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        (folder / "scurry.yaml").write_text(PROJECT)
        self.write("shop")
        self.build("shop.jar")

    def write(self, name: str, spec: str = SPEC) -> Path:
        """Write a spec."""
        path = self.folder / f"{name}.yaml"
        path.write_text(spec.replace("name: shop", f"name: {name}"))
        return path

    def change(self, old: str, new: str, *, name: str = "shop") -> None:
        """Change a spec."""
        path = self.folder / f"{name}.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def behave(self, behaviour: str) -> None:
        """Let the job behave as the memory target can; the spec has no `config` before."""
        path = self.folder / "shop.yaml"
        text = re.sub(r"config: .*\n", "", path.read_text())
        path.write_text(text + f"config: {{memory.behaviour: {behaviour}}}\n")

    def build(self, name: str, content: str = "1") -> None:
        """Make a jar that starts with a class `com.example.Shop`."""
        with zipfile.ZipFile(self.folder / name, "w") as jar:
            jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMain-Class: com.example.Shop\n")
            jar.writestr("com/example/Shop.class", content)

    def run(self, *arguments: str) -> Result:
        """Run a command in this process; there is no terminal."""
        self._capsys.readouterr()
        code = main(arguments)
        captured = self._capsys.readouterr()
        return Result(code=code, out=captured.out, err=captured.err)

    def done(self, *arguments: str) -> Result:
        """Run a command that has to succeed."""
        result = self.run(*arguments)
        assert result.code == 0, result.err
        return result

    def spawn(self, *arguments: str) -> subprocess.Popen[str]:
        """Run a command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "scurry.cli.main", *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def process(self, *arguments: str) -> Result:
        """Run a command in a process of its own, to its end."""
        process = self.spawn(*arguments)
        out, err = process.communicate(timeout=60)
        return Result(code=process.returncode, out=out, err=err)

    def on_terminal(self, *arguments: str, answers: tuple[str, ...] = ()) -> Result:
        """Run a command on a terminal, and type each answer when it asks. Its whole screen is `out`."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "scurry.cli.main", *arguments],
            cwd=self.folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        )
        os.close(theirs)
        screen = _converse(ours, list(answers))
        os.close(ours)
        return Result(code=process.wait(timeout=60), out=screen, err="")


def _converse(terminal: int, answers: list[str]) -> str:
    screen, told, deadline = "", 0, time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.5)[0]:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not data:
            break
        screen += data.decode("utf-8", "replace")
        if answers and screen.count("[y/N]") > told:
            told += 1
            os.write(terminal, f"{answers.pop(0)}\n".encode())
    return screen


def check_document(name: str, document: dict[str, Any]) -> None:
    """Fail when a document has a field that is not described, or lacks one that is described as always there."""
    assert document["schema"] == f"scurry/{name}/1"
    fields = DOCUMENTS[name].fields
    known = {path.replace("?", "") for path in fields}
    found = set(_paths({key: value for key, value in document.items() if key != "schema"}))
    assert found <= known, f"not described: {sorted(found - known)}"
    for path in fields:
        _require(document, path.split("."), path)


def _paths(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict):
        return [
            found
            for key, item in value.items()
            for here in [f"{path}.{key}" if path else key]
            for found in ([] if isinstance(item, list) else [here]) + _paths(item, here)
        ]
    if isinstance(value, list):
        return [f"{path}[]", *(found for item in value for found in _paths(item, f"{path}[]"))]
    return []


def _require(value: Any, keys: list[str], path: str) -> None:
    if not keys:
        return
    key, *rest = keys
    name = key.replace("[]", "").replace("?", "")
    if name not in value or value[name] is None:
        assert "?" in key, f"{path} is missing"
        return
    for item in value[name] if key.endswith("[]") else [value[name]]:
        _require(item, rest, path)
