"""What pydantic found wrong, in plain sentences at the place in the file. No word of pydantic's own goes through."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from scurry.model.errors import Problem
from scurry.model.fields import Misplaced, describe

if TYPE_CHECKING:
    from pydantic import ValidationError

    from scurry.spec.yaml_source import KeyPath, Source

_NOT_A_MAP = {"dict_type", "mapping_type", "model_type", "model_attributes_type"}
_NOT_A_LIST = {"list_type", "tuple_type"}


def problems_of(error: ValidationError, *, source: Source, model: type[BaseModel]) -> list[tuple[object, Problem]]:
    """Translate every error of a validation to a problem with a place; with each, the value that it is about."""
    found = []
    for item in error.errors(include_url=False):
        path = _path(item["loc"], source.data, is_missing=item["type"] in {"missing", "extra_forbidden"})
        found.append((item["input"], _problem(item, path, source, model)))
    return found


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that the reader most probably meant, if any is near."""
    candidates = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(word.lower(), candidates, n=1, cutoff=0.6)
    return candidates[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the second half of a message about an unknown word: the nearest one, or all that there are."""
    listed = list(known)
    guess = nearest(word, listed)
    if guess:
        return f"did you mean '{guess}'?"
    return f"known: {', '.join(listed)}" if listed else "there are none"


def _path(loc: tuple[str | int, ...], data: object, *, is_missing: bool) -> KeyPath:
    """Drop what pydantic adds to a location (names of a union's branches): parts that the file does not have."""
    path: list[str | int] = []
    for position, part in enumerate(loc):
        is_last = position == len(loc) - 1
        if _has(data, part):
            path.append(part)
            data = data[part]  # type: ignore[index]
        elif is_last and is_missing:
            path.append(part)
    return tuple(path)


def _has(data: object, part: str | int) -> bool:
    if isinstance(data, Mapping):
        return part in data
    return isinstance(data, list) and isinstance(part, int) and part < len(data)


def _problem(item: Any, path: KeyPath, source: Source, model: type[BaseModel]) -> Problem:
    kind, value = item["type"], item["input"]
    error = item.get("ctx", {}).get("error")
    if isinstance(error, Misplaced):
        return Problem(message=str(error), place=source.place((*path, *error.path), of_key=error.of_key))
    if kind == "missing":
        description = _description(model, path)
        hint = f"{path[-1]}: {description}" if description else None
        return Problem(message=f"'{path[-1]}' is missing", place=source.place(path[:-1]), hint=hint)
    if kind == "extra_forbidden":
        known = known_keys(model, path[:-1], source.data)
        message = f"the key '{path[-1]}' is not known; {did_you_mean(str(path[-1]), known)}"
        hint = f"Known here: {', '.join(known)}" if known else None
        return Problem(message=message, place=source.place(path, of_key=True), hint=hint)
    if item["loc"] and item["loc"][-1] == "[key]":
        return Problem(message=_sentence(item), place=source.place(path, of_key=True))
    if value is None:
        return Problem(message="a value is missing", place=source.place(path, of_key=True))
    return Problem(message=_sentence(item), place=source.place(path))


def _sentence(item: Any) -> str:
    kind, value, context = item["type"], item["input"], item.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind in _NOT_A_MAP:
        return f"{describe(value)} is not a map of keys and values"
    if kind in _NOT_A_LIST:
        return f"{describe(value)} is not a list"
    if kind == "greater_than_equal":
        return f"{value} is too small; {context['ge']} is the least"
    if kind == "less_than_equal":
        return f"{value} is too large; {context['le']} is the most"
    if kind == "union_tag_not_found":
        return "'kind' is missing: local, rest, managed, memory or the name of an installed target"
    return f"{describe(value)} does not fit here"


def known_keys(model: type[BaseModel], path: KeyPath, data: object) -> tuple[str, ...]:
    """Return the keys that a spec knows at a path."""
    found = _model_at(model, path, data)
    return tuple(found.model_fields) if found else ()


def _description(model: type[BaseModel], path: KeyPath) -> str | None:
    found = _model_at(model, path[:-1], None)
    field = found.model_fields.get(str(path[-1])) if found else None
    return field.description if field else None


def _model_at(model: type[BaseModel], path: KeyPath, data: object) -> type[BaseModel] | None:
    """Follow a path through the fields' annotations to the model that reads that part of the file."""
    annotation: Any = model
    for part in path:
        data = data.get(part) if isinstance(data, Mapping) else None
        if _is_model(annotation):
            field = annotation.model_fields.get(str(part))
            annotation = field.annotation if field else None
        else:
            # Mapping[K, V] has what it holds last; tuple[X, ...] before the dots.
            annotation = next((arg for arg in reversed(get_args(annotation)) if arg is not Ellipsis), None)
        annotation = _choose(annotation, data)
    return annotation if _is_model(annotation) else None


def _choose(annotation: Any, data: object) -> Any:
    """Reduce `Annotated`, `X | None` and a union told apart by `kind` to the type that reads the data."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) not in {Union, UnionType}:
        return annotation
    branches = [_choose(branch, data) for branch in get_args(annotation) if branch is not NoneType]
    kind = data.get("kind") if isinstance(data, Mapping) else None
    for branch in branches:
        if (
            _is_model(branch)
            and "kind" in branch.model_fields
            and kind in get_args(branch.model_fields["kind"].annotation)
        ):
            return branch
    return branches[-1]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
