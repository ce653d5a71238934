"""What a real Flink does with a change: the old version is run and stopped, the new one started from what it left."""

from __future__ import annotations

import dataclasses
import re
import secrets
import shutil
import time
from collections import defaultdict
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import TYPE_CHECKING

import msgspec

from scurry.flink.cluster import ClusterSettings, LocalClusters
from scurry.flink.connection import RestSettings
from scurry.flink.rest import FlinkRest, JarRequest
from scurry.model.errors import RejectedByTarget
from scurry.model.flink_memory import MIB
from scurry.model.reporting import SilentReporter
from scurry.targets.job_graphs import Asking, graph_request
from tests.proof.cases import Kind, Take
from tests.proof.programs import tag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scurry.flink.cluster import RunningCluster
    from scurry.flink.job_graph import GraphRequest
    from scurry.model.desired import Desired
    from tests.proof.cases import Case, Version
    from tests.proof.programs import Programs

PATIENCE_S = 180.0
_ENDED = frozenset({"FAILED", "CANCELED", "FINISHED", "SUSPENDED"})
_COUNTED = 3
"""records by key that a job counts before it is stopped"""
_SLOTS = 6
_NOT_ITS_FAULT = ("The TaskExecutor is shutting down", "Process died with exit code 0", "Direct buffer memory")
"""why a job failed that says nothing of its state: what it ran on was at its end"""
_LONGEST = 220


class Outcome(StrEnum):
    """How a start from state ended."""

    RUNS = "runs"
    """it runs, and completed a checkpoint"""
    REFUSED = "refused"
    """when it was submitted"""
    FAILED = "failed"
    """when tasks were restored, or with the first records"""


