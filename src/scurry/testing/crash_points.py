"""Crash points: each moment at which a process that changes an application may die, named by the code that passes it.

The two ports that the executor writes through, journal and target, are wrapped. A run tells the points that it passes:

    N:OPERATION/ACTION:PLACE       1:upgrade/stop:in-flight      0:begin/acquire:journalled

N counts the operations that this process has begun. Record a run, then make it again once for each point and
let it die there (`Striking`). Nothing is listed by hand: a new step or a new write of the journal is a new point.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from scurry.model.ports import Heals, Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from scurry.model.observed import Job, Observed
    from scurry.model.operation import Operation, Outcome, Step
    from scurry.model.ports import Marks, StepContext, Target


class Place(StrEnum):
    """Where in a step, or in another write or look, a process is."""

    BEFORE = "before-start"
    """about to journal that a step starts, or to make another write or look"""
    STARTED = "started"
    """the step is journalled as started; its call was not made"""
    IN_FLIGHT = "in-flight"
    """the call is under way or has had its effect; no answer came"""
    LANDED = "landed"
    """the answer is there and not journalled"""
    JOURNALLED = "journalled"


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """One moment of a run."""

    number: int
    """how many operations this process has begun"""
    operation: str
    """the one that it began last; `begin` before the first"""
    action: str
    """a step's action, or what is written or looked at otherwise"""
    place: Place

    def __str__(self) -> str:
        return f"{self.number}:{self.operation}/{self.action}:{self.place}"


def _writes() -> frozenset[str]:
    """Return what the port `Journal` writes: whatever needs a lease, and taking one."""
    needs_lease = {
        name
        for name, member in vars(Journal).items()
        if inspect.isfunction(member) and "lease" in inspect.signature(member).parameters
    }
    return frozenset({*needs_lease, "acquire"} - {"renew"})  # a thread of its own renews, at any moment


WRITES = _writes()
_STEP = {
    "start_step": (Place.BEFORE, Place.STARTED),
    "finish_step": (Place.LANDED, Place.JOURNALLED),
}


