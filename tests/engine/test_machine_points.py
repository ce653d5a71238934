"""Every operation is killed at each of its crash points, and its recovery at each of its own; it comes through.

The points are what a recorded run has passed: nobody lists them. The world goes on at each of them: the job processes
a record, and completes a checkpoint now and then. A call that is in flight at the crash has its effect later.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import dropwhile

import pytest
from msgspec.structs import replace

from scurry.model.desired import Desired, HealthPolicy, UpgradeMode
from scurry.model.errors import PlanOutdated, RejectedByTarget, ScurryError, TargetUnavailable
from scurry.model.operation import Outcome
from scurry.model.result import ApplyOutcome
from scurry.testing.crash_points import CrashPoint, Place, Recording, moments
from tests.engine import world as people
from tests.engine.world import LATE_S, Command, Fault, Killed, World, processes
from tests.targets.memory_rig import wish as any_wish

wish = partial(any_wish, health=HealthPolicy(window=timedelta(seconds=2)))  # looked at a few times, not sixty


class Points(Recording):
    """Passes points in a world that goes on, and is killed at one of them; at one, what is late comes about."""

    def __init__(self, world: World, at: str | None = None, *, lands_at: str | None = None) -> None:
        super().__init__()
        self._world = world
        self._at = at
        self._lands_at = lands_at

    def reached(self, point: CrashPoint) -> None:
        self._world.breathe()
        if str(point) == self._lands_at:
            self._world.target.land(all_of_it=True)
        if self._is_there(point):
            raise Killed
        super().reached(point)

    def call(self, point: CrashPoint, run: Callable[[], Outcome]) -> Outcome:
        if not self._is_there(point):
            return super().call(point, run)
        self._world.target.fault = Fault.LATE
        with suppress(TargetUnavailable):
            run()
        raise Killed

    def _is_there(self, point: CrashPoint) -> bool:
        return str(point) == self._at and str(point) not in self.passed


def last_state(desired: Desired) -> Desired:
    return replace(desired, upgrade=replace(desired.upgrade, mode=UpgradeMode.LAST_STATE))


FIRST, SECOND, THIRD, WIDER = wish(), wish(variant=1), wish(variant=2), wish(parallelism=2)
ADJUSTED = replace(FIRST, description="adjusted")
BY_CHECKPOINT = last_state(FIRST), last_state(SECOND)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What has happened before, what is killed, and what the file says: what a person applies afterwards."""

    before: tuple[Command, ...] = (people.apply(FIRST),)
    command: Command
    file: Desired = FIRST
    rescales_in_place: bool = False
    differs_from: str = ""
    """the first point that is not one of another scenario, too"""

    @property
    def is_bad(self) -> bool:
        """Whether the file says what cannot become healthy."""
        return self.file.config["memory.behaviour"] != "fine"

    def world(self) -> World:
        """Return the world as it is before."""
        world = World()
        world.target.rescales_in_place = self.rescales_in_place
        for command in self.before:
            world.run(command)
            for _ in range(3):
                world.breathe()
        return world


def bad(behaviour: str, *, differs_from: str = "1:upgrade/submit") -> Scenario:
    file = wish(variant=1, behaviour=behaviour)
    return Scenario(command=people.apply(file), file=file, differs_from=differs_from)


SCENARIOS = {
    "deploy": Scenario(before=(), command=people.apply(FIRST)),
    "upgrade": Scenario(command=people.apply(SECOND), file=SECOND),
    "upgrade-by-last-state": Scenario(
        before=(people.apply(BY_CHECKPOINT[0]),), command=people.apply(BY_CHECKPOINT[1]), file=BY_CHECKPOINT[1]
    ),
    "rescale-in-place": Scenario(command=people.apply(WIDER), file=WIDER, rescales_in_place=True),
    "rescale-by-savepoint": Scenario(command=people.scale(2), file=WIDER),
    "adjust": Scenario(command=people.apply(ADJUSTED), file=ADJUSTED),
    "stop": Scenario(command=people.stop()),
    "stop-without-savepoint": Scenario(command=people.stop(snapshot=False)),
    "start": Scenario(before=(people.apply(FIRST), people.stop()), command=people.start()),
    "restart": Scenario(command=people.restart()),
    "snapshot-create": Scenario(command=people.take_snapshot()),
    "snapshot-drop": Scenario(
        before=(people.apply(FIRST), people.take_snapshot(), people.take_snapshot()), command=people.drop_snapshot(1)
    ),
    "rollback-by-hand": Scenario(before=(people.apply(FIRST), people.apply(SECOND)), command=people.rollback()),
    "rollback-of-what-restarts": bad("restarts", differs_from=""),
    "rollback-of-what-fails": bad("fails"),
    "rollback-of-what-never-checkpoints": bad("never-checkpoints"),
    "rollback-of-what-is-not-accepted": bad("rejects-submit"),
    "snapshot-create-before-an-upgrade": Scenario(command=people.take_snapshot(), file=SECOND),
    "stop-before-an-upgrade": Scenario(command=people.stop(), file=SECOND),
    "upgrade-before-another": Scenario(command=people.apply(SECOND), file=THIRD),
    "rollback-before-another-upgrade": Scenario(
        command=people.apply(wish(variant=1, behaviour="restarts")), file=THIRD, differs_from="1:upgrade/submit"
    ),
    "delete": Scenario(command=people.delete()),
    "delete-of-what-is-stopped": Scenario(before=(people.apply(FIRST), people.stop()), command=people.delete()),
}


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> Iterator[Scenario]:
    with processes():
        yield SCENARIOS[request.param]


