"""One fault from its injection to the verdict: an upgrade is hit, what it told to do is done, the ledger judges."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.ground import Stuck, told_by

if TYPE_CHECKING:
    from tests.faults.cases import Case
    from tests.faults.ground import Ground


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of it."""

    injected: int
    """how many requests or processes were hit"""
    told: tuple[str, ...]
    """the outcomes of the commands, the one that was hit first"""
    lost: int = 0
    twice: int = 0
    is_stuck: bool = False
    problem: str = ""
    """what is wrong, in words; empty: nothing"""
    seconds: float = 0.0


def tried(ground: Ground, case: Case) -> Verdict:
    """Inject a fault while an upgrade goes on, then go on as told until the upgrade is done, and judge."""
    begun = time.monotonic()
    ground.change()
    ground.proxy.arm(*case.rules(ground))
    told: list[str] = []
    injected, problem, is_stuck = 0, "", False
    try:
        told.append(f"ended with {ground.killed_apply(case.killed)}" if case.killed else told_by(ground.apply))
        injected = len(ground.proxy.injected) or int(told[0] == "ended with -9")
        ground.proxy.arm()
        ground.restored()
        told += ground.converge()
        ground.judge()
    except AssertionError as error:
        problem, is_stuck = str(error) or "?", isinstance(error, Stuck)
    return Verdict(
        injected=injected,
        told=tuple(told),
        lost=ground.tally.lost,
        twice=ground.tally.twice,
        is_stuck=is_stuck,
        problem=problem,
        seconds=time.monotonic() - begun,
    )
