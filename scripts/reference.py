"""Writes docs/reference from the code: commands, files, errors, exit codes, JSON documents.

With `--check` it writes nothing and exits with 1 when a page is not what the code says. Nothing in those pages is
written by hand.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import string
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import scurry
from scurry.cli import app as cli
from scurry.cli.documents import DOCUMENTS, Document
from scurry.cli.exit_codes import MEANINGS
from scurry.engine.failure_catalogue import CATALOGUE
from scurry.model import errors
from scurry.spec.schema import application_schema, project_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
MADE = "<!-- Made by scripts/reference.py from the code. To change it, change the code and run: make docs -->"

OTHER_CODES = {
    "handed-over": "The server that did it was stopped in the middle. Another one goes on, or the next command.",
    "usage": "The command line itself is wrong; exit code 2.",
    "unhealthy": (
        "In the result of an `apply`: the new revision was started and was not healthy within its window. "
        "It was rolled back, unless the spec says otherwise."
    ),
    "interrupted": "Ctrl-C; exit code 130. A command that changes something says how to go on.",
    "bug": "Something that scurry did not foresee. `SCURRY_TRACEBACK=1` shows where.",
}


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    return {
        "cli.md": _page("Commands", _commands()),
        "application.md": _page(
            "application.yaml",
            _file(application_schema(), "An application", "scurry schema application"),
        ),
        "project.md": _page("scurry.yaml", _file(project_schema(), "A project", "scurry schema project")),
        "errors.md": _page("Errors", _errors()),
        "exit-codes.md": _page("Exit codes", _exit_codes()),
        "failures.md": _page("Failures", _failures()),
        "json.md": _page("JSON documents", _documents()),
    }


_BLAMES = {
    "application": "the application: its code, configuration or state",
    "cluster": "Flink's processes and what they run on",
    "surroundings": "what the job reads from and writes to",
}


def _failures() -> Iterator[str]:
    yield "What `scurry diagnose` knows. A failure is recognised by the words of an exception (regular expressions over"
    yield "`class: message`, the deepest cause first) or by a figure. What is not here is shown as Flink tells it, and"
    yield "said to be unknown. The names are stable: `code` of a finding in the [JSON](json.md#diagnose)."
    yield ""
    yield from _table(("Name", "What it is"), [(f"[`{entry.id}`](#{entry.id})", entry.title) for entry in CATALOGUE])
    for entry in CATALOGUE:
        words = {name: f"…{name}…" for _, name, _, _ in string.Formatter().parse(entry.what) if name}
        yield f"## {entry.id}"
        yield ""
        yield f"{entry.title}. Where the cause is: {_BLAMES[entry.blame.value]}."
        if entry.follows:
            yield "It often follows from another failure; if one is known, that goes first."
        yield ""
        yield f"Told as: {entry.what.format(**words)}"
        yield ""
        yield "Recognised by:"
        yield ""
        yield "```text"
        yield from entry.seen or ("a figure of Flink's metrics",)
        yield "```"
        yield ""
        yield "What to do:"
        yield ""
        yield "```text"
        yield entry.todo.replace("{application}", "APP")
        yield "```"
        yield ""


def _page(title: str, lines: Iterator[str]) -> str:
    text = "\n".join([MADE, "", f"# {title}", "", *lines])
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


# Commands ------------------------------------------------------------------------------------------------------


def _commands() -> Iterator[str]:
    yield "Every command takes `--help`. Progress goes to standard error, results to standard output."
    yield "With `--json`, standard output is exactly one [JSON document](json.md)."
    yield "A command that changes something shows what it will do and asks; `--yes` answers, and is needed where there"
    yield "is no terminal. [Exit codes](exit-codes.md) and [errors](errors.md) have pages of their own."
    yield ""
    for name in cli.COMMANDS:
        yield from _command(f"scurry {name}", cli.load(name))


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command with its full name, those of groups, too."""
    for name in cli.COMMANDS:
        loaded = cli.load(name)
        if hasattr(loaded, "commands"):
            yield from ((f"{name} {child}", command) for child, command in loaded.commands.items())
        else:
            yield name, loaded


def _command(name: str, command: Any) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    yield inspect.cleandoc(command.help or "")
    yield ""
    children = getattr(command, "commands", None)
    if children is not None:
        for child, subcommand in children.items():
            yield from (
                line.replace("## ", "### ", 1) if line.startswith("## ") else line
                for line in _command(f"{name} {child}", subcommand)
            )
        return
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option" and not param.hidden]
    yield "```text"
    yield " ".join([name, *(_usage(argument) for argument in arguments), *(["[OPTIONS]"] if options else [])])
    yield "```"
    yield ""
    rows = [(f"`{_argument(argument)}`", argument.help or "") for argument in arguments]
    rows += [(f"`{_option(option)}`", _option_help(option)) for option in options]
    yield from _table(("Argument or option", "Does"), rows)


def _argument(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper()).strip("[]")


def _usage(argument: Any) -> str:
    name = _argument(argument) + ("…" if argument.nargs != 1 else "")
    return name if argument.required else f"[{name}]"


def _option(option: Any) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    return names if option.is_flag else f"{names} {option.metavar or option.name.upper()}"


def _option_help(option: Any) -> str:
    text = option.help or ""
    if option.default not in (None, False) and not option.is_flag:
        text += f" Default: `{getattr(option.default, 'value', option.default)}`."
    if option.envvar:
        text += f" Environment variable: `{option.envvar}`."
    return text


# Files ---------------------------------------------------------------------------------------------------------


