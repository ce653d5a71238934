"""`scurry logs`: the logs of the processes that run an application."""

from typing import TYPE_CHECKING, Annotated

import typer

from scurry.cli import options
from scurry.cli.failure import Usage
from scurry.cli.session import Session, command, new_app

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scurry.model.report import LogLines

app = new_app()


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
    pages = session.workspace.logs(application, lines=tail, follow=follow)
    ends = next(pages)
    _tell_left_out(session, ends)
    session.answer(
        "logs",
        {"application": application, "logs": [{"name": log.name, "lines": log.lines} for log in ends]},
        lambda: (
            "\n\n".join("\n".join((text.bold(f"==> {log.name} <=="), *log.lines)) for log in ends)
            or f"{application} has no logs yet."
        ),
    )
    if follow:
        _follow(session, pages, ends[-1].name if ends else "")


def _follow(session: Session, pages: "Iterator[tuple[LogLines, ...]]", shown: str) -> None:
    """Write what is added, with a head whenever it comes from another log than the line before."""
    from scurry.cli import output, text

    for page in pages:
        _tell_left_out(session, page)
        for log in page:
            if log.name != shown:
                shown = log.name
                output.write(text.bold(f"\n==> {shown} <=="))
            for line in log.lines:
                output.write(line)


def _tell_left_out(session: Session, page: "Sequence[LogLines]") -> None:
    for log in page:
        if log.left_out:
            session.reporter.warn(f"{log.name}: {log.left_out} lines before these are too much to be sent")
