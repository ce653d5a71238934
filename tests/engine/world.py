"""A world for crash tests: a memory target that can misbehave, a journal, a clock, and processes that can be killed.

Whatever happens in it, it watches what must never happen: two live jobs of one application, a job that starts from less
than was committed, or from no state, without that a person or the spec has said so. A breach is an `AssertionError`.
"""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from unittest import mock

from msgspec import structs

from scurry.engine import verbs
from scurry.engine.attempt import Services
from scurry.engine.executor import Executor
from scurry.engine.lease import LEASE
from scurry.engine.planner import make_plan
from scurry.journal.process import Process
from scurry.journal.sql_journal import SqlJournal
from scurry.model.desired import Desired, UpgradeMode
from scurry.model.errors import PlanOutdated, ScurryError, TargetUnavailable
from scurry.model.journal import History, Lease
from scurry.model.observed import Job, JobState, Observed
from scurry.model.operation import Action, Operation, Outcome, Step
from scurry.model.plan import Plan
from scurry.model.ports import Activity, ArtifactStore, Secrets, StepContext
from scurry.model.reporting import SilentActivity, SilentReporter
from scurry.model.result import Applied
from scurry.model.snapshot import Restore, Stateless
from scurry.targets.memory import Memory, MemoryJob, MemoryTarget, State
from scurry.testing.crash_points import CrashPoints, Recording
from tests.engine.memory_database import MemoryDatabase
from tests.targets.memory_rig import FakeClock, NoArtifacts, PlainSecrets

APPLICATION = "shop"


