"""What concerns many applications at once: applying them in waves, freezing them.

Part of floor 3, above the workspace: what is done to each application goes through that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scurry.workspace import Workspace


def check_distinct(workspace: Workspace, files: Sequence[Path], *, environment: str | None = None) -> None:
    """Refuse files of which two describe one application: the later would undo the earlier. Raises `SpecInvalid`.

    What is wrong with a file otherwise is told when its turn comes.
    """
    from scurry.model.errors import Problem, SpecInvalid

    seen: dict[str, Path] = {}
    for file in files:
        try:
            loaded = workspace.assembly.load(file, environment)
        except SpecInvalid:
            continue
        first = seen.setdefault(loaded.id, file)
        if first is not file:
            message = f"{loaded.id!r} is described by {str(first)!r}, too: each would undo the other"
            hint = "Give one of them another name, or leave one out."
            raise SpecInvalid((Problem(message=message, place=loaded.place("name"), hint=hint),))
