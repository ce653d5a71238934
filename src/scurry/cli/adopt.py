"""Taking what runs, and this journal does not know, into it."""

from typing import Annotated

import typer

from scurry.cli import complete, options
from scurry.cli.change import finish
from scurry.cli.failure import Usage
from scurry.cli.session import Session, command, new_app

app = new_app()


@app.command()
@command(changes=True)
def adopt(  # noqa: PLR0913, PLR0917 - each is an option of the command
    session: Session,
    file: options.File,
    job: Annotated[
        str | None,
        typer.Option(
            "--job",
            metavar="latest|ID",
            help="The job: by its id in Flink, or the one that is named as the application.",
            autocompletion=complete.jobs,
        ),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option("--from", metavar="LOCATION", help="No job, only its savepoint or checkpoint: the folder's URI."),
    ] = None,
    named: Annotated[
        str | None, typer.Option("--named", metavar="NAME", help="The job's name in Flink, if not the application's.")
    ] = None,
    environment: options.Environment = None,
    target: options.TargetName = None,
) -> int:
    """Take over a job that another tool started, or whose journal was lost, as it runs. Nothing is stopped.

    What differs from the spec is told; the next `apply` upgrades it, with a savepoint.
    """
    from scurry.engine.adoption import Wanted

    if bool(job) == bool(state):
        raise Usage("say what to adopt: --job latest, --job ID, or --from LOCATION", command="scurry adopt")
    if state and "/" not in state:
        raise Usage(f"'{state}' is no location: name the folder with the _metadata in it", command="scurry adopt")
    applied = session.workspace.adopt(
        file,
        Wanted(job=job, name=named, state=state),
        environment=environment,
        target=target,
        confirm=session.confirm,
        wait=session.wait,
    )
    return finish(session, applied)
