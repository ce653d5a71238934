"""From a spec to a running application: validate, plan, apply, rollback."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scurry.cli import complete, options
from scurry.cli.change import finish, tell
from scurry.cli.exit_codes import CHANGES, DONE, ERROR
from scurry.cli.failure import Usage
from scurry.cli.session import Session, command, new_app
from scurry.cli.state_check import Graph, write_graph

if TYPE_CHECKING:
    from scurry.model.errors import Problem, ScurryError
    from scurry.model.result import Applied

app = new_app()


@app.command()
@command()
def validate(session: Session, files: options.Files, environment: options.Environment = None) -> int:
    """Check specs and everything that they refer to on this machine, without asking any target.

    All that is wrong in all files is told at once.
    """
    from scurry.model.errors import SpecInvalid

    problems: list[Problem] = []
    told: list[dict[str, Any]] = []
    for file in files:
        found, notes = _validate(session, file, environment)
        problems += found
        told.append({"file": str(file), "valid": not found, "notes": notes})
    if problems:
        raise SpecInvalid(tuple(problems))
    lines = [line for entry in told for line in (f"✓ {entry['file']}", *(f"  {note}" for note in entry["notes"]))]
    session.answer("validate", {"files": told}, lambda: "\n".join(lines))
    return DONE


def _validate(session: Session, file: Path, environment: str | None) -> tuple[list["Problem"], tuple[str, ...]]:
    from scurry.model.errors import Problem, ScurryError, SpecInvalid

    try:
        return [], session.workspace.validate(file, environment=environment)
    except SpecInvalid as error:
        return list(error.problems), ()
    except ScurryError as error:
        return [Problem(message=error.message, place=error.place, hint=error.hint)], ()


@app.command()
@command()
def plan(
    session: Session,
    files: options.Files,
    environment: options.Environment = None,
    target: options.TargetName = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 3 when there is something to do.")] = False,
    graph: Graph = None,
) -> int:
    """Show what `apply` would do, why, and from which state. Changes nothing.

    It says, while the old job still runs, whether the new one can take its state over.
    """
    from scurry.cli import views_plan

    if graph is not None and len(files) > 1:
        raise Usage("--graph draws one application, and several files are named")
    picture = graph is not None
    plans = [session.workspace.plan(file, environment=environment, target=target, picture=picture) for file in files]
    drawn = [
        write_graph(graph, change.compatibility, f"{found.application}: {change.reason}")
        for found in plans
        for change in found.changes
    ]
    if picture and not any(drawn):
        session.reporter.note("no picture is drawn: no job would start from a state that could be looked at")
    session.answer(
        "plan",
        {"plans": [views_plan.document(found) for found in plans], "graph": next(filter(None, drawn), None)},
        lambda: "\n\n".join(views_plan.text(found) for found in plans),
    )
    return CHANGES if check and not all(found.is_converged for found in plans) else DONE


@dataclass(kw_only=True)
class _Progress:
    """What became of the files so far."""

    left: list[Path]
    done: list["tuple[Applied, str | None]"] = field(default_factory=list)
    error: "ScurryError | None" = None
    failed: Path | None = None

    @property
    def has_failed(self) -> bool:
        """Whether the rest is not to be tried."""
        return self.error is not None or any(applied.error for applied, _ in self.done)


@app.command()
@command(changes=True)
def apply(
    session: Session,
    files: options.Files,
    environment: options.Environment = None,
    target: options.TargetName = None,
    wave: Annotated[
        int | None,
        typer.Option("--wave", metavar="N", min=1, help="Show one plan for all, then apply N at a time."),
    ] = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Begin the next wave (without --wave: file) also after a failure.")
    ] = False,
) -> int:
    """Make applications what their specs say; go on from what a crash or Ctrl-C interrupted.

    Shows the plan and asks. Several files are applied one after the other, up to the first failure; with --wave, some
    at a time, up to the first wave in which one failed or was rolled back.
    """
    if wave or keep_going:
        from scurry.cli.waves import apply_in_waves
        from scurry.waves import Waves

        waves = Waves(
            workspace=session.workspace,
            size=wave or 1,
            keep_going=keep_going,
            environment=environment,
            target=target,
            wait=session.wait,
        )
        return apply_in_waves(session, waves, files)
    return _one_after_the_other(session, files, environment, target)


def _one_after_the_other(session: Session, files: list[Path], environment: str | None, target: str | None) -> int:
    from scurry.model.errors import ScurryError
    from scurry.waves import check_distinct

    if len(files) > 1:
        check_distinct(session.workspace, files, environment=environment)
    progress = _Progress(left=list(files))
    while progress.left and not progress.has_failed:
        file = progress.left.pop(0)
        try:
            applied = session.workspace.apply(
                file, environment=environment, target=target, confirm=session.confirm, wait=session.wait
            )
        except ScurryError as error:
            if len(files) == 1:
                raise
            progress.error, progress.failed = error, file
            break
        progress.done.append((applied, tell(session, applied)))
    _tell_all(session, progress)
    return ERROR if progress.has_failed else DONE


def _tell_all(session: Session, progress: _Progress) -> None:
    """Write the one document, or for people what is left: the results themselves are told by now."""
    from scurry.cli import failure, output, views

    error = failure.document(progress.error) if progress.error else None
    if session.as_json:
        document = views.apply_document(progress.done, error=error, failed_file=progress.failed, not_done=progress.left)
        output.write_json("apply", document)
        return
    if progress.error:
        failure.show(progress.error, as_json=False, verbose=session.verbose)
    if progress.has_failed and progress.left:
        failure.tell(f"not done, because of the failure before: {', '.join(map(str, progress.left))}")


@app.command()
@command(changes=True)
def rollback(
    session: Session,
    application: options.Name,
    to: Annotated[
        int | None, typer.Option("--to", metavar="REVISION", help="Which one, instead of the last healthy one before.")
    ] = None,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="latest|own|SNAPSHOT",
            help="State to go on from: that of now, the newest that the revision itself has left, or a snapshot.",
            autocompletion=complete.sources,
        ),
    ] = "latest",
) -> int:
    """Go back to an earlier healthy revision, with the state that there is now."""
    confirm = session.confirm_twice if source == "none" else session.confirm
    applied = session.workspace.rollback(application, to=to, source=source, confirm=confirm, wait=session.wait)
    return finish(session, applied)
