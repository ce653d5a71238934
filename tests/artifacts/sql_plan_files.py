"""Plans that Flink compiled, kept as files, and the scripts that they are of.

To make them anew: `python -m tests.artifacts.sql_plan_files`, which takes about 5 s for each.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scurry.artifacts.sql_plan import SqlPlan
from scurry.flink.sql_plans import Compiled, PlanRequest, compile_plan
from tests.artifacts.scripts import script_of
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from scurry.flink.java_asking import Java

FOLDER = Path(__file__).parent / "plans"
TABLES = """
CREATE TABLE clicks (name STRING, amount BIGINT, price BIGINT, seen TIMESTAMP(3), WATERMARK FOR seen AS seen)
WITH ('connector' = 'filesystem', 'path' = '/tmp/clicks', 'format' = 'csv', 'source.monitor-interval' = '1s');
CREATE TABLE cities (name STRING, city STRING)
WITH ('connector' = 'filesystem', 'path' = '/tmp/cities', 'format' = 'csv', 'source.monitor-interval' = '1s');
CREATE TABLE totals (name STRING, n BIGINT) WITH ('connector' = 'print');
CREATE TABLE others (name STRING, n BIGINT) WITH ('connector' = 'print', 'print-identifier' = '${secret:word}');
CREATE TABLE keyed (name STRING, n BIGINT, PRIMARY KEY (n) NOT ENFORCED) WITH ('connector' = 'print');
"""
SUM = "INSERT INTO totals SELECT name, SUM(amount) FROM clicks GROUP BY name;"
SMALL = "INSERT INTO totals SELECT name, COUNT(*) FROM clicks WHERE amount < 3 GROUP BY name;"
LARGE = "INSERT INTO totals SELECT name, COUNT(*) FROM clicks WHERE amount >= 3 GROUP BY name;"
NESTED = """INSERT INTO totals SELECT CAST(n AS STRING), COUNT(*) FROM (
  SELECT name, COUNT(*) AS n FROM clicks GROUP BY name) GROUP BY n;"""
JOIN = "INSERT INTO totals SELECT city, amount FROM clicks JOIN cities ON clicks.name = cities.name;"
WINDOW = """INSERT INTO totals SELECT name, SUM(amount) FROM TABLE(
  TUMBLE(TABLE clicks, DESCRIPTOR(seen), INTERVAL '1' MINUTE)) GROUP BY name, window_start, window_end;"""
TOP = """INSERT INTO totals SELECT name, amount FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY name ORDER BY amount DESC) AS place FROM clicks) WHERE place <= 3;"""
CITIES = "INSERT INTO totals SELECT city, COUNT(*) FROM cities GROUP BY city;"
NAMES = "INSERT INTO others SELECT name, COUNT(*) FROM cities GROUP BY name;"
BATCHES = """SET 'table.exec.mini-batch.enabled' = 'true'; SET 'table.exec.mini-batch.allow-latency' = '1s';
SET 'table.exec.mini-batch.size' = '100';"""

SCRIPTS = {
    "sum": TABLES + SUM,
    "sum-filtered": TABLES + SUM.replace("GROUP", "WHERE price > 0 GROUP"),
    "sum-aliased": TABLES + "CREATE VIEW v AS SELECT name AS x, amount AS y FROM clicks;\n"
    "INSERT INTO totals SELECT x, SUM(y) AS z FROM v GROUP BY x;",
    "sum-projected": TABLES + SUM.replace("SELECT name, SUM(amount)", "SELECT LOWER(name), SUM(amount) * 2"),
    "sum-to-others": TABLES + SUM.replace("totals", "others"),
    "sum-from-taps": (TABLES + SUM).replace("clicks (", "taps (").replace("FROM clicks", "FROM taps"),
    "sum-of-price": TABLES + SUM.replace("amount", "price"),
    "sum-by-upper": TABLES + SUM.replace("SELECT name", "SELECT UPPER(name)").replace("BY name", "BY UPPER(name)"),
    "sum-and-max": TABLES + SUM.replace("SUM(amount)", "SUM(amount) + MAX(price)"),
    "sum-after-count": TABLES + "INSERT INTO others SELECT name, COUNT(*) FROM clicks GROUP BY name;\n" + SUM,
    "sum-twice": TABLES + "INSERT INTO others SELECT name, SUM(amount) FROM clicks GROUP BY name;\n" + SUM,
    "sum-in-batches": BATCHES + TABLES + SUM,
    "sum-in-batches-filtered": BATCHES + TABLES + SUM.replace("GROUP", "WHERE price > 0 GROUP"),
    "count": TABLES + SUM.replace("SUM(amount)", "COUNT(*)"),
    "small-large": TABLES + SMALL + LARGE,
    "large-small": TABLES + LARGE + SMALL,
    "small-larger": TABLES + SMALL + LARGE.replace(">= 3", ">= 5"),
    "other-larger": TABLES + SMALL.replace("< 3", "< 2") + LARGE.replace(">= 3", ">= 5"),
    "nested": TABLES + NESTED,
    "nested-having": TABLES + NESTED.replace("BY name)", "BY name HAVING COUNT(*) > 1)"),
    "nested-filtered": TABLES + NESTED.replace("FROM clicks", "FROM clicks WHERE price > 0"),
    "nested-max": TABLES + NESTED.replace("COUNT(*) AS n", "MAX(amount) AS n"),
    "cities": TABLES + CITIES + NAMES,
    "cities-filtered": TABLES + CITIES.replace("GROUP", "WHERE name <> 'a' GROUP") + NAMES,
    "join": TABLES + JOIN,
    "join-wider": TABLES + JOIN.replace("amount", "amount + price"),
    "join-filtered": TABLES + JOIN.replace(";", " WHERE city <> 'Rome';"),
    "join-and-sum": TABLES + SUM + JOIN.replace("totals", "others"),
    "window": TABLES + WINDOW,
    "window-filtered": TABLES + WINDOW.replace("GROUP", "WHERE price > 0 GROUP"),
    "window-longer": TABLES + WINDOW.replace("'1' MINUTE", "'2' MINUTE"),
    "top": TABLES + TOP,
    "top-wider": TABLES + TOP.replace("<= 3", "<= 5"),
    "keyed": TABLES + SUM.replace("totals", "keyed"),
    "keyed-filtered": TABLES + SUM.replace("totals", "keyed").replace("GROUP", "WHERE price > 0 GROUP"),
    "keyed-count": TABLES + SUM.replace("totals", "keyed").replace("SUM(amount)", "COUNT(*)"),
}
ON_BOTH = ("sum", "sum-filtered", "join", "nested", "window", "small-large")
"""kept of each Flink version; the others of the newest only"""
ON_OLD = ("keyed", "keyed-filtered", "keyed-count")
"""of the oldest only: newer ones ask for an ON CONFLICT, which that one does not know"""
ON_NEW = tuple(name for name in SCRIPTS if name not in ON_OLD)


def plan(name: str, version: str | None = None) -> SqlPlan:
    """Return a kept plan, of the newest Flink that there is one of."""
    version = version or FLINK_VERSIONS[0 if name in ON_OLD else -1]
    told = msgspec.json.decode((FOLDER / f"{name}-{version}.json").read_bytes(), type=Compiled)
    return plan_of(told, version)


def plan_of(told: Compiled, version: str) -> SqlPlan:
    """Return what the compiler said as a plan."""
    assert told.refusal is None, told.text
    return SqlPlan(
        graph=told.graph, inserts=told.inserts, sinks=told.sinks, uids=told.uids, tables=told.tables, flink=version
    )


def compiled(name: str, on: Java) -> Compiled:
    """Compile a script now."""
    return compile_plan(PlanRequest(statements=script_of(SCRIPTS[name]).sources()), on)


def main() -> None:
    """Make all of them anew."""
    from scurry.flink.java_asking import Java
    from scurry.flink.runtimes import Runtimes, default_cache
    from scurry.model.reporting import SilentReporter

    runtimes = Runtimes(cache=default_cache(), reporter=SilentReporter())
    for version in FLINK_VERSIONS:
        on = Java(flink=runtimes.flink(version), java=runtimes.java(version), cache=runtimes.cache)
        for name in ON_NEW if version == FLINK_VERSIONS[-1] else (*ON_BOTH, *ON_OLD):
            told = compiled(name, on)
            sys.stdout.write(f"{name}-{version}: {told.refusal or 'compiled'} {told.text}\n")
            sys.stdout.flush()
            (FOLDER / f"{name}-{version}.json").write_bytes(msgspec.json.encode(told) + b"\n")


if __name__ == "__main__":
    main()
