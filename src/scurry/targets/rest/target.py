"""The target itself: answers the `Target` protocol for one Flink session cluster."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from scurry.flink.rest_errors import JarNotFound, OperationNotFound
from scurry.model.desired import UpgradePolicy
from scurry.model.errors import (
    JobNotFound,
    RejectedByTarget,
    TargetError,
    TargetUnavailable,
    TargetUnsuitable,
    WorkspaceError,
)
from scurry.model.leftover import Leftover, LeftoverKind
from scurry.model.observed import Job, JobState, Observed
from scurry.model.operation import Action, Operation, Outcome, Step
from scurry.model.reporting import SilentActivity
from scurry.model.snapshot import FromLatest, FromSnapshot, Snapshot
from scurry.targets import lowering
from scurry.targets.rest import checking, observing, rescaling
from scurry.targets.rest.delivery import Delivery
from scurry.targets.rest.ending import Ending, undecided
from scurry.targets.rest.formats import savepoint_format
from scurry.targets.rest.program import Program, digest_in, jar_digest, make_program

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from scurry.flink.rest import FlinkRest
    from scurry.flink.rest_answers import JobSummary
    from scurry.model.desired import Artifact, Desired
    from scurry.model.ports import Activity, Log, Marks, StepContext
    from scurry.model.snapshot import SnapshotFormat
    from scurry.targets.rest.places import Places
    from scurry.targets.services import TargetServices

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LEAST_RESCALE_PATIENCE_S = 60.0


class RestTarget:
    """One Flink session cluster. Makes no call before it is asked something."""

    kind = "rest"

    def __init__(self, name: str, rest: FlinkRest, services: TargetServices, *, places: Places) -> None:
        self.name = name
        self.rest = rest
        self._services = services
        self._places = places
        self._ending = Ending(
            rest=rest,
            clock=services.clock,
            target=name,
            directory=places.savepoints,
            format_of=self.savepoint_format,
        )
        self._formats: dict[str, SnapshotFormat] = {}
        self._programs: dict[str, Program] = {}
        self._waited_for: set[str] = set()
        self._scheduler: str | None = None

    # Reading

    def survey(self) -> Mapping[str, Job]:
        """Return every job that the cluster shows, by id, with one call."""
        return {summary.jid: observing.surveyed(summary) for summary in self.rest.jobs()}

    def observe(self, application: str, marks: Sequence[str]) -> Observed:
        """Return what the cluster says of one application now; an absent cluster is an observation, too."""
        try:
            return self._observe(application, marks)
        except TargetError as error:
            return Observed.silent(error)
        except WorkspaceError as error:  # a secret of the connection is not there: others can still be looked at
            return Observed.silent(TargetUnsuitable(error.message, target=self.name, hint=error.hint))

    def find(self, step: Step) -> Outcome | None:
        """Say whether a step landed: by its mark, else by what the cluster shows. Waits for one in progress."""
        with undecided():
            return self._found(step)

    def _found(self, step: Step) -> Outcome | None:
        match step.action:
            case Action.UPLOAD:
                return None  # is looked for again by its name when it is run again
            case Action.SUBMIT:
                return Outcome(job_id=step.mark) if self._has_run(step.mark) else None
            case Action.STOP | Action.SNAPSHOT:
                snapshot = self._find_savepoint(step)
                return Outcome(snapshot=snapshot) if snapshot else None
            case Action.CANCEL:
                return self._find_cancel(step.inputs["job_id"])
            case _:
                return None  # changes nothing, or nothing more when it is run again

    def steps(self, operation: Operation, marks: Marks) -> tuple[Step, ...]:
        """Lower an operation to steps."""
        return lowering.steps(operation, marks)

    def settings(self, job_id: str) -> Mapping[str, str]:
        """Return a job's Flink options as far as Flink shows them."""
        return observing.settings(self.rest, job_id)

    def defaults(self, flink_version: str) -> Mapping[str, str]:
        """Return the cluster's own options; Flink masks what looks like a secret."""
        return self.rest.options()

    def savepoint_format(self, job_id: str) -> SnapshotFormat | None:
        """Return the format in which a running job's savepoints can be written; None where it does not tell."""
        if job_id not in self._formats:  # a job has one program for its life
            found = savepoint_format(self.rest, job_id, self._services.clock)
            if found is None:
                return None
            self._formats[job_id] = found
        return self._formats[job_id]

    def left_by(self, job: Job) -> tuple[Snapshot, ...]:
        """Return what a job and the one before it have left where this machine sees it."""
        return self._places.left_by(job)

    def uploads(self, known: Collection[Artifact], *, before: datetime) -> tuple[Leftover, ...]:
        """Return the jars of these artifacts that the JobManager keeps. What another project uploaded is not told."""
        ours = {jar_digest(artifact.digest) for artifact in known}
        return tuple(
            Leftover(kind=LeftoverKind.UPLOAD, name=jar.name, ref=jar.id, target=self.name)
            for jar in self.rest.jars()
            if digest_in(jar.name) in ours and jar.uploaded < before.timestamp() * 1000
        )

    def forget_upload(self, upload: Leftover) -> None:
        """Delete a jar from the JobManager."""
        with suppress(JarNotFound):
            self.rest.delete_jar(upload.ref)

    def logs(self, application: str, flink_version: str) -> Sequence[Log]:
        """Return the logs of the cluster's processes: in a session cluster those of all its jobs."""
        from scurry.targets.logs import rest_logs

        return rest_logs(self.rest)

    # Acting

    def run(self, step: Step, context: StepContext) -> Outcome:  # noqa: C901 - a case for each action
        """Make a step's call and wait for its end. Raises `TargetUnavailable` when its effect is not known."""
        match step.action:
            case Action.PREPARE:
                return Outcome()
            case Action.UPLOAD:
                return Outcome(artifact_ref=self._upload(self._program(context), context.activity))
            case Action.CHECK:
                return self._check(step, context)
            case Action.SUBMIT:
                return self._submit(step, context)
            case Action.STOP | Action.SNAPSHOT:
                return self._savepoint(step, context)
            case Action.CANCEL:
                return self._cancel(step, context)
            case Action.RESCALE:
                return self._rescale(step, context)
            case Action.DISPOSE:
                return self._dispose(step, context)

    # Reading, in detail

    def _observe(self, application: str, marks: Sequence[str]) -> Observed:
        overview = self.rest.overview()
        summaries = self.rest.jobs()
        own = observing.own_jobs(
            self.rest, [summary for summary in summaries if summary.jid in marks], self._services.clock
        )
        shown = {job.id for job in own}
        live = next((job for job in own if not job.state.is_terminal), None)
        return Observed(
            jobs=own,
            strangers=tuple(
                observing.surveyed(summary) for summary in summaries if _is_stranger(summary, application, marks)
            ),
            flink_version=overview.flink_version,
            slots_total=overview.slots_total,
            slots_free=overview.slots_available,
            rescales_in_place=live is not None and self._rescales_in_place(),
            ui_url=f"{self.rest.url}/#/job/running/{live.id}/overview" if live else self.rest.url,
            retained=self._places.retained([mark for mark in marks if mark not in shown]),
        )

    def _rescales_in_place(self) -> bool:
        if self._scheduler is None:
            options = self.rest.options()
            reactive = options.get("scheduler-mode", "").lower() == "reactive"
            self._scheduler = "reactive" if reactive else options.get("jobmanager.scheduler", "default").lower()
        return self._scheduler == "adaptive"

    def _has_run(self, job_id: str) -> bool:
        """Whether a job was started: the cluster shows it, or has forgotten it, but its checkpoints are there."""
        return self._shows(job_id) or self._places.has_checkpoint(job_id)

    def _shows(self, job_id: str) -> bool:
        try:
            self.rest.job_status(job_id)
        except JobNotFound:
            return False
        return True

    def _find_savepoint(self, step: Step) -> Snapshot | None:
        # What `run` waited for in vain is not waited for as long a second time.
        limit = timedelta() if step.mark in self._waited_for else UpgradePolicy().stop_timeout
        what = "the savepoint"
        try:
            return self._ending.await_savepoint(step, limit=limit, activity=SilentActivity(), what=what)
        except (OperationNotFound, JobNotFound):
            return self._ending.finished_stop(step) if step.action is Action.STOP else None
        except RejectedByTarget:
            return None  # it failed; run again, it says so

    def _find_cancel(self, job_id: str) -> Outcome | None:
        try:
            state = observing.state_of(self.rest.job_status(job_id))
        except JobNotFound:
            return Outcome()
        if not state.is_terminal:
            return None
        clock = self._services.clock
        return Outcome(snapshot=observing.retained_checkpoint(self.rest, job_id, state, clock))

    # Acting, in detail

    def _program(self, context: StepContext) -> Program:
        """Return the program of the operation's wish: made by its first step, at hand when the job is to start."""
        desired = _wish(context)
        key = desired.digest()
        if key not in self._programs:
            shared = self._shared()
            delivery = Delivery(
                target=self.name, shared=shared, runtimes=self._services.runtimes, reporter=self._services.reporter
            )
            self._programs = {
                key: make_program(desired, secrets=context.secrets, artifacts=context.artifacts, delivery=delivery)
            }
        return self._programs[key]

    def _shared(self) -> Path | None:
        """Return a directory that the cluster's machines see, too: a cluster of this machine sees the workspace."""
        if self._places.shared is not None:
            return self._places.shared
        return self._services.directory.resolve() if self._sees_our_files() else None

    def _sees_our_files(self) -> bool:
        # A loopback address may be a tunnel. The JobManager's own directory has a random name: is it here?
        if urlsplit(self.rest.url).hostname not in _LOOPBACK:
            return False
        directory = self.rest.options().get("web.tmpdir")
        return directory is not None and "flink-web-" in directory and Path(directory).is_dir()

    def _upload(self, program: Program, activity: Activity) -> str:
        there = next((jar.id for jar in self.rest.jars() if jar.name == program.jar_name), None)
        return there or self.rest.upload(program.jar, name=program.jar_name, activity=activity)

    def _check(self, step: Step, context: StepContext) -> Outcome:
        desired, program = _wish(context), self._program(context)
        options = self.rest.options()
        replaces: str | None = step.inputs.get("replaces")
        checking.check_version(desired, self.rest.dashboard().flink_version, self.name)
        checking.check_dropping(desired, context.restore, self.name, drops=step.inputs.get("drops"))
        checking.check_snapshot(context.restore, sees_files=self._sees_our_files(), target=self.name)
        try:
            graph = self.rest.plan(self._jar(context), program.request, conceal=program.conceal)
        except RejectedByTarget as error:
            raise checking.python_hint(error, desired) from None
        if not checking.is_elastic(options):
            replaced = self.rest.job(replaces) if replaces else None
            clock = self._services.clock
            checking.check_slots(self.rest, graph.parallelism, replaced=replaced, clock=clock, target=self.name)
        if replaces and isinstance(context.restore, FromLatest):
            has_place = self._places.savepoints is not None
            checking.check_stop(self.rest, replaces, desired, has_place=has_place, options=options, target=self.name)
        return Outcome(detail={"vertices": len(graph.nodes), "slots": graph.parallelism})

    def _jar(self, context: StepContext) -> str:
        return context.artifact_ref or self._upload(self._program(context), context.activity)

    def _submit(self, step: Step, context: StepContext) -> Outcome:
        """Start the job. Nothing else happens here while records wait: the program is at hand, the connection open.

        Raises `AlreadySubmitted`: who asked for it knows whether the job of that id is the one that was asked for.
        """
        program, restore = self._program(context), context.restore
        if isinstance(restore, FromLatest):
            raise RejectedByTarget("a submit needs to know which state it starts from", target=self.name)
        request = msgspec.structs.replace(
            program.request,
            job_id=step.mark,
            savepoint_path=restore.snapshot.location if isinstance(restore, FromSnapshot) else None,
            allow_non_restored_state=checking.may_drop(_wish(context), step.inputs.get("drops")) or None,
        )
        try:
            job_id = self.rest.run(self._jar(context), request, conceal=program.conceal)
        except JarNotFound:  # the JobManager was started anew since the upload
            job_id = self.rest.run(self._upload(program, context.activity), request, conceal=program.conceal)
        return Outcome(job_id=job_id)

    def _savepoint(self, step: Step, context: StepContext) -> Outcome:
        desired = context.desired
        limit = (desired.upgrade if desired else UpgradePolicy()).stop_timeout
        take = self._ending.stop if step.action is Action.STOP else self._ending.savepoint
        self._waited_for.add(step.mark)
        try:
            return Outcome(snapshot=take(step, limit=limit, activity=context.activity))
        except OperationNotFound:
            raise TargetUnavailable(
                f"target {self.name!r} forgot a savepoint that was begun: its JobManager was started anew",
                target=self.name,
            ) from None

    def _cancel(self, step: Step, context: StepContext) -> Outcome:
        job_id: str = step.inputs["job_id"]
        if checking.needs_latest(context.desired, context.restore):
            checking.check_retention(self.rest, job_id, self.name)
        wants_state = checking.wants_latest(context.desired, context.restore)
        snapshot = self._ending.cancel(job_id, wants_state=wants_state, activity=context.activity)
        return Outcome(snapshot=snapshot)

    def _rescale(self, step: Step, context: StepContext) -> Outcome:
        desired, program = _wish(context), self._program(context)
        graph = self.rest.plan(self._jar(context), program.request, conceal=program.conceal)
        patience_s = max(desired.upgrade.health.window.total_seconds(), _LEAST_RESCALE_PATIENCE_S)
        job_id: str = step.inputs["job_id"]
        rescaling.rescale(self.rest, job_id, graph, patience_s=patience_s, activity=context.activity)
        return Outcome(job_id=job_id)

    def _dispose(self, step: Step, context: StepContext) -> Outcome:
        location: str = step.inputs["location"]
        owner = next((job for job in self.rest.jobs() if job.end_time < 0 and f"/{job.jid}/" in location), None)
        if owner:
            raise RejectedByTarget(
                f"{location} belongs to job {owner.jid[:8]}, which runs: Flink deletes its checkpoints itself",
                target=self.name,
            )
        self._ending.dispose(location, activity=context.activity)
        return Outcome()


def _is_stranger(summary: JobSummary, application: str, marks: Sequence[str]) -> bool:
    live = not JobState(summary.state.lower()).is_terminal
    return live and summary.name == application and summary.jid not in marks


def _wish(context: StepContext) -> Desired:
    if context.desired is None:
        raise AssertionError("this step belongs to an operation with a wish")
    return context.desired
