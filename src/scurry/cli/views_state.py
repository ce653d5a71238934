"""What a snapshot holds, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from scurry.cli.text import bold, paint, width
from scurry.cli.views import size
from scurry.model.errors import SnapshotNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scurry.model.state import OperatorState, SnapshotState, State, StateType
    from scurry.savepoints.copy import Copied

_SKEWED = 2.0
"""from here on, the largest subtask is worth a look"""
_TELLS_UIDS = 5
"""the version of `_metadata` from which on it holds uids"""
_PLAIN_NAMESPACE = "VoidNamespace"
"""of keyed state that is in no window"""


def chosen(state: SnapshotState, names: Sequence[str]) -> SnapshotState:
    """Return the snapshot with some of its operators, by the beginning of uid, name or id; without names, all.

    Raises `SnapshotNotFound` when one is not there.
    """
    if not names:
        return state
    for name in names:
        if not any(_is_named(operator, name) for operator in state.operators):
            known = ", ".join(operator.uid or operator.name or operator.id for operator in state.operators)
            raise SnapshotNotFound(f"{state.location!r} has no operator {name!r}", hint=f"It has: {known}")
    found = tuple(operator for operator in state.operators if any(_is_named(operator, name) for name in names))
    return msgspec.structs.replace(state, operators=found)


def _is_named(operator: OperatorState, name: str) -> bool:
    return any(known.startswith(name) for known in (operator.uid, operator.name, operator.id) if known)


def document(state: SnapshotState) -> dict[str, Any]:
    """Return what a snapshot holds, as programs read it."""
    return {
        "location": state.location,
        "metadata_version": state.metadata_version,
        "checkpoint_id": state.checkpoint_id,
        "is_savepoint": state.is_savepoint,
        "format": state.format,
        "bytes": state.bytes,
        "operators": [_operator_document(operator) for operator in state.operators],
    }


def _operator_document(operator: OperatorState) -> dict[str, Any]:
    return {
        "id": operator.id,
        "uid": operator.uid,
        "name": operator.name,
        "parallelism": operator.parallelism,
        "max_parallelism": operator.max_parallelism,
        "key_serializer": operator.key.serializer if operator.key else None,
        "key_type": _name(operator.key),
        "finished": operator.finished,
        "has_state": operator.has_state,
        "bytes": operator.bytes,
        "subtask_bytes": list(operator.subtask_bytes),
        "coordinator_bytes": operator.coordinator_bytes,
        "skew": _skew(operator),
        "unread": operator.unread,
        "states": [_state_document(state) for state in operator.states],
    }


def _state_document(state: State) -> dict[str, Any]:
    return {
        "name": state.name,
        "kind": state.kind,
        "type": _name(state.type),
        "bytes": state.bytes,
        "serializer": state.type.serializer if state.type else None,
        "key_type": _name(state.key),
        "namespace_type": _name(state.namespace),
        "ttl": state.ttl,
    }


def _name(type: StateType | None) -> str | None:
    return type.name if type else None


def _skew(operator: OperatorState) -> float | None:
    """How many times the mean the largest subtask holds; None where that says nothing."""
    sizes = operator.subtask_bytes
    if len(sizes) < 2 or not sum(sizes):
        return None
    return round(max(sizes) * len(sizes) / sum(sizes), 2)


def tree(state: SnapshotState) -> str:
    """Return what a snapshot holds as people read it: operators, and below each its states."""
    kind = {True: "savepoint", False: "checkpoint", None: "snapshot"}[state.is_savepoint]
    about = [f"checkpoint {state.checkpoint_id}", f"_metadata version {state.metadata_version}"]
    if state.format:
        about.insert(0, state.format.value)
    stateful = [operator for operator in state.operators if operator.has_state or operator.states or operator.unread]
    others = [operator for operator in state.operators if operator not in stateful]
    lines = [f"{bold(kind)} {state.location}", paint(", ".join([*about, size(state.bytes) or "0 B"]), "dim")]
    for number, operator in enumerate(stateful):
        last = number == len(stateful) - 1 and not others
        lines += _branch(_title(operator, state.metadata_version), list(_details(operator)), last=last)
    if others:
        names = ", ".join(_handle(operator) + (" (finished)" if operator.finished else "") for operator in others)
        lines += _branch(paint(f"without state: {names}", "dim"), [], last=True)
    return "\n".join(lines)


def _branch(title: str, below: list[str], *, last: bool) -> Iterator[str]:
    yield f"{'└─' if last else '├─'} {title}"
    for number, line in enumerate(below):
        twig = "└─" if number == len(below) - 1 else "├─"
        yield f"{'   ' if last else '│  '}{twig} {line}"


def _handle(operator: OperatorState) -> str:
    return operator.uid or operator.name or operator.id


def _title(operator: OperatorState, version: int) -> str:
    named = f" {operator.name}" if operator.name and operator.name != operator.uid else ""
    missing = paint("no uid", "yellow") if version >= _TELLS_UIDS else "operator"
    facts = [f"parallelism {operator.parallelism} (max {operator.max_parallelism})", size(operator.bytes)]
    if operator.key:
        facts.append(f"key {operator.key.name}")
    uid = bold(operator.uid) if operator.uid else missing
    return f"{uid}{named}  {', '.join(facts)}  {paint(operator.id, 'dim')}"


def _details(operator: OperatorState) -> Iterator[str]:
    yield from _columns([_row(state) for state in operator.states])
    if operator.coordinator_bytes:
        yield paint(f"coordinator: {size(operator.coordinator_bytes)}", "dim")
    skew = _skew(operator)
    if skew is not None:
        sizes = operator.subtask_bytes
        least, most = size(min(sizes)), size(max(sizes))
        text = f"subtasks: {least} each" if least == most else f"subtasks: {least} to {most}"
        largest = f"; the largest, {sizes.index(max(sizes))}, has {skew:.1f} times the mean"
        yield paint(text + largest, "yellow") if skew >= _SKEWED else paint(text, "dim")
    if operator.unread:
        yield paint(f"not read: {operator.unread}", "red")


def _row(state: State) -> tuple[str, str, str, str]:
    type = _name(state.type) or "?"
    if state.key:
        type = f"{state.key.name} → {type}"
    if state.namespace and state.namespace.name != _PLAIN_NAMESPACE:
        type += f" by {state.namespace.name}"
    if state.ttl:
        type += ", with a time to live"
    return (state.name, state.kind.value, type, size(state.bytes))


def _columns(rows: list[tuple[str, str, str, str]]) -> Iterator[str]:
    if not rows:
        return
    widths = [max(width(row[column]) for row in rows) for column in range(2)]
    for name, kind, type, bytes_ in rows:
        line = f"{name:<{widths[0]}}  {kind:<{widths[1]}}  {type}" + (f"  {bytes_}" if bytes_ else "")
        yield line


def copied(done: Copied) -> str:
    """Return what was copied, as people read it."""
    before = f", {done.resumed_files} of them before" if done.resumed_files else ""
    files = f"{done.files} file{'s' if done.files != 1 else ''}"
    return (
        f"{paint('✓', 'green')} copied {files}{before} and _metadata, {size(done.bytes)}, each verified\n"
        f"  {done.location}"
    )


def copied_document(source: str, done: Copied) -> dict[str, Any]:
    """Return what was copied, as programs read it."""
    return {
        "source": source,
        "location": done.location,
        "files": done.files,
        "bytes": done.bytes,
        "resumed_files": done.resumed_files,
        "metadata_sha256": done.metadata_sha256,
    }
