"""States that an operator registers only with its first record: they are not to be seen when it is opened. Pure.

`open()` of a new version shows no such state, and neither did the old version's: only by that can it be told from one
that the new version does not use any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scurry.model.compatibility import StateFate, StateVerdict
from scurry.model.state import GraphOperator, State, StateKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scurry.model.state import JobGraph, SnapshotState

_WINDOW = "window-contents"
"""what Flink's window operators call what they keep of each window (WindowOperatorBuilder)"""
_OF_TRIGGERS = frozenset({"count", "fire-time", "timeout"})
"""states of Flink's own triggers, always numbers (CountTrigger, ContinuousEventTimeTrigger and their like)"""
_OPERATOR = frozenset({StateKind.OPERATOR_LIST, StateKind.OPERATOR_UNION})
PYTHON_PREFIX = "python-state-"
"""what PyFlink puts before the name of a descriptor, in Flink's file"""


def place(state: State) -> tuple[str, str]:
    """Return what Flink finds a state by: its name, in one of three registries."""
    registry = "operator" if state.kind in _OPERATOR else "broadcast" if state.kind is StateKind.BROADCAST else "keyed"
    return registry, state.name.removeprefix(PYTHON_PREFIX)


def is_of_trigger(state: State, after: GraphOperator) -> bool:
    """Whether a trigger of Flink's own registers it when it first sees a window."""
    number = state.type is not None and state.type.name == "Long"
    return number and state.name in _OF_TRIGGERS and any(each.name == _WINDOW for each in after.states or ())


def as_late(
    verdicts: Iterable[StateVerdict], olds: Iterable[State], after: GraphOperator, before: GraphOperator | None
) -> list[StateVerdict]:
    """Return the verdicts on old states, those unknown that neither version registered when it was opened.

    `before`: the operator as the old program has it, with what it registers, where that is known.
    """
    known = before.states if before else None
    registered = None if known is None else {place(state) for state in known}
    return [_as_late(verdict, old, after, registered) for verdict, old in zip(verdicts, olds, strict=True)]


def _as_late(
    verdict: StateVerdict, old: State, after: GraphOperator, registered: set[tuple[str, str]] | None
) -> StateVerdict:
    if verdict.fate is not StateFate.UNUSED:
        return verdict
    if is_of_trigger(old, after):
        return msgspec.structs.replace(verdict, fate=StateFate.SAME, reason=None)
    if registered is None or place(old) in registered:
        return verdict
    return msgspec.structs.replace(
        verdict,
        fate=StateFate.UNKNOWN,
        reason="no version registers it when it opens: it came with a record, and as what it comes now is not known",
        remedy="Register it in open(), so that it can be compared.",
    )


def may_be_late(snapshot: SnapshotState, graph: JobGraph) -> bool:
    """Whether there is a state that the new version did not register when it was opened, so the old one is asked."""
    new = {operator.alternative_id or operator.id: operator for operator in graph.operators}
    new |= {operator.id: operator for operator in graph.operators}
    return any(_is_missing(state, new[old.id]) for old in snapshot.operators if old.id in new for state in old.states)


def _is_missing(state: State, after: GraphOperator) -> bool:
    if after.states is None or is_of_trigger(state, after):
        return False
    return place(state) not in {place(each) for each in after.states}