def _file(schema: dict[str, Any], title: str, command: str) -> Iterator[str]:
    yield f"{title}, as people write it. For editors, its JSON Schema is written by `{command}`."
    yield "Unknown keys are errors. A value in *italics* is of a kind that has a section of its own below."
    yield ""
    yield schema.get("description", "")
    yield ""
    definitions = {name: node for name, node in schema["$defs"].items() if not name.startswith("Overlay")}
    yield from _fields(schema)
    for name, node in definitions.items():
        yield f"## {name}"
        yield ""
        yield node.get("description", "")
        yield ""
        yield from _fields(node)


def _fields(node: dict[str, Any]) -> Iterator[str]:
    required = set(node.get("required", ()))
    rows = []
    for key, value in node.get("properties", {}).items():
        default = "needed" if key in required else _default(value)
        rows.append((f"`{key}`", _kind(value), default, value.get("description") or _described_by(value)))
    yield from _table(("Key", "Value", "Default", "Means"), rows)


def _described_by(value: dict[str, Any]) -> str:
    return f"See {_kind(value)}." if "$ref" in value else ""


def _default(value: dict[str, Any]) -> str:
    default = value.get("default")
    if default in (None, "", [], {}):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _kind(node: dict[str, Any]) -> str:
    """Say in words what a value may be."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if name.startswith("Overlay"):
            return "any of these keys but `name` and `environments`"
        return f"*[{name}](#{name.lower()})*"
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return ", ".join(f"`{word}`" for word in node["enum"])
    choices = node.get("anyOf") or node.get("oneOf")
    if choices and "properties" not in node:
        return " or ".join(dict.fromkeys(kind for choice in choices if (kind := _kind(choice))))
    return _plain_kind(node)


def _plain_kind(node: dict[str, Any]) -> str:
    match node.get("type"):
        case "object":
            return _map(node)
        case "array":
            item = _kind(node.get("items", {}))
            return f"list of {item}" if item else "list"
        case "integer":
            least, most = node.get("minimum"), node.get("maximum")
            return f"whole number from {least} to {most}" if most is not None else "whole number"
        case "boolean":
            return "`true` or `false`"
        case "null":
            return ""
        case "string" if "ms|s|min" in node.get("pattern", ""):
            return "duration (`30s`, `10min`)"
        case "string" if node.get("pattern", "").startswith("\\{"):
            return ""  # a template, which any value may be
        case _:
            return "text"


def _map(node: dict[str, Any]) -> str:
    if set(node.get("properties", ())) == {"env", "file"}:
        return "secret (`{env: NAME}` or `{file: PATH}`)"
    inner = node.get("additionalProperties")
    kind = _kind(inner) if isinstance(inner, dict) else ""
    return f"map of {kind}" if kind else "map"


# Errors --------------------------------------------------------------------------------------------------------


def error_classes(root: type[errors.ScurryError] = errors.ScurryError) -> Iterator[type[errors.ScurryError]]:
    """Yield the tree of errors, parents first: that of the model, and what brings a code of its own elsewhere."""
    for module in pkgutil.walk_packages(scurry.__path__, "scurry."):
        if not module.name.startswith("scurry.testing"):  # it needs pytest
            importlib.import_module(module.name)
    yield from _classes_below(root)


def _classes_below(root: type[errors.ScurryError]) -> Iterator[type[errors.ScurryError]]:
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__ or "code" in vars(child):
            yield child
        yield from _classes_below(child)


def _errors() -> Iterator[str]:
    yield "Every error has a stable code, a message that says what is wrong, and mostly a hint that says what to do."
    yield "With `--json` it is an [`error` document](json.md#error). The class says what a caller of the library can"
    yield "do: catching a class catches those below it."
    yield ""
    yield "```text"
    yield "\n".join(_tree(errors.ScurryError, ""))
    yield "```"
    yield ""
    for found in error_classes():
        yield f"## {found.code}"
        yield ""
        yield f"`{found.__module__}.{found.__name__}`. {inspect.cleandoc(found.__doc__ or '')}"
        yield ""
    yield "# Codes without a class"
    yield ""
    for code, text in OTHER_CODES.items():
        yield f"## {code}"
        yield ""
        yield text
        yield ""


def _tree(root: type[errors.ScurryError], indent: str) -> Iterator[str]:
    yield f"{indent}{root.__name__}"
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child, indent + "    ")


def _exit_codes() -> Iterator[str]:
    for code, (word, text) in MEANINGS.items():
        yield f"## {code}: {word}"
        yield ""
        yield text
        yield ""


# JSON ----------------------------------------------------------------------------------------------------------


def _documents() -> Iterator[str]:
    yield "With `--json`, standard output is exactly one document. `schema` names its kind and the version of it;"
    yield "more fields may be added to a version, but none of these goes away or changes its meaning."
    yield "`[]` is a list, `?` marks what may be null or absent. Times are ISO 8601 in UTC."
    yield ""
    for name, document in DOCUMENTS.items():
        yield from _document(name, document)


def _document(name: str, document: Document) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    yield f"`scurry/{name}/1`: {document.about}"
    yield ""
    if document.commands != ("any",):
        yield f"Written by {', '.join(f'`scurry {command}`' for command in document.commands)}."
        yield ""
    yield from _table(("Field", "Is"), [(f"`{path}`", text) for path, text in document.fields.items()])


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        return
    yield "| " + " | ".join(header) + " |"
    yield "|" + " --- |" * len(header)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
    yield ""


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` compare them."""
    stale = []
    for name, text in pages().items():
        path = FOLDER / name
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            FOLDER.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    if stale and "--check" in arguments:
        print(
            f"not what the code says: {', '.join(stale)} in {FOLDER.relative_to(ROOT)}. To make them anew:\n  make docs"
        )
        return 1
    print(f"written: {', '.join(stale) or 'nothing, all is current'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