class Killed(BaseException):
    """The process dies here: nothing catches it, nothing is cleaned up."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """What a person asks for."""

    title: str
    decide: Callable[[Observed, History, FakeClock], Plan]
    said: bool = False
    """a person has said which state to start from, whatever else there is"""


@dataclass(frozen=True, kw_only=True)
class Call:
    """An outside call as it was when it was sent; its process may have died since."""

    operation: Operation | None
    desired: Desired | None
    restore: Restore
    artifact_ref: str | None
    secrets: Secrets
    artifacts: ArtifactStore
    activity: Activity

    @classmethod
    def of(cls, context: StepContext) -> Call:
        return cls(
            operation=getattr(context, "operation", None),
            desired=context.desired,
            restore=context.restore,
            artifact_ref=context.artifact_ref,
            secrets=context.secrets,
            artifacts=context.artifacts,
            activity=SilentActivity(),
        )


class Fault(StrEnum):
    """What becomes of a call to the target."""

    LATE = "late"
    """no answer; its effect comes about after a while"""
    UNANSWERED = "unanswered"
    """it has its effect, and the answer is lost"""
    LOST = "lost"
    """no answer and no effect"""
    TWICE = "twice"
    """answered; after a while it is delivered once more"""


LATE_S = 5.0
_LATER = {Fault.LATE, Fault.TWICE}


class Unsteady(MemoryTarget):
    """A memory target whose calls can land late, and which can fall silent. It checks each start of a job."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__("memory", clock=clock)
        self.writes_checkpoints = True
        self.fake_clock = clock
        self.is_silent = False
        self.fault: Fault | None = None
        """what becomes of the next call"""
        self.late_s = LATE_S
        """how late what is late comes about"""
        self.late: list[tuple[float, Step, Call]] = []
        self.permitted: list[Operation] = []
        self.broken: dict[str, str] = {}
        """digest of an artifact → how what is started of it from now on behaves"""
        self.falls_silent_after: Action | None = None
        self.restarts_when_rescaled = False
        """for ever, until `recover`"""
        self.rewound: set[str] = set()
        """jobs that a person, or the spec, had start from some other state than the newest: what follows is wanted"""
        self.told: int | None = None
        """where a person, or the spec, had it start, as long as nothing was committed since"""
        self.wishes: dict[str, Desired] = {}
        """job id → what it was started as"""

    def copy(self, clock: FakeClock) -> Unsteady:
        other = copy.copy(self)
        other._clock = other.fake_clock = clock
        other._memory = copy.deepcopy(self._memory)
        other.late, other.permitted, other.wishes = list(self.late), list(self.permitted), dict(self.wishes)
        other.rewound = set(self.rewound)
        return other

    def breaks(self, desired: Desired, behaviour: str) -> None:
        """Have what ran well not start any more."""
        self.broken[desired.artifact.digest] = behaviour

    def committed(self) -> int:
        """Return how many records were committed. Fails when one was lost, or was committed twice unasked."""
        end = 0
        for commit in self._memory.output:
            if commit.job_id in self.rewound:
                end = commit.first
            assert commit.first == end, f"{end} records are committed, and then comes number {commit.first}"
            end = commit.end
        return end

    def live(self) -> list[Job]:
        """Return the jobs that are not at their end."""
        return [entry.job for entry in self._memory.jobs.values() if not entry.job.state.is_terminal]

    def go_on(self, records: int, *, checkpoint: bool) -> None:
        """Let the job that runs process records, and complete a checkpoint."""
        for job in self.live():
            self.process(job.id, records)
            if checkpoint:
                self.checkpoint(job.id)

    def land(self, *, all_of_it: bool = False) -> None:
        """Let come about what is due."""
        now = float("inf") if all_of_it else self.fake_clock.time.timestamp()
        due, self.late = [c for c in self.late if c[0] <= now], [c for c in self.late if c[0] > now]
        for _, step, call in due:
            try:
                super().run(step, call)
            except ScurryError:
                continue  # nobody hears it

    def lose_jobs(self) -> None:
        super().lose_jobs()
        self.late.clear()  # what was on its way to a JobManager dies with it

    def survey(self) -> Mapping[str, Job]:
        self._answer()
        return super().survey()

    def observe(self, application: str, marks: Sequence[str]) -> Observed:
        try:
            self._answer()
        except TargetUnavailable as error:
            return Observed.silent(error)
        return super().observe(application, marks)

    def find(self, step: Step) -> Outcome | None:
        self._answer()
        return super().find(step)

    def run(self, step: Step, context: StepContext) -> Outcome:
        self._answer()
        fault, self.fault = self.fault, None
        if step.action is Action.RESCALE and fault in _LATER:
            fault = Fault.UNANSWERED  # one that comes about late may undo another, which nobody can see
        if fault in _LATER:
            due = self.fake_clock.time.timestamp() + self.late_s
            self.late.append((due, step, Call.of(context)))
        outcome = super().run(step, self._as_it_is(context)) if fault not in {Fault.LATE, Fault.LOST} else None
        self.is_silent = self.is_silent or step.action is self.falls_silent_after
        if outcome is None or fault is Fault.UNANSWERED:
            raise TargetUnavailable("the connection broke", target=self.name)
        return outcome

    def _as_it_is(self, context: StepContext) -> StepContext:
        behaviour = self.broken.get(context.desired.artifact.digest) if context.desired else None
        if context.desired is None or behaviour is None:
            return context
        config = {**context.desired.config, "memory.behaviour": behaviour}
        return replace(Call.of(context), desired=structs.replace(context.desired, config=config))

    def _rescale(self, memory: Memory, step: Step, context: StepContext) -> Outcome:
        outcome = super()._rescale(memory, step, context)
        if self.restarts_when_rescaled:
            entry = memory.jobs[step.inputs["job_id"]]
            entry.job = structs.replace(entry.job, state=JobState.RESTARTING)
        return outcome

    def recover(self) -> None:
        """Have what restarts run again."""
        for entry in self._memory.jobs.values():
            if entry.job.state is JobState.RESTARTING:
                entry.job = structs.replace(entry.job, state=JobState.RUNNING)

    def _answer(self) -> None:
        if self.is_silent:
            raise TargetUnavailable("the connection is refused", target=self.name)
        self.land()

    def _submit(self, memory: Memory, step: Step, context: StepContext) -> Outcome:
        outcome = super()._submit(memory, step, context)
        desired = context.desired
        assert desired
        self.wishes[step.mark] = desired
        live = [id for id, entry in memory.jobs.items() if not entry.job.state.is_terminal]
        assert len(live) <= 1, f"{len(live)} jobs run at once: {live}"
        self._check_state(step.mark, memory.jobs[step.mark].state.position, context, desired)
        return outcome

    def _check_state(self, job_id: str, position: int, context: StepContext, desired: Desired) -> None:
        operation = getattr(context, "operation", None)
        by_spec = isinstance(context.restore, Stateless) and desired.upgrade.mode is UpgradeMode.STATELESS
        committed = self.committed()
        if by_spec or operation in self.permitted:
            self.told = position
        least = committed if self.told is None else self.told
        assert position >= least, f"a job starts at record {position}, and {least} are committed: {context.restore}"
        if position != committed:
            self.rewound.add(job_id)

    def _commit(self, memory: Memory, application: str, state: State) -> None:
        before = len(memory.output)
        super()._commit(memory, application, state)
        if len(memory.output) > before:
            self.told = None


