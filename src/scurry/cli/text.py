"""Text for people: colours, tables, lists of facts. By hand, since rich takes longer to import than `status` may.

Colours are ANSI codes in the text; `scurry.cli.output` takes them out where they cannot be shown.
"""

from __future__ import annotations

import re
import shutil
import sys
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CODES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33}
_ANSI = re.compile(r"\033\[[0-9;]*m")
_GAP = "   "


def paint(text: str, colour: str) -> str:
    """Return a text in a colour (`red`, `green`, `yellow`, `bold`, `dim`; empty: none)."""
    return f"\033[{_CODES[colour]}m{text}\033[0m" if colour and text else text


def bold(text: str) -> str:
    """Return a text in bold."""
    return paint(text, "bold")


def plain(text: str) -> str:
    """Return a text without its colours."""
    return _ANSI.sub("", text)


def width(text: str) -> int:
    """Return how many columns a line takes on a terminal."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in plain(text))


def facts(known: Mapping[str, str]) -> str:
    """Return a line for each fact, the names aligned."""
    longest = max(map(len, known), default=0)
    return "\n".join(f"{bold(f'{name:<{longest}}')}  {value}" for name, value in known.items())


def grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table without lines, as `kubectl` has them. On a terminal its last column ends where the screen does."""
    widths = [max(map(width, column)) for column in zip(header, *rows, strict=True)]
    room = _columns() - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1)
    lines = [[bold(name) for name in header], *([*row[:-1], _cut(row[-1], room)] for row in rows)]
    return "\n".join(_row(line, widths) for line in lines)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (wide - width(cell)) for cell, wide in zip(cells[:-1], widths, strict=False)]
    return _GAP.join([*padded, cells[-1]]).rstrip()


def _columns() -> int:
    """Return the terminal's width; where there is none lines may be as long as they are, for `grep` and `less -S`."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


def _cut(text: str, room: int) -> str:
    if width(text) <= room or room < 8:
        return text
    return plain(text)[: room - 1] + "…"
