"""The verdict on operators, parallelism, what had finished, versions and backends."""

from __future__ import annotations

import uuid

import pytest

from scurry.engine.compatibility import Circumstances, Language, judge
from scurry.model.compatibility import Compatibility, Fit, OperatorFate, OperatorVerdict, StateFate, Weight
from scurry.model.snapshot import SnapshotFormat
from scurry.model.state import State, StateKind
from tests.engine.state_of import (
    INT,
    LONG,
    held,
    id_of,
    kryo,
    pojo,
    program,
    simple,
    snapshot,
    tuple_of,
    value,
    wanted,
)

COUNT = value("count")


def operator(found: Compatibility, name: str) -> OperatorVerdict:
    return next(verdict for verdict in found.operators if name in {verdict.name, verdict.uid, verdict.new_uid})


def fate(found: Compatibility, name: str, state: str = "count") -> StateFate:
    return next(verdict.fate for verdict in operator(found, name).states if verdict.name == state)


# Operators -----------------------------------------------------------------------------------------------------


def test_what_did_not_change_fits() -> None:
    found = judge(snapshot(held("counts", COUNT)), program(wanted("counts", COUNT)))
    assert found.fit is Fit.FITS
    assert operator(found, "counts").fate is OperatorFate.KEPT
    assert fate(found, "counts") is StateFate.SAME
    assert found.lost == 0


def test_a_removed_operator_with_state_is_told_with_what_is_lost_and_what_to_write() -> None:
    found = judge(snapshot(held("counts", COUNT, bytes=4096), held("sink")), program(wanted("sink")))
    lost = operator(found, "counts")
    assert (found.fit, lost.fate, found.lost) == (Fit.BLOCKED, OperatorFate.DROPPED, 4096)
    assert lost.remedy
    assert 'allow_non_restored_state: ["counts"]' in lost.remedy


@pytest.mark.parametrize("allowed", [True, ("counts",), (id_of("counts"),)])
def test_state_that_may_go_is_dropped_and_told(allowed: bool | tuple[str, ...]) -> None:
    found = judge(snapshot(held("counts", COUNT)), program(wanted("new")), allowed=allowed)
    assert found.fit is Fit.DROPS
    assert [verdict.name for verdict in found.dropping] == ["Counts"]


def test_only_the_named_operators_may_lose_their_state() -> None:
    found = judge(snapshot(held("a", COUNT), held("b", COUNT)), program(), allowed=("a",))
    assert found.fit is Fit.BLOCKED
    assert [verdict.uid for verdict in found.blocked] == ["b"]


def test_an_operator_without_uid_is_allowed_by_its_name() -> None:
    old = held("counts", COUNT, uid=None)
    assert judge(snapshot(old), program(), allowed=("Counts",)).fit is Fit.DROPS
    assert judge(snapshot(old), program(), allowed=("counts",)).fit is Fit.BLOCKED


def test_a_removed_operator_without_state_is_nothing() -> None:
    found = judge(snapshot(held("filter", bytes=0)), program())
    assert found.fit is Fit.FITS
    assert operator(found, "filter").fate is OperatorFate.GONE


def test_an_operator_that_only_its_coordinator_has_state_of_is_missed_by_flink() -> None:
    old = held("source", bytes=0, has_state=True, coordinator_bytes=12)
    assert judge(snapshot(old), program()).fit is Fit.BLOCKED


def test_a_changed_uid_is_told_as_moved_with_the_uid_to_give_back() -> None:
    found = judge(snapshot(held("counts", COUNT)), program(wanted("totals", COUNT, name="Counts")))
    moved = operator(found, "counts")
    assert moved.fate is OperatorFate.MOVED
    assert moved.new_uid == "totals"
    assert moved.remedy
    assert '.uid("counts")' in moved.remedy
    assert len(found.operators) == 1


def test_a_random_part_in_a_uid_is_told() -> None:
    before, after = f"sink-{uuid.uuid4()}", f"sink-{uuid.uuid4()}"
    found = judge(snapshot(held(before, COUNT)), program(wanted(after, COUNT)))
    assert "random" in (operator(found, before).reason or "")


def test_an_operator_without_uid_that_moved_is_told_its_old_id() -> None:
    old = held("counts", COUNT, uid=None)
    found = judge(snapshot(old), program(wanted("other", COUNT, uid=None, name="Counts")))
    moved = operator(found, "Counts")
    assert moved.fate is OperatorFate.MOVED
    assert f'.setUidHash("{old.id}")' in (moved.remedy or "")