class CrashPoints:
    """Tells the points that a run passes, one run each. Subclasses say what happens there."""

    def __init__(self) -> None:
        self._number = 0
        self._operation = "begin"
        self._action = ""
        self._is_open = False

    def journal(self, journal: Journal) -> Journal:
        """Wrap a journal."""
        return cast("Journal", _WatchedJournal(journal, self))

    def target(self, target: Target) -> Target:
        """Wrap a target."""
        return _WatchedPlace(target, self) if isinstance(target, Heals) else _WatchedTarget(target, self)

    def reached(self, point: CrashPoint) -> None:
        """Be told of a point. What does not return, ends the run there."""
        raise NotImplementedError

    def call(self, point: CrashPoint, run: Callable[[], Outcome]) -> Outcome:
        """Make an outside call, whose middle is a point. As it is here its effect has happened by then."""
        outcome = run()
        self.reached(point)
        return outcome

    # Told by the wrappers --------------------------------------------------------------------------------------

    def pass_by(self, action: str, place: Place) -> None:
        """Pass a point of the operation that is under way."""
        self.reached(self._point(action, place))

    def make(self, step: Step, run: Callable[[], Outcome]) -> Outcome:
        """Make the call of a step."""
        return self.call(self._point(step.action.value, Place.IN_FLIGHT), run)

    def look_at(self, step: Step) -> None:
        """Take note of which step is asked after: what is journalled next is about it."""
        self._action = step.action.value
        self.pass_by(f"find-{self._action}", Place.BEFORE)

    def observe(self) -> None:
        """Pass a look at the application: inside an operation it is the wait for health."""
        self.pass_by("health" if self._is_open else "observe", Place.BEFORE)

    def write(self, name: str, method: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Make a write of the journal, with the points around it."""
        if name == "start_step":
            self._action = cast("Step", given[-1]).action.value
        action = self._action if name in _STEP else name.replace("_", "-")
        before, after = _STEP.get(name, (Place.BEFORE, Place.JOURNALLED))
        self.pass_by(action, before)
        result = method(*given, **named)
        if name == "start_operation":
            self._begin(cast("Operation", given[1]))
        elif name == "finish_operation":
            self._is_open = False
        self.pass_by(action, after)
        return result

    def _begin(self, operation: Operation) -> None:
        self._number += 1
        self._operation = str(operation.__struct_config__.tag)
        self._is_open = True

    def _point(self, action: str, place: Place) -> CrashPoint:
        return CrashPoint(self._number, self._operation, action, place)


class Recording(CrashPoints):
    """Lets the run go on, and remembers what it passed. A point that is passed again (a poll) is there once."""

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[str, None] = {}

    @property
    def passed(self) -> tuple[str, ...]:
        """The points, in the order of their first passing."""
        return tuple(self._passed)

    def reached(self, point: CrashPoint) -> None:
        """Remember it."""
        self._passed.setdefault(str(point))


class Striking(Recording):
    """Ends the run at one point, when it is first reached. What it has passed until then is remembered."""

    def __init__(self, at: str, strike: Callable[[], None]) -> None:
        super().__init__()
        self._at = at
        self._strike = strike

    def is_at(self, point: CrashPoint) -> bool:
        """Whether this is the point, and it was not passed before."""
        return str(point) == self._at and self._at not in self._passed

    def reached(self, point: CrashPoint) -> None:
        """Strike, if this is the point."""
        is_here = self.is_at(point)
        super().reached(point)
        if is_here:
            self._strike()


def moments(passed: Sequence[str]) -> tuple[str, ...]:
    """Return points without those that are the same moment outside: right before a write, right after another one.

    For targets on which a point costs seconds.
    """
    kept: list[str] = []
    for previous, point in zip(("", *passed), passed, strict=False):
        if point.endswith(Place.BEFORE) and previous.endswith(Place.JOURNALLED):
            continue
        kept.append(point)
    return tuple(kept)


class _WatchedJournal:
    """A journal whose writes are told. Its port has many methods; what is no write is passed on as it is."""

    def __init__(self, journal: Journal, points: CrashPoints) -> None:
        self._journal = journal
        self._points = points

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._journal, name)
        if name not in WRITES:
            return method
        return lambda *given, **named: self._points.write(name, method, *given, **named)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Pass a point when all is written and not committed, and one after that."""
        with self._journal.transaction():
            yield
            self._points.pass_by("transaction", Place.LANDED)
        self._points.pass_by("transaction", Place.JOURNALLED)


class _WatchedTarget:
    """A target whose calls are told."""

    def __init__(self, target: Target, points: CrashPoints) -> None:
        self._target = target
        self._points = points
        self.name = target.name
        self.kind = target.kind

    def survey(self) -> Mapping[str, Job]:
        """Return every job."""
        return self._target.survey()

    def observe(self, application: str, marks: Sequence[str]) -> Observed:
        """Observe."""
        self._points.observe()
        return self._target.observe(application, marks)

    def steps(self, operation: Operation, marks: Marks) -> tuple[Step, ...]:
        """Lower an operation."""
        return self._target.steps(operation, marks)

    def run(self, step: Step, context: StepContext) -> Outcome:
        """Make a call."""
        return self._points.make(step, lambda: self._target.run(step, context))

    def find(self, step: Step) -> Outcome | None:
        """Ask after a step."""
        self._points.look_at(step)
        return self._target.find(step)


class _WatchedPlace(_WatchedTarget):
    """A target that looks after the place itself, too."""

    def heal(self) -> None:
        """Put back what died of the place."""
        self._points.pass_by("heal", Place.BEFORE)
        cast("Heals", self._target).heal()


__all__ = ["WRITES", "CrashPoint", "CrashPoints", "Place", "Recording", "Striking", "moments"]
