"""Local clusters on real Flink: started, adopted, healed and stopped, whatever is killed in between."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from scurry.flink.class_data import ClassData
from scurry.flink.cluster import LocalClusters
from scurry.flink.cluster_record import load
from scurry.flink.install_cache import default_cache
from scurry.flink.launch import jars_of
from scurry.flink.process import send
from scurry.model.errors import TargetError, TargetUnavailable
from tests.flink.conftest import Listening
from tests.flink.local_flink import ask, clusters_of, family, roles, small, stopped_afterwards, until
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scurry.flink.cluster import ClusterSettings, RunningCluster
    from scurry.flink.installed import FlinkRuntime, JavaRuntime

pytestmark = [pytest.mark.flink, pytest.mark.timeout(600)]

NEWEST = FLINK_VERSIONS[-1]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Path]:
    """A workspace of which no process is left."""
    with stopped_afterwards(tmp_path):
        yield tmp_path


@pytest.fixture
def settings(
    workspace: Path, flink_runtime: Callable[[str], FlinkRuntime], java_runtime: JavaRuntime
) -> ClusterSettings:
    return small(workspace, flink_runtime(NEWEST), java_runtime)


CHILD = """
import os, signal, sys
from pathlib import Path
from scurry.flink import startup
from scurry.flink.installed import FlinkRuntime, JavaRuntime
from tests.flink.local_flink import clusters_of, small

workspace, version, flink, java, major, moment = sys.argv[1:]
settings = small(
    Path(workspace),
    FlinkRuntime(version=version, home=Path(flink), source="pypi"),
    JavaRuntime(home=Path(java), major=int(major), source="pypi"),
)

def die():
    os.kill(os.getpid(), signal.SIGKILL)

spawn, registered, spawned = startup.spawn, startup.registered, []

def dying_spawn(*arguments, **options):
    if moment == "before anything is started":
        die()
    result = spawn(*arguments, **options)
    spawned.append(result)
    if (moment, len(spawned)) in (("after the JobManager", 1), ("after the TaskManager", 2)):
        die()
    return result

def dying_registered(port):
    found = registered(port)
    if moment == "when REST answers" and found is not None:
        die()
    return found

