"""`scurry journal`: looks the project's journal over. It repairs nothing."""

from pathlib import Path
from typing import Annotated

import typer

from scurry.cli.exit_codes import DONE, ERROR
from scurry.cli.session import Session, command, new_app

app = new_app("journal", "What scurry remembers of this project.")


@app.command()
@command()
def check(
    session: Session,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="A journal, for example a copy; without it, the project's.", readable=False
        ),
    ] = None,
) -> int:
    """Look a journal over: is its file whole, do its records fit together, was anything left open.

    Reads all of it and changes nothing. The exit code is 1 when something is found. Of a journal on PostgreSQL it
    checks the records and how safely the server writes; its files are the server's own business.
    """
    from scurry.cli import failure

    place = str(file) if file else session.workspace.journal_place
    problems = session.workspace.check_journal(file)
    session.answer(
        "journal-check",
        {"path": place, "problems": [failure.problem_document(problem) for problem in problems]},
        lambda: failure.problems_text(problems) if problems else f"✓ {place} is whole, and nothing is left open in it",
    )
    return ERROR if problems else DONE
