"""`scurry state check`: would a new version take the state over? In a project, or with a jar alone, as a CI has it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scurry.cli import complete, options
from scurry.cli.exit_codes import CHANGES, DONE, ERROR
from scurry.cli.failure import Usage
from scurry.cli.session import Session, command

if TYPE_CHECKING:
    from scurry.model.compatibility import Compatibility

Application = Annotated[
    str | None,
    typer.Argument(metavar="APP", help="The application whose state it is.", autocompletion=complete.applications),
]
Spec = Annotated[Path | None, typer.Argument(metavar="FILE", help="Spec of what it is to become.", readable=False)]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="SNAPSHOT",
        help="State to look at: a name or location; without it, the newest of APP.",
        autocompletion=complete.sources,
    ),
]
Jar = Annotated[
    Path | None, typer.Option("--jar", metavar="JAR", help="Instead of APP and FILE: the jar of the new version.")
]
MainClass = Annotated[str | None, typer.Option("--main-class", metavar="CLASS", help="Entry class of the jar.")]
Arguments = Annotated[
    list[str] | None, typer.Option("--arg", metavar="TEXT", help="An argument of its main(); several, in order.")
]
Flink = Annotated[
    str | None, typer.Option("--flink", metavar="VERSION", help="Flink that the jar is for: `2.3` or `2.3.0`.")
]
Config = Annotated[
    list[str] | None, typer.Option("--config", metavar="KEY=VALUE", help="A Flink option of the job; several.")
]
Parallelism = Annotated[int, typer.Option("--parallelism", metavar="N", min=1, help="Parallelism of the job.")]
OldJar = Annotated[
    Path | None,
    typer.Option("--old-jar", metavar="JAR", help="The jar whose job wrote the snapshot: then more can be told."),
]
OldFlink = Annotated[
    str | None, typer.Option("--old-flink", metavar="VERSION", help="Flink of the old jar, if it is another one.")
]
Allow = Annotated[
    list[str] | None,
    typer.Option("--allow", metavar="UID", help="An operator whose state may be dropped; several. `all` allows any."),
]
Graph = Annotated[
    Path | None, typer.Option("--graph", metavar="FILE.svg", help="Draw both job graphs side by side, and the state.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 also when not all could be looked at.")]


@command()
def check(  # noqa: PLR0913, PLR0917 - each is an option of the command
    session: Session,
    application: Application = None,
    file: Spec = None,
    source: From = None,
    environment: options.Environment = None,
    jar: Jar = None,
    main_class: MainClass = None,
    arg: Arguments = None,
    flink: Flink = None,
    config: Config = None,
    parallelism: Parallelism = 1,
    old_jar: OldJar = None,
    old_flink: OldFlink = None,
    allow: Allow = None,
    graph: Graph = None,
    strict: Strict = False,
) -> int:
    """Say whether a new version can take over the state of an application, or of a snapshot. Changes nothing.

    Either `APP FILE`, in a project; or `--from SNAPSHOT --jar JAR --flink VERSION`, anywhere. Exits with 0 when the
    state fits, with 3 when it fits and state is dropped that may be, with 1 when it does not fit.
    """
    allowed: bool | tuple[str, ...] = True if "all" in (allow or ()) else tuple(allow or ())
    if jar is not None:
        if application or file or source is None or flink is None:
            raise Usage("with --jar: --from SNAPSHOT and --flink VERSION, too, and neither APP nor FILE")
        from scurry.state_checking import JarQuestion, check_jar

        question = JarQuestion(
            location=source,
            jar=jar,
            flink=flink,
            main_class=main_class,
            args=tuple(arg or ()),
            parallelism=parallelism,
            config=dict(map(options.flink_option, config or ())),
            old_jar=old_jar,
            old_flink=old_flink,
            allowed=allowed or False,
            picture=graph is not None,
        )
        return _tell(session, check_jar(question, session.reporter), f"{source} → {jar.name}", graph, strict=strict)
    if application is None or file is None or flink or main_class or arg or config or old_jar:
        raise Usage("either APP and FILE, or --jar with --from and --flink")
    from scurry.engine.compatibility_asking import StateWanted

    wanted = StateWanted(environment=environment, source=source or "latest", allowed=allowed, picture=graph is not None)
    found = session.workspace.check_state(application, file, wanted)
    return _tell(session, found, f"{application} → {file}", graph, strict=strict)


def _tell(session: Session, found: "Compatibility", title: str, graph: Path | None, *, strict: bool) -> int:
    from scurry.cli import views_compatibility
    from scurry.model.compatibility import Fit

    drawn = write_graph(graph, found, title)
    document = {"state": views_compatibility.document(found), "graph": drawn}
    session.answer("state-check", document, lambda: views_compatibility.text(found, whole=True))
    if found.fit is Fit.BLOCKED or (strict and found.is_uncertain):
        return ERROR
    return CHANGES if found.dropping else DONE


def write_graph(path: Path | None, found: "Compatibility | None", title: str) -> str | None:
    """Draw a verdict into a file, where one is named and there is something to draw. Returns its path.

    Raises `WorkspaceError` when it cannot be written.
    """
    if path is None or found is None or not found.operators:
        return None
    from scurry.cli.graph_svg import draw
    from scurry.model.errors import WorkspaceError

    try:
        path.write_text(draw(found, title=title), "utf-8")
    except OSError as error:
        raise WorkspaceError(f"the picture cannot be written to {str(path)!r}: {error.strerror or error}") from error
    return str(path)
