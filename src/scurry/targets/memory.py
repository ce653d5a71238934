"""The reference target: a Flink that is a dictionary. It behaves as the conformance suite says that targets behave.

For tests, for trying things out and for planning without a cluster. What is in it can be kept in a file, so that
several commands see the same. How a job behaves is said in its configuration by `memory.behaviour` (see `Behaviour`).
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

import msgspec

from scurry.model.errors import AlreadySubmitted, JobNotFound, RejectedByTarget, TargetUnsuitable
from scurry.model.observed import CheckpointCounts, Job, JobState, Observed
from scurry.model.operation import Action, Operation, Outcome, Step
from scurry.model.snapshot import FromLatest, FromSnapshot, Snapshot, SnapshotFormat, SnapshotKind
from scurry.targets import lowering

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from scurry.model.desired import Desired
    from scurry.model.ports import Clock, Marks, StepContext
    from scurry.model.values import Text
    from scurry.targets.services import TargetServices


class Behaviour(StrEnum):
    """What a job of this target does, by its configuration's `memory.behaviour`."""

    FINE = "fine"
    FAILS_CHECK = "fails-check"
    """the job graph does not build"""
    REJECTS_SUBMIT = "rejects-submit"
    """the check passes, and the submit is refused all the same"""
    FAILS = "fails"
    """the job starts and goes to FAILED"""
    RESTARTS = "restarts"
    """the job restarts for ever"""
    NEVER_CHECKPOINTS = "never-checkpoints"
    REFUSES_STOP = "refuses-stop"
    """savepoints are declined; the job goes on"""


class MemoryJob(msgspec.Struct, kw_only=True):
    """A job and the state that it holds: the ids of the jobs whose state went into it."""

    job: Job
    behaviour: Behaviour
    history: tuple[str, ...]


class Memory(msgspec.Struct, kw_only=True):
    """All that the target knows."""

    jobs: dict[str, MemoryJob] = {}
    savepoints: dict[str, Snapshot] = {}
    state: dict[str, tuple[str, ...]] = {}
    """savepoint location → the ids of the jobs whose state is in it"""
    triggers: dict[str, str] = {}
    """trigger id → savepoint location"""
    uploads: set[str] = set()


