"""The comparison of types, serializer by serializer, and of Avro schemas."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from scurry.engine.compatibility_types import Step, compare
from scurry.model.compatibility import StateFate
from scurry.model.state import StateType
from tests.engine.state_of import (
    INT,
    LONG,
    STRING,
    avro,
    enum,
    kryo,
    list_of,
    map_of,
    pojo,
    python,
    row,
    simple,
    ttl,
    tuple_of,
)

AWARE = StateType(name="Long", serializer="…ttl.TtlAwareSerializerSnapshot", parts=(ttl(LONG),))


def triple(last: StateType) -> StateType:
    return replace(map_of(LONG, LONG), parts=(LONG, LONG, last))


STEP = Step(before=(2, 3), after=(2, 3), changed_classes=frozenset())
SAME, MIGRATABLE = StateFate.SAME, StateFate.MIGRATABLE
INCOMPATIBLE, UNKNOWN = StateFate.INCOMPATIBLE, StateFate.UNKNOWN
OPAQUE = StateType(name="?", serializer="shop.BasketSerializer$Snapshot", known=False)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (LONG, LONG, SAME),
        (LONG, INT, INCOMPATIBLE),
        (pojo("A", x=LONG), pojo("A", x=LONG), SAME),
        (pojo("A", x=LONG), pojo("A", x=LONG, y=STRING), MIGRATABLE),
        (pojo("A", x=LONG, y=STRING), pojo("A", x=LONG), MIGRATABLE),
        (pojo("A", x=LONG), pojo("A", x=STRING), INCOMPATIBLE),
        (pojo("A", x=LONG), pojo("A", x=STRING, y=LONG), INCOMPATIBLE),
        (pojo("A", x=LONG), pojo("B", x=LONG), INCOMPATIBLE),
        (pojo("A", x=None), pojo("A", x=LONG), UNKNOWN),
        (pojo("A", x=LONG), tuple_of(LONG), INCOMPATIBLE),
        (list_of(pojo("A", x=LONG)), list_of(pojo("A", x=LONG, y=LONG)), MIGRATABLE),
        (map_of(STRING, LONG), map_of(STRING, LONG), SAME),
        (map_of(STRING, LONG), map_of(STRING, STRING), INCOMPATIBLE),
        (map_of(STRING, LONG), map_of(LONG, LONG), INCOMPATIBLE),
        (tuple_of(LONG, STRING), tuple_of(LONG, STRING), SAME),
        (tuple_of(LONG, STRING), tuple_of(STRING, LONG), INCOMPATIBLE),
        (tuple_of(LONG), tuple_of(LONG, LONG), INCOMPATIBLE),
        (enum("E", "A", "B"), enum("E", "A", "B"), SAME),
        (enum("E", "A", "B"), enum("E", "B", "A", "C"), SAME),
        (enum("E", "A", "B"), enum("E", "A"), INCOMPATIBLE),
        (enum("E", "A"), enum("F", "A"), INCOMPATIBLE),
        (kryo("A"), kryo("A"), SAME),
        (kryo("A"), kryo("B"), INCOMPATIBLE),
        (kryo("A"), pojo("A", x=LONG), INCOMPATIBLE),
        (row("BIGINT", "STRING"), row("BIGINT", "STRING"), SAME),
        (row("BIGINT"), row("BIGINT NOT NULL"), INCOMPATIBLE),
        (row("DECIMAL(10, 2)"), row("DECIMAL(12, 2)"), INCOMPATIBLE),
        (row("BIGINT"), row("BIGINT", "STRING"), INCOMPATIBLE),
        (ttl(LONG), LONG, SAME),
        (list_of(ttl(LONG)), list_of(LONG), SAME),
        (ttl(LONG), ttl(STRING), INCOMPATIBLE),
        (OPAQUE, OPAQUE, UNKNOWN),
        (OPAQUE, LONG, INCOMPATIBLE),
        (list_of(OPAQUE), list_of(OPAQUE), UNKNOWN),
        (tuple_of(OPAQUE, LONG), tuple_of(OPAQUE, STRING), INCOMPATIBLE),
        (pojo("A", x=OPAQUE), pojo("A", x=OPAQUE, y=LONG), UNKNOWN),
        (python("LONG"), python("LONG"), SAME),
        (python("LONG"), python("STRING"), INCOMPATIBLE),
        (python("LONG"), LONG, UNKNOWN),
        (replace(pojo("A", x=LONG), known=False), pojo("A", x=LONG), UNKNOWN),
        (replace(LONG, logical=("BIGINT",)), replace(LONG, logical=("INT",)), INCOMPATIBLE),
        (row(), row(), SAME),
        (AWARE, LONG, SAME),
        (pojo("A", x=tuple_of(LONG), y=kryo("B")), pojo("A", y=kryo("B")), MIGRATABLE),
        (triple(LONG), triple(STRING), INCOMPATIBLE),
        (triple(LONG), map_of(LONG, LONG), INCOMPATIBLE),
    ],
)
def test_types_are_compared_as_flink_does(before: StateType, after: StateType, expected: StateFate) -> None:
    found = compare(before, after, STEP)
    assert found.fate is expected
    assert (found.reason is None) == (expected is SAME)


def test_the_reason_names_the_field_however_deep_it_is() -> None:
    before, after = (list_of(pojo("A", inner=pojo("B", total=found))) for found in (LONG, STRING))
    assert compare(before, after, STEP).reason == "element: field inner: field total: Long becomes String"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (frozenset(), SAME),
        (frozenset({"shop.Other"}), SAME),
        (frozenset({"shop.Basket"}), UNKNOWN),
        (frozenset({"shop.Basket$Item"}), UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_kryo_is_trusted_only_while_its_class_is_what_it_was(
    changed: frozenset[str] | None, expected: StateFate
) -> None:
    step = Step(before=(2, 3), after=(2, 3), changed_classes=changed)
    assert compare(kryo("shop.Basket"), kryo("shop.Basket"), step).fate is expected


def test_what_is_in_a_collection_of_kryos_is_not_known_once_any_class_changed() -> None:
    step = Step(before=(2, 3), after=(2, 3), changed_classes=frozenset({"shop.Basket"}))
    assert compare(kryo("java.util.ArrayList"), kryo("java.util.ArrayList"), step).fate is UNKNOWN


def test_a_list_that_was_kryos_is_told_with_the_option() -> None:
    found = compare(pojo("A", x=kryo("java.util.List")), pojo("A", x=list_of(LONG)), STEP)
    assert found.fate is INCOMPATIBLE
    assert "built-in-collection-serializers" in (found.reason or "")


def test_a_removed_field_that_kryo_wrote_has_to_be_stepped_over_by_flink_2() -> None:
    step = Step(before=(1, 20), after=(2, 3), changed_classes=frozenset())
    assert compare(pojo("A", x=LONG, y=kryo("java.util.Map")), pojo("A", x=LONG), step).fate is INCOMPATIBLE
    assert compare(pojo("A", x=LONG, y=kryo("B")), pojo("A", x=LONG), step).fate is StateFate.UNKNOWN


def test_a_renamed_serializer_of_flinks_own_is_unknown() -> None:
    step = Step(before=(1, 20), after=(2, 3), changed_classes=frozenset())
    other = StateType(name="Long", serializer="org.apache.flink.other.LongSerializerSnapshot")
    assert compare(LONG, other, step).fate is UNKNOWN
    assert compare(LONG, other, STEP).fate is INCOMPATIBLE


def test_a_type_without_end_is_unknown() -> None:
    deep = LONG
    for _ in range(300):
        deep = list_of(deep)
    assert compare(deep, deep, STEP).fate is UNKNOWN


types = st.recursive(
    st.sampled_from([LONG, STRING, enum("E", "A"), kryo("K"), row("BIGINT")]),
    lambda inner: st.one_of(
        inner.map(list_of),
        st.tuples(inner, inner).map(lambda pair: map_of(*pair)),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: tuple_of(*parts)),
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3).map(lambda fields: pojo("P", **fields)),
    ),
    max_leaves=8,
)


@given(types)
def test_every_type_fits_itself(found: StateType) -> None:
    assert compare(found, found, STEP).fate is SAME


@given(types, types)
def test_no_two_types_of_different_look_are_the_same(one: StateType, other: StateType) -> None:
    if one != other and compare(one, other, STEP).fate is SAME:
        raise AssertionError((one, other))


# Avro ----------------------------------------------------------------------------------------------------------


def record(*fields: Any, name: str = "A", **more: Any) -> str:
    return json.dumps({"type": "record", "name": name, "fields": fields, **more})


X = {"name": "x", "type": "long"}
SYMBOLS = {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}}
FEWER = {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A"]}}
FEWER_WITH_DEFAULT = {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A"], "default": "A"}}
TREE = {"name": "left", "type": ["null", "A"], "default": None}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (record(X), record(X), SAME),
        (record(X), record(X, doc="for people"), SAME),
        (record(X), record({"name": "x", "type": {"type": "long"}}), SAME),
        (record(X), record(X, {"name": "y", "type": "long", "default": 0}), MIGRATABLE),
        (record(X), record(X, {"name": "y", "type": "long"}), INCOMPATIBLE),
        (record(X, {"name": "y", "type": "long"}), record(X), MIGRATABLE),
        (record({"name": "x", "type": "int"}), record(X), MIGRATABLE),
        (record(X), record({"name": "x", "type": "int"}), INCOMPATIBLE),
        (record(X), record({"name": "x", "type": ["null", "long"]}), MIGRATABLE),
        (record({"name": "x", "type": ["null", "long"]}), record(X), INCOMPATIBLE),
        (record(X), record({"name": "x", "type": ["null", "string"]}), INCOMPATIBLE),
        (record(SYMBOLS), record(FEWER), INCOMPATIBLE),
        (record(SYMBOLS), record(FEWER_WITH_DEFAULT), MIGRATABLE),
        (record(FEWER), record(SYMBOLS), MIGRATABLE),
        (record(X), record(X, name="B"), INCOMPATIBLE),
        (record(X), record(X, name="B", aliases=["A"]), UNKNOWN),
        (record(X), record({"name": "y", "type": "long", "aliases": ["x"]}), UNKNOWN),
        (record(X, TREE), record(X, TREE, {"name": "y", "type": "int", "default": 1}), MIGRATABLE),
        (
            record({"name": "x", "type": {"type": "array", "items": "int"}}),
            record({"name": "x", "type": {"type": "array", "items": "long"}}),
            MIGRATABLE,
        ),
        (
            record({"name": "x", "type": {"type": "map", "values": "long"}}),
            record({"name": "x", "type": {"type": "map", "values": "string"}}),
            INCOMPATIBLE,
        ),
        (
            record({"name": "x", "type": {"type": "fixed", "name": "F", "size": 8}}),
            record({"name": "x", "type": {"type": "fixed", "name": "F", "size": 9}}),
            INCOMPATIBLE,
        ),
        (
            record({"name": "x", "type": {"type": "long", "logicalType": "timestamp-millis"}}),
            record({"name": "x", "type": {"type": "long", "logicalType": "timestamp-micros"}}),
            UNKNOWN,
        ),
        (
            record({"name": "x", "type": {"type": "long", "logicalType": "timestamp-millis"}}),
            record(
                {"name": "x", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
            ),
            UNKNOWN,
        ),
        (record(X), record({"name": "x", "type": ["string"]}), INCOMPATIBLE),
        (record({"name": "x", "type": ["long", "string"]}), record({"name": "x", "type": "long"}), INCOMPATIBLE),
        (
            record({"name": "x", "type": ["long", "string"]}),
            record({"name": "x", "type": ["null", "long", "string"]}),
            MIGRATABLE,
        ),
        ('{"type": "string", "avro.java.string": "String"}', '"string"', MIGRATABLE),
        ('"no such type"', '{"type": "no such type", "size": 1}', MIGRATABLE),
        (record(X), "no schema", UNKNOWN),
        (record(X), '{"type": "record", "name": "A", "fields": [{}]}', UNKNOWN),
        (record(X), "[" * 100_000, UNKNOWN),
    ],
)
def test_avro_schemas_are_resolved_by_avros_rules(before: str, after: str, expected: StateFate) -> None:
    assert compare(avro("A", before), avro("A", after), STEP).fate is expected


def test_an_avro_schema_that_was_not_read_is_unknown() -> None:
    assert compare(avro("A", None), avro("A", record(X)), STEP).fate is UNKNOWN


def test_simple_types_are_told_apart_by_their_serializers() -> None:
    assert compare(simple("Short"), simple("Byte"), STEP).fate is INCOMPATIBLE
