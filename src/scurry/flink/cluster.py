"""Local session clusters: one per Flink version of a workspace, started when needed and found again by later commands.

What is true is what the processes say: what is written down (`cluster_record`) only helps to find them. Everything is
under one lock per cluster, and made so that a process of ours that is killed at any point leaves nothing that the next
one does not adopt or clear away.
"""

from __future__ import annotations

import contextlib
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scurry.flink import launch
from scurry.flink.class_data import ClassData, is_recording, publish_recorded, without_archives
from scurry.flink.cluster_record import ClusterProcess, RunningCluster, Stage, erase, load, save
from scurry.flink.cluster_setup import (
    Commands,
    all_commands,
    changes,
    described,
    further_commands,
    missing_slots,
    prepare,
    set_logging,
)
from scurry.flink.configuration import ClusterSettings
from scurry.flink.launch import CLUSTER_VARIABLE
from scurry.flink.ports import check_port
from scurry.flink.process import Marked, end, marked
from scurry.flink.startup import (
    ClassDataBroken,
    PortTaken,
    Start,
    has_no_jobs,
    registered,
    workspace_errors,
)
from scurry.model.errors import TargetUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from filelock import BaseFileLock

    from scurry.model.ports import Reporter

__all__ = ["ClusterProcess", "ClusterSettings", "LocalClusters", "RunningCluster"]

_ATTEMPTS = 4
_LOCK_TIMEOUT_S = 300
_PATIENCE_S = 10.0
"""for a process to end by itself when told to; Flink gives itself 5 s (`JvmShutdownSafeguard`)"""
_PATIENCE_RECORDING_S = 60.0
"""the same for one that writes a class-data archive first"""


