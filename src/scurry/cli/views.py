"""What became of changes, for people and as JSON; and the small words that all views share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from scurry.cli.text import bold, paint
from scurry.model.result import Applied, ApplyOutcome
from scurry.model.values import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scurry.model.snapshot import Snapshot

_OUTCOMES = {
    ApplyOutcome.CONVERGED: ("✓", "green", "done"),
    ApplyOutcome.UNCHANGED: ("✓", "green", "nothing to do"),
    ApplyOutcome.SUSPENDED: ("✓", "green", "stopped"),
    ApplyOutcome.ROLLED_BACK: ("✗", "red", "rolled back"),
    ApplyOutcome.FAILED: ("✗", "red", "failed"),
}


def apply_document(
    done: Sequence[tuple[Applied, str | None]],
    *,
    error: dict[str, Any] | None = None,
    failed_file: Path | None = None,
    not_done: Sequence[Path] = (),
) -> dict[str, Any]:
    """Return what became of applications, each with its job's address in the UI, as programs read it."""
    return {
        "applications": [_applied_document(applied, ui_url) for applied, ui_url in done],
        "error": error,
        "failed_file": str(failed_file) if failed_file else None,
        "not_done": [str(file) for file in not_done],
    }


def _applied_document(applied: Applied, ui_url: str | None) -> dict[str, Any]:
    error = applied.error
    return {
        "name": applied.application,
        "outcome": applied.outcome,
        "revision": applied.revision,
        "gap_seconds": seconds(applied.gap_s),
        "job_id": applied.job_id,
        "snapshot": applied.snapshot,
        "ui_url": ui_url,
        "error": {"code": error.code, "message": error.message, "hint": error.hint} if error else None,
    }


def applied_text(applied: Applied, ui_url: str | None = None) -> str:
    """Return a result as people read it: what, how long it did not process, from which state, where to look."""
    sign, colour, word = _OUTCOMES[applied.outcome]
    error = applied.error
    if error and applied.outcome is ApplyOutcome.SUSPENDED:
        sign, colour = "✗", "red"
    revision = f", revision {applied.revision}" if applied.revision is not None else ""
    lines = [f"{paint(sign, colour)} {bold(applied.application)}: {word}{revision}{_gap(applied)}"]
    if error:
        lines.append(f"  {paint(error.message, colour)}")
    if applied.snapshot:
        lines.append(f"  state: {applied.snapshot.kind.value} {applied.snapshot.location}")
    if ui_url:
        lines.append(f"  {ui_url}")
    if error and error.hint:
        lines += [f"  {line}" for line in error.hint.split("\n")]
    return "\n".join(lines)


def _gap(applied: Applied) -> str:
    if applied.gap_s is None:
        return ""
    if applied.gap_s < 0.1:
        return "; not processing for less than 0.1 s"
    return f"; not processing for {format_duration(timedelta(seconds=applied.gap_s))}"


def seconds(number: float | None) -> float | None:
    """Return seconds to the millisecond: what is behind that is noise."""
    return round(number, 3) if number is not None else None


def ago(moment: datetime) -> str:
    """Say how long ago something was, to one unit."""
    passed = datetime.now(UTC) - moment
    if passed < timedelta(seconds=10):
        return "just now"
    number, unit, *_ = format_duration(passed).split()
    return f"{number} {unit} ago"


def size(number: int | None) -> str:
    """Write a size in bytes as people do: `1.2 MB`, decimal as disks and networks count."""
    if number is None:
        return ""
    amount, units = float(number), ["B", "kB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        del units[0]
    return f"{amount:.0f} {units[0]}" if units[0] == "B" or amount >= 100 else f"{amount:.1f} {units[0]}"


def snapshot_name(snapshot: Snapshot) -> str:
    """Return the last part of a snapshot's location: enough to name it on the command line."""
    return snapshot.location.rstrip("/").rpartition("/")[2]


def first_line(text: str) -> str:
    """Return the first line of a text."""
    return text.strip().split("\n")[0]