def test_python_is_told_what_to_write_in_python() -> None:
    old = held("counts", COUNT, uid=None)
    new = wanted("other", COUNT, uid=None, name="Counts")
    found = judge(snapshot(old), program(new), given=Circumstances(language=Language.PYTHON))
    assert f".set_uid_hash('{old.id}')" in (operator(found, "Counts").remedy or "")


def test_an_sql_operator_of_another_uid_computes_something_else_and_is_no_moved_one() -> None:
    found = judge(
        snapshot(held("sink/sum", COUNT)),
        program(wanted("sink/count", COUNT, name="Sink/Sum")),
        given=Circumstances(language=Language.SQL),
    )
    assert {verdict.fate for verdict in found.operators} == {OperatorFate.DROPPED, OperatorFate.NEW}


def test_a_source_is_not_taken_for_another_one_because_all_sources_have_such_a_state() -> None:
    splits = State(name="SourceReaderState", kind=StateKind.OPERATOR_LIST, type=simple("Bytes"))
    found = judge(snapshot(held("kafka", splits)), program(wanted("files", splits)))
    assert operator(found, "kafka").fate is OperatorFate.DROPPED


def test_an_id_that_is_set_takes_the_state_of_that_id_over() -> None:
    old = held("counts", COUNT)
    found = judge(snapshot(old), program(wanted("totals", COUNT, alternative_id=old.id)))
    assert found.fit is Fit.FITS
    assert operator(found, "counts").new_uid == "totals"


def test_a_new_operator_starts_empty() -> None:
    found = judge(snapshot(held("counts", COUNT)), program(wanted("counts", COUNT), wanted("more", COUNT)))
    assert found.fit is Fit.FITS
    assert operator(found, "more").fate is OperatorFate.NEW


def test_state_without_a_uid_is_a_warning_with_the_id_to_set() -> None:
    old, new = held("counts", COUNT, uid=None), wanted("counts", COUNT, uid=None)
    found = judge(snapshot(old), program(new))
    assert found.fit is Fit.FITS
    assert any(f'.setUidHash("{new.id}")' in warning for warning in operator(found, "Counts").warnings)


def test_names_of_files_that_hold_none_come_from_the_program_that_wrote_them() -> None:
    old = held("counts", COUNT, uid=None, name=None)
    found = judge(
        snapshot(old, metadata_version=4),
        program(wanted("sink")),
        given=Circumstances(before=program(wanted("counts", COUNT))),
    )
    lost = operator(found, "counts")
    assert (lost.name, lost.uid) == ("Counts", "counts")
    assert 'allow_non_restored_state: ["counts"]' in (lost.remedy or "")


# Parallelism ---------------------------------------------------------------------------------------------------


def test_a_max_parallelism_that_is_not_set_is_taken_over() -> None:
    found = judge(snapshot(held("counts", COUNT, max_parallelism=16)), program(wanted("counts", COUNT, parallelism=3)))
    assert found.fit is Fit.FITS


@pytest.mark.parametrize("states", [(COUNT,), ()])
def test_another_max_parallelism_is_blocked_even_without_state(states: tuple[State, ...]) -> None:
    old = held("counts", *states, bytes=100 if states else 0)
    found = judge(snapshot(old), program(wanted("counts", *states, max_parallelism=32)))
    assert found.fit is Fit.BLOCKED
    assert "128" in (operator(found, "counts").remedy or "")


def test_the_head_of_a_chain_speaks_for_its_max_parallelism() -> None:
    head = wanted("head", max_parallelism=32)
    found = judge(
        snapshot(held("counts", COUNT)), program(head, wanted("counts", COUNT, chain=head.id, inputs=(head.id,)))
    )
    assert operator(found, "counts").fate is OperatorFate.BLOCKED


def test_more_subtasks_than_key_groups_are_blocked() -> None:
    found = judge(snapshot(held("counts", COUNT, max_parallelism=4)), program(wanted("counts", COUNT, parallelism=5)))
    assert found.fit is Fit.BLOCKED
    assert "4" in (operator(found, "counts").remedy or "")


# What had finished ---------------------------------------------------------------------------------------------


