"""Tells which known trouble the exceptions of a job speak of. Pure; what is known is in `failure_catalogue.py`.

Nothing is guessed: a trouble is recognised by the words of an exception or by a figure, or it is not recognised.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scurry.model.observed import JobFailure

_CAUSED_BY = "\nCaused by: "
_LONGEST_LINE = 300


class Blame(StrEnum):
    """Where the cause of a trouble is."""

    APPLICATION = "application"
    """its code, its configuration or its state: another revision may help"""
    CLUSTER = "cluster"
    """Flink's processes and what they run on: no revision helps"""
    SURROUNDINGS = "surroundings"
    """what the job reads from and writes to; or how the application addresses it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One entry of the catalogue. In `what` and `todo`, `{name}` stands for a group of the pattern that was found."""

    id: str
    """stable: scripts and alerts may depend on it"""
    title: str
    seen: tuple[str, ...]
    """regular expressions over one exception, written `class: message`; empty where figures tell"""
    what: str
    """a sentence in plain words"""
    todo: str
    """what to do; a command on a line of its own; `{application}` is its name"""
    blame: Blame = Blame.APPLICATION
    decides: bool = False
    """says more than the causes below it, so it is looked for in the whole chain first"""
    follows: bool = False
    """often follows from another failure: one that explains more goes before it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A trouble that was recognised."""

    trouble: Trouble
    what: str
    todo: str
    evidence: str
    """the line that it was recognised by"""


def recognise(causes: str, *, application: str = "APP") -> Known | None:
    """Return the trouble that a chain of causes speaks of, the deepest cause first; None when it is not known."""
    chain = causes.split(_CAUSED_BY)
    deciding = [pair for pair in _patterns() if pair[0].decides]
    for cause, entries in [
        *((cause, deciding) for cause in chain),
        *((cause, _patterns()) for cause in reversed(chain)),
    ]:
        for entry, patterns in entries:
            found = next((match for pattern in patterns if (match := pattern.search(cause))), None)
            if found:
                words = _words(patterns, chain) | {"application": application}
                return Known(
                    trouble=entry,
                    what=_tidy(entry.what.format(**words)),
                    todo=entry.todo.format(**words),
                    evidence=_line_of(cause, found.start()),
                )
    return None


def root(failures: Sequence[JobFailure], *, application: str = "APP") -> tuple[JobFailure, Known | None] | None:
    """Return the failure that explains the others, and what it is: the newest one that does not merely follow."""
    if not failures:
        return None
    told = [
        (failure, recognise(failure.causes or failure.message, application=application))
        for failure in failures
        if failure.causes or not any(other.causes and other.message == failure.message for other in failures)
    ]
    return next(((failure, known) for failure, known in told if known and not known.trouble.follows), told[0])


def trouble(id: str) -> Trouble:
    """Return an entry of the catalogue. Raises `KeyError`."""
    return _by_id()[id]


def known(id: str, *, application: str, evidence: str, **groups: str) -> Known:
    """Return a trouble that a figure tells."""
    entry = trouble(id)
    return Known(
        trouble=entry,
        what=entry.what.format(**groups),
        todo=entry.todo.format(application=application, **groups),
        evidence=evidence,
    )


def _words(patterns: Sequence[re.Pattern[str]], chain: Sequence[str]) -> dict[str, str]:
    """Return what the patterns name; the deepest cause has the last word, but an outer one may say what it does not."""
    words = {name: "" for pattern in patterns for name in pattern.groupindex}
    for cause in chain:
        for pattern in reversed(patterns):
            found = pattern.search(cause)
            words |= {name: _oneline(text) for name, text in (found.groupdict() if found else {}).items() if text}
    return words


def _tidy(text: str) -> str:
    """Leave no gap where a pattern has not found a word for its place."""
    return re.sub(r" +([.,;)]|$)| {2,}", lambda gap: gap[1] if gap[1] is not None else " ", text).removesuffix(":")


def _line_of(text: str, position: int) -> str:
    start = text.rfind("\n", 0, position) + 1
    line = text[start:].partition("\n")[0].strip()
    return line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + "…"


def _oneline(text: str) -> str:
    return ", ".join(line.strip() for line in text.splitlines() if line.strip())


@cache
def _by_id() -> dict[str, Trouble]:
    from scurry.engine.failure_catalogue import CATALOGUE

    return {entry.id: entry for entry in CATALOGUE}


@cache
def _patterns() -> tuple[tuple[Trouble, tuple[re.Pattern[str], ...]], ...]:
    return tuple(
        (entry, tuple(re.compile(pattern, re.DOTALL) for pattern in entry.seen)) for entry in _by_id().values()
    )
