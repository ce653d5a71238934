"""The desk that tests of the command line work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A project on the memory target, which is the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return Desk(tmp_path, capsys)


@pytest.fixture
def running(desk: Desk) -> Desk:
    """The same with the application `shop` applied."""
    desk.done("apply", "shop.yaml", "--yes")
    return desk
