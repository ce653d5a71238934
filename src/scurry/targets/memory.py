"""The reference target: a Flink that is a dictionary. It behaves as the conformance suite says that targets behave.

For tests, for trying things out and for planning without a cluster. What is in it can be kept in a file, so that
several commands see the same. How a job behaves is said in its configuration by `memory.behaviour` (see `Behaviour`).
State is a number: how many records the application has processed. What its exactly-once sink has committed is kept
beside it (`Commit`), so that records that are lost or processed twice are seen.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
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


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What a job holds and a snapshot keeps."""

    history: tuple[str, ...] = ()
    """the ids of the jobs whose state went into it, oldest first"""
    position: int = 0
    """how many records were processed; the next one has this number"""
    committed: int = 0
    """the sink has committed the records before this number; those up to `position` wait for a checkpoint"""


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """Records that a job's sink has committed: from number `first` up to but not including `end`."""

    application: str
    job_id: str
    first: int
    end: int


class MemoryJob(msgspec.Struct, kw_only=True):
    """A job and the state that it holds."""

    job: Job
    behaviour: Behaviour
    state: State
    config: dict[str, str] = {}


class Memory(msgspec.Struct, kw_only=True):
    """All that the target knows. What is on its disk outlives its jobs: snapshots, states and output."""

    jobs: dict[str, MemoryJob] = {}
    savepoints: dict[str, Snapshot] = {}
    """location → savepoint or checkpoint"""
    states: dict[str, State] = {}
    """location → what is in it"""
    output: list[Commit] = []
    triggers: dict[str, str] = {}
    """job and trigger id → savepoint location: Flink keeps its answers by both, whatever was triggered"""
    uploads: set[str] = set()


