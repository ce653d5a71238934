"""Snapshots of the serializers of Flink SQL: rows, arrays, maps, decimals, with their logical types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.model.state import StateType
from scurry.savepoints.java_objects import JAVA_OBJECT, JavaObject, read_object
from scurry.savepoints.logical_types import described
from scurry.savepoints.type_names import of_parts, plain_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scurry.savepoints.java_objects import JavaValue
    from scurry.savepoints.serializers import TypeReader

_LOGICAL_COST = 600


def _row(reader: TypeReader, snapshot: str, version: int) -> StateType:
    cursor = reader.cursor
    number = cursor.count("columns of a row", least=5)
    cursor.spend(number, _LOGICAL_COST, "columns of a row")
    logical = tuple([described(read_object(cursor)) for _ in range(number)])
    parts = reader.nested()
    return StateType(
        name=of_parts("ROW", logical),
        serializer=snapshot,
        version=version,
        logical=logical,
        parts=parts,
        known=not reader.lost,
    )


def _array(reader: TypeReader, snapshot: str, version: int) -> StateType:
    (element, _) = (read_object(reader.cursor), read_object(reader.cursor))
    logical = (described(element),)
    return StateType(name=of_parts("ARRAY", logical), serializer=snapshot, version=version, logical=logical)


def _map(reader: TypeReader, snapshot: str, version: int) -> StateType:
    key, value, _, _ = (read_object(reader.cursor) for _ in range(4))
    logical = (described(key), described(value))
    return StateType(name=of_parts("MAP", logical), serializer=snapshot, version=version, logical=logical)


def _sorted_map(reader: TypeReader, snapshot: str, version: int) -> StateType:
    read_object(reader.cursor)  # the comparator
    parts = reader.nested()
    name = of_parts("SortedMap", parts)
    return StateType(name=name, serializer=snapshot, version=version, parts=parts, known=not reader.lost)


def _row_key(reader: TypeReader, snapshot: str, version: int) -> StateType:
    cursor = reader.cursor
    for generated in ("equaliser of a row", "hash function of a row"):
        cursor.skip(cursor.i32(generated), generated)
    parts = (reader.read(),)
    return StateType(name=parts[0].name, serializer=snapshot, version=version, parts=parts, known=not reader.lost)


def _decimal(reader: TypeReader, snapshot: str, version: int) -> StateType:
    precision, scale = reader.cursor.i32("precision of a decimal"), reader.cursor.i32("scale of a decimal")
    return _logical(snapshot, version, f"DECIMAL({precision}, {scale})")


def _timestamp(reader: TypeReader, snapshot: str, version: int) -> StateType:
    return _logical(snapshot, version, f"TIMESTAMP({reader.cursor.i32('precision of a timestamp')})")


def _binary_row(reader: TypeReader, snapshot: str, version: int) -> StateType:
    fields = reader.cursor.i32("fields of a binary row")
    return StateType(name=f"BinaryRow<{fields}>", serializer=snapshot, version=version)


def _logical(snapshot: str, version: int, name: str) -> StateType:
    return StateType(name=name, serializer=snapshot, version=version, logical=(name,))


def _ttl_aware(reader: TypeReader, _snapshot: str, _version: int) -> StateType:
    ttl = reader.cursor.boolean("whether there is a time to live")
    reader.ttl = reader.ttl or ttl
    return reader.read()


def _external(reader: TypeReader, snapshot: str, version: int) -> StateType:
    """A composite, whose outer part holds a `DataType`."""
    cursor = reader.cursor
    cursor.expect(911108, "magic number of a composite serializer")
    cursor.i32("version of an outer serializer")
    value = read_object(cursor)
    cursor.boolean("flag of an outer serializer")
    logical = (described(value.fields.get("logicalType") if isinstance(value, JavaObject) else None),)
    parts = reader.nested()
    return StateType(
        name=logical[0],
        serializer=snapshot,
        version=version,
        logical=logical,
        parts=parts,
        known=not reader.lost,
    )


def java_objects(reader: TypeReader) -> list[JavaValue]:
    """Read the Java objects that come next, however many."""
    cursor = reader.cursor
    found = []
    while bytes(cursor.view[cursor.pos : cursor.pos + 4]) == JAVA_OBJECT:
        found.append(read_object(cursor))
    return found


def of_objects(snapshot: str, version: int, objects: list[JavaValue]) -> StateType:
    """Describe a serializer whose snapshot is Java objects: serializers, classes, logical types."""
    logical = tuple(name for name in map(described, objects) if name != "?")
    kinds = [value.type for value in objects if isinstance(value, JavaObject)]
    return StateType(
        name=of_parts(plain_name(snapshot), logical),
        serializer=snapshot,
        version=version,
        of=kinds[0] if kinds else None,
        logical=logical,
    )


SQL_BODIES: Mapping[str, Callable[[TypeReader, str, int], StateType]] = {
    "RowDataSerializer$RowDataSerializerSnapshot": _row,
    "ArrayDataSerializer$ArrayDataSerializerSnapshot": _array,
    "MapDataSerializer$MapDataSerializerSnapshot": _map,
    "SortedMapSerializerSnapshot": _sorted_map,
    "DecimalDataSerializer$DecimalSerializerSnapshot": _decimal,
    "TimestampDataSerializer$TimestampDataSerializerSnapshot": _timestamp,
    "BinaryRowDataSerializer$BinaryRowDataSerializerSnapshot": _binary_row,
    "ExternalSerializer$ExternalSerializerSnapshot": _external,
    "RowDataKeySerializerSnapshot": _row_key,
    "TtlAwareSerializerSnapshot": _ttl_aware,
}
