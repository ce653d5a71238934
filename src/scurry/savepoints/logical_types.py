"""SQL types, from the Java objects that Flink's table serializers write (`LogicalType`): `DECIMAL(10, 2) NOT NULL`.

Named as `LogicalType.asSerializableString` of Flink does; nullable types have no mark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.savepoints.java_objects import JavaArray, JavaClass, JavaEnum, JavaObject
from scurry.savepoints.type_names import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scurry.savepoints.java_objects import JavaValue

_MOST_NESTED = 20
_MOST_PARTS = 20_000
"""of one type; objects refer to each other, so that a few bytes could stand for a type without end"""

_NAMES: Mapping[str, str] = {
    "VARCHAR": "VARCHAR({length})",
    "CHAR": "CHAR({length})",
    "VARBINARY": "VARBINARY({length})",
    "BINARY": "BINARY({length})",
    "DECIMAL": "DECIMAL({precision}, {scale})",
    "TIME_WITHOUT_TIME_ZONE": "TIME({precision})",
    "TIMESTAMP_WITHOUT_TIME_ZONE": "TIMESTAMP({precision})",
    "TIMESTAMP_WITH_TIME_ZONE": "TIMESTAMP({precision}) WITH TIME ZONE",
    "TIMESTAMP_WITH_LOCAL_TIME_ZONE": "TIMESTAMP_LTZ({precision})",
    "INTEGER": "INT",
}
_LONGEST_LENGTH = 2**31 - 1
_STRINGS = {"VARCHAR": "STRING", "VARBINARY": "BYTES"}


def described(value: JavaValue) -> str:
    """Return a logical type in SQL's words; `?` for what is no such type."""
    return shortened(_Describer().type(value, 0))


class _Describer:
    def __init__(self) -> None:
        self._left = _MOST_PARTS

    def type(self, value: JavaValue, depth: int) -> str:
        self._left -= 1
        if not isinstance(value, JavaObject) or depth > _MOST_NESTED or self._left < 0:
            return "?"
        root = value.fields.get("typeRoot")
        if not isinstance(root, JavaEnum):
            return "?"
        name = shortened(self._named(root.constant, value.fields, depth + 1))
        return name if value.fields.get("isNullable", True) else f"{name} NOT NULL"

    def _named(self, root: str, fields: Mapping[str, JavaValue], depth: int) -> str:
        if root in _STRINGS and fields.get("length") == _LONGEST_LENGTH:
            return _STRINGS[root]
        match root:
            case "ARRAY" | "MULTISET":
                return f"{root}<{self.type(fields.get('elementType'), depth)}>"
            case "MAP":
                return f"MAP<{self.type(fields.get('keyType'), depth)}, {self.type(fields.get('valueType'), depth)}>"
            case "ROW":
                return f"ROW<{', '.join(self._columns(fields.get('fields'), depth))}>"
            case "STRUCTURED_TYPE":
                columns = ", ".join(self._columns(fields.get("attributes"), depth))
                return f"{_class_name(fields.get('implementationClass')) or 'STRUCTURED'}<{columns}>"
            case "RAW":
                return f"RAW('{_class_name(fields.get('clazz')) or '?'}')"
            case "INTERVAL_DAY_TIME" | "INTERVAL_YEAR_MONTH":
                resolution = fields.get("resolution")
                return f"INTERVAL {resolution.constant if isinstance(resolution, JavaEnum) else '?'}"
        return _NAMES.get(root, root).format_map(_Known(fields))

    def _columns(self, value: JavaValue, depth: int) -> list[str]:
        found = []
        for each in elements_of(value):
            if self._left < 0:
                break
            fields = each.fields if isinstance(each, JavaObject) else {}
            found.append(f"`{fields.get('name')}` {self.type(fields.get('type'), depth)}")
        return found


class _Known(dict[str, "JavaValue"]):
    def __missing__(self, key: str) -> str:
        return "?"


def _class_name(value: JavaValue) -> str | None:
    return value.name if isinstance(value, JavaClass) else None


def elements_of(value: JavaValue) -> list[JavaValue]:
    """Return the elements of a Java list: an `ArrayList`, or one of the kinds that wrap another."""
    for _ in range(_MOST_NESTED):
        if isinstance(value, JavaArray):
            return value.elements
        if not isinstance(value, JavaObject):
            return []
        if value.written:
            return value.written
        value = next((value.fields[name] for name in ("list", "c", "a") if value.fields.get(name) is not None), None)
    return []
