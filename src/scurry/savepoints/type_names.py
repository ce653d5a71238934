"""How types are named for people: `Long`, `Tuple2<String, Long>`, `demo.Account {id: String, total: Long}`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scurry.model.state import StateField, StateType

LONGEST = 4000
"""of a name; a row of some hundred columns"""

_PLAIN: Mapping[str, str] = {
    "Int": "Integer",
    "Char": "Character",
    "BigDec": "BigDecimal",
    "BigInt": "BigInteger",
    "JavaEither": "Either",
    "StringArray": "String[]",
    "Avro": "Avro",
    "TimestampData": "TIMESTAMP",
    "DecimalData": "DECIMAL",
}
_ENDINGS = re.compile(r"(Type)?(SerializerConfigSnapshot|SerializerSnapshot|Snapshot)$")
_PRIMITIVE_ARRAY = re.compile(r"^(\w+)PrimitiveArray$")


def plain_name(snapshot_class: str) -> str:
    """Return what a serializer without parts is for, from its snapshot's class: `…LongSerializer$Long…` is `Long`."""
    last = snapshot_class.rsplit(".", 1)[-1].rsplit("$", 1)[-1]
    bare = _ENDINGS.sub("", last) or last
    if array := _PRIMITIVE_ARRAY.match(bare):
        return f"{array[1].lower()}[]"
    return _PLAIN.get(bare, bare)


def short_class(class_name: str) -> str:
    """Return a class's name without its package."""
    return class_name.rsplit(".", 1)[-1]


def of_parts(name: str, parts: Iterable[StateType | str]) -> str:
    """`List` and `Long` are `List<Long>`."""
    inner = ", ".join(part if isinstance(part, str) else part.name for part in parts)
    return shortened(f"{name}<{inner}>" if inner else name)


def of_fields(name: str, fields: Iterable[StateField]) -> str:
    """`demo.Account` and its fields are `demo.Account {id: String, total: Long}`."""
    inner = ", ".join(f"{field.name}: {field.type.name if field.type else '?'}" for field in fields)
    return shortened(f"{name} {{{inner}}}")


def shortened(name: str) -> str:
    """Return a name that is not too long: names hold the names of their parts."""
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
