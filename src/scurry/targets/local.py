"""Flink on this machine: a session cluster per Flink version, started when an application needs it.

What runs on a cluster is the REST target's to do. This one knows which cluster, and what is there when none runs.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from scurry.flink.cluster import ClusterSettings, LocalClusters
from scurry.flink.configuration import state_place
from scurry.flink.connection import RestSettings
from scurry.flink.memory import processors
from scurry.flink.ports import PortRefused
from scurry.flink.rest import FlinkRest
from scurry.model.desired import UpgradeMode
from scurry.model.errors import JobNotFound, RejectedByTarget, TargetUnsuitable, concerning
from scurry.model.flink_memory import parse_memory
from scurry.model.observed import Observed
from scurry.model.operation import Action, Deploy, Outcome, Rescale, Resume, Step, Upgrade
from scurry.model.snapshot import FromLatest, SnapshotKind
from scurry.model.values import MASKED
from scurry.targets import lowering
from scurry.targets.rest import Places, RestTarget
from scurry.targets.rest.checking import TooFewSlots, check_retention
from scurry.targets.rest.places import local_path

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from scurry.flink.cluster import RunningCluster
    from scurry.flink.installed import JavaRuntime
    from scurry.flink.process import ProcessId
    from scurry.model.desired import Artifact, Desired
    from scurry.model.leftover import Leftover
    from scurry.model.observed import Job
    from scurry.model.operation import Operation
    from scurry.model.ports import Log, Marks, StepContext
    from scurry.model.project import LocalTarget as Settings
    from scurry.model.snapshot import Snapshot, SnapshotFormat
    from scurry.targets.services import TargetServices

_LEAST_SLOTS = 4
_UNREADABLE = "Unrecognized checkpoint version"
"""what Flink says of the metadata of a newer one (`MetadataSerializers`)"""


class LocalTarget:
    """The local clusters of one workspace as one target."""

    kind = "local"

    def __init__(self, name: str, settings: Settings, services: TargetServices, *, clusters: LocalClusters) -> None:
        self.name = name
        self._settings = settings
        self._services = services
        self._clusters = clusters
        self._config = {key: services.secrets.resolve(value) for key, value in settings.config.items()}
        self._state = services.directory / "state"
        self._places = Places(
            savepoints=state_place("savepoints", self._config, self._state),
            checkpoints=state_place("checkpoints", self._config, self._state),
        )
        self._connected: dict[ProcessId | None, RestTarget] = {}

    # Reading

    def survey(self) -> Mapping[str, Job]:
        """Return every job of every cluster that runs. Raises `TargetUnavailable` when one does not answer."""
        return {id: job for _, target in self._running() for id, job in target.survey().items()}

    def observe(self, application: str, marks: Sequence[str]) -> Observed:
        """Return what all clusters say of one application; without a cluster, what is left of its jobs on the disk."""
        found = [target.observe(application, marks) for _, target in self._running()]
        silent = next((observed for observed in found if not observed.reachable), None)
        if silent is not None:
            return silent  # the job may be on that cluster: that it is not seen does not mean that it is not there
        if not found:
            return Observed(retained=self._places.retained(marks))
        return _merged(found)

    def find(self, step: Step) -> Outcome | None:
        """Say whether a step landed, wherever its job is or was."""
        match step.action:
            case Action.SUBMIT:
                target = self._of_job(step.mark)
            case Action.STOP | Action.SNAPSHOT | Action.CANCEL:
                target = self._of_job(step.inputs["job_id"])
            case _:
                return None  # changes nothing, or nothing more when it is run again
        if target is not None:
            return target.find(step)
        return self._what_is_left(step)

    def steps(self, operation: Operation, marks: Marks) -> tuple[Step, ...]:
        """Lower an operation to steps: what starts a job needs its cluster first."""
        steps = lowering.steps(operation, marks)
        if not isinstance(operation, Deploy | Resume | Upgrade | Rescale):
            return steps
        version = operation.desired.flink_version
        title = f"make sure that Flink {version} runs on this machine"
        return (Step(action=Action.PREPARE, mark=version, title=title, inputs={"flink_version": version}), *steps)

    def settings(self, job_id: str) -> Mapping[str, str]:
        """Return a job's Flink options as far as its cluster shows them."""
        return self._owner(job_id).settings(job_id)

    def defaults(self, flink_version: str) -> Mapping[str, str]:
        """Return the options of the cluster of a version; before it is started, those it will have from the target."""
        running = (target for cluster, target in self._running() if cluster.flink_version == flink_version)
        target = next(running, None)
        if target is None:
            return self._config
        found = target.defaults(flink_version)
        hidden = {key: text for key, text in self._config.items() if found.get(key) == MASKED}
        return {**found, **hidden}

    def savepoint_format(self, job_id: str) -> SnapshotFormat | None:
        """Return the format in which a running job's savepoints can be written; None where it does not tell."""
        return self._owner(job_id).savepoint_format(job_id)

    def left_by(self, job: Job) -> tuple[Snapshot, ...]:
        """Return what a job and the one before it have left on the disk."""
        return self._places.left_by(job)

    def uploads(self, known: Collection[Artifact], *, before: datetime) -> tuple[Leftover, ...]:
        """Return what the clusters that run keep; each forgets its uploads when it ends."""
        return tuple(
            msgspec.structs.replace(upload, ref=f"{cluster.flink_version}/{upload.ref}")
            for cluster, target in self._running()
            for upload in target.uploads(known, before=before)
        )

    def forget_upload(self, upload: Leftover) -> None:
        """Delete a jar from the JobManager that keeps it."""
        version, _, ref = upload.ref.partition("/")
        for cluster, target in self._running():
            if cluster.flink_version == version:
                target.forget_upload(msgspec.structs.replace(upload, ref=ref))

    def logs(self, application: str, flink_version: str) -> Sequence[Log]:
        """Return the logs of the cluster's processes; they outlive it."""
        from scurry.targets.logs import file_logs

        return file_logs(self._services.directory / "local" / flink_version / "log")

    # Acting

    def heal(self) -> None:
        """Replace the TaskManagers that died; jobs that had tasks there recover by themselves then."""
        for cluster in self._clusters.running():
            self._clusters.heal(cluster.flink_version)

    def run(self, step: Step, context: StepContext) -> Outcome:
        """Make a step happen on the cluster that it concerns, whose dead TaskManagers are replaced before."""
        match step.action:
            case Action.PREPARE:
                return self._prepare(step.inputs["flink_version"])
            case Action.CHECK:
                return self._check(step, context)
            case Action.UPLOAD | Action.SUBMIT:
                return self._for(context).run(step, context)
            case Action.DISPOSE:
                return self._dispose(step, context)
            case Action.STOP | Action.SNAPSHOT | Action.CANCEL | Action.RESCALE:
                return self._owner(step.inputs["job_id"]).run(step, context)

    def _prepare(self, version: str) -> Outcome:
        try:
            cluster = self._clusters.ensure(self._cluster_settings(version))
        except PortRefused as error:
            error.concerning("targets", self.name, "rest_port", in_project=True)
            raise
        return Outcome(detail={"url": cluster.rest_url})

    def _check(self, step: Step, context: StepContext) -> Outcome:
        target = self._for(context)
        replaces: str | None = step.inputs.get("replaces")
        owner = self._of_job(replaces) if replaces else None
        if owner is not target:
            # The old job is on the cluster of another Flink: here it frees no slots, and there it has to end well.
            step = msgspec.structs.replace(step, inputs={**step.inputs, "replaces": None})
            mode = context.desired.upgrade.mode if context.desired else None
            if owner and replaces and mode is UpgradeMode.LAST_STATE and isinstance(context.restore, FromLatest):
                check_retention(owner.rest, replaces, self.name)
        try:
            return target.run(step, context)
        except TooFewSlots as error:
            enough = self._slots + math.ceil(error.missing / self._settings.task_managers)
            error.hint = (
                "Lower `parallelism`; or raise 'slots' of the target in scurry.yaml, and apply again; "
                "no restart is needed:\n"
                f"  targets: {{{self.name}: {{kind: local, slots: {enough}}}}}"
            )
            raise

    def _dispose(self, step: Step, context: StepContext) -> Outcome:
        """Have the newest Flink delete it: it reads what the older ones wrote, and not the other way round."""
        from scurry.flink.releases import parts

        running = self._running()
        if running:
            _, target = max(running, key=lambda pair: parts(pair[0].flink_version))
            try:
                return target.run(step, context)
            except RejectedByTarget as error:
                if _UNREADABLE not in error.message:
                    raise
        self._delete(step.inputs["location"])
        return Outcome()

    def _delete(self, location: str) -> None:
        """Delete a snapshot's files without a Flink: only what is one, and only in this workspace."""
        path = local_path(location)
        if path is None or not path.resolve().is_relative_to(self._state.resolve()):
            raise RejectedByTarget(
                f"{location!r} is not in this workspace, and no local cluster runs that could delete it",
                target=self.name,
            )
        if (path / "_metadata").is_file():
            shutil.rmtree(path)

    # Which cluster

    def _running(self) -> list[tuple[RunningCluster, RestTarget]]:
        return [(cluster, self._connect(cluster)) for cluster in self._clusters.running()]

    def _connect(self, cluster: RunningCluster) -> RestTarget:
        started = cluster.job_manager.id if cluster.job_manager else None
        if started not in self._connected:  # the address alone may have been another JobManager's before
            rest = FlinkRest(RestSettings(url=cluster.rest_url), target=self.name)
            self._connected[started] = RestTarget(self.name, rest, self._services, places=self._places)
        return self._connected[started]

    def _for(self, context: StepContext) -> RestTarget:
        """The cluster for what is to run; one that died since it was prepared is started anew."""
        desired = _wish(context)
        cluster = self._clusters.heal(desired.flink_version)
        if cluster is None:
            cluster = self._clusters.ensure(self._cluster_settings(desired.flink_version))
        return self._connect(cluster)

    def _of_job(self, job_id: str) -> RestTarget | None:
        """The cluster that shows a job. Raises `TargetUnavailable` when one does not answer."""
        for _, target in self._running():
            try:
                target.rest.job_status(job_id)
            except JobNotFound:
                continue
            return target
        return None

    def _owner(self, job_id: str) -> RestTarget:
        target = self._of_job(job_id)
        if target is None:
            raise JobNotFound(f"no local cluster has a job {job_id}", target=self.name)
        for cluster, candidate in self._running():
            if candidate is target:
                self._clusters.heal(cluster.flink_version)
        return target

    def _what_is_left(self, step: Step) -> Outcome | None:
        """What a step on a job came to that no cluster knows any more: a cancel is done, a savepoint may be there.

        A job that has left a checkpoint did run. Another one under its id would begin with that checkpoint's number
        again, and Flink would fail to write it.
        """
        if step.action is Action.SUBMIT:
            return Outcome(job_id=step.mark) if self._places.has_checkpoint(step.mark) else None
        if step.action is Action.CANCEL:
            left = self._places.retained([step.inputs["job_id"]])
            return Outcome(snapshot=next(iter(left), None))
        if step.action is Action.STOP:
            left = self._places.retained([step.inputs["job_id"]])
            savepoint = next((snapshot for snapshot in left if snapshot.kind is SnapshotKind.SAVEPOINT), None)
            return Outcome(snapshot=savepoint) if savepoint and savepoint == left[0] else None
        return None

    def _cluster_settings(self, version: str) -> ClusterSettings:
        settings, runtimes = self._settings, self._services.runtimes
        only = settings.flink
        if only and not f"{version}.".startswith(f"{only}."):
            raise TargetUnsuitable(
                f"target {self.name!r} runs only Flink {only}, and the application is for {version}",
                target=self.name,
                hint=f'Set `flink: "{only}"` in the application, or choose another target.',
            ).concerning("flink")
        return ClusterSettings(
            flink=runtimes.flink(version),
            java=self._java(version),
            state_directory=self._state,
            task_managers=settings.task_managers,
            slots=self._slots,
            job_manager_memory=parse_memory(settings.job_manager_memory) if settings.job_manager_memory else None,
            task_manager_memory=parse_memory(settings.task_manager_memory) if settings.task_manager_memory else None,
            config=self._config,
            log_level=settings.log_level,
            rest_port=settings.rest_port,
        )

    def _java(self, version: str) -> JavaRuntime:
        runtimes, home = self._services.runtimes, self._settings.java_home
        if home is None:
            return runtimes.java(version)
        from scurry.flink.jvm import find_java

        path = str(self._services.root / Path(home).expanduser())
        with concerning("targets", self.name, "java_home", in_project=True):
            return find_java(version, cache=runtimes.cache, reporter=self._services.reporter, java_home=path)

    @property
    def _slots(self) -> int:
        return self._settings.slots or max(processors(), _LEAST_SLOTS)