def _is_live(entry: MemoryJob) -> bool:
    return not entry.job.state.is_terminal


_RUNNING = threading.local()
"""which process the calling thread plays"""
_PIDS = itertools.count(1)
_DEAD: set[int] = set()


@contextmanager
def processes() -> Iterator[None]:
    """Have leases tell the processes of worlds apart, and know the ones that were killed."""

    def this_process() -> Process:
        return Process(host="here", pid=_RUNNING.pid, started="")

    def is_dead(process: Process) -> bool:
        return process.pid in _DEAD

    leases = "scurry.journal.leases"
    with mock.patch(f"{leases}.this_process", this_process), mock.patch(f"{leases}.is_provably_dead", is_dead):
        yield


class World:
    """Everything that outlives a process."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.target = Unsteady(self.clock)
        self.database = MemoryDatabase()
        self.breath = 0
        """how many moments have passed: the job goes on in each"""

    def copy(self) -> World:
        other = World.__new__(World)
        other.clock = FakeClock(time=self.clock.time)
        other.target = self.target.copy(other.clock)
        other.database = MemoryDatabase(self.database.image())
        other.breath = self.breath
        return other

    def close(self) -> None:
        self.database.close()

    def signature(self) -> Hashable:
        """Return what tells this world from others, but for the time: equal ones go on alike."""
        database, memory = self.database, self.target._memory
        return (
            *database.rows("SELECT number, digest, outcome FROM revision"),
            *database.rows("SELECT number, kind, revision, outcome FROM operation"),
            *database.rows("SELECT operation, action, mark, error, finished_at IS NULL, outcome IS NULL FROM step"),
            *database.rows(
                "SELECT intent, current_revision, job_id, stopped, deleted, restored IS NULL FROM application"
            ),
            *((id, entry.job.state, entry.job.restored_from) for id, entry in memory.jobs.items()),
            *sorted(snapshot.location for snapshot in memory.savepoints.values() if "/chk-" not in snapshot.location),
            *(step.mark for _, step, _ in self.target.late),
        )

    def journal(self) -> SqlJournal:
        return SqlJournal(self.database, clock=self.clock, owner="tester")

    def history(self) -> History:
        return self.journal().history(APPLICATION)

    def observe(self) -> Observed:
        return self.target.observe(APPLICATION, self.history().marks)

    def breathe(self) -> None:
        """Let a moment pass: the job processes a record, and completes a checkpoint now and then."""
        self.breath += 1
        self.target.go_on(1, checkpoint=self.breath % 3 == 0)

    # Processes -------------------------------------------------------------------------------------------------

    def run(
        self, command: Command, points: CrashPoints | None = None, keeper: Callable[[Lease], None] | None = None
    ) -> Applied:
        """Do a command in a process of its own, as the workspace does. `Killed` leaves all as it is then.

        `keeper` is given the lease, to renew it.
        """
        pid = _RUNNING.pid = next(_PIDS)
        points = points or Recording()
        try:
            return self._change(command, points, keeper)
        except Killed:
            _DEAD.add(pid)
            raise

    def _change(self, command: Command, points: CrashPoints, keeper: Callable[[Lease], None] | None) -> Applied:
        journal = points.journal(self.journal())
        lease = journal.acquire(APPLICATION, duration=LEASE)
        if keeper:
            keeper(lease)
        try:
            target = points.target(self.target)
            services = Services(
                target=target,
                journal=journal,
                clock=self.clock,
                reporter=SilentReporter(),
                secrets=PlainSecrets(),
                artifacts=NoArtifacts(),
            )
            executor = Executor(services, lease)
            while True:
                history = journal.history(APPLICATION)
                observed = target.observe(APPLICATION, history.marks)
                if not executor.settle():
                    break
            plan = command.decide(observed, history, self.clock)
            if command.said:
                self.target.permitted += [change.operation for change in plan.changes]
            applied = executor.execute(plan)
        except Exception:
            journal.release(lease)
            raise
        journal.release(lease)
        return applied

    # What has to hold ------------------------------------------------------------------------------------------

    def converge(self, desired: Desired) -> Applied:
        """Do what a person does after a crash: apply, and again when told so."""
        for _ in range(4):
            try:
                return self.run(apply(desired))
            except PlanOutdated:
                continue
        raise AssertionError("told to apply again, and again")

    def check_references(self) -> None:
        """Fail unless the newest state that was committed is in the job that runs, or in a snapshot that is known."""
        memory, history = self.target._memory, self.history()
        committed = self.target.committed()
        known = {snapshot.location for snapshot in (*history.snapshots, history.restored) if snapshot}
        holders = [entry.state.position for id, entry in memory.jobs.items() if _is_live(entry) and id in history.marks]
        holders += [
            memory.states[location].position
            for location, snapshot in memory.savepoints.items()
            if location in known or snapshot.job_id in history.marks
        ]
        assert committed <= max(holders, default=0), f"{committed} committed, and known is {max(holders, default=0)}"

    def check_truth(self) -> None:
        """Fail unless the journal tells what runs."""
        history = self.history()
        (live,) = self.target.live()
        assert history.current
        assert live.id == history.job_id, "the journal knows the job that runs"
        runs, told = self.target.wishes[live.id], history.current.desired
        assert (runs.artifact, runs.config) == (told.artifact, told.config), "it runs what the journal says"
        assert live.parallelism == told.parallelism
        assert live.state is JobState.RUNNING


# What people ask for -------------------------------------------------------------------------------------------


def apply(desired: Desired) -> Command:
    return Command(title="apply", decide=lambda o, h, clock: make_plan(desired, o, h, now=clock.now()))


def scale(parallelism: int) -> Command:
    def decide(observed: Observed, history: History, clock: FakeClock) -> Plan:
        if history.current is None:
            raise ScurryError("it was never started")
        desired = structs.replace(history.current.desired, parallelism=parallelism)
        return make_plan(desired, observed, history, now=clock.now())

    return Command(title=f"scale {parallelism}", decide=decide)


def stop(*, snapshot: bool = True, drain: bool = False) -> Command:
    return Command(
        title="stop", decide=lambda o, h, c: verbs.plan_stop(o, h, now=c.now(), snapshot=snapshot, drain=drain)
    )


def start(source: str | int = "latest") -> Command:
    """Start from `latest`, `none`, or the snapshot at a place in the journal's list."""
    return Command(
        title=f"start --from {source}",
        decide=lambda o, h, c: verbs.plan_start(o, h, now=c.now(), source=_named(source, h)),
        said=source != "latest",
    )


