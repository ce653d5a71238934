"""Verbs that need no change of a spec: stop, start, restart, scale, delete."""

from typing import Annotated

import typer

from scurry.cli import options
from scurry.cli.change import finish
from scurry.cli.failure import Usage
from scurry.cli.session import Session, command, new_app

app = new_app()

NoSnapshot = Annotated[
    bool, typer.Option("--no-snapshot", help="Cancel the job without a savepoint: asks twice, and drops state.")
]


@app.command()
@command(changes=True)
def stop(
    session: Session,
    application: options.Name,
    no_snapshot: NoSnapshot = False,
    drain: Annotated[
        bool,
        typer.Option("--drain", help="Fire all windows first (MAX_WATERMARK): for ever, not for going on later."),
    ] = False,
) -> int:
    """Stop the job with a savepoint. `start` goes on from it."""
    if drain and no_snapshot:
        raise Usage("--drain and --no-snapshot exclude each other: a drain ends with a savepoint")
    applied = session.workspace.stop(
        application,
        snapshot=not no_snapshot,
        drain=drain,
        confirm=session.confirm_twice if no_snapshot else session.confirm,
        wait=session.wait,
    )
    return finish(session, applied)


@app.command()
@command(changes=True)
def start(session: Session, application: options.Name, source: options.From = "latest") -> int:
    """Start what does not run, from its latest state, a given snapshot, or none."""
    confirm = session.confirm_twice if source == "none" else session.confirm
    return finish(session, session.workspace.start(application, source=source, confirm=confirm, wait=session.wait))


@app.command()
@command(changes=True)
def restart(session: Session, application: options.Name, source: options.From = "latest") -> int:
    """Stop the job and start the same revision again."""
    confirm = session.confirm_twice if source == "none" else session.confirm
    return finish(session, session.workspace.restart(application, source=source, confirm=confirm, wait=session.wait))


@app.command()
@command(changes=True)
def scale(
    session: Session,
    application: options.Name,
    parallelism: Annotated[int, typer.Argument(metavar="N", min=1, max=32768, help="The new parallelism.")],
) -> int:
    """Change the parallelism. The spec is not touched: the next `apply` brings back what it says."""
    return finish(
        session, session.workspace.scale(application, parallelism, confirm=session.confirm, wait=session.wait)
    )


@app.command()
@command(changes=True)
def delete(session: Session, application: options.Name, no_snapshot: NoSnapshot = False) -> int:
    """Stop the job with a last savepoint, and forget the application. Its snapshots stay where they are."""
    applied = session.workspace.delete(
        application,
        snapshot=not no_snapshot,
        confirm=session.confirm_twice if no_snapshot else session.confirm,
        wait=session.wait,
    )
    return finish(session, applied)
