"""What a snapshot that cannot be read holds, as far as the program that writes it tells. Pure.

Of a service that keeps its snapshots to itself, where there is no copy. An operator that registers nothing when it is
opened may still register state with its first record: that is not seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.model.state import OperatorState, SnapshotRead, SnapshotState

if TYPE_CHECKING:
    from scurry.model.state import GraphOperator, JobGraph

REMARK = (
    "no copy of this state can be read: compared is what the program that wrote it asks for, not what is in it; "
    "state that an operator registers only with its first record is not seen"
)
REMEDY = (
    "Where `snapshots` of the target has them copied, take one, and its bytes are compared:\n"
    "  scurry snapshot create {application}"
)
_LEAST, _MOST = 128, 32768


def recalled(graph: JobGraph, location: str) -> SnapshotRead:
    """Return what a snapshot of a job with that graph holds, of the operators that have state or may have it."""
    operators = tuple(_operator(each) for each in graph.operators if _has_state(each))
    version = 4 if graph.flink_version.startswith("1.") else 6
    return SnapshotRead(
        state=SnapshotState(location=location, metadata_version=version, checkpoint_id=0, operators=operators)
    )


def _has_state(operator: GraphOperator) -> bool:
    """A source has its positions, in its coordinator if nowhere else; what is not known may be state."""
    return bool(operator.source) or operator.states is None or bool(operator.states)


def _operator(operator: GraphOperator) -> OperatorState:
    return OperatorState(
        id=operator.id,
        uid=operator.uid,
        name=operator.name,
        parallelism=operator.parallelism,
        max_parallelism=operator.max_parallelism or _default_max_parallelism(operator.parallelism),
        key=operator.key,
        states=operator.states or (),
        has_state=bool(operator.source) or bool(operator.states) or operator.stateful is True,
        unread=None if operator.states is not None else operator.unknown_because or "it was not opened",
    )


def _default_max_parallelism(parallelism: int) -> int:
    """Flink's `KeyGroupRangeAssignment.computeDefaultMaxParallelism`."""
    wanted = parallelism + parallelism // 2
    return min(max(1 << (wanted - 1).bit_length(), _LEAST), _MOST)
