"""What a YAML file says, and where: the value and the place of every key. `yaml_builder` makes it from the text."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from scurry.model.errors import Place, Problem, SpecInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


KeyPath: TypeAlias = tuple[str | int, ...]

MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Where a value stands: line and column count from 1; `key_line` and `key_column` are its key's, if it has one.

    `text_line` and `text_column` are where a scalar's text begins (behind its quote, or under its `|`); None when a
    character's place in the text says nothing of its place in the file (folded lines, escapes).
    """

    file: str
    line: int
    column: int
    key_line: int
    key_column: int
    text_line: int | None = None
    text_column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The content of a YAML file (or of several, merged), and the place of each value in it."""

    file: str
    data: Mapping[str, Any]
    spans: Mapping[KeyPath, Span] = field(default_factory=dict)

    def place(self, path: Iterable[str | int], *, of_key: bool = False) -> Place:
        """Return the place of the value at a path (or of its key); the nearest one above when it is not there."""
        whole = tuple(path)
        for length in range(len(whole), -1, -1):
            span = self.spans.get(whole[:length])
            if span:
                line, column = (span.key_line, span.key_column) if of_key else (span.line, span.column)
                return Place(file=span.file, line=line, column=column, key=show_path(whole) or None)
        return Place(file=self.file, key=show_path(whole) or None)


def show_path(path: Iterable[str | int]) -> str:
    """Write a path as people do: `code.args[1]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read_yaml(path: Path, *, name: str | None = None) -> Source:
    """Read a YAML file that holds a map. Raises `SpecInvalid` with all problems in file order.

    `name` is what messages call the file. An empty file is an empty map.
    """
    file = name or shown(path)
    return parse_yaml(read_text_file(path, file), file=file)


def parse_yaml(text: str, *, file: str) -> Source:
    """Read YAML text that holds a map. Raises `SpecInvalid` with all problems in file order."""
    from scurry.spec.yaml_builder import build

    data, spans, problems = build(text, file)
    if data is not None and not isinstance(data, Mapping) and not problems:
        found = "a list" if isinstance(data, list) else "a single value"
        place = Place(file=file, line=spans[()].line, column=spans[()].column)
        problems = [Problem(message=f"the file holds {found}, not a map of keys and values", place=place)]
    if problems:
        raise SpecInvalid(in_file_order(problems))
    return Source(file=file, data=data or {}, spans=spans)


def in_file_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Sort problems by place, the first file first; each is told once."""
    unique = list(dict.fromkeys(problems))
    files = list(dict.fromkeys(problem.place.file for problem in unique if problem.place))

    def order(problem: Problem) -> tuple[int, int, int]:
        place = problem.place
        if place is None:
            return (len(files), 0, 0)
        return (files.index(place.file), place.line or 0, place.column or 0)

    return tuple(sorted(unique, key=order))


def shown(file: Path) -> str:
    """Name a file as short as the reader can find it from where they are."""
    relative = os.path.relpath(file)
    return str(file) if relative.startswith(os.path.join(os.pardir, os.pardir)) else relative


def read_text_file(path: Path, file: str) -> str:
    """Read a UTF-8 file that a person wrote. Raises `SpecInvalid`; `file` is what messages call it."""
    place = Place(file=file)
    try:
        with path.open("rb") as opened:
            raw = opened.read(MAX_BYTES + 1)  # never all of it: a device or a pipe need not end
    except FileNotFoundError:
        raise SpecInvalid((Problem(message="there is no such file", place=place, hint=_neighbours(path)),)) from None
    except IsADirectoryError:
        raise SpecInvalid((Problem(message="this is a folder, not a file", place=place),)) from None
    except OSError as error:
        raise SpecInvalid((Problem(message=f"cannot be read: {error.strerror}", place=place),)) from error
    if len(raw) > MAX_BYTES:
        message = f"the file is too long; {MAX_BYTES:,} bytes are the most"
        raise SpecInvalid((Problem(message=message, place=place),))
    return decode(raw, file)


def _neighbours(path: Path) -> str | None:
    """Name the files that may have been meant."""
    found = sorted(one.name for one in path.parent.glob(f"*{path.suffix}") if one.name != "scurry.yaml")[:5]
    return f"There are: {', '.join(found)}" if found else None


def decode(raw: bytes, file: str) -> str:
    """Decode UTF-8, with or without a byte order mark. Raises `SpecInvalid` with the place of the first wrong byte."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", errors="replace")
        place = Place(file=file, line=before.count("\n") + 1, column=len(before) - before.rfind("\n"))
        message = f"the file is not UTF-8 text: byte 0x{raw[error.start]:02x} stands here"
        raise SpecInvalid((Problem(message=message, place=place),)) from error
