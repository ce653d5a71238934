"""Each example has a test, a README and a specification that is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.examples.stage import EXAMPLES, Stage

FOLDERS = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
UNBUILT = [name for name in FOLDERS if not (EXAMPLES / name / "build.py").exists()]
"""those whose specification needs nothing that is built first; the others' own tests build it and apply them"""


def test_there_are_examples() -> None:
    assert len(FOLDERS) >= 4


@pytest.mark.parametrize("example", FOLDERS)
def test_every_example_has_a_test_of_its_own(example: str) -> None:
    assert (Path(__file__).parent / f"test_{example.replace('-', '_')}.py").is_file()


@pytest.mark.parametrize("example", FOLDERS)
def test_every_command_in_an_examples_readme_exists(example: str) -> None:
    from scurry.cli.app import COMMANDS

    used = {line.split()[1] for line in _commands(example) if line.startswith("scurry ")}
    assert "apply" in used
    assert used <= COMMANDS.keys()


@pytest.mark.parametrize("example", UNBUILT)
def test_every_example_is_valid_as_its_readme_applies_it(example: str, tmp_path: Path) -> None:
    stage = Stage(example, tmp_path / "stage")
    applied = [line.split()[2:] for line in _commands(example) if line.startswith("scurry apply ")]
    assert applied
    for arguments in applied:
        stage.run("validate", *arguments)


def _commands(example: str) -> list[str]:
    readme = (EXAMPLES / example / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]
