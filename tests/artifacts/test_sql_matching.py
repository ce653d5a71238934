"""Which operators of a changed script get the names, and so the state, of the running one's; on plans of real Flink."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from scurry.artifacts.sql_graph import columns_of
from scurry.artifacts.sql_matching import Fate, carry_over
from scurry.artifacts.sql_plan import SqlPlan
from scurry.model.errors import ArtifactError
from tests.artifacts.sql_plan_files import ON_BOTH, SCRIPTS, plan
from tests.versions import FLINK_VERSIONS

STATEFUL = {
    "sum": "group-aggregate",
    "nested": "group-aggregate",
    "small-large": "group-aggregate",
    "join": "join",
    "window": "global-window-aggregate",
    "top": "rank",
    "sum-in-batches": "global-group-aggregate",
    "keyed": "group-aggregate",
}
KEPT = (
    ("sum", "sum-filtered"),
    ("sum", "sum-aliased"),
    ("sum", "sum-projected"),
    ("sum", "sum-to-others"),
    ("sum-to-others", "sum"),
    ("sum", "sum-from-taps"),
    ("sum-from-taps", "sum"),
    ("sum", "sum-after-count"),
    ("sum-after-count", "sum"),
    ("sum", "sum-twice"),
    ("sum-twice", "sum"),
    ("sum", "join-and-sum"),
    ("join", "join-and-sum"),
    ("join", "join-filtered"),
    ("join-filtered", "join"),
    ("nested", "nested-filtered"),
    ("window", "window-filtered"),
    ("sum-in-batches", "sum-in-batches-filtered"),
    ("small-large", "large-small"),
    ("large-small", "small-large"),
    ("small-large", "small-larger"),
)
STARTS_OVER = (
    ("sum", "sum-of-price", "it computes something else"),
    ("sum-of-price", "sum", "it computes something else"),
    ("sum", "count", "it computes something else"),
    ("count", "sum", "it computes something else"),
    ("sum", "sum-and-max", "it computes something else"),
    ("sum-and-max", "sum", "it computes something else"),
    ("sum", "sum-by-upper", "it groups by something else"),
    ("join", "join-wider", "it computes something else"),
    ("window", "window-longer", ""),
    ("top", "top-wider", "it computes something else"),
)


def stateful(found: SqlPlan, name: str) -> set[str]:
    """The uids of what holds state between a script's sources and sinks."""
    kind = next(STATEFUL[key] for key in sorted(STATEFUL, key=len, reverse=True) if name.startswith(key))
    return {uid for planned, uid in found.uids.items() if planned.partition("_")[2] == kind}


def base_of(name: str) -> str:
    """The script whose kind of state a script has."""
    return name if any(name.startswith(key) for key in STATEFUL) else "sum"


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_same_script_keeps_every_name(name: str) -> None:
    found = plan(name)
    carried = carry_over(found, found)
    assert carried.plan == found
    assert carried.told == ()


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_is_carried_over_twice_is_what_was_carried_over_once(name: str) -> None:
    once = carry_over(plan("sum"), plan(name)).plan
    assert carry_over(once, plan(name)).plan == once


@pytest.mark.parametrize(("old", "new"), KEPT)
def test_what_computes_the_same_takes_the_old_names(old: str, new: str) -> None:
    before, after = plan(old), plan(new)
    carried = carry_over(before, after)
    assert stateful(before, base_of(old)) <= set(carried.plan.uids.values()) or stateful(
        carried.plan, base_of(new)
    ) <= stateful(before, base_of(old))
    assert {told.fate for told in carried.told} <= {Fate.REFILTERED, Fate.GONE}
    sources = {uid for planned, uid in before.uids.items() if planned.endswith("_source")}
    assert sources & set(carried.plan.uids.values())


@pytest.mark.parametrize(("old", "new", "reason"), STARTS_OVER)
def test_what_computes_something_else_gets_no_old_name_and_is_told(old: str, new: str, reason: str) -> None:
    before, after = plan(old), plan(new)
    carried = carry_over(before, after)
    assert not set(before.uids.values()) & stateful(carried.plan, base_of(new))
    (told,) = (told for told in carried.told if told.fate is not Fate.REFILTERED)
    assert told.fate is Fate.STARTS_OVER
    assert reason in told.reason
    assert told.sinks == ("totals",)


def test_a_query_that_is_taken_out_is_told() -> None:
    (told,) = carry_over(plan("join-and-sum"), plan("sum")).told[:1]
    assert told.fate is Fate.GONE
    gone = [told.part.partition("(")[0] for told in carry_over(plan("join-and-sum"), plan("sum")).told]
    assert sorted(gone) == ["Join", "TableSourceScan"]


def test_a_filter_between_two_aggregates_starts_the_second_one_over() -> None:
    before, after = plan("nested"), plan("nested-having")
    carried = carry_over(before, after)
    (told,) = carried.told
    assert told.fate is Fate.STARTS_OVER
    assert "groupBy=[n]" in told.part
    inner, outer = sorted(
        (planned for planned in before.uids if planned.endswith("_group-aggregate")),
        key=lambda planned: int(planned.partition("_")[0]),
    )
    assert before.uids[inner] in carried.plan.uids.values()
    assert before.uids[outer] not in carried.plan.uids.values()


