"""What a local cluster is started with: its files, its command lines, and what of all that needs another start."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scurry.flink import configuration, launch, memory
from scurry.flink.cluster_record import RunningCluster, erase, save
from scurry.flink.launch import JOB_MANAGER
from scurry.flink.ports import check_port, free_ports

if TYPE_CHECKING:
    from scurry.flink.class_data import ClassData
    from scurry.flink.configuration import ClusterSettings

Commands = Mapping[str, tuple[str, ...]]
"""role → command line"""


def described(settings: ClusterSettings, directory: Path) -> dict[str, str]:
    """Return all that a cluster has to be started anew for when it changes, as digests: values may be secrets.

    Raises `TargetUnsuitable` for options that cannot be set.
    """
    found = {
        **settings.config,
        **configuration.options(settings, directory),
        "flink": str(settings.flink.home),
        "java_home": str(settings.java.home),
        "job_manager_memory": str(settings.job_manager_memory),
        "task_manager_memory": str(settings.task_manager_memory),
    }
    found |= {"rest_port": str(settings.rest_port)} if settings.rest_port else {}
    return {key: hashlib.sha256(value.encode()).hexdigest()[:16] for key, value in found.items()}


def changes(cluster: RunningCluster, wanted: Mapping[str, str]) -> list[str]:
    """Return the names of what differs between a cluster and what is wanted now."""
    before = cluster.settings
    keys = {key for key in (*before, *wanted) if before.get(key) != wanted.get(key)}
    return sorted(key for key in keys if key != "rest_port" or key in wanted)


def missing_slots(cluster: RunningCluster, settings: ClusterSettings) -> int:
    """Return how many slots more are wanted than the cluster has."""
    return max(settings.task_managers * settings.slots - cluster.slots, 0)


def prepare(settings: ClusterSettings, directory: Path, wanted: Mapping[str, str]) -> RunningCluster:
    """Write the files that the processes read, in a directory where none of them run. Raises `TargetUnavailable`."""
    if settings.rest_port:
        check_port(settings.rest_port)
    rest_port, rpc_port = free_ports(2)
    cluster = RunningCluster(
        directory=str(directory),
        flink_version=settings.flink.version,
        flink_home=str(settings.flink.home),
        java_major=settings.java.major,
        rest_port=settings.rest_port or rest_port,
        settings=wanted,
    )
    values = {
        **configuration.options(settings, directory),
        **memory.job_manager_memory(settings.job_manager_memory, settings.config).options,
        **_task_manager_memory(settings).options,
        "jobmanager.rpc.port": str(rpc_port),
        "rest.port": str(cluster.rest_port),
    }
    name, text = configuration.configuration_file(settings.flink.version, values)
    erase(directory)
    for folder in ("conf", "tmp"):
        shutil.rmtree(directory / folder, ignore_errors=True)
    for folder in ("conf", "log", "tmp"):
        (directory / folder).mkdir(mode=0o700, exist_ok=True)  # options may hold passwords, logs may tell them
    (directory / "conf" / name).write_text(text, "utf-8")
    set_logging(directory, settings)
    return save(cluster)


def set_logging(directory: Path, settings: ClusterSettings) -> None:
    """Write the logging configuration if it differs; running processes read it again by themselves."""
    path = directory / "conf" / "log4j.properties"
    text = configuration.logging_file(settings.log_level, settings.logging)
    if not path.exists() or path.read_text("utf-8") != text:
        draft = path.with_suffix(".draft")
        draft.write_text(text, "utf-8")
        draft.replace(path)


def all_commands(settings: ClusterSettings, directory: Path, archives: ClassData | None) -> Commands:
    """Return the command lines of a whole cluster."""
    slots = {JOB_MANAGER: 0}
    slots |= {launch.task_manager(number): settings.slots for number in range(1, settings.task_managers + 1)}
    return {role: _command(settings, directory, role, count, archives) for role, count in slots.items()}


def further_commands(settings: ClusterSettings, cluster: RunningCluster, archives: ClassData | None) -> Commands:
    """Return the command lines of the TaskManagers that a running cluster lacks for the slots that are wanted."""
    commands, number, missing = {}, len(cluster.task_managers), missing_slots(cluster, settings)
    while missing > 0:
        number += 1
        slots = min(missing, settings.slots)
        role = launch.task_manager(number)
        commands[role] = _command(settings, Path(cluster.directory), role, slots, archives)
        missing -= slots
    return commands


def _command(
    settings: ClusterSettings, directory: Path, role: str, slots: int, archives: ClassData | None
) -> tuple[str, ...]:
    if role == JOB_MANAGER:
        kind, sizes = JOB_MANAGER, memory.job_manager_memory(settings.job_manager_memory, settings.config)
    else:
        kind, sizes = "taskmanager", _task_manager_memory(settings)
    # One process records for all of its kind.
    records = role in (JOB_MANAGER, launch.task_manager(1))
    sharing = archives.flags(kind, record=records) if archives else ()
    command = launch.command(
        role,
        java=settings.java.executable,
        flags=(*sizes.flags, *sharing, *configuration.java_options(settings.config, kind)),
        jars=launch.jars_of(settings.flink.home),
        directory=directory,
        slots=slots,
    )
    return (*settings.wrapper, *command)


def _task_manager_memory(settings: ClusterSettings) -> memory.ProcessMemory:
    size = settings.task_manager_memory or memory.suggested_task_manager(
        memory.machine_memory(), task_managers=settings.task_managers, slots=settings.slots
    )
    return memory.task_manager_memory(size, settings.config)