startup.spawn, startup.registered = dying_spawn, dying_registered
cluster = clusters_of(Path(workspace)).ensure(settings)
print(cluster.rest_url, *(process.id.pid for process in cluster.processes), flush=True)
die()
"""


def ensure_in_child_that_is_killed(workspace: Path, settings: ClusterSettings, moment: str) -> list[str]:
    """Run `ensure` in a process of its own, which is killed without a chance to tidy up; at the latest at its end."""
    flink, java = settings.flink, settings.java
    arguments = (str(workspace), flink.version, str(flink.home), str(java.home), str(java.major), moment)
    command = [sys.executable, "-c", CHILD, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("version", FLINK_VERSIONS)
def test_a_cluster_serves_later_commands_and_is_seen_by_nobody_else(
    version: str, workspace: Path, flink_runtime: Callable[[str], FlinkRuntime], java_runtime: JavaRuntime
) -> None:
    settings = small(workspace, flink_runtime(version), java_runtime)
    url, *pids = ensure_in_child_that_is_killed(workspace, settings, "when it is done")
    clusters = clusters_of(workspace)

    adopted = clusters.ensure(settings)
    assert adopted.rest_url == url
    assert [str(process.id.pid) for process in adopted.processes] == pids
    assert clusters.running() == (adopted,)

    overview = ask(adopted, "/overview")
    assert (overview["flink-version"], overview["slots-total"]) == (version, 2)
    assert ask(adopted, "/config")["refresh-interval"] == 100
    expect_only_loopback(adopted)
    expect_what_pyflink_and_plugins_need(adopted, settings)
    expect_clean_logs(adopted)
    expect_live_log_level(clusters, settings, adopted)

    assert clusters.stop(version) == (version,)
    assert clusters.running() == ()
    assert family(workspace) == []
    assert clusters.stop(version) == ()
    expect_archives_for_the_next_start(settings)


def expect_archives_for_the_next_start(settings: ClusterSettings) -> None:
    flink, java = settings.flink, settings.java
    archives = ClassData(default_cache(), flink_version=flink.version, java=java, jars=jars_of(flink.home))
    for role in ("jobmanager", "taskmanager"):
        assert f"{role}.jsa" in archives.flags(role, record=True)[-1]


def expect_only_loopback(cluster: RunningCluster) -> None:
    listening = [
        connection.laddr.ip
        for process in cluster.processes
        for connection in psutil.Process(process.id.pid).net_connections(kind="all")
        if connection.status == psutil.CONN_LISTEN or (connection.type == socket.SOCK_DGRAM and connection.laddr)
    ]
    # REST, RPC, metrics RPC and blob server of the JobManager; RPC, metrics RPC and data of the TaskManager.
    assert len(listening) >= 7
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def expect_what_pyflink_and_plugins_need(cluster: RunningCluster, settings: ClusterSettings) -> None:
    for process in cluster.processes:
        environment = psutil.Process(process.id.pid).environ()
        assert environment["FLINK_OPT_DIR"] == str(settings.flink.home / "opt")
        assert environment["FLINK_PLUGINS_DIR"] == str(settings.flink.home / "plugins")
        assert (Path(environment["FLINK_CONF_DIR"]) / "log4j.properties").is_file()
    log = (cluster.log_directory / "jobmanager.log").read_text()
    assert "Plugin loader with ID found, reusing it: metrics-prometheus" in log


def expect_clean_logs(cluster: RunningCluster) -> None:
    for process in cluster.processes:
        assert (cluster.log_directory / f"{process.role}.out").read_text() == ""
        assert " ERROR " not in (cluster.log_directory / f"{process.role}.log").read_text()


def expect_live_log_level(clusters: LocalClusters, settings: ClusterSettings, cluster: RunningCluster) -> None:
    louder = small(settings.state_directory.parent, settings.flink, settings.java, log_level="DEBUG")
    assert clusters.ensure(louder).processes == cluster.processes, "a log level needs no restart"
    log = cluster.log_directory / "taskmanager-1.log"
    until(lambda: " DEBUG " in log.read_text(), "the TaskManager logs at DEBUG")


def test_a_killed_task_manager_is_replaced_and_its_slots_are_back(workspace: Path, settings: ClusterSettings) -> None:
    clusters = clusters_of(workspace)
    before = clusters.ensure(settings)
    send(before.task_managers[0].id, signal.SIGKILL)
    until(lambda: not before.task_managers[0].is_alive, "the TaskManager is dead")

    healed = clusters.heal(NEWEST)

    assert healed is not None
    assert healed.job_manager == before.job_manager, "the JobManager, and with it every job, goes on"
    assert healed.task_managers[0].id != before.task_managers[0].id
    assert healed.is_whole
    assert roles(workspace) == ["jobmanager", "taskmanager-1"]
    until(lambda: ask(healed, "/overview")["slots-total"] == 2, "only the new TaskManager's slots count")
    assert clusters.heal(NEWEST) == healed, "there is nothing to heal twice"

    more = clusters.ensure(small(workspace, settings.flink, settings.java, slots=3))
    assert (more.job_manager, more.slots) == (before.job_manager, 3), "slots are added without a restart"
    assert ask(more, "/overview")["slots-total"] == 3

    job_manager = more.job_manager
    assert job_manager is not None
    send(job_manager.id, signal.SIGKILL)
    until(lambda: not more.is_running, "the JobManager is dead")
    assert clusters.running() == ()
    assert clusters.heal(NEWEST) is None
    assert family(workspace) == [], "a TaskManager without a JobManager is of no use"

    anew = clusters.ensure(settings)
    assert roles(workspace) == ["jobmanager", "taskmanager-1"]
    assert ask(anew, "/overview")["slots-total"] == 2


@pytest.mark.parametrize(
    "moment",
    ["before anything is started", "after the JobManager", "after the TaskManager", "when REST answers"],
)
def test_a_start_that_is_killed_is_taken_up_by_the_next_one(
    moment: str, workspace: Path, settings: ClusterSettings
) -> None:
    ensure_in_child_that_is_killed(workspace, settings, moment)
    half = {process.id for process in family(workspace)}

    cluster = clusters_of(workspace).ensure(settings)

    assert roles(workspace) == ["jobmanager", "taskmanager-1"], "one cluster, wholly"
    assert {process.id for process in cluster.processes} == {process.id for process in family(workspace)}
    assert half <= {process.id for process in cluster.processes}, "what had been started was not wasted"
    assert ask(cluster, "/overview")["slots-total"] == 2


def test_two_versions_run_side_by_side_and_two_at_once_start_only_one(
    workspace: Path, flink_runtime: Callable[[str], FlinkRuntime], java_runtime: JavaRuntime
) -> None:
    both = [small(workspace, flink_runtime(version), java_runtime, slots=1) for version in FLINK_VERSIONS]
    results: list[RunningCluster] = []
    threads = [
        threading.Thread(target=lambda wanted=wanted: results.append(clusters_of(workspace).ensure(wanted)))
        for wanted in (*both, both[0])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 3
    assert len({result.rest_url for result in results}) == 2
    assert roles(workspace) == ["jobmanager", "jobmanager", "taskmanager-1", "taskmanager-1"]
    clusters = clusters_of(workspace)
    assert [cluster.flink_version for cluster in clusters.running()] == sorted(FLINK_VERSIONS)
    for cluster in clusters.running():
        assert ask(cluster, "/overview")["flink-version"] == cluster.flink_version

    assert clusters.stop(FLINK_VERSIONS[0]) == (FLINK_VERSIONS[0],)
    assert [cluster.flink_version for cluster in clusters.running()] == [NEWEST]


def test_other_settings_restart_only_a_cluster_without_jobs(workspace: Path, settings: ClusterSettings) -> None:
    reporter = Listening()
    clusters = clusters_of(workspace, reporter)
    before = clusters.ensure(settings)
    other = small(workspace, settings.flink, settings.java, config={"web.checkpoints.history": "20"})

    after = clusters.ensure(other)

    assert after.job_manager != before.job_manager
    assert ask(after, "/jobmanager/config")
    assert {"key": "web.checkpoints.history", "value": "20"} in ask(after, "/jobmanager/config")
    assert roles(workspace) == ["jobmanager", "taskmanager-1"]
    assert reporter.notes == []


def test_a_start_that_fails_in_flink_says_why_and_leaves_nothing(workspace: Path, settings: ClusterSettings) -> None:
    wrong = small(workspace, settings.flink, settings.java, config={"heartbeat.interval": "often"})
    with pytest.raises(TargetUnavailable) as caught:
        clusters_of(workspace).ensure(wrong)
    assert "Could not parse value 'often' for key 'heartbeat.interval'" in caught.value.message
    assert "Remote daemon" not in caught.value.message, "what follows from it is not told"
    assert family(workspace) == []
    assert load(workspace / "local" / NEWEST) is None


def test_a_deleted_workspace_folder_does_not_hide_its_processes(workspace: Path, settings: ClusterSettings) -> None:
    clusters = clusters_of(workspace)
    clusters.ensure(settings)
    (workspace / "local" / NEWEST / "cluster.json").unlink()
    (workspace / "local" / NEWEST).rename(workspace / "gone")
    assert clusters.running() == ()
    assert clusters.stop() == (NEWEST,)
    assert family(workspace) == []


def test_a_second_flink_does_not_start_on_a_taken_port(workspace: Path, settings: ClusterSettings) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        wanted = small(workspace, settings.flink, settings.java, rest_port=port)
        with pytest.raises(TargetError, match=rf"port {port}.* taken by .*\(pid {os.getpid()}\)"):
            clusters_of(workspace).ensure(wanted)
    assert family(workspace) == []
    cluster = clusters_of(workspace).ensure(wanted)
    assert cluster.rest_url == f"http://127.0.0.1:{port}"
