"""Prune: delete what no policy keeps and nothing needs."""

from typing import TYPE_CHECKING, Annotated

import typer

from scurry.cli import options
from scurry.cli.exit_codes import DONE, ERROR
from scurry.cli.session import Session, command, new_app

if TYPE_CHECKING:
    from scurry.pruning import Deleted, Pruner
    from scurry.server.remote import RemotePruner

app = new_app()


@app.command()
@command(asks=True)
def prune(
    session: Session,
    applications: options.Names = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go and what stays.")] = False,
) -> int:
    """Delete snapshots that `snapshots` of the spec does not keep, and files that no revision needs any more.

    With applications named, only their snapshots. What a rollback or a start could need stays, whatever the spec says.
    """
    from scurry.cli import views_prune

    pruner = _pruner(session)
    with session.reporter.activity("see what is needed"):
        pruning = pruner.plan(applications or ())
    if dry_run or pruning.is_empty:
        session.answer("prune", views_prune.document(pruning, dry_run=dry_run), lambda: views_prune.plan_text(pruning))
        return DONE
    session.agree(views_prune.plan_text(pruning))
    deleted: list[Deleted] = list(pruner.carry_out(pruning))
    session.answer(
        "prune", views_prune.document(pruning, deleted, dry_run=False), lambda: views_prune.result_text(deleted)
    )
    return ERROR if any(found.error for found in deleted) else DONE


def _pruner(session: Session) -> "Pruner | RemotePruner":
    """Return what prunes: here, or where the server is."""
    if session.remote:
        return session.remote.pruner()
    from scurry.pruning import Pruner

    return Pruner(session.workspace)
