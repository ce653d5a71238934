"""The REST target on a real Flink when answers are lost and the JobManager dies; and jobs rescaled in place."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import urllib3

from scurry.model.errors import TargetUnavailable, TargetUnsuitable
from scurry.model.observed import JobState
from scurry.model.operation import Action, Deploy, Rescale, Suspend
from scurry.model.snapshot import FromSnapshot
from tests.flink.local_flink import small, stopped_afterwards, until
from tests.flink.rest_server import RestServer, reset, serving, whole
from tests.targets.probe import probe_jar
from tests.targets.rest_rig import NEW, Play, RestRig
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scurry.flink.cluster import ClusterSettings, LocalClusters, RunningCluster
    from scurry.flink.installed import FlinkRuntime, JavaRuntime
    from scurry.flink.runtimes import Runtimes
    from tests.flink.rest_server import Asked

    Started = tuple[RestRig, LocalClusters, ClusterSettings, RunningCluster]
    Start = Callable[[str, dict[str, str]], Started]

pytestmark = [pytest.mark.flink, pytest.mark.timeout(400)]

ADAPTIVE = {"jobmanager.scheduler": "adaptive"}
NEWEST = FLINK_VERSIONS[-1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def make(
    tmp_path: Path, flink_runtime: Callable[[str], FlinkRuntime], java_runtime: JavaRuntime, runtimes: Runtimes
) -> Iterator[Start]:
    """Start a cluster of its own for a test, always on the same port."""
    with stopped_afterwards(tmp_path / "cluster") as clusters:

        def start(version: str, config: dict[str, str]) -> Started:
            settings = small(
                tmp_path / "cluster",
                flink_runtime(version),
                java_runtime,
                slots=3,
                config=config,
                rest_port=free_port(),
            )
            cluster = clusters.ensure(settings)
            checkpoints = str(settings.state_directory / "checkpoints")
            rig = RestRig(cluster.rest_url, tmp_path, runtimes=runtimes, version=version, checkpoints=checkpoints)
            rig.artifact = rig.artifacts.add(probe_jar(runtimes, version))
            return rig, clusters, settings, cluster

        yield start


@contextmanager
def losing(url: str, lost: Callable[[Asked], bool]) -> Iterator[RestServer]:
    """Stand between the target and a Flink, and break off after calls whose answer is to be lost."""
    pool = urllib3.PoolManager()

    def make(server: RestServer) -> Callable[[socket.socket], None]:
        def answer(connection: socket.socket) -> None:
            asked = server.asked[-1]
            headers = {name: asked.headers[name] for name in ("content-type",) if name in asked.headers}
            response = pool.request(asked.method, url + asked.path, body=asked.body or None, headers=headers)
            if lost(asked):
                reset(connection)
                raise ConnectionResetError
            whole(response.status, response.data.decode())(connection)

        answer.keep = True  # type: ignore[attr-defined]
        return answer

    with serving() as server:
        server.answers.append(make(server))
        yield server
    pool.clear()


def test_what_landed_though_its_answer_was_lost_is_found(
    make: Start,
) -> None:
    rig, *_, cluster = make(NEWEST, {})
    with losing(
        cluster.rest_url, lambda asked: asked.method == "POST" and asked.path.endswith(("/run", "/stop"))
    ) as proxy:
        rig.settings["url"] = proxy.url
        rig.target = rig.connect()
        play = Play(rig)
        operation = Deploy(desired=rig.wish(), restore=NEW)
        *before, submit = rig.target.steps(operation, play.marks)
        context = play.runner.context(operation)
        for step in before:
            play.runner.step(step, context)
        with pytest.raises(TargetUnavailable):
            play.runner.step(submit, context)
        found = rig.target.find(submit)
        assert found
        assert found.job_id == submit.mark
        assert sum(asked.path.endswith("/run") for asked in proxy.asked) == 1
        play.running(submit.mark)
        (stop,) = rig.target.steps(Suspend(job_id=submit.mark), play.marks)
        with pytest.raises(TargetUnavailable):
            play.runner.step(stop, context)
        stopped = rig.connect().find(stop)
        assert stopped
        assert stopped.snapshot
        assert stopped.snapshot.job_id == submit.mark
        assert sum(asked.path.endswith("/stop") for asked in proxy.asked) == 1
        assert play.job(submit.mark).state is JobState.FINISHED


@pytest.mark.parametrize("version", FLINK_VERSIONS)
def test_a_jobmanager_that_dies_takes_the_job_but_not_its_state(version: str, make: Start) -> None:
    rig, clusters, settings, cluster = make(version, {})
    play = Play(rig)
    first = play.deploy(rig.wish())
    assert cluster.job_manager
    os.kill(cluster.job_manager.id.pid, signal.SIGKILL)
    until(lambda: not rig.target.observe("probe@test", (first,)).reachable, "the cluster is gone")
    submit, stop = (
        next(step for step in rig.target.steps(operation, play.marks) if step.action is action)
        for operation, action in (
            (Deploy(desired=rig.wish(), restore=NEW), Action.SUBMIT),
            (Suspend(job_id=first), Action.STOP),
        )
    )
    for step in (submit, stop):
        with pytest.raises(TargetUnavailable):
            rig.target.find(step)
    assert clusters.ensure(settings).rest_url == cluster.rest_url
    assert rig.target.find(submit) is None
    assert rig.target.find(stop) is None
    observed = rig.target.observe("probe@test", (first,))
    assert observed.jobs == ()
    assert {snapshot.job_id for snapshot in observed.retained} == {first}
    newest = observed.retained[0]
    second = play.submit(rig.wish(variant=1), FromSnapshot(snapshot=newest))
    assert play.running(second).restored_from == newest.location


@pytest.mark.parametrize("version", FLINK_VERSIONS)
def test_an_adaptive_scheduler_rescales_in_place(version: str, make: Start) -> None:
    rig, *_ = make(version, ADAPTIVE)
    play = Play(rig)
    job_id = play.deploy(rig.wish())
    assert rig.target.observe("probe@test", (job_id,)).rescales_in_place
    outcome = play.run(Rescale(desired=rig.wish(parallelism=3), job_id=job_id))[Action.RESCALE]
    assert outcome.job_id == job_id
    job = play.until(job_id, lambda job: job.parallelism == 3 and job.vertices_running == job.vertices)
    assert job.state is JobState.RUNNING
    with pytest.raises(TargetUnsuitable, match="needs 4 slots, and there are 3"):
        play.run(Rescale(desired=rig.wish(parallelism=4), job_id=job_id))
    assert play.job(job_id).parallelism == 3


@pytest.mark.network
def test_a_python_application_runs_with_its_modules_and_arguments(make: Start, tmp_path: Path) -> None:
    import zipfile

    from scurry.model.desired import ArtifactKind
    from scurry.model.errors import RejectedByTarget
    from tests.targets.probe import artifact_of

    rig, *_ = make(NEWEST, {})
    package = tmp_path / "app.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("main.py", PYTHON_MAIN)
        archive.writestr("numbers_of_mine.py", "def doubled(x):\n    return 2 * x\n")
    artifact = artifact_of(package, ArtifactKind.PYTHON)
    rig.artifacts.paths[artifact.digest] = package
    play = Play(rig)
    desired = rig.job("--limit", "7", artifact=artifact, entry="main.py", properties={"g": {"k": "v"}})
    job_id = play.submit(desired)
    job = play.until(job_id, lambda job: job.state.is_terminal)
    assert job.state is JobState.FINISHED, job.root_exception
    with pytest.raises(RejectedByTarget, match=r"^Python: ValueError: told to fail$"):
        play.submit(rig.job("fail", artifact=artifact, entry="main.py"))
    failed = play.submit(rig.job("--limit", "0", artifact=artifact, entry="main.py"))
    job = play.until(failed, lambda job: job.root_exception is not None)
    assert job.root_exception == "Python: ZeroDivisionError: integer modulo by zero"


PYTHON_MAIN = """
import sys

from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

import numbers_of_mine

if "fail" in sys.argv:
    raise ValueError("told to fail")
limit = int(sys.argv[sys.argv.index("--limit") + 1])
env = StreamExecutionEnvironment.get_execution_environment()
numbers = env.from_collection([1, 2, 3], type_info=Types.LONG())
numbers.map(lambda number: numbers_of_mine.doubled(number) % limit, output_type=Types.LONG()).print()
env.execute()
"""
