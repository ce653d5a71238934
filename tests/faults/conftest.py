"""Fixtures of the tests of faults: one cluster behind the proxy for a module, with the application running."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.faults.cases import spots
from tests.faults.ground import Ground, Stuck, ground

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.flink.runtimes import Runtimes
    from tests.faults.cases import Spot


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, runtimes: Runtimes) -> Iterator[Ground]:
    """The ground of a module's tests. At its end the ledger reads all that was written, whatever happened."""
    with ground(tmp_path_factory.mktemp("faults"), runtimes) as stage:
        yield stage
        stage.judge_all()


@pytest.fixture
def survivor(site: Ground) -> Ground:
    """The same, in order: the network, the cluster, the application."""
    for trouble in site.trouble.iterdir():
        trouble.unlink()
    site.proxy.arm()
    site.restored()
    site.change()
    with suppress(Stuck):  # the test says so; a fixture that fails and is run again leaves its cluster behind
        site.converge()
    return site


@pytest.fixture(scope="module")
def calls(site: Ground) -> list[Spot]:
    """The calls of an upgrade, as one that nothing happens to makes them."""
    site.change()
    site.proxy.arm()
    site.converge()
    return spots(site.proxy.seen)
