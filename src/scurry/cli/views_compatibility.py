"""Whether state fits, for people: a line when all of it does, else a table with reasons and remedies; and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scurry.cli.text import bold, grid, paint
from scurry.cli.views import size
from scurry.model.compatibility import Fit, OperatorFate, StateFate, Weight

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scurry.model.compatibility import Compatibility, OperatorVerdict, StateVerdict

_FITS = {
    Fit.FITS: ("✓", "green", "State fits"),
    Fit.DROPS: ("!", "yellow", "State fits, and some is dropped, as allowed"),
    Fit.UNKNOWN: ("?", "yellow", "It is not certain that the state fits"),
    Fit.BLOCKED: ("✗", "red", "State does NOT fit"),
}
_FATE_COLOURS = {
    OperatorFate.KEPT: "green",
    OperatorFate.MOVED: "red",
    OperatorFate.NEW: "",
    OperatorFate.DROPPED: "red",
    OperatorFate.GONE: "dim",
    OperatorFate.BLOCKED: "red",
}
_STATE_COLOURS = {
    StateFate.SAME: "green",
    StateFate.MIGRATABLE: "green",
    StateFate.INCOMPATIBLE: "red",
    StateFate.UNKNOWN: "yellow",
    StateFate.NEW: "",
    StateFate.UNUSED: "yellow",
}
_MARKS = {Weight.WARNING: ("warning:", "yellow"), Weight.UNKNOWN: ("unknown:", "yellow"), Weight.BLOCKS: ("✗", "red")}
_PLAIN = frozenset({StateFate.SAME, StateFate.NEW})


def document(found: Compatibility | None) -> dict[str, Any] | None:
    """Return a verdict as programs read it."""
    if found is None:
        return None
    return {
        "fit": found.fit,
        "certain": not found.is_uncertain,
        "location": found.location,
        "lost_bytes": found.lost,
        "operators": [_operator_document(verdict) for verdict in found.operators],
        "remarks": [
            {"weight": remark.weight, "message": remark.message, "remedy": remark.remedy} for remark in found.remarks
        ],
    }


def _operator_document(verdict: OperatorVerdict) -> dict[str, Any]:
    return {
        "name": verdict.name,
        "fate": verdict.fate,
        "uid": verdict.uid,
        "id": verdict.id,
        "new_uid": verdict.new_uid,
        "new_id": verdict.new_id,
        "bytes": verdict.bytes,
        "lost_bytes": verdict.lost,
        "allowed": verdict.allowed,
        "finished": verdict.finished,
        "states": [_state_document(state) for state in verdict.states],
        "reason": verdict.reason,
        "remedy": verdict.remedy,
        "warnings": verdict.warnings,
    }


def _state_document(state: StateVerdict) -> dict[str, Any]:
    return {
        "name": state.name,
        "kind": state.kind,
        "fate": state.fate,
        "before": state.before,
        "after": state.after,
        "bytes": state.bytes,
        "reason": state.reason,
        "remedy": state.remedy,
        "by_flink": state.by_flink,
    }


def text(found: Compatibility, *, whole: bool = False) -> str:
    """Return a verdict as people read it; `whole`: with the table also when there is nothing to tell."""
    return "\n".join(lines(found, whole=whole))


def lines(found: Compatibility, *, whole: bool = False) -> Iterator[str]:
    """Yield the lines: the verdict; unless all is plain, the operators; then what is to be known, and done."""
    yield _headline(found)
    shown = [verdict for verdict in found.operators if whole or _counts(verdict)]
    if shown and (whole or not all(map(_is_plain, shown))):
        yield from (f"  {line}" for line in _table(shown).split("\n"))
        if left := len(found.operators) - len(shown):
            yield f"  and {left} {_operators(left)} without state"
    for remark in found.remarks:
        mark, colour = _MARKS[remark.weight]
        yield f"  {paint(mark, colour)} {remark.message}"
        yield from _indented(remark.remedy)
    for verdict in shown:
        yield from _told(verdict)


def _headline(found: Compatibility) -> str:
    sign, colour, word = _FITS[found.fit]
    taken = [verdict for verdict in found.operators if verdict.fate is OperatorFate.KEPT and verdict.has_state]
    what = ""
    if found.fit in {Fit.FITS, Fit.DROPS} and taken:
        verb = "takes" if len(taken) == 1 else "take"
        over = size(sum(verdict.bytes for verdict in taken))
        what = f": {len(taken)} {_operators(len(taken))} {verb} over {over}"
    lost = f"; {size(found.lost)} would be lost" if found.fit is Fit.BLOCKED and found.lost else ""
    lost = f"; {size(found.lost)} is dropped" if found.fit is Fit.DROPS else lost
    looked = f" {paint(f'({_last(found.location)})', 'dim')}" if found.location else ""
    return f"{paint(sign, colour)} {bold(word)}{what}{lost}{looked}"


def _operators(number: int) -> str:
    return "operator" if number == 1 else "operators"


def _last(location: str) -> str:
    return location.rstrip("/").rpartition("/")[2]


def _counts(verdict: OperatorVerdict) -> bool:
    """Whether an operator is worth a line: it has state, or something is to be told of it."""
    told = bool(verdict.states or verdict.warnings) or verdict.fate is OperatorFate.BLOCKED
    return verdict.has_state or told


def _is_plain(verdict: OperatorVerdict) -> bool:
    kept = verdict.fate in {OperatorFate.KEPT, OperatorFate.NEW, OperatorFate.GONE}
    return kept and not verdict.warnings and all(state.fate in _PLAIN for state in verdict.states)


# The table -----------------------------------------------------------------------------------------------------


def _table(shown: Sequence[OperatorVerdict]) -> str:
    return grid(("OPERATOR", "UID", "STATE", "VERDICT"), [_row(verdict) for verdict in shown])


def _row(verdict: OperatorVerdict) -> tuple[str, str, str, str]:
    uid = verdict.uid or verdict.new_uid or paint("none", "dim")
    return _short(verdict.name), uid, size(verdict.bytes) if verdict.has_state else "", _verdict(verdict)


def _short(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:39]}…"


def _verdict(verdict: OperatorVerdict) -> str:
    word = verdict.fate.value
    colour = _FATE_COLOURS[verdict.fate]
    if verdict.loses_state and verdict.allowed:
        word, colour = f"{word}, allowed", "yellow"
    if verdict.is_unknown and not verdict.is_blocked:
        word, colour = "unknown", "yellow"
    counts = {fate: sum(state.fate is fate for state in verdict.states) for fate in StateFate}
    told = [f"{number} {fate.value}" for fate, number in counts.items() if number]
    states = f" ({', '.join(told)})" if told else ""
    return f"{paint(word, colour)}{states}"


# What is to be known, and done ----------------------------------------------------------------------------------


def _told(verdict: OperatorVerdict) -> Iterator[str]:
    name = bold(verdict.name)
    if verdict.is_blocked:
        yield f"  {paint('✗', 'red')} {name}: {verdict.reason}"
        yield from _indented(verdict.remedy)
    elif verdict.loses_state:
        yield f"  {paint('!', 'yellow')} {name}: {size(verdict.lost)} of state is dropped, as allowed"
    for reason, states in _by_reason(verdict):
        yield f"  {name}: {reason}" if not states else f"  {name}, {states}: {reason}"
    yield from (f"  {paint('warning:', 'yellow')} {name}: {warning}" for warning in verdict.warnings)


def _by_reason(verdict: OperatorVerdict) -> Iterator[tuple[str, str]]:
    """Yield each reason once, with the states that it is of; what blocks is told by the operator's own reason."""
    reasons: dict[tuple[StateFate, str], list[StateVerdict]] = {}
    for state in verdict.states:
        if state.reason and state.fate not in _PLAIN and state.fate is not StateFate.INCOMPATIBLE:
            reasons.setdefault((state.fate, state.reason), []).append(state)
    for (fate, reason), states in reasons.items():
        names = ", ".join(f'"{state.name}"' if state.name else "the key" for state in states)
        yield f"{paint(fate.value, _STATE_COLOURS[fate])}: {reason}", names
        yield from ((remedy, "") for state in states if (remedy := state.remedy))


def _indented(remedy: str | None) -> Iterator[str]:
    yield from (f"    {line}" for line in (remedy or "").split("\n") if line)
