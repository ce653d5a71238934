"""The SQL runner on real Flink: what it runs, what it refuses, and where in the user's file it says the trouble is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scurry.artifacts.lock import LockFile
from scurry.artifacts.maven import Maven
from scurry.artifacts.repository import Repositories
from scurry.artifacts.sql_errors import locate
from scurry.flink.rest import JarRequest
from scurry.model.errors import Problem, RejectedByTarget
from tests.artifacts.scripts import script_of
from tests.artifacts.sql_rig import wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scurry.flink.runtimes import Runtimes
    from tests.artifacts.conftest import Remembering
    from tests.artifacts.sql_rig import SqlRig

pytestmark = [pytest.mark.flink, pytest.mark.timeout(600)]

SOURCE = "CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '5');\n"
ENDLESS = "CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1');\n"
SINK = "CREATE TABLE sink (n BIGINT) WITH ('connector' = 'blackhole');\n"
BATCH = "SET 'execution.runtime-mode' = 'batch';\n"


def rejected(rig: SqlRig, sql: str, secrets: Mapping[str, str] | None = None) -> str:
    """Run a script that does not get as far as a job; return what Flink says."""
    args = tuple(part for name, value in (secrets or {}).items() for part in ("--secret", f"{name}={value}"))
    before = len(rig.rest.jobs())
    with pytest.raises(RejectedByTarget) as caught:
        rig.rest.run(rig.upload(sql), JarRequest(program_args_list=args))
    assert len(rig.rest.jobs()) == before, "no job was started"
    return caught.value.cause


def problem(rig: SqlRig, sql: str, secrets: Mapping[str, str] | None = None) -> Problem:
    """What the user is told about a script."""
    found = locate(rejected(rig, sql, secrets), script_of(sql), flink_version="2.3.0")
    assert found is not None
    return found


def test_files_are_read_and_written_exactly(rig: SqlRig) -> None:
    (rig.folder / "in.csv").write_text("a,1\nb,2\na,3\n")
    job = rig.run(
        BATCH
        + """
        CREATE TABLE orders (name STRING, amount BIGINT)
        WITH ('connector' = 'filesystem', 'path' = '{folder}/in.csv', 'format' = 'csv');
        CREATE TABLE totals (name STRING, amount BIGINT)
        WITH ('connector' = 'filesystem', 'path' = '{folder}/out', 'format' = 'csv');
        INSERT INTO totals SELECT name, SUM(amount) FROM orders GROUP BY name;
        """
    )
    rig.wait_for_state(job, "FINISHED")
    lines = [line for file in (rig.folder / "out").glob("part-*") for line in file.read_text().splitlines()]
    assert sorted(lines) == ["a,4", "b,2"]


def test_all_inserts_are_one_job_and_read_their_source_once(rig: SqlRig) -> None:
    before = {job.jid for job in rig.rest.jobs()}
    job = rig.run(
        ENDLESS
        + SINK
        + """
        CREATE TEMPORARY VIEW doubled AS SELECT n * 2 AS n FROM numbers;
        INSERT INTO sink SELECT n FROM numbers;
        EXECUTE STATEMENT SET BEGIN
          INSERT INTO sink SELECT n FROM doubled;
          INSERT INTO sink SELECT n + 1 FROM numbers;
        END;
        """
    )
    assert {job.jid for job in rig.rest.jobs()} - before == {job}
    names = [vertex.name for vertex in rig.rest.job(job).vertices]
    assert sum(name.count("Source:") for name in names) == 1


def test_the_plan_shows_the_job_without_running_it(rig: SqlRig) -> None:
    before = len(rig.rest.jobs())
    plan = rig.rest.plan(rig.upload(ENDLESS + SINK + "INSERT INTO sink SELECT n FROM numbers"), JarRequest())
    assert plan.nodes
    assert len(rig.rest.jobs()) == before


def test_options_are_set_from_where_they_stand(rig: SqlRig) -> None:
    job = rig.run(
        "SET 'pipeline.name' = 'named in the script';\nSET 'parallelism.default' = '2';\n"
        + ENDLESS
        + SINK
        + "INSERT INTO sink SELECT n FROM numbers"
    )
    detail = rig.rest.job(job)
    assert detail.name == "named in the script"
    assert max(vertex.parallelism for vertex in detail.vertices) == 2


def test_the_configuration_names_the_job_and_chooses_the_mode(rig: SqlRig) -> None:
    job = rig.run(
        SOURCE + SINK + "INSERT INTO sink SELECT SUM(n) FROM numbers",
        config={"pipeline.name": "named outside", "execution.runtime-mode": "BATCH"},
    )
    rig.wait_for_state(job, "FINISHED")
    assert rig.rest.job(job).name == "named outside"


def test_a_secret_reaches_its_place_whatever_is_in_it(rig: SqlRig) -> None:
    secret = "it's ${odd} \\1 --"
    rig.run(
        SOURCE
        + "CREATE TABLE shown (told STRING) WITH ('connector' = 'print', 'print-identifier' = 'shown-{tag}');\n"
        + "INSERT INTO shown SELECT '${secret:word}' FROM numbers",
        secrets={"word": secret},
    )
    rig.wait_until_printed("shown", f"+I[{secret}]")


def test_a_statement_that_does_not_parse_is_told_at_its_line_and_column(rig: SqlRig) -> None:
    found = problem(rig, SOURCE + SINK + "\n-- the query\nINSERT INTO sink\n  SELECT n FORM numbers;\n")
    assert str(found.place) == "queries.sql:6:17"
    assert "'numbers'" in found.message
    assert "\n" not in found.message


def test_a_column_that_is_not_there_is_told_at_its_line_and_column(rig: SqlRig) -> None:
    found = problem(rig, SOURCE + SINK + "INSERT INTO sink\n  SELECT\n     x FROM numbers;\n")
    assert str(found.place) == "queries.sql:5:6"
    assert found.message == "Column 'x' not found in any table"


def test_a_table_that_is_not_there_is_told_at_its_line_and_column(rig: SqlRig) -> None:
    found = problem(rig, SINK + "INSERT INTO sink SELECT n FROM numbres;\n")
    assert str(found.place) == "queries.sql:2:32"
    assert found.message == "Object 'numbres' not found"


def test_a_secret_before_the_error_does_not_shift_its_column(rig: SqlRig) -> None:
    line = "INSERT INTO sink SELECT CAST('${secret:long}' AS BIGINT), x FROM numbers;\n"
    found = problem(rig, SOURCE + SINK + line, secrets={"long": "1" * 100})
    assert str(found.place) == f"queries.sql:3:{line.index('x FROM') + 1}"


def test_a_secret_is_in_no_error(rig: SqlRig) -> None:
    said = rejected(
        rig,
        SOURCE
        + "CREATE TABLE sink (n BIGINT) WITH ('connector' = 'nosuch', 'topic' = '${secret:word}');\n"
        + "INSERT INTO sink SELECT n FROM numbers",
        secrets={"word": "hunter2-hunter2"},
    )
    assert "hunter2" not in said
    assert "${secret:word}" in said


def test_a_secret_in_a_tables_options_is_in_no_log_and_no_plan(rig: SqlRig) -> None:
    secret = "hunter3-hunter3"
    table = "CREATE TABLE log (n BIGINT) WITH ('connector' = 'print', 'print-identifier' = '${secret:word}');\n"
    job = rig.run(ENDLESS + table + "INSERT INTO log SELECT n FROM numbers", secrets={"word": secret})
    wait_for(lambda: secret in rig.output() or None, "a row")
    assert secret not in rig.logs()
    assert secret not in str(rig.rest.job(job))
    assert secret not in str(rig.rest.job_config(job))


def test_a_secret_without_a_value_is_named(rig: SqlRig) -> None:
    found = problem(rig, SOURCE + SINK + "INSERT INTO sink SELECT n FROM numbers WHERE 'x' = '${secret:missing}'")
    assert found.message == "no value was given for the secret 'missing'"


def test_a_missing_function_class_is_named(rig: SqlRig) -> None:
    found = problem(
        rig, SOURCE + SINK + "CREATE FUNCTION f AS 'no.such.Thing';\nINSERT INTO sink SELECT f(n) FROM numbers"
    )
    assert found.message.endswith("'default_catalog.default_database.f': no.such.Thing")


@pytest.mark.parametrize("direction", ["reads", "writes"])
def test_a_missing_connector_is_told_where_the_table_is_defined(rig: SqlRig, direction: str) -> None:
    kafka = "CREATE TABLE orders (n BIGINT)\n  WITH ('connector' = 'kafka', 'topic' = 'orders', 'format' = 'csv');\n"
    query = (
        "INSERT INTO sink SELECT n FROM orders;"
        if direction == "reads"
        else "INSERT INTO orders SELECT n FROM numbers;"
    )
    found = problem(rig, SOURCE + SINK + kafka + "INSERT INTO sink SELECT n FROM numbers;\n" + query)
    assert str(found.place) == "queries.sql:4:23"
    assert found.message.startswith("the connector 'kafka' of the table 'orders' is not there; there are: blackhole,")
    assert found.hint is not None
    assert "mvn:org.apache.flink:flink-sql-connector-kafka:" in found.hint


def test_a_missing_format_is_told_where_the_table_names_it(rig: SqlRig) -> None:
    table = "CREATE TABLE files (n BIGINT) WITH ('connector' = 'filesystem', 'path' = '/x', 'format' = 'parquet');\n"
    found = problem(rig, SOURCE + table + "INSERT INTO files SELECT n FROM numbers")
    assert str(found.place) == f"queries.sql:2:{table.index(chr(39) + 'parquet') + 1}"
    assert found.message.startswith("the format 'parquet' of the table 'files' is not there")
    assert found.hint is not None
    assert "flink-sql-parquet:2.3.0" in found.hint


def test_what_only_all_inserts_together_reveal_is_told_at_the_guilty_one(rig: SqlRig) -> None:
    found = problem(
        rig,
        ENDLESS
        + SINK
        + "CREATE TABLE log (n BIGINT) WITH ('connector' = 'filesystem', 'path' = '/tmp/x', 'format' = 'csv');\n"
        + "INSERT INTO sink SELECT n FROM numbers;\n"
        + "INSERT INTO log SELECT COUNT(*) FROM numbers;\n",
    )
    assert found.place is not None
    assert found.place.line == 5
    assert "doesn't support consuming update changes" in found.message


@pytest.mark.parametrize(
    ("statement", "verb"),
    [
        ("SELECT n FROM numbers", "SELECT"),
        ("/* why */ SHOW TABLES", "SHOW"),
        ("DESCRIBE numbers", "DESCRIBE"),
        ("EXPLAIN SELECT n FROM numbers", "EXPLAIN"),
        ("RESET 'pipeline.name'", "RESET"),
    ],
)
def test_a_statement_whose_result_goes_nowhere_is_refused(rig: SqlRig, statement: str, verb: str) -> None:
    found = problem(rig, SOURCE + SINK + f"{statement};\nINSERT INTO sink SELECT n FROM numbers;")
    assert found.place is not None
    assert found.place.line == 3
    assert found.message.startswith(f"{verb} has no place in an application")


def test_add_jar_is_refused_for_connectors(rig: SqlRig) -> None:
    found = problem(rig, "ADD JAR '/tmp/x.jar';\n" + SOURCE)
    assert found.message == "ADD JAR is not allowed; list the jar under `connectors` instead"


def test_a_script_without_insert_is_refused(rig: SqlRig) -> None:
    found = problem(rig, SOURCE + SINK)
    assert found.message == "the script has no INSERT INTO, so there is no job to run"


def test_a_script_goes_on_after_its_jobmanager_planned_it_before(rig: SqlRig) -> None:
    """Flink's planner counts on for as long as a JobManager lives; the operators' ids must not follow it."""
    rig.feed("first", "a")
    script = """
        CREATE TABLE words (word STRING)
        WITH ('connector' = 'filesystem', 'path' = '{folder}/in', 'format' = 'csv', 'source.monitor-interval' = '1s');
        CREATE TABLE counts (word STRING, n BIGINT) WITH ('connector' = 'print', 'print-identifier' = 'counts-{tag}');
        INSERT INTO counts SELECT word, COUNT(*) FROM words GROUP BY word
    """
    job = rig.run(script)
    rig.wait_until_printed("counts", "+I[a, 1]")
    savepoint = rig.stop(job)
    for _ in range(3):
        rig.rest.plan(rig.upload(script), JarRequest())
    rig.feed("second", "a")
    rig.run(script, savepoint=savepoint)
    rig.wait_until_printed("counts", "+U[a, 2]")


def test_a_job_is_one_job_also_for_a_batch_that_is_over_at_once(rig: SqlRig) -> None:
    job = rig.run(BATCH + SINK + "INSERT INTO sink VALUES (1), (2);")
    assert rig.wait_for_state(job, "FINISHED") == "FINISHED"
    assert wait_for(lambda: rig.rest.job(job).vertices or None, "vertices")


@pytest.mark.network
@pytest.mark.parametrize("way", ["merged", "nested"])
def test_a_real_connector_is_found_in_the_jar(
    rig: SqlRig, runtimes: Runtimes, reporter: Remembering, flink_version: str, way: str
) -> None:
    """Merged into the jar of an SQL application, or under lib/ in a jar of the user's own."""
    version = {"1.20.5": "3.2.0-1.19", "2.3.0": "4.0.1-2.0"}[flink_version]
    remotes = Repositories((), cache=runtimes.cache, reporter=reporter)
    maven = Maven(remotes, LockFile(rig.folder / "scurry.lock"), reporter=reporter)
    connectors = maven.jars(
        [f"mvn:org.apache.flink:flink-sql-connector-kafka:{version}"], flink=runtimes.flink(flink_version)
    )
    sql = SINK + (
        "CREATE TABLE orders (n BIGINT) WITH ('connector' = 'kafka', 'topic' = 'orders', 'format' = 'csv', "
        "'properties.bootstrap.servers' = '127.0.0.1:9', 'scan.startup.mode' = 'earliest-offset');\n"
        "INSERT INTO sink SELECT n FROM orders"
    )
    jar = rig.upload(sql, connectors) if way == "merged" else rig.upload_nested(sql, connectors)
    assert "orders" in str(rig.rest.plan(jar, JarRequest()).nodes)
