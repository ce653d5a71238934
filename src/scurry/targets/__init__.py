"""Floor 2: places that run applications. One file each."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from scurry.model.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scurry.model.ports import Target
    from scurry.targets.services import TargetServices

_BUILT_IN = {
    "memory": "scurry.targets.memory",
    "local": "scurry.targets.local",
    "rest": "scurry.targets.rest",
    "managed": "scurry.targets.managed",
}


def connect(name: str, kind: str, settings: Mapping[str, Any], services: TargetServices) -> Target:
    """Return a target by its kind: one of scurry's own, or one that a package brings by entry point `scurry.targets`.

    The target's module is imported only now. Raises `WorkspaceError` for a kind that nobody brings.
    """
    # Looking entry points up takes longer than importing a module that is known.
    connecting = import_module(_BUILT_IN[kind]).connect if kind in _BUILT_IN else _brought_by_others(kind)
    found: Target = connecting(name, settings, services)
    return found


def _brought_by_others(kind: str) -> Any:
    from importlib.metadata import entry_points

    for entry in entry_points(group="scurry.targets", name=kind):
        return entry.load()
    raise WorkspaceError(
        f"nothing installed here brings a target of kind {kind!r}",
        hint=f"scurry has: {', '.join(_BUILT_IN)}. Other packages bring more by the entry point `scurry.targets`.",
    )
