"""Every test here works in a folder of its own, so that places are told by short names."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the test runs in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
