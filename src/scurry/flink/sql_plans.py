"""Compiles an SQL script to a plan, in a Java process apart (`isolation.py`): no cluster, no network, no secrets.

What came out is kept by all that it was made of, so that the same script is compiled once per machine:

    CACHE/sql-plans/<digest>.json

The process runs the statements that define tables, as `java/SqlCompiler.java` says; see there for what it refuses.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from scurry.flink.isolation import plain_environment
from scurry.flink.java_asking import Question, ask
from scurry.flink.java_programs import compiled_name
from scurry.flink.job_graph_cache import key_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scurry.flink.java_asking import Java

TIME_LIMIT_S = 60.0
_FOLDER = "sql-plans"
_KEPT = 500
"""answers; those that were not asked for the longest go first"""


class Refusal(StrEnum):
    """Why there is no plan."""

    SCRIPT = "script"
    """what Flink says of the script"""
    MISSING = "missing"
    """the same, but only because something is not here; it may be where the job will run"""
    CANNOT = "cannot"
    """it may well run, but is not to be compiled"""
    DIED = "died"
    """the process ended without an answer, or took too long"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What is to be compiled. All of it decides the answer."""

    statements: Sequence[str]
    """secrets as references"""
    jars: Sequence[tuple[Path, str]] = ()
    """connectors, with their digests"""
    options: Mapping[str, str] = field(default_factory=dict)
    plan: str | None = None
    """a compiled plan: find out whether this Flink takes it, and compile nothing"""
    names: str = ""
    """what belongs to that plan, as `PlanNames.java` reads it"""


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """What came out: a plan, or why there is none."""

    graph: str = ""
    """the plan, in Flink's JSON"""
    inserts: tuple[int, ...] = ()
    """the statements, from 0, that it stands for"""
    sinks: dict[str, str] = {}
    """node → table that it writes"""
    uids: dict[str, str] = {}
    """the planner's name of an operator (`5_group-aggregate`) → what StableUids calls it"""
    tables: dict[str, str] = {}
    """identifier → digest of columns and options"""
    fits: bool = False
    """the plan that was given runs on this Flink"""
    refusal: Refusal | None = None
    text: str = ""
    """why there is none; marked as `SqlScript.java` does where it is about the script"""


def compile_plan(request: PlanRequest, on: Java) -> Compiled:
    """Compile, or find what was compiled before; 3 to 5 s the first time.

    Raises `RuntimeUnavailable` when Java does not run or the compiler's program cannot be had, `WorkspaceError`.
    """
    path = on.cache / _FOLDER / f"{_key(request, on)}.json"
    with suppress(OSError, msgspec.DecodeError):
        found = msgspec.json.decode(path.read_bytes(), type=Compiled)
        os.utime(path)
        return found
    answer = ask(_question(request), on)
    if answer.content is None:
        end = f"ended with {answer.exit_code}" if answer.exit_code is not None else f"took over {TIME_LIMIT_S:.0f} s"
        return Compiled(refusal=Refusal.DIED, text=f"the process {end}\n{answer.output}".rstrip())
    with suppress(OSError):
        _keep(path, answer.content)
    return msgspec.json.decode(answer.content, type=Compiled)


def _question(request: PlanRequest) -> Question:
    given = () if request.plan is None else (("plan", request.plan), ("names", request.names))
    return Question(
        program="SqlCompiler",
        role="sql-plan",
        pairs=(
            *(("statement", statement) for statement in request.statements),
            *(("jar", str(path.absolute())) for path, _ in request.jars),
            *((f"option:{key}", value) for key, value in sorted(request.options.items())),
            *given,
        ),
        environment=plain_environment(os.environ),
        timeout_s=TIME_LIMIT_S,
        plans_sql=True,
    )


def _key(request: PlanRequest, on: Java) -> str:
    return key_of(
        (
            *(compiled_name("SqlCompiler", on.flink), str(on.flink.home), str(on.java.major)),
            *(str(len(request.statements)), *request.statements),
            *(digest for _, digest in request.jars),
            "",
            *(text for pair in sorted(request.options.items()) for text in pair),
            *((request.plan, request.names) if request.plan is not None else ()),
        )
    )


def _keep(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.draft")
    draft.write_bytes(content)
    draft.replace(path)
    kept = sorted(path.parent.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)
    for old in kept[_KEPT:]:
        old.unlink(missing_ok=True)
