"""Forks and rehearsals, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scurry.cli import views, views_diagnosis
from scurry.cli.text import bold, paint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scurry.forking import Fork
    from scurry.model.result import Applied
    from scurry.rehearsing import Rehearsal, Rehearsed
    from scurry.spec.sql_tables import Table


def plan(fork: Fork, warnings: Sequence[str], *, rehearsed: Path | None = None) -> str:
    """Return what will be done, before it is asked for."""
    original, desired = fork.asked.application, fork.desired
    what = f"fork of {original}, revision as it is"
    end = f"{original!r} is not touched."
    if rehearsed is not None:
        what = f"rehearsal of {rehearsed} on a copy of the state of {original}"
        end += " Afterwards the job and the copy are removed."
    return "\n".join(
        [
            f"{bold(desired.application)} on {desired.target}: {what}",
            f"  state: a copy of {fork.source}",
            f"  copied to {fork.place}",
            f"  {end}",
            *(f"  {paint('warning:', 'yellow')} {warning}" for warning in warnings),
        ]
    )


def rehearsal(planned: Rehearsal, found: Rehearsed, *, verbose: bool) -> str:
    """Return how a rehearsal went, as people read it."""
    sign, colour, word = ("✓", "green", "healthy") if found.healthy else ("✗", "red", "not healthy")
    lines = [f"{paint(sign, colour)} {bold(planned.fork.asked.application)}: the new version is {word}"]
    if not found.healthy:
        lines.append(f"  {paint(found.reason, colour)}")
        lines += [f"  {line}" for line in (found.hint or "").split("\n") if line]
        if found.diagnosis is not None:
            lines += ["", views_diagnosis.text(found.diagnosis, verbose=verbose)]
    if found.dropped:
        lines.append(f"  state that it did not take over: {', '.join(found.dropped)}")
    if not found.left:
        lines.append(paint("  job and copy are removed", "dim"))
    return "\n".join([*lines, *(f"  {what}" for what in found.left)])


def document(fork: Fork, applied: Applied, ui_url: str | None) -> dict[str, Any]:
    """Return what became of a fork, as programs read it."""
    (told,) = views.apply_document([(applied, ui_url)])["applications"]
    return {**_about(fork), "copy": fork.place, "applied": told, "rehearsal": None}


def rehearsal_document(planned: Rehearsal, found: Rehearsed) -> dict[str, Any]:
    """Return how a rehearsal went, as programs read it."""
    told = {
        "healthy": found.healthy,
        "reason": found.reason,
        "hint": found.hint,
        "diagnosis": views_diagnosis.document(found.diagnosis) if found.diagnosis else None,
        "sinks_replaced": [_table(table) for table in planned.replaced],
        "sinks_kept": [_table(table) for table in planned.kept],
        "dropped": list(found.dropped),
        "left": list(found.left),
    }
    return {**_about(planned.fork), "copy": None, "applied": None, "rehearsal": told}


def _about(fork: Fork) -> dict[str, Any]:
    return {
        "application": fork.asked.application,
        "name": fork.desired.application,
        "target": fork.desired.target,
        "snapshot": fork.source,
    }


def _table(table: Table) -> dict[str, Any]:
    return {"name": table.name, "connector": table.options.get("connector"), "kept_because": table.unfit}
