"""What would be pruned and what was, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from scurry.cli import failure, views
from scurry.cli.text import bold, paint
from scurry.model.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scurry.engine.retention import Judged
    from scurry.model.leftover import Leftover
    from scurry.pruning import ApplicationPruning, Deleted, Pruning


def document(pruning: Pruning, deleted: Sequence[Deleted] = (), *, dry_run: bool) -> dict[str, Any]:
    """Return a pruning as programs read it."""
    return {
        "dry_run": dry_run,
        "applications": [_application_document(found) for found in pruning.applications],
        "leftovers": [msgspec.to_builtins(leftover) for leftover in pruning.leftovers],
        "silent_targets": pruning.silent,
        "deleted": [
            {
                "application": found.application,
                "what": _ref(found),
                "error": failure.document(found.error) if found.error else None,
                "spared": found.spared,
            }
            for found in deleted
        ],
        "freed_bytes": _freed(deleted),
    }


def _application_document(found: ApplicationPruning) -> dict[str, Any]:
    return {
        "name": found.application,
        "skipped": found.skipped,
        "drop": [{"snapshot": judged.snapshot, "reason": judged.reason} for judged in found.retention.drop],
        "keep": [
            {"snapshot": judged.snapshot, "reason": judged.reason, "needed": judged.needed}
            for judged in found.retention.keep
        ],
        "unknown_sizes": found.retention.unknown_sizes,
    }


def plan_text(pruning: Pruning) -> str:
    """Return what would go and what stays all the same, and why."""
    lines = [line for found in pruning.applications for line in _application_lines(found)]
    if pruning.leftovers:
        lines += [bold("Needed by no revision that could run again"), *map(_leftover_line, pruning.leftovers)]
    lines += [f"{paint('not looked at:', 'yellow')} {why}" for why in pruning.silent]
    if pruning.is_empty:
        lines.append("Nothing to prune.")
    else:
        snapshots = [judged.snapshot for found in pruning.applications for judged in found.retention.drop]
        lines.append(_sum_text([*snapshots, *pruning.leftovers]))
    return "\n".join(lines)


def _application_lines(found: ApplicationPruning) -> Iterator[str]:
    judged = found.retention
    if not (found.skipped or judged.drop or judged.keep):
        return
    yield bold(found.application)
    if found.skipped:
        yield f"  {paint('skipped:', 'yellow')} {found.skipped}"
    yield from (f"  {paint('-', 'red')} {_snapshot(item)}  {item.reason}" for item in judged.drop)
    yield from (f"    {_snapshot(item)}  stays: {item.needed}" for item in judged.keep)
    if judged.unknown_sizes:
        yield f"    of {judged.unknown_sizes} snapshots the size is not known; max_size does not count them"


def _snapshot(judged: Judged) -> str:
    snapshot = judged.snapshot
    size = f", {views.size(snapshot.size_bytes)}" if snapshot.size_bytes is not None else ""
    return f"{views.snapshot_name(snapshot)} ({snapshot.kind.value}, {views.ago(snapshot.taken_at)}{size})"


def _leftover_line(leftover: Leftover) -> str:
    size = f" ({views.size(leftover.size_bytes)})" if leftover.size_bytes is not None else ""
    where = f" on {leftover.target}" if leftover.target else ""
    return f"  {paint('-', 'red')} {leftover.kind.value}{where}  {leftover.name}{size}"


def result_text(deleted: Sequence[Deleted]) -> str:
    """Return what became of each thing that was not deleted, and what was freed."""
    lines = [line for found in deleted for line in _failed_lines(found)]
    return "\n".join([*lines, f"{paint('✓', 'green')} {_sum_text([f.what for f in deleted if f.is_gone], done=True)}"])


def _failed_lines(found: Deleted) -> Iterator[str]:
    if found.error:
        yield f"{paint('✗', 'red')} {_ref(found)}: {found.error.message}"
        yield "  It is still known, and tried again by the next prune."
    elif found.spared:
        name = found.application or _ref(found)
        yield f"{paint('skipped', 'yellow')} {name}: {found.spared}"


def _sum_text(things: Sequence[Snapshot | Leftover], *, done: bool = False) -> str:
    sizes = [thing.size_bytes for thing in things]
    unknown = sizes.count(None)
    rest = f", and {unknown} of unknown size" if unknown else ""
    what = "deleted" if done else "to delete"
    return f"{len(things)} {what}: {views.size(sum(size or 0 for size in sizes))}{rest}"


def _freed(deleted: Sequence[Deleted]) -> int:
    return sum(found.what.size_bytes or 0 for found in deleted if found.is_gone)


def _ref(found: Deleted) -> str:
    return found.what.location if isinstance(found.what, Snapshot) else found.what.name
