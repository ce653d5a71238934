"""Installed runtimes, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scurry.cli import views
from scurry.cli.text import grid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scurry.flink.install_cache import Installed


def document(entry: Installed) -> dict[str, Any]:
    """Return an entry as programs read it."""
    return {
        "kind": entry.kind,
        "version": entry.version,
        "path": str(entry.path),
        "size_bytes": entry.size_bytes,
        "source": entry.source,
        "last_used": entry.last_used,
    }


def table(cache: Path, found: Sequence[Installed]) -> str:
    """Return the table, and how much it is together."""
    if not found:
        return f"Nothing is installed in {cache}. To install a Flink, run:\n  scurry runtime install 2.3"
    rows = [
        (
            entry.kind,
            entry.version,
            views.size(entry.size_bytes),
            views.ago(entry.last_used) if entry.last_used else "never",
            entry.source,
        )
        for entry in found
    ]
    total = views.size(sum(entry.size_bytes for entry in found))
    return grid(("KIND", "VERSION", "SIZE", "USED", "SOURCE"), rows) + f"\n{total} in {cache}"
