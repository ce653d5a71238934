"""Fixtures of the conformance tests: one cluster per Flink version for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.ledger import SOURCE
from tests.conformance.rigs import grounds
from tests.conformance.stage import VERSION, Ledger, Stage
from tests.flink.local_flink import stopped_afterwards
from tests.targets.probe import jar_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scurry.flink.runtimes import Runtimes
    from tests.conformance.rigs import Ground


@pytest.fixture(scope="module")
def ground_of(tmp_path_factory: pytest.TempPathFactory, runtimes: Runtimes) -> Iterator[Callable[[str], Ground]]:
    """A function from Flink version to its ground."""
    with grounds(tmp_path_factory.mktemp("conformance"), runtimes) as ground:
        yield ground


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, runtimes: Runtimes) -> Iterator[Stage]:
    """A project with the local target, for the tests of a module; at the end its cluster is stopped, by its pids."""
    folder = tmp_path_factory.mktemp("stage")
    with stopped_afterwards(folder / ".scurry"):
        yield Stage(folder, jar_of(SOURCE, runtimes, VERSION))


@pytest.fixture
def ledger(stage: Stage, request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """An application of the test's own, deleted at its end."""
    name = request.node.originalname.removeprefix("test_").replace("_", "-")[:40].strip("-")
    name = f"{name}-{stage.next_number()}"
    ledger = Ledger(stage, name)
    yield ledger
    ledger.end()
