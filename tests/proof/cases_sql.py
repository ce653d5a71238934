"""Changes of SQL applications. What they write begins with key and count. Data only."""

from __future__ import annotations

from dataclasses import replace

from tests.proof.cases import Case, Kind, Version

CLICKS = """CREATE TABLE clicks ({columns}) WITH ('connector' = 'datagen', 'rows-per-second' = '40',
 'fields.k.min' = '0', 'fields.k.max' = '3', 'fields.amount.min' = '1', 'fields.amount.max' = '9')"""
PLAIN = CLICKS.format(columns="k INT, amount BIGINT")
COUNTED = "CREATE TABLE counted ({columns}) WITH ('connector' = 'print', 'print-identifier' = '{{tag}}')"
TWO = COUNTED.format(columns="k INT, n BIGINT")
THREE = COUNTED.format(columns="k INT, n BIGINT, more BIGINT")
OTHER = "CREATE TABLE other (k INT, amount BIGINT) WITH ('connector' = 'blackhole')"
COUNT = "INSERT INTO counted SELECT k, COUNT(*) FROM clicks GROUP BY k"
ITEMS = CLICKS.replace("TABLE clicks", "TABLE items").format(columns="k INT, amount BIGINT, price BIGINT")
BLACK = "CREATE TABLE joined ({columns}) WITH ('connector' = 'blackhole')"


def script(*statements: str) -> Version:
    """Return an SQL application."""
    return Version(kind=Kind.SQL, steps=statements)


def changed(name: str, change: str, *statements: str, before: Version | None = None, **more: object) -> Case:
    """Return a case; without `before`, of the query that counts by key."""
    old = before or script(PLAIN, TWO, COUNT)
    case = Case(name=f"sql-{name}", change=change, before=old, after=script(*statements))
    return replace(case, **more)  # type: ignore[arg-type]


JOIN = script(
    PLAIN,
    ITEMS,
    BLACK.format(columns="k INT, amount BIGINT"),
    "INSERT INTO joined SELECT c.k, c.amount FROM clicks c JOIN items i ON c.k = i.k AND c.amount = i.amount",
)
WINDOW = (
    "INSERT INTO joined SELECT w.window_start, w.k, COUNT(*) FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), {size})) w\
 GROUP BY w.window_start, w.window_end, w.k"
)
TIMED = CLICKS.format(columns="k INT, amount BIGINT, ts AS PROCTIME()")
WINDOWED = BLACK.format(columns="ts TIMESTAMP(3), k INT, n BIGINT")

SQL = (
    changed("nothing-changed", "nothing", PLAIN, TWO, COUNT, old_flinks=True),
    changed(
        "column-added",
        "a computed column added behind the aggregate",
        PLAIN,
        THREE,
        "INSERT INTO counted SELECT k, COUNT(*), CAST(k AS BIGINT) * 2 FROM clicks GROUP BY k",
        old_flinks=True,
    ),
    changed(
        "source-column-added",
        "a column added to the source's table, and not used",
        CLICKS.format(columns="k INT, amount BIGINT, price BIGINT"),
        TWO,
        COUNT,
    ),
    changed(
        "aggregate-added",
        "an aggregate added",
        PLAIN,
        THREE,
        "INSERT INTO counted SELECT k, COUNT(*), SUM(amount) FROM clicks GROUP BY k",
        old_flinks=True,
    ),
    changed(
        "aggregate-changed",
        "another aggregate of the same type",
        PLAIN,
        TWO,
        "INSERT INTO counted SELECT k, SUM(amount) FROM clicks GROUP BY k",
    ),
    changed(
        "filter-added",
        "a filter added in front of the aggregate",
        PLAIN,
        TWO,
        "INSERT INTO counted SELECT k, COUNT(*) FROM clicks WHERE amount > 3 GROUP BY k",
        old_flinks=True,
    ),
    changed(
        "filter-changed",
        "the filter in front of the aggregate changed",
        PLAIN,
        TWO,
        "INSERT INTO counted SELECT k, COUNT(*) FROM clicks WHERE amount > 4 GROUP BY k",
        before=script(PLAIN, TWO, "INSERT INTO counted SELECT k, COUNT(*) FROM clicks WHERE amount > 2 GROUP BY k"),
    ),
    changed(
        "having-added",
        "a filter added behind the aggregate",
        PLAIN,
        TWO,
        "INSERT INTO counted SELECT k, COUNT(*) FROM clicks GROUP BY k HAVING COUNT(*) > 1",
    ),
    changed(
        "key-added",
        "a column added to GROUP BY",
        PLAIN,
        TWO,
        "INSERT INTO counted SELECT k, COUNT(*) FROM clicks GROUP BY k, amount",
    ),
    changed(
        "join-added",
        "a join added in front of the aggregate",
        PLAIN,
        ITEMS,
        TWO,
        "INSERT INTO counted SELECT c.k, COUNT(*) FROM clicks c JOIN items i ON c.amount = i.amount AND c.k = i.k"
        " GROUP BY c.k",
    ),
    changed(
        "join-column-added",
        "a column of the right side added to a join",
        PLAIN,
        ITEMS,
        BLACK.format(columns="k INT, amount BIGINT, price BIGINT"),
        "INSERT INTO joined SELECT c.k, c.amount, i.price FROM clicks c JOIN items i"
        " ON c.k = i.k AND c.amount = i.amount",
        before=JOIN,
        old_flinks=True,
    ),
    changed("join-same", "nothing in a join", *JOIN.steps, before=JOIN),
    changed(
        "insert-added",
        "one more INSERT of the same source",
        PLAIN,
        TWO,
        OTHER,
        COUNT,
        "INSERT INTO other SELECT k, amount FROM clicks",
    ),
    changed(
        "type-changed",
        "type of a column that is summed up, INT → BIGINT",
        PLAIN,
        THREE,
        "INSERT INTO counted SELECT k, COUNT(*), SUM(amount) FROM clicks GROUP BY k",
        before=script(
            CLICKS.format(columns="k INT, amount INT"),
            THREE,
            "INSERT INTO counted SELECT k, COUNT(*), SUM(amount) FROM clicks GROUP BY k",
        ),
    ),
    changed(
        "table-renamed",
        "the source's table renamed",
        PLAIN.replace("TABLE clicks", "TABLE taps"),
        TWO,
        "INSERT INTO counted SELECT k, COUNT(*) FROM taps GROUP BY k",
    ),
    changed(
        "sink-renamed",
        "the sink's table renamed",
        PLAIN,
        TWO.replace("TABLE counted", "TABLE totals"),
        "INSERT INTO totals SELECT k, COUNT(*) FROM clicks GROUP BY k",
    ),
    changed(
        "ttl-set",
        "a time to live set for all state",
        PLAIN,
        TWO,
        COUNT,
        after=replace(script(PLAIN, TWO, COUNT), config={"table.exec.state.ttl": "1 h"}),
        old_flinks=True,
    ),
    changed(
        "window-size",
        "size of a window, 1 h → 2 h",
        TIMED,
        WINDOWED,
        WINDOW.format(size="INTERVAL '2' HOUR"),
        before=script(TIMED, WINDOWED, WINDOW.format(size="INTERVAL '1' HOUR")),
    ),
)
