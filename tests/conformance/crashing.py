"""Every operation as a real `scurry` process that is killed at every point it passes, on one application that lives on.

An exercise says how an operation is made ready, which command does it, and how it ends when it was killed and the file
was applied again. The points are what a recorded run of the command has passed on this very target.
"""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scurry.model.errors import PlanOutdated
from scurry.model.result import Applied, ApplyOutcome
from scurry.testing.crash_points import moments
from tests.conformance.stage import PATIENCE_S, Ledger, Stage

WELL = frozenset({ApplyOutcome.CONVERGED, ApplyOutcome.UNCHANGED})
KILLED = -9


@dataclass
class Survivor:
    """An application that lives through all of it: what its file says changes with each turn."""

    ledger: Ledger
    numbers: Iterator[int] = field(default_factory=itertools.count)
    label: str = "label=0"
    spec: dict[str, Any] = field(default_factory=dict)

    def file(self, *arguments: str, **spec: Any) -> Path:
        """Write its file: with another label, and what else differs."""
        self.spec = spec
        self.label = f"label={next(self.numbers)}"
        self.ledger.write(self.label, *arguments, **spec)
        return self.ledger.spec

    def apply(self) -> Applied:
        """Apply the file, and again when told so."""
        for _ in range(3):
            try:
                return self.ledger.stage.open().apply(self.ledger.spec, confirm=lambda plan: True)
            except PlanOutdated:
                continue
        raise AssertionError("told to apply again, and again")

    def run(self, point: str, *command: str) -> int:
        """Run a command in a process that is killed at a point, or recorded. Returns how it ended."""
        stage = self.ledger.stage
        whole = [sys.executable, "-m", "tests.conformance.killed_apply", point, *command, "--yes"]
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "SCURRY_WORKSPACE": str(stage.folder),
        }
        done = subprocess.run(whole, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode >= 0 or done.returncode == KILLED, done.stderr
        if done.returncode != KILLED:
            print(done.stdout)
        return done.returncode

    def points(self, *command: str) -> tuple[str, ...]:
        """Run a command to its end, and return the points that it has passed."""
        file = self.ledger.stage.folder / "points"
        file.unlink(missing_ok=True)
        self.run(f"record:{file}", *command)
        return moments(file.read_text().splitlines())


Prepare = Callable[[Survivor], list[str]]
"""Brings the application to where the operation begins, and returns the command."""


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """An operation to be killed."""

    prepare: Prepare
    ends: frozenset[ApplyOutcome] = WELL
    """how the apply behind the crash may end"""
    is_representative: bool = False
    """it is done in each run of the tests, the others only when all are asked for"""

    def turn(self, survivor: Survivor, point: str) -> bool:
        """Kill it at a point, and see it come through. Returns whether the point was reached."""
        command = self.prepare(survivor)
        reached = survivor.run(point, *command) == KILLED
        self.comes_through(survivor)
        return reached

    def comes_through(self, survivor: Survivor) -> None:
        """Fail unless the next apply ends well: one job that goes on, with each record once."""
        applied = survivor.apply()
        assert applied.outcome in self.ends, applied
        survivor.ledger.goes_on()
        survivor.ledger.job()

    def ready(self, survivor: Survivor) -> None:
        """Have a good revision run."""
        if self.ends != WELL:
            survivor.file(**survivor.spec)
            applied = survivor.apply()
            assert applied.outcome in WELL, applied


def _verb(*command: str) -> Prepare:
    return lambda survivor: [*command, survivor.ledger.name]


def _apply(*arguments: str, **spec: Any) -> Prepare:
    # Whether the state fits is looked at before there is anything that a crash could leave behind.
    return lambda survivor: ["apply", str(survivor.file(*arguments, **spec))]


def _adjust(survivor: Survivor) -> list[str]:
    label = survivor.label
    survivor.file(health=f"{{window: {60 + next(survivor.numbers)}s}}")
    survivor.label = label
    survivor.ledger.write(label, **survivor.spec)
    return ["apply", str(survivor.ledger.spec)]


def _scale(survivor: Survivor) -> list[str]:
    parallelism = 3 - survivor.ledger.job().parallelism  # type: ignore[operator] # of the one that runs it is known
    survivor.ledger.write(survivor.label, **{**survivor.spec, "parallelism": parallelism})
    survivor.spec["parallelism"] = parallelism
    return ["scale", survivor.ledger.name, str(parallelism)]


def _start(survivor: Survivor) -> list[str]:
    survivor.ledger.verb("stop")
    return ["start", survivor.ledger.name]


def _drop(survivor: Survivor) -> list[str]:
    older = survivor.ledger.verb("take_snapshot").snapshot
    survivor.ledger.verb("take_snapshot")
    assert older
    return ["snapshot", "drop", survivor.ledger.name, older.location]


def _roll_back(survivor: Survivor) -> list[str]:
    survivor.file()
    applied = survivor.apply()
    assert applied.outcome is ApplyOutcome.CONVERGED, applied
    return ["rollback", survivor.ledger.name]


EXERCISES = {
    "upgrade": Exercise(prepare=_apply(), is_representative=True),
    "automatic-rollback": Exercise(
        prepare=_apply("fail="), ends=frozenset({ApplyOutcome.ROLLED_BACK}), is_representative=True
    ),
    "upgrade-by-last-state": Exercise(prepare=_apply(mode="last-state")),
    "scale": Exercise(prepare=_scale),
    "adjust": Exercise(prepare=_adjust),
    "stop": Exercise(prepare=_verb("stop")),
    "stop-without-savepoint": Exercise(prepare=_verb("stop", "--no-snapshot")),
    "start": Exercise(prepare=_start),
    "restart": Exercise(prepare=_verb("restart")),
    "snapshot-create": Exercise(prepare=_verb("snapshot", "create")),
    "snapshot-drop": Exercise(prepare=_drop),
    "rollback-by-hand": Exercise(prepare=_roll_back),
    "delete": Exercise(prepare=_verb("delete")),
}


@dataclass
class Outcome:
    """What became of the points of an exercise."""

    reached: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    """passed when it was recorded, and not when it was to be killed there (a poll more or less)"""
    failed: dict[str, str] = field(default_factory=dict)


def exercise(survivor: Survivor, name: str, *, at: Callable[[str], bool] = lambda point: True) -> Outcome:
    """Kill an operation at each of its points that are wanted, and return what became of it."""
    chosen, outcome = EXERCISES[name], Outcome()
    command = chosen.prepare(survivor)
    points = survivor.points(*command)
    chosen.comes_through(survivor)
    for point in filter(at, points):
        chosen.ready(survivor)
        try:
            (outcome.reached if chosen.turn(survivor, point) else outcome.missed).append(point)
        except AssertionError as error:
            outcome.failed[point] = str(error)
            break  # what comes behind would only fail for the same reason
    chosen.ready(survivor)
    return outcome


def exercise_twice(survivor: Survivor, name: str, *, seed: int, pairs: int) -> Outcome:
    """Kill an operation and then its recovery, too, at pairs of points that chance chooses."""
    chosen, outcome, chance = EXERCISES[name], Outcome(), random.Random(seed)
    points = survivor.points(*chosen.prepare(survivor))
    chosen.comes_through(survivor)
    for _ in range(pairs):
        chosen.ready(survivor)
        first = chance.choice(points)
        survivor.run(first, *chosen.prepare(survivor))
        recovery = ["apply", str(survivor.ledger.spec)]
        second = chance.choice([*points, "0:begin/stop:landed", "0:begin/submit:landed", "1:resume/submit:in-flight"])
        reached = survivor.run(second, *recovery) == KILLED
        try:
            chosen.comes_through(survivor)
        except AssertionError as error:
            outcome.failed[f"{first}, {second}"] = str(error)
            break
        (outcome.reached if reached else outcome.missed).append(f"{first}, {second}")
    chosen.ready(survivor)
    return outcome


def survivor_on(stage: Stage, name: str) -> Survivor:
    """Return an application that runs."""
    survivor = Survivor(Ledger(stage, name))
    survivor.file()
    assert survivor.apply().outcome in WELL
    survivor.ledger.goes_on()
    return survivor
