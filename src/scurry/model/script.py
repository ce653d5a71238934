"""An SQL script after templating, which still knows the place in the user's file of each of its characters."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scurry.model.errors import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """From `offset` of the rendered text on, characters come from `place` on (line breaks move to the next line)."""

    offset: int
    place: Place
    fixed: bool = False
    """all of them come from this very place: the output of an expression"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One SQL statement: the half-open range of the rendered text that holds it, without its semicolon."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A rendered SQL script."""

    text: str
    origins: tuple[Origin, ...]
    """sorted by offset; the first has offset 0"""
    statements: tuple[Statement, ...] = field(default=())

    def sources(self) -> tuple[str, ...]:
        """Return the statements' texts."""
        return tuple(self.text[statement.start : statement.end] for statement in self.statements)

    def place(self, offset: int) -> Place:
        """Return the place in the user's file that a character of the rendered text came from."""
        origin = self.origins[bisect_right(self.origins, offset, key=lambda origin: origin.offset) - 1]
        if origin.fixed:
            return origin.place
        between = self.text[origin.offset : offset]
        line, column = origin.place.line or 1, origin.place.column or 1
        newlines = between.count("\n")
        if newlines:
            return replace(origin.place, line=line + newlines, column=len(between) - between.rindex("\n"))
        return replace(origin.place, line=line, column=column + len(between))

    def place_in_statement(self, index: int, line: int, column: int) -> Place:
        """Return the place of a line and column (from 1) of one statement, as Flink's parser reports them."""
        statement = self.statements[index]
        lines = self.text[statement.start : statement.end].split("\n")
        before = sum(len(text) + 1 for text in lines[: line - 1])
        return self.place(min(statement.start + before + column - 1, len(self.text)))
