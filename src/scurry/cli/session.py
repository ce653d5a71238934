"""What every command has: the options that all share, the workspace, a reporter, and the way to answer.

`@command` adds those options to a function and hands it the session; it is what keeps `--json`, `--workspace`,
`--verbose`, `--yes` and `--wait` the same everywhere.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, cast

import typer

from scurry.cli import options
from scurry.cli.failure import Interrupted, Usage

if TYPE_CHECKING:
    from scurry.model.plan import Plan
    from scurry.model.reporting import Reporter
    from scurry.server.remote import RemoteWorkspace
    from scurry.workspace import Workspace

P = ParamSpec("P")
Document = dict[str, Any]
"""what `--json` writes: plain values, dates and the model's structs; `schema` is put before it"""

_SHARED = {
    "workspace": options.WorkspaceDirectory,
    "server": options.ServerAddress,
    "as_json": options.AsJson,
    "verbose": options.Verbose,
}
_ASKING = {"yes": options.Yes}
_CHANGING = {**_ASKING, "wait": options.Wait}
_DEFAULTS: dict[str, Any] = {
    "workspace": None,
    "server": None,
    "as_json": False,
    "verbose": False,
    "yes": False,
    "wait": None,
}


def new_app(name: str | None = None, help: str | None = None) -> typer.Typer:
    """Return an empty typer application with what all of them have; a name makes it a group of commands."""
    return typer.Typer(
        name=name,
        help=help,
        no_args_is_help=name is not None,
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
    )


@dataclass(kw_only=True)
class Session:
    """One run of a command."""

    directory: Path | None
    as_json: bool = False
    verbose: bool = False
    server: str | None = None
    yes: bool = False
    wait: timedelta | None = None

    @cached_property
    def reporter(self) -> "Reporter":
        """Where progress goes: standard error; nowhere with `--json`, unless `--verbose`."""
        from scurry.model.reporting import SilentReporter

        if self.as_json and not self.verbose:
            return SilentReporter()
        from scurry.cli.progress import reporter

        return reporter(verbose=self.verbose)

    @cached_property
    def workspace(self) -> "Workspace":
        """The project. Raises `SpecInvalid` when its file is wrong, `WorkspaceError` when it is not there."""
        from scurry.workspace import Workspace

        if self.directory is not None and not self.directory.is_dir():
            from scurry.model.errors import WorkspaceError

            raise WorkspaceError(
                f"the workspace {str(self.directory)!r} is not a folder",
                hint="Name the folder that holds scurry.yaml with --workspace or SCURRY_WORKSPACE.",
            )
        workspace = Workspace.open(self.directory, reporter=self.reporter)
        if self.server is None:
            return workspace
        from scurry.server.remote import RemoteWorkspace, token_of

        return RemoteWorkspace.connect(workspace.project, self.server, token_of(workspace), reporter=self.reporter)

    @property
    def remote(self) -> "RemoteWorkspace | None":
        """The workspace, when a server does what is to be done."""
        return cast("RemoteWorkspace", self.workspace) if self.server is not None else None

    def answer(self, schema: str, document: Document, people: Callable[[], str]) -> None:
        """Write the result to standard output: the document with `--json`, else what `people` returns."""
        from scurry.cli import output

        if self.as_json:
            output.write_json(schema, document)
            return
        output.write(people())

    def say(self, text: str) -> None:
        """Write something before the result: to standard output for people, to standard error beside a document."""
        from scurry.cli import output

        output.write(text, to_stderr=self.as_json)

    def agree(self, what: str) -> None:
        """Tell what is about to be done and ask. Raises `Refused` when declined, or when nobody can be asked."""
        from scurry.cli import output
        from scurry.model.errors import Refused

        if not self.as_json or not self.yes:
            self.say(what)
        if not self.yes and not output.ask("Do it?"):
            raise Refused("declined; nothing was changed")

    def confirm_twice(self, plan: "Plan") -> bool:
        """Show a plan that drops state, ask, and ask again with what is dropped."""
        from scurry.cli import output

        if not self.confirm(plan):
            return False
        dropped = " ".join(sentence for change in plan.changes for sentence in change.consequences)
        return self.yes or output.ask(f"{dropped}\nAre you sure?")

    def confirm(self, plan: "Plan") -> bool:
        """Show a plan and ask. Raises `Refused` when there is nobody to ask and `--yes` is not given."""
        from scurry.cli import output, views_plan

        if not self.as_json or not self.yes:
            self.say(views_plan.text(plan))
        return self.yes or output.ask("Do it?")


def command(
    *,
    changes: bool = False,
    asks: bool = False,
    in_project: bool = True,
    here: str | None = None,
    is_server: bool = False,
) -> Callable[[Callable[Concatenate[Session, P], int | None]], Callable[..., int | None]]:
    """Give a function the session, and its command line the shared options. The function may return an exit code.

    `changes`: it changes an application; so it also has `--yes` and `--wait`. `asks`: only `--yes`. Not `in_project`:
    it needs no project, and has no `--workspace`. `here`: why no server can do it; `--server` is refused with that.
    `is_server`: it answers with no document.
    """
    shared = {**_SHARED, **(_CHANGING if changes else _ASKING if asks else {})}
    if not in_project:
        del shared["workspace"]
    if here:
        shared["server"] = options.NoServer
    if is_server:
        del shared["as_json"]

    def decorate(function: Callable[Concatenate[Session, P], int | None]) -> Callable[..., int | None]:
        def run(**given: Any) -> int | None:
            directory = given.pop("workspace", None)
            session = Session(directory=directory, **{name: given.pop(name) for name in shared if name != "workspace"})
            if here and session.server is not None:
                raise Usage(f"--server: {here}; leave --server out")
            try:
                return function(session, **given)  # type: ignore[call-arg]  # the options are the function's own
            except KeyboardInterrupt as error:
                raise Interrupted(changed=changes) from error

        own = list(inspect.signature(function).parameters.values())[1:]
        extra = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS[name], annotation=annotation)
            for name, annotation in shared.items()
        ]
        parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + extra
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__name__, run.__doc__ = function.__name__, function.__doc__
        return run

    return decorate
