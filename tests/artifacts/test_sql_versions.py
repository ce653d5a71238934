"""An SQL job goes from one Flink to a newer one with its state: its operators are named alike on both."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from scurry.artifacts.store import ArtifactStore
from scurry.flink.cluster import ClusterSettings, LocalClusters
from scurry.flink.connection import RestSettings
from scurry.flink.java_programs import compile_program
from scurry.flink.rest import FlinkRest
from scurry.model.reporting import SilentReporter
from tests.artifacts.sql_rig import SqlRig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scurry.flink.runtimes import Runtimes

pytestmark = [pytest.mark.flink, pytest.mark.timeout(600)]

SCRIPT = """
CREATE TABLE clicks (name STRING, amount BIGINT, place STRING)
WITH ('connector' = 'filesystem', 'path' = '{folder}/in', 'format' = 'csv', 'source.monitor-interval' = '100ms');
CREATE TABLE totals (name STRING, n BIGINT) WITH ('connector' = 'print', 'print-identifier' = 'totals-{tag}');
CREATE TABLE best (name STRING, n BIGINT) WITH ('connector' = 'print', 'print-identifier' = 'best-{tag}');
INSERT INTO totals SELECT name, COUNT(*) FROM clicks WHERE amount > 0 GROUP BY name;
INSERT INTO best SELECT name, amount FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY name ORDER BY amount DESC) AS rank_of_it FROM clicks
) WHERE rank_of_it <= 1;
"""


@contextmanager
def running(version: str, runtimes: Runtimes, folder: Path) -> Iterator[SqlRig]:
    """A cluster of one version, as long as the block lasts; `folder` is shared by all of them."""
    flink, java = runtimes.flink(version), runtimes.java(version)
    clusters = LocalClusters(folder / "local", SilentReporter())
    runner = compile_program("SqlRunner", flink=flink, java=java, cache=runtimes.cache)
    try:
        cluster = clusters.ensure(ClusterSettings(flink=flink, java=java, state_directory=folder / "state"))
        with FlinkRest(RestSettings(url=cluster.rest_url)) as rest:
            yield SqlRig(cluster, rest, runner=runner, store=ArtifactStore(folder / "store"), folder=folder)
    finally:
        clusters.stop()


def test_counts_and_ranks_go_on_from_1_20_to_2_3(runtimes: Runtimes, tmp_path: Path) -> None:
    with running("1.20.5", runtimes, tmp_path) as old:
        old.feed("first", "a,1,x", "a,7,x", "b,3,x")
        job = old.run(SCRIPT)
        old.wait_until_printed("totals", "+U[a, 2]")
        old.wait_until_printed("best", "+U[a, 7]")
        old.wait_until_printed("best", "+I[b, 3]")
        savepoint = old.stop(job)
    with running("2.3.0", runtimes, tmp_path) as new:
        new.feed("second", "a,5,x", "b,9,x")
        new.run(SCRIPT, savepoint=savepoint)
        new.wait_until_printed("totals", "+U[a, 3]")
        new.wait_until_printed("best", "+U[b, 9]")
        assert "+I[a, 5]" not in new.printed("best")
