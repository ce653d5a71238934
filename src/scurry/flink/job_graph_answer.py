"""From what `JobGraphs` answers to a job graph, or to the error that says why there is none."""

from __future__ import annotations

import base64
import re
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from scurry.flink.job_graph_python import UNREAD, Recorded, recorded
from scurry.flink.stack_trace import explain, thrown_at
from scurry.model.errors import RejectedByTarget
from scurry.model.state import GraphOperator, JobGraph, StateType
from scurry.model.values import MASK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scurry.flink.java_asking import Answer
    from scurry.flink.job_graph import GraphRequest, ReadType

_SEVERAL = re.compile(r"Cannot have more than (one execute\(\)|\d+ \w+ jobs?)")  # StreamContextEnvironment; since 2.1
_NOT_THE_USERS = re.compile(r"\s*at ([\w.]+@[\w.]+/|app//|(java|jdk|sun|io\.scurry|org\.apache\.flink)\.)")
_PYTHON_ENDED = re.compile(r"Python process exits with code: (\d+)")
_DRIVER_LOGS = "ERROR PythonDriver"
_NETWORK = re.compile(
    r"Network is unreachable|UnknownHostException|NoRouteToHostException|Temporary failure in name resolution"
    r"|ConnectException|Connection refused|bootstrap\.servers"
)


class Failure(StrEnum):
    """Why a program gave no job graph."""

    MAIN = "main"
    """its main() failed, or could not be called"""
    NO_JOB = "no-job"
    """main() ended without execute()"""
    SEVERAL_JOBS = "several-jobs"
    DATASET = "dataset"
    """a program of the DataSet API, which has no state"""
    EXIT = "exit"
    """main() ended the process"""
    TIME = "time"
    DIED = "died"
    """the process was killed, or died"""


class ProgramFailed(RejectedByTarget):
    """A program gave no job graph when it was asked for one; `cause` is the chain of causes, `kind` what happened."""

    def __init__(
        self, message: str, *, kind: Failure, hint: str | None = None, cause: str = "", without_network: bool = False
    ) -> None:
        super().__init__(message, hint=hint, cause=cause)
        self.kind = kind
        self.without_network = without_network
        """it may have failed only because it has no network here"""


class _Operator(msgspec.Struct, frozen=True, kw_only=True):
    node: int
    id: str
    name: str
    parallelism: int
    chain: str
    inputs: tuple[str, ...] = ()
    alternative_id: str | None = None
    uid: str | None = None
    source: str | None = None
    max_parallelism: int | None = None
    key_serializer: str | None = None
    key_snapshot: str | None = None


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    flink_version: str = ""
    state_backend: str | None = None
    changelog: bool = False
    operators: tuple[_Operator, ...] = ()
    failure: Failure | None = None
    trace: str = ""
    python_states: str | None = None


def check_answer(answer: Answer, request: GraphRequest) -> bytes:
    """Return the answer's content. Raises `ProgramFailed` when it says why there is no graph, or there is none."""
    if answer.content is None:
        raise _unanswered(answer, request)
    told = msgspec.json.decode(answer.content, type=_Answer)
    if told.failure is not None:
        raise _failed(told.failure, told.trace, answer, request)
    return answer.content


def read_graph(content: bytes, read_type: ReadType | None) -> JobGraph:
    """Return the job graph of a content that was checked."""
    told = msgspec.json.decode(content, type=_Answer)
    python = recorded(told.python_states)
    operators = _sorted({operator.id: operator for operator in told.operators})
    return JobGraph(
        flink_version=told.flink_version,
        operators=tuple(_operator(operator, read_type, python) for operator in operators),
        state_backend=told.state_backend,
        changelog=told.changelog,
    )


def _sorted(operators: Mapping[str, _Operator]) -> list[_Operator]:
    """Put what is in front of others in front of them; else as the program made them."""
    found: dict[str, _Operator] = {}
    left = sorted(operators.values(), key=lambda operator: operator.node)
    while left:
        ready = [operator for operator in left if all(id in found or id not in operators for id in operator.inputs)]
        for operator in ready or left:  # a loop has no beginning
            found[operator.id] = operator
        left = [operator for operator in left if operator.id not in found]
    return list(found.values())


def _operator(told: _Operator, read_type: ReadType | None, python: Mapping[int, Recorded]) -> GraphOperator:
    known = python.get(told.node)
    reason = known or python.get(UNREAD)
    return GraphOperator(
        id=told.id,
        alternative_id=told.alternative_id,
        uid=told.uid,
        name=told.name,
        source=told.source,
        parallelism=told.parallelism,
        max_parallelism=told.max_parallelism,
        inputs=told.inputs,
        chain=told.chain,
        key=_key(told, read_type),
        states=known.states if known else None,
        unknown_because=reason.unknown_because if reason else None,
    )


