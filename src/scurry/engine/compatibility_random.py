"""States whose names are drawn at random with every build or start: nothing finds them again. Pure.

Flink says nothing of it: the old state stays in the snapshots, and the new version starts with an empty one. PyFlink's
`KeyedStream.reduce()` is such a one (`_reduce_state` and a UUID, drawn when its function is opened).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scurry.engine.compatibility_late import PYTHON_PREFIX
from scurry.engine.compatibility_matching import has_random_part, same_but_for_random
from scurry.model.compatibility import StateFate, StateVerdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scurry.model.state import GraphOperator

_NOT_TAKEN = frozenset({StateFate.UNUSED, StateFate.UNKNOWN})
_OF_REDUCE = "_reduce_state"


def named_at_random(
    states: Iterable[StateVerdict], after: GraphOperator, *, allowed: bool, allow: str
) -> tuple[StateVerdict, ...]:
    """Return the verdicts on the states of an operator that is kept, with those that no version can find again.

    Where the new version draws the name again, it blocks, unless it is `allowed` that the operator loses state; `allow`
    is how that is said. Where it does not, the state is used no more.
    """
    states = tuple(states)
    if after.states is None:
        return states
    fresh = [state.name for state in states if state.fate is StateFate.NEW]
    return tuple(_judged(state, fresh, allowed=allowed, allow=allow) for state in states)


def _judged(state: StateVerdict, fresh: list[str], *, allowed: bool, allow: str) -> StateVerdict:
    if state.fate not in _NOT_TAKEN or not has_random_part(state.name):
        return state
    of_reduce = state.name.removeprefix(PYTHON_PREFIX).startswith(_OF_REDUCE)
    if any(same_but_for_random(state.name, name) for name in fresh):
        drawn = "PyFlink's reduce() draws its name anew at every start" if of_reduce else "its name is drawn at random"
        reason = f"it is lost at each build: {drawn}, so the new version does not find it and starts empty"
        fate = StateFate.UNUSED if allowed else StateFate.INCOMPATIBLE
        remedy = None if allowed else f"{_remedy(state, of_reduce=of_reduce)}\nIf its state may go: {allow}"
        return msgspec.structs.replace(state, fate=fate, reason=reason, remedy=remedy, by_flink=False)
    if not of_reduce:
        return state
    reason = "it is of PyFlink's reduce(), which the new version does not use here: nobody reads it any more"
    return msgspec.structs.replace(
        state, fate=StateFate.UNUSED, reason=reason, remedy=_remedy(state, of_reduce=True), by_flink=False
    )


def _remedy(state: StateVerdict, *, of_reduce: bool) -> str:
    name = state.name.removeprefix(PYTHON_PREFIX)
    if of_reduce:
        return (
            "Write it as .process() with a KeyedProcessFunction whose state has a name. With this one, it goes on from "
            f"what there is: ReducingStateDescriptor('{name}', …)"
        )
    return f'Give the state a name that stays. With "{name}", it goes on from what there is.'
