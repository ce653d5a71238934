"""One environment of an application: its overlay on the file's base, and both on what the project says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scurry.model.errors import Problem, SpecInvalid
from scurry.model.fields import describe
from scurry.model.project import PROJECT_FILE
from scurry.spec.complaint import did_you_mean
from scurry.spec.overlay import flatten_options, lay_over, part_of
from scurry.spec.yaml_source import Source

if TYPE_CHECKING:
    from scurry.model.project import Project
    from scurry.spec.yaml_source import KeyPath, Span

_KEY = "environments"


def merged(whole: Source, environment: str | None, project: Project) -> Source:
    """Return the file for one environment (None: the base alone), on what the project shares.

    From the bottom: the project's variables, its environment's, the file's base, the file's environment.
    Raises `SpecInvalid` when the environment is not known.
    """
    base = flatten_options(_without_environments(whole), "config")
    if environment is None:
        return _on_project(base, project, None)
    known = list(dict.fromkeys([*names_in(whole), *project.environments]))
    if environment not in known:
        message = f"the environment '{environment}' is not known; {did_you_mean(environment, known)}"
        where = f"environments of {whole.file} or {PROJECT_FILE}"
        place = whole.place((_KEY,), of_key=True) if _KEY in whole.data else None
        raise SpecInvalid((Problem(message=message, place=place, hint=f"Environments stand under {where}."),))
    overlay = flatten_options(part_of(whole, (_KEY, environment)), "config")
    return _on_project(lay_over(base, overlay), project, environment)


def names_in(whole: Source) -> tuple[str, ...]:
    """Return the names of the environments that a file has."""
    environments = whole.data.get(_KEY)
    return tuple(environments) if isinstance(environments, Mapping) else ()


def problems_in(whole: Source) -> list[Problem]:
    """Return what is wrong with the environments themselves, whatever they lay over what."""
    environments = whole.data.get(_KEY)
    if not isinstance(environments, Mapping):
        if environments is None:
            return []
        return [Problem(message=f"{describe(environments)} is not a map of environments", place=whole.place((_KEY,)))]
    problems = []
    for name, overlay in environments.items():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            message = f"'{name}' is not a name for an environment: letters, digits, '-', '_' and '.'"
            problems.append(Problem(message=message, place=whole.place((_KEY, name), of_key=True)))
        if overlay is not None and not isinstance(overlay, Mapping):
            message = f"{describe(overlay)} is not a map of keys and values"
            problems.append(Problem(message=message, place=whole.place((_KEY, name))))
        for key in ("name", _KEY) if isinstance(overlay, Mapping) else ():
            if key in overlay:
                message = f"an environment cannot have '{key}'; it is called name@{name} by itself"
                problems.append(Problem(message=message, place=whole.place((_KEY, name, key), of_key=True)))
    return problems


def _on_project(source: Source, project: Project, environment: str | None) -> Source:
    data: dict[str, Any] = {"variables": dict(project.variables)}
    below = Source(file=source.file, data=data, spans=_moved(project, ("variables",), ("variables",)))
    shared = project.environments.get(environment) if environment else None
    if shared and environment:
        for key, value in (("variables", dict(shared.variables)), ("target", shared.target)):
            spans = _moved(project, (_KEY, environment, key), (key,))
            below = lay_over(below, Source(file=source.file, data={key: value} if value else {}, spans=spans))
    if not below.data["variables"]:
        below = replace(below, data={key: value for key, value in below.data.items() if key != "variables"})
    return lay_over(below, source) if below.data else source


def _moved(project: Project, start: KeyPath, end: KeyPath) -> dict[KeyPath, Span]:
    """Return the places of a part of scurry.yaml as if it stood elsewhere."""
    length = len(start)
    return {(*end, *path[length:]): span for path, span in project.places.items() if path[:length] == start}


def _without_environments(source: Source) -> Source:
    data = {name: value for name, value in source.data.items() if name != _KEY}
    spans = {path: span for path, span in source.spans.items() if path[:1] != (_KEY,)}
    return replace(source, data=data, spans=spans)
