"""The local target on real Flinks: the conformance suite, and what is its own: clusters that come, go and differ."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import msgspec
import pytest

from scurry.flink.process import send
from scurry.model.desired import UpgradeMode
from scurry.model.errors import JobNotFound, RejectedByTarget, TargetUnsuitable
from scurry.model.operation import Action, Deploy, DropSnapshot, Resume, Suspend, TakeSnapshot, Upgrade
from scurry.model.ports import Heals
from scurry.model.snapshot import FromLatest, FromSnapshot, SnapshotKind, Stateless
from scurry.testing.rig import CountedMarks, Runner
from scurry.testing.target_conformance import LifecycleConformance, TargetConformance
from tests.flink.local_flink import roles, stopped_afterwards, until
from tests.targets.local_rig import LocalRig
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scurry.flink.runtimes import Runtimes
    from scurry.model.snapshot import Snapshot

pytestmark = [pytest.mark.flink, pytest.mark.timeout(900)]

OLDEST, NEWEST = FLINK_VERSIONS[0], FLINK_VERSIONS[-1]
NEW = Stateless(why="it is new")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace whose clusters all tests of the suite use."""
    workspace = tmp_path_factory.mktemp("local")
    with stopped_afterwards(workspace / ".scurry"):
        yield workspace


@pytest.fixture
def own(tmp_path: Path, runtimes: Runtimes) -> Iterator[LocalRig]:
    """A workspace whose clusters the test may harm."""
    with stopped_afterwards(tmp_path / ".scurry"):
        yield LocalRig(tmp_path, runtimes, NEWEST)


def rig_of(workspace: Path, runtimes: Runtimes, version: str) -> Iterator[LocalRig]:
    """A rig, and an end to what a test left running."""
    rig = LocalRig(workspace, runtimes, version)
    yield rig
    for job in rig.target.survey().values():
        if not job.state.is_terminal:
            Runner(rig, CountedMarks()).run(Suspend(job_id=job.id, snapshot=False))


class TestNewestFlink(TargetConformance):
    """The whole suite."""

    @pytest.fixture
    def rig(self, shared: Path, runtimes: Runtimes) -> Iterator[LocalRig]:
        yield from rig_of(shared, runtimes, NEWEST)


class TestOldestFlink(LifecycleConformance):
    """The same workspace, the other cluster beside the first."""

    @pytest.fixture
    def rig(self, shared: Path, runtimes: Runtimes) -> Iterator[LocalRig]:
        yield from rig_of(shared, runtimes, OLDEST)


def test_without_a_cluster_everything_is_absent_and_nothing_is_started(own: LocalRig) -> None:
    observed = own.target.observe("probe", ("a" * 32,))
    assert (observed.reachable, observed.jobs, observed.retained) == (True, (), ())
    assert own.target.survey() == {}
    runner = Runner(own, CountedMarks(prefix=1))
    with pytest.raises(JobNotFound):
        runner.run(Suspend(job_id="a" * 32))
    assert roles(own.workspace) == []


def test_a_job_whose_cluster_was_killed_goes_on_from_its_last_checkpoint(own: LocalRig) -> None:
    runner = Runner(own, CountedMarks(prefix=2))
    first = runner.run(Deploy(desired=own.wish(), restore=NEW))[Action.SUBMIT].job_id
    assert first is not None
    runner.await_job(first, lambda job: job.checkpoints.completed >= 2)
    kill(own, "jobmanager")

    seen = own.another().observe("probe", runner.job_ids)
    assert (seen.reachable, seen.jobs) == (True, ())
    newest = seen.retained[0]
    assert (newest.kind, newest.job_id) == (SnapshotKind.CHECKPOINT, first)
    assert list(seen.retained) == sorted(seen.retained, key=lambda found: found.taken_at, reverse=True)

    resumed = runner.run(Resume(desired=own.wish(), restore=FromSnapshot(snapshot=newest)))
    second = resumed[Action.SUBMIT].job_id
    assert second is not None
    restored = runner.await_running(second).restored_from
    assert restored is not None
    assert restored.replace("file:///", "file:/") == newest.location
    assert roles(own.workspace) == ["jobmanager", "taskmanager-1"]


