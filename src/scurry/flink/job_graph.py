"""Asks a program what job it will be, without running the job: operators, their ids, uids, parallelism and keys.

The program's own `main()` runs for this, in a process apart (`isolation.py`), as a JobManager runs it when it is handed
the jar, with the very same arguments and options; execute() hands the graph to us (`java/PackagedPrograms.java`).
An SQL application is a jar, and PyFlink's programs are run by a jar of Flink's, so this one way serves all.
"""

from __future__ import annotations

import os
import re
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from scurry.flink import job_graph_cache
from scurry.flink.isolation import plain_environment
from scurry.flink.java_asking import FILES, Java, Question, ask
from scurry.flink.java_programs import compiled_name
from scurry.flink.job_graph_answer import check_answer, read_graph
from scurry.flink.job_graph_python import PYTHON_DRIVER, asking

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from scurry.flink.isolation import Fence
    from scurry.model.state import JobGraph, StateType

TIME_LIMIT_S = 60.0
_GRACE_S = 5
"""for the process's start, and to tell where main() is when the time is up"""
_STATES = f"{FILES}/python-states.json"
_SQL = "graph-sql"

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
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """files for the program; arguments and options tell where by `java_asking.FILES` and `/name`"""
    jar_digest: str | None = None
    """of the jar's content, if it is known"""
    conceal: tuple[str, ...] = field(default=(), repr=False)
    """secrets that no message may show, longest first"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A graph, and how it was got."""

    graph: JobGraph
    fence: Fence | None
    """None: it was known from before, and nothing was run"""
    records: bool = False
    """the process goes on for a moment, to write down an archive of its classes for the next ones"""


def job_graph(request: GraphRequest, *, read_type: ReadType | None = None, as_known: bool = False) -> Asked:
    """Build the job graph of a program; about a second, more for the first program on a Flink.

    `read_type` describes the serializers of keys; without it only their classes are told. `as_known`: as it was when
    the program was last asked, if it ever was. Raises `ProgramFailed` when the program gives no graph,
    `RuntimeUnavailable` when Java does not run, `WorkspaceError`.
    """
    question = question_about(request)
    key = _key(request, question)
    known = job_graph_cache.find(request.on.cache, key) if as_known else None
    if known is not None:
        return Asked(graph=read_graph(known, read_type), fence=None)
    answer = ask(question, request.on)
    content = check_answer(answer, request)
    job_graph_cache.keep(request.on.cache, key, content)
    return Asked(graph=read_graph(content, read_type), fence=answer.fence, records=answer.records)


def _key(request: GraphRequest, question: Question) -> str:
    """What the program is and was told; not where its jar is now, and who asks from which environment.

    A wish that was read back from the journal may have its options in another order; arguments keep theirs.
    """
    pairs = sorted(question.pairs, key=itemgetter(0))
    told = (text for name, value in pairs if name not in {"jar", "limit_ms"} for text in (name, value))
    given = (part for name, content in sorted(question.files.items()) for part in (name, content))
    return job_graph_cache.key_of(
        (
            compiled_name(question.program, request.on.flink),
            request.jar_digest or job_graph_cache.digest_of(request.jar),
            *(*told, "", *given),
        )
    )


def question_about(request: GraphRequest) -> Question:
    """Return what is asked of a program; other questions about it add to this one (`state_probe.py`)."""
    options = {"parallelism.default": str(request.parallelism), **request.config}
    entry = (("entry", request.entry),) if request.entry else ()
    is_python = request.entry == PYTHON_DRIVER
    arguments = asking(request.arguments, _STATES) if is_python else request.arguments
    python = (("python_states", _STATES),) if is_python else ()
    role = _role(request.entry or _main_class(request.jar))
    return Question(
        program="JobGraphs",
        role=role,
        pairs=(
            ("jar", str(request.jar.absolute())),
            *entry,
            ("parallelism", str(request.parallelism)),
            ("limit_ms", str(int(request.timeout_s * 1000))),
            *(("argument", argument) for argument in arguments),
            *python,
            *((f"option:{key}", value) for key, value in options.items()),
        ),
        environment=plain_environment(os.environ) if request.environment is None else request.environment,
        timeout_s=request.timeout_s + _GRACE_S,
        network=request.network,
        files=request.files,
        plans_sql=role == _SQL,
    )


def _role(entry: str) -> str:
    """Programs of one kind load much the same classes: the planner's for SQL, Py4J's for Python."""
    known = {"io.scurry.SqlRunner": _SQL, PYTHON_DRIVER: "graph-python"}
    return known.get(entry, "graph-jar")


def _main_class(jar: Path) -> str:
    """Return what the manifest says; empty where it says nothing, which Flink will tell."""
    with suppress(OSError, zipfile.BadZipFile, KeyError), zipfile.ZipFile(jar) as packed:
        manifest = packed.read("META-INF/MANIFEST.MF").decode(errors="replace")
        found = re.search(r"^Main-Class: *(\S+)", manifest, re.MULTILINE)
        return found[1] if found else ""
    return ""