class LocalClusters:
    """The local clusters of one workspace."""

    def __init__(
        self,
        directory: Path,
        reporter: Reporter,
        *,
        class_data: Path | None = None,
        working_directory: Path | None = None,
    ) -> None:
        """`directory`: the workspace's `.scurry/local`. `class_data`: the cache for JVM archives; None: use none.

        `working_directory`: what relative paths in jobs are relative to.
        """
        self._directory = directory.absolute()
        self._reporter = reporter
        self._class_data = class_data
        self._working_directory = working_directory

    def running(self) -> tuple[RunningCluster, ...]:
        """Return the clusters whose JobManager runs, by version. Reads only files and the process table."""
        return tuple(cluster for place in self._places() if (cluster := self._find(place)))

    def find(self, version: str) -> RunningCluster | None:
        """Return the cluster of a Flink version if its JobManager runs."""
        return self._find(self._directory / version)

    def ensure(self, settings: ClusterSettings) -> RunningCluster:
        """Return the running, complete cluster of the settings' Flink version, starting what is missing.

        A cluster that runs with other settings is left alone, with a warning, unless it has never had a job.
        Raises `TargetUnsuitable` for settings that cannot be, `TargetUnavailable` or `RuntimeUnavailable` when Flink
        does not start, `WorkspaceError` when the workspace cannot be written.
        """
        place = self._directory / settings.flink.version
        wanted = described(settings, place)
        cluster = self._find(place)
        if cluster and cluster.is_whole and not changes(cluster, wanted) and not missing_slots(cluster, settings):
            with workspace_errors(place):
                set_logging(place, settings)
            return cluster
        with self._changing(place):
            found = self._recovered(place)
            if found and self._may_stay(found, wanted):
                set_logging(place, settings)
                return self._complete(found, settings)
            if found:
                self._end_all(place)
            return self._start(settings, wanted)

    def heal(self, version: str) -> RunningCluster | None:
        """Replace the TaskManagers that died. Returns None, with nothing left of it, when the JobManager did."""
        place = self._directory / version
        cluster = self._find(place)
        if cluster and cluster.is_whole:
            return cluster
        if not place.exists():
            return None
        with self._changing(place):
            found = self._recovered(place)
            return self._complete(found, None) if found else None

    def stop(self, version: str | None = None) -> tuple[str, ...]:
        """Stop the clusters of a version or series, or all, with all that belongs to them. Returns what was stopped."""
        stopped = []
        for place in sorted({*self._places(), *self._haunted()}):
            if version and not f"{place.name}.".startswith(f"{version}."):
                continue
            with self._changing(place):
                if self._end_all(place):
                    stopped.append(place.name)
        return tuple(stopped)

    # Finding ---------------------------------------------------------------------------------------------------

    def _places(self) -> tuple[Path, ...]:
        with workspace_errors(self._directory):
            try:
                return tuple(sorted(path for path in self._directory.iterdir() if path.is_dir()))
            except FileNotFoundError:
                return ()

    def _haunted(self) -> set[Path]:
        """Where processes of ours run although the directory may have been deleted."""
        marks = (Path(process.mark) for process in marked(CLUSTER_VARIABLE))
        return {mark for mark in marks if mark.parent == self._directory}

    def _find(self, place: Path) -> RunningCluster | None:
        with workspace_errors(place):
            cluster = load(place)
        return cluster if cluster and cluster.directory == str(place) and cluster.is_running else None

    def _recovered(self, place: Path) -> RunningCluster | None:
        """Make the record agree with the processes that there are; without a JobManager, end what is left."""
        cluster = self._own_record(place)
        family = _family(place)
        if cluster:
            for process in family:
                if found := _as_member(process):
                    known = next((other for other in cluster.processes if other.role == found.role), None)
                    if known is None or not known.is_alive:
                        cluster = cluster.with_process(found)
        if cluster is None or not cluster.is_running:
            self._end_all(place)
            return None
        alive = {process.id.pid for process in cluster.processes if process.is_alive}
        # What a dead TaskManager's Python workers are: of the family, but of no session that a living process leads.
        end((process.id for process in family if process.session not in alive), patience_s=2)
        return save(cluster)

    def _own_record(self, place: Path) -> RunningCluster | None:
        cluster = load(place)
        if cluster is None or cluster.directory == str(place):
            return cluster
        # The workspace was copied or moved. A copy's cluster is the original's; a moved one has lost its files.
        if not Path(cluster.directory).exists():
            end((process.id for process in _family(Path(cluster.directory))), patience_s=_PATIENCE_S)
        erase(place)
        return None

    # Starting --------------------------------------------------------------------------------------------------

    def _may_stay(self, cluster: RunningCluster, wanted: Mapping[str, str]) -> bool:
        changed = changes(cluster, wanted)
        if not changed:
            return True
        if cluster.stage is Stage.STARTING or has_no_jobs(cluster.rest_port):
            return False
        self._reporter.warn(
            f"the local cluster of Flink {cluster.flink_version} goes on with its old settings, since it has jobs "
            f"(changed: {', '.join(changed)}). To end them all and have the new settings from the next start on:\n"
            f"  scurry local stop {cluster.flink_version}"
        )
        return True

    def _start(self, settings: ClusterSettings, wanted: Mapping[str, str]) -> RunningCluster:
        place = self._directory / settings.flink.version
        archives = self._archives(settings)
        for _ in range(_ATTEMPTS):
            cluster = prepare(settings, place, wanted)
            try:
                return self._bring_up(cluster, all_commands(settings, place, archives))
            except PortTaken as error:
                failure: TargetUnavailable = error
                if settings.rest_port:
                    check_port(settings.rest_port)
            except ClassDataBroken as error:
                failure = error
                if archives:
                    archives.discard()
                archives = None
        raise failure

    def _complete(self, cluster: RunningCluster, settings: ClusterSettings | None) -> RunningCluster:
        """Replace the TaskManagers that died, and add those that the settings ask for."""
        dead = [process for process in cluster.task_managers if not process.is_alive]
        for process in dead:
            publish_recorded(process.command)
        commands: Commands = {process.role: process.command for process in dead}
        if settings:
            commands = {**commands, **further_commands(settings, cluster, self._archives(settings))}
        if not commands and cluster.is_whole:
            return cluster
        try:
            return self._bring_up(cluster, commands)
        except ClassDataBroken:
            return self._bring_up(cluster, {role: without_archives(command) for role, command in commands.items()})

    def _bring_up(self, cluster: RunningCluster, commands: Commands) -> RunningCluster:
        """Start processes and wait until the cluster is complete.

        After a failure they are gone, and with the JobManager everything. When we are interrupted they go on, and the
        next `ensure` adopts them.
        """
        place = Path(cluster.directory)
        before = (registered(cluster.rest_port) or {}) if cluster.is_running else {}
        start = Start(cluster=cluster, working_directory=self._working_directory or place)
        if cluster.stage is Stage.SETTLED:
            cluster = save(msgspec.structs.replace(cluster, stage=Stage.CHANGING))
        with self._reporter.activity(f"Starting Flink {cluster.flink_version} on this machine") as activity:
            try:
                for role, command in commands.items():
                    cluster = save(cluster.with_process(start.spawn(role, command)))
                start.wait(cluster, before=before, activity=activity)
            except Exception:
                end((started.process.id for started in start.started), patience_s=_PATIENCE_S)
                if not cluster.is_running:
                    self._end_all(place)
                raise
            return save(msgspec.structs.replace(cluster, stage=Stage.SETTLED))

    def _archives(self, settings: ClusterSettings) -> ClassData | None:
        if self._class_data is None:
            return None
        return ClassData(
            self._class_data,
            flink_version=settings.flink.version,
            java=settings.java,
            jars=launch.jars_of(settings.flink.home),
        )

    # Ending ----------------------------------------------------------------------------------------------------

    def _end_all(self, place: Path) -> bool:
        """End everything of a cluster and forget it. Returns whether anything was there."""
        cluster = self._own_record(place)
        members = list(cluster.processes) if cluster else []
        known = {member.id for member in members}
        family = _family(place)
        members += [found for process in family if process.id not in known and (found := _as_member(process))]
        alive = [member for member in members if member.is_alive]
        self._end(place.name, alive)
        end((process.id for process in family), patience_s=2)  # Python workers
        for member in members:
            publish_recorded(member.command)
        erase(place)
        shutil.rmtree(place / "tmp", ignore_errors=True)
        return bool(alive)

    def _end(self, version: str, members: Sequence[ClusterProcess]) -> None:
        if not members:
            return
        recording = any(is_recording(member.command) for member in members)
        with self._reporter.activity(f"Stopping Flink {version} on this machine") as activity:
            if recording:
                activity.describe("this once it also notes its classes, which makes later starts faster")
            end((member.id for member in members), patience_s=_PATIENCE_RECORDING_S if recording else _PATIENCE_S)

    @contextlib.contextmanager
    def _changing(self, place: Path) -> Iterator[None]:
        """Be the only one that changes this cluster; the lock goes with the process, however that ends."""
        from filelock import FileLock, Timeout

        with workspace_errors(place):
            place.mkdir(parents=True, exist_ok=True)
            lock = FileLock(place / "cluster.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                self._wait_for(lock, place)
            try:
                yield
            finally:
                lock.release()

    def _wait_for(self, lock: BaseFileLock, place: Path) -> None:
        from filelock import Timeout

        with self._reporter.activity(f"Waiting for another scurry that starts or stops Flink {place.name}"):
            try:
                lock.acquire(timeout=_LOCK_TIMEOUT_S, poll_interval=0.05)
            except Timeout as error:
                raise TargetUnavailable(
                    f"another scurry has been starting or stopping Flink {place.name} for {_LOCK_TIMEOUT_S // 60} min",
                    hint=f"See which process holds {str(place / 'cluster.lock')!r}",
                ) from error


def _family(place: Path) -> tuple[Marked, ...]:
    return tuple(process for process in marked(CLUSTER_VARIABLE) if process.mark == str(place))


def _as_member(process: Marked) -> ClusterProcess | None:
    """Read a found process as one that we started; None for what such a one started itself."""
    role = launch.role_of(process.command)
    if role is None or process.session != process.id.pid:
        return None
    slots = launch.slots_of(process.command)
    return ClusterProcess(role=role, id=process.id, started_at=datetime.now(UTC), slots=slots, command=process.command)