def test_a_dead_task_manager_is_replaced_by_the_next_command_and_the_job_goes_on(own: LocalRig) -> None:
    runner = Runner(own, CountedMarks(prefix=3))
    job_id = runner.run(Deploy(desired=own.wish(), restore=NEW))[Action.SUBMIT].job_id
    assert job_id is not None
    runner.await_running(job_id)
    kill(own, "taskmanager-1")
    assert isinstance(own.target, Heals)
    own.another().heal()
    assert roles(own.workspace) == ["jobmanager", "taskmanager-1"]
    runner.await_job(job_id, lambda job: job.restarts > 0)
    runner.await_running(job_id)
    kill(own, "taskmanager-1")

    snapshot = take_snapshot_when_it_runs_again(runner, job_id)

    assert snapshot.job_id == job_id
    job = runner.await_job(job_id, lambda job: job.restarts > 1)
    assert not job.state.is_terminal
    assert roles(own.workspace) == ["jobmanager", "taskmanager-1"]
    runner.run(Suspend(job_id=job_id, snapshot=False))
    own.target._clusters.stop()
    runner.run(DropSnapshot(snapshot=snapshot))
    assert own.target.observe("probe", [job_id]).retained[:1] != (snapshot,)
    with pytest.raises(RejectedByTarget, match="not in this workspace"):
        runner.run(DropSnapshot(snapshot=msgspec.structs.replace(snapshot, location="file:/etc")))


@pytest.mark.parametrize("mode", [UpgradeMode.SAVEPOINT, UpgradeMode.LAST_STATE])
def test_an_upgrade_of_flink_stops_the_job_there_and_starts_it_here_with_its_state(
    mode: UpgradeMode, own: LocalRig
) -> None:
    runner = Runner(own, CountedMarks(prefix=4 + len(mode)))
    old = runner.run(Deploy(desired=own.wish(version=OLDEST, mode=mode), restore=NEW))[Action.SUBMIT].job_id
    assert old is not None
    runner.await_job(old, lambda job: job.checkpoints.completed > 0)

    upgrade = Upgrade(desired=own.wish(mode=mode), restore=FromLatest(), mode=mode, job_id=old)
    outcomes = runner.run(upgrade)

    new = outcomes[Action.SUBMIT].job_id
    assert new is not None
    ended = outcomes.get(Action.STOP) or outcomes[Action.CANCEL]
    assert ended.snapshot is not None
    restored = runner.await_running(new).restored_from
    assert restored is not None
    assert restored.replace("file:///", "file:/") == ended.snapshot.location.replace("file:///", "file:/")
    seen = own.another().observe("probe", runner.job_ids)
    assert (seen.flink_version, seen.live and seen.live.id) == (NEWEST, new)
    assert {job.id: job.state.is_terminal for job in seen.jobs} == {new: False, old: True}
    assert roles(own.workspace) == ["jobmanager", "jobmanager", "taskmanager-1", "taskmanager-1"]


def test_too_few_slots_say_which_setting_to_raise_and_raising_it_suffices(own: LocalRig) -> None:
    runner = Runner(own, CountedMarks(prefix=6))
    first = runner.run(Deploy(desired=own.wish(parallelism=3), restore=NEW))[Action.SUBMIT].job_id
    assert first is not None
    runner.await_running(first)
    other = msgspec.structs.replace(own.wish(parallelism=3), application="other")
    with pytest.raises(TargetUnsuitable, match="3 slots") as caught:
        runner.run(Deploy(desired=other, restore=NEW))
    assert "'slots'" in (caught.value.hint or "")

    own.target = own.another(slots=6)
    second = runner.run(Deploy(desired=other, restore=NEW))[Action.SUBMIT].job_id
    assert second is not None
    runner.await_running(second)
    assert runner.await_running(first).restarts == 0, "the first job was not disturbed"

    own.target = own.another(slots=6, config={"web.checkpoints.history": "7"})
    runner.run(TakeSnapshot(job_id=first))
    own.target.run(
        own.target.steps(Deploy(desired=other, restore=NEW), CountedMarks())[0],
        runner.context(Deploy(desired=other, restore=NEW)),
    )
    assert any("scurry local stop" in note for note in own.reporter.notes), "jobs are not ended by a setting"
    assert runner.await_running(first).restarts == 0


def take_snapshot_when_it_runs_again(runner: Runner, job_id: str) -> Snapshot:
    """The first attempts meet a job that restarts; each is a command of its own."""
    found: list[Snapshot] = []

    def attempt() -> bool:
        try:
            snapshot = runner.run(TakeSnapshot(job_id=job_id))[Action.SNAPSHOT].snapshot
        except RejectedByTarget:
            return False
        assert snapshot is not None
        found.append(snapshot)
        return True

    until(attempt, "a savepoint of the job that recovered")
    return found[0]


def kill(own: LocalRig, role: str) -> None:
    (cluster,) = own.target._clusters.running()
    (process,) = (process for process in cluster.processes if process.role == role)
    send(process.id, signal.SIGKILL)
    until(lambda: not process.is_alive, f"{role} is dead")
