"""Snapshots, programs and types, said in a line: what tests of the verdict work on."""

from __future__ import annotations

import hashlib
from typing import Any

from scurry.model.state import (
    GraphOperator,
    JobGraph,
    OperatorState,
    SnapshotState,
    State,
    StateField,
    StateKind,
    StateType,
)

_BASE = "org.apache.flink.api.common.typeutils.base"
_RUNTIME = "org.apache.flink.api.java.typeutils.runtime"


def id_of(name: str) -> str:
    """Return an operator id for a name: 32 hexadecimal digits."""
    return hashlib.md5(name.encode()).hexdigest()


def simple(name: str) -> StateType:
    """Return a type without parts: `Long`."""
    return StateType(name=name, serializer=f"{_BASE}.{name}Serializer${name}SerializerSnapshot", version=3)


LONG, STRING, INT = simple("Long"), simple("String"), simple("Int")


def pojo(of: str, **fields: StateType | None) -> StateType:
    """Return a POJO."""
    return StateType(
        name=of,
        serializer=f"{_RUNTIME}.PojoSerializerSnapshot",
        of=of,
        fields=tuple(StateField(name=name, type=found) for name, found in fields.items()),
    )


def enum(of: str, *symbols: str) -> StateType:
    """Return an enum."""
    return StateType(
        name=of, serializer=f"{_BASE}.EnumSerializer$EnumSerializerSnapshot", of=of, symbols=tuple(symbols)
    )


def kryo(of: str) -> StateType:
    """Return what Kryo writes."""
    return StateType(name=of, serializer=f"{_RUNTIME}.kryo.KryoSerializerSnapshot", of=of)


def avro(of: str, schema: str | None) -> StateType:
    """Return what Avro writes."""
    return StateType(
        name=of, serializer="org.apache.flink.formats.avro.typeutils.AvroSerializerSnapshot", of=of, schema=schema
    )


def list_of(element: StateType) -> StateType:
    """Return a list."""
    return StateType(name=f"List<{element.name}>", serializer=f"{_BASE}.ListSerializerSnapshot", parts=(element,))


def map_of(key: StateType, value: StateType) -> StateType:
    """Return a map."""
    return StateType(
        name=f"Map<{key.name}, {value.name}>", serializer=f"{_BASE}.MapSerializerSnapshot", parts=(key, value)
    )


def tuple_of(*parts: StateType) -> StateType:
    """Return a tuple."""
    size = len(parts)
    return StateType(
        name=f"Tuple{size}<{', '.join(part.name for part in parts)}>",
        serializer=f"{_RUNTIME}.TupleSerializerSnapshot",
        of=f"org.apache.flink.api.java.tuple.Tuple{size}",
        parts=parts,
    )


def row(*columns: str) -> StateType:
    """Return a row of SQL."""
    return StateType(
        name=f"Row<{', '.join(columns)}>",
        serializer="org.apache.flink.table.runtime.typeutils.RowDataSerializer$RowDataSerializerSnapshot",
        logical=columns,
    )


def ttl(value: StateType) -> StateType:
    """Return a type as Flink wraps it for a time to live."""
    return StateType(
        name=f"TTL<{value.name}>",
        serializer="org.apache.flink.runtime.state.ttl.TtlStateFactory$TtlSerializerSnapshot",
        parts=(LONG, value),
    )


def python(name: str) -> StateType:
    """Return a type that was recorded of a Python descriptor."""
    return StateType(name=f"python {name}", serializer="python")


def value(name: str, of: StateType | None = LONG, **more: Any) -> State:
    """Return a value state."""
    return State(name=name, kind=StateKind.VALUE, type=of, **more)


def held(called: str, /, *states: State, bytes: int = 100, **more: Any) -> OperatorState:
    """Return what a snapshot holds of an operator: its uid is its name."""
    given: dict[str, Any] = {
        "id": id_of(called),
        "uid": called,
        "name": called.title(),
        "parallelism": 2,
        "max_parallelism": 128,
        "key": STRING if states else None,
        "states": states,
        "bytes": bytes,
        "has_state": bytes > 0,
    }
    return OperatorState(**(given | more))


def wanted(called: str, /, *states: State, **more: Any) -> GraphOperator:
    """Return an operator of a program: its uid is its name; it registers these states."""
    given: dict[str, Any] = {
        "id": id_of(called),
        "uid": called,
        "name": called.title(),
        "parallelism": 2,
        "stateful": bool(states),
        "key": STRING if states else None,
        "states": states,
    }
    return GraphOperator(**(given | more))


def snapshot(*operators: OperatorState, **more: Any) -> SnapshotState:
    """Return a savepoint."""
    given: dict[str, Any] = {
        "location": "file:/state/savepoint-1",
        "metadata_version": 6,
        "checkpoint_id": 7,
        "is_savepoint": True,
        "operators": operators,
    }
    return SnapshotState(**(given | more))


def program(*operators: GraphOperator, flink_version: str = "2.3.0", **more: Any) -> JobGraph:
    """Return a program."""
    return JobGraph(flink_version=flink_version, operators=operators, **more)
