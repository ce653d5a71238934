"""Command lines and environment of Flink's processes, as Flink's own shell scripts would make them; starts nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CLUSTER_VARIABLE = "SCURRY_CLUSTER"
"""In the environment of everything that belongs to a local cluster, with the cluster's directory as its value."""

JOB_MANAGER = "jobmanager"
_JOB_MANAGER_CLASS = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER_CLASS = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
_ROLE = "-Dscurry.role="
_SLOTS = "taskmanager.numberOfTaskSlots="

# `env.java.opts.all` of conf/config.yaml (in flink-dist-*.jar; the union of 1.20's and 2.3's), without the exports of
# `jdk.compiler`: only Flink's own build uses that module, and a runtime without it warns.
MODULE_OPTIONS = (
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
    "--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED",
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.net=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED",
    "--add-opens=java.base/java.text=ALL-UNNAMED",
    "--add-opens=java.base/java.time=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent.locks=ALL-UNNAMED",
)

# Start-up of both processes took 10.4 s of processor time, with class-data archives 8.2, with these 5.3
# (`python -m benchmarks start_up`).
# The JobManager runs little code for long: the quick compiler alone is right for it, and the collector without threads.
_JOB_MANAGER_SPEED = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
# The TaskManager needs the optimising compiler, but later than by default: for what is hot, not for what is start-up.
_TASK_MANAGER_SPEED = (
    "-XX:Tier4InvocationThreshold=25000",
    "-XX:Tier4MinInvocationThreshold=3000",
    "-XX:Tier4CompileThreshold=75000",
)


def jars_of(flink_home: Path) -> tuple[Path, ...]:
    """Return the class path, always in the same order: a class-data archive fits only the very same one."""
    return tuple(sorted((flink_home / "lib").glob("*.jar")))


def task_manager(number: int) -> str:
    """Return the role of a TaskManager, which is its resource id, too."""
    return f"taskmanager-{number}"


def command(
    role: str,
    *,
    java: Path,
    flags: Sequence[str],
    jars: Sequence[Path],
    directory: Path,
    slots: int = 0,
) -> tuple[str, ...]:
    """Return the command line of a process."""
    is_job_manager = role == JOB_MANAGER
    log = directory / "log"
    arguments = [
        str(java),
        *(_JOB_MANAGER_SPEED if is_job_manager else _TASK_MANAGER_SPEED),
        *MODULE_OPTIONS,
        f"{_ROLE}{role}",
        f"-Dlog.file={log / f'{role}.log'}",
        f"-Dlog4j.configurationFile={(directory / 'conf' / 'log4j.properties').as_uri()}",
        f"-Djava.io.tmpdir={directory / 'tmp'}",
        f"-XX:ErrorFile={log / f'{role}.crash.log'}",
        *flags,
        "-cp",
        os.pathsep.join(map(str, jars)),
        _JOB_MANAGER_CLASS if is_job_manager else _TASK_MANAGER_CLASS,
        "--configDir",
        str(directory / "conf"),
    ]
    if not is_job_manager:
        arguments += ["-D", f"taskmanager.resource-id={role}", "-D", f"{_SLOTS}{slots}"]
        arguments += ["-D", f"taskmanager.cpu.cores={slots}"]
    return tuple(arguments)


def role_of(arguments: Sequence[str]) -> str | None:
    """Return the role of a process by its command line; None if it is not one of `command`."""
    return next((text.removeprefix(_ROLE) for text in arguments if text.startswith(_ROLE)), None)


def slots_of(arguments: Sequence[str]) -> int:
    """Return a TaskManager's slots by its command line; 0 for a JobManager."""
    return int(next((text.removeprefix(_SLOTS) for text in arguments if text.startswith(_SLOTS)), "0"))


def environment(flink_home: Path, directory: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a cluster's processes.

    PyFlink's driver finds its jar by FLINK_OPT_DIR, plug-ins are found by FLINK_PLUGINS_DIR (`ConfigConstants`).
    """
    kept = {key: value for key, value in inherited.items() if not key.startswith("FLINK_") and key != "CLASSPATH"}
    return {
        **kept,
        CLUSTER_VARIABLE: str(directory),
        "FLINK_HOME": str(flink_home),
        "FLINK_LIB_DIR": str(flink_home / "lib"),
        "FLINK_OPT_DIR": str(flink_home / "opt"),
        "FLINK_PLUGINS_DIR": str(flink_home / "plugins"),
        "FLINK_CONF_DIR": str(directory / "conf"),
        "FLINK_LOG_DIR": str(directory / "log"),
    }
