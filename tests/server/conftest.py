"""Fixtures of the server's tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.server.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A project; at the end of the test none of its servers runs."""
    site = Site(tmp_path)
    yield site
    site.end()