def connect(name: str, settings: Settings | Mapping[str, Any], services: TargetServices) -> LocalTarget:
    """Return the target that the settings describe; nothing is started."""
    if isinstance(settings, Mapping):
        from scurry.model.project import LocalTarget as Model

        settings = Model.model_validate({"kind": "local", **settings})
    clusters = LocalClusters(
        services.directory / "local",
        services.reporter,
        class_data=services.runtimes.cache,
        working_directory=services.root,
    )
    return LocalTarget(name, settings, services, clusters=clusters)


def _merged(found: Sequence[Observed]) -> Observed:
    """What several clusters say of one application; the one that has its live job, or its newest, speaks for all."""
    first = max(found, key=lambda observed: (observed.live is not None, _newest(observed)))
    jobs = sorted((job for observed in found for job in observed.jobs), key=_started, reverse=True)
    shown = {job.id for job in jobs}
    return msgspec.structs.replace(
        first,
        jobs=tuple(jobs),
        strangers=tuple(job for observed in found for job in observed.strangers),
        retained=tuple(snapshot for snapshot in found[0].retained if snapshot.job_id not in shown),
    )


def _newest(observed: Observed) -> float:
    return max((_started(job) for job in observed.jobs), default=0.0)


def _started(job: Job) -> float:
    return job.started_at.timestamp() if job.started_at else 0.0


def _wish(context: StepContext) -> Desired:
    if context.desired is None:
        raise AssertionError("this step belongs to an operation with a wish")
    return context.desired
