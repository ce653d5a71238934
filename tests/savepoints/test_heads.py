"""Heads that real Flinks wrote, with every serializer that they have and with an application's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from scurry.model.state import StateType
from scurry.savepoints.heads import VALUE, Head, StateMeta, read_keyed_head, read_operator_head
from scurry.savepoints.reading import Cursor
from scurry.savepoints.states import as_state
from tests.savepoints.examples import FILES
from tests.savepoints.java_files import run_java

VERSIONS = ("1.18.1", "1.20.5", "2.3.0")
HEADS = FILES / "heads"
REPLACED = {"ttl", "ttl-aware", "ttl-aware-ttl"}
"""whose place is taken by the serializer of the values"""
OF_OWN = ["array", "pojo"]
"""hold a POJO that has a field with a serializer of its own"""


def cursor(version: str, name: str) -> Cursor:
    return Cursor((HEADS / version / name).read_bytes(), source=name)


def by_name(head: Head) -> dict[str, StateMeta]:
    return {meta.name: meta for meta in head.states}


def value(meta: StateMeta) -> StateType:
    return meta.serializers[VALUE]


def known(kind: StateType) -> bool:
    fields = [field.type for field in kind.fields]
    return kind.known and all(map(known, kind.parts)) and all(each is None or known(each) for each in fields)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_serializer_of_flink_is_read_to_its_last_byte(version: str) -> None:
    listed = (HEADS / version / "known.txt").read_text().splitlines()
    written = dict(line.split("\t") for line in listed)
    place = cursor(version, "known")
    head = read_keyed_head(place)
    assert (place.pos, head.length, head.missed) == (place.end, place.end, False)
    assert [meta.name for meta in head.states] == list(written)
    read = {meta.name: value(meta).serializer for meta in head.states if meta.name not in REPLACED}
    assert read == {name: kind for name, kind in written.items() if name not in REPLACED}
    assert [meta.name for meta in head.states if not known(value(meta))] == OF_OWN


@pytest.mark.parametrize("version", VERSIONS)
def test_types_are_told_in_the_words_of_their_code(version: str) -> None:
    found = {name: value(meta).name for name, meta in by_name(read_keyed_head(cursor(version, "known"))).items()}
    wanted = {
        "Int": "Integer",
        "BigDec": "BigDecimal",
        "Byte array": "byte[]",
        "String array": "String[]",
        "tuple": "Tuple3<Long, String, Boolean>",
        "row": "Row<Long, String>",
        "either": "Either<Long, String>",
        "list": "List<String>",
        "map": "Map<String, List<Integer>>",
        "enum": "Heads$Color",
        "kryo": "Kryo<Heads$Opaque>",
        "timer": "Timer<Long, VoidNamespace>",
        "ttl": "String",
        "ttl-list": "List<String>",
        "sql-decimal": "DECIMAL(10, 2)",
        "sql-timestamp": "TIMESTAMP(3)",
        "sql-array": "ARRAY<DECIMAL(10, 2)>",
        "sql-map": "MAP<VARCHAR(9), BIGINT NOT NULL>",
    }
    assert {name: found[name] for name in wanted} == wanted


@pytest.mark.parametrize("version", VERSIONS)
def test_a_time_to_live_is_told_and_no_part_of_the_type(version: str) -> None:
    states = by_name(read_keyed_head(cursor(version, "known")))
    assert {name for name, meta in states.items() if as_state(meta).ttl} - {"ttl-aware-ttl"} == {"ttl", "ttl-list"}
    if version == "2.3.0":  # older ones do not know it
        told = {name: (as_state(states[name]).ttl, value(states[name]).name) for name in ("ttl-aware", "ttl-aware-ttl")}
        assert told == {"ttl-aware": (False, "Long"), "ttl-aware-ttl": (True, "String")}


@pytest.mark.parametrize("version", VERSIONS)
def test_pojos_tell_fields_subclasses_and_enums(version: str) -> None:
    pojo = value(by_name(read_keyed_head(cursor(version, "known")))["pojo"])
    fields = {field.name: field.type for field in pojo.fields}
    assert set(fields) == {"id", "total", "color", "warm", "numbers", "parent"}
    color, warm, numbers = fields["color"], fields["warm"], fields["numbers"]
    assert color
    assert color.symbols == ("RED", "GREEN", "BLUE")
    assert warm
    assert (warm.known, warm.serializer, warm.version) == (False, "Heads$CelsiusSnapshot", 7)
    assert numbers
    assert known(numbers)


@pytest.mark.parametrize("version", VERSIONS)
def test_sql_types_are_told_one_by_one(version: str) -> None:
    row = value(by_name(read_keyed_head(cursor(version, "known")))["sql-row"])
    assert row.logical == (
        *("BOOLEAN", "TINYINT", "SMALLINT", "INT NOT NULL", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(10, 2)"),
        *("CHAR(3)", "VARCHAR(30)", "STRING NOT NULL", "BYTES", "BINARY(4)", "DATE", "TIME(3)", "TIMESTAMP(6)"),
        *("TIMESTAMP_LTZ(3)", "INTERVAL DAY", "ARRAY<INT NOT NULL>", "MAP<STRING, BIGINT>"),
        *("MULTISET<STRING>", "ROW<`q` INT>"),
    )
    assert len(row.parts) == 22


@pytest.mark.parametrize("version", VERSIONS)
def test_an_own_serializer_is_named_and_stepped_over(version: str) -> None:
    head = read_keyed_head(cursor(version, "own"))
    states = by_name(head)
    timers = "_timer_state/event_user-timers"
    assert list(states) == ["before", "own", "list-of-own", "plain", "box", timers, "between", "pojo", "last"]
    assert not head.missed
    for name in ("own", "last"):
        assert (value(states[name]).known, value(states[name]).serializer) == (False, "Heads$CelsiusSnapshot")
    (element,) = value(states["list-of-own"]).parts
    assert (element.known, element.serializer) == (False, "Heads$CelsiusSnapshot")
    assert (value(states["plain"]).known, value(states["plain"]).serializer) == (False, "Heads$PlainSnapshot")
    assert not value(states["box"]).known
    assert [part.name for part in value(states["box"]).parts] == ["Long", "String"]
    for name, told in (("before", "Long"), (timers, "Timer<Long, VoidNamespace>"), ("between", "String")):
        assert value(states[name]) == value(states[name])
        assert (value(states[name]).name, known(value(states[name]))) == (told, True)
    namespaces = {as_state(states[name]).namespace for name in ("before", "own", "between", "last")}
    assert {namespace and namespace.name for namespace in namespaces} == {"VoidNamespace"}


@pytest.mark.parametrize("version", VERSIONS)
def test_behind_an_own_key_serializer_the_states_are_found(version: str) -> None:
    head = read_keyed_head(cursor(version, "own-key"))
    assert head.key
    assert (head.key.known, head.key.serializer) == (False, "Heads$CelsiusSnapshot")
    assert {meta.name: value(meta).name for meta in head.states} == {"count": "Long"}
    assert not head.missed


@pytest.mark.parametrize("version", VERSIONS)
def test_own_serializers_of_operator_state_hide_no_broadcast_state(version: str) -> None:
    head = read_operator_head(cursor(version, "own-operator"))
    assert [as_state(meta).kind.value for meta in head.states] == ["operator-list", "operator-union", "broadcast"]
    assert [meta.name for meta in head.states] == ["split", "union", "rules"]
    rules = as_state(head.states[2])
    assert rules.key
    assert not rules.key.known


@pytest.mark.flink
@pytest.mark.parametrize("version", VERSIONS)
def test_the_kept_heads_are_what_flink_writes(version: str, tmp_path: Path) -> None:
    run_java("Heads", version, str(tmp_path))
    for kept in (HEADS / version).iterdir():
        assert (tmp_path / kept.name).read_bytes() == kept.read_bytes(), kept.name
