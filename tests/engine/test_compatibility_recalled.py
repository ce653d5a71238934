"""What is known of a snapshot that nobody can read: what the program that writes it asks for."""

from __future__ import annotations

from scurry.engine.compatibility import judge
from scurry.engine.compatibility_recalled import recalled
from scurry.model.compatibility import OperatorFate
from scurry.model.state import GraphOperator, JobGraph, State, StateKind

COUNT = State(name="count", kind=StateKind.VALUE)


def graph(*operators: GraphOperator, version: str = "1.20.5") -> JobGraph:
    return JobGraph(flink_version=version, operators=operators)


def operator(id: str, **fields: object) -> GraphOperator:
    given: dict[str, object] = {"id": id * 32, "uid": id, "name": id, "parallelism": 2, "states": (), **fields}
    return GraphOperator(**given)  # type: ignore[arg-type]


def test_operators_that_have_state_or_may_have_it_are_in_it() -> None:
    before = graph(
        operator("a", source="NumberSequenceSource"),
        operator("b"),
        operator("c", states=(COUNT,)),
        operator("d", states=None, unknown_because="it could not be opened"),
    )
    found = recalled(before, "msf://orders/1").state
    assert [(each.uid, each.has_state, each.unread) for each in found.operators] == [
        ("a", True, None),
        ("c", True, None),
        ("d", False, "it could not be opened"),
    ]
    assert {each.max_parallelism for each in found.operators} == {128}
    assert (
        recalled(graph(operator("c", states=(COUNT,), parallelism=100)), "x").state.operators[0].max_parallelism == 256
    )


def test_an_operator_of_another_uid_loses_its_state_by_it() -> None:
    before = graph(operator("c", states=(COUNT,)))
    after = graph(operator("e", states=(COUNT,)))
    lost = judge(recalled(before, "msf://orders/1").state, after)
    assert [verdict.fate for verdict in lost.operators if verdict.uid == "c"] == [OperatorFate.MOVED]
    kept = judge(recalled(before, "msf://orders/1").state, before)
    assert not kept.dropping
