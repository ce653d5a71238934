"""Fixtures of the server's tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.server.office import TOKEN, Office
from tests.server.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A project; at the end of the test none of its servers runs."""
    site = Site(tmp_path)
    yield site
    site.end()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Another desk than that of a server that runs, with nothing but the files and the server's URL."""
    (tmp_path / "site").mkdir()
    site = Site(tmp_path / "site")
    with site.server(environment={"SCURRY_TOKEN": TOKEN}) as server:
        yield Office(tmp_path / "office", site, server)
    site.end()
