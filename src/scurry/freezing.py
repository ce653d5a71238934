"""Freezing applications, targets or everything, and thawing them. Part of floor 3; needs no lease.

The workspace refuses to change what is frozen (`Workspace._change`); here it is only said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.model.errors import PlanError
from scurry.model.journal import EVERYTHING, application_scope, target_scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scurry.model.journal import Freeze
    from scurry.workspace import Workspace


def scopes(applications: Sequence[str], targets: Sequence[str], *, everything: bool) -> tuple[str, ...]:
    """Return the scopes that a person named."""
    return (
        *((EVERYTHING,) if everything else ()),
        *map(target_scope, targets),
        *map(application_scope, applications),
    )


def freeze(workspace: Workspace, named: Sequence[str], *, reason: str) -> tuple[Freeze, ...]:
    """Let nothing in these scopes be changed until they are thawed. Raises for a name that is not known: a slip of it
    would freeze nothing.
    """
    known = workspace.assembly.journal_to_read.applications()
    for scope in named:
        kind, _, name = scope.partition(":")
        if kind == "target":
            workspace.assembly.settings_of(name)
        elif scope != EVERYTHING and name not in known:
            raise PlanError(
                f"no application {name!r} is known here; nothing was frozen",
                hint="To see the ones that are, run:\n  scurry status",
            )
    return tuple(workspace.journal.freeze(scope, reason=reason) for scope in named)


def thaw(workspace: Workspace, named: Sequence[str]) -> tuple[str, ...]:
    """Let these scopes be changed again. Returns those that were frozen."""
    return tuple(scope for scope in named if workspace.journal.thaw(scope))
