"""Flink's text on an SQL script, brought to the place in the user's template; real texts are in test_sql_runner."""

from __future__ import annotations

import pytest

from scurry.artifacts.connector_hints import connector_hint
from scurry.artifacts.sql_errors import locate
from scurry.model.errors import Place
from scurry.model.script import Origin, Script, Statement
from tests.artifacts.scripts import script_of

TRACE = """org.apache.flink.client.program.ProgramInvocationException: main caused an error: scurry-sql-error {}
scurry-sql-error end
\tat org.apache.flink.client.program.PackagedProgram.callMainMethod(PackagedProgram.java:373)
Caused by: java.lang.RuntimeException: scurry-sql-error {}
scurry-sql-error end
\tat io.scurry.SqlRunner.describe(SqlRunner.java:214)
"""


def told(text: str) -> str:
    """The text in the stack trace of a failed run."""
    return TRACE.format(text, text)


def test_a_position_is_that_of_the_template_and_not_of_the_rendered_text() -> None:
    #   queries.sql.j2:  INSERT INTO t SELECT {{ columns }}\n  FROM src
    text = "INSERT INTO t SELECT one, two, three\n  FORM src"
    script = Script(
        text=text,
        origins=(
            Origin(offset=0, place=Place(file="queries.sql.j2", line=4, column=1)),
            Origin(offset=21, place=Place(file="queries.sql.j2", line=4, column=22), fixed=True),
            Origin(offset=36, place=Place(file="queries.sql.j2", line=4, column=35)),
        ),
        statements=(Statement(start=0, end=len(text)),),
    )
    parse = 'statement=0 line=2 column=3\nSQL parse failed. Encountered "FORM" at line 2, column 3.\n'
    found = locate(told(parse + 'Was expecting one of:\n    <EOF> \n    "AS" ...'), script)
    assert found is not None
    assert str(found).startswith("queries.sql.j2:5:3: not valid SQL: 'FORM' was not expected here")
    inside = locate(told("statement=0 line=1 column=27\nSQL validation failed. Column 'two' not found"), script)
    assert inside is not None
    assert str(inside) == "queries.sql.j2:4:22: Column 'two' not found"


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_repeated_lead_ins_and_positions_are_told_by_the_place(line_end: str) -> None:
    text = (
        "statement=1 line=1 column=8\nSQL validation failed. SQL validation failed. "
        "From line 1, column 8 to line 1, column 10: Column 'x' not found in any table"
    )
    found = locate(told(text).replace("\n", line_end), script_of("SET 'a' = 'b';\nSELECT x FROM t"))
    assert str(found) == "queries.sql:2:8: Column 'x' not found in any table"


def test_a_mere_name_as_root_cause_is_told_with_what_failed() -> None:
    text = "statement=0\nCannot instantiate user-defined function 'f'.\nscurry-sql-error cause\norg.example.Missing"
    found = locate(told(text), script_of("INSERT INTO t SELECT f(x) FROM s"))
    assert str(found) == "queries.sql:1:1: Cannot instantiate user-defined function 'f': org.example.Missing"


def test_a_missing_connector_is_told_at_the_table_that_names_it() -> None:
    script = script_of(
        "CREATE TABLE a (n INT) WITH ('connector' = 'kafka');\n"
        "create temporary table if not exists `my`.`Orders` (\n  n INT\n) WITH (\n  'connector'='kafka'\n);\n"
        "INSERT INTO a SELECT n FROM Orders"
    )
    text = (
        "statement=2\nUnable to create a source for reading table 'default_catalog.my.Orders'.\n\nTable options are:\n"
        "\n'connector'='kafka'\nscurry-sql-error cause\nCannot discover a connector using option: 'connector'='kafka'\n"
        "scurry-sql-error cause\nCould not find any factory for identifier 'kafka' that implements "
        "'org.apache.flink.table.factories.DynamicTableFactory' in the classpath.\n\n"
        "Available factory identifiers are:\n\nblackhole\ndatagen\n"
    )
    found = locate(told(text), script, flink_version="1.20.5")
    assert found is not None
    assert str(found) == (
        "queries.sql:5:15: the connector 'kafka' of the table 'Orders' is not there; there are: blackhole, datagen"
    )
    assert found.hint == (
        'Add it to the spec:\n  connectors: ["mvn:org.apache.flink:flink-sql-connector-kafka:3.4.0-1.20"]'
    )


@pytest.mark.parametrize(
    "text",
    [
        "java.lang.OutOfMemoryError: Java heap space",
        told("statement=7 line=1 column=1\nwhat another script says"),
        "scurry-sql-error statement=0 line=1 column=1\ncut off before its en",
        "",
    ],
)
def test_a_text_that_is_not_about_the_script_is_left_to_others(text: str) -> None:
    assert locate(text, script_of("SELECT 1")) is None


@pytest.mark.parametrize(
    ("name", "flink", "coordinate"),
    [
        ("kafka", "2.3.0", "flink-sql-connector-kafka:5.0.0-2.2"),
        ("kafka", "2.0.1", "flink-sql-connector-kafka:4.0.1-2.0"),
        ("upsert-kafka", "1.18.1", "flink-sql-connector-kafka:3.2.0-1.18"),
        ("jdbc", "1.20.5", "flink-connector-jdbc:3.3.0-1.20"),
        ("parquet", "2.3.0", "flink-sql-parquet:2.3.0"),
        ("avro-confluent", None, "flink-sql-avro-confluent-registry:FLINK-VERSION"),
    ],
)
def test_known_connectors_come_with_the_version_for_this_flink(name: str, flink: str | None, coordinate: str) -> None:
    assert f'"mvn:org.apache.flink:{coordinate}"' in connector_hint(name, "connector", flink)


def test_an_unknown_connector_is_not_guessed_at() -> None:
    assert "mvn:" not in connector_hint("own-thing", "connector", "2.3.0")