def recorded(world: World, command: Command) -> tuple[str, ...]:
    """Return the points that a command passes in a copy of a world."""
    copy = world.copy()
    points = Points(copy)
    with suppress(ScurryError):
        copy.run(command, points)
    return points.passed


def killed(world: World, command: Command) -> Iterator[tuple[str, World]]:
    """Give the world for each point at which a command can be killed."""
    for point in recorded(world, command):
        copy = world.copy()
        with pytest.raises(Killed):
            copy.run(command, Points(copy, at=point))
        yield point, copy


def apart(worlds: Iterator[tuple[str, World]], seen: set[Hashable]) -> Iterator[tuple[str, World]]:
    """Leave out worlds that are like one before: between many points, nothing happens outside."""
    for point, world in worlds:
        signature = world.signature()
        if signature not in seen:
            seen.add(signature)
            yield point, world


def comes_through(world: World, scenario: Scenario) -> None:
    """Fail unless what was killed ends as the file says, with all its state."""
    applied = world.converge(scenario.file)
    expected = {ApplyOutcome.ROLLED_BACK} if scenario.is_bad else {ApplyOutcome.CONVERGED, ApplyOutcome.UNCHANGED}
    assert applied.outcome in expected, applied
    world.check_truth()
    for _ in range(3):
        world.breathe()
    world.target.committed()


def stays(world: World, scenario: Scenario) -> None:
    """Fail unless what has converged stays so."""
    if scenario.is_bad:
        return
    world.clock.sleep(LATE_S)
    world.converge(scenario.file)  # a stop that was in flight has come about only now
    again = world.converge(scenario.file)
    assert again.outcome is ApplyOutcome.UNCHANGED, again
    world.check_truth()
    world.target.committed()


def test_what_is_killed_at_any_point_is_carried_through_by_the_next_apply(scenario: Scenario) -> None:
    before = scenario.world()
    for point, world in killed(before, scenario.command):
        try:
            comes_through(world, scenario)
            stays(world, scenario)
        except (AssertionError, ScurryError) as error:
            raise AssertionError(f"killed at {point}: {error}") from error


def test_what_is_killed_and_killed_again_in_its_recovery_is_carried_through(scenario: Scenario) -> None:
    before = scenario.world()
    points = apart(killed(before, scenario.command), set())
    ends: set[Hashable] = set()
    for point, world in dropwhile(lambda pair: scenario.differs_from not in pair[0], points):
        for second, again in apart(killed(world, people.apply(scenario.file)), ends):
            try:
                comes_through(again, scenario)
            except (AssertionError, ScurryError) as error:
                raise AssertionError(f"killed at {point} and then at {second}: {error}") from error


def test_the_same_command_again_does_what_it_was_to_do(scenario: Scenario) -> None:
    before = scenario.world()
    for point, world in killed(before, scenario.command):
        with suppress(ScurryError):  # it is said that this is done already
            world.run(scenario.command)
        try:
            comes_through(world, scenario)
        except (AssertionError, ScurryError) as error:
            raise AssertionError(f"killed at {point}, and done again: {error}") from error


def test_a_call_that_comes_about_at_any_point_of_the_recovery_does_no_harm(scenario: Scenario) -> None:
    before = scenario.world()
    before.target.late_s = 600.0
    for point, world in killed(before, scenario.command):
        if not point.endswith(Place.IN_FLIGHT):
            continue
        for late in moments(recorded(world, people.apply(scenario.file))):
            copy = world.copy()
            with suppress(PlanOutdated, RejectedByTarget):  # a person is told what to do, and does it
                copy.run(people.apply(scenario.file), Points(copy, lands_at=late))
            try:
                comes_through(copy, scenario)
                stays(copy, scenario)
            except (AssertionError, ScurryError) as error:
                raise AssertionError(f"killed at {point}, and it comes about at {late}: {error}") from error
