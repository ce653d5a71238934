"""Laying one part of a file over another: maps are merged, anything else replaces, an empty value removes.

Places go with the values, so that a problem in the result points to the lines of the overlay that brought it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from scurry.model.errors import Problem, SpecInvalid
from scurry.model.fields import is_secret
from scurry.spec.yaml_source import KeyPath, Source, Span


def part_of(source: Source, path: KeyPath) -> Source:
    """Return a part of a file as if it were a file of its own, with its places."""
    data: Any = source.data
    for key in path:
        data = data.get(key, {}) if isinstance(data, Mapping) else {}
    spans = {found[len(path) :]: span for found, span in source.spans.items() if found[: len(path)] == path}
    return Source(file=source.file, data=data if isinstance(data, Mapping) else {}, spans=spans)


def lay_over(base: Source, overlay: Source) -> Source:
    """Merge two maps; `base` goes on being the file that problems without a place are told of."""
    spans = dict(base.spans)
    data = _merge(base.data, overlay.data, (), spans=spans, above=overlay.spans)
    return replace(base, data=data, spans=spans)


def _merge(
    base: Mapping[str, Any],
    overlay: Mapping[str, Any],
    path: KeyPath,
    *,
    spans: dict[KeyPath, Span],
    above: Mapping[KeyPath, Span],
) -> dict[str, Any]:
    merged = dict(base)
    for key, value in overlay.items():
        here = (*path, key)
        below = merged.get(key)
        if _is_map(value) and _is_map(below) and below is not None:
            merged[key] = _merge(below, value, here, spans=spans, above=above)
            continue
        for old in [found for found in spans if found[: len(here)] == here]:
            del spans[old]
        if value is None:
            merged.pop(key, None)
            continue
        spans.update({found: span for found, span in above.items() if found[: len(here)] == here})
        merged[key] = value
    return merged


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping) and not is_secret(value)


def flatten_options(source: Source, key: str) -> Source:
    """Give the map at `key` dotted keys, as Flink options have them. Raises `SpecInvalid` when one is there twice."""
    nested = source.data.get(key)
    if not isinstance(nested, Mapping):
        return source
    spans = {path: span for path, span in source.spans.items() if path[:1] != (key,) or len(path) == 1}
    options: dict[str, Any] = {}
    problems: list[Problem] = []
    for path, value in _leaves(nested, (key,)):
        option = ".".join(str(part) for part in path[1:])
        if option in options:
            message = f"the option '{option}' is given twice, nested and with dots"
            problems.append(Problem(message=message, place=source.place(path, of_key=True)))
        options[option] = value
        for found, span in source.spans.items():
            if found[: len(path)] == path:
                spans[(key, option, *found[len(path) :])] = span
    if problems:
        raise SpecInvalid(tuple(problems))
    return replace(source, data={**source.data, key: options}, spans=spans)


def _leaves(value: Mapping[str, Any], path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    for key, item in value.items():
        if _is_map(item):
            yield from _leaves(item, (*path, key))
        else:
            yield (*path, key), item
