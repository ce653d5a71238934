"""Fixtures of the conformance tests: one cluster per Flink version for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.rigs import grounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scurry.flink.runtimes import Runtimes
    from tests.conformance.rigs import Ground


@pytest.fixture(scope="package")
def ground_of(tmp_path_factory: pytest.TempPathFactory, runtimes: Runtimes) -> Iterator[Callable[[str], Ground]]:
    """A function from Flink version to its ground."""
    with grounds(tmp_path_factory.mktemp("conformance"), runtimes) as ground:
        yield ground
