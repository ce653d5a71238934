"""`scurry logs`: the logs of the processes that run an application."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from scurry.cli import options
from scurry.cli.failure import Usage
from scurry.cli.session import Session, command, new_app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scurry.model.ports import Log

app = new_app()

POLL_S = 0.5


@app.command()
@command()
def logs(
    session: Session,
    application: options.Name,
    tail: Annotated[int, typer.Option("--tail", metavar="N", min=0, help="How many lines of each log.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is added, until Ctrl-C.")] = False,
) -> None:
    """Show the end of the logs of the processes that run an application."""
    from scurry.cli import text

    if follow and session.as_json:
        raise Usage("--json writes one document, and --follow has no end; leave one out")
    found = session.workspace.logs(application)
    ends = [(log, log.tail(tail)) for log in found]
    session.answer(
        "logs",
        {"application": application, "logs": [{"name": log.name, "lines": lines} for log, lines in ends]},
        lambda: (
            "\n\n".join("\n".join((text.bold(f"==> {log.name} <=="), *lines)) for log, lines in ends)
            or f"{application} has no logs yet."
        ),
    )
    if follow:
        _follow(found, ends[-1][0].name if ends else "")


def _follow(found: "Sequence[Log]", shown: str) -> None:
    """Write what is added, with a head whenever it comes from another log than the line before."""
    from scurry.cli import output, text

    while True:
        for log in found:
            lines = log.more()
            if lines and log.name != shown:
                shown = log.name
                output.write(text.bold(f"\n==> {shown} <=="))
            for line in lines:
                output.write(line)
        time.sleep(POLL_S)
