"""What comes of it when state is dropped: told of each operator that loses some, and of all together. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.engine.compatibility_states import SOURCE_STATE
from scurry.model.compatibility import OperatorFate, OperatorVerdict, Remark, Weight

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scurry.model.state import GraphOperator, JobGraph, OperatorState

OF_SINKS = frozenset({"writer_raw_states", "streaming_committer_raw_states", "bucket-states", "max-part-counter"})
"""states of Flink's sinks, which say where they write (StatefulSinkWriterStateHandler, CommitterOperator, Buckets)"""
_OF_LEGACY_SOURCE = "topic-partition-offset-states"


def effect(old: OperatorState, recorded: GraphOperator | None) -> str:
    """Return what it means that an operator's state goes. `recorded`: the operator as the old program has it."""
    names = {state.name for state in old.states}
    if is_source(old, recorded):
        return (
            "Without its positions it reads from where its own settings have it start: records may be processed twice, "
            "or left out."
        )
    if names & OF_SINKS:
        return "What it has written and not committed yet goes: those records may be missing, or be written twice."
    if old.key is not None or not names:
        return "What it has kept goes: its counts, windows and timers begin anew, at the records that come then."
    return "What it has kept goes: it begins anew."


def is_source(old: OperatorState, recorded: GraphOperator | None) -> bool:
    """Whether an operator of a snapshot was a source."""
    names = {state.name for state in old.states}
    if names & {SOURCE_STATE, _OF_LEGACY_SOURCE} or (old.name or "").startswith("Source: "):
        return True
    return recorded is not None and recorded.source is not None


def counted_twice(verdicts: Sequence[OperatorVerdict], sources: Mapping[str, str], graph: JobGraph) -> Iterator[Remark]:
    """Warn of operators that keep their state while a source in front of them begins anew.

    `sources`: names of those whose positions are dropped, by their ids in the snapshot.
    """
    if not sources:
        return
    goes_on = {verdict.new_id for verdict in verdicts if verdict.fate is OperatorFate.KEPT}
    inputs = {operator.id: operator.inputs for operator in graph.operators}
    anew = {id for id, before in inputs.items() if not before and id not in goes_on}
    behind = [
        f'"{verdict.name}"'
        for verdict in verdicts
        if verdict.fate is OperatorFate.KEPT and verdict.has_state and _all_before(verdict.new_id, inputs) & anew
    ]
    if behind:
        names = ", ".join(f'"{name}"' for name in sources.values())
        keeps = "keeps its state" if len(behind) == 1 else "keep their state"
        yield Remark(
            weight=Weight.WARNING,
            message=f"the positions of {names} are dropped, while {', '.join(behind)} behind it {keeps}: what is read "
            "again counts twice there",
            remedy="Keep the source's uid, table and connector; or let all begin anew: upgrade.mode: stateless",
        )


def _all_before(id: str | None, inputs: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the ids of everything in front of an operator."""
    found: set[str] = set()
    waiting = list(inputs.get(id or "", ()))
    while waiting:
        if (one := waiting.pop()) not in found:
            found.add(one)
            waiting += inputs.get(one, ())
    return found
