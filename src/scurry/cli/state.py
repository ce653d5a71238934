"""The state that snapshots hold: show it, copy it, check whether a new version can take it over."""

from typing import TYPE_CHECKING, Annotated

import typer

from scurry.cli import complete
from scurry.cli.session import Session, command, new_app
from scurry.cli.state_check import check

if TYPE_CHECKING:
    from scurry.model.state import SnapshotState

app = new_app("state", "The state that snapshots hold, read without a JVM.")

Shown = Annotated[
    str,
    typer.Argument(
        metavar="PATH|APP",
        help="A snapshot's directory, its _metadata, or a URI (file:, s3://, gs://, https://); or an application.",
        autocompletion=complete.applications,
    ),
]
Operators = Annotated[
    list[str] | None,
    typer.Option("--operator", metavar="UID", help="Only this operator: its uid, name or id, or how they begin."),
]
EverySubtask = Annotated[
    bool,
    typer.Option(
        "--every-subtask", help="Look into the files of all subtasks: some states are registered by some of them only."
    ),
]


@app.command()
@command()
def show(session: Session, name: Shown, operator: Operators = None, every_subtask: EverySubtask = False) -> None:
    """Show what a snapshot holds: operators, their states, types and sizes.

    Of an application, it is the running job's latest checkpoint, else its newest snapshot.
    """
    from scurry.cli import views_state

    found = views_state.chosen(_state(session, name, every_subtask=every_subtask), operator or [])
    session.answer("state", views_state.document(found), lambda: views_state.tree(found))


def _state(session: Session, name: str, *, every_subtask: bool) -> "SnapshotState":
    from scurry.stored_state import is_place, state_at, state_of

    if is_place(name):
        return state_at(name, every_subtask=every_subtask)
    return state_of(session.workspace, name, every_subtask=every_subtask)


@app.command()
@command(in_project=False, here="the copy is made by this process")
def copy(
    session: Session,
    source: Annotated[
        str, typer.Argument(metavar="FROM", help="A savepoint or checkpoint: its directory or URI, or its _metadata.")
    ],
    target: Annotated[
        str, typer.Argument(metavar="TO", help="A directory or URI that is empty, or does not exist yet.")
    ],
) -> None:
    """Copy a savepoint, or a checkpoint with the files that it shares with others, to another place.

    Each file is verified. After an interruption, the same command goes on where it was. The copy can be moved.
    """
    from scurry.cli import views_state
    from scurry.savepoints.copy import copy_snapshot
    from scurry.savepoints.storage import AnyStorage

    done = copy_snapshot(source, target, AnyStorage(), session.reporter)
    session.answer("state-copy", views_state.copied_document(source, done), lambda: views_state.copied(done))


app.command()(check)
