"""An application again from a copy of its state; and a new version, tried on such a copy."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scurry.cli import complete, options
from scurry.cli.change import tell
from scurry.cli.exit_codes import DONE, ERROR
from scurry.cli.failure import Usage
from scurry.cli.session import Session, command, new_app

if TYPE_CHECKING:
    from scurry.forking import Asked

app = new_app()

_HERE = (
    "state is copied by this process, so run it in the project's folder where its journal and the files of its "
    "snapshots are to be had, as on the server's own machine"
)


@app.command()
@command(changes=True, here=_HERE)
def fork(  # noqa: PLR0913, PLR0917 - each is an option of the command
    session: Session,
    application: options.Name,
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Name of the fork.")],
    snapshot: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="latest|SNAPSHOT",
            help="State to copy: the latest, or a snapshot by its name or location.",
            autocompletion=complete.sources,
        ),
    ],
    rehearse: Annotated[
        Path | None,
        typer.Option(
            "--rehearse",
            metavar="FILE",
            readable=False,
            help="Try the new version that this spec describes, say whether it is healthy, and remove it again.",
        ),
    ] = None,
    with_sinks: Annotated[
        bool,
        typer.Option("--with-sinks", help="Of a rehearsal: it may write to the sinks that could not be replaced."),
    ] = False,
    target: options.TargetName = None,
    place: Annotated[
        str | None,
        typer.Option("--copy-to", metavar="DIR", help="Where the copy goes: a directory that the cluster can read."),
    ] = None,
    parallelism: Annotated[
        int | None, typer.Option("--parallelism", metavar="N", min=1, max=32768, help="Instead of the original's.")
    ] = None,
) -> int:
    """Run an application a second time, under another name, from a copy of its state.

    The original is only read. With --rehearse the new version runs on the copy until it is healthy or not (on `local`
    unless --target says otherwise), without the sinks of an SQL script; then job and copy are removed. Other sinks need
    --with-sinks. Exit code 1: it was not healthy.
    """
    if with_sinks and rehearse is None:
        raise Usage("--with-sinks is for --rehearse; a fork always writes to its sinks", command="scurry fork")
    from scurry.forking import Asked

    asked = Asked(
        application=application,
        snapshot=snapshot,
        name=name,
        target=target or ("local" if rehearse else None),
        place=place,
        parallelism=parallelism,
        with_sinks=with_sinks,
    )
    return _rehearse(session, asked, rehearse) if rehearse else _fork(session, asked)


def _fork(session: Session, asked: "Asked") -> int:
    from scurry.cli import output, views_fork
    from scurry.forking import carry_out, plan_fork

    planned = plan_fork(session.workspace, asked)
    session.agree(views_fork.plan(planned, planned.warnings))
    applied = carry_out(session.workspace, planned, wait=session.wait)
    ui_url = tell(session, applied)
    if session.as_json:
        output.write_json("fork", views_fork.document(planned, applied, ui_url))
    return ERROR if applied.error else DONE


def _rehearse(session: Session, asked: "Asked", file: Path) -> int:
    from scurry.cli import views_fork
    from scurry.rehearsing import plan_rehearsal, rehearse

    planned = plan_rehearsal(session.workspace, asked, file)
    session.agree(views_fork.plan(planned.fork, planned.warnings, rehearsed=file))
    found = rehearse(session.workspace, planned, wait=session.wait)
    session.answer(
        "fork",
        views_fork.rehearsal_document(planned, found),
        lambda: views_fork.rehearsal(planned, found, verbose=session.verbose),
    )
    return DONE if found.healthy else ERROR
