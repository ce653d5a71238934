"""From what heads say to the model's states: kinds, types of values, keys and namespaces, times to live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.model.state import State, StateKind, StateType
from scurry.savepoints.heads import BROADCAST, KEY, KIND, MODE, NAMESPACE, OPERATOR, PRIORITY_QUEUE, USER_KEY, VALUE
from scurry.savepoints.type_names import of_parts

if TYPE_CHECKING:
    from scurry.savepoints.heads import StateMeta

_MAP_SNAPSHOT = "org.apache.flink.api.common.typeutils.base.MapSerializerSnapshot"
_MODES = (StateKind.OPERATOR_LIST, StateKind.OPERATOR_UNION, StateKind.BROADCAST)
"""by the number of the mode in `_metadata`"""
_BY_MODE = {"SPLIT_DISTRIBUTE": _MODES[0], "UNION": _MODES[1], "BROADCAST": _MODES[2]}
_KEYED = {name: StateKind[name] for name in ("VALUE", "LIST", "REDUCING", "AGGREGATING", "MAP", "FOLDING")}


def as_state(meta: StateMeta, *, size: int | None = None) -> State:
    """Return a state of a head; `size` in bytes, where it is known."""
    serializers = meta.serializers
    kind = _kind(meta)
    value = serializers.get(VALUE)
    if kind is StateKind.MAP and USER_KEY in serializers:
        value = _map_of(serializers[USER_KEY], value)
    return State(
        name=meta.name,
        kind=kind,
        type=value,
        namespace=serializers.get(NAMESPACE),
        key=serializers.get(KEY),
        ttl=meta.ttl,
        bytes=size,
    )


def named_only(name: str, mode: int, *, size: int | None = None) -> State:
    """Return an operator state of which only `_metadata` tells: its name and how it is distributed."""
    return State(name=name, kind=_MODES[mode], bytes=size)


def _kind(meta: StateMeta) -> StateKind:
    if meta.backend_type == PRIORITY_QUEUE:
        return StateKind.TIMERS
    if meta.backend_type == BROADCAST:
        return StateKind.BROADCAST
    if meta.backend_type == OPERATOR:
        return _BY_MODE.get(meta.options.get(MODE, ""), StateKind.OPERATOR_LIST)
    return _KEYED.get(meta.options.get(KIND, ""), StateKind.OTHER)


def _map_of(key: StateType, value: StateType | None) -> StateType:
    """A map's type as one tree, where key and value are told apart (state of Flink 2's asynchronous API)."""
    parts = (key, value) if value else (key,)
    return StateType(name=of_parts("Map", parts), serializer=_MAP_SNAPSHOT, parts=parts)