def test_what_had_finished_stays_so() -> None:
    old = held("source", bytes=0, finished=True)
    found = judge(snapshot(old), program(wanted("source")))
    assert found.fit is Fit.FITS
    assert "finished" in operator(found, "source").warnings[0]


def test_a_new_operator_in_a_chain_that_had_finished_is_blocked() -> None:
    source = wanted("source")
    found = judge(
        snapshot(held("source", bytes=0, finished=True)),
        program(source, wanted("new", chain=source.id, inputs=(source.id,))),
    )
    assert operator(found, "source").fate is OperatorFate.BLOCKED


def test_something_new_in_front_of_what_had_finished_is_blocked() -> None:
    found = judge(
        snapshot(held("sink", bytes=0, finished=True)),
        program(wanted("new"), wanted("sink", inputs=(id_of("new"),))),
    )
    assert operator(found, "sink").fate is OperatorFate.BLOCKED


def test_a_finished_source_that_is_gone_is_told_to_begin_anew() -> None:
    found = judge(snapshot(held("source", bytes=0, finished=True)), program(wanted("other")))
    assert "anew" in operator(found, "source").warnings[0]


# Versions and backends -----------------------------------------------------------------------------------------


def test_a_file_of_a_newer_flink_is_blocked() -> None:
    old = snapshot(held("counts", COUNT))
    assert judge(old, program(wanted("counts", COUNT), flink_version="1.20.5")).fit is Fit.BLOCKED
    assert judge(old, program(wanted("counts", COUNT), flink_version="2.0.1")).fit is Fit.BLOCKED
    assert judge(old, program(wanted("counts", COUNT), flink_version="2.1.0")).fit is Fit.FITS


def test_an_older_flink_that_can_read_the_file_is_not_promised_to() -> None:
    found = judge(
        snapshot(held("counts", COUNT)),
        program(wanted("counts", COUNT), flink_version="2.1.0"),
        given=Circumstances(written_by="2.3.0"),
    )
    assert found.fit is Fit.UNKNOWN


def test_from_1_to_2_is_a_warning_where_types_fit() -> None:
    found = judge(snapshot(held("counts", COUNT), metadata_version=4), program(wanted("counts", COUNT)))
    assert found.fit is Fit.FITS
    assert [remark.weight for remark in found.remarks] == [Weight.WARNING]


@pytest.mark.parametrize("states", [(value("count", kryo("shop.Basket")),), None])
@pytest.mark.parametrize("nested", [False, True])
def test_a_list_of_kryo_in_flink_1_cannot_be_read_by_flink_2_whatever_is_known_of_the_new_version(
    states: tuple[State, ...] | None, nested: bool
) -> None:
    basket = kryo("java.util.List")
    old = value("count", pojo("Shop", baskets=basket) if nested else basket)
    found = judge(
        snapshot(held("counts", old), metadata_version=4),
        program(wanted("counts", states=states)),
        given=Circumstances(changed_classes=frozenset()),
    )
    assert found.fit is Fit.BLOCKED


def test_state_of_the_scala_api_cannot_be_read_by_flink_2() -> None:
    case_class = simple("X")
    case_class = type(case_class)(name="X", serializer="org.apache.flink.api.scala.typeutils.CaseClassSerializer")
    found = judge(
        snapshot(held("counts", value("count", tuple_of(case_class))), metadata_version=4),
        program(wanted("counts", value("count", tuple_of(case_class)))),
    )
    assert "Scala" in (operator(found, "counts").reason or "")


@pytest.mark.parametrize(
    ("before", "after", "format", "fit"),
    [
        ("hashmap", "rocksdb", SnapshotFormat.NATIVE, Fit.BLOCKED),
        ("hashmap", "rocksdb", None, Fit.BLOCKED),
        ("hashmap", "rocksdb", SnapshotFormat.CANONICAL, Fit.FITS),
        ("filesystem", "hashmap", SnapshotFormat.NATIVE, Fit.FITS),
        (
            "org.apache.flink.state.rocksdb.EmbeddedRocksDBStateBackendFactory",
            "rocksdb",
            SnapshotFormat.NATIVE,
            Fit.FITS,
        ),
        (None, "rocksdb", SnapshotFormat.NATIVE, Fit.FITS),
    ],
)
def test_only_a_canonical_savepoint_changes_the_state_backend(
    before: str | None, after: str, format: SnapshotFormat | None, fit: Fit
) -> None:
    found = judge(
        snapshot(held("counts", COUNT), format=format),
        program(wanted("counts", COUNT), state_backend=after),
        given=Circumstances(state_backend=before),
    )
    assert found.fit is fit


