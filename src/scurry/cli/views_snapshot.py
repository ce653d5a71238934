"""Snapshots, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.cli import views
from scurry.cli.text import facts, grid

if TYPE_CHECKING:
    from scurry.model.snapshot import Snapshot


def table(application: str, snapshots: tuple[Snapshot, ...]) -> str:
    """Return the list of snapshots."""
    if not snapshots:
        return f"{application} has no snapshot. To take one, run:\n  scurry snapshot create {application}"
    rows = [
        (
            views.snapshot_name(found),
            found.kind.value + (", drained" if found.drained else ""),
            views.ago(found.taken_at),
            str(found.revision) if found.revision is not None else "",
            views.size(found.size_bytes),
            found.location,
        )
        for found in snapshots
    ]
    return grid(("NAME", "KIND", "TAKEN", "REVISION", "SIZE", "LOCATION"), rows)


def detail(snapshot: Snapshot) -> str:
    """Return one snapshot, a line for each thing that is known of it."""
    known = {
        "location": snapshot.location,
        "kind": snapshot.kind.value,
        "taken": f"{snapshot.taken_at:%Y-%m-%d %H:%M:%S} UTC, {views.ago(snapshot.taken_at)}",
        "job": snapshot.job_id,
        "revision": snapshot.revision,
        "Flink": snapshot.flink_version,
        "format": snapshot.format.value if snapshot.format else None,
        "size": views.size(snapshot.size_bytes),
        "drained": "yes: its windows have fired, do not go on from it" if snapshot.drained else None,
    }
    return facts({name: str(value) for name, value in known.items() if value not in (None, "")})
