"""What a new version's operators registered when they were opened, put together with its graph. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scurry.model.desired import Desired
    from scurry.model.state import GraphOperator, JobGraph, OpenedProgram, StateHeads

_SAME_IF = ("artifact", "entry", "args", "config", "properties", "secrets")


def same_program(before: Desired, after: Desired) -> bool:
    """Whether nothing changed that the states could depend on."""
    same = all(getattr(before, field) == getattr(after, field) for field in _SAME_IF)
    return same and _series(before) == _series(after)


def _series(desired: Desired) -> list[str]:
    return desired.flink_version.split(".")[:2]


def for_new_ids(heads: Iterable[StateHeads], graph: JobGraph) -> list[StateHeads]:
    """Return the old descriptions under the ids that their operators have in the new version."""
    by_old = {head.operator: head for head in heads}
    found = []
    for operator in graph.operators:
        old = next((id for id in (operator.alternative_id, operator.id) if id in by_old), None)
        if old is not None:
            found.append(msgspec.structs.replace(by_old[old], operator=operator.id))
    return found


def with_states(graph: JobGraph, opened: OpenedProgram) -> JobGraph:
    """Return a graph with what its operators registered when they were opened."""
    known = {operator.id: operator for operator in opened.operators}

    def completed(operator: GraphOperator) -> GraphOperator:
        found = known.get(operator.id)
        if found is None:
            because = opened.failed or "it was not opened"
            return msgspec.structs.replace(operator, unknown_because=operator.unknown_because or because)
        return msgspec.structs.replace(
            operator,
            key=found.key or operator.key,
            states=found.states if found.states is not None else operator.states,
            stateful=bool(found.states) if found.states is not None else operator.stateful,
            unknown_because=found.unknown_because or operator.unknown_because,
        )

    return msgspec.structs.replace(graph, operators=tuple(map(completed, graph.operators)))


def unopened(graph: JobGraph, because: str) -> JobGraph:
    """Return a graph that says why it does not know what its operators register."""
    operators = tuple(
        operator if operator.states is not None else msgspec.structs.replace(operator, unknown_because=because)
        for operator in graph.operators
    )
    return msgspec.structs.replace(graph, operators=operators)
