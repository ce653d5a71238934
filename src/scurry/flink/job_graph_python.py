"""PyFlink programs when they are asked for their job graph: what their Python functions keep, beside what Flink tells.

`job_graph_pyflink.py` runs in the application's own Python and finds that out. Flink's files do not hold the types of
Python states: it would restore a LONG as a STRING without a word.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec

from scurry.model.state import State, StateField, StateKind, StateType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PYTHON_DRIVER = "org.apache.flink.client.python.PythonDriver"
_SCRIPT = "-py"
_PREFIX = "python-state-"
"""of the names under which Flink keeps the states of Python functions that run in processes of their own"""


UNREAD = -1
"""stands for all nodes, when no function could be read"""


class _Type(msgspec.Struct, frozen=True):
    text: str
    kind: str = msgspec.field(name="class")
    parts: tuple[_Type, ...] = ()
    names: tuple[str | None, ...] = ()


class _State(msgspec.Struct, frozen=True):
    name: str
    kind: StateKind
    type: _Type
    ttl: bool


class _Function(msgspec.Struct, frozen=True):
    states: tuple[_State, ...] = ()
    unknown: str | None = None
    name: str = "a function"
    embedded: bool = False
    """it runs in Flink's own process; its states are kept like those of Java functions"""


class Recorded(msgspec.Struct, frozen=True):
    """What the Python functions of one operator registered when they were opened."""

    states: tuple[State, ...]
    unknown_because: str | None


def asking(arguments: Sequence[str], states_file: str) -> tuple[str, ...]:
    """Return the driver's arguments so that its script is run by our own one; as they are, if they name no script."""
    if len(arguments) < 2 or arguments[0] != _SCRIPT:
        return tuple(arguments)
    return _SCRIPT, str(files("scurry.flink") / "job_graph_pyflink.py"), states_file, *arguments[1:]


def recorded(text: str | None) -> Mapping[int, Recorded]:
    """Return what was recorded, by the node of the graph; empty for a program without Python functions."""
    if text is None:
        return {}
    told = msgspec.json.decode(text, type=dict[int, tuple[_Function, ...]])
    return {node: _merged(functions) for node, functions in told.items()}


def _merged(functions: Sequence[_Function]) -> Recorded:
    reasons = [f"{function.name}: {function.unknown}" for function in functions if function.unknown]
    return Recorded(
        states=tuple(_state(state, embedded=function.embedded) for function in functions for state in function.states),
        unknown_because="; ".join(reasons) or None,
    )


def _state(told: _State, *, embedded: bool) -> State:
    name = told.name if embedded else f"{_PREFIX}{told.name}"
    return State(name=name, kind=told.kind, type=_type(told.type), ttl=told.ttl)


def _type(told: _Type) -> StateType:
    """Describe Python's type information as a serializer: it decides how values become bytes."""
    parts = tuple(_type(part) for part in told.parts)
    named = tuple(
        StateField(name=name, type=part) for name, part in zip(told.names, parts, strict=True) if name is not None
    )
    return StateType(
        name=f"python {told.text}", serializer=f"pyflink {told.kind}", fields=named, parts=() if named else parts
    )
