"""What the YAML parser stumbled over, in words for people who write YAML and have not read its specification."""

from __future__ import annotations

import re
from typing import Any

from scurry.model.errors import Place, Problem

_UNCLOSED = {"while parsing a flow sequence": ("list", "[", "]"), "while parsing a flow mapping": ("map", "{", "}")}
_INDENTED = {"while parsing a block mapping": "map", "while parsing a block collection": "list"}
_STRANGE_START = re.compile(r"found character '(.)' that cannot start any token")
_ESCAPE = re.compile(r"found unknown escape character '(.)'")


def syntax_problem(error: Any, text: str, file: str) -> Problem:
    """Tell a syntax error of ruamel's (`MarkedYAMLError`) in a sentence, with the place where it was noticed."""
    mark = error.problem_mark or error.context_mark
    lines = text.split("\n")
    here = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())]:
        place = Place(file=file, line=mark.line + 1, column=here.index("\t") + 1)
        return Problem(message="a tab is used to indent; YAML takes spaces only", place=place)
    begin = error.context_mark
    if begin and "quoted scalar" in (error.context or "") and "unexpected end" in error.problem:
        mark = begin  # it was noticed at the end of the file, which tells nothing
    message = _sentence(error, begin.line + 1 if begin else 1)
    return Problem(message=message, place=Place(file=file, line=mark.line + 1, column=mark.column + 1))


def _sentence(error: Any, begin: int) -> str:
    context, problem = error.context or "", error.problem or ""
    if context in _UNCLOSED and problem.startswith("expected ','"):
        what, opening, closing = _UNCLOSED[context]
        return f"not YAML: a {what} begins with '{opening}' on line {begin}, and its '{closing}' is missing"
    if "quoted scalar" in context and "unexpected end" in problem:
        return f"not YAML: a quote opens on line {begin} and is never closed"
    if context in _INDENTED and "expected <block end>" in problem:
        return (
            f"not YAML: this does not fit the {_INDENTED[context]} that begins on line {begin}; "
            "look at the indentation, and at the quotes before it"
        )
    return _of_one_place(problem) or f"not YAML: {f'{context} {problem}'.strip()}"


def _of_one_place(problem: str) -> str | None:
    if "mapping values are not allowed" in problem:
        return "not YAML: a ':' cannot stand here; quote a text that holds one, or look at the indentation"
    if "expected '<document start>'" in problem:
        return "not YAML: this stands further left than the first key of the file; look at the indentation"
    if match := _STRANGE_START.search(problem):
        return f"not YAML: a text cannot begin with '{match[1]}'; put it in quotes"
    if match := _ESCAPE.search(problem):
        return f"not YAML: '\\{match[1]}' means nothing in double quotes; write '\\\\{match[1]}', or use single quotes"
    return None