def test_the_savepoint_that_the_stop_will_take_counts_and_not_the_checkpoint_that_was_looked_at() -> None:
    found = judge(
        snapshot(held("counts", COUNT), is_savepoint=False),
        program(wanted("counts", COUNT), state_backend="rocksdb"),
        given=Circumstances(state_backend="hashmap", format=SnapshotFormat.CANONICAL),
    )
    assert found.fit is Fit.FITS


def test_a_backend_means_nothing_without_keyed_state() -> None:
    offsets = State(name="offsets", kind=StateKind.OPERATOR_LIST, type=LONG)
    found = judge(
        snapshot(held("source", offsets, key=None), format=SnapshotFormat.NATIVE),
        program(wanted("source", offsets, key=None), state_backend="rocksdb"),
        given=Circumstances(state_backend="hashmap"),
    )
    assert found.fit is Fit.FITS


def test_blocked_is_worse_than_unknown_is_worse_than_dropped() -> None:
    gone, unread = held("gone", COUNT), held("unread", COUNT, unread="the file is gone")
    new = program(wanted("unread", COUNT))
    assert judge(snapshot(gone, unread), new).fit is Fit.BLOCKED
    assert judge(snapshot(gone, unread), new, allowed=True).fit is Fit.UNKNOWN
    assert judge(snapshot(gone), program(), allowed=True).fit is Fit.DROPS


def test_numbers_are_not_taken_for_one_another() -> None:
    found = judge(snapshot(held("counts", COUNT)), program(wanted("counts", value("count", INT))))
    assert found.fit is Fit.BLOCKED


# What is told --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "told"),
    [(Language.JAVA, ".setUidHash("), (Language.PYTHON, ".set_uid_hash("), (Language.SQL, "scurry's own SQL runner")],
)
def test_a_missing_uid_is_told_in_the_words_of_the_program(language: Language, told: str) -> None:
    found = judge(snapshot(), program(wanted("counts", COUNT, uid=None)), given=Circumstances(language=language))
    assert told in operator(found, "Counts").warnings[0]


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("counts", None, 'uid "counts" is not set any more'),
        (None, "counts", 'had no uid, and has one now, "counts"'),
        (None, None, "operators around it changed"),
    ],
)
def test_why_an_id_changed_is_told(before: str | None, after: str | None, why: str) -> None:
    found = judge(
        snapshot(held("a", COUNT, uid=before, name="Counts")),
        program(wanted("b", COUNT, uid=after, name="Counts")),
    )
    assert why in (operator(found, "Counts").reason or "")


def test_a_flink_without_a_version_is_not_judged_by_it() -> None:
    found = judge(snapshot(held("counts", COUNT)), program(wanted("counts", COUNT), flink_version="nightly"))
    assert (found.fit, found.remarks) == (Fit.FITS, ())


def test_sql_may_be_planned_in_another_way_by_another_flink() -> None:
    found = judge(
        snapshot(held("counts", COUNT)),
        program(wanted("counts", COUNT)),
        given=Circumstances(language=Language.SQL, written_by="2.2.1"),
    )
    assert [remark.weight for remark in found.remarks] == [Weight.WARNING]


@pytest.mark.parametrize("switched_on", [True, False])
def test_switching_the_changelog_while_starting_from_a_checkpoint_is_unknown(switched_on: bool) -> None:
    found = judge(
        snapshot(held("counts", COUNT), is_savepoint=False),
        program(wanted("counts", COUNT), changelog=switched_on),
        given=Circumstances(before=program(wanted("counts", COUNT), changelog=not switched_on)),
    )
    assert found.fit is Fit.UNKNOWN


def test_a_state_backend_of_ones_own_is_known_by_its_class() -> None:
    found = judge(
        snapshot(held("counts", COUNT), is_savepoint=False),
        program(wanted("counts", COUNT), state_backend="shop.OwnFactory"),
        given=Circumstances(state_backend="rocksdb"),
    )
    assert found.fit is Fit.BLOCKED


def test_what_could_not_be_looked_at_is_unknown_and_says_why() -> None:
    found = Compatibility.unknown("the store does not answer", remedy="Try again.", location="s3://a/b")
    assert found.fit is Fit.UNKNOWN
    assert found.remarks[0].remedy == "Try again."
