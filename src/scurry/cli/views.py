"""What became of changes, for people and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from scurry.model.result import Applied, ApplyOutcome
from scurry.model.values import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.text import Text

    from scurry.model.snapshot import Snapshot

OUTCOMES = {
    ApplyOutcome.CONVERGED: ("✓", "green", "done"),
    ApplyOutcome.UNCHANGED: ("✓", "green", "nothing to do"),
    ApplyOutcome.SUSPENDED: ("✓", "green", "stopped"),
    ApplyOutcome.ROLLED_BACK: ("✗", "red", "rolled back"),
    ApplyOutcome.FAILED: ("✗", "red", "failed"),
}


def applied_document(applied: Applied, ui_url: str | None = None) -> dict[str, Any]:
    """Return a result as programs read it."""
    error = applied.error
    return {
        "name": applied.application,
        "outcome": applied.outcome,
        "revision": applied.revision,
        "gap_seconds": round(applied.gap_s, 3) if applied.gap_s is not None else None,
        "job_id": applied.job_id,
        "snapshot": applied.snapshot,
        "ui_url": ui_url,
        "error": {"code": error.code, "message": error.message, "hint": error.hint} if error else None,
    }


def applied_text(applied: Applied, ui_url: str | None = None) -> RenderableType:
    """Return a result as people read it: what, how long it did not process, from which state, where to look."""
    from rich.text import Text

    sign, colour, word = OUTCOMES[applied.outcome]
    if applied.error and applied.outcome is ApplyOutcome.SUSPENDED:
        sign, colour = "✗", "red"
    revision = f", revision {applied.revision}" if applied.revision is not None else ""
    lines = [Text.assemble((sign, colour), " ", (applied.application, "bold"), f": {word}{revision}{_gap(applied)}")]
    if applied.error:
        lines.append(Text.assemble("  ", (applied.error.message, colour)))
    if applied.snapshot:
        lines.append(Text(f"  {applied.snapshot.kind.value} {applied.snapshot.location}"))
    if ui_url:
        lines.append(Text(f"  {ui_url}"))
    if applied.error and applied.error.hint:
        lines += [Text(f"  {line}") for line in applied.error.hint.split("\n")]
    return Text("\n").join(lines)


def _gap(applied: Applied) -> str:
    if applied.gap_s is None:
        return ""
    return f"; not processing for {format_duration(timedelta(seconds=applied.gap_s))}"


def ago(moment: datetime, now: datetime | None = None) -> str:
    """Say how long ago something was, to one unit."""
    passed = (now or datetime.now(UTC)) - moment
    if passed < timedelta(seconds=10):
        return "just now"
    number, unit, *_ = format_duration(passed).split()
    return f"{number} {unit} ago"


def size(number: int | None) -> str:
    """Write a size in bytes as people do: `1.2 MB`, decimal as disks and networks count."""
    if number is None:
        return ""
    amount = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def snapshot_name(snapshot: Snapshot) -> str:
    """Return the last part of a snapshot's location: enough to name it on the command line."""
    return snapshot.location.rstrip("/").rpartition("/")[2]


def grid(*columns: str, rows: Sequence[tuple[Text | str, ...]]) -> RenderableType:
    """Return a table without lines, as `kubectl` has them."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return table


def facts(known: dict[str, str]) -> RenderableType:
    """Return a line for each fact, the names aligned."""
    from rich.text import Text

    width = max(map(len, known))
    return Text("\n").join(Text.assemble((f"{name:<{width}}", "bold"), f"  {value}") for name, value in known.items())
