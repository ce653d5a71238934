"""From files to an Application or Project: read, overlay the environment, fill templates, validate, look for files.

Everything that is wrong is gathered and raised together, in file order. Nothing is resolved that needs a network.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from scurry.model.errors import Place, Problem, SpecInvalid
from scurry.model.project import PROJECT_FILE, OtherTarget, Project
from scurry.spec.complaint import did_you_mean, problems_of
from scurry.spec.environment import merged, names_in, problems_in
from scurry.spec.fill import fill, is_template
from scurry.spec.yaml_source import KeyPath, Source, in_file_order, read_yaml, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel

    from scurry.model.application import Application
    from scurry.model.script import Script
    from scurry.model.values import SecretRef
    from scurry.spec.templates import RenderedScript

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
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)
    """what each `${secret:NAME}` in the script stands for"""

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
    path: Path,
    *,
    environment: str | None = None,
    project: Project | None = None,
    env: Mapping[str, str] | None = None,
) -> LoadedApplication:
    """Read an application's file, with one environment laid over; `env` is what templates see as `env`.

    Raises `SpecInvalid` with all problems in file order; those of the other environments count, too.
    """
    from scurry.model.application import Application

    project = project or load_project(path.absolute().parent)
    env = os.environ if env is None else env
    whole = read_yaml(path)
    problems = problems_in(whole)
    source, found = fill(merged(whole, environment, project), env=env, root=project.root)
    problems += found
    application, found = _validated(Application, source, unfilled_allowed=bool(problems))
    problems += found
    problems += _problems_elsewhere(whole, environment, project, known=problems)
    if application is None:
        raise SpecInvalid(in_file_order(problems))
    application = application.model_copy(update={"environments": whole.data.get("environments") or {}})
    loaded = LoadedApplication(application=application, environment=environment, path=path, source=source)
    problems += [*_missing_files(loaded), *_unknown_target(loaded, project)]
    script = _script(loaded, project, env, problems)
    if problems:
        raise SpecInvalid(in_file_order(problems))
    if script is None:
        return loaded
    return replace(loaded, script=script.script, secrets=script.secrets)


def _script(
    loaded: LoadedApplication, project: Project, env: Mapping[str, str], problems: list[Problem]
) -> RenderedScript | None:
    path = loaded.file(loaded.application.code.sql) if loaded.application.code.sql else None
    if path is None or not path.is_file():
        return None
    from scurry.spec.templates import render_script

    try:
        rendered = render_script(path, variables=loaded.application.variables, env=env, root=project.root)
    except SpecInvalid as error:
        problems.extend(error.problems)
        return None
    if not rendered.script.statements:
        place = Place(file=shown(path), line=1, column=1)
        problems.append(Problem(message="the script holds no statement", place=place))
    return rendered


def _problems_elsewhere(
    whole: Source, chosen: str | None, project: Project, *, known: list[Problem]
) -> Iterator[Problem]:
    """Validate the environments that were not chosen, as far as their templates allow."""
    from scurry.model.application import Application

    for name in names_in(whole):
        if name == chosen:
            continue
        found = _validated(Application, merged(whole, name, project), unfilled_allowed=True)[1]
        for problem in found:
            if problem not in known:
                yield replace(problem, message=f"{problem.message} (environment {name})")


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
    source = read_yaml(file, name=shown(file))
    project, problems = _validated(Project, source)
    if project is not None:
        problems = [*problems, *_project_problems(project, source)]
    if project is None or problems:
        raise SpecInvalid(in_file_order(problems))
    return project.at(file.parent, places=source.spans)


def _validated(
    model: type[Model], source: Source, *, unfilled_allowed: bool = False
) -> tuple[Model | None, list[Problem]]:
    """Validate; with `unfilled_allowed`, values that still hold a template are not complained about."""
    from pydantic import ValidationError

    try:
        return model.model_validate(source.data), []
    except ValidationError as error:
        found = problems_of(error, source=source, model=model)
        return None, [problem for value, problem in found if not (unfilled_allowed and is_template(value))]


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
    return f"there is no file '{name}' in {shown(path.parent)}" if path.parent.is_dir() else f"there is no '{name}'"


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
