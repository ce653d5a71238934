"""Snapshots of serializers that no kept head holds: Avro, maps of Flink 2's asynchronous state, old versions."""

from __future__ import annotations

import pytest

from scurry.model.errors import SnapshotUnreadable
from scurry.model.state import StateKind, StateType
from scurry.savepoints.heads import KEY_VALUE_V2, Head, read_keyed_head
from scurry.savepoints.reading import Cursor
from scurry.savepoints.serializers import TypeReader
from scurry.savepoints.states import as_state
from tests.savepoints.test_hostile import LONG, TYPE
from tests.savepoints.writing import framed, i8, i16, i32, i64, utf

STRING = "org.apache.flink.api.common.typeutils.base.StringSerializer$StringSerializerSnapshot"
AVRO = "org.apache.flink.formats.avro.typeutils.AvroSerializerSnapshot"
TTL_AWARE = "org.apache.flink.runtime.state.ttl.TtlAwareSerializerSnapshot"
EMPTY_MAP = i64(0x4F2C69A3D70) + i32(0)


def read(data: bytes) -> StateType:
    cursor = Cursor(data, source="snapshot")
    found = TypeReader(cursor).read()
    assert cursor.pos == cursor.end
    return found


def string_value(text: str) -> bytes:
    """As `StringValue.writeString`: length and one, then the characters, each in groups of 7 bits."""
    units = memoryview(text.encode("utf-16-le")).cast("H")
    return b"".join(map(groups_of_seven, [len(units) + 1, *units]))


def groups_of_seven(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


@pytest.mark.parametrize("schema", ['{"type": "record", "name": "A"}', '{"doc": "grüße 日本 😀"}', "x" * 70_000])
def test_an_avro_schema_is_read_whatever_its_characters(schema: str) -> None:
    found = read(utf(AVRO) + i32(3) + string_value("demo.A") + string_value(schema))
    assert (found.name, found.of, found.schema) == ("Avro<demo.A>", "demo.A", schema)


def test_older_avro_snapshots_are_read() -> None:
    assert read(utf(AVRO) + i32(2) + utf("demo.A") + utf("{}")).of == "demo.A"
    assert read(utf(AVRO) + i32(1) + utf("{}")).schema == "{}"


def test_a_serializer_of_flink_1_7_is_read_with_its_class() -> None:
    found = read(utf(LONG) + i32(2) + utf("org.apache.flink.api.common.typeutils.base.LongSerializer"))
    assert (found.name, found.known) == ("Long", True)


@pytest.mark.parametrize("ttl", [True, False])
def test_a_serializer_that_knows_of_a_time_to_live_tells_whether_there_is_one(ttl: bool) -> None:
    cursor = Cursor(utf(TTL_AWARE) + i32(1) + i8(ttl) + utf(LONG) + i32(3), source="snapshot")
    reader = TypeReader(cursor)
    assert (reader.read().name, reader.ttl) == ("Long", ttl)


def test_subclasses_of_a_pojo_are_parts_of_it() -> None:
    inner = utf(TYPE + "PojoSerializerSnapshot") + i32(2) + utf("a.Child") + EMPTY_MAP * 3
    registered = i64(0x4F2C69A3D70) + i32(1) + utf("a.Child") + i8(1) + framed(b"") + i8(1) + framed(inner)
    found = read(utf(TYPE + "PojoSerializerSnapshot") + i32(2) + utf("a.Parent") + EMPTY_MAP + registered + EMPTY_MAP)
    assert [part.of for part in found.parts] == ["a.Child"]


def test_a_field_whose_serializer_was_lost_is_still_named() -> None:
    fields = i64(0x4F2C69A3D70) + i32(1) + utf("gone") + i8(0) + i8(0)
    (field,) = read(utf(TYPE + "PojoSerializerSnapshot") + i32(2) + utf("a.B") + fields + EMPTY_MAP * 2).fields
    assert (field.name, field.type) == ("gone", None)


def head(state: bytes) -> Head:
    key = i32(2) + utf(LONG) + i32(3)
    return read_keyed_head(Cursor(i32(6) + i8(1) + key + i16(1) + state, source="head"))


def test_a_map_of_asynchronous_state_tells_key_and_value() -> None:
    use = (
        utf("VALUE_SERIALIZER")
        + i32(2)
        + utf(LONG)
        + i32(3)
        + utf("USER_KEY_SERIALIZER")
        + i32(2)
        + utf(STRING)
        + i32(3)
    )
    state = utf("m") + i32(KEY_VALUE_V2) + i32(1) + utf("KEYED_STATE_TYPE") + utf("MAP") + i32(2) + use
    (meta,) = head(state).states
    found = as_state(meta)
    assert found.kind is StateKind.MAP
    assert found.type
    assert found.type.name == "Map<String, Long>"


def test_a_kind_that_is_not_known_is_other() -> None:
    state = utf("m") + i32(0) + i32(1) + utf("KEYED_STATE_TYPE") + utf("NEW") + i32(0)
    (meta,) = head(state).states
    assert as_state(meta).kind is StateKind.OTHER


@pytest.mark.parametrize("version", [1, 5, 7])
def test_a_head_of_another_version_is_refused_by_number(version: int) -> None:
    with pytest.raises(SnapshotUnreadable, match=f"version {version} is not known"):
        read_keyed_head(Cursor(i32(version) + bytes(20), source="head"))
