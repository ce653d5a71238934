"""`scurry journal`: looks the project's journal over, or moves another one into it. It repairs nothing."""

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


@app.command()
@command(asks=True)
def move(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The journal that the project had before.")],
) -> int:
    """Move the records of a journal file into the project's journal, once `journal` in scurry.yaml says where that is.

    All of them or none. The file is kept beside itself as `FILE.moved`, so that nobody goes on with it by mistake.
    Running jobs are not touched.
    """
    from scurry.model.errors import JournalError, PlanError

    if session.remote:
        raise PlanError(
            "a journal is moved where it is, while nobody works with it: not through a server",
            hint="Run it in the server's own project, without --server (SCURRY_SERVER).",
        )

    place = session.workspace.journal_place
    if Path(place).resolve() == file.resolve():
        raise JournalError(
            f"{str(file)!r} is the project's journal",
            hint="Say in scurry.yaml first where the records are to go:\n  journal: postgresql://…",
        )
    session.agree(f"The records of {file} go into {place}.")
    moved, kept = session.workspace.assembly.journal.take_over(file, reporter=session.reporter)
    session.answer(
        "journal-move",
        {"path": place, "applications": list(moved), "kept": str(kept)},
        lambda: f"✓ {len(moved)} applications are in {place} now; the file is kept as {kept}",
    )
    return DONE
