"""From files to an Application or Project: read, overlay the environment, fill templates, validate, look for files.

Everything that is wrong is gathered and raised together, in file order. Nothing is resolved that needs a network.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from scurry.model.errors import Place, Problem, SpecInvalid
from scurry.model.project import PROJECT_FILE, OtherTarget, Project
from scurry.spec.complaint import did_you_mean, problems_of
from scurry.spec.overlay import flatten_options, lay_over, part_of
from scurry.spec.yaml_source import KeyPath, Source, in_file_order, read_yaml

if TYPE_CHECKING:
    from pydantic import BaseModel

    from scurry.model.application import Application
    from scurry.model.script import Script

    Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedApplication:
    """An application as its file says, for one environment, and where each value stands."""

    application: Application
    environment: str | None
    path: Path
    """the file"""
    source: Source
    """what was validated: environment laid over, templates filled; with the places of everything"""
    script: Script | None = None
    """the rendered SQL script, split to statements; None for jars and Python"""

    @property
    def id(self) -> str:
        """The application's identity: `name` or `name@environment`."""
        name = self.application.name
        return f"{name}@{self.environment}" if self.environment else name

    @property
    def folder(self) -> Path:
        """What the paths in the file are relative to."""
        return self.path.parent

    def place(self, *path: str | int, of_key: bool = False) -> Place:
        """Return where a value stands: `place("config", "execution.checkpointing.interval")`."""
        return self.source.place(path, of_key=of_key)

    def file(self, reference: str) -> Path:
        """Return the path of a file that the application refers to."""
        return self.folder / Path(reference).expanduser()


def load_application(
    path: Path, *, environment: str | None = None, project: Project | None = None
) -> LoadedApplication:
    """Read an application's file. Raises `SpecInvalid` with all problems in file order."""
    from scurry.model.application import Application

    project = project or load_project(path.parent)
    whole = read_yaml(path)
    source = _merged(whole, environment, project)
    application, problems = _validated(Application, source)
    if application is None or problems:
        raise SpecInvalid(in_file_order(problems))
    loaded = LoadedApplication(application=application, environment=environment, path=path, source=source)
    problems = [*_missing_files(loaded), *_unknown_target(loaded, project)]
    if problems:
        raise SpecInvalid(in_file_order(problems))
    return loaded


def load_project(start: Path) -> Project:
    """Find and read the nearest `scurry.yaml`, from a folder upwards; without one, a project with target `local`."""
    start = start.absolute()
    for folder in (start, *start.parents):
        file = folder / PROJECT_FILE
        if file.exists():
            return read_project(file)
    return Project.model_validate({}).at(start)


def read_project(file: Path) -> Project:
    """Read a project file. Raises `SpecInvalid` with all problems in file order."""
    source = read_yaml(file, name=_shown(file))
    project, problems = _validated(Project, source)
    if project is not None:
        problems = [*problems, *_project_problems(project, source)]
    if project is None or problems:
        raise SpecInvalid(in_file_order(problems))
    return project.at(file.parent)


def _shown(file: Path) -> str:
    """Name a file as short as the reader can find it from where they are."""
    relative = os.path.relpath(file)
    return str(file) if relative.startswith(os.pardir + os.sep + os.pardir) else relative


def _validated(model: type[Model], source: Source) -> tuple[Model | None, list[Problem]]:
    from pydantic import ValidationError

    try:
        return model.model_validate(source.data), []
    except ValidationError as error:
        return None, list(problems_of(error, source=source, model=model))


def _merged(whole: Source, environment: str | None, project: Project) -> Source:
    """Lay the environment over the base, and both over what the project says."""
    base = flatten_options(_without(whole, "environments"), "config")
    if environment is None:
        return _on_project(base, project, None)
    overlays = part_of(whole, ("environments",))
    known = list(dict.fromkeys([*overlays.data, *project.environments]))
    if environment not in known:
        message = f"the environment '{environment}' is not known; {did_you_mean(environment, known)}"
        raise SpecInvalid((Problem(message=message, place=whole.place(("environments",), of_key=True)),))
    overlay = flatten_options(part_of(whole, ("environments", environment)), "config")
    return _on_project(lay_over(base, overlay), project, environment)


def _on_project(source: Source, project: Project, environment: str | None) -> Source:
    below: dict[str, Any] = {"variables": dict(project.variables)}
    shared = project.environments.get(environment) if environment else None
    if shared:
        below["variables"].update(shared.variables)
        if shared.target:
            below["target"] = shared.target
    if not below["variables"]:
        del below["variables"]
    return lay_over(Source(file=source.file, data=below), source) if below else source


def _without(source: Source, key: str) -> Source:
    data = {name: value for name, value in source.data.items() if name != key}
    spans = {path: span for path, span in source.spans.items() if path[:1] != (key,)}
    return Source(file=source.file, data=data, spans=spans)


def _missing_files(loaded: LoadedApplication) -> list[Problem]:
    code = loaded.application.code
    references: list[tuple[KeyPath, str | None]] = [(("code", key), getattr(code, key)) for key in _FILE_KEYS]
    references += [(("code", "files", index), name) for index, name in enumerate(code.files)]
    references += [(("connectors", index), name) for index, name in enumerate(loaded.application.connectors)]
    found = []
    for path, name in references:
        if name is None or is_remote(name):
            continue
        message = _missing(loaded.file(name), name, folder_allowed=path[:2] == ("code", "files"))
        if message:
            found.append(Problem(message=message, place=loaded.source.place(path)))
    return found


_FILE_KEYS = ("sql", "jar", "python", "requirements")


def is_remote(reference: str) -> bool:
    """Whether a reference to code is a coordinate or an address and not a path."""
    return reference.startswith("mvn:") or "://" in reference


def _missing(path: Path, name: str, *, folder_allowed: bool) -> str | None:
    if path.is_dir():
        return None if folder_allowed else f"'{name}' is a folder, not a file"
    if path.exists():
        return None
    return f"there is no file '{name}' in {_shown(path.parent)}" if path.parent.is_dir() else f"there is no '{name}'"


def _unknown_target(loaded: LoadedApplication, project: Project) -> list[Problem]:
    name = loaded.application.target
    known = project.all_targets()
    if name is None or name in known:
        return []
    message = f"the target '{name}' is not defined in {PROJECT_FILE}; {did_you_mean(name, known)}"
    return [Problem(message=message, place=loaded.place("target"))]


def _project_problems(project: Project, source: Source) -> list[Problem]:
    known = project.all_targets()
    named: list[tuple[KeyPath, str | None]] = [(("target",), project.target)]
    named += [(("environments", name, "target"), shared.target) for name, shared in project.environments.items()]
    problems = [
        Problem(message=f"the target '{name}' is not defined; {did_you_mean(name, known)}", place=source.place(path))
        for path, name in named
        if name is not None and name not in known
    ]
    return [*problems, *_unknown_kinds(project, source)]


def _unknown_kinds(project: Project, source: Source) -> list[Problem]:
    others = {name: target.kind for name, target in project.targets.items() if isinstance(target, OtherTarget)}
    if not others:
        return []
    from importlib.metadata import entry_points

    kinds = sorted(entry_points(group="scurry.targets").names)
    return [
        Problem(
            message=f"the kind of target '{kind}' is not installed; {did_you_mean(kind, kinds)}",
            place=source.place(("targets", name, "kind")),
        )
        for name, kind in others.items()
        if kind not in kinds
    ]
