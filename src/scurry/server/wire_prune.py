"""What goes over the wire of a pruning's plan. Apart from `wire`: what it is made of is read by nobody else."""

from __future__ import annotations

import hashlib

import msgspec

from scurry.pruning import Pruning


class PruneAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What would be deleted now, and what stays all the same."""

    plan_id: str
    """names what would be deleted. Send it as `agreed`"""
    pruning: Pruning


def plan_id(pruning: Pruning) -> str:
    """Return a pruning's name: equal when the same things would go. Ages and sizes do not count."""
    snapshots = [
        (found.application, judged.snapshot.location)
        for found in pruning.applications
        for judged in found.retention.drop
    ]
    files = [(leftover.kind, leftover.target, leftover.ref) for leftover in pruning.leftovers]
    content = msgspec.json.encode([sorted(snapshots), sorted(map(str, files))])
    return hashlib.sha256(content).hexdigest()[:24]
