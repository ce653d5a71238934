"""Which tables a script reads and writes, and the same script without its sinks."""

from __future__ import annotations

import pytest

from scurry.model.errors import Place
from scurry.model.script import Origin, Script
from scurry.spec.sql_statements import split_statements
from scurry.spec.sql_tables import NOWHERE, WithoutSinks, tables, without_sinks

ORDERS = "CREATE TABLE orders (id BIGINT, at TIMESTAMP(3)) WITH ('connector' = 'kafka', 'topic' = 'o', 'scan' = 'x');"
TOTALS = "CREATE TABLE totals (id BIGINT) WITH ('connector' = 'jdbc', 'table-name' = 't', 'password' = 'hidden');"
INSERT = "INSERT INTO totals SELECT id FROM orders;"


def script(*lines: str) -> Script:
    text = "\n".join(lines)
    origin = Origin(offset=0, place=Place(file="queries.sql", line=1, column=1))
    return split_statements(Script(text=text, origins=(origin,)))


def without(*lines: str) -> WithoutSinks:
    return without_sinks(script(*lines))


def test_tables_are_told_with_where_they_are_and_without_their_secrets() -> None:
    orders, totals = tables(script(ORDERS, TOTALS, INSERT).sources())
    assert (str(orders), orders.written, orders.read) == ("orders (kafka, topic o)", False, True)
    assert (str(totals), totals.written, totals.read) == ("totals (jdbc, table-name t)", True, False)


def test_a_sink_becomes_one_that_swallows_everything_and_all_else_stays() -> None:
    found = without(ORDERS, TOTALS, INSERT)
    assert found.script.text == "\n".join([ORDERS, f"CREATE TABLE totals (id BIGINT) {NOWHERE};", INSERT])
    assert found.script.sources()[2] == INSERT.rstrip(";")
    assert ([table.name for table in found.replaced], found.kept) == (["totals"], ())


def test_errors_still_find_the_lines_that_the_user_wrote() -> None:
    before = script(ORDERS, TOTALS, "", INSERT, TOTALS.replace("totals", "more"), INSERT.replace("totals", "more"))
    after = without_sinks(before).script
    assert [table.name for table in without_sinks(before).replaced] == ["totals", "more"]
    for number, statement in enumerate(before.statements):
        moved = after.statements[number]
        assert after.place(moved.start) == before.place(statement.start)
        assert after.place(moved.end) == before.place(statement.end)
    assert after.place(after.text.index(NOWHERE) + 20).line == 2


@pytest.mark.parametrize(
    "insert",
    [
        "INSERT INTO `totals` SELECT 1",
        "insert into totals select 1",
        "INSERT OVERWRITE totals SELECT 1",
        "INSERT INTO TABLE totals SELECT 1",
        "EXECUTE STATEMENT SET BEGIN INSERT INTO totals SELECT 1; INSERT INTO totals SELECT 2; END",
        "INSERT INTO totals (id) VALUES (1) -- totals",
        "INSERT INTO totals SELECT 'totals' /* FROM totals */",
    ],
)
def test_inserts_are_found_however_they_are_written(insert: str) -> None:
    assert [table.name for table in without(TOTALS, f"{insert};").replaced] == ["totals"]


@pytest.mark.parametrize(
    "create",
    [
        "CREATE TABLE IF NOT EXISTS totals (id BIGINT) WITH ('connector' = 'print');",
        "CREATE TEMPORARY TABLE totals (id BIGINT) PARTITIONED BY (id) WITH ('connector'='print');",
        "CREATE TABLE `totals` (`with` DECIMAL(10, 2), PRIMARY KEY (`with`) NOT ENFORCED) WITH ('connector'='print');",
        "CREATE TABLE totals (at TIMESTAMP METADATA VIRTUAL) COMMENT 'with ('  WITH ('connector'='print') ;",
    ],
)
def test_tables_are_found_however_they_are_created(create: str) -> None:
    found = without(create, "INSERT INTO totals SELECT 1;")
    assert [table.name for table in found.replaced] == ["totals"]
    assert found.script.text == f"{create[: create.index('WITH (')]}{NOWHERE}{create[create.rindex(')') + 1 :]}" + (
        "\nINSERT INTO totals SELECT 1;"
    )


@pytest.mark.parametrize(
    ("statements", "why"),
    [
        ((TOTALS, "INSERT INTO totals /*+ OPTIONS('a'='b') */ SELECT 1;"), "it is written to with hints"),
        ((INSERT,), "it is not created in the script"),
        ((TOTALS, INSERT, "CREATE VIEW v AS SELECT * FROM totals;"), "it is read as well, or changed"),
        ((TOTALS, INSERT, "INSERT INTO totals SELECT id FROM totals;"), "it is read as well, or changed"),
        ((TOTALS, INSERT, "ALTER TABLE totals SET ('a' = 'b');"), "it is read as well, or changed"),
        (("CREATE TABLE totals WITH ('connector' = 'print') LIKE orders;", INSERT), "(LIKE)"),
        (("CREATE TABLE totals LIKE orders;", INSERT), "its options are not in the script"),
        (
            ("CREATE TABLE totals (k STRING METADATA FROM 'key') WITH ('connector' = 'kafka');", INSERT),
            "it has metadata columns that are written",
        ),
        (
            ("CREATE TABLE totals WITH ('connector' = 'print') AS SELECT 1;", "INSERT INTO totals SELECT 1;"),
            "it is created from a query",
        ),
    ],
)
def test_what_cannot_be_replaced_stays_and_is_told(statements: tuple[str, ...], why: str) -> None:
    found = without(ORDERS, *statements)
    assert found.script.text == "\n".join([ORDERS, *statements])
    (kept,) = found.kept
    assert kept.name == "totals"
    assert why in (kept.unfit or "")


def test_a_table_of_a_catalog_is_kept() -> None:
    (kept,) = without("INSERT INTO lake.db.totals SELECT 1;").kept
    assert str(kept) == "lake.db.totals"
