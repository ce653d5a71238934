"""The whole year through a real Flink, with an upgrade in the middle: every number, against DuckDB."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.examples.stage import EXAMPLES, SCURRY, finished, rows, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.examples.conftest import MakeStage
    from tests.examples.stage import Stage

EXAMPLE = "01-flight-delays"
NAME = "flight-delays"
pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(900)]

Key = tuple[str, str]
Numbers = tuple[int, float | None, float]


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """The example's own modules `prepare` and `results`."""
    monkeypatch.syspath_prepend(EXAMPLES / EXAMPLE)
    import prepare  # type: ignore[import-not-found]
    import results  # type: ignore[import-not-found]

    yield prepare, results
    for module in ("prepare", "results"):
        sys.modules.pop(module)


def test_a_year_with_an_upgrade_in_the_middle_equals_duckdb(make_stage: MakeStage, example: tuple[Any, Any]) -> None:
    prepare, results = example
    stage = make_stage(EXAMPLE)
    months = prepare.prepare(stage.data)
    found = results.Results(stage.data / "results")

    def feed(month: int) -> None:
        last = results.last_hour_of(months[month - 1])
        prepare.feed(months[month - 1])
        wait_until(lambda: found.update().last_hour >= last, f"results of month {month}")

    first = stage.apply()
    assert (first["outcome"], first["revision"]) == ("converged", 1)
    for month in range(1, 7):
        feed(month)

    counted = found.flights
    assert 0 < counted < prepare.FLIGHTS
    stage.edit("queries.sql.j2", "-- v2: ", "")
    second = _apply_while_july_arrives(stage, first["job_id"], lambda: prepare.feed(months[6]))
    assert (second["outcome"], second["revision"]) == ("converged", 2)
    assert second["gap_seconds"] > 0
    assert stage.status(NAME)["restored_from"] == second["snapshot"]["location"]

    for month in range(8, 13):
        feed(month)
    stage.run("stop", NAME, "--drain", "--yes")

    actual, with_cancelled = _written(stage.data / "results")
    assert actual == _by_duckdb(prepare.flights_csv())
    assert sum(flights for flights, _, _ in actual.values()) == prepare.FLIGHTS
    assert 0 < with_cancelled < len(actual), "the upgrade was not in the middle"


def _apply_while_july_arrives(stage: Stage, old_job: str, feed: Any) -> Any:
    """July comes when nobody reads: the new job has to find it."""
    apply = stage.start("apply", "application.yaml", "--yes", "--json")
    wait_until(lambda: stage.rest(NAME, f"/jobs/{old_job}")["state"] == "FINISHED", "the old job's end")
    feed()
    (applied,) = json.loads(finished(apply))["applications"]
    return applied


def _written(folder: Path) -> tuple[dict[Key, Numbers], int]:
    """Return all results; and how many were written by the second version. No key may be there twice."""
    actual: dict[Key, Numbers] = {}
    with_cancelled = 0
    for line in rows(folder):
        row = json.loads(line)
        key = (row["carrier"], row["departure_hour"])
        assert key not in actual, f"{key} was written twice"
        actual[key] = (row["flights"], row["mean_delay"], row["cancelled_share"])
        if "cancelled" in row:
            with_cancelled += 1
            assert row["cancelled"] == round(row["cancelled_share"] * row["flights"])
    return actual, with_cancelled


def _by_duckdb(flights: Path) -> dict[Key, Numbers]:
    query = """
        SELECT carrier, strftime(time_hour::TIMESTAMP, '%Y-%m-%d %H:%M:%S'),
               count(*), avg(dep_delay), count(*) FILTER (WHERE dep_time IS NULL)::DOUBLE / count(*)
        FROM read_csv($flights, nullstr = 'NA') GROUP BY ALL
    """
    with duckdb.connect() as connection:
        found = connection.execute(query, {"flights": str(flights)}).fetchall()
    return {(carrier, hour): (count, delay, share) for carrier, hour, count, delay, share in found}


def test_the_demo_runs_to_its_end_and_leaves_nothing_running(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / EXAMPLE / "demo.py"), "--folder", str(tmp_path / "demo")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "336,776 of 336,776 flights counted: none lost, none twice." in done.stdout
    assert "http://127.0.0.1:" in done.stdout
    assert "not processing for" in done.stdout
    left = subprocess.run(
        [SCURRY, "local", "status", "--json"],
        cwd=tmp_path / "demo",
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(left.stdout)["clusters"] == []
