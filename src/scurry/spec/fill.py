"""Filling the templates in string values of the YAML. Variables may use each other; secrets stay references."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from scurry.model.errors import Place, Problem, SpecInvalid
from scurry.model.fields import read_tree

if TYPE_CHECKING:
    from pathlib import Path

    from scurry.model.values import SecretRef
    from scurry.spec.templates import Templates
    from scurry.spec.yaml_source import KeyPath, Source

_TAG = re.compile(r"\{[{%#]")
_SECRET = re.compile(r"\$\{secret:([^}]*)\}", re.IGNORECASE)


def is_template(value: object) -> bool:
    """Whether a value of the YAML has anything to fill in."""
    return isinstance(value, str) and _TAG.search(value) is not None


def fill(source: Source, *, env: Mapping[str, str], root: Path) -> tuple[Source, list[Problem]]:
    """Return the file with every template in its values filled in, and what went wrong.

    A value that could not be filled in stays as it was written.
    """
    problems: list[Problem] = []
    data = dict(source.data)
    variables = data.get("variables")
    known: dict[str, Any] = {}
    if isinstance(variables, Mapping):
        trees = {name: _tree(value, source.place(("variables", name)), problems) for name, value in variables.items()}
        for name in _in_order(trees, source.place(("variables",), of_key=True), problems):
            others = tuple(other for other in variables if other != name)
            filler = _Filler(source, _Names(known, env, root, others), problems)
            known[name] = filler.fill(trees[name], ("variables", name))
        data["variables"] = {name: known[name] for name in variables}
    filler = _Filler(source, _Names(known, env, root, tuple(known)), problems)
    filled = {key: value if key == "variables" else filler.fill(value, (key,)) for key, value in data.items()}
    return replace(source, data=filled), problems


@dataclass(frozen=True, slots=True, kw_only=False)
class _Names:
    """What templates may use."""

    variables: Mapping[str, Any]
    env: Mapping[str, str]
    root: Path
    suggested: tuple[str, ...]

    def templates(self) -> Templates:
        from scurry.spec.templates import Templates

        return Templates(variables=self.variables, env=self.env, root=self.root, suggested=self.suggested)


class _Filler:
    """Fills one value and everything in it. Jinja is only imported when there is a template."""

    def __init__(self, source: Source, names: _Names, problems: list[Problem]) -> None:
        self._source = source
        self._names = names
        self._problems = problems
        self._templates: Templates | None = None

    def fill(self, value: Any, path: KeyPath) -> Any:
        """Return the value with its templates filled in; what cannot be filled in stays."""
        if isinstance(value, Mapping):
            return {key: self.fill(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item, (*path, index)) for index, item in enumerate(value)]
        if not is_template(value):
            return value
        self._templates = self._templates or self._names.templates()
        try:
            return self._finished(self._templates.text(value, lambda *at: self._place(path, *at)), path)
        except SpecInvalid as error:
            self._problems.extend(error.problems)
            return value

    def _finished(self, text: str, path: KeyPath) -> str | SecretRef:
        """Turn a text that is a secret as a whole to the secret's reference. Raises `SpecInvalid` if it is a part."""
        match = _SECRET.search(text)
        if match is None or self._templates is None:
            return text
        secret = self._templates.secrets.get(match[1])
        if secret is not None and match[0] == text:
            return secret
        message = f"the secret '{match[1]}' cannot be part of a longer text; use it as a whole value or in SQL"
        raise SpecInvalid((Problem(message=message, place=self._source.place(path)),))

    def _place(self, path: KeyPath, line: int, column: int) -> Place:
        start = self._source.place(path)
        span = self._source.spans.get(path)
        if span is None or span.text_line is None or span.text_column is None:
            return start
        # Only a `|` has several lines, and each of them is as far in as the first.
        return replace(start, line=span.text_line + line - 1, column=span.text_column + column - 1)


def _tree(value: Any, place: Place, problems: list[Problem]) -> Any:
    try:
        return read_tree(value)
    except ValueError as error:
        problems.append(Problem(message=str(error), place=place))
        return value


def _in_order(variables: Mapping[str, Any], place: Place, problems: list[Problem]) -> list[str]:
    """Return the variables' names, each after those that it uses."""
    uses = {name: _used(value) & variables.keys() for name, value in variables.items()}
    if not any(uses.values()):
        return list(variables)
    try:
        return list(TopologicalSorter(uses).static_order())
    except CycleError as error:
        circle = " → ".join(error.args[1])
        problems.append(Problem(message=f"variables use each other in a circle: {circle}", place=place))
        return list(variables)


def _used(value: Any) -> set[str]:
    if isinstance(value, Mapping | list):
        parts = value.values() if isinstance(value, Mapping) else value
        return set().union(*(_used(part) for part in parts))
    if not is_template(value):
        return set()
    from scurry.spec.templates import names_in

    return names_in(value)
