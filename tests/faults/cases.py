"""Which faults there are to try: every fault of the proxy on every call of an upgrade, and signals at its moments."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.testing.fault_proxy import Fault, Rule, Seen
from tests.faults.ground import READ_S

if TYPE_CHECKING:
    from tests.faults.ground import Ground

_MOST = 2
"""of a call that is made again and again between two writes (a poll), so many are tried"""
_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f-]{36}_[^/]+\.jar")
_CUT_S = 1.5
_STOP, _RUN = ("POST", "/jobs/*/stop"), ("POST", "/jars/*/run")
_PROGRAM = ("/plan", "/run", "/upload")
"""calls with the longer time limit"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One call of an upgrade: the nth of its kind since the last write before it."""

    after: str
    method: str
    path: str
    nth: int

    def __str__(self) -> str:
        since = f" after {self.after}" if self.after else ""
        return f"{self.method} {self.path} no. {self.nth}{since}"

    def rule(self, fault: Fault, *, then: Callable[[], object] | None = None) -> Rule:
        """Return the rule that hits it; a read as often as it is tried again."""
        limit = 4 * READ_S if self.path.endswith(_PROGRAM) else READ_S
        seconds = {Fault.LATE: limit + 1, Fault.DELAY: 0.5}.get(fault, _CUT_S)
        return Rule(
            fault=fault,
            method=self.method,
            path=self.path,
            after=self.after,
            nth=self.nth,
            times=3 if self.method == "GET" and fault is not Fault.NONE else 1,
            seconds=seconds,
            then=then,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One fault to inject while an upgrade goes on."""

    kind: str
    where: str
    rules: Callable[[Ground], Sequence[Rule]] = lambda _: ()
    killed: str = ""
    """the moment at which scurry itself is killed"""

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}"


def spots(seen: Sequence[Seen]) -> list[Spot]:
    """Return the calls of an upgrade that was recorded."""
    found: list[Spot] = []
    after, counts = "", Counter[tuple[str, str]]()
    for request in seen:
        call = (request.method, _ID.sub("*", request.path))
        counts[call] += 1
        if counts[call] <= _MOST:
            found.append(Spot(after=after, method=call[0], path=call[1], nth=counts[call]))
        if request.method != "GET":
            after, counts = " ".join(call), Counter()
    return found


def matrix(calls: Sequence[Spot]) -> list[Case]:
    """Return every fault on every call."""
    return [on(spot, fault) for spot in calls for fault in Fault if fault is not Fault.NONE]


def on(spot: Spot, fault: Fault) -> Case:
    """Return a fault on a call."""
    rule = spot.rule(fault)
    return Case(kind=f"{fault.value}", where=str(spot), rules=lambda _: (rule,))


def some(cases: Sequence[Case], count: int, *, seed: int) -> list[Case]:
    """Return a part of a matrix in which each kind and each call is there, as far as the count allows."""
    mixed = random.Random(seed).sample(list(cases), len(cases))
    chosen: list[Case] = []
    kinds, places = Counter[str](), Counter[str]()
    while mixed and len(chosen) < count:
        best = min(mixed, key=lambda case: kinds[case.kind] + places[case.where])
        mixed.remove(best)
        chosen.append(best)
        kinds[best.kind] += 1
        places[best.where] += 1
    return chosen


# Signals -----------------------------------------------------------------------------------------------------------

MOMENTS: dict[str, Spot] = {
    "before the stop": Spot(after="", method=_STOP[0], path=_STOP[1], nth=1),
    "during the stop": Spot(after="", method=_STOP[0], path=_STOP[1], nth=1),
    "after its savepoint is written": Spot(after="", method=_STOP[0], path=_STOP[1], nth=1),
    "between stop and start": Spot(after="", method=_RUN[0], path=_RUN[1], nth=1),
    "between submitted and answered": Spot(after="", method=_RUN[0], path=_RUN[1], nth=1),
    "in the health window": Spot(after=" ".join(_RUN), method="GET", path="/jobs/overview", nth=1),
    "after its first checkpoint": Spot(after=" ".join(_RUN), method="GET", path="/jobs/overview", nth=1),
}
"""moments of an upgrade → the call at which they are"""
_AWAITED = ("after its savepoint is written", "after its first checkpoint")
"""moments that do not come by themselves when their call is made"""
_FAULTS = {
    "before the stop": Fault.RESET_BEFORE,
    "between stop and start": Fault.RESET_BEFORE,
    "between submitted and answered": Fault.RESET_AFTER,
}


def killed(role: str, moment: str) -> Case:
    """Return the kill of a Flink process at a moment; it is started again at once."""

    def rules(ground: Ground) -> Sequence[Rule]:
        _prepare(ground, moment)

        def strike() -> None:
            _await(ground, moment)
            ground.kill(role)
            ground.restore_soon()

        return (MOMENTS[moment].rule(_FAULTS.get(moment, Fault.NONE), then=strike),)

    return Case(kind=f"{role} killed", where=moment, rules=rules)


def _await(ground: Ground, moment: str) -> None:
    """The call is held back until the moment has come."""
    if moment == "after its first checkpoint":
        ground.await_checkpoint()
    elif moment == "after its savepoint is written":
        ground.await_savepoint()


def _prepare(ground: Ground, moment: str) -> None:
    if moment == "after its savepoint is written":
        ground.linger()


def forgetful(moment: str) -> Case:
    """Return a JobManager that dies and is back before anybody asks again: it answers, and knows no job."""

    def rules(ground: Ground) -> Sequence[Rule]:
        _prepare(ground, moment)

        def strike() -> None:
            _await(ground, moment)
            ground.kill("jobmanager")
            ground.restore_cluster()

        return (MOMENTS[moment].rule(_FAULTS.get(moment, Fault.NONE), then=strike),)

    return Case(kind="jobmanager answers, its jobs are lost", where=moment, rules=rules)


def paused(role: str, moment: str) -> Case:
    """Return a Flink process that stands still for longer than a call may take."""

    def rules(ground: Ground) -> Sequence[Rule]:
        strike = MOMENTS[moment].rule(Fault.NONE, then=lambda: ground.pause(role, 1.5 * READ_S))
        return (strike,)

    return Case(kind=f"{role} paused", where=moment, rules=rules)


def signals() -> list[Case]:
    """Return every signal at every moment."""
    roles = ("jobmanager", "taskmanager-1")
    return [
        *(killed(role, moment) for role in roles for moment in MOMENTS),
        *(forgetful(moment) for moment in MOMENTS),
        *(paused(role, moment) for role in roles for moment in MOMENTS if moment not in _AWAITED),
    ]


IN_FLIGHT = ("upload:sent", "stop:sent", "submit:sent")
"""moments of `tests/conformance/killed_apply.py`: a call is on its way, and no answer came"""


def kills(points: Sequence[str]) -> list[Case]:
    """Return the kill of scurry itself at every crash point that an upgrade passes, and with each call on its way."""
    return [Case(kind="scurry killed", where=moment, killed=moment) for moment in (*points, *IN_FLIGHT)]
