"""YAML to plain values that know their places. Not a YAML library: ruamel.yaml parses, this builds and bounds.

Scalars follow YAML 1.2 (so `no` and `on` are text), and numbers keep how they were written: `flink: 1.20` is "1.20".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from scurry.model.errors import Place, Problem
from scurry.spec.yaml_source import KeyPath, Span
from scurry.spec.yaml_syntax import syntax_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ruamel.yaml.events import AliasEvent, Event, MappingStartEvent, ScalarEvent, SequenceStartEvent

MAX_VALUES = 50_000
"""values after aliases are followed: a few nested aliases could otherwise make billions of them"""
MAX_DEPTH = 50

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class WrittenInt(int):
    """A whole number that shows as it was written (`007`)."""

    text: str

    def __str__(self) -> str:
        return self.text


class WrittenFloat(float):
    """A number that shows as it was written (`1.20`)."""

    text: str

    def __str__(self) -> str:
        return self.text


def build(text: str, file: str) -> tuple[Any, dict[KeyPath, Span], list[Problem]]:
    """Return what a text holds (None when it is empty or was refused), the places in it, and what is wrong with it."""
    builder = _Builder(text, file)
    root = builder.build()
    return root.data, root.spans, builder.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    data: Any
    spans: dict[KeyPath, Span]
    """of the value (the empty path) and of everything in it"""


class _TooMuch(Exception):
    """The file is refused as a whole; the problem is noted."""


class _Builder:
    """Builds values from ruamel's events, one document."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self._text = text
        self._lines = text.splitlines()
        self.problems: list[Problem] = []
        self._anchors: dict[str, _Value | None] = {}
        self._count = 0

    def complain(self, message: str, span: Span, *, hint: str | None = None) -> None:
        """Note a problem."""
        place = Place(file=self.file, line=span.line, column=span.column)
        self.problems.append(Problem(message=message, place=place, hint=hint))

    def build(self) -> _Value:
        """Return the document's value; None as data when there is none or it was refused."""
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError
        from ruamel.yaml.reader import ReaderError

        text = self._text
        nothing = _Value(data=None, spans={(): Span(file=self.file, line=1, column=1, key_line=1, key_column=1)})
        try:
            return self._document(YAML(typ="safe", pure=True).parse(text)) or nothing
        except _TooMuch:
            return nothing
        except ReaderError as error:
            before = text[: error.position]
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            character = ord(text[error.position])
            message = f"the character U+{character:04X} cannot stand in YAML"
            self.problems.append(Problem(message=message, place=Place(file=self.file, line=line, column=column)))
        except MarkedYAMLError as error:
            self.problems.append(syntax_problem(error, text, self.file))
        except (YAMLError, ValueError) as error:
            self.problems.append(Problem(message=f"not YAML: {error}", place=Place(file=self.file)))
        return nothing

    def _document(self, events: Iterator[Event]) -> _Value | None:
        from ruamel.yaml.events import DocumentStartEvent, StreamEndEvent

        value = None
        documents = 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.complain("a second document begins here; a file holds one", self._span(event))
                    return value
                value = self._value(next(events), events, 0)
            elif isinstance(event, StreamEndEvent):
                break
        return value

    def _span(self, event: Event, key: Span | None = None) -> Span:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        key_line, key_column = (key.line, key.column) if key else (line, column)
        return Span(file=self.file, line=line, column=column, key_line=key_line, key_column=key_column)

    def _value(self, event: Event, events: Iterator[Event], depth: int, key: Span | None = None) -> _Value:
        from ruamel.yaml.events import AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent

        self._bound(event, depth)
        anchor = getattr(event, "anchor", None)
        if isinstance(event, AliasEvent):
            return self._alias(event, key)
        if anchor:
            self._anchors[anchor] = None
        if isinstance(event, ScalarEvent):
            value = self._scalar(event, key)
        elif isinstance(event, MappingStartEvent):
            value = self._mapping(event, events, depth, key)
        elif isinstance(event, SequenceStartEvent):
            value = self._sequence(event, events, depth, key)
        else:
            raise AssertionError(event)
        if anchor:
            self._anchors[anchor] = value
        return value

    def _bound(self, event: Event, depth: int, values: int = 1) -> None:
        self._count += values
        if depth > MAX_DEPTH:
            self.complain(f"nested more than {MAX_DEPTH} deep", self._span(event))
            raise _TooMuch
        if self._count > MAX_VALUES:
            self.complain(
                f"the file makes more than {MAX_VALUES:,} values (aliases count each time)", self._span(event)
            )
            raise _TooMuch

    def _alias(self, event: AliasEvent, key: Span | None) -> _Value:
        span = self._span(event, key)
        value = self._anchors.get(event.anchor)
        if value is None:
            inside = event.anchor in self._anchors
            self.complain(
                f"*{event.anchor} stands for itself" if inside else f"there is no anchor &{event.anchor} above", span
            )
            return _Value(data=None, spans={(): span})
        self._bound(event, 0, len(value.spans))
        return _Value(data=value.data, spans={**value.spans, (): span})

    def _scalar(self, event: ScalarEvent, key: Span | None) -> _Value:
        text_line, text_column = self._text_start(event)
        span = replace(self._span(event, key), text_line=text_line, text_column=text_column)
        return _Value(data=self._resolve(event, span), spans={(): span})

    def _text_start(self, event: ScalarEvent) -> tuple[int, int] | tuple[None, None]:
        start, end = event.start_mark, event.end_mark
        if event.style == "|":
            for number, line in enumerate(self._lines[start.line + 1 :], start.line + 2):
                if line.strip():
                    return number, len(line) - len(line.lstrip(" ")) + 1
        quote = 1 if event.style in {"'", '"'} else 0
        if start.line == end.line and end.column - start.column - 2 * quote == len(event.value):
            return start.line + 1, start.column + 1 + quote
        return None, None

    def _resolve(self, event: ScalarEvent, span: Span) -> Any:
        text = event.value
        tag = str(event.tag) if event.tag else None
        if tag in {"!", "tag:yaml.org,2002:str"} or (tag is None and not event.implicit[0]):
            return text
        if tag is not None:
            self.complain(f"the tag {tag} is not known here", span)
            return text
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        return _number(text) if _INT.fullmatch(text) or _FLOAT.fullmatch(text) else text

    def _sequence(self, event: SequenceStartEvent, events: Iterator[Event], depth: int, key: Span | None) -> _Value:
        from ruamel.yaml.events import SequenceEndEvent

        data: list[Any] = []
        spans: dict[KeyPath, Span] = {(): self._span(event, key)}
        while not isinstance(item := next(events), SequenceEndEvent):
            value = self._value(item, events, depth + 1)
            _adopt(spans, len(data), value)
            data.append(value.data)
        return _Value(data=data, spans=spans)

    def _mapping(self, event: MappingStartEvent, events: Iterator[Event], depth: int, key: Span | None) -> _Value:
        from ruamel.yaml.events import MappingEndEvent

        entries: dict[str, _Value] = {}
        merged: list[_Value] = []
        while not isinstance(item := next(events), MappingEndEvent):
            name_value = self._value(item, events, depth + 1)
            name_span = name_value.spans[()]
            value = self._value(next(events), events, depth + 1, name_span)
            name = self._key(name_value, name_span)
            if name == "<<" and getattr(item, "style", None) not in {"'", '"'}:
                merged.extend(self._merge_sources(value))
            elif name in entries:
                first = entries[name].spans[()]
                self.complain(f"the key '{name}' is given twice; first in line {first.key_line}", name_span)
            elif name is not None:
                entries[name] = value
        for source in merged:
            for name, item_value in _parts(source, source.data.items()):
                entries.setdefault(name, item_value)
        spans: dict[KeyPath, Span] = {(): self._span(event, key)}
        for name, value in entries.items():
            _adopt(spans, name, value)
        return _Value(data={name: value.data for name, value in entries.items()}, spans=spans)

    def _key(self, value: _Value, span: Span) -> str | None:
        if isinstance(value.data, dict | list) or value.data is None:
            self.complain("a key has to be a text", span)
            return None
        return str(value.data).lower() if isinstance(value.data, bool) else str(value.data)

    def _merge_sources(self, value: _Value) -> list[_Value]:
        if isinstance(value.data, dict):
            return [value]
        if isinstance(value.data, list) and all(isinstance(item, dict) for item in value.data):
            return [item for _, item in _parts(value, enumerate(value.data))]
        self.complain("<< merges a map (or a list of maps), and this is neither", value.spans[()])
        return []


def _number(text: str) -> WrittenInt | WrittenFloat:
    number: WrittenInt | WrittenFloat
    if _INT.fullmatch(text) and len(text) < 1000:
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        number = WrittenInt(int(text, base))
    else:
        number = WrittenFloat(text)
    number.text = text
    return number


def _adopt(spans: dict[KeyPath, Span], name: str | int, value: _Value) -> None:
    for path, span in value.spans.items():
        spans[(name, *path)] = span


def _parts(value: _Value, items: Iterable[tuple[Any, Any]]) -> list[tuple[Any, _Value]]:
    """Take a map or list apart, each part with its own places."""
    spans: dict[str | int, dict[KeyPath, Span]] = {}
    for path, span in value.spans.items():
        if path:
            spans.setdefault(path[0], {})[path[1:]] = span
    return [(name, _Value(data=data, spans=spans[name])) for name, data in items]
