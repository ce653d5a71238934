"""Which changes of a query keep its state, on real Flink: savepoint of the old script, start of the new one from it.

That nothing is lost or counted twice shows in the counts that the new job prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.artifacts.sql_rig import SqlRig

pytestmark = [pytest.mark.flink, pytest.mark.timeout(600)]

TABLES = """
CREATE TABLE clicks (name STRING, amount BIGINT)
WITH ('connector' = 'filesystem', 'path' = '{folder}/in', 'format' = 'csv', 'source.monitor-interval' = '100ms');
CREATE TABLE totals (name STRING, n BIGINT) WITH ('connector' = 'print', 'print-identifier' = 'totals-{tag}');
CREATE TABLE others (name STRING, n BIGINT) WITH ('connector' = 'print', 'print-identifier' = 'others-{tag}');
"""
COUNT = TABLES + "INSERT INTO totals SELECT name, COUNT(*) FROM clicks GROUP BY name;"

KEEPS = {
    "nothing": "INSERT INTO totals SELECT name, COUNT(*) FROM clicks GROUP BY name",
    "a filter before the aggregate": (
        "INSERT INTO totals SELECT name, COUNT(*) FROM clicks WHERE amount > 0 GROUP BY name"
    ),
    "a filter after the aggregate": (
        "INSERT INTO totals SELECT name, COUNT(*) FROM clicks GROUP BY name HAVING COUNT(*) > 1"
    ),
    "a projection after the aggregate": (
        "INSERT INTO totals SELECT LOWER(name), n * 1 FROM (SELECT name, COUNT(*) AS n FROM clicks GROUP BY name)"
    ),
    "another name of the result": "INSERT INTO totals SELECT name, COUNT(*) AS clicks_so_far FROM clicks GROUP BY name",
    "a view in between": (
        "CREATE VIEW counted AS SELECT name, COUNT(*) AS n FROM clicks GROUP BY name; "
        "INSERT INTO totals SELECT name, n FROM counted"
    ),
    "one more query of the same source": (
        "INSERT INTO totals SELECT name, COUNT(*) FROM clicks GROUP BY name; "
        "INSERT INTO others SELECT name, amount FROM clicks"
    ),
    "one more query put before": (
        "INSERT INTO others SELECT name, SUM(amount) FROM clicks GROUP BY name; "
        "INSERT INTO totals SELECT name, COUNT(*) FROM clicks GROUP BY name"
    ),
}


REFUSED = {
    "another aggregate, with an accumulator of the same type": (
        "INSERT INTO totals SELECT name, SUM(amount) FROM clicks GROUP BY name"
    ),
    "one more aggregate": "INSERT INTO totals SELECT name, COUNT(*) + MAX(amount) FROM clicks GROUP BY name",
    "another key": "INSERT INTO totals SELECT UPPER(name), COUNT(*) FROM clicks GROUP BY UPPER(name)",
    "another table to write to": "INSERT INTO others SELECT name, COUNT(*) FROM clicks GROUP BY name",
}
WITH_FLINKS_OWN_IDS = "SET 'table.exec.uid.generation' = 'PLAN_ONLY';"


def counted_and_stopped(rig: SqlRig, script: str) -> str:
    """Run the counting script over three clicks and return its savepoint: two of a, one of b."""
    rig.feed("first", "a,1", "a,2", "b,3")
    job = rig.run(script)
    rig.wait_until_printed("totals", "+U[a, 2]")
    rig.wait_until_printed("totals", "+I[b, 1]")
    return rig.stop(job)


@pytest.mark.parametrize("change", KEEPS)
def test_a_change_that_keeps_the_state_goes_on_from_the_counts(rig: SqlRig, change: str) -> None:
    savepoint = counted_and_stopped(rig, COUNT)
    before = len(rig.printed("totals"))
    rig.feed("second", "a,10", "b,10")

    rig.run(TABLES + KEEPS[change], savepoint=savepoint)

    rig.wait_until_printed("totals", "+U[a, 3]")
    rows = rig.printed("totals")[before:]
    started_over = {"+I[a, 1]", "+I[a, 2]", "+I[b, 1]"}
    read_again = {"+U[a, 4]", "+U[a, 5]"}
    assert not (started_over | read_again) & set(rows)


@pytest.mark.parametrize("change", REFUSED)
def test_a_change_that_the_state_does_not_fit_is_refused_and_restores_nothing_wrong(rig: SqlRig, change: str) -> None:
    savepoint = counted_and_stopped(rig, COUNT)
    before = rig.printed("totals")

    why = rig.refused(TABLES + REFUSED[change], savepoint=savepoint)

    assert "Cannot map checkpoint/savepoint state for operator" in why
    assert rig.printed("totals") == before


def test_a_changed_aggregate_can_start_over_while_its_source_goes_on(rig: SqlRig) -> None:
    savepoint = counted_and_stopped(rig, COUNT)
    rig.feed("second", "a,10")

    changed = TABLES + "INSERT INTO totals SELECT name, SUM(amount) FROM clicks GROUP BY name"
    rig.run(changed, savepoint=savepoint, allow_non_restored_state=True)

    rig.wait_until_printed("totals", "+I[a, 10]")


def test_two_queries_into_one_table_keep_their_own_state_when_they_change_places(rig: SqlRig) -> None:
    small = "INSERT INTO totals SELECT name, COUNT(*) FROM clicks WHERE amount < 3 GROUP BY name;"
    large = "INSERT INTO totals SELECT name, COUNT(*) + 100 FROM clicks WHERE amount >= 3 GROUP BY name;"
    rig.feed("first", "a,1", "a,2", "a,3")
    job = rig.run(TABLES + small + large)
    rig.wait_until_printed("totals", "+U[a, 2]")
    rig.wait_until_printed("totals", "+I[a, 101]")
    savepoint = rig.stop(job)
    rig.feed("second", "a,1", "a,3")

    rig.run(TABLES + large + small, savepoint=savepoint)

    rig.wait_until_printed("totals", "+U[a, 3]")
    rig.wait_until_printed("totals", "+U[a, 102]")


def test_flinks_own_ids_lose_the_state_where_ours_keep_it(rig: SqlRig) -> None:
    savepoint = counted_and_stopped(rig, WITH_FLINKS_OWN_IDS + COUNT)
    changed = KEEPS["one more query put before"]

    why = rig.refused(WITH_FLINKS_OWN_IDS + TABLES + changed, savepoint=savepoint)

    assert "Cannot map checkpoint/savepoint state for operator" in why
