"""The commands by name, each file of them loaded only when one of its commands is asked for."""

import re
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from scurry.cli.failure import HelpWanted, Interrupted, Usage

COMMANDS = {
    "init": "init",
    "validate": "apply",
    "plan": "apply",
    "apply": "apply",
    "rollback": "apply",
    "adopt": "adopt",
    "status": "look",
    "watch": "look",
    "diagnose": "look",
    "logs": "logs",
    "ui": "look",
    "history": "past",
    "diff": "past",
    "stop": "lifecycle",
    "start": "lifecycle",
    "restart": "lifecycle",
    "scale": "lifecycle",
    "delete": "lifecycle",
    "prune": "prune",
    "freeze": "freeze",
    "thaw": "freeze",
    "snapshot": "snapshot",
    "state": "state",
    "fork": "fork",
    "serve": "serve",
    "emulate": "emulate",
    "runtime": "runtime",
    "local": "local",
    "journal": "journal",
    "size": "size",
    "schema": "schema",
}
"""command → the file in this package that has it, in the order of the help"""


AS_LONG_AS_IT_TAKES = "3650d"
_LIKE_A_DURATION = re.compile(r"(\d[\d.]*\s*[A-Za-z]{0,3}\s*)+")


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and return a command; None when there is none of that name."""
        if cmd_name not in COMMANDS:
            self.commands = {name: load(name) for name in COMMANDS}  # what typer looks through for a near name
            return None
        return load(cmd_name)


def load(name: str) -> Any:
    """Return a command or a group of commands by its name."""
    module = import_module(f"scurry.cli.{COMMANDS[name]}")
    group = get_group(module.app)
    return group if group.name == name else group.commands[name]


app = typer.Typer(
    name="scurry",
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    pretty_exceptions_enable=False,
)


@app.callback()
def scurry(
    version: bool = typer.Option(False, "--version", "-V", help="Show the version and exit.", is_eager=True),
) -> None:
    """Ship Apache Flink applications and look after them."""
    if version:
        from scurry import __version__

        typer.echo(f"scurry {__version__}")
        raise typer.Exit


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code.

    Raises `Usage`, `HelpWanted`, `Interrupted` and what the commands raise.
    """
    try:
        code = get_command(app).main(with_duration(arguments), prog_name="scurry", standalone_mode=False)
    except typer.TyperException as error:
        raise _translated(error) from error
    except typer.Abort as error:
        raise Interrupted from error
    return code if isinstance(code, int) else 0


def with_duration(arguments: list[str]) -> list[str]:
    """Give a bare `--wait` its duration: typer's options take a value always or never."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    found: list[str] = []
    for number, argument in enumerate(arguments):
        following = arguments[number + 1] if number + 1 < end else ""
        bare = argument == "--wait" and number < end and not _LIKE_A_DURATION.fullmatch(following)
        found += ["--wait", AS_LONG_AS_IT_TAKES] if bare else [argument]
    return found


def _translated(error: typer.TyperException) -> Exception:
    """Return typer's error as ours. Its own classes for it are not public; what they carry is."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return HelpWanted(error.format_message())
    context = getattr(error, "ctx", None)
    return Usage(error.format_message(), command=context.command_path if context else "scurry")
