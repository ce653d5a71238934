"""A plan as JSON, and for people like OpenTofu's: a sign, the operation, why, what differs, what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from scurry.cli import views_compatibility
from scurry.cli.text import bold, paint
from scurry.model.operation import (
    Adjust,
    Adopt,
    Delete,
    Deploy,
    DropSnapshot,
    Operation,
    Rescale,
    Resume,
    Suspend,
    TakeSnapshot,
    Upgrade,
)
from scurry.model.snapshot import FromLatest, FromSnapshot, Restore, Stateless
from scurry.model.values import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.model.plan import Change, Difference, Plan


def document(plan: Plan) -> dict[str, Any]:
    """Return a plan as programs read it."""
    return {
        "application": plan.application,
        "target": plan.target,
        "phase": plan.phase,
        "position": plan.position,
        "made_at": plan.made_at,
        "converged": plan.is_converged,
        "snapshot": plan.snapshot,
        "changes": [_change_document(change) for change in plan.changes],
    }


def _change_document(change: Change) -> dict[str, Any]:
    return {
        "operation": operation_name(change.operation),
        "reason": change.reason,
        "restore": _restore_document(getattr(change.operation, "restore", None)),
        "differences": difference_documents(change.differences),
        "consequences": change.consequences,
        "warnings": change.warnings,
        "gap_seconds": change.gap.total_seconds() if change.gap is not None else None,
        "state": views_compatibility.document(change.compatibility),
    }


def difference_documents(differences: tuple[Difference, ...]) -> list[dict[str, Any]]:
    """Return differences as programs read them."""
    return [
        {
            "field": item.field,
            "before": item.before,
            "after": item.after,
            "impact": item.impact.name.lower(),
            "details": item.details,
        }
        for item in differences
    ]


def _restore_document(restore: Restore | None) -> dict[str, Any] | None:
    match restore:
        case None:
            return None
        case FromLatest():
            return {"from": "latest"}
        case FromSnapshot():
            return {"from": "snapshot", "snapshot": restore.snapshot}
        case Stateless():
            return {"from": "none", "why": restore.why}
        case _:
            assert_never(restore)


def operation_name(operation: Operation) -> str:
    """Return an operation's word, as the journal and JSON have it."""
    return str(operation.__struct_config__.tag)


def _sign(operation: Operation) -> tuple[str, str]:
    """Return the sign and its colour: `-/+` where a job ends and another one starts, as OpenTofu has it."""
    match operation:
        case Deploy() | Resume() | TakeSnapshot() | Adopt():
            return "+", "green"
        case Upgrade():
            return "-/+", "yellow"
        case Rescale() | Adjust():
            return "~", "yellow"
        case Suspend() | Delete() | DropSnapshot():
            return "-", "red"
        case _:
            assert_never(operation)


def text(plan: Plan) -> str:
    """Return a plan as people read it."""
    if plan.is_converged:
        return f"{bold(plan.application)} on {plan.target}: nothing to do ({plan.phase.value})"
    head = f"{bold(plan.application)} on {plan.target}, {plan.phase.value}"
    return "\n".join([head, *(line for change in plan.changes for line in _change_lines(change))])


def _change_lines(change: Change) -> Iterator[str]:
    sign, colour = _sign(change.operation)
    yield f"  {paint(sign, colour)} {bold(operation_name(change.operation))}  {change.reason}"
    if not _says_it_all(change):
        yield from (f"      {line}" for line in difference_lines(change.differences))
    yield from (f"      {sentence}" for sentence in change.consequences)
    yield from (f"      {paint('warning:', 'yellow')} {warning}" for warning in change.warnings)
    if change.compatibility:
        yield from (f"      {line}" for line in views_compatibility.lines(change.compatibility))
    if change.gap:
        yield paint(f"      Upgrades of it took {format_duration(change.gap)} without processing before.", "dim")


def _says_it_all(change: Change) -> bool:
    """Whether the reason names the one difference there is, so that its line would only repeat it."""
    match change.differences:
        case (only,):
            return f"{only.field} {only.before or 'unset'} → {only.after or 'unset'}" in change.reason
        case _:
            return False


def difference_lines(differences: tuple[Difference, ...]) -> Iterator[str]:
    """Yield a line for each difference: field, old → new."""
    longest = max((len(item.field) for item in differences), default=0)
    for item in differences:
        yield f"{item.field:<{longest}}  {paint(_value(item.before), 'red')} → {paint(_value(item.after), 'green')}"
        yield from (f"  {_detail(line)}" for line in item.details)


_DETAIL_COLOURS = {"+": "green", "-": "red"}


def _detail(line: str) -> str:
    colour = _DETAIL_COLOURS.get(line[:1])
    return paint(line, colour) if colour else line


def _value(value: str | None) -> str:
    if value is None:
        return "(unset)"
    return value or '""'
