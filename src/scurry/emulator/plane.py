"""The data plane of one application: a Flink of its own, and the one job in it.

As the service does: a JobManager, a TaskManager for each KPU with ParallelismPerKPU slots, RocksDB, settings that a
user cannot change. The processes stay for the next job where that needs the very same ones: starting them is most of
what a start takes. Nothing here knows of versions or operations; what goes wrong is raised as scurry's own errors.
"""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from scurry.emulator import configuration
from scurry.emulator.forced import forced, takes_settings_with_a_job
from scurry.emulator.log_events import LOGGING
from scurry.flink.cluster import ClusterSettings, LocalClusters
from scurry.flink.connection import RestSettings
from scurry.flink.polling import polls
from scurry.flink.rest import FlinkRest, JarRequest
from scurry.model.errors import JobNotFound, RejectedByTarget, ScurryError, TargetUnavailable
from scurry.model.flink_memory import GIB, MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from scurry.flink.cluster import RunningCluster
    from scurry.flink.runtimes import Runtimes
    from scurry.model.ports import Reporter

START_LIMIT = timedelta(minutes=5)
""""Flink job did not start within a total timeout of 5 minutes" """
_ENDED = frozenset({"FINISHED", "FAILED", "CANCELED"})
_KPU_MEMORY = 4 * GIB
_LEAST_MEMORY = 768 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How big an application is."""

    flink_version: str
    parallelism: int
    per_kpu: int
    checkpointing: Mapping[str, Any]
    """`CheckpointConfigurationDescription`"""
    log_level: str = "INFO"
    scale: float = 0.25
    """part of a KPU's memory that a TaskManager gets here"""
    wrapper: tuple[str, ...] = ()
    """what Flink's processes are started by"""

    @property
    def kpus(self) -> int:
        """KPUs, and so TaskManagers."""
        return configuration.kpus(self.parallelism, self.per_kpu)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What runs: a jar on this machine."""

    jar: Path
    entry_class: str | None = None
    arguments: tuple[str, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the job is."""

    state: str
    """Flink's word"""
    runs: bool
    """whether all of its tasks do, so that a snapshot can be taken"""
    reason: str | None = None
    """root cause of its last failure"""


