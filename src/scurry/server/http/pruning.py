"""Answers of pruning: what would go with `dry_run`, else its progress. Only what was agreed to is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.model.errors import PlanOutdated
from scurry.model.snapshot import Snapshot
from scurry.pruning import Pruner
from scurry.server import wire
from scurry.server.http.changing import begin
from scurry.server.http.errors import body_of
from scurry.server.wire_prune import PruneAnswer, plan_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.pruning import Deleted
    from scurry.server.http.call import Call
    from scurry.workspace import Workspace


def prune(call: Call) -> PruneAnswer | Iterator[bytes]:
    """Answer to a pruning."""
    asked = call.body(wire.Prune)
    if call.flag("dry_run"):
        pruning = Pruner(call.server.workspace_for("")).plan(asked.applications)
        return PruneAnswer(plan_id=plan_id(pruning), pruning=pruning)

    def change(workspace: Workspace) -> wire.Line:
        pruner = Pruner(workspace)
        with workspace.reporter.activity("see whether it is still so"):
            pruning = pruner.plan(asked.applications)
        if asked.agreed is not None and asked.agreed != plan_id(pruning):
            raise PlanOutdated(
                "what would be deleted by now is not what was shown; nothing was deleted",
                hint="To see what it is now, run:\n  scurry prune",
            )
        return wire.Pruned(deleted=tuple(map(report, pruner.carry_out(pruning))))

    return begin(call, change, name="pruning")


def report(deleted: Deleted) -> wire.DeletedReport:
    """Return what became of something as it is sent."""
    what = deleted.what
    return wire.DeletedReport(
        snapshot=what if isinstance(what, Snapshot) else None,
        leftover=None if isinstance(what, Snapshot) else what,
        application=deleted.application,
        error=body_of(deleted.error) if deleted.error else None,
        spared=deleted.spared,
    )
