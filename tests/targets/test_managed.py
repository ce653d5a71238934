"""The managed target on an emulated service with real Flinks: the whole suite that every target passes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scurry.emulator.endpoint import Emulator
from scurry.flink.runtimes import Runtimes
from scurry.model.snapshot import SnapshotKind
from scurry.testing.target_conformance import LifecycleConformance, TargetConformance
from tests.emulator.clients import is_laid_over
from tests.targets.managed_rig import ManagedRig, Program, emulating, python, sql

pytestmark = [
    pytest.mark.flink,
    pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none"),
]


@pytest.fixture(scope="module")
def emulator(runtimes: Runtimes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One for all tests of the module."""
    with emulating(tmp_path_factory.mktemp("msf"), runtimes) as served:
        yield served


class TestManaged(TargetConformance):
    stop_leaves = SnapshotKind.MANAGED

    @pytest.fixture
    def rig(self, emulator: Emulator, tmp_path: Path, runtimes: Runtimes) -> Iterator[ManagedRig]:
        rig = ManagedRig(url=emulator.url, folder=tmp_path, runtimes=runtimes)
        yield rig
        rig.end()


@pytest.mark.parametrize("program", [sql, python], ids=["sql", "python"])
class TestLife(LifecycleConformance):
    """SQL and PyFlink go the way of an application's life."""

    @pytest.fixture
    def rig(self, emulator: Emulator, tmp_path: Path, runtimes: Runtimes, program: Program) -> Iterator[ManagedRig]:
        name = f"{program.__name__}@test"
        rig = ManagedRig(url=emulator.url, folder=tmp_path, runtimes=runtimes, application=name, program=program)
        yield rig
        rig.end()
