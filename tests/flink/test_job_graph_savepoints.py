"""The ids of a job graph are those of the savepoints that its job takes: Java, SQL and Python, on real Flinks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scurry.artifacts.sql_package import package_sql
from scurry.artifacts.store import ArtifactStore
from scurry.flink.java_programs import compile_program
from scurry.flink.job_graph import GraphRequest, job_graph
from scurry.flink.job_graph_python import PYTHON_DRIVER
from scurry.flink.python import python_environment
from scurry.model.reporting import SilentReporter
from tests.artifacts.scripts import script_of
from tests.conformance.rigs import APPLICATIONS
from tests.flink.graphs import assert_same, cluster, java, shop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scurry.flink.runtimes import Runtimes
    from tests.flink.graphs import Cluster

pytestmark = pytest.mark.flink

VERSIONS = ("1.18.1", "1.20.5", "2.3.0")


@pytest.fixture(scope="module", params=VERSIONS)
def running(
    request: pytest.FixtureRequest, runtimes: Runtimes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Cluster, str]]:
    """A cluster, and its Flink's version."""
    with cluster(tmp_path_factory.mktemp("graphs"), runtimes, request.param) as started:
        yield started, request.param


@pytest.mark.parametrize(
    ("arguments", "parallelism"),
    [
        ((), 1),
        (("uids",), 2),
        (("uids", "unchained"), 1),
        (("hash",), 2),
        (("unchained", "hash"), 1),
    ],
    ids=lambda value: "-".join(value) or "plain" if isinstance(value, tuple) else str(value),
)
def test_ids_and_uids_of_a_jar_are_those_of_its_savepoint(
    running: tuple[Cluster, str], runtimes: Runtimes, arguments: tuple[str, ...], parallelism: int
) -> None:
    started, version = running
    request = shop(runtimes, version, *arguments, parallelism=parallelism)
    graph = job_graph(request).graph
    assert graph.flink_version == version
    assert_same(graph, started.savepoint_of(request))


def test_state_under_a_uid_hash_is_found_by_the_alternative_id(
    running: tuple[Cluster, str], runtimes: Runtimes
) -> None:
    started, version = running
    request = shop(runtimes, version, "uids", "hash")
    graph, savepoint = job_graph(request).graph, started.savepoint_of(request)
    (summed,) = (operator for operator in graph.operators if operator.alternative_id)
    assert summed.alternative_id == "0123456789abcdef0123456789abcdef"
    # Flink writes the id that it would have had, or from some version on the one that was set; restores by both.
    held = {operator.id for operator in savepoint.operators}
    assert held & {summed.id, summed.alternative_id}


SQL = """\
CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '10');
CREATE TABLE counts (k BIGINT, c BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO counts SELECT n % 3, COUNT(DISTINCT n) FROM numbers GROUP BY n % 3;
"""


@pytest.mark.parametrize("more", ["", "SET 'table.exec.uid.generation' = 'DISABLED';\n"], ids=["uids", "no-uids"])
def test_ids_of_an_sql_application_are_those_of_its_savepoint(
    running: tuple[Cluster, str], runtimes: Runtimes, tmp_path: Path, more: str
) -> None:
    started, version = running
    if version.startswith("1.18"):
        pytest.skip("SQL applications need Flink 1.20")
    on = java(runtimes, version)
    runner = compile_program("SqlRunner", flink=on.flink, java=on.java, cache=on.cache)
    store = ArtifactStore(tmp_path)
    artifact = package_sql(script_of(more + SQL), connectors=(), runner=runner, store=store)
    request = GraphRequest(on=on, jar=store.path(artifact), parallelism=2)
    graph = job_graph(request).graph
    assert_same(graph, started.savepoint_of(request))
    assert any(operator.uid for operator in graph.operators) == (not more)


def test_ids_of_a_pyflink_application_are_those_of_its_savepoint(
    running: tuple[Cluster, str], runtimes: Runtimes
) -> None:
    started, version = running
    if version.startswith("1.18"):
        pytest.skip("PyFlink 1.18 needs an older Python than scurry")
    on = java(runtimes, version)
    environment = python_environment(
        cache=on.cache, flink_version=version, requirements=None, python=None, reporter=SilentReporter()
    )
    (jar,) = (on.flink.home / "opt").glob("flink-python*.jar")
    request = GraphRequest(
        on=on,
        jar=jar,
        entry=PYTHON_DRIVER,
        arguments=("-py", str(APPLICATIONS / "counting.py"), "--label", "x"),
        config={"python.client.executable": str(environment.python), "python.executable": str(environment.python)},
    )
    graph = job_graph(request).graph
    assert_same(graph, started.savepoint_of(request))
    (counting,) = (operator for operator in graph.operators if operator.uid == "counting")
    assert counting.states
    (count,) = counting.states
    assert (count.name, count.type and count.type.name) == ("python-state-count", "python LONG")
