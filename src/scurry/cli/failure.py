"""How errors are told: one place for people, one document for programs. Decides nothing about exit codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scurry.cli.output import write, write_json
from scurry.cli.text import paint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scurry.model.errors import Place, Problem, ScurryError, WorkspaceError

BUG = "bug"
USAGE = "usage"


class Usage(Exception):
    """The command line itself is wrong. `command`: whose help says how it is right."""

    def __init__(self, message: str, *, command: str = "scurry") -> None:
        super().__init__(message)
        self.command = command


class HelpWanted(Exception):
    """A group of commands was named without one of them; the message is its help."""


class Interrupted(Exception):
    """Ctrl-C. `changed` says whether the command may have been in the middle of a change."""

    def __init__(self, *, changed: bool = False) -> None:
        super().__init__("interrupted")
        self.changed = changed


def show(error: ScurryError, *, as_json: bool, verbose: bool) -> None:
    """Tell an error: the document on standard output, or for people on standard error."""
    if as_json:
        write_json("error", {"error": document(error)})
        return
    tell("\n".join(_lines(error, verbose=verbose)))


def document(error: ScurryError) -> dict[str, Any]:
    """Return the error as programs read it."""
    first = error.place
    found: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint, **_where(first)}
    problems = getattr(error, "problems", ())
    if problems:
        found["problems"] = [problem_document(problem) for problem in problems]
    for name in ("owner", "since", "target", "cause"):
        if value := getattr(error, name, ""):
            found[name] = value
    return found


def problem_document(problem: Problem) -> dict[str, Any]:
    """Return one of several problems as programs read it."""
    return {"message": problem.message, "hint": problem.hint, **_where(problem.place)}


def _where(place: Place | None) -> dict[str, Any]:
    return {
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "key": place.key if place else None,
    }


def _lines(error: ScurryError, *, verbose: bool) -> Iterator[str]:
    from scurry.model.errors import Problem

    problems = getattr(error, "problems", None) or (Problem(message=error.message, place=error.place, hint=error.hint),)
    yield problems_text(problems)
    if verbose and (cause := getattr(error, "cause", "")):
        yield f"\n{cause}"


def problems_text(problems: Sequence[Problem]) -> str:
    """Return problems as people read them, with the lines of the files that they are in."""
    text = "\n\n".join("\n".join(_problem(problem)) for problem in problems)
    return f"{text}\n\n{len(problems)} errors" if len(problems) > 1 else text


def _problem(problem: Problem) -> Iterator[str]:
    yield f"{_red('error:')} {problem.message}"
    if problem.place:
        yield f"  --> {problem.place}" + (f"  ({problem.place.key})" if problem.place.key else "")
        yield from excerpt(problem.place)
    if problem.hint:
        yield from problem.hint.split("\n")


def excerpt(place: Place) -> Iterator[str]:
    """Yield the line of a place with the one before it, and a caret under the column. Nothing if it cannot be read."""
    if place.line is None:
        return
    try:
        with open(place.file, encoding="utf-8", errors="replace") as file:
            lines = file.read(1_000_000).split("\n")
    except OSError:
        return
    if not 0 < place.line <= len(lines):
        return
    gutter = len(str(place.line))
    for number in range(max(1, place.line - 1), place.line + 1):
        yield f"  {number:>{gutter}} | {_short(lines[number - 1])}"
    if place.column is not None:
        # The caret stands under the column however the line mixes tabs and spaces.
        before = "".join("\t" if character == "\t" else " " for character in lines[place.line - 1][: place.column - 1])
        if len(before) < 160:
            yield f"  {'':>{gutter}} | {before}^"


def _short(line: str) -> str:
    return line if len(line) <= 160 else line[:159] + "…"


def show_usage(error: Usage, *, as_json: bool) -> None:
    """Tell what is wrong with the command line, and where its help is."""
    hint = f"For help, run:\n  {error.command} --help"
    _show_plain(USAGE, str(error), hint, as_json=as_json)


def show_interrupted(interrupted: Interrupted, *, as_json: bool) -> None:
    """Tell that nothing is lost by a Ctrl-C, but that a job may be stopped now."""
    if as_json:
        _show_plain("interrupted", "interrupted", _GO_ON if interrupted.changed else None, as_json=True)
        return
    tell("\ninterrupted" + (f"; {_GO_ON}" if interrupted.changed else ""))


_GO_ON = (
    "what was done so far is in the journal. The job may be stopped now. To see how things stand, run:\n"
    "  scurry status\nTo go on from here, run:\n  scurry apply FILE"
)


def _of_system(error: OSError) -> WorkspaceError:
    """Return what the operating system refused as an error that says where, and what can be done about it."""
    import errno

    from scurry.model.errors import WorkspaceError

    where = f"{str(error.filename)!r} cannot be used: " if error.filename else ""
    hints = {
        **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "Make room, then run the same command again."),
        **dict.fromkeys(
            (errno.EACCES, errno.EPERM, errno.EROFS),
            f"To see whose it is, run:\n  ls -ld {error.filename}"
            if error.filename
            else "See that you may write there.",
        ),
    }
    return WorkspaceError(f"{where}{error.strerror or error}", hint=hints.get(error.errno or 0))


def show_unforeseen(error: Exception, *, as_json: bool) -> None:
    """Tell an error that nobody foresaw, without the noise of a traceback: the system's fault, or a bug."""
    if isinstance(error, OSError) and error.errno is not None:
        show(_of_system(error), as_json=as_json, verbose=False)
        return
    message = f"this is a bug in scurry: {type(error).__name__}: {error}"
    hint = "To see where it happened, run it again with SCURRY_TRACEBACK=1 set."
    _show_plain(BUG, message, hint, as_json=as_json)


def _show_plain(code: str, message: str, hint: str | None, *, as_json: bool) -> None:
    if as_json:
        write_json("error", {"error": {"code": code, "message": message, "hint": hint, **_where(None)}})
        return
    tell(f"{_red('error:')} {message}" + (f"\n{hint}" if hint else ""))


def _red(text: str) -> str:
    return paint(text, "red")


def tell(text: str) -> None:
    """Write a line to standard error."""
    write(text, to_stderr=True)
