"""Words for the shell's completion, from the project and its journal. Quick, and silent when anything is wrong."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from scurry.workspace import Workspace


def applications(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the applications that are known."""
    return _words(ctx, incomplete, lambda workspace: workspace.assembly.journal_to_read.applications())


def targets(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the project's targets."""
    return _words(ctx, incomplete, lambda workspace: workspace.project.all_targets())


def jobs(incomplete: str) -> list[str]:
    """Return what `--job` takes beside an id; no target is asked."""
    return [word for word in ("latest",) if word.startswith(incomplete)]


def frozen(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the applications that are frozen themselves."""
    return _words(ctx, incomplete, lambda workspace: _frozen(workspace, "application"))


def frozen_targets(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the targets that are frozen."""
    return _words(ctx, incomplete, lambda workspace: _frozen(workspace, "target"))


def environments(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the environments of the project, and those of the applications' files that are given already."""
    files = ctx.params.get("files") or ctx.args
    return _words(
        ctx, incomplete, lambda workspace: [*workspace.project.environments, *(n for f in files for n in _overlays(f))]
    )


def snapshots(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of an application's snapshots, as the journal has them: no target is asked."""
    return _words(ctx, incomplete, lambda workspace: _snapshots(workspace, _application(ctx)))


def sources(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return what `--from` takes."""
    return [word for word in ("latest", "none") if word.startswith(incomplete)] + snapshots(ctx, incomplete)


def _application(ctx: typer.Context) -> str:
    """Return the application on the line; behind an option without its value, what was parsed is in `args` only."""
    return str(ctx.params.get("application") or next(iter(ctx.args), ""))


def _snapshots(workspace: "Workspace", application: str) -> list[str]:
    found = workspace.assembly.journal_to_read.history(application).snapshots
    return [snapshot.location.rstrip("/").rpartition("/")[2] for snapshot in found]


def _frozen(workspace: "Workspace", kind: str) -> list[str]:
    scopes = (freeze.scope.partition(":") for freeze in workspace.assembly.journal_to_read.freezes())
    return [name for found, _, name in scopes if found == kind]


def _overlays(file: Path | str) -> Iterable[str]:
    from scurry.spec.yaml_source import read_yaml

    return [str(name) for name in read_yaml(Path(file)).data.get("environments", {})]


def _words(ctx: typer.Context, incomplete: str, find: Callable[["Workspace"], Iterable[str]]) -> list[str]:
    from scurry.workspace import Workspace

    # A completion that fails in public breaks the line that the user is typing; there is nobody to tell.
    with suppress(Exception):
        words = find(Workspace.open(ctx.params.get("workspace")))
        return [word for word in dict.fromkeys(words) if word.startswith(incomplete)]
    return []
