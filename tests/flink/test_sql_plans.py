"""Compiling SQL scripts to plans: what is refused, and why; what is asked only once; what needs no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scurry.flink import sql_plans
from scurry.flink.installed import FlinkRuntime, JavaRuntime
from scurry.flink.isolation import Fence
from scurry.flink.java_asking import Answer, Java
from scurry.flink.sql_plans import Compiled, PlanRequest, Refusal, compile_plan
from tests.artifacts.scripts import script_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TABLES = """
CREATE TABLE numbers (n BIGINT, label STRING) PARTITIONED BY (label)
WITH ('connector' = 'filesystem', 'path' = '/tmp/scurry-no-such-folder', 'format' = 'csv', 'source.monitor-interval' = '1s');
CREATE TABLE sink (n BIGINT) WITH ('connector' = 'print', 'print-identifier' = '${secret:word}');
"""  # noqa: E501
COPY = "INSERT INTO sink SELECT n FROM numbers"


@pytest.fixture
def on(flink_runtime: Callable[[str], FlinkRuntime], java_runtime: JavaRuntime, tmp_path: Path) -> Java:
    from scurry.flink.runtimes import default_cache

    return Java(flink=flink_runtime("2.3.0"), java=java_runtime, cache=default_cache())


def compiled(on: Java, sql: str, **options: str) -> Compiled:
    """Compile a script."""
    return compile_plan(PlanRequest(statements=script_of(sql).sources(), options=options), on)


@pytest.mark.flink
@pytest.mark.parametrize(
    ("sql", "refusal", "why"),
    [
        (TABLES + COPY + " /*+ OPTIONS('path' = '/tmp') */", Refusal.CANNOT, "OPTIONS hint"),
        (TABLES + COPY + " WHERE label = '${secret:word}'", Refusal.CANNOT, "a secret stands elsewhere"),
        (TABLES + "CREATE VIEW v AS SELECT '${secret:x}' AS x FROM numbers;" + COPY, Refusal.CANNOT, "a secret stands"),
        ("SET 'execution.runtime-mode' = 'batch';" + TABLES + COPY, Refusal.CANNOT, "its mode is batch"),
        ("SET 'table.exec.uid.generation' = 'DISABLED';" + TABLES + COPY, Refusal.CANNOT, "uid.generation itself"),
        ("CREATE CATALOG c WITH ('type' = 'jdbc');" + TABLES + COPY, Refusal.CANNOT, "a catalog of type 'jdbc'"),
        (TABLES + COPY.replace(" n ", " m "), Refusal.SCRIPT, "Column 'm' not found"),
        (TABLES, Refusal.SCRIPT, "the script has no INSERT INTO"),
        (TABLES.replace("'print'", "'kafka'", 1) + COPY, Refusal.MISSING, "kafka"),
        (TABLES.replace("'/tmp/", "'s3://bucket/") + COPY + " WHERE label = 'x'", Refusal.MISSING, "'s3'"),
    ],
)
def test_what_is_not_compiled_says_why(on: Java, sql: str, refusal: Refusal, why: str) -> None:
    found = compiled(on, sql)
    assert (found.refusal, found.graph) == (refusal, "")
    assert why in found.text


@pytest.mark.flink
def test_a_time_to_live_is_in_the_plan_only_where_it_is_chosen(on: Java) -> None:
    counting = TABLES + "INSERT INTO sink SELECT COUNT(*) FROM numbers GROUP BY n"
    assert '"ttl"' not in compiled(on, counting).graph
    assert '"ttl":"1 h"' in compiled(on, counting, **{"table.exec.state.ttl": "1 h"}).graph


def test_the_same_is_asked_once_and_what_died_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fence = Fence(network=True, processes=True)
    answers = [
        Answer(content=None, exit_code=137, output="Killed", fence=fence),
        Answer(content=b'{"graph": "{}", "uids": {"1_source": "a"}}', exit_code=None, output="", fence=fence),
    ]
    monkeypatch.setattr(sql_plans, "ask", lambda question, on: answers.pop(0))
    here = Java(
        flink=FlinkRuntime(version="2.3.0", home=tmp_path, source="pypi"),
        java=JavaRuntime(home=tmp_path, major=17, source="PATH"),
        cache=tmp_path,
    )

    died = compiled(here, COPY)
    assert (died.refusal, died.text) == (Refusal.DIED, "the process ended with 137\nKilled")
    first = compiled(here, COPY)
    assert first.uids == {"1_source": "a"}
    assert compiled(here, COPY) == first
    with pytest.raises(IndexError):
        compiled(here, COPY, **{"table.exec.state.ttl": "1 h"})