class Plane:
    """The Flink of one application."""

    def __init__(
        self, place: Path, runtimes: Runtimes, reporter: Reporter, at_once: AbstractContextManager[Any]
    ) -> None:
        """`at_once`: entered while processes are started."""
        self._at_once = at_once
        self._state = place / "state"
        self._runtimes = runtimes
        self._clusters = LocalClusters(place / "flink", reporter, class_data=runtimes.cache / "class-data")
        self._cluster: RunningCluster | None = None
        self._shape: Shape | None = None
        self._uploaded: tuple[Program, str] | None = None
        self._lock = threading.RLock()  # over which processes there are
        self._stands_by_until: float | None = None

    @property
    def savepoints(self) -> Path:
        """Where this application's snapshots are."""
        return self._state / "savepoints"

    @property
    def dashboard(self) -> str | None:
        """The address of Flink's own dashboard; None while nothing runs."""
        cluster = self._found()
        return cluster.rest_url if cluster else None

    def rest(self, *, timeout_s: float = 30.0) -> FlinkRest:
        """Return a client of the application's Flink, to be closed. Raises `TargetUnavailable` when none runs."""
        cluster = self._found()
        if cluster is None:
            raise TargetUnavailable("the application's Flink does not run")
        return FlinkRest(RestSettings(url=cluster.rest_url, timeout_s=timeout_s))

    def start(
        self,
        shape: Shape,
        program: Program,
        *,
        restore: str | None,
        allow_non_restored: bool,
        wanted: Callable[[], bool],
    ) -> str:
        """Start Flink and the job; return the job's id when all of its tasks run, or it ended, or failed once.

        Raises a `ScurryError` when there is no job: `main` failed, the state does not fit, no Flink of that version, or
        it was not wanted any more.
        """
        self._ensure(shape, wanted)
        job_id = secrets.token_hex(16)
        with self.rest() as rest:
            uploaded = self._upload(rest, program)
            request = JarRequest(
                entry_class=program.entry_class,
                program_args_list=program.arguments,
                parallelism=shape.parallelism,
                job_id=job_id,
                savepoint_path=restore,
                allow_non_restored_state=allow_non_restored or None,
                flink_configuration=_settings_of(shape, program),
            )
            try:
                rest.run(uploaded, request)
            finally:
                self._uploaded = None
                with suppress(ScurryError):  # one that stays does no harm
                    rest.delete_jar(uploaded)
            self._await_first_sign(rest, job_id, restored=restore is not None)
        return job_id

    def prepare(self, shape: Shape, program: Program) -> None:
        """Do beforehand, while another job runs, what a start of a program will not have to do then.

        What cannot be done is left to the start, which tells why.
        """
        if not self._is_as(shape):
            return
        with suppress(ScurryError), self.rest() as rest:
            self._uploaded = (program, self._upload(rest, program))

    def stand_by(self, seconds: float) -> None:
        """Keep the processes for the next start; `retire` ends them if none has come by then."""
        with self._lock:
            self._stands_by_until = time.monotonic() + seconds

    def retire(self) -> None:
        """Stop the processes if they have stood by long enough."""
        with self._lock:
            if self._stands_by_until is not None and time.monotonic() >= self._stands_by_until:
                self.tear_down()

    def health(self, job_id: str) -> Health:
        """Return how the job is. Raises `JobNotFound`, `TargetUnavailable`."""
        with self.rest() as rest:
            detail = rest.job(job_id)
            state = detail.state  # not by the call for the state alone, which Flink 1.15 does not have
            runs = state == "RUNNING" and all(vertex.runs for vertex in detail.vertices)
            failures = rest.exceptions(job_id) if not runs else ()
            reason = failures[0].stacktrace.splitlines()[0] if failures else None
            return Health(state=state, runs=runs, reason=reason)

    def stop_with_savepoint(self, job_id: str, directory: Path) -> str:
        """Stop the job with a savepoint, and return its place. Raises a `ScurryError`; then the job runs on."""
        with self.rest() as rest:
            trigger = secrets.token_hex(16)
            rest.stop(job_id, trigger_id=trigger, directory=directory.as_uri(), drain=False)
            return self._await_savepoint(rest, job_id, trigger)

    def savepoint(self, job_id: str, directory: Path) -> str:
        """Take a savepoint of the job, which goes on. Returns its place. Raises a `ScurryError`."""
        with self.rest() as rest:
            trigger = secrets.token_hex(16)
            rest.trigger_savepoint(job_id, trigger_id=trigger, directory=directory.as_uri())
            return self._await_savepoint(rest, job_id, trigger)

    def newest_checkpoint(self, job_id: str) -> str | None:
        """Return the newest whole checkpoint that a job has left, from its files."""
        found = (self._state / "checkpoints" / job_id).glob("chk-*/_metadata")
        newest = max(found, key=lambda path: int(path.parent.name.removeprefix("chk-")), default=None)
        return newest.parent.as_uri() if newest else None

    def tear_down(self) -> None:
        """Stop Flink, with whatever runs in it. Its state stays."""
        with self._lock:
            self._clusters.stop()
            self._cluster = self._shape = self._uploaded = self._stands_by_until = None

    # ---------------------------------------------------------------------------------------------------------------

    def _is_as(self, shape: Shape) -> bool:
        """Whether the processes are those that a shape needs. Running ones take another log level late."""
        return self._shape == shape

    def _ensure(self, shape: Shape, wanted: Callable[[], bool]) -> None:
        """Have the processes that a shape needs; others are stopped first."""
        with self._lock:
            self._stands_by_until = None
            if self._is_as(shape):
                before, self._cluster = self._cluster, self._clusters.ensure(self._settings(shape))
                if before is None or before.rest_port != self._cluster.rest_port:
                    self._uploaded = None  # its JobManager had died, and what was uploaded with it
                return
            self.tear_down()
        with self._at_once:
            _require(wanted)
            self._cluster = self._clusters.ensure(self._settings(shape))
            self._shape = shape
        _require(wanted)

    def _upload(self, rest: FlinkRest, program: Program) -> str:
        """Return the id of a program's jar in the cluster, uploaded unless that was done."""
        if self._uploaded is not None and self._uploaded[0] == program:
            return self._uploaded[1]
        return rest.upload(program.jar, name=program.jar.name)

    def _found(self) -> RunningCluster | None:
        self._cluster = self._cluster or next(iter(self._clusters.running()), None)
        return self._cluster

    def _settings(self, shape: Shape) -> ClusterSettings:
        memory = max(int(_KPU_MEMORY * shape.scale), _LEAST_MEMORY)
        return ClusterSettings(
            flink=self._runtimes.flink(shape.flink_version),
            java=self._runtimes.java(shape.flink_version),
            state_directory=self._state,
            task_managers=shape.kpus,
            slots=shape.per_kpu,
            task_manager_memory=memory,
            config={"taskmanager.memory.managed.fraction": "0.25", **forced(shape.flink_version, shape.checkpointing)},
            log_level=shape.log_level,
            wrapper=shape.wrapper,
            logging=LOGGING,
        )

    def _await_first_sign(self, rest: FlinkRest, job_id: str, *, restored: bool) -> None:
        """Wait until the job's tasks ran once, or it failed once: then the service calls it RUNNING either way.

        Not where state cannot be restored: such an update gets stuck.
        """
        for _ in polls(START_LIMIT):
            detail = rest.job(job_id)
            if detail.state in _ENDED:
                if detail.state == "FAILED":
                    raise RejectedByTarget(_first_line(rest, job_id) or "the job failed")
                return
            if detail.vertices and all(vertex.runs for vertex in detail.vertices):
                return
            failures = rest.exceptions(job_id)
            if failures and not (restored and _is_of_restore(failures[0].stacktrace)):
                return
        raise RejectedByTarget("Flink job did not start within a total timeout of 5 minutes")

    def _await_savepoint(self, rest: FlinkRest, job_id: str, trigger: str) -> str:
        for _ in polls():
            answer = rest.savepoint_status(job_id, trigger)
            if answer.completed and answer.operation:
                if answer.operation.failure_cause or not answer.operation.location:
                    cause = answer.operation.failure_cause
                    raise rest.failure(cause, doing="savepoint") if cause else RejectedByTarget("no savepoint")
                return answer.operation.location
        raise AssertionError("waits without a limit")


def _settings_of(shape: Shape, program: Program) -> dict[str, str]:
    """Return what a job is run with: what its Flink does not take from a job, the cluster has."""
    if takes_settings_with_a_job(shape.flink_version):
        return {**forced(shape.flink_version, shape.checkpointing), **program.config}
    if program.config:
        raise RejectedByTarget(f"PyFlink applications cannot be run here on Flink {shape.flink_version}")
    return {}


def _require(wanted: Callable[[], bool]) -> None:
    if not wanted():
        raise RejectedByTarget("the start was given up")


def is_running(plane: Plane, job_id: str) -> bool:
    """Whether a snapshot of the job could be taken now; a Flink that does not answer is none."""
    try:
        return plane.health(job_id).runs
    except (JobNotFound, ScurryError):
        return False


def _is_of_restore(stacktrace: str) -> bool:
    """Whether a failure comes from state that cannot be restored, and not from code that opens or runs."""
    return any(name in stacktrace for name in ("BackendRestorerProcedure", "StateMigrationException"))


def _first_line(rest: FlinkRest, job_id: str) -> str | None:
    failures = rest.exceptions(job_id)
    return failures[0].stacktrace.splitlines()[0] if failures and failures[0].stacktrace else None
