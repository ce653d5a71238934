"""Asks a program what job it will be, without running the job: operators, their ids, uids, parallelism and keys.

The program's own `main()` runs for this, in a process apart (`isolation.py`), as a JobManager runs it when it is handed
the jar, with the very same arguments and options; execute() hands the graph to us (`java/PackagedPrograms.java`).
An SQL application is a jar, and PyFlink's programs are run by a jar of Flink's, so this one way serves all.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from scurry.flink.isolation import plain_environment
from scurry.flink.java_asking import Java, Question, ask
from scurry.flink.job_graph_answer import read_answer
from scurry.flink.job_graph_python import PYTHON_DRIVER, asking

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from scurry.flink.isolation import Fence
    from scurry.model.state import JobGraph, StateType

TIME_LIMIT_S = 60.0
_STATES = "{files}/python-states.json"

ReadType: TypeAlias = "Callable[[bytes], StateType]"
"""reads the snapshot of a serializer, as a savepoint holds it: its class's name, version and content"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphRequest:
    """A program, as it will be run. Secrets are resolved in it."""

    on: Java
    jar: Path
    entry: str | None = None
    """main class; None: the manifest's"""
    arguments: tuple[str, ...] = field(default=(), repr=False)
    parallelism: int = 1
    config: Mapping[str, str] = field(default_factory=dict, repr=False)
    """the job's Flink options, over those of its cluster"""
    environment: Mapping[str, str] | None = field(default=None, repr=False)
    """None: this process's, without what looks like a secret"""
    timeout_s: float = TIME_LIMIT_S
    network: bool = False
    """whether the program may use the network"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A graph, and how it was got."""

    graph: JobGraph
    fence: Fence


def job_graph(request: GraphRequest, *, read_type: ReadType | None = None) -> Asked:
    """Build the job graph of a program; about a second, more for the first program on a Flink.

    `read_type` describes the serializers of keys; without it only their classes are told. Raises `ProgramFailed` when
    the program gives no graph, `RuntimeUnavailable` when Java does not run, `WorkspaceError`.
    """
    answer = ask(_question(request), request.on)
    return Asked(graph=read_answer(answer, request, read_type), fence=answer.fence)


def _question(request: GraphRequest) -> Question:
    options = {"parallelism.default": str(request.parallelism), **request.config}
    entry = (("entry", request.entry),) if request.entry else ()
    arguments, python = request.arguments, ()
    if request.entry == PYTHON_DRIVER:
        arguments, python = asking(arguments, _STATES), (("python_states", _STATES),)
    return Question(
        program="JobGraphs",
        role=_role(request.entry),
        pairs=(
            ("jar", str(request.jar.absolute())),
            *entry,
            ("parallelism", str(request.parallelism)),
            *(("argument", argument) for argument in arguments),
            *python,
            *((f"option:{key}", value) for key, value in options.items()),
        ),
        environment=plain_environment(os.environ) if request.environment is None else request.environment,
        timeout_s=request.timeout_s,
        network=request.network,
    )


def _role(entry: str | None) -> str:
    """Programs of one kind load much the same classes: the planner's for SQL, Py4J's for Python."""
    known = {"io.scurry.SqlRunner": "graph-sql", PYTHON_DRIVER: "graph-python"}
    return known.get(entry or "", "graph-jar")