def _key(told: _Operator, read_type: ReadType | None) -> StateType | None:
    if told.key_serializer is None or told.key_snapshot is None:
        return None
    if read_type:
        return read_type(base64.b64decode(told.key_snapshot))
    name = re.split(r"[.$]", told.key_serializer)[-1].removesuffix("Serializer")
    return StateType(name=name, serializer=told.key_serializer, known=False)


def _failed(kind: Failure, trace: str, answer: Answer, request: GraphRequest) -> ProgramFailed:
    if kind is Failure.MAIN:
        return _main_failed(trace, answer, request)
    if kind is Failure.TIME:
        return _too_slow(trace, answer, request)
    hint = None
    if kind is Failure.NO_JOB:
        message = "the program's main() ends without a call of execute(), so there is no job"
        hint = "Call `execute()` of the environment, or execute a statement set or `INSERT INTO`, at its end."
    elif kind is Failure.DATASET:
        message = "the program uses Flink's DataSet API, whose jobs have no state"
        hint = "Write it with the DataStream API or in SQL."
    else:
        message = f"the program's main() ended the process (exit){_at(trace)}"
        hint = "Return from main() instead of calling `System.exit`: in a JobManager it would end that."
    return ProgramFailed(message, kind=kind, hint=hint, cause=_masked(trace, request))


def _too_slow(trace: str, answer: Answer, request: GraphRequest) -> ProgramFailed:
    printed = _last_lines(answer.output)
    said = f"It printed at last:\n{printed}" if printed else ""
    return ProgramFailed(
        f"the program's main() did not come to execute() within {request.timeout_s:g} s{_at(trace, verb='it is ')}",
        kind=Failure.TIME,
        hint="main() has to build the job and return; what takes long belongs into the job's functions.",
        cause=_masked("\n".join(part for part in (trace.rstrip(), said) if part), request),
    )


def _at(trace: str, *, verb: str = "") -> str:
    """Name the line of the user's code that a stack is at."""
    lines = trace.splitlines()
    where = thrown_at("\n".join(line for line in lines if not _NOT_THE_USERS.match(line)))
    return f", {verb}at {where}" if where else ""


def _main_failed(trace: str, answer: Answer, request: GraphRequest) -> ProgramFailed:
    if _SEVERAL.search(trace):
        return ProgramFailed(
            "the program calls execute() more than once, and only one job of it can be run",
            kind=Failure.SEVERAL_JOBS,
            hint="Make an application of each job, or one job of all: a statement set, or one `execute()` at the end.",
            cause=_masked(explain(trace).cause, request),
        )
    python = _PYTHON_ENDED.search(trace)
    if python:
        printed = answer.output.partition(_DRIVER_LOGS)[0].rstrip()
        trace = f"{trace}\n{printed}"
        if "Traceback (most recent call last)" not in printed:
            return ProgramFailed(
                _masked(f"the Python program ended with exit code {python[1]}{_last(printed)}", request),
                kind=Failure.MAIN,
                cause=_masked(explain(trace).cause, request),
            )
    explanation = explain(trace)
    lacks_network = answer.fence.network and bool(_NETWORK.search(trace))
    hint = explanation.hint
    if lacks_network:
        hint = "To ask a program for its job graph, scurry runs its main() without a network."
    failed = ProgramFailed(
        _masked(explanation.message, request),
        kind=Failure.MAIN,
        hint=hint,
        cause=_masked(explanation.cause, request),
        without_network=lacks_network,
    )
    return failed.concerning(*explanation.about) if explanation.about else failed


def _unanswered(answer: Answer, request: GraphRequest) -> ProgramFailed:
    if answer.exit_code is None:
        return _too_slow("", answer, request)
    said = _masked(_last_lines(answer.output), request)
    return ProgramFailed(
        f"the process that asked the program for its job graph died (exit code {answer.exit_code})",
        kind=Failure.DIED,
        hint=said or None,
        cause=said,
    )


def _masked(text: str, request: GraphRequest) -> str:
    for secret in request.conceal:
        if secret:
            text = text.replace(secret, MASK)
    return text


def _last(printed: str) -> str:
    line = printed.rpartition("\n")[2].strip()
    return f": {line}" if line else ""


def _last_lines(output: str) -> str:
    return "\n".join([line for line in output.splitlines() if line.strip()][-10:])
