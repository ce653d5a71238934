"""What Flink says of an SQL script, brought back to the line of the user's template that it is about.

The SQL runner (`flink/java/SqlRunner.java`) marks its failures; here the mark is found in Flink's text and read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scurry.artifacts.connector_hints import connector_hint
from scurry.model.errors import Problem

if TYPE_CHECKING:
    from scurry.model.errors import Place
    from scurry.model.script import Script

_MARK = re.compile(
    r"scurry-sql-error statement=(?P<statement>\d+)(?: line=(?P<line>\d+) column=(?P<column>\d+))?\r?\n"
    r"(?P<text>.*?)\r?\nscurry-sql-error end",
    re.DOTALL,
)
_BETWEEN_CAUSES = re.compile(r"\r?\nscurry-sql-error cause\r?\n")
_LEAD_IN = re.compile(r"^(?:SQL (?:parse|validation) failed\. )+")
_POSITION = re.compile(r"^(?:From line \d+, column \d+ to line \d+, column \d+|At line \d+, column \d+): ?")
_POSITION_AFTER = re.compile(r" at line \d+, column \d+(?=\.)")
_EXPECTING = re.compile(r"\s*Was expecting(?: one of)?:?\s.*", re.DOTALL)
_ENCOUNTERED = re.compile(r'Encountered "(?P<text>.*)"\.?', re.DOTALL)
_NO_FACTORY = re.compile(
    r"Could not find any (?P<format>format )?factory for identifier '(?P<name>[^']*)'"
    r"(?: that implements '(?P<kind>[^']*)')?"
)
_AVAILABLE = re.compile(r"Available factory identifiers are:\s*(?P<names>.*)", re.DOTALL)
_OURS = re.compile(
    r"has no place in an application|the script has no INSERT INTO|ADD JAR is not allowed|SET needs a key and a value"
)
"""what `SqlScript.java` itself refuses"""
_TABLE = re.compile(r"\btable '(?P<name>[^']+)'")
_CREATE = re.compile(
    r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:TEMPORARY\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>[\w.`$-]+)", re.IGNORECASE
)


def locate(cause: str, script: Script, *, flink_version: str | None = None) -> Problem | None:
    """Return what is wrong and where in the user's files; None when the text is not about the script.

    `cause` is Flink's text, with or without stack traces around it; `flink_version` makes the hint exact.
    """
    mark = _MARK.search(cause)
    if mark is None or int(mark["statement"]) >= len(script.statements):
        return None
    causes = _BETWEEN_CAUSES.split(mark["text"])
    index = int(mark["statement"])
    if missing := next((found for text in causes if (found := _NO_FACTORY.search(text))), None):
        return _missing(missing, causes, index, script, flink_version)
    if mark["line"]:
        place = script.place_in_statement(index, int(mark["line"]), int(mark["column"]))
    else:
        place = script.place(script.statements[index].start)
    return Problem(message=_message(causes), place=place)


def is_certain(cause: str) -> bool:
    """Whether a failure is about the script itself, wherever it runs: Flink or the runner names a place, or why."""
    mark = _MARK.search(cause)
    return mark is not None and (mark["line"] is not None or _OURS.search(mark["text"]) is not None)


def summary(cause: str) -> str:
    """Return the last cause of a failure in a line."""
    mark = _MARK.search(cause)
    lines = (_cleaned(_BETWEEN_CAUSES.split(mark["text"])[-1]) if mark else cause.strip()).splitlines()
    return lines[0] if lines else "no reason is given"


def _message(causes: list[str]) -> str:
    """The root cause in one line or a few; Flink's lead-ins and positions are told by the place."""
    root = _cleaned(causes[-1])
    if unexpected := _ENCOUNTERED.fullmatch(root):
        return _syntax(unexpected["text"])
    if " " in root or len(causes) == 1:
        return root
    return f"{_cleaned(causes[-2]).rstrip('.')}: {root}"  # a mere name, as of a class that was not found


def _syntax(found: str) -> str:
    """What Calcite's parser says, which is only what it stumbled over."""
    if found == "<EOF>":
        return "not valid SQL: the statement ends too early"
    return f"not valid SQL: {found!r} was not expected here; look at it, and at the word before it"


def _cleaned(text: str) -> str:
    for pattern in (_LEAD_IN, _POSITION, _EXPECTING, _POSITION_AFTER):
        text = pattern.sub("", text.strip())
    return text.strip()


def _missing(found: re.Match[str], causes: list[str], index: int, script: Script, flink_version: str | None) -> Problem:
    """A connector, format or catalog that is in neither Flink nor the spec's connectors."""
    name, interface = found["name"], (found["kind"] or "").rpartition(".")[2]
    is_format = found["format"] or "Format" in interface
    what = "format" if is_format else "catalog" if "Catalog" in interface else "connector"
    table = next((match["name"] for text in causes if (match := _TABLE.search(text))), None)
    there = next((match["names"] for text in causes if (match := _AVAILABLE.search(text))), "")
    known = ", ".join(line.strip() for line in there.splitlines() if line.strip())
    of_table = f" of the table {_short(table)!r}" if table else ""
    message = f"the {what} {name!r}{of_table} is not there" + (f"; there are: {known}" if known else "")
    place = _definition(name, table, script) or script.place(script.statements[index].start)
    return Problem(message=message, place=place, hint=connector_hint(name, what, flink_version))


def _definition(name: str, table: str | None, script: Script) -> Place | None:
    """Where the script defines the table with that connector or format: at the option's value."""
    option = re.compile(rf"'[\w.-]*(?:connector|format|type)'\s*=\s*('{re.escape(name)}')")
    for statement, text in zip(script.statements, script.sources(), strict=True):
        create = _CREATE.match(text)
        if table and not (create and _short(table).lower() == _short(create["name"].replace("`", "")).lower()):
            continue
        if value := option.search(text):
            return script.place(statement.start + value.start(1))
        if create:
            return script.place(statement.start)
    return None


def _short(table: str) -> str:
    return table.replace("`", "").rpartition(".")[2]