def test_what_is_over_a_part_that_starts_over_starts_over_too() -> None:
    before = plan("nested")
    carried = carry_over(before, plan("nested-max"))
    assert [told.fate for told in carried.told] == [Fate.STARTS_OVER, Fate.STARTS_OVER]
    assert not stateful(before, "nested") & set(carried.plan.uids.values())


def test_queries_that_change_places_keep_their_own_state() -> None:
    """Both count; the filter in front tells them apart."""
    before, after = plan("small-large"), plan("large-small")
    carried = carry_over(before, after).plan

    def count_behind(found: SqlPlan, limit: str) -> str:
        nodes = {str(node["id"]): node for node in found.parsed()["nodes"]}
        follows = {str(edge["source"]): str(edge["target"]) for edge in found.parsed()["edges"]}
        (start,) = (id for id, node in nodes.items() if f"amount {limit} 3" in node["description"])
        while not nodes[start]["type"].startswith("stream-exec-group-aggregate"):
            start = follows[start]
        return found.uids[f"{start}_group-aggregate"]

    for limit in ("<", ">="):
        assert count_behind(carried, limit) == count_behind(before, limit)


def test_of_several_that_compute_the_same_none_is_guessed() -> None:
    carried = carry_over(plan("small-large"), plan("other-larger"))
    assert not stateful(plan("small-large"), "small-large") & stateful(carried.plan, "small-large")
    assert {told.reason for told in carried.told} == {
        "several compute the same, and which of them it was cannot be told"
    }


def test_what_reads_a_table_apart_from_now_on_starts_over_as_it_would_count_twice() -> None:
    """A filter for one of two queries has the planner read the file twice; only one reading can go on."""
    before, after = plan("cities"), plan("cities-filtered")
    readings = [planned for planned in after.uids if planned.endswith("_source")]
    assert len(readings) == 2
    carried = carry_over(before, after)
    assert "cities:source" in carried.plan.uids.values()
    (told,) = carried.told
    assert told.fate is Fate.STARTS_OVER
    assert "it does not share its reading of cities as before" in told.reason
    kept = stateful(before, "sum") & set(carried.plan.uids.values())
    assert len(kept) == 1


def test_a_new_part_never_gets_the_name_of_another_ones_state() -> None:
    """The sum goes on under the name that it had; a later sum of the same words must not find that state."""
    kept = carry_over(plan("sum"), plan("sum-to-others")).plan
    both = carry_over(kept, plan("sum-twice")).plan
    uids = list(both.uids.values())
    assert len(set(uids)) == len(uids)
    other = carry_over(kept, plan("sum-of-price")).plan
    assert not stateful(kept, "sum") & stateful(other, "sum")


def test_a_table_with_other_options_is_no_renamed_one() -> None:
    after = plan("sum-from-taps")
    taps = next(name for name in after.tables if "taps" in name)
    elsewhere = replace(after, tables={**after.tables, taps: "0" * 16})
    before = plan("sum")
    carried = carry_over(before, elsewhere)
    assert not stateful(before, "sum") & set(carried.plan.uids.values())
    assert "clicks:source" not in carried.plan.uids.values()
    assert {told.part.partition("(")[0] for told in carried.told} == {"GroupAggregate", "TableSourceScan"}


def test_rows_of_a_sink_that_are_kept_by_key_are_kept_only_for_the_same_rows() -> None:
    def materializers(found: SqlPlan) -> set[str]:
        return {uid for planned, uid in found.uids.items() if "materialize" in planned}

    before = plan("keyed")
    assert materializers(before)
    assert materializers(carry_over(before, plan("keyed-filtered")).plan) == materializers(before)
    assert not materializers(carry_over(before, plan("keyed-count")).plan) & materializers(before)


@pytest.mark.parametrize("name", ON_BOTH)
def test_a_plan_of_an_older_flink_is_matched_with_one_of_a_newer(name: str) -> None:
    old, new = plan(name, FLINK_VERSIONS[0]), plan(name, FLINK_VERSIONS[-1])
    carried = carry_over(old, new)
    assert carried.told == ()
    assert stateful(carried.plan, name) == stateful(old, name)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_plan_holds_neither_secrets_nor_options_of_tables(name: str) -> None:
    found = plan(name)
    assert "secret" not in found.graph
    assert "/tmp/" not in found.graph
    assert "connector" not in found.graph


def test_state_is_not_said_to_be_kept_forever_where_nobody_said_so() -> None:
    assert not any("state" in node for node in plan("sum").parsed()["nodes"])


def test_a_plan_is_read_as_it_was_written() -> None:
    found = replace(plan("join-and-sum"), options="0123")
    assert SqlPlan.of(found.files()) == found
    with pytest.raises(ArtifactError, match="the compiled plan cannot be read"):
        SqlPlan.of({})


def test_columns_of_a_row_are_read_whatever_their_types_and_names() -> None:
    row = (
        "ROW<`a` VARCHAR(10), `b, `` c` ROW<`x` INT, `y` DECIMAL(10, 2)> NOT NULL, `d` MAP<INT, ROW<`z` INT>>> NOT NULL"
    )
    assert columns_of(row) == (
        ("a", "VARCHAR(10)"),
        ("b, `` c", "ROW<`x` INT, `y` DECIMAL(10, 2)> NOT NULL"),
        ("d", "MAP<INT, ROW<`z` INT>>"),
    )
    told = json.loads('{"type": "ROW", "fields": [{"name": "a", "fieldType": "INT"}]}')
    assert columns_of(told) == (("a", '"INT"'),)
    assert columns_of("ROW<>") == ()
