"""Splitting an SQL script into its statements, as Flink's SQL client does. Pure; it does not parse SQL.

Semicolons count outside of quotes ('…', "…", `…`, the quote doubled inside) and comments (`-- …`, `/* … */`).
`EXECUTE STATEMENT SET BEGIN … END;` is one statement. A statement begins and ends at what is neither blank nor comment.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from scurry.model.errors import Problem, SpecInvalid
from scurry.model.script import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.model.script import Script

_TOKEN = re.compile(
    r"""(?P<skip>\s+|--[^\n]*|/\*(?!\+).*?\*/)
      | (?P<quoted>'[^']*(?:''[^']*)*'|"[^"]*(?:""[^"]*)*"|`[^`]*(?:``[^`]*)*`|/\*\+.*?\*/)
      | (?P<open>/\*|['"`])
      | (?P<semicolon>;)
      | (?P<word>\w+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_OPEN = {"/*": "comment", "'": "text", '"': "quoted name", "`": "quoted name"}


def split_statements(script: Script) -> Script:
    """Return the script with its statements. Raises `SpecInvalid` with the place of a quote that is never closed."""
    return replace(script, statements=tuple(_statements(script)))


def _statements(script: Script) -> Iterator[Statement]:
    piece = _Piece()
    for match in _TOKEN.finditer(script.text):
        kind = match.lastgroup
        if kind == "open":
            place = script.place(match.start())
            raise SpecInvalid((Problem(message=f"the {_OPEN[match[0]]} that begins here never ends", place=place),))
        if kind == "skip":
            continue
        if kind == "semicolon" and not piece.is_inside_set:
            yield from piece.statement()
            piece = _Piece()
            continue
        piece.add(match)
    yield from piece.statement()


class _Piece:
    """What stands between two semicolons, as far as it was read."""

    def __init__(self) -> None:
        self._start: int | None = None
        self._end = 0
        self._first = ""
        self._words: tuple[str, ...] = ()
        self._cases = 0
        self.is_inside_set = False

    def add(self, match: re.Match[str]) -> None:
        """Add a token that is neither blank nor comment."""
        if self._start is None:
            self._start = match.start()
            self._first = match[0].upper()
        self._end = match.end()
        self._words = (*self._words[-2:], match[0].upper())
        if self.is_inside_set:
            self._look_for_end(match[0].upper())
        elif self._words == ("STATEMENT", "SET", "BEGIN") and self._first in {"EXECUTE", "EXPLAIN", "COMPILE"}:
            self.is_inside_set = True

    def _look_for_end(self, word: str) -> None:
        if word == "CASE":
            self._cases += 1
        elif word == "END" and self._cases:
            self._cases -= 1
        elif word == "END":
            self.is_inside_set = False

    def statement(self) -> Iterator[Statement]:
        """Yield the statement that it is, if it is more than blanks and comments."""
        if self._start is not None:
            yield Statement(start=self._start, end=self._end)
