"""The verdict on the states of operators that are kept, by comparison and by Flink's own word."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from scurry.engine.compatibility import Circumstances, Language, judge
from scurry.model.compatibility import Compatibility, Fit, OperatorFate, OperatorVerdict, StateFate
from scurry.model.state import Resolution, State, StateKind, StateResolution
from tests.engine.state_of import (
    LONG,
    STRING,
    held,
    id_of,
    kryo,
    list_of,
    map_of,
    pojo,
    program,
    python,
    simple,
    snapshot,
    value,
    wanted,
)

COUNT = value("count")


def operator(found: Compatibility, name: str) -> OperatorVerdict:
    return next(verdict for verdict in found.operators if name in {verdict.name, verdict.uid, verdict.new_uid})


def fate(found: Compatibility, name: str, state: str = "count") -> StateFate:
    return next(verdict.fate for verdict in operator(found, name).states if verdict.name == state)


# States --------------------------------------------------------------------------------------------------------


def test_a_state_that_is_not_registered_any_more_stays_unused_and_does_not_block() -> None:
    found = judge(snapshot(held("counts", COUNT)), program(wanted("counts", value("other", STRING))))
    assert found.fit is Fit.FITS
    assert fate(found, "counts") is StateFate.UNUSED
    assert fate(found, "counts", "other") is StateFate.NEW


def test_a_renamed_state_is_told_to_start_empty_and_its_old_name() -> None:
    found = judge(snapshot(held("counts", COUNT)), program(wanted("counts", value("total"))))
    unused = operator(found, "counts").states[0]
    assert unused.fate is StateFate.UNUSED
    assert '"count"' in (unused.remedy or "")


def test_another_type_is_blocked_with_the_reason() -> None:
    found = judge(snapshot(held("counts", COUNT)), program(wanted("counts", value("count", STRING))))
    verdict = operator(found, "counts")
    assert (found.fit, verdict.fate) == (Fit.BLOCKED, OperatorFate.BLOCKED)
    assert "Long becomes String" in (verdict.reason or "")


def test_another_kind_is_blocked() -> None:
    new = State(name="count", kind=StateKind.LIST, type=list_of(LONG))
    found = judge(snapshot(held("counts", COUNT)), program(wanted("counts", new)))
    assert "was value and becomes list" in (operator(found, "counts").reason or "")


def test_list_and_union_state_of_an_operator_are_not_the_same() -> None:
    old = State(name="offsets", kind=StateKind.OPERATOR_LIST, type=LONG)
    new = State(name="offsets", kind=StateKind.OPERATOR_UNION, type=LONG)
    found = judge(snapshot(held("source", old)), program(wanted("source", new)))
    assert fate(found, "source", "offsets") is StateFate.INCOMPATIBLE


def test_a_broadcast_state_in_place_of_a_list_is_another_state() -> None:
    old = State(name="rules", kind=StateKind.OPERATOR_LIST, type=LONG)
    new = State(name="rules", kind=StateKind.BROADCAST, type=LONG, key=LONG)
    found = judge(snapshot(held("rules", old)), program(wanted("rules", new)))
    assert [state.fate for state in operator(found, "rules").states] == [StateFate.UNUSED, StateFate.NEW]


def test_another_key_of_a_broadcast_state_is_blocked() -> None:
    old = State(name="rules", kind=StateKind.BROADCAST, type=LONG, key=LONG)
    new = State(name="rules", kind=StateKind.BROADCAST, type=LONG, key=STRING)
    assert judge(snapshot(held("rules", old)), program(wanted("rules", new))).fit is Fit.BLOCKED


def test_another_key_is_blocked() -> None:
    found = judge(snapshot(held("counts", COUNT)), program(wanted("counts", COUNT, key=LONG)))
    assert found.fit is Fit.BLOCKED
    assert "the key" in (operator(found, "counts").reason or "")


def test_a_key_is_never_rewritten() -> None:
    before, after = pojo("K", a=LONG), pojo("K", a=LONG, b=LONG)
    found = judge(snapshot(held("counts", COUNT, key=before)), program(wanted("counts", COUNT, key=after)))
    assert found.fit is Fit.BLOCKED


def test_another_namespace_is_blocked() -> None:
    old, new = value("w", LONG, namespace=simple("TimeWindow")), value("w", LONG, namespace=simple("GlobalWindow"))
    assert judge(snapshot(held("window", old)), program(wanted("window", new))).fit is Fit.BLOCKED


def test_timers_are_never_rewritten() -> None:
    def timers(key: Any) -> State:
        return State(name="_timer_state/event_user-timers", kind=StateKind.TIMERS, type=key)

    found = judge(
        snapshot(held("counts", timers(pojo("K", a=LONG)))),
        program(wanted("counts", timers(pojo("K", a=LONG, b=LONG)))),
    )
    assert found.fit is Fit.BLOCKED


@pytest.mark.parametrize(("backend", "fit"), [("rocksdb", Fit.BLOCKED), (None, Fit.BLOCKED), ("hashmap", Fit.FITS)])
def test_keys_of_a_map_are_rewritten_only_where_they_are_objects(backend: str | None, fit: Fit) -> None:
    def totals(key: Any) -> State:
        return State(name="totals", kind=StateKind.MAP, type=map_of(key, LONG))

    found = judge(
        snapshot(held("counts", totals(pojo("K", a=LONG)))),
        program(wanted("counts", totals(pojo("K", a=LONG, b=LONG))), state_backend=backend),
    )
    assert found.fit is fit


@pytest.mark.parametrize(
    ("flink", "backend", "expected"),
    [
        ("1.20.5", "rocksdb", StateFate.INCOMPATIBLE),
        ("2.0.1", "rocksdb", StateFate.INCOMPATIBLE),
        ("2.1.0", "rocksdb", StateFate.MIGRATABLE),
        ("2.1.0", "hashmap", StateFate.INCOMPATIBLE),
        ("2.1.0", None, StateFate.UNKNOWN),
        ("2.2.0", "hashmap", StateFate.MIGRATABLE),
        ("2.3.0", None, StateFate.MIGRATABLE),
        ("2.3.0", "forst", StateFate.INCOMPATIBLE),
    ],
)
@pytest.mark.parametrize("added", [True, False])
def test_a_time_to_live_comes_and_goes_as_that_flink_has_it(
    flink: str, backend: str | None, expected: StateFate, added: bool
) -> None:
    old, new = value("count", ttl=not added), value("count", ttl=added)
    version = 4 if flink < "2" else 5
    found = judge(
        snapshot(held("counts", old), metadata_version=version),
        program(wanted("counts", new), flink_version=flink, state_backend=backend),
    )
    assert fate(found, "counts") is expected


def test_what_the_new_version_registers_is_unknown_with_the_reason() -> None:
    new = wanted("counts", states=None, key=None, unknown_because="it opens a connection")
    found = judge(snapshot(held("counts", COUNT)), program(new))
    assert found.fit is Fit.UNKNOWN
    assert operator(found, "counts").states[0].reason == "it opens a connection"


def test_the_same_program_asks_for_the_same_states_even_when_nobody_looked() -> None:
    new = wanted("counts", states=None, key=None, parallelism=4)
    found = judge(
        snapshot(held("counts", COUNT, value("x", kryo("X")))), program(new), given=Circumstances(same_program=True)
    )
    assert found.fit is Fit.FITS


def test_states_that_could_not_be_read_are_unknown() -> None:
    found = judge(snapshot(held("counts", COUNT, unread="the file is gone")), program(wanted("counts", COUNT)))
    assert found.fit is Fit.UNKNOWN


def test_a_source_of_another_name_may_be_another_connector() -> None:
    splits = State(name="SourceReaderState", kind=StateKind.OPERATOR_LIST, type=simple("Bytes"))
    old = snapshot(held("in", splits))
    assert judge(old, program(wanted("in", splits))).fit is Fit.FITS
    assert judge(old, program(wanted("in", splits, name="Source: Kafka"))).fit is Fit.UNKNOWN


def test_positions_of_one_connector_are_nothing_for_another() -> None:
    splits = State(name="SourceReaderState", kind=StateKind.OPERATOR_LIST, type=simple("Bytes"))
    old = snapshot(held("in", splits))
    given = Circumstances(before=program(wanted("in", splits, source="org.x.KafkaSource")))
    other = judge(old, program(wanted("in", splits, source="org.x.FileSource")), given=given)
    assert other.fit is Fit.BLOCKED
    assert "positions of KafkaSource, and the source is FileSource now" in (operator(other, "in").reason or "")
    renamed = wanted("in", splits, name="Source: all orders", source="org.x.KafkaSource")
    assert judge(old, program(renamed), given=given).fit is Fit.FITS
    moved = wanted("in", splits, name="Source: all orders", source="org.y.KafkaSource")
    assert judge(old, program(moved), given=given).fit is Fit.UNKNOWN


# What Flink says ----------------------------------------------------------------------------------------------


def test_what_kryo_2_wrote_is_unknown_to_flink_2_whatever_flink_says_of_its_class() -> None:
    old = snapshot(held("counts", value("count", kryo("X"))), metadata_version=4)
    new = wanted("counts", value("count", kryo("X")))
    unchanged = Circumstances(changed_classes=frozenset())
    assert judge(old, program(new), given=unchanged).fit is Fit.UNKNOWN
    assert judge(old, program(new), given=unchanged, resolutions=says(Resolution.AS_IS)).fit is Fit.UNKNOWN
    other = wanted("counts", value("count", kryo("Y")))
    assert judge(old, program(other), given=unchanged).fit is Fit.BLOCKED


def says(resolution: Resolution, *, state: str = "count", part: str = "value") -> list[StateResolution]:
    return [
        StateResolution(
            operator=id_of("counts"), state=state, part=part, resolution=resolution, message="Flink says so"
        )
    ]


@pytest.mark.parametrize(
    ("resolution", "expected"),
    [
        (Resolution.AS_IS, StateFate.SAME),
        (Resolution.RECONFIGURED, StateFate.SAME),
        (Resolution.AFTER_MIGRATION, StateFate.MIGRATABLE),
        (Resolution.INCOMPATIBLE, StateFate.INCOMPATIBLE),
    ],
)
@pytest.mark.parametrize("states", [(COUNT,), (value("count", STRING),), None])
def test_flinks_own_answer_wins(resolution: Resolution, expected: StateFate, states: tuple[State, ...] | None) -> None:
    found = judge(
        snapshot(held("counts", COUNT)),
        program(wanted("counts", states=states)),
        resolutions=says(resolution),
    )
    assert fate(found, "counts") is expected
    assert operator(found, "counts").states[0].by_flink


def test_flink_says_the_key_is_another_one() -> None:
    found = judge(
        snapshot(held("counts", COUNT)),
        program(wanted("counts", COUNT)),
        resolutions=says(Resolution.INCOMPATIBLE, state="", part="key"),
    )
    assert found.fit is Fit.BLOCKED


def test_a_key_or_namespace_that_would_have_to_be_rewritten_is_blocked() -> None:
    for state, part in (("", "key"), ("count", "namespace")):
        found = judge(
            snapshot(held("counts", COUNT)),
            program(wanted("counts", COUNT)),
            resolutions=says(Resolution.AFTER_MIGRATION, state=state, part=part),
        )
        assert found.fit is Fit.BLOCKED, part


def test_flink_cannot_see_into_kryo() -> None:
    old = snapshot(held("counts", value("count", kryo("shop.Basket"))))
    new = program(wanted("counts", value("count", kryo("shop.Basket"))))
    for changed, expected in ((frozenset({"shop.Basket"}), Fit.UNKNOWN), (frozenset({"shop.Other"}), Fit.FITS)):
        given = Circumstances(changed_classes=changed)
        assert judge(old, new, resolutions=says(Resolution.AS_IS), given=given).fit is expected
        assert judge(old, new, given=given).fit is expected
    assert judge(old, new).fit is Fit.UNKNOWN


# Python --------------------------------------------------------------------------------------------------------


def python_snapshot() -> Any:
    state = State(name="python-state-count", kind=StateKind.LIST, type=list_of(simple("BytePrimitiveArray")))
    return snapshot(held("counts", state))


def test_a_changed_python_element_type_is_blocked_since_flink_would_restore_it_wrong() -> None:
    before = program(wanted("counts", value("count", python("LONG"))))
    after = program(wanted("counts", value("count", python("STRING"))))
    found = judge(python_snapshot(), after, given=Circumstances(before=before, language=Language.PYTHON))
    assert found.fit is Fit.BLOCKED
    assert "LONG becomes STRING" in (operator(found, "counts").reason or "")
    assert judge(python_snapshot(), before, given=Circumstances(before=before)).fit is Fit.FITS


def test_a_python_list_that_becomes_a_value_is_blocked_and_a_value_that_becomes_a_list_is_not() -> None:
    one = program(wanted("counts", value("count", python("LONG"))))
    several = program(wanted("counts", State(name="count", kind=StateKind.LIST, type=python("LONG"))))
    assert judge(python_snapshot(), one, given=Circumstances(before=several)).fit is Fit.BLOCKED
    assert judge(python_snapshot(), several, given=Circumstances(before=one)).fit is Fit.FITS
    strings = program(wanted("counts", State(name="count", kind=StateKind.LIST, type=python("STRING"))))
    assert judge(python_snapshot(), strings, given=Circumstances(before=one)).fit is Fit.BLOCKED


def test_what_flinks_python_operators_register_by_themselves_is_nothing_to_tell() -> None:
    timers = State(name="_timer_state/event_user-timers", kind=StateKind.TIMERS, type=simple("Timer"))
    (counts,) = python_snapshot().operators
    old = snapshot(msgspec.structs.replace(counts, states=(*counts.states, timers)))
    graph = program(wanted("counts", value("count", python("LONG"))))
    found = judge(old, graph, given=Circumstances(before=graph))
    assert [state.fate for state in operator(found, "counts").states] == [StateFate.SAME, StateFate.SAME]


def test_python_in_flinks_own_process_is_compared_by_its_types_too() -> None:
    old = snapshot(held("counts", value("count", simple("Pickled"))))
    before = program(wanted("counts", value("count", python("LONG"))))
    after = program(wanted("counts", value("count", python("STRING"))))
    assert judge(old, after, given=Circumstances(before=before)).fit is Fit.BLOCKED
    assert judge(old, before, given=Circumstances(before=before)).fit is Fit.FITS


def test_python_types_that_were_not_recorded_are_unknown() -> None:
    after = program(wanted("counts", State(name="count", kind=StateKind.LIST, type=python("LONG"))))
    assert judge(python_snapshot(), after).fit is Fit.UNKNOWN


def test_python_states_that_nobody_recorded_keep_the_kind_of_the_file() -> None:
    before = program(wanted("counts", value("other", python("LONG"))))
    after = program(wanted("counts", value("count", python("LONG"))))
    assert judge(python_snapshot(), after, given=Circumstances(before=before)).fit is Fit.BLOCKED


def test_a_type_that_only_one_side_tells_is_unknown_unless_the_program_is_the_same() -> None:
    for old, new in ((value("count", None), COUNT), (COUNT, value("count", None))):
        sides = snapshot(held("counts", old)), program(wanted("counts", new))
        assert judge(*sides).fit is Fit.UNKNOWN
        assert judge(*sides, given=Circumstances(same_program=True)).fit is Fit.FITS
    of_kryo = snapshot(held("counts", value("count", kryo("java.util.List"))), metadata_version=4)
    assert judge(of_kryo, program(wanted("counts", value("count", None)))).fit is Fit.BLOCKED


def test_a_map_whose_parts_are_not_known_is_judged_by_what_is() -> None:
    totals = State(name="totals", kind=StateKind.MAP, type=simple("Unparsed"))
    assert judge(snapshot(held("counts", totals)), program(wanted("counts", totals))).fit is Fit.FITS


def test_a_key_that_could_not_be_read_is_unknown() -> None:
    hidden = type(LONG)(name="?", serializer="shop.Key$Snapshot", known=False)
    found = judge(snapshot(held("counts", COUNT, key=hidden)), program(wanted("counts", COUNT, key=hidden)))
    assert found.fit is Fit.UNKNOWN


def test_a_source_that_was_not_opened_is_known_by_its_connector() -> None:
    splits = State(name="SourceReaderState", kind=StateKind.OPERATOR_LIST, type=simple("Bytes"))
    old = snapshot(held("in", splits))
    new = wanted("in", states=None, source="shop.KafkaSource")
    for connector, fit in (("shop.KafkaSource", Fit.FITS), ("shop.FileSource", Fit.BLOCKED)):
        given = Circumstances(before=program(wanted("in", splits, source=connector)))
        assert judge(old, program(new), given=given).fit is fit
    assert judge(old, program(wanted("in", states=None))).fit is Fit.UNKNOWN
