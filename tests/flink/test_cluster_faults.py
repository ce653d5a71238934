"""Local clusters when things go wrong: told clearly, and nothing foreign is touched.

No Flink needed: `java` is a shell script.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from scurry.flink import cluster_setup, startup
from scurry.flink.class_data import ClassData, publish_recorded
from scurry.flink.cluster import ClusterSettings, LocalClusters
from scurry.flink.cluster_record import ClusterProcess, RunningCluster, Stage, load, save
from scurry.flink.configuration import configuration_file, options
from scurry.flink.installed import FlinkRuntime, JavaRuntime
from scurry.flink.launch import CLUSTER_VARIABLE
from scurry.flink.memory import (
    job_manager_memory,
    machine_memory,
    suggested_job_manager,
    suggested_task_manager,
    task_manager_memory,
)
from scurry.flink.process import ProcessId, end, is_alive, send, spawn
from scurry.model.errors import RuntimeUnavailable, ScurryError, TargetUnavailable, TargetUnsuitable, WorkspaceError
from scurry.model.flink_memory import GIB, MIB, parse_memory
from tests.flink.conftest import Listening
from tests.flink.local_flink import family, until

VERSION = "2.3.0"
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def settings(
    tmp_path: Path, script: str, *, config: dict[str, str] | None = None, rest_port: int | None = None
) -> ClusterSettings:
    """A Flink without a jar, and a Java that is a shell script."""
    home = tmp_path / "flink"
    (home / "lib").mkdir(parents=True, exist_ok=True)
    java = tmp_path / "java" / "bin" / "java"
    java.parent.mkdir(parents=True, exist_ok=True)
    java.write_text(f"#!/bin/sh\n{script}\n")
    java.chmod(0o755)
    return ClusterSettings(
        flink=FlinkRuntime(version=VERSION, home=home, source="archive"),
        java=JavaRuntime(home=tmp_path / "java", major=17, source="JAVA_HOME"),
        state_directory=tmp_path / "state",
        config=config or {},
        rest_port=rest_port,
    )


def failure(tmp_path: Path, script: str, **more: int) -> ScurryError:
    clusters = LocalClusters(tmp_path / "local", Listening())
    with pytest.raises(ScurryError) as caught:
        clusters.ensure(settings(tmp_path, script, **more))  # type: ignore[arg-type]
    assert family(tmp_path) == []
    assert load(tmp_path / "local" / VERSION) is None
    return caught.value


def test_the_last_words_of_a_process_that_ends_while_starting_are_told(tmp_path: Path) -> None:
    error = failure(tmp_path, "echo 'Error: Could not find or load main class nonsense'; exit 1")
    assert isinstance(error, TargetUnavailable)
    assert "ended with exit code 1 while starting" in error.message
    assert "Could not find or load main class nonsense" in error.message
    assert error.hint is not None
    assert str(tmp_path / "local" / VERSION / "log") in error.hint


@pytest.mark.parametrize(
    "script",
    [
        "echo 'Error occurred during initialization of VM'; echo 'Could not reserve enough space for heap'; exit 1",
        "kill -9 $$",
    ],
)
def test_too_little_memory_is_told_with_what_to_lower(tmp_path: Path, script: str) -> None:
    error = failure(tmp_path, script)
    assert isinstance(error, TargetUnavailable)
    assert "too little memory" in error.message
    assert "task_manager_memory" in (error.hint or "")


def test_a_java_that_is_too_old_is_told(tmp_path: Path) -> None:
    error = failure(tmp_path, "echo 'java.lang.UnsupportedClassVersionError: class file version 61.0'; exit 1")
    assert isinstance(error, RuntimeUnavailable)
    assert "Java 17 is too old" in error.message


def test_a_full_disk_that_flink_runs_into_is_told(tmp_path: Path) -> None:
    error = failure(tmp_path, "echo 'java.io.IOException: No space left on device'; exit 1")
    assert isinstance(error, WorkspaceError)
    assert "no room left" in error.message


def test_ports_that_are_always_taken_end_in_an_error(tmp_path: Path) -> None:
    attempts = tmp_path / "attempts"
    error = failure(tmp_path, f"echo x >> {attempts}; echo 'java.net.BindException: Address already in use'; exit 1")
    assert isinstance(error, TargetUnavailable)
    assert "port" in error.message
    assert len(attempts.read_text().split()) >= 4, "other ports were tried"


def test_a_java_that_is_not_there_is_told(tmp_path: Path) -> None:
    wanted = settings(tmp_path, "true")
    wanted.java.executable.unlink()
    with pytest.raises(RuntimeUnavailable, match="cannot be used to run Flink: No such file"):
        LocalClusters(tmp_path / "local", Listening()).ensure(wanted)


@pytest.mark.parametrize(
    ("number", "told"),
    [(errno.ENOSPC, "there is no room left on the disk"), (errno.EACCES, "cannot be written: Permission denied")],
)
def test_a_workspace_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, told: str
) -> None:
    def fail(cluster: RunningCluster) -> RunningCluster:
        raise OSError(number, os.strerror(number), str(Path(cluster.directory) / "cluster.json"))

    monkeypatch.setattr(cluster_setup, "save", fail)
    error = failure(tmp_path, "sleep 60")
    assert isinstance(error, WorkspaceError)
    assert told in error.message


def test_a_workspace_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "local").write_text("")
    error = failure(tmp_path, "sleep 60")
    assert isinstance(error, WorkspaceError)
    assert "cannot be used: Not a directory" in error.message


def record(place: Path, id: ProcessId) -> RunningCluster:
    """Write down a cluster whose processes are all `id`."""
    place.mkdir(parents=True)
    process = ClusterProcess(role="jobmanager", id=id, started_at=datetime.now(UTC), slots=0, command=("java",))
    return save(
        RunningCluster(
            directory=str(place),
            flink_version=VERSION,
            flink_home="/nowhere",
            java_major=17,
            rest_port=1,
            settings={},
            processes=(process, msgspec.structs.replace(process, role="taskmanager-1", slots=1)),
            stage=Stage.SETTLED,
        )
    )


@pytest.fixture
def foreign(tmp_path: Path) -> ProcessId:  # type: ignore[misc]
    """A process that is none of ours."""
    spawned = spawn(SLEEP, environment=os.environ, directory=tmp_path, output=tmp_path / "foreign.out")
    yield spawned.id
    end([spawned.id], patience_s=5)


def test_a_foreign_process_that_has_a_recorded_pid_now_is_never_touched(tmp_path: Path, foreign: ProcessId) -> None:
    clusters = LocalClusters(tmp_path / "local", Listening())
    place = tmp_path / "local" / VERSION
    record(place, ProcessId(pid=foreign.pid, start=foreign.start + "1"))
    assert clusters.running() == ()
    assert clusters.heal(VERSION) is None
    assert load(place) is None, "nothing is left of the cluster that was"
    record_again = tmp_path / "local" / "1.20.5"
    record(record_again, ProcessId(pid=foreign.pid, start="another-boot:" + foreign.start))
    assert clusters.stop() == ()
    assert is_alive(foreign)


def test_a_copied_workspace_does_not_take_the_originals_cluster(tmp_path: Path, foreign: ProcessId) -> None:
    original = tmp_path / "original" / "local" / VERSION
    record(original, foreign)
    copy = tmp_path / "copy" / "local" / VERSION
    copy.mkdir(parents=True)
    (copy / "cluster.json").write_bytes((original / "cluster.json").read_bytes())
    clusters = LocalClusters(copy.parent, Listening())
    assert clusters.running() == ()
    assert clusters.stop() == ()
    assert is_alive(foreign)
    assert LocalClusters(original.parent, Listening()).find(VERSION) is not None


def test_workers_of_a_dead_task_manager_are_ended_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "local" / VERSION
    parent = f"import subprocess, time; subprocess.Popen({SLEEP!r}); print('ready', flush=True); time.sleep(60)"
    ids = {}
    for role in ("jobmanager", "taskmanager-1"):
        output = tmp_path / f"{role}.out"
        variables = {**os.environ, CLUSTER_VARIABLE: str(place)}
        command = [sys.executable, "-c", parent]
        ids[role] = spawn(command, environment=variables, directory=tmp_path, output=output).id
        until(output.read_text, "it runs")
    cluster = record(place, ids["jobmanager"])
    manager = msgspec.structs.replace(cluster.task_managers[0], id=ids["taskmanager-1"], command=tuple(SLEEP))
    save(cluster.with_process(manager))
    (place / "log").mkdir()
    sessions = {process.session for process in family(tmp_path)}
    assert sessions == {id.pid for id in ids.values()}
    send(ids["taskmanager-1"], signal.SIGKILL)
    until(lambda: not is_alive(ids["taskmanager-1"]), "the TaskManager is dead")

    monkeypatch.setattr(startup, "START_TIMEOUT_S", 0.5)
    clusters = LocalClusters(tmp_path / "local", Listening())
    with pytest.raises(TargetUnavailable, match="taskmanager-1 did not register"):
        clusters.heal(VERSION)  # what replaces it is no Flink, either

    left = family(tmp_path)
    assert {process.session for process in left} == {ids["jobmanager"].pid}
    assert len(left) == 2, "the JobManager and what it started go on"
    assert clusters.find(VERSION) is not None
    assert clusters.stop() == (VERSION,)
    assert family(tmp_path) == []


def test_a_damaged_record_is_no_cluster(tmp_path: Path) -> None:
    place = tmp_path / "local" / VERSION
    place.mkdir(parents=True)
    (place / "cluster.json").write_text('{"format": 1, "direc')
    clusters = LocalClusters(tmp_path / "local", Listening())
    assert clusters.running() == ()
    assert clusters.stop() == ()


@pytest.mark.parametrize(
    "key", ["rest.bind-address", "taskmanager.host", "jmx.server.port", "taskmanager.numberOfTaskSlots", "rest.port"]
)
def test_an_option_that_scurry_sets_for_safety_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(TargetUnsuitable, match=f"'{key}' cannot be set for a local cluster: .") as caught:
        LocalClusters(tmp_path, Listening()).ensure(settings(tmp_path, "false", config={key: "1"}))
    assert key in (caught.value.hint or "")


def test_state_goes_to_the_workspace_unless_the_user_says_otherwise(tmp_path: Path) -> None:
    own = options(settings(tmp_path, ""), tmp_path)
    assert own["execution.checkpointing.dir"] == (tmp_path / "state" / "checkpoints").as_uri()
    assert own["execution.checkpointing.savepoint-dir"] == (tmp_path / "state" / "savepoints").as_uri()
    assert own["execution.checkpointing.externalized-checkpoint-retention"] == "RETAIN_ON_CANCELLATION"
    users = options(settings(tmp_path, "", config={"state.checkpoints.dir": "s3://bucket/here"}), tmp_path)
    assert users["state.checkpoints.dir"] == "s3://bucket/here"
    assert "execution.checkpointing.dir" not in users, "the newer name would win over what the user wrote"


def test_each_flink_gets_the_file_that_it_reads() -> None:
    assert configuration_file("2.3.0", {"a.b": 'with "quotes" # and: more'}) == (
        "config.yaml",
        '"a.b": "with \\"quotes\\" # and: more"\n',
    )
    assert configuration_file("1.20.5", {"a": "1"})[0] == "config.yaml"
    assert configuration_file("1.18.1", {"a": "1"}) == ("flink-conf.yaml", "a: 1\n")
    with pytest.raises(TargetUnsuitable, match="'#'"):
        configuration_file("1.18.1", {"a": "x # y"})


@pytest.mark.parametrize("gib", [1, 2, 4, 16, 256])
def test_memory_fits_any_machine_and_adds_up(gib: int) -> None:
    machine = gib * GIB
    for slots in (1, 4, 32):
        size = suggested_task_manager(machine, task_managers=1, slots=slots)
        found = task_manager_memory(size, {})
        assert found.total == size
        parts = {key.removeprefix("taskmanager.memory."): parse_memory(text) for key, text in found.options.items()}
        assert parts["task.heap.size"] >= 64 * MIB
        heap = (parts["framework.heap.size"] + parts["task.heap.size"]) // MIB
        assert f"-Xmx{heap}m" in found.flags
    job_manager = job_manager_memory(suggested_job_manager(machine), {})
    assert job_manager.total <= GIB
    assert size <= max(machine // 4, 768 * MIB)


def test_memory_options_of_the_user_are_obeyed() -> None:
    config = {"taskmanager.memory.process.size": "2g", "taskmanager.memory.managed.size": "512 mb"}
    found = task_manager_memory(GIB, config)
    assert found.total == 2 * GIB
    assert parse_memory(found.options["taskmanager.memory.managed.size"]) == 512 * MIB
    assert "-Xmx700m" in job_manager_memory(None, {"jobmanager.memory.heap.size": "700m"}).flags
    with pytest.raises(TargetUnsuitable, match="too little for a TaskManager"):
        task_manager_memory(500 * MIB, {})
    with pytest.raises(TargetUnsuitable, match=r"'taskmanager\.memory\.process\.size' .* not a memory size"):
        task_manager_memory(GIB, {"taskmanager.memory.process.size": "much"})


def test_the_machine_has_some_memory() -> None:
    assert machine_memory() > GIB // 2


def java_home(tmp_path: Path, script: str = "exit 1") -> JavaRuntime:
    server = tmp_path / "java" / "lib" / "server"
    server.mkdir(parents=True)
    (server / "libjvm.so").write_text("1")
    executable = tmp_path / "java" / "bin" / "java"
    executable.parent.mkdir()
    executable.write_text(f"#!/bin/sh\n{script}\n")
    executable.chmod(0o755)
    return JavaRuntime(home=tmp_path / "java", major=17, source="JAVA_HOME")


def archives(tmp_path: Path, java: JavaRuntime) -> ClassData:
    return ClassData(tmp_path / "cache", flink_version=VERSION, java=java, jars=())


def test_an_archive_is_recorded_once_and_used_from_then_on(tmp_path: Path) -> None:
    java = java_home(tmp_path)
    (java.home / "lib" / "server" / "classes.jsa").write_text("")
    data = archives(tmp_path, java)
    recording = data.flags("jobmanager", record=True)
    path = Path(recording[-1].removeprefix("-XX:ArchiveClassesAtExit="))

    path.write_bytes(b"\0" * 100)  # the header is written last: this one is not finished
    publish_recorded(recording)
    assert not path.exists()
    assert data.flags("jobmanager", record=False) == ("-Xshare:auto", "-Xlog:cds*=off")

    path.write_bytes((0xF00BABA8).to_bytes(4, "little") + b"\0" * 100)
    publish_recorded(recording)
    used = data.flags("jobmanager", record=True)
    assert used[-1] == f"-XX:SharedArchiveFile={path.parent / 'jobmanager.jsa'}"
    assert data.flags("taskmanager", record=True)[-1].startswith("-XX:ArchiveClassesAtExit=")

    (java.home / "lib" / "server" / "libjvm.so").write_text("another build")
    assert "ArchiveClassesAtExit" in archives(tmp_path, java).flags("jobmanager", record=True)[-1]


def test_a_java_that_cannot_share_is_run_without(tmp_path: Path) -> None:
    java = java_home(tmp_path, "echo 'no'; exit 1")
    assert archives(tmp_path, java).flags("jobmanager", record=True) == ("-Xshare:auto", "-Xlog:cds*=off")
    (tmp_path / "cache").rename(tmp_path / "moved") if (tmp_path / "cache").exists() else None
    (tmp_path / "cache").write_text("not a folder")
    assert archives(tmp_path, java).flags("jobmanager", record=True) == ("-Xshare:auto", "-Xlog:cds*=off")
    old = JavaRuntime(home=java.home, major=11, source="JAVA_HOME")
    assert archives(tmp_path, old).flags("jobmanager", record=True) == ()
