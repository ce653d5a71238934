"""What it means that state is dropped: told of each operator, and where records count twice."""

from __future__ import annotations

import pytest

from scurry.engine.compatibility import Circumstances, Language, judge
from scurry.model.compatibility import Compatibility, Fit, Weight
from scurry.model.state import OperatorState, State, StateKind
from tests.engine.state_of import LONG, held, program, simple, snapshot, value, wanted

COUNT = value("count")
SPLITS = State(name="SourceReaderState", kind=StateKind.OPERATOR_LIST, type=simple("Bytes"))
WRITER = State(name="writer_raw_states", kind=StateKind.OPERATOR_LIST, type=simple("Bytes"))
OFFSETS = State(name="topic-partition-offset-states", kind=StateKind.OPERATOR_UNION, type=LONG)
ORDERS, COUNTS = held("orders", SPLITS, key=None), held("counts", COUNT)
KAFKA = "org.apache.flink.connector.kafka.source.KafkaSource"


def twice(found: Compatibility) -> list[str]:
    return [remark.message for remark in found.remarks if "counts twice" in remark.message]


@pytest.mark.parametrize(
    ("old", "told"),
    [
        (ORDERS, "records may be processed twice, or left out"),
        (held("kafka", OFFSETS, key=None), "records may be processed twice, or left out"),
        (held("a", key=None, name="Source: clicks[1]", coordinator_bytes=12), "records may be processed twice"),
        (held("sink", WRITER, key=None), "may be missing, or be written twice"),
        (COUNTS, "its counts, windows and timers begin anew"),
        (held("unread", key=None, unread="no"), "its counts, windows and timers begin anew"),
        (held("list", State(name="x", kind=StateKind.OPERATOR_LIST, type=LONG), key=None), "it begins anew"),
    ],
)
@pytest.mark.parametrize("allowed", [True, False])
def test_of_each_operator_it_is_told_what_comes_of_it(old: OperatorState, told: str, allowed: bool) -> None:
    found = judge(snapshot(old), program(), allowed=allowed)
    (lost,) = found.dropping
    assert found.fit is (Fit.DROPS if allowed else Fit.BLOCKED)
    assert told in " ".join(lost.warnings)


def test_a_count_that_goes_on_behind_a_source_that_begins_anew_is_told_to_count_twice() -> None:
    source = wanted("orders-v2", SPLITS, key=None, source=KAFKA)
    middle = wanted("filter", inputs=(source.id,))
    new = program(source, middle, wanted("counts", COUNT, inputs=(middle.id,)))
    found = judge(snapshot(ORDERS, COUNTS), new, allowed=True)
    (told,) = twice(found)
    assert 'the positions of "Orders" are dropped, while "Counts" behind it keeps its state' in told
    (remark,) = (remark for remark in found.remarks if remark.message == told)
    assert (remark.weight, found.fit) == (Weight.WARNING, Fit.DROPS)
    assert "upgrade.mode: stateless" in (remark.remedy or "")


def test_what_begins_anew_as_a_whole_counts_nothing_twice() -> None:
    source = wanted("orders-v2", SPLITS, key=None, source=KAFKA)
    found = judge(snapshot(ORDERS, COUNTS), program(source, wanted("totals", COUNT, inputs=(source.id,))), allowed=True)
    assert twice(found) == []


def test_a_count_that_begins_anew_behind_a_source_that_goes_on_counts_nothing_twice() -> None:
    source = wanted("orders", SPLITS, key=None, source=KAFKA)
    found = judge(snapshot(ORDERS, COUNTS), program(source, wanted("totals", COUNT, inputs=(source.id,))), allowed=True)
    assert twice(found) == []
    assert "begin anew" in " ".join(found.dropping[0].warnings)


def test_a_source_that_is_only_added_or_only_removed_counts_nothing_twice() -> None:
    kept = wanted("orders", SPLITS, key=None, source=KAFKA)
    added = wanted("more", SPLITS, key=None, source=KAFKA)
    both = wanted("counts", COUNT, inputs=(kept.id, added.id))
    assert twice(judge(snapshot(ORDERS, COUNTS), program(kept, added, both), allowed=True)) == []
    more = held("more", SPLITS, key=None)
    one = wanted("counts", COUNT, inputs=(kept.id,))
    assert twice(judge(snapshot(ORDERS, more, COUNTS), program(kept, one), allowed=True)) == []


def test_of_a_script_that_runs_without_a_plan_it_is_told_how_to_keep_what_computes_the_same() -> None:
    given = Circumstances(language=Language.SQL, sql_plans=False)
    (lost,) = judge(snapshot(COUNTS), program(wanted("totals", COUNT)), given=given).dropping
    assert "upgrade.sql is none: what computes the same is not sought" in (lost.reason or "")
    assert (lost.remedy or "").startswith("To keep what computes the same: upgrade.sql: plan")
