"""Thirteen situations on the managed service end as the page says: with plain Terraform, and with scurry."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from scurry.emulator.endpoint import Emulator, Settings
from scurry.flink.runtimes import Runtimes
from scurry.model.reporting import SilentReporter
from tests.emulator.clients import is_laid_over
from tests.emulator.terraform_cli import MISSING, is_installed, provider
from tests.examples.stage import Stage

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "terraform-alone.md"
SITUATIONS = [f"B{number}" for number in range(1, 14)]

pytestmark = [
    pytest.mark.flink,
    pytest.mark.network,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none"),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, runtimes: Runtimes) -> str:
    """What the example tells: both ways at the same time on one emulator, or scurry's alone without Terraform."""
    folder = tmp_path_factory.mktemp("lifecycle")
    stage = Stage("05-msf-lifecycle", folder / "stage")
    emulator = Emulator(Settings(directory=folder / "emulator", metrics_s=0.5), runtimes, SilentReporter())
    with emulator.serving(), ExitStack() as entered:
        attached, ways = {}, ["scurry"]
        if is_installed():
            attached, ways = entered.enter_context(provider(folder, emulator.environment)), []
        environment = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
        done = subprocess.run(
            [sys.executable, "lifecycle.py", *ways],
            cwd=stage.folder,
            env={**environment, **emulator.environment, **attached},
            capture_output=True,
            text=True,
            check=False,
        )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "way", [pytest.param("terraform", marks=pytest.mark.skipif(not is_installed(), reason=MISSING)), "scurry"]
)
def test_each_situation_ends_as_the_page_says(told: str, way: str) -> None:
    ends = dict(re.findall(rf"^(B\d+) {way}: (.*)$", told, re.MULTILINE))
    assert list(ends) == SITUATIONS, told
    rows = _rows()
    assert {number: end for number, end in ends.items() if end not in rows[number]} == {}


def _rows() -> dict[str, str]:
    """The rows of the page's table, by situation; code is written there as code."""
    text = PAGE.read_text("utf-8").replace("`", "").replace("**", "")
    return dict(re.findall(r"^\| (B\d+)[^|]*(\|.*)$", text, re.MULTILINE))
