"""What is written down of a local cluster, so that a later command finds it again. One JSON file per cluster."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import msgspec

from scurry.flink.launch import JOB_MANAGER
from scurry.flink.process import ProcessId, is_alive

_FILE = "cluster.json"
_FORMAT = 1


class Stage(StrEnum):
    """How far the last command that changed the cluster came."""

    STARTING = "starting"
    """it has never been complete, so it has no jobs; there may be processes that are not written down"""
    CHANGING = "changing"
    """it may have jobs; there may be processes that are not written down"""
    SETTLED = "settled"


class ClusterProcess(msgspec.Struct, frozen=True, kw_only=True):
    """One process of a cluster."""

    role: str
    """`jobmanager`, or a TaskManager's number: `taskmanager-1`"""
    id: ProcessId
    started_at: datetime
    slots: int
    """0 for the JobManager"""
    command: tuple[str, ...]

    @property
    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return is_alive(self.id)


class RunningCluster(msgspec.Struct, frozen=True, kw_only=True):
    """A local cluster as it was last left: its JobManager runs unless it died since."""

    format: int = _FORMAT
    directory: str
    """the cluster's own: configuration, logs, temporary files"""
    flink_version: str
    flink_home: str
    java_major: int
    rest_port: int
    settings: Mapping[str, str]
    """what the processes were started with, as digests; another one needs another start"""
    processes: tuple[ClusterProcess, ...] = ()
    stage: Stage = Stage.STARTING

    @property
    def rest_url(self) -> str:
        """The address of Flink's REST interface and web pages."""
        return f"http://127.0.0.1:{self.rest_port}"

    @property
    def log_directory(self) -> Path:
        """Where the logs are: `<role>.log`, and `<role>.out` for what is printed."""
        return Path(self.directory) / "log"

    @property
    def slots(self) -> int:
        """The slots of all TaskManagers."""
        return sum(process.slots for process in self.processes)

    @property
    def job_manager(self) -> ClusterProcess | None:
        """The JobManager, if it was started."""
        return next((process for process in self.processes if process.role == JOB_MANAGER), None)

    @property
    def task_managers(self) -> tuple[ClusterProcess, ...]:
        """The TaskManagers, in the order of their numbers."""
        found = (process for process in self.processes if process.role != JOB_MANAGER)
        return tuple(sorted(found, key=lambda process: (len(process.role), process.role)))

    @property
    def is_running(self) -> bool:
        """Whether the JobManager is alive; without it nothing of a cluster is left."""
        return self.job_manager is not None and self.job_manager.is_alive

    @property
    def is_whole(self) -> bool:
        """Whether all of its processes are alive and none is missing."""
        return self.stage is Stage.SETTLED and self.is_running and all(process.is_alive for process in self.processes)

    def with_process(self, process: ClusterProcess) -> RunningCluster:
        """Return the cluster with a process added, in the place of an earlier one of the same role."""
        others = tuple(other for other in self.processes if other.role != process.role)
        return msgspec.structs.replace(self, processes=(*others, process))


def load(directory: Path) -> RunningCluster | None:
    """Read what was written down last; None if there is nothing, or nothing that we understand."""
    try:
        cluster = msgspec.json.decode((directory / _FILE).read_bytes(), type=RunningCluster)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None
    return cluster if cluster.format == _FORMAT else None


def save(cluster: RunningCluster) -> RunningCluster:
    """Write down how a cluster is now, at once and wholly."""
    path = Path(cluster.directory) / _FILE
    draft = path.with_suffix(f".{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(cluster)))
    draft.replace(path)
    return cluster


def erase(directory: Path) -> None:
    """Forget a cluster that is gone."""
    (directory / _FILE).unlink(missing_ok=True)
