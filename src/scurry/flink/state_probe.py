"""Asks Flink itself whether a program's operators can take over old state, before anything is stopped.

The operators are opened in a process apart (`java/StateProbe.java`), with a state backend on the heap, without input
and without a cluster; then Flink compares what they registered with what a snapshot holds, as it does on a restore.
State that is registered with the first record only is not seen. Knows no storage and no format of snapshots.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from scurry.flink.java_asking import FILES, Question, ask
from scurry.flink.job_graph import question_about
from scurry.flink.job_graph_python import PYTHON_DRIVER
from scurry.model.state import Resolution, StateResolution
from scurry.model.values import MASK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scurry.flink.java_asking import Answer
    from scurry.flink.job_graph import GraphRequest

_TOLD = 2_000
"""characters of what a program printed that are worth showing"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldHeads:
    """How a snapshot's file describes the state of one operator: its bytes, as Flink wrote them.

    Several where the subtasks registered different states. What follows a head in its file may follow here.
    """

    operator: str
    """id in the new graph"""
    keyed: tuple[bytes, ...] = ()
    """each a `KeyedBackendSerializationProxy`"""
    not_keyed: tuple[bytes, ...] = ()
    """each an `OperatorBackendSerializationProxy`"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How operators are opened."""

    backend: str | None = None
    """`hashmap`, `rocksdb` …, as in `JobGraph`: RocksDB migrates less than the heap"""
    only_with_heads: bool = False
    """open no operators but those whose old heads are given: quicker, and less of the user's code runs"""
    operator_timeout_s: float = 5.0
    """for one operator"""
    timeout_s: float = 30.0
    """for all of them; the program's `main` has the time of its request in front of it"""


class OpenedOperator(msgspec.Struct, frozen=True, kw_only=True):
    """What one operator of the program registered when it was opened, as the heads that it would write."""

    id: str
    name: str
    keyed: bytes | None = None
    """a `KeyedBackendSerializationProxy`; None: its input is not keyed"""
    not_keyed: bytes | None = None
    """an `OperatorBackendSerializationProxy`; None: it registered no operator state"""
    unopened: str | None = None
    """why it did not open to the end. What it had registered by then is there"""


class ProbeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    operators: tuple[OpenedOperator, ...] = ()
    resolutions: tuple[StateResolution, ...] = ()
    """one for each state (and part) that is on both sides; the worst where subtasks differ. Of state `` (empty), part
    `key`: the key; or that the new program's classes do not suffice to read what the operator had"""
    failed: str | None = None
    """why the program could not be asked"""


def probe(request: GraphRequest, heads: Iterable[OldHeads] = (), opening: Opening | None = None) -> ProbeAnswer:
    """Open the operators of a program and compare. About 2 s; the program's `main` runs, and its operators' `open`.

    What the program itself does wrong is in the answer. Raises `RuntimeUnavailable`, `WorkspaceError`.
    """
    heads, opening = tuple(heads), opening or Opening()
    if request.entry == PYTHON_DRIVER:
        return ProbeAnswer(
            failed="the functions of a Python program run beside Flink, which cannot be asked about them"
        )
    if opening.only_with_heads and not heads:
        return ProbeAnswer()
    return _read(ask(_question(request, heads, opening), request.on), request)


def _question(request: GraphRequest, heads: tuple[OldHeads, ...], opening: Opening) -> Question:
    graph = question_about(request)
    return replace(
        graph,
        program="StateProbe",
        role=graph.role.replace("graph", "probe"),
        pairs=(
            *graph.pairs,
            ("backend", opening.backend or "hashmap"),
            ("operator_ms", str(round(opening.operator_timeout_s * 1000))),
            ("open_ms", str(round(opening.timeout_s * 1000))),
            *((("only", old.operator) for old in heads) if opening.only_with_heads else ()),
            *((pair, f"{FILES}/{name}") for pair, name, _ in _files(heads)),
        ),
        timeout_s=graph.timeout_s + opening.timeout_s,
        files={**graph.files, **{name: content for _, name, content in _files(heads)}},
    )


def _files(heads: tuple[OldHeads, ...]) -> Iterator[tuple[str, str, bytes]]:
    """Give for each head the name of its pair, the file's name and its content."""
    for number, old in enumerate(heads):
        for kind, contents in (("keyed", old.keyed), ("other", old.not_keyed)):
            for index, content in enumerate(contents):
                yield f"{kind}:{old.operator}", f"old-{kind}-{number}-{index}", content


def _read(answer: Answer, request: GraphRequest) -> ProbeAnswer:
    if answer.content is None:
        printed = answer.output.strip()[-_TOLD:]
        why = (
            "it did not answer in time"
            if answer.exit_code is None
            else f"its process ended with code {answer.exit_code}"
        )
        return ProbeAnswer(failed=_concealed(f"{why}; it printed:\n{printed}" if printed else why, request))
    told = msgspec.json.decode(answer.content, type=ProbeAnswer)
    worst: dict[tuple[str, str, str], StateResolution] = {}
    for found in told.resolutions:
        key = found.operator, found.state, found.part
        worst[key] = max(worst.get(key, found), found, key=_badness)
    return msgspec.structs.replace(
        told,
        operators=tuple(
            msgspec.structs.replace(operator, unopened=_concealed(operator.unopened, request))
            for operator in told.operators
        ),
        resolutions=tuple(worst.values()),
        failed=_concealed(told.failed, request),
    )


_BADNESS = (Resolution.AS_IS, Resolution.RECONFIGURED, Resolution.AFTER_MIGRATION, Resolution.INCOMPATIBLE)


def _badness(found: StateResolution) -> int:
    return _BADNESS.index(found.resolution)


def _concealed(text: str | None, request: GraphRequest) -> str | None:
    for secret in request.conceal if text else ():
        text = text and text.replace(secret, MASK)
    return text
