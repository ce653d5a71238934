"""Snapshots of an application: create, list, show, drop."""

from typing import Annotated

import typer

from scurry.cli import complete, options
from scurry.cli.change import finish
from scurry.cli.session import Session, command, new_app

app = new_app("snapshot", "Restorable states of an application.")

SnapshotName = Annotated[
    str,
    typer.Argument(metavar="SNAPSHOT", help="Its location, or the last part of it.", autocompletion=complete.snapshots),
]


@app.command()
@command(changes=True)
def create(session: Session, application: options.Name) -> int:
    """Take a savepoint; the job goes on."""
    return finish(session, session.workspace.take_snapshot(application, confirm=session.confirm, wait=session.wait))


@app.command("list")
@command()
def list_(session: Session, application: options.Name) -> None:
    """List the states that the application could start from, newest first."""
    from scurry.cli import views_snapshot

    found = session.workspace.snapshots(application)
    session.answer(
        "snapshots",
        {"application": application, "snapshots": found},
        lambda: views_snapshot.table(application, found),
    )


@app.command()
@command()
def show(session: Session, application: options.Name, name: SnapshotName) -> None:
    """Show one snapshot."""
    from scurry.cli import views_snapshot

    found = session.workspace.snapshot(application, name)
    session.answer("snapshot", {"application": application, "snapshot": found}, lambda: views_snapshot.detail(found))


@app.command()
@command(changes=True)
def drop(session: Session, application: options.Name, name: SnapshotName) -> int:
    """Delete a snapshot's files. Refused for what a rollback or a start could need."""
    return finish(
        session, session.workspace.drop_snapshot(application, name, confirm=session.confirm, wait=session.wait)
    )