class MemoryTarget:
    """A `Target` without anything outside. With a `path` it is kept in a file, read and written at every call."""

    kind = "memory"

    def __init__(self, name: str, *, clock: Clock, path: Path | None = None, slots: int = 64) -> None:
        self.name = name
        self.rescales_in_place = False
        """whether its scheduler is adaptive"""
        self.writes_checkpoints = False
        """whether what its jobs checkpoint can be restored from; without it, only savepoints can"""
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
        memory = self._load()
        jobs = [entry.job for entry in memory.jobs.values()]
        live = [job for job in jobs if not job.state.is_terminal]
        own = [job for job in jobs if job.id in marks]
        used = sum(job.parallelism or 1 for job in live)
        return Observed(
            jobs=tuple(reversed(own)),
            strangers=tuple(job for job in live if job.name == application and job.id not in marks),
            slots_total=self._slots,
            slots_free=self._slots - used,
            rescales_in_place=self.rescales_in_place,
            retained=tuple(_retained(memory, [mark for mark in marks if mark not in memory.jobs])),
        )

    def find(self, step: Step) -> Outcome | None:
        """Say whether a step landed."""
        memory = self._load()
        match step.action:
            case Action.SUBMIT:
                has_run = step.mark in memory.jobs or _retained(memory, [step.mark])
                return Outcome(job_id=step.mark) if has_run else None
            case Action.STOP | Action.SNAPSHOT:
                return self._find_savepoint(memory, step)
            case Action.CANCEL:
                return self._find_cancel(memory, step.inputs["job_id"])
            case Action.DISPOSE:
                return Outcome() if step.inputs["location"] not in memory.savepoints else None
            case _:
                return None

    def settings(self, job_id: str) -> Mapping[str, str]:
        """Return a job's Flink options."""
        entry = self._load().jobs.get(job_id)
        if entry is None:
            raise JobNotFound(f"there is no job {job_id}", target=self.name)
        return entry.config

    def left_by(self, job: Job) -> tuple[Snapshot, ...]:
        """Return the savepoints of a job and what it was started from."""
        found = self._load().savepoints.values()
        own = (kept for kept in found if kept.job_id == job.id and kept.kind is SnapshotKind.SAVEPOINT)
        return (*own, *(kept for kept in found if kept.location == job.restored_from))

    def steps(self, operation: Operation, marks: Marks) -> tuple[Step, ...]:
        """Lower an operation to steps."""
        return lowering.steps(operation, marks)

    def output(self, application: str) -> tuple[Commit, ...]:
        """Return what the sink of an application has committed, in the order of the commits."""
        return tuple(commit for commit in self._load().output if commit.application == application)

    # What happens by itself ------------------------------------------------------------------------------------

    def process(self, job_id: str, records: int) -> None:
        """Let a job process records, if it is well."""
        memory = self._load()
        entry = memory.jobs[job_id]
        if entry.job.state is JobState.RUNNING:
            entry.state = msgspec.structs.replace(entry.state, position=entry.state.position + records)
        self._save(memory)

    def checkpoint(self, job_id: str) -> None:
        """Let a job complete a checkpoint, if it can: its sink commits, and its checkpoint before is deleted."""
        memory = self._load()
        self._checkpoint(memory, memory.jobs[job_id])
        self._save(memory)

    def fail(self, job_id: str) -> None:
        """Let a job fail for good."""
        memory = self._load()
        entry = memory.jobs[job_id]
        if not entry.job.state.is_terminal:
            entry.job = msgspec.structs.replace(entry.job, state=JobState.FAILED, root_exception="told to fail")
        self._save(memory)

    def lose_jobs(self) -> None:
        """Start anew and empty. What is on the disk stays: snapshots and output."""
        memory = self._load()
        memory.jobs, memory.triggers, memory.uploads = {}, {}, set()
        self._save(memory)

    # Acting ----------------------------------------------------------------------------------------------------

    def run(self, step: Step, context: StepContext) -> Outcome:
        """Make a step happen; again under the same mark it changes nothing more."""
        with self._alone():
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
        state = State()
        if isinstance(context.restore, FromLatest):
            raise RejectedByTarget("a submit needs to know which state it starts from", target=self.name)
        if isinstance(context.restore, FromSnapshot):
            location = context.restore.snapshot.location
            if location not in memory.savepoints:
                raise RejectedByTarget(f"there is no savepoint {location}", target=self.name)
            state = memory.states[location]
            self._commit(memory, desired.application, state)
        job = self._job(desired, step.mark, behaviour, location)
        state = State(history=(*state.history, step.mark), position=state.position, committed=state.position)
        memory.jobs[step.mark] = MemoryJob(job=job, behaviour=behaviour, state=state, config=_shown(desired))
        if self.writes_checkpoints:
            memory.jobs[step.mark].job = msgspec.structs.replace(job, checkpoints=CheckpointCounts())
            self._checkpoint(memory, memory.jobs[step.mark])
        return Outcome(job_id=step.mark)

    def _checkpoint(self, memory: Memory, entry: MemoryJob) -> None:
        job, before = entry.job, entry.job.latest_checkpoint
        if job.state is not JobState.RUNNING or entry.behaviour is Behaviour.NEVER_CHECKPOINTS:
            return
        number = job.checkpoints.completed + 1
        snapshot = Snapshot(
            kind=SnapshotKind.CHECKPOINT,
            location=f"memory://{self.name}/{job.id}/chk-{number}",
            taken_at=self._clock.now(),
            job_id=job.id,
        )
        self._commit(memory, job.name, entry.state)
        entry.state = msgspec.structs.replace(entry.state, committed=entry.state.position)
        if self.writes_checkpoints:
            memory.savepoints[snapshot.location] = snapshot
            memory.states[snapshot.location] = entry.state
            if before:
                memory.savepoints.pop(before.location, None)
        entry.job = msgspec.structs.replace(
            job,
            checkpoints=CheckpointCounts(completed=number),
            latest_checkpoint=snapshot if self.writes_checkpoints else None,
        )

    def _commit(self, memory: Memory, application: str, state: State) -> None:
        """Commit what waits in a state. A restore does so again, which changes nothing."""
        job_id = state.history[-1]
        done = max((commit.end for commit in memory.output if commit.job_id == job_id), default=0)
        first = max(state.committed, done)
        if first < state.position:
            memory.output.append(Commit(application=application, job_id=job_id, first=first, end=state.position))

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
        trigger = _trigger(step)
        if trigger in memory.triggers:
            return Outcome(snapshot=memory.savepoints[memory.triggers[trigger]])
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
        memory.states[location] = entry.state
        memory.triggers[trigger] = location
        if step.action is Action.STOP:  # only this savepoint has the sink commit (FLIP-203)
            self._commit(memory, job.name, entry.state)
            entry.job = msgspec.structs.replace(job, state=JobState.FINISHED)
        return Outcome(snapshot=snapshot)

    def _find_savepoint(self, memory: Memory, step: Step) -> Outcome | None:
        """Find a savepoint by its trigger; that of a stop whose target has forgotten it by being the newest state."""
        location = memory.triggers.get(_trigger(step))
        if location:
            return Outcome(snapshot=memory.savepoints[location])
        job_id = step.inputs["job_id"]
        newest = next(iter(_retained(memory, [job_id])), None)
        was_stop = step.action is Action.STOP and job_id not in memory.jobs
        return Outcome(snapshot=newest) if was_stop and newest and newest.kind is SnapshotKind.SAVEPOINT else None

    def _find_cancel(self, memory: Memory, job_id: str) -> Outcome | None:
        entry = memory.jobs.get(job_id)
        if entry is None:
            return Outcome(snapshot=next(iter(_retained(memory, [job_id])), None))
        return Outcome(snapshot=entry.job.latest_checkpoint) if entry.job.state.is_terminal else None

    def _cancel(self, memory: Memory, step: Step) -> Outcome:
        entry = self._entry(memory, step)
        if not entry.job.state.is_terminal:
            entry.job = msgspec.structs.replace(entry.job, state=JobState.CANCELED)
        return Outcome(snapshot=entry.job.latest_checkpoint)

    def _rescale(self, memory: Memory, step: Step, context: StepContext) -> Outcome:
        """Restart it from its latest checkpoint with another parallelism."""
        entry = self._entry(memory, step)
        job, checkpoint = entry.job, entry.job.latest_checkpoint
        if job.state.is_terminal:
            raise RejectedByTarget(f"job {job.id} is {job.state.value}", target=self.name)
        if checkpoint:
            entry.state = memory.states[checkpoint.location]
        parallelism = _wish(context).parallelism
        entry.job = msgspec.structs.replace(job, parallelism=parallelism, restarts=job.restarts + 1)
        return Outcome(job_id=job.id)

    def _entry(self, memory: Memory, step: Step) -> MemoryJob:
        job_id = step.inputs["job_id"]
        if job_id not in memory.jobs:
            raise JobNotFound(f"there is no job {job_id}", target=self.name)
        return memory.jobs[job_id]

    # Keeping ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no other thread or process change the file meanwhile."""
        if self._path is None:
            yield
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

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


def _retained(memory: Memory, job_ids: Sequence[str]) -> list[Snapshot]:
    """Return the snapshots that jobs have left, newest first."""
    left = [snapshot for snapshot in memory.savepoints.values() if snapshot.job_id in job_ids]
    return sorted(left, key=lambda snapshot: snapshot.taken_at, reverse=True)


def _trigger(step: Step) -> str:
    return f"{step.inputs['job_id']}/{step.mark}"


def _wish(context: StepContext) -> Desired:
    if context.desired is None:
        raise AssertionError("this step belongs to an operation with a wish")
    return context.desired


def _properties(desired: Desired) -> Iterator[Text]:
    return (text for group in desired.properties.values() for text in group.values())


def _shown(desired: Desired) -> dict[str, str]:
    return {option: text for option, text in desired.config.items() if isinstance(text, str)}


def _behaviour(desired: Desired) -> Behaviour:
    return Behaviour(str(desired.config.get("memory.behaviour", Behaviour.FINE)))
