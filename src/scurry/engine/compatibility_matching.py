"""Which operator of a snapshot is which of the new version: by id, as Flink has it; and which one it once was. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from scurry.model.state import GraphOperator, JobGraph, OperatorState, SnapshotState

_RANDOM = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
"""a UUID inside a uid: another one with every build of the program"""
_ANYBODYS = frozenset({"SourceReaderState", "writer_raw_states", "window-contents", "accState", "_default_"})
"""names that Flink's own operators give their states: they say nothing about which operator it is"""


class Matching(msgspec.Struct, frozen=True, kw_only=True):
    """Who is who."""

    kept: dict[str, GraphOperator]
    """by id in the snapshot"""
    moved: dict[str, GraphOperator]
    """by id in the snapshot: what is found no more under its id, and looks like this one"""
    fresh: tuple[GraphOperator, ...]
    """operators that the snapshot has nothing of, those that look moved included"""
    finished: frozenset[str] = frozenset()
    """ids in the snapshot of what had finished"""


_Alike: TypeAlias = Callable[[OperatorState, GraphOperator], bool]


def match(snapshot: SnapshotState, graph: JobGraph, *, guess: bool) -> Matching:
    """Match the two sides. Without `guess`, an operator of another id is never taken for the same.

    An id set by `setUidHash` comes first, where the snapshot has it (StateAssignmentOperation, OperatorIDPair).
    """
    olds = {operator.id: operator for operator in snapshot.operators}
    kept = {old: operator for operator in graph.operators if (old := _found(operator, olds)) is not None}
    taken = {operator.id for operator in kept.values()}
    fresh = tuple(operator for operator in graph.operators if operator.id not in taken)
    lost = [operator for operator in snapshot.operators if operator.id not in kept and operator.has_state]
    return Matching(
        kept=kept,
        moved=_guessed(lost, fresh) if guess else {},
        fresh=fresh,
        finished=frozenset(operator.id for operator in snapshot.operators if operator.finished),
    )


def _found(operator: GraphOperator, olds: dict[str, OperatorState]) -> str | None:
    return next((id for id in (operator.alternative_id, operator.id) if id and id in olds), None)


def _guessed(lost: list[OperatorState], fresh: tuple[GraphOperator, ...]) -> dict[str, GraphOperator]:
    """Pair what lost its state with what has none yet, the surest signs first; each is paired once."""
    moved: dict[str, GraphOperator] = {}
    left = [operator for operator in fresh if operator.stateful is not False]
    for alike in _SIGNS:
        for old in lost:
            found = next((new for new in left if alike(old, new)), None) if old.id not in moved else None
            if found is not None:
                moved[old.id] = found
                left.remove(found)
    return moved


def _same_uid(old: OperatorState, new: GraphOperator) -> bool:
    return old.uid is not None and old.uid == new.uid


def has_random_part(name: str) -> bool:
    """Whether a uid or name holds a part that looks drawn at random."""
    return _RANDOM.search(name) is not None


def same_but_for_random(old: str | None, new: str | None) -> bool:
    """Whether two uids differ only in a part that looks drawn at random."""
    if old is None or new is None or old == new:
        return False
    masked = _RANDOM.sub("*", old), _RANDOM.sub("*", new)
    return "*" in masked[0] and masked[0] == masked[1]


def _same_random_uid(old: OperatorState, new: GraphOperator) -> bool:
    return same_but_for_random(old.uid, new.uid)


def _same_name_and_states(old: OperatorState, new: GraphOperator) -> bool:
    return _same_name(old, new) and _same_states(old, new)


def _same_name(old: OperatorState, new: GraphOperator) -> bool:
    return bool(old.name) and old.name == new.name


def _same_states(old: OperatorState, new: GraphOperator) -> bool:
    names = {state.name for state in old.states}
    return bool(names - _ANYBODYS) and names == {state.name for state in new.states or ()}


_SIGNS: tuple[_Alike, ...] = (_same_uid, _same_random_uid, _same_name_and_states, _same_name, _same_states)
