"""Writing specs for tests, and reading what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from scurry.model.errors import SpecInvalid
from scurry.spec.load import LoadedApplication, load_application

MINIMAL = """\
name: flights
flink: "2.3"
code: {sql: queries.sql}
"""
SCRIPT = "INSERT INTO t SELECT * FROM s;\n"


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files into a folder, each without its common indentation."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")


def load(
    folder: Path, text: str, *, environment: str | None = None, env: dict[str, str] | None = None
) -> LoadedApplication:
    """Write an application beside a small script and load it."""
    write(folder, {"application.yaml": text})
    if not (folder / "queries.sql").exists():
        write(folder, {"queries.sql": SCRIPT})
    return load_application(folder / "application.yaml", environment=environment, env=env or {})


def problems(
    folder: Path, text: str, *, environment: str | None = None, env: dict[str, str] | None = None
) -> list[str]:
    """Load an application that is wrong and return what is told, as a person reads it."""
    with pytest.raises(SpecInvalid) as caught:
        load(folder, text, environment=environment, env=env)
    return [str(problem) for problem in caught.value.problems]
