"""Options and arguments that several commands share, each written once."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from scurry.cli import complete
from scurry.cli.failure import Usage


def duration(text: str) -> timedelta:
    """Read a duration like `30s` or `5min`. Raises typer's `BadParameter`."""
    from scurry.model.values import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def flink_option(text: str) -> tuple[str, str]:
    """Read `KEY=VALUE`. Raises `Usage`."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise Usage(f"--config {text!r} is not KEY=VALUE")
    return key, value


Files = Annotated[
    list[Path],
    # What cannot be read is told by the one who reads it, with what to do.
    typer.Argument(metavar="FILE", help="Specs of applications, taken one after the other.", readable=False),
]
File = Annotated[Path, typer.Argument(metavar="FILE", help="Spec of the application.", readable=False)]
Name = Annotated[
    str,
    typer.Argument(
        metavar="APP",
        help="The application: its name, or name@environment.",
        autocompletion=complete.applications,
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[APP]", help="Applications; without any, all.", autocompletion=complete.applications),
]
Chosen = Annotated[
    list[str] | None,
    typer.Argument(metavar="[APP]", help="Applications.", autocompletion=complete.applications),
]
Environment = Annotated[
    str | None,
    typer.Option(
        "--env", metavar="NAME", help="Environment whose overlay is used.", autocompletion=complete.environments
    ),
]
TargetName = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="NAME",
        help="Target to run on, instead of the one that the spec names.",
        autocompletion=complete.targets,
    ),
]
From = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="latest|none|SNAPSHOT",
        help="State to start from: the latest, none at all, or a snapshot by its name or location.",
        autocompletion=complete.sources,
    ),
]
WorkspaceDirectory = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        metavar="DIR",
        envvar="SCURRY_WORKSPACE",
        show_envvar=True,
        readable=False,
        help="Folder of the project, instead of the current one. The nearest scurry.yaml from there upwards counts.",
    ),
]
ServerAddress = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        envvar="SCURRY_SERVER",
        show_envvar=True,
        help="Have a scurry server do it, instead of this process. Its token is read from SCURRY_TOKEN.",
    ),
]
NoServer = Annotated[str | None, typer.Option("--server", metavar="URL", hidden=True)]
"""of commands that no server can do: there to say why. SCURRY_SERVER says nothing to them"""
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON document to standard output.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Tell more: progress also with --json, whole causes.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Needed where there is no terminal.")]
Wait = Annotated[
    timedelta | None,
    typer.Option(
        "--wait",
        metavar="[DURATION]",
        parser=duration,
        help=(
            "Wait for somebody else who is changing the application: so long (5min), or as long as it takes. "
            "Without it, that is an error."
        ),
    ),
]
