"""The tables of an SQL script: which are written, which read, where they are; and the same script without its sinks.

Pure; it looks at words and brackets and parses no SQL. What it is not sure of it leaves as it is, and says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from scurry.model.script import Origin, Script, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NOWHERE = "WITH ('connector' = 'blackhole')"
"""what stands instead of a sink's options: Flink's connector that swallows everything"""

_TOKEN = re.compile(
    r"""(?P<skip>\s+|--[^\n]*|/\*(?!\+).*?\*/)
      | (?P<text>'[^']*(?:''[^']*)*')
      | (?P<name>`[^`]*(?:``[^`]*)*`|\w+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_TELLING = ("connector", "topic", "properties.group.id", "path", "table-name", "index", "stream.arn", "stream")
"""options that say where a table is, and hold no secret"""


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """In capitals; empty for what is no plain word."""
        return self.text.upper() if self.kind == "name" and not self.text.startswith("`") else ""

    @property
    def identifier(self) -> str:
        """The name that it is, without its quotes."""
        return self.text[1:-1].replace("``", "`") if self.text.startswith("`") else self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table that the script creates, or only writes to."""

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    """those that say where it is: `connector`, `topic`, …; none that could hold a secret"""
    written: bool = False
    read: bool = False
    """or named in another way than by INSERT INTO"""
    unfit: str | None = None
    """why its options cannot be replaced"""
    span: tuple[int, int, int] | None = None
    """statement, and from where to where in it its WITH clause is"""

    @property
    def statement(self) -> int | None:
        """The number of the statement that creates it."""
        return self.span[0] if self.span else None

    def __str__(self) -> str:
        told = [f"{name} {value}" for name, value in self.options.items() if name != "connector"]
        connector = self.options.get("connector", "")
        about = ", ".join([connector, *told] if connector else told)
        return f"{self.name} ({about})" if about else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutSinks:
    """A script that writes less."""

    script: Script
    replaced: tuple[Table, ...]
    kept: tuple[Table, ...]
    """sinks that it writes to all the same; `unfit` says why"""


def tables(sources: Sequence[str]) -> tuple[Table, ...]:
    """Return the tables that a script's statements create or write to, in their order."""
    streams = [[token for token in _tokens(source) if token.kind != "skip"] for source in sources]
    created = (_created(number, tokens) for number, tokens in enumerate(streams))
    found = {table.name: table for table in created if table is not None}
    targets: set[tuple[int, int]] = set()
    for number, tokens in enumerate(streams):
        for name, places in _inserted(tokens):
            table = replace(found.get(name) or _unknown(name), written=True)
            hinted = "".join(token.text for token in tokens[places.stop : places.stop + 3]) == "/*+"
            found[name] = replace(table, unfit=table.unfit or "it is written to with hints") if hinted else table
            targets |= {(number, place) for place in places}
    named = {name.rpartition(".")[2]: name for name in found}
    for number, tokens in enumerate(streams):
        for place, token in enumerate(tokens):
            known = named.get(token.identifier) if token.kind == "name" else None
            if known and (number, place) not in targets and number != found[known].statement:
                found[known] = replace(found[known], read=True)
    return tuple(found.values())


def without_sinks(script: Script) -> WithoutSinks:
    """Return the script with every sink that can be replaced by one that swallows everything."""
    replaced, kept = [], []
    for table in tables(script.sources()):
        if not table.written:
            continue
        why = table.unfit or ("it is read as well, or changed" if table.read else None)
        if why is None and table.span is not None:
            replaced.append(table)
        else:
            kept.append(replace(table, unfit=why))
    spans = []
    for table in replaced:
        if table.span is not None:
            number, start, end = table.span
            spans.append((script.statements[number].start + start, script.statements[number].start + end))
    return WithoutSinks(script=_with_nowhere(script, sorted(spans)), replaced=tuple(replaced), kept=tuple(kept))


def _with_nowhere(script: Script, spans: list[tuple[int, int]]) -> Script:
    """Return the script with other text in some places; errors about it still find the user's own lines."""

    def moved(offset: int) -> int:
        return offset + sum(len(NOWHERE) - (end - start) for start, end in spans if end <= offset)

    text, place = [], 0
    origins: list[Origin] = []
    for start, end in spans:
        text += [script.text[place:start], NOWHERE]
        origins += [
            Origin(offset=moved(start), place=script.place(start), fixed=True),
            Origin(offset=moved(end), place=script.place(end)),
        ]
        place = end
    kept = [
        replace(origin, offset=moved(origin.offset))
        for origin in script.origins
        if not any(start <= origin.offset < end for start, end in spans)
    ]
    return Script(
        text="".join([*text, script.text[place:]]),
        origins=tuple(sorted([*kept, *origins], key=lambda origin: origin.offset)),
        statements=tuple(Statement(start=moved(each.start), end=moved(each.end)) for each in script.statements),
    )


def _tokens(source: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(source):
        yield _Token(match.lastgroup or "other", match[0], match.start(), match.end())


def _created(number: int, tokens: list[_Token]) -> Table | None:
    words = [token.word for token in tokens[:8]]
    if not words or words[0] != "CREATE" or "TABLE" not in words:
        return None
    place = words.index("TABLE") + 1
    if any(word not in {"OR", "REPLACE", "TEMPORARY"} for word in words[1 : place - 1]):
        return None
    if words[place : place + 3] == ["IF", "NOT", "EXISTS"]:
        place += 3
    name, place = _name(tokens, place)
    outer = list(_outer(tokens, place))
    start = next((at for at, token in outer if token.word == "WITH"), None)
    if start is None:
        return Table(name=name, span=(number, 0, 0), unfit="its options are not in the script")
    end = _closing(tokens, start + 1)
    span = (number, tokens[start].start, tokens[end].end)
    return Table(name=name, options=_options(tokens[start:end]), unfit=_unfit(tokens, outer), span=span)


def _unfit(tokens: list[_Token], outer: list[tuple[int, _Token]]) -> str | None:
    words = {token.word for _, token in outer}
    if "LIKE" in words:
        return "it takes options from another table (LIKE)"
    if "AS" in words:
        return "it is created from a query"
    if "DISTRIBUTED" in words:
        return "it is distributed into buckets"
    inner = [token.word for token in tokens]
    if inner.count("METADATA") > inner.count("VIRTUAL"):
        return "it has metadata columns that are written"
    return None


def _outer(tokens: list[_Token], place: int) -> Iterator[tuple[int, _Token]]:
    """Yield what is in no brackets."""
    depth = 0
    for at in range(place, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[at].text, 0)
        if depth == 0:
            yield at, tokens[at]


def _closing(tokens: list[_Token], place: int) -> int:
    """Return where the bracket is that closes the one at a place; the end when there is none."""
    depth = 0
    for at in range(place, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[at].text, 0)
        if depth == 0:
            return at
    return len(tokens) - 1


def _options(tokens: list[_Token]) -> dict[str, str]:
    found = {}
    for key, equals, value in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if key.kind == value.kind == "text" and equals.text == "=":
            found[key.text[1:-1]] = value.text[1:-1].replace("''", "'")
    return {name: found[name] for name in _TELLING if name in found}


def _inserted(tokens: list[_Token]) -> Iterator[tuple[str, range]]:
    """Yield each table that is written to, and where its name stands."""
    for at, token in enumerate(tokens[:-2]):
        if token.word == "INSERT" and tokens[at + 1].word in {"INTO", "OVERWRITE"}:
            start = at + 2 + (tokens[at + 2].word == "TABLE")
            name, end = _name(tokens, start)
            if name:
                yield name, range(start, end)


def _name(tokens: list[_Token], place: int) -> tuple[str, int]:
    """Return a name of one or several parts, and where it ends."""
    parts = []
    while place < len(tokens) and tokens[place].kind == "name":
        parts.append(tokens[place].identifier)
        place += 1
        if place >= len(tokens) or tokens[place].text != ".":
            break
        place += 1
    return ".".join(parts), place


def _unknown(name: str) -> Table:
    return Table(name=name, unfit="it is not created in the script")