class Counts(StrEnum):
    """How the new version counts."""

    ON = "counts on"
    ANEW = "begins anew"
    WRONG = "counts wrong"
    UNTOLD = ""
    """it tells no counts"""


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What an old version left."""

    location: str
    counts: dict[str, int]
    """by label and key: what was counted last"""


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """What Flink did with the new version."""

    outcome: Outcome
    why: str = ""
    counts: Counts = Counts.UNTOLD
    seconds: float = 0.0


class Failed(Exception):
    """A job that does not run."""

    def __init__(self, outcome: Outcome, text: str) -> None:
        super().__init__(text)
        self.outcome = outcome
        self.why = cause_of(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """Where a job tells its counts, if it does not know its id."""

    tag: str
    before: int = 0
    """lines that others told there before it"""


class RealFlink:
    """One cluster of one Flink version, for all cases."""

    def __init__(self, ensure: Callable[[], RunningCluster], rest: FlinkRest, programs: Programs, folder: Path) -> None:
        self._rest = rest
        self._programs = programs
        self._ensure = ensure
        self._logs = ensure().log_directory
        self._savepoints = folder / "savepoints"
        self._told: dict[str, _Told] = {}
        self._jars: dict[str, str] = {}
        self._uploading = Lock()
        self._python = Lock()

    def leave(self, old: Desired, case: Case) -> Left:
        """Run an old version until it has counted, and end it with a snapshot."""
        with self._for_python() if case.before.kind is Kind.PYTHON else nullcontext():
            return self._leave(old, case)

    def try_new(self, new: Desired, left: Left, case: Case) -> Happened:
        """Start a new version from what the old one left, and see."""
        with self._for_python() if case.after.kind is Kind.PYTHON else nullcontext():
            return self._try_new(new, left, case)

    @contextmanager
    def _for_python(self) -> Iterator[None]:
        """Have one Python program at a time, on a TaskManager that is there.

        Of two whose main() run at once in a JobManager, one has no job. And a TaskManager ends itself when a Python
        job is cancelled or fails in the middle of a bundle (Beam: "Reference count must not be negative").
        """
        with self._python:
            self._ensure()
            _until(lambda: self._rest.overview().slots_available >= _SLOTS, "all slots are free")
            yield

    def _leave(self, old: Desired, case: Case) -> Left:
        job = self._run(self._request(old), case.before, None)
        tells = case.before.tells
        _until(lambda: self._alive(job) and self._is_full(job, tells=tells), f"{job} has state")
        location = self._cancelled(job) if case.take is Take.CHECKPOINT else self._stopped(job, case.take)
        return Left(location=location, counts={where: found[-1] for where, found in self._counted(job).items()})

    def _try_new(self, new: Desired, left: Left, case: Case) -> Happened:
        began = time.monotonic()
        try:
            job = self._run(self._request(new), case.after, left.location)
            try:
                self._until_settled(job, left)
            finally:
                self._finish(job, case.after)
        except Failed as failed:
            return Happened(outcome=failed.outcome, why=failed.why, seconds=round(time.monotonic() - began, 1))
        counts = judged(self._counted(job), left.counts, exactly=case.take is not Take.CHECKPOINT)
        return Happened(outcome=Outcome.RUNS, counts=counts, seconds=round(time.monotonic() - began, 1))

    # Jobs

    def _request(self, desired: Desired) -> GraphRequest:
        programs = self._programs
        asking = Asking(
            secrets=programs.secrets,
            artifacts=programs.store,
            runtimes=programs.runtimes,
            reporter=SilentReporter(),
        )
        return graph_request(desired, asking)

    def _run(self, request: GraphRequest, version: Version, snapshot: str | None) -> str:
        with self._uploading:
            jar = self._jars.get(str(request.jar)) or self._rest.upload(request.jar, name=request.jar.name)
            self._jars[str(request.jar)] = jar
        started = JarRequest(
            entry_class=request.entry,
            program_args_list=request.arguments,
            parallelism=request.parallelism,
            savepoint_path=snapshot,
            flink_configuration=request.config,
        )
        told = _Told(tag=tag_of(version))
        told = dataclasses.replace(told, before=len(self._tagged(told)))
        try:
            job = self._rest.run(jar, started)
        except RejectedByTarget as error:
            raise Failed(Outcome.REFUSED, getattr(error, "cause", "") or error.message) from error
        self._told[job] = told
        return job

    def _alive(self, job: str) -> bool:
        """Whether all tasks of a job run. Raises `Failed`."""
        state = self._rest.job_status(job)
        if state in _ENDED:
            raise self._failure(job)
        if state != "RUNNING":
            return False
        vertices = self._rest.job(job).vertices
        return bool(vertices) and all(vertex.status == "RUNNING" for vertex in vertices)

    def _failure(self, job: str) -> Failed:
        _until(lambda: self._rest.exceptions(job), f"{job} says why it failed")
        text = self._rest.exceptions(job)[0].stacktrace
        if any(each in text for each in _NOT_ITS_FAULT):
            raise RuntimeError(text)
        began = bool(self._rest.job(job).vertices)  # a job whose master could not begin has none
        return Failed(Outcome.FAILED if began else Outcome.REFUSED, text)

    def _is_full(self, job: str, *, tells: bool) -> bool:
        if self._rest.checkpoints(job).latest.completed is None:
            return False
        counted = self._counted(job)
        return not tells or (bool(counted) and all(found[-1] >= _COUNTED for found in counted.values()))

    def _until_settled(self, job: str, left: Left) -> None:
        _until(lambda: self._alive(job), f"{job} runs")

        def settled() -> bool:
            done = self._alive(job) and self._rest.checkpoints(job).latest.completed is not None
            return done and left.counts.keys() <= self._counted(job).keys()

        deadline = time.monotonic() + 20  # a job that counts something else is waited for no longer
        while not settled() and time.monotonic() < deadline:
            time.sleep(0.1)
        _until(lambda: self._alive(job) and self._rest.checkpoints(job).latest.completed, f"{job} takes a checkpoint")

    def _finish(self, job: str, version: Version) -> None:
        if version.kind is Kind.PYTHON and self._rest.job_status(job) == "RUNNING":
            self._stopped(job, Take.CANONICAL)  # between bundles
        self._end(job)

    def _end(self, job: str) -> None:
        if self._rest.job_status(job) not in _ENDED:
            self._rest.cancel(job)
        _until(lambda: self._rest.job_status(job) in _ENDED, f"{job} is at its end")

    def _stopped(self, job: str, take: Take) -> str:
        trigger = secrets.token_hex(16)
        form = "NATIVE" if take is Take.NATIVE else "CANONICAL"
        self._rest.stop(job, trigger_id=trigger, directory=self._savepoints.as_uri(), format=form, drain=False)
        _until(lambda: self._rest.savepoint_status(job, trigger).completed, f"{job} stops with a savepoint")
        operation = self._rest.savepoint_status(job, trigger).operation
        if operation is None or not operation.location:
            raise AssertionError(operation)
        _until(lambda: self._rest.job_status(job) in _ENDED, f"{job} is at its end")
        return operation.location

    def _cancelled(self, job: str) -> str:
        self._end(job)
        latest = self._rest.checkpoints(job).latest.completed
        if latest is None or not latest.external_path:
            raise AssertionError(latest)
        return latest.external_path

    # Counts

    def _counted(self, job: str) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for path in self._programs.output.glob(f"{job}-*.txt"):
            label = path.stem.removeprefix(f"{job}-")
            for text in path.read_text().split("\n")[:-1]:
                key, count = text.split()
                found[f"{label} {key}"].append(int(count))
        told = self._told[job]
        for label, key, count in self._tagged(told)[told.before :]:
            found[f"{label} {key}"].append(int(count))
        return found

    def _tagged(self, told: _Told) -> list[tuple[str, str, str]]:
        """Return label, key and count of all that was told under a tag, by this job and others before it."""
        path = self._programs.output / f"{told.tag}.txt"
        found = [tuple(text.split()) for text in path.read_text().split("\n")[:-1]] if path.exists() else []
        row = re.compile(rf"{told.tag}(?::\d+)?> \+[IU]\[(\S+?), (\d+)[,\]]")
        for log in sorted(self._logs.glob("*.out")):
            found += [("count", *match.groups()) for match in row.finditer(log.read_text(errors="replace"))]
        return [(label, key, count) for label, key, count in found]


def judged(new: dict[str, list[int]], old: dict[str, int], *, exactly: bool) -> Counts:
    """Say how the first counts of the new version follow the last ones of the old."""
    if not old or not new:
        return Counts.UNTOLD
    firsts = {where: found[0] for where, found in new.items() if where in old}
    if any(counts != list(range(counts[0], counts[0] + len(counts))) for counts in new.values()):
        return Counts.WRONG
    if firsts and all(first == 1 for first in firsts.values()):
        return Counts.ANEW
    if all(first == old[where] + 1 if exactly else 1 < first <= old[where] + 1 for where, first in firsts.items()):
        return Counts.ON
    return Counts.WRONG


def _until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE_S:.0f} s: {what}")
        time.sleep(0.1)


def cause_of(text: str) -> str:
    """Return the last cause in a stack trace, in short."""
    # The SQL runner tells the messages of all causes itself.
    told = re.search(r"scurry-sql-error statement.*?\n(.*?)\nscurry-sql-error end", text, re.DOTALL)
    causes = told[1].split("scurry-sql-error cause\n") if told else re.findall(r"Caused by: (.*)", text)
    of_python = re.findall(r"^\w+(?:Error|Exception): .*", text, re.MULTILINE)
    causes = of_python or causes
    causes = [cause.strip().partition("\n")[0] for cause in causes or [text.strip()]]
    shown = re.sub(r"(?:[a-z0-9_]+\.)+([A-Z]\w*)", r"\1", causes[-1]).strip()
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


@contextmanager
def real_flink(programs: Programs, version: str) -> Iterator[RealFlink]:
    """Give a cluster of a Flink version, which is stopped at the end; its state stays."""
    folder = programs.folder / "flink" / version
    clusters = LocalClusters(folder / "local", SilentReporter(), class_data=programs.runtimes.cache)
    settings = ClusterSettings(
        flink=programs.runtimes.flink(version),
        java=programs.runtimes.java(version),
        state_directory=folder / "state",
        slots=_SLOTS,
        job_manager_memory=704 * MIB,
        task_manager_memory=3840 * MIB,
        config={
            "taskmanager.memory.jvm-metaspace.size": "900m",  # each job has classes of its own, PyFlink's many
            "taskmanager.memory.task.off-heap.size": "1536m",  # PyFlink's jobs leave some behind, 50 MB each
        },
    )
    try:
        with FlinkRest(RestSettings(url=clusters.ensure(settings).rest_url)) as rest:
            yield RealFlink(lambda: clusters.ensure(settings), rest, programs, folder)
    finally:
        clusters.stop()
        shutil.rmtree(folder / "local", ignore_errors=True)
