"""The managed target on an emulated service with real Flinks: the whole suite that every target passes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from scurry.emulator.endpoint import Emulator
from scurry.flink.runtimes import Runtimes
from scurry.model.operation import Action, Deploy, Suspend
from scurry.model.snapshot import SnapshotKind, Stateless
from scurry.testing.rig import CountedMarks, Runner
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


class TestSql(LifecycleConformance):
    """A script goes the way of an application's life."""

    @pytest.fixture
    def rig(self, emulator: Emulator, tmp_path: Path, runtimes: Runtimes) -> Iterator[ManagedRig]:
        yield from _rig(emulator, tmp_path, runtimes, sql)


def test_a_pyflink_application_is_checked_runs_and_stops_with_its_state(
    emulator: Emulator, tmp_path: Path, runtimes: Runtimes
) -> None:
    """It reads its properties where only the service has them, also when it is asked for its job graph here."""
    for rig in _rig(emulator, tmp_path, runtimes, python):
        runner = Runner(rig, CountedMarks(prefix=os.getpid()))
        started = runner.run(Deploy(desired=rig.wish(), restore=Stateless(why="it is new")))
        assert started[Action.CHECK].detail["vertices"]
        job_id = str(started[Action.SUBMIT].job_id)
        runner.await_running(job_id)
        stopped = runner.run(Suspend(job_id=job_id))[Action.STOP].snapshot
        assert stopped
        assert stopped.job_id == job_id


def _rig(emulator: Emulator, folder: Path, runtimes: Runtimes, program: Program) -> Iterator[ManagedRig]:
    name = f"{program.__name__}@test"
    rig = ManagedRig(url=emulator.url, folder=folder, runtimes=runtimes, application=name, program=program)
    yield rig
    rig.end()
