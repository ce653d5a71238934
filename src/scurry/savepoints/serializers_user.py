"""Snapshots of serializers of an application's own classes: POJO, Kryo, enum, Avro."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.model.state import StateField, StateType
from scurry.savepoints.type_names import of_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scurry.savepoints.reading import Cursor
    from scurry.savepoints.serializers import TypeReader

_OPTIONAL_MAP = 0x4F2C69A3D70
_MAP = "map of a serializer snapshot"
_ENTRY_COST = 300
_SYMBOL_COST = 150


def _pojo(reader: TypeReader, snapshot: str, version: int) -> StateType:
    if version != 2:
        return reader.unknown(snapshot, version)
    of = reader.cursor.utf("class of a POJO")
    fields = tuple(StateField(name=name, type=type_) for name, type_ in _optional_types(reader))
    subclasses = [type_ for _ in ("registered", "not registered") for _, type_ in _optional_types(reader)]
    return StateType(
        name=of_fields(of, fields),
        serializer=snapshot,
        version=version,
        of=of,
        fields=fields,
        parts=tuple(type_ for type_ in subclasses if type_),
    )


def _optional_types(reader: TypeReader) -> list[tuple[str, StateType | None]]:
    """A `LinkedOptionalMap` whose values are snapshots."""
    cursor = reader.cursor
    found: list[tuple[str, StateType | None]] = []
    for _ in range(_map_size(cursor)):
        name = cursor.utf(_MAP)
        if cursor.boolean(_MAP):
            cursor.skip(cursor.i32(_MAP), _MAP)
        found.append((name, reader.within(cursor.i32(_MAP), _MAP) if cursor.boolean(_MAP) else None))
    return found


def _map_size(cursor: Cursor) -> int:
    if cursor.i64(_MAP) != _OPTIONAL_MAP:
        cursor.pos -= 8
        cursor.refuse(_MAP, "it does not begin as one")
    number = cursor.count(_MAP, least=4)
    cursor.spend(number, _ENTRY_COST, _MAP)
    return number


def skip_optional_map(cursor: Cursor) -> None:
    """Step over a `LinkedOptionalMap`."""
    for _ in range(_map_size(cursor)):
        cursor.utf(_MAP)
        for _ in ("key", "value"):
            if cursor.boolean(_MAP):
                cursor.skip(cursor.i32(_MAP), _MAP)


def _kryo(reader: TypeReader, snapshot: str, version: int) -> StateType:
    if version != 2:
        return reader.unknown(snapshot, version)
    of = reader.cursor.utf("class that Kryo serializes")
    for _ in ("registrations", "default serializers", "classes of default serializers"):
        skip_optional_map(reader.cursor)
    return StateType(name=f"Kryo<{of}>", serializer=snapshot, version=version, of=of)


def _enum(reader: TypeReader, snapshot: str, version: int) -> StateType:
    cursor = reader.cursor
    of = cursor.utf("class of an enum")
    number = cursor.count("constants of an enum", least=2)
    cursor.spend(number, _SYMBOL_COST, "constants of an enum")
    symbols = tuple([cursor.utf("constant of an enum") for _ in range(number)])
    return StateType(name=of, serializer=snapshot, version=version, of=of, symbols=symbols)


def _avro(reader: TypeReader, snapshot: str, version: int) -> StateType:
    cursor = reader.cursor
    of, schema = None, "Avro schema"
    match version:
        case 1:
            text = cursor.utf(schema)
        case 2:
            of, text = cursor.utf("class of an Avro record"), cursor.utf(schema)
        case 3:
            of, text = _string_value(cursor, "class of an Avro record"), _string_value(cursor, schema)
        case _:
            return reader.unknown(snapshot, version)
    return StateType(name=f"Avro<{of}>" if of else "Avro", serializer=snapshot, version=version, of=of, schema=text)


def _string_value(cursor: Cursor, field: str) -> str:
    """A text as `StringValue.writeString` writes it: its length and one, then its UTF-16 units, in groups of 7 bits."""
    length = _seven_bits(cursor, field) - 1
    if length > cursor.end - cursor.pos:
        cursor.cut(field)
    if length < 1:
        return ""
    cursor.spend(length, 40, field)
    start = cursor.pos
    plain = bytes(cursor.view[start : start + length])
    if plain.isascii():
        cursor.pos += length
        return plain.decode("ascii")
    units = b"".join([(_seven_bits(cursor, field) & 0xFFFF).to_bytes(2, "big") for _ in range(length)])
    return units.decode("utf-16-be", "replace")


def _seven_bits(cursor: Cursor, field: str) -> int:
    number = shift = 0
    while (byte := cursor.u8(field)) >= 0x80:
        number |= (byte & 0x7F) << shift
        shift += 7
        if shift > 28:
            cursor.refuse(field, "a number takes too many bytes")
    return number | byte << shift


USER_BODIES: Mapping[str, Callable[[TypeReader, str, int], StateType]] = {
    "PojoSerializerSnapshot": _pojo,
    "KryoSerializerSnapshot": _kryo,
    "EnumSerializer$EnumSerializerSnapshot": _enum,
    "AvroSerializerSnapshot": _avro,
}