def restart(source: str | int = "latest") -> Command:
    """Restart from `latest`, `none`, or the snapshot at a place in the journal's list."""
    return Command(
        title=f"restart --from {source}",
        decide=lambda o, h, c: verbs.plan_restart(o, h, now=c.now(), source=_named(source, h)),
        said=source != "latest",
    )


def _named(source: str | int, history: History) -> str:
    if isinstance(source, str):
        return source
    if source >= len(history.snapshots):
        raise ScurryError("there are not that many")
    return history.snapshots[source].location


def rollback() -> Command:
    return Command(title="rollback", decide=lambda o, h, c: verbs.plan_rollback(o, h, now=c.now(), to=None))


def take_snapshot() -> Command:
    return Command(title="snapshot", decide=lambda o, h, c: verbs.plan_snapshot(o, h, now=c.now()))


def drop_snapshot(newest_but: int) -> Command:
    """Drop a snapshot of those that the journal lists, counted from the newest."""

    def decide(observed: Observed, history: History, clock: FakeClock) -> Plan:
        if newest_but >= len(history.snapshots):
            raise ScurryError("there are not that many")
        return verbs.plan_drop(history.snapshots[newest_but], observed, history, now=clock.now())

    return Command(title=f"drop {newest_but}", decide=decide)


def delete(*, snapshot: bool = True) -> Command:
    return Command(title="delete", decide=lambda o, h, c: verbs.plan_delete(o, h, now=c.now(), snapshot=snapshot))
