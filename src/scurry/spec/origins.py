"""Where each character of a rendered template comes from.

The template is rendered twice: once as it is, which is the result, and once with markers, characters of a private-use
plane that each stand for a place, before every piece of its text. Taking the markers out again tells the places.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from jinja2.ext import Extension
from jinja2.lexer import Token

from scurry.model.errors import Place
from scurry.model.script import Origin, Script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jinja2 import Environment
    from jinja2.lexer import TokenStream

_FIRST, _LAST = 0x100000, 0x10FFFD
_MARKER = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")
_MOST_LINES = 4000
"""lines up to which a text that marking changed is compared with the true one line by line"""


class Marking(Extension):
    """Puts markers into the text of templates. One instance marks all templates of one rendering."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.origins: list[Origin] = []
        """what each marker stands for (the offset is of no meaning yet)"""
        self.show: Callable[[str], str] = str
        self._source = ""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Remember the source that the next stream of tokens is of."""
        self._source = normalized(source)
        return source

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Mark the start of each piece of text, each line in it, and each expression's output."""
        file = self.show(stream.name or "")
        places = _text_places(self.environment, self._source)
        for token in stream:
            if token.type == "data":
                line, column = next(places)
                yield Token(token.lineno, "data", self._mark_lines(token.value, file, line, column))
            elif token.type == "variable_begin":
                line, column = next(places)
                yield Token(token.lineno, "data", self._mark(file, line, column, fixed=True))
                yield token
            else:
                yield token

    def _mark_lines(self, text: str, file: str, line: int, column: int) -> str:
        first, *rest = text.split("\n")
        marked = [self._mark(file, line, column) + first]
        marked += [self._mark(file, line + number, 1) + piece for number, piece in enumerate(rest, 1)]
        return "\n".join(marked)

    def _mark(self, file: str, line: int, column: int, *, fixed: bool = False) -> str:
        if len(self.origins) > _LAST - _FIRST:
            return ""  # the places of a giant's end are as coarse as the last marker
        self.origins.append(Origin(offset=0, place=Place(file=file, line=line, column=column), fixed=fixed))
        return chr(_FIRST + len(self.origins) - 1)


def normalized(source: str) -> str:
    """Return a template with line ends as Jinja makes them."""
    return re.sub(r"\r\n|\r", "\n", source)


def can_be_marked(source: str) -> bool:
    """Whether a template has none of the characters that serve as markers."""
    return not _MARKER.search(source)


def token_places(environment: Environment, source: str) -> Iterator[tuple[str, str, int, int]]:
    """Yield type, text, line and column (from 1) of every token, comments and blanks included."""
    starts = [0, *(match.end() for match in re.finditer("\n", source))]
    position = 0
    for _, kind, text in environment.lexer.tokeniter(source, None):
        # Only blanks that a `-` strips are between tokens; so the next occurrence is the token itself.
        position = source.index(text, position)
        line = bisect_right(starts, position)
        yield kind, text, line, position - starts[line - 1] + 1
        position += len(text)


def _text_places(environment: Environment, source: str) -> Iterator[tuple[int, int]]:
    for kind, _, line, column in token_places(environment, source):
        if kind in {"data", "variable_begin"}:
            yield line, column


def unmark(marked: str, known: list[Origin], *, start: Place) -> tuple[str, tuple[Origin, ...]]:
    """Take the markers out of a rendered text and return it with the origins that they told."""
    pieces: list[str] = []
    origins = [Origin(offset=0, place=start, fixed=True)]
    offset = position = 0
    for match in _MARKER.finditer(marked):
        pieces.append(marked[position : match.start()])
        offset += match.start() - position
        position = match.end()
        origin = known[ord(match[0]) - _FIRST]
        if origins[-1].offset == offset:
            origins.pop()
        origins.append(Origin(offset=offset, place=origin.place, fixed=origin.fixed))
    pieces.append(marked[position:])
    return "".join(pieces), tuple(origins)


def transfer(script: Script, text: str) -> tuple[Origin, ...]:
    """Return origins for a text that nearly is the script's: exact in lines that are equal, else the line's start.

    A filter that looks at its content (`length`, `truncate`) sees the markers, so the two renderings can differ.
    """
    old, new = script.text.splitlines(keepends=True), text.splitlines(keepends=True)
    if max(len(old), len(new)) > _MOST_LINES:
        return (Origin(offset=0, place=script.place(0), fixed=True),)
    old_starts, new_starts = _starts(old), _starts(new)
    origins: list[Origin] = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            shift = new_starts[c] - old_starts[a]
            origins.append(_origin_at(script, old_starts[a], shift))
            inside = (origin for origin in script.origins if old_starts[a] < origin.offset < old_starts[b])
            origins += [Origin(offset=o.offset + shift, place=o.place, fixed=o.fixed) for o in inside]
        elif c < d:
            place = script.place(min(old_starts[a], max(len(script.text) - 1, 0)))
            origins.append(Origin(offset=new_starts[c], place=place, fixed=True))
    return tuple(origins) or (Origin(offset=0, place=script.place(0), fixed=True),)


def _origin_at(script: Script, offset: int, shift: int) -> Origin:
    covering = script.origins[bisect_right(script.origins, offset, key=lambda origin: origin.offset) - 1]
    return Origin(offset=offset + shift, place=script.place(offset), fixed=covering.fixed)


def _starts(lines: list[str]) -> list[int]:
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    return starts
