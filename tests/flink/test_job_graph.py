"""Asking jars for their job graphs: what is told, what main() has and has not, and programs that give none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scurry.flink.installed import JavaRuntime
from scurry.flink.java_asking import FILES
from scurry.flink.job_graph import job_graph
from scurry.flink.job_graph_answer import Failure, ProgramFailed
from scurry.model.errors import RuntimeUnavailable
from scurry.model.state import GraphOperator, StateType
from scurry.targets.rest.program import job_parameters
from tests.flink.graphs import shop
from tests.flink.local_flink import until
from tests.flink.test_isolation import needs_namespaces, running
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from scurry.flink.runtimes import Runtimes
    from scurry.model.state import JobGraph

pytestmark = pytest.mark.flink
NEWEST = FLINK_VERSIONS[-1]


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


def by_uid(graph: JobGraph) -> dict[str, GraphOperator]:
    return {operator.uid: operator for operator in graph.operators if operator.uid}


def name_of_counting(graph: JobGraph) -> str:
    """What the program `looks-around` tells."""
    return next(operator.name for operator in graph.operators if operator.name.startswith("files="))


@pytest.mark.parametrize("version", FLINK_VERSIONS)
def test_a_graph_tells_of_each_operator_what_state_goes_by(runtimes: Runtimes, version: str) -> None:
    graph = job_graph(shop(runtimes, version, "uids", "hash", parallelism=2)).graph
    operators = by_uid(graph)
    assert operators.keys() == {"orders", "refunds", "slow", "sorted", "counted"}
    orders, slow, counted = operators["orders"], operators["slow"], operators["counted"]
    assert (orders.name, orders.parallelism, orders.inputs, orders.key) == ("Source: orders", 2, (), None)
    assert (slow.inputs, slow.chain) == ((orders.id,), orders.id)
    assert (counted.max_parallelism, orders.max_parallelism) == (64, None)
    assert counted.inputs == (operators["sorted"].id,)
    assert counted.chain == counted.id
    assert counted.key is not None
    assert counted.key.name == "Long"
    assert len(operators["sorted"].inputs) == 2, "a union"
    hashed = [operator.alternative_id for operator in graph.operators if operator.alternative_id]
    assert hashed == ["0123456789abcdef0123456789abcdef"]
    places = {operator.id: place for place, operator in enumerate(graph.operators)}
    assert all(places[id] < places[operator.id] for operator in graph.operators for id in operator.inputs)


def test_operators_without_uids_move_when_they_are_chained_otherwise(runtimes: Runtimes) -> None:
    chained = job_graph(shop(runtimes, NEWEST)).graph
    unchained = job_graph(shop(runtimes, NEWEST, "unchained")).graph
    assert by_uid(chained) == {}
    assert {operator.id for operator in chained.operators} != {operator.id for operator in unchained.operators}


@pytest.mark.parametrize(
    ("config", "backend", "changelog"),
    [
        ({}, "hashmap", False),
        ({"state.backend.type": "rocksdb"}, "rocksdb", False),
        ({"state.backend": "filesystem"}, "hashmap", False),
        ({"state.backend.type": "com.example.Factory", "state.changelog.enabled": "true"}, "com.example.Factory", True),
    ],
)
def test_the_state_backend_is_what_the_options_say(
    runtimes: Runtimes, config: dict[str, str], backend: str, changelog: bool
) -> None:
    graph = job_graph(shop(runtimes, NEWEST, config=config)).graph
    assert (graph.state_backend, graph.changelog) == (backend, changelog)


def test_the_serializer_of_a_key_comes_as_a_savepoint_holds_it(runtimes: Runtimes) -> None:
    seen: list[bytes] = []

    def read(snapshot: bytes) -> StateType:
        seen.append(snapshot)
        return StateType(name="read", serializer="of snapshot")

    graph = job_graph(shop(runtimes, NEWEST, "uids"), read_type=read).graph
    name = b"org.apache.flink.api.common.typeutils.base.LongSerializer$LongSerializerSnapshot"
    assert seen[0] == len(name).to_bytes(2, "big") + name + (3).to_bytes(4, "big")
    key = by_uid(graph)["counted"].key
    assert key is not None
    assert key.name == "read"


def test_main_has_its_arguments_options_and_properties_and_an_empty_folder_but_no_secrets(runtimes: Runtimes) -> None:
    request = shop(
        runtimes,
        NEWEST,
        *("looks-around", "ünï", "", "a b"),
        environment={"SHOP_COLOUR": "red"},
        files={"application_properties.json": b'[{"PropertyGroupId": "shop"}]'},
        config={
            "scurry.application-properties": f"{FILES}/application_properties.json",
            "pipeline.global-job-parameters": job_parameters({"shop.tax": "19"}),
        },
    )
    assert name_of_counting(job_graph(request).graph) == (
        "files=0 secret=null plain=red args=looks-around,ünï,,a b"
        ' properties=[{"PropertyGroupId":"shop"}] parameters={shop.tax=19}'
    )


def test_secrets_of_this_process_are_not_in_the_environment_of_main(
    runtimes: Runtimes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    monkeypatch.setenv("SHOP_COLOUR", "blue")
    request = replace(shop(runtimes, NEWEST, "looks-around"), environment=None)
    assert name_of_counting(job_graph(request).graph).startswith("files=0 secret=null plain=blue ")


def test_arguments_and_options_are_on_no_command_line_and_time_is_limited(runtimes: Runtimes, tmp_path: Path) -> None:
    mark = tmp_path / "hangs"
    request = shop(runtimes, NEWEST, "hangs", str(mark), "hunter2", config={"s3.secret-key": "hunter2"}, timeout_s=15)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(job_graph, request)
        until(lambda: mark.exists() or asking.done(), "main() runs")
        assert mark.exists()
        assert running("io.scurry.JobGraphs"), "it would be seen"
        assert running("hunter2") == []
        with pytest.raises(ProgramFailed, match=r"within 15 s, it is at Shop\.main\(Shop\.java:\d+\)") as caught:
            asking.result()
    assert caught.value.kind is Failure.TIME
    until(lambda: not os.listdir(tempfile.gettempdir()), "no file is left", patience_s=30)


def test_a_program_that_waits_for_its_job_is_asked_all_the_same(runtimes: Runtimes) -> None:
    assert by_uid(job_graph(shop(runtimes, NEWEST, "uids", "waits")).graph)


@pytest.mark.parametrize("version", ["1.18.1", *FLINK_VERSIONS])
@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (("never",), Failure.NO_JOB, "main() ends without a call of execute()"),
        (("twice",), Failure.SEVERAL_JOBS, "calls execute() more than once"),
        (("throws", "Monday"), Failure.MAIN, "IOException: file of Monday"),
        (("exits", "0"), Failure.EXIT, "ended the process (exit), at Shop.quit(Shop.java:"),
        (("exits", "3"), Failure.EXIT, "ended the process (exit), at Shop.quit(Shop.java:"),
    ],
)
def test_a_program_that_gives_no_graph_is_told_with_its_cause(
    runtimes: Runtimes, version: str, arguments: tuple[str, ...], kind: Failure, message: str
) -> None:
    with pytest.raises(ProgramFailed) as caught:
        job_graph(shop(runtimes, version, *arguments))
    assert caught.value.kind is kind
    assert message in caught.value.message
    assert caught.value.code == "rejected-by-target"
    if kind is Failure.MAIN:
        assert caught.value.cause.splitlines()[-2:] == [
            "Caused by: java.lang.IllegalArgumentException: no price list",
            "Caused by: java.io.IOException: file of Monday",
        ]


def test_secrets_are_in_no_message(runtimes: Runtimes) -> None:
    with pytest.raises(ProgramFailed) as caught:
        job_graph(shop(runtimes, NEWEST, "throws", "hunter2", conceal=("hunter2",)))
    assert caught.value.message == "IOException: file of •••"
    assert "hunter2" not in caught.value.cause


def test_a_main_class_that_is_not_there_is_told_about_its_key(runtimes: Runtimes) -> None:
    with pytest.raises(ProgramFailed, match=r"no main class 'com\.example\.Missing'") as caught:
        job_graph(shop(runtimes, NEWEST, entry="com.example.Missing"))
    assert caught.value.about
    assert caught.value.about.path == ("code", "main_class")


def test_a_file_that_is_no_jar_is_told(runtimes: Runtimes, tmp_path: Path) -> None:
    (tmp_path / "orders.jar").write_bytes(b"no jar")
    with pytest.raises(ProgramFailed, match=r"orders\.jar|zip") as caught:
        job_graph(replace(shop(runtimes, NEWEST), jar=tmp_path / "orders.jar"))
    assert caught.value.kind is Failure.MAIN


@needs_namespaces
@pytest.mark.parametrize("arguments", [("connects", "198.51.100.1", "80"), ("connects", "db.example.com", "80")])
def test_a_main_that_connects_to_somewhere_fails_at_once_and_says_why(
    runtimes: Runtimes, arguments: tuple[str, ...]
) -> None:
    with pytest.raises(ProgramFailed) as caught:
        job_graph(shop(runtimes, NEWEST, *arguments))
    assert caught.value.kind is Failure.MAIN
    assert caught.value.without_network
    assert caught.value.hint
    assert "without a network" in caught.value.hint


def test_a_main_that_talks_to_itself_works(runtimes: Runtimes) -> None:
    asked = job_graph(shop(runtimes, NEWEST, "talks-to-itself", "uids"))
    assert by_uid(asked.graph)
    assert asked.fence


@needs_namespaces
def test_what_main_has_started_ends_with_it(runtimes: Runtimes, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    assert job_graph(shop(runtimes, NEWEST, "spawns", str(mark))).graph.operators
    assert mark.exists()
    until(lambda: not running(str(mark)), "it is gone", patience_s=30)
    until(lambda: not os.listdir(tempfile.gettempdir()), "no file is left", patience_s=30)


def test_a_kill_in_the_middle_leaves_nothing(runtimes: Runtimes, tmp_path: Path) -> None:
    mark, request = tmp_path / "started", shop(runtimes, NEWEST)
    code = (
        "import pathlib, sys, tempfile\n"
        "from scurry.flink.installed import FlinkRuntime, JavaRuntime\n"
        "from scurry.flink.java_asking import Java\n"
        "from scurry.flink.job_graph import GraphRequest, job_graph\n"
        "tempfile.tempdir, *places, mark = sys.argv[1:]\n"
        "flink, java, cache, jar = map(pathlib.Path, places)\n"
        "on = Java(flink=FlinkRuntime(version='2.3.0', home=flink, source='pypi'), cache=cache,\n"
        "    java=JavaRuntime(home=java, major=17, source='PATH'))\n"
        "job_graph(GraphRequest(on=on, jar=jar, arguments=('hangs', mark), files={'secret': b'hunter2'}))\n"
    )
    places = (request.on.flink.home, request.on.java.home, request.on.cache, request.jar)
    asking = subprocess.Popen([sys.executable, "-c", code, tempfile.gettempdir(), *map(str, places), str(mark)])
    until(mark.exists, "main() runs", patience_s=60)
    asking.kill()
    asking.wait()
    until(lambda: not running(tempfile.gettempdir()), "no process is left", patience_s=30)
    until(lambda: not os.listdir(tempfile.gettempdir()), "no file is left", patience_s=30)


def test_an_answer_is_known_from_any_environment_but_only_of_the_same_program(
    runtimes: Runtimes, tmp_path: Path
) -> None:
    marker = f"marker={tmp_path}"
    config = {"pipeline.name": "shop", "pipeline.max-parallelism": "128"}
    first = job_graph(shop(runtimes, NEWEST, "uids", marker, config=config), as_known=True)
    assert first.fence is not None
    elsewhere = tmp_path / "elsewhere.jar"
    shutil.copy(shop(runtimes, NEWEST).jar, elsewhere)
    for again in (
        shop(runtimes, NEWEST, "uids", marker, config=dict(reversed(config.items()))),
        shop(runtimes, NEWEST, "uids", marker, config=config, environment={"TERM": "another"}),
        shop(runtimes, NEWEST, "uids", marker, config=config, jar=elsewhere),
        shop(runtimes, NEWEST, "uids", marker, config=config, timeout_s=30),
    ):
        known = job_graph(again, as_known=True)
        assert known.fence is None, "nothing was run"
        assert known.graph == first.graph
    assert job_graph(shop(runtimes, NEWEST, "uids", marker, config=config)).fence is not None, "asked anew by default"
    for other in (
        shop(runtimes, NEWEST, "uids", marker, "more", config=config),
        shop(runtimes, NEWEST, marker, "uids", config=config),
        shop(runtimes, NEWEST, "uids", marker, config=config, parallelism=2),
        shop(runtimes, NEWEST, "uids", marker, config={**config, "pipeline.operator-chaining.enabled": "false"}),
        shop(runtimes, NEWEST, "uids", marker, config=config, files={"a": b"1"}),
        shop(runtimes, NEWEST, "uids", marker, config=config, jar_digest="of another jar"),
    ):
        assert job_graph(other, as_known=True).fence is not None


def test_a_java_that_does_not_run_is_told(runtimes: Runtimes, tmp_path: Path) -> None:
    request = shop(runtimes, NEWEST)
    gone = JavaRuntime(home=tmp_path / "gone", major=17, source="JAVA_HOME")
    with pytest.raises(RuntimeUnavailable, match="does not run"):
        job_graph(replace(request, on=replace(request.on, java=gone)))
