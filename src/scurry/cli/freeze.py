"""Freeze and thaw: let nothing be changed for a while."""

from typing import TYPE_CHECKING, Annotated

import typer

from scurry.cli import complete, options
from scurry.cli.failure import Usage
from scurry.cli.session import Session, command, new_app

if TYPE_CHECKING:
    from scurry.model.journal import Freeze

app = new_app()

Targets = Annotated[
    list[str] | None,
    typer.Option("--target", metavar="NAME", help="All that runs on a target.", autocompletion=complete.targets),
]
Frozen = Annotated[
    list[str] | None, typer.Argument(metavar="[APP]", help="Applications.", autocompletion=complete.frozen)
]
FrozenTargets = Annotated[
    list[str] | None,
    typer.Option("--target", metavar="NAME", help="All that runs on a target.", autocompletion=complete.frozen_targets),
]
Everything = Annotated[bool, typer.Option("--all", help="All applications.")]


@app.command()
@command()
def freeze(
    session: Session,
    applications: options.Chosen = None,
    target: Targets = None,
    everything: Everything = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; whoever is refused is told.")] = "",
) -> None:
    """Let nothing be changed until the thaw, by no command and no server. What is under way goes on to its end.

    Without anything named, show what is frozen.
    """
    from scurry import freezing

    named = freezing.scopes(applications or (), target or (), everything=everything)
    if not named:
        _show(session, session.workspace.assembly.journal_to_read.freezes())
        return
    if not reason.strip():
        raise Usage("--reason is missing: whoever is refused will want to know why", command="scurry freeze")
    freezing.freeze(session.workspace, named, reason=reason.strip())
    _show(session, session.workspace.journal.freezes())


@app.command()
@command()
def thaw(
    session: Session,
    applications: Frozen = None,
    target: FrozenTargets = None,
    everything: Everything = False,
) -> None:
    """Let be changed again what was frozen in these words: a freeze of a target is thawed by the target."""
    from scurry import freezing
    from scurry.cli import failure
    from scurry.engine.freezing import what

    named = freezing.scopes(applications or (), target or (), everything=everything)
    if not named:
        raise Usage("say what to thaw: applications, --target NAME, or --all", command="scurry thaw")
    thawed = freezing.thaw(session.workspace, named)
    if not session.as_json:
        for scope in named:
            failure.tell(f"{what(scope)}: {'thawed' if scope in thawed else 'was not frozen'}")
    _show(session, session.workspace.journal.freezes())


def _show(session: Session, freezes: "tuple[Freeze, ...]") -> None:
    from scurry.engine.freezing import told

    session.answer(
        "freezes",
        {"freezes": freezes},
        lambda: "\n".join(map(told, freezes)) or "Nothing is frozen.",
    )
