"""Fixtures of the emulator's tests: a served endpoint, and boto3 as everybody has it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from scurry.emulator.endpoint import Emulator, Settings
from scurry.emulator.lifecycle import Limits
from scurry.flink.runtimes import Runtimes
from scurry.model.reporting import SilentReporter
from tests.emulator.clients import Clients
from tests.targets.probe import jar_of

VERSION = "1.20.5"


@pytest.fixture(scope="module")
def emulator(runtimes: Runtimes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator for the tests of a module."""
    limits = Limits(kpus=4, snapshots=6)
    folder = tmp_path_factory.mktemp("emulator")
    settings = Settings(directory=folder, limits=limits, metrics_s=0.5, keeps_others=False)
    served = Emulator(settings, runtimes, SilentReporter())
    with served.serving():
        yield served


@pytest.fixture(scope="session")
def jar(runtimes: Runtimes) -> Path:
    """The job that most tests run."""
    return jar_of(Path(__file__).parent / "java" / "Managed.java", runtimes, VERSION)


@pytest.fixture
def clients(emulator: Emulator) -> Clients:
    """Clients of it."""
    return Clients(emulator.url)


@pytest.fixture
def name() -> str:
    """An application's name that no other test, and no other try of this one, has."""
    return f"app-{secrets.token_hex(4)}"


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    """Where a job writes its counts down."""
    return tmp_path / "counts.txt"