class MemoryTarget:
    """A `Target` without anything outside. With a `path` it is kept in a file, read and written at every call."""

    kind = "memory"

    def __init__(self, name: str, *, clock: Clock, path: Path | None = None, slots: int = 64) -> None:
        self.name = name
        self._clock = clock
        self._path = path
        self._slots = slots
        self._memory = Memory()

    # Reading ---------------------------------------------------------------------------------------------------

    def survey(self) -> Mapping[str, Job]:
        """Return every job, by id."""
        return {id: entry.job for id, entry in self._load().jobs.items()}

    def observe(self, application: str, marks: Sequence[str]) -> Observed:
        """Return what is here of one application."""
        jobs = [entry.job for entry in self._load().jobs.values()]
        live = [job for job in jobs if not job.state.is_terminal]
        own = [job for job in jobs if job.id in marks]
        used = sum(job.parallelism or 1 for job in live)
        return Observed(
            jobs=tuple(reversed(own)),
            strangers=tuple(job for job in live if job.name == application and job.id not in marks),
            slots_total=self._slots,
            slots_free=self._slots - used,
            rescales_in_place=False,
        )

    def find(self, step: Step) -> Outcome | None:
        """Say whether a step landed."""
        memory = self._load()
        match step.action:
            case Action.SUBMIT:
                return Outcome(job_id=step.mark) if step.mark in memory.jobs else None
            case Action.STOP | Action.SNAPSHOT:
                location = memory.triggers.get(step.mark)
                return Outcome(snapshot=memory.savepoints[location]) if location else None
            case Action.CANCEL:
                entry = memory.jobs.get(step.inputs["job_id"])
                gone = entry is None or entry.job.state.is_terminal
                return Outcome(snapshot=entry.job.latest_checkpoint if entry else None) if gone else None
            case Action.DISPOSE:
                return Outcome() if step.inputs["location"] not in memory.savepoints else None
            case _:
                return None

    def steps(self, operation: Operation, marks: Marks) -> tuple[Step, ...]:
        """Lower an operation to steps."""
        return lowering.steps(operation, marks)

    # Acting ----------------------------------------------------------------------------------------------------

    def run(self, step: Step, context: StepContext) -> Outcome:
        """Make a step happen; again under the same mark it changes nothing more."""
        memory = self._load()
        outcome = self._run(memory, step, context)
        self._save(memory)
        return outcome

    def _run(self, memory: Memory, step: Step, context: StepContext) -> Outcome:  # noqa: C901 - a case for each action
        match step.action:
            case Action.UPLOAD:
                memory.uploads.add(step.mark)
                return Outcome(artifact_ref=step.mark)
            case Action.CHECK:
                return self._check(memory, step, context)
            case Action.SUBMIT:
                return self._submit(memory, step, context)
            case Action.STOP | Action.SNAPSHOT:
                return self._savepoint(memory, step)
            case Action.CANCEL:
                return self._cancel(memory, step)
            case Action.RESCALE:
                return self._rescale(memory, step, context)
            case Action.DISPOSE:
                memory.savepoints.pop(step.inputs["location"], None)
                return Outcome()
            case Action.PREPARE:
                return Outcome()
            case _:
                assert_never(step.action)

    def _check(self, memory: Memory, step: Step, context: StepContext) -> Outcome:
        desired = _wish(context)
        for text in (*desired.args, *desired.config.values(), *desired.secrets.values(), *_properties(desired)):
            context.secrets.resolve(text)
        if _behaviour(desired) is Behaviour.FAILS_CHECK:
            raise RejectedByTarget("the job graph does not build: memory.behaviour is fails-check", target=self.name)
        used = sum(
            entry.job.parallelism or 1
            for id, entry in memory.jobs.items()
            if not entry.job.state.is_terminal and id != step.inputs.get("replaces")
        )
        if desired.parallelism > self._slots - used:
            raise TargetUnsuitable(
                f"parallelism {desired.parallelism} needs as many slots, and only {self._slots - used} are free",
                target=self.name,
                hint="Lower `parallelism`, or stop what else runs there.",
            ).concerning("parallelism")
        return Outcome()

    def _submit(self, memory: Memory, step: Step, context: StepContext) -> Outcome:
        desired = _wish(context)
        if step.mark in memory.jobs:
            raise AlreadySubmitted(f"a job {step.mark} was submitted before", target=self.name)
        behaviour = _behaviour(desired)
        if behaviour is Behaviour.REJECTS_SUBMIT:
            raise RejectedByTarget("the submit is refused: memory.behaviour is rejects-submit", target=self.name)
        location: str | None = None
        state: tuple[str, ...] = ()
        if isinstance(context.restore, FromLatest):
            raise RejectedByTarget("a submit needs to know which state it starts from", target=self.name)
        if isinstance(context.restore, FromSnapshot):
            location = context.restore.snapshot.location
            if location not in memory.savepoints:
                raise RejectedByTarget(f"there is no savepoint {location}", target=self.name)
            state = memory.state[location]
        job = self._job(desired, step.mark, behaviour, location)
        memory.jobs[step.mark] = MemoryJob(job=job, behaviour=behaviour, history=(*state, step.mark))
        return Outcome(job_id=step.mark)

    def _job(self, desired: Desired, id: str, behaviour: Behaviour, location: str | None) -> Job:
        state = {Behaviour.FAILS: JobState.FAILED, Behaviour.RESTARTS: JobState.RESTARTING}.get(
            behaviour, JobState.RUNNING
        )
        good = state is JobState.RUNNING
        checkpoints = 1 if good and behaviour is not Behaviour.NEVER_CHECKPOINTS else 0
        return Job(
            id=id,
            name=desired.application,
            state=state,
            started_at=self._clock.now(),
            parallelism=desired.parallelism,
            vertices=1,
            vertices_running=1 if good else 0,
            restarts=0 if good else 3,
            checkpoints=CheckpointCounts(completed=checkpoints),
            restored_from=location,
            root_exception=None if good else f"memory.behaviour is {behaviour.value}",
        )

    def _savepoint(self, memory: Memory, step: Step) -> Outcome:
        if step.mark in memory.triggers:
            return Outcome(snapshot=memory.savepoints[memory.triggers[step.mark]])
        entry = self._entry(memory, step)
        job = entry.job
        if entry.behaviour is Behaviour.REFUSES_STOP or job.state is not JobState.RUNNING:
            raise RejectedByTarget(f"the savepoint was declined; job {job.id} goes on", target=self.name)
        location = f"memory://{self.name}/savepoint-{step.mark[:12]}"
        snapshot = Snapshot(
            kind=SnapshotKind.SAVEPOINT,
            location=location,
            taken_at=self._clock.now(),
            job_id=job.id,
            format=SnapshotFormat.CANONICAL,
            drained=bool(step.inputs.get("drain")),
        )
        memory.savepoints[location] = snapshot
        memory.state[location] = entry.history
        memory.triggers[step.mark] = location
        if step.action is Action.STOP:
            entry.job = msgspec.structs.replace(job, state=JobState.FINISHED)
        return Outcome(snapshot=snapshot)

    def _cancel(self, memory: Memory, step: Step) -> Outcome:
        entry = self._entry(memory, step)
        if not entry.job.state.is_terminal:
            entry.job = msgspec.structs.replace(entry.job, state=JobState.CANCELED)
        return Outcome(snapshot=entry.job.latest_checkpoint)

    def _rescale(self, memory: Memory, step: Step, context: StepContext) -> Outcome:
        entry = self._entry(memory, step)
        entry.job = msgspec.structs.replace(entry.job, parallelism=_wish(context).parallelism)
        return Outcome(job_id=entry.job.id)

    def _entry(self, memory: Memory, step: Step) -> MemoryJob:
        job_id = step.inputs["job_id"]
        if job_id not in memory.jobs:
            raise JobNotFound(f"there is no job {job_id}", target=self.name)
        return memory.jobs[job_id]

    # Keeping ---------------------------------------------------------------------------------------------------

    def _load(self) -> Memory:
        if self._path and self._path.exists():
            self._memory = msgspec.json.decode(self._path.read_bytes(), type=Memory)
        return self._memory

    def _save(self, memory: Memory) -> None:
        self._memory = memory
        if self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._path.with_suffix(f".{os.getpid()}")
            draft.write_bytes(msgspec.json.encode(memory))
            draft.replace(self._path)


def connect(name: str, settings: Mapping[str, object], services: TargetServices) -> MemoryTarget:
    """Return the target as the project file describes it; it is kept in the workspace."""
    slots = settings.get("slots", 64)
    path = services.directory / "memory" / f"{name}.json"
    return MemoryTarget(name, clock=services.clock, path=path, slots=slots if isinstance(slots, int) else 64)


def _wish(context: StepContext) -> Desired:
    if context.desired is None:
        raise AssertionError("this step belongs to an operation with a wish")
    return context.desired


def _properties(desired: Desired) -> Iterator[Text]:
    return (text for group in desired.properties.values() for text in group.values())


def _behaviour(desired: Desired) -> Behaviour:
    return Behaviour(str(desired.config.get("memory.behaviour", Behaviour.FINE)))
