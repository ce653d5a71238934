"""The ledger finds what it is for: made-up outputs first, then a real Flink that is used in the wrong order.

Each wrong order is one that tools are known for. Only with the right one is nothing lost and nothing there twice.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from scurry.artifacts.sql_package import package_sql
from scurry.flink.java_programs import compile_program
from scurry.model.desired import ArtifactKind
from scurry.model.operation import Action, Resume, Suspend, TakeSnapshot
from scurry.model.snapshot import FromSnapshot, Restore, Snapshot, Stateless
from scurry.testing.rig import CountedMarks, Runner
from tests.artifacts.scripts import script_of
from tests.conformance.ledger import (
    EXAMPLES,
    KEYS,
    SCRIPT,
    SOURCE,
    Entry,
    Found,
    Report,
    check,
    committed,
    count_of,
    examine,
    sum_of,
)
from tests.conformance.rigs import Code, Ground, Rig
from tests.flink.local_flink import until
from tests.targets.probe import jar_of
from tests.versions import FLINK_VERSIONS

NOTHING = Found(count=0, first=())
NO_STATE = Stateless(why="a test does it wrong")
_PREFIXES = itertools.count(1)


def lines(numbers: range, expected: Callable[[int], int] = count_of) -> list[Entry]:
    return [(number, expected(number)) for number in numbers]


@pytest.mark.parametrize("expected", [count_of, sum_of])
def test_a_ledger_without_a_fault_is_sound(expected: Callable[[int], int]) -> None:
    assert examine(lines(range(100), expected), expected) == Report(
        lines=100, last=99, lost=NOTHING, doubled=NOTHING, wrong=NOTHING
    )
    check([])


def test_totals_are_those_of_the_numbers_of_a_key_so_far() -> None:
    for number in range(5 * KEYS):
        so_far = [other for other in range(number + 1) if other % KEYS == number % KEYS]
        assert (count_of(number), sum_of(number)) == (len(so_far), sum(so_far))


def test_a_gap_is_told_with_the_numbers_that_are_missing() -> None:
    report = examine(lines(range(30)) + lines(range(40, 100)))
    assert report.lost == Found(count=10, first=tuple(lines(range(30, 30 + EXAMPLES))))
    assert (report.doubled, report.wrong) == (NOTHING, NOTHING)
    assert "10 numbers are lost: [(30, 4)" in str(report)


def test_what_is_there_twice_is_told() -> None:
    report = examine(lines(range(60)) + lines(range(57, 100)))
    assert report.doubled == Found(count=3, first=((57, 8), (58, 8), (59, 8)))
    assert (report.lost, report.wrong) == (NOTHING, NOTHING)


def test_totals_that_began_anew_are_told() -> None:
    anew = [(number, count_of(number - 48)) for number in range(48, 64)]
    report = examine(lines(range(48)) + anew)
    assert (report.wrong.count, report.wrong.first[0]) == (16, (48, 1))
    assert (report.lost, report.doubled) == (NOTHING, NOTHING)


def test_a_check_fails_with_all_that_is_wrong() -> None:
    with pytest.raises(AssertionError, match=r"1 numbers are lost.*; 2 are there twice.*; 1 have a wrong total"):
        check([*lines(range(5)), *lines(range(6, 9)), *lines(range(6, 8)), (9, 1)])


@dataclass(frozen=True)
class Orders:
    """Runs a program by single calls, in whatever order."""

    runner: Runner
    output: Path
    expected: Callable[[int], int]

    def start(self, restore: Restore = NO_STATE) -> str:
        """Start it, and wait until it runs and has completed a checkpoint."""
        operation = Resume(desired=self.runner.rig.wish(), restore=restore)
        job_id = self.runner.run(operation)[Action.SUBMIT].job_id
        assert job_id
        self.runner.await_running(job_id)
        return job_id

    def savepoint(self, job_id: str) -> Snapshot:
        """Take a savepoint; the job goes on."""
        taken = self.runner.run(TakeSnapshot(job_id=job_id))[Action.SNAPSHOT].snapshot
        assert taken
        return taken

    def stop(self, job_id: str) -> Snapshot:
        """Stop it as it should be stopped."""
        taken = self.runner.run(Suspend(job_id=job_id))[Action.STOP].snapshot
        assert taken
        return taken

    def cancel(self, job_id: str) -> None:
        """Cancel it."""
        self.runner.run(Suspend(job_id=job_id, snapshot=False))

    def goes_on(self) -> None:
        """Wait until something new was committed."""
        lines = len(committed(self.output))
        until(lambda: len(committed(self.output)) > lines, "it commits something new")

    def report(self) -> Report:
        return examine(committed(self.output), self.expected)


def java(output: Path, ground: Ground, variant: str) -> Code:
    artifact = ground.artifacts.put_file(jar_of(SOURCE, ground.runtimes, ground.version), ArtifactKind.JAR)
    return Code(artifact=artifact, args=(f"out={output}", f"variant={variant}"))


def sql(output: Path, ground: Ground, variant: str) -> Code:
    flink, java = ground.runtimes.flink(ground.version), ground.runtimes.java(ground.version)
    runner = compile_program("SqlRunner", flink=flink, java=java, cache=ground.runtimes.cache)
    text = SCRIPT.read_text("utf-8")
    for name, value in {"rate": "300", "end": "100000", "out": output.as_uri()}.items():
        text = text.replace(f"{{{{ {name} }}}}", value)
    return Code(artifact=package_sql(script_of(text), connectors=(), runner=runner, store=ground.artifacts))


@pytest.fixture(params=["java", "sql"])
def orders(request: pytest.FixtureRequest, ground_of: Callable[[str], Ground], tmp_path: Path) -> Iterator[Orders]:
    program, expected = {"java": (java, count_of), "sql": (sql, sum_of)}[request.param]
    ground, output = ground_of(FLINK_VERSIONS[-1]), tmp_path / "output"
    named = partial(program, output)
    named.__name__ = request.param  # type: ignore[attr-defined]
    runner = Runner(Rig(ground, ground.local(), named), CountedMarks(prefix=os.getpid() << 24 | next(_PREFIXES)))
    yield Orders(runner, output, expected)
    ground.end_jobs()


@pytest.mark.flink
@pytest.mark.network
@pytest.mark.timeout(600)
class TestOrders:
    def test_stopped_with_a_savepoint_and_started_from_it_nothing_is_wrong(self, orders: Orders) -> None:
        job = orders.start()
        for _ in range(2):
            orders.goes_on()
            job = orders.start(FromSnapshot(snapshot=orders.stop(job)))
        orders.goes_on()
        orders.stop(job)
        report = orders.report()
        assert report.is_sound, str(report)
        assert report.last > 0

    def test_a_savepoint_after_which_the_job_went_on_is_told(self, orders: Orders) -> None:
        first = orders.start()
        orders.goes_on()
        savepoint = orders.savepoint(first)
        orders.goes_on()
        orders.goes_on()
        orders.cancel(first)
        orders.start(FromSnapshot(snapshot=savepoint))
        until(lambda: orders.report().doubled.count > 0, "what came after the savepoint is there twice")
        assert orders.report().wrong == NOTHING, "its totals went along with its position"

    def test_the_last_savepoint_but_one_is_told(self, orders: Orders) -> None:
        first = orders.start()
        orders.goes_on()
        older = orders.stop(first)
        second = orders.start(FromSnapshot(snapshot=older))
        orders.goes_on()
        orders.goes_on()
        orders.stop(second)
        orders.start(FromSnapshot(snapshot=older))
        until(lambda: orders.report().doubled.count > 0, "what came after it is there twice")

    def test_a_start_without_state_is_told(self, orders: Orders) -> None:
        first = orders.start()
        orders.goes_on()
        orders.stop(first)
        orders.start()
        until(lambda: orders.report().doubled.count > 0, "all is there twice")
        assert orders.report().doubled.first[0][0] == 0

    def test_two_jobs_at_once_are_told(self, orders: Orders) -> None:
        orders.start()
        orders.goes_on()
        orders.start()
        until(lambda: orders.report().doubled.count > 0, "both have written")

    def test_output_that_is_gone_is_told(self, orders: Orders) -> None:
        first = orders.start()
        orders.goes_on()
        orders.goes_on()
        orders.stop(first)
        oldest = min(orders.output.glob("**/part-*"), key=lambda file: file.stat().st_mtime)
        oldest.unlink()
        assert orders.report().lost.count > 0
