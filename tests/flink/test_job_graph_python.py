"""Asking PyFlink programs for their job graphs, and for the states of their Python functions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scurry.flink.job_graph import GraphRequest, job_graph
from scurry.flink.job_graph_answer import Failure, ProgramFailed
from scurry.flink.job_graph_python import PYTHON_DRIVER, asking, recorded
from scurry.flink.python import python_environment
from scurry.model.reporting import SilentReporter
from scurry.model.state import StateKind
from scurry.targets.rest.program import job_parameters
from tests.conformance.rigs import APPLICATIONS
from tests.flink.graphs import java
from tests.flink.test_isolation import needs_namespaces
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from scurry.flink.runtimes import Runtimes
    from scurry.model.state import GraphOperator

PROGRAM = APPLICATIONS / "keeping.py"
_IN_THREADS = {"python.execution-mode": "thread"}
NEWEST = FLINK_VERSIONS[-1]


def keeping(runtimes: Runtimes, version: str, *arguments: str, **config: str) -> GraphRequest:
    """A request for the program."""
    on = java(runtimes, version)
    environment = python_environment(
        cache=on.cache, flink_version=version, requirements=None, python=None, reporter=SilentReporter()
    )
    python = str(environment.python)
    return GraphRequest(
        on=on,
        jar=next((on.flink.home / "opt").glob("flink-python*.jar")),
        entry=PYTHON_DRIVER,
        arguments=("-py", str(PROGRAM), *arguments),
        config={"python.client.executable": python, "python.executable": python, **config},
    )


def by_uid(request: GraphRequest) -> dict[str, GraphOperator]:
    return {operator.uid: operator for operator in job_graph(request).graph.operators if operator.uid}


def told(operator: GraphOperator) -> list[tuple[str, StateKind, str | None, bool]]:
    assert operator.states is not None
    return [(state.name, state.kind, state.type.name if state.type else None, state.ttl) for state in operator.states]


@pytest.mark.flink
@pytest.mark.parametrize("version", FLINK_VERSIONS)
def test_states_of_python_functions_are_told_with_their_types(runtimes: Runtimes, version: str) -> None:
    operators = by_uid(keeping(runtimes, version))
    place = "ROW<x INT, y TUPLE<DOUBLE, PICKLED_BYTES>>"
    assert told(operators["keeping"]) == [
        ("python-state-count", StateKind.VALUE, "python LONG", True),
        ("python-state-seen", StateKind.LIST, "python STRING", False),
        ("python-state-places", StateKind.MAP, f"python MAP<STRING, {place}>", False),
        ("python-state-sum", StateKind.REDUCING, "python BIG_DEC", False),
        ("python-state-average", StateKind.AGGREGATING, "python LIST<TIMESTAMP>", False),
    ]
    assert operators["keeping"].unknown_because is None
    states = operators["keeping"].states
    assert states
    places = states[2].type
    assert places
    assert [part.name for part in places.parts] == ["python STRING", f"python {place}"]
    assert [field.name for field in places.parts[1].fields] == ["x", "y"]
    assert operators["numbers"].states is None, "of Java's operators Python tells nothing"


@pytest.mark.flink
def test_what_cannot_be_opened_is_not_known_and_says_why(runtimes: Runtimes) -> None:
    operators = by_uid(keeping(runtimes, NEWEST))
    assert told(operators["lazy"]) == []
    assert operators["lazy"].unknown_because == (
        "Lazy: it registers no state in open(); what it does later cannot be known"
    )
    assert told(operators["failing"]) == [("python-state-early", StateKind.VALUE, "python BOOLEAN", False)]
    assert operators["failing"].unknown_because
    assert operators["failing"].unknown_because.startswith("Failing: its open() failed: ")
    assert told(operators["window"]) == [("python-state-window-contents", StateKind.REDUCING, "python LONG", False)]
    assert operators["window"].unknown_because
    assert operators["window"].unknown_because.startswith("the window: triggers and window functions")


@pytest.mark.flink
def test_the_state_of_pyflinks_reduce_has_another_name_each_time(runtimes: Runtimes) -> None:
    """PyFlink puts a random number into it (`KeyedStream.reduce`), so that no new version finds it again."""
    names = {told(by_uid(keeping(runtimes, NEWEST))["reduced"])[0][0] for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("python-state-_reduce_state") for name in names)


@needs_namespaces
@pytest.mark.flink
def test_functions_have_no_network_when_they_are_opened(runtimes: Runtimes) -> None:
    reason = by_uid(keeping(runtimes, NEWEST))["failing"].unknown_because
    assert reason
    assert "Network is unreachable" in reason


@pytest.mark.flink
def test_a_function_that_does_not_come_to_an_end_of_its_open_holds_nothing_else_up(runtimes: Runtimes) -> None:
    operators = by_uid(keeping(runtimes, NEWEST, "slow"))
    assert operators["failing"].unknown_because == "Failing: its open() takes too long"
    assert len(told(operators["keeping"])) == 5


@pytest.mark.flink
def test_functions_have_the_parameters_of_the_job(runtimes: Runtimes) -> None:
    parameters = {"pipeline.global-job-parameters": job_parameters({"shop.name": "corner"})}
    assert by_uid(keeping(runtimes, NEWEST, "named", **parameters))["keeping"].unknown_because is None


@pytest.mark.flink
def test_functions_that_run_in_flinks_own_process_keep_their_states_under_their_names(runtimes: Runtimes) -> None:
    operators = by_uid(keeping(runtimes, NEWEST, **_IN_THREADS))
    assert [name for name, *_ in told(operators["keeping"])] == ["count", "seen", "places", "sum", "average"]


@pytest.mark.flink
def test_a_program_that_waits_for_its_job_is_asked_all_the_same(runtimes: Runtimes) -> None:
    assert len(told(by_uid(keeping(runtimes, NEWEST, "waits"))["keeping"])) == 5


@pytest.mark.flink
@pytest.mark.parametrize("version", FLINK_VERSIONS)
@pytest.mark.parametrize(
    ("argument", "kind", "message"),
    [
        ("raises", Failure.MAIN, "Python: LookupError: no such shop"),
        ("exits", Failure.MAIN, "the Python program ended with exit code 1: closed today"),
        ("never", Failure.NO_JOB, "without a call of execute()"),
    ],
)
def test_a_program_that_gives_no_graph_is_told_with_its_cause(
    runtimes: Runtimes, version: str, argument: str, kind: Failure, message: str
) -> None:
    with pytest.raises(ProgramFailed) as caught:
        job_graph(keeping(runtimes, version, argument))
    assert caught.value.kind is kind
    assert message in caught.value.message
    if argument == "raises":
        assert "keeping.py" in caught.value.cause
        assert "job_graph_pyflink.py" not in caught.value.cause, "our own frames help nobody"


def test_only_a_script_is_run_by_our_own_one() -> None:
    driver = asking(("-py", "main.py", "--x", "1"), "states.json")
    assert driver[0] == "-py"
    assert Path(driver[1]).name == "job_graph_pyflink.py"
    assert driver[2:] == ("states.json", "main.py", "--x", "1")
    assert asking(("-pym", "main", "--x"), "states.json") == ("-pym", "main", "--x")


def test_chained_functions_are_one_operator() -> None:
    state = '{"name": "%s", "kind": "value", "type": {"text": "LONG", "class": "BasicTypeInfo"}, "ttl": false}'
    functions = (
        f'{{"name": "One", "states": [{state % "a"}], "unknown": "first"}}',
        f'{{"name": "Two", "states": [{state % "b"}], "unknown": "second"}}',
    )
    found = recorded(f'{{"7": [{", ".join(functions)}]}}')
    assert [state.name for state in found[7].states] == ["python-state-a", "python-state-b"]
    assert found[7].unknown_because == "One: first; Two: second"


def test_a_program_without_python_functions_has_none() -> None:
    assert recorded(None) == {}
