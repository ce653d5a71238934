"""What was: history, diff."""

from typing import Annotated

import typer

from scurry.cli import options
from scurry.cli.session import Session, command, new_app

app = new_app()

Number = Annotated[int, typer.Argument(metavar="REV", min=1, help="Number of a revision.")]


@app.command()
@command()
def history(
    session: Session,
    application: options.Name,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many of each, newest first.")] = 20,
) -> None:
    """Show revisions and operations: what was done, why, by whom, when, and what became of it."""
    from scurry.cli import views_history

    revisions, operations = session.workspace.history(application, limit=limit)
    session.answer(
        "history",
        views_history.document(application, revisions, operations),
        lambda: views_history.tables(revisions, operations),
    )


@app.command()
@command()
def diff(session: Session, application: options.Name, before: Number, after: Number) -> None:
    """Show what differs between two revisions."""
    from scurry.cli import views_plan

    found = session.workspace.differences(application, before, after)
    session.answer(
        "diff",
        {
            "application": application,
            "before": before,
            "after": after,
            "differences": views_plan.difference_documents(found),
        },
        lambda: (
            "\n".join(views_plan.difference_lines(found))
            or f"Revisions {before} and {after} of {application} do not differ."
        ),
    )
