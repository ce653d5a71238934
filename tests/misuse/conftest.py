"""A shop with a running application for each test: made once, copied for each."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.misuse.shop import Shop

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def _began(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose application was started once for all tests."""
    shop = Shop(tmp_path_factory.mktemp("misuse") / "shop")
    shop.folder.mkdir()
    shop.begin()
    return shop.folder


@pytest.fixture
def shop(_began: Path, tmp_path: Path) -> Shop:
    """A project on the memory target whose application `orders` runs."""
    shutil.copytree(_began, tmp_path / "shop")
    return Shop(tmp_path / "shop")
