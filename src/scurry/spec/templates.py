"""Jinja2 in SQL files and in string values of the YAML: sandboxed, and every problem has its place.

Every SQL file is a template, whatever its name ends in; `{% raw %}` keeps braces as they are. Includes and macros are
looked for beside the template that names them, then in the project's folder, and never outside of these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.loaders import BaseLoader
from jinja2.sandbox import SandboxedEnvironment

from scurry.model.errors import Place, Problem, SpecInvalid
from scurry.model.script import Origin, Script
from scurry.spec import origins
from scurry.spec.complaint import did_you_mean
from scurry.spec.namespace import Missing, Names, Unknown, with_secrets
from scurry.spec.sql_statements import split_statements
from scurry.spec.yaml_source import in_file_order, read_text_file, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Environment

    from scurry.model.values import SecretRef

_SECRET = re.compile(r"\$\{secret:([^}]*)\}", re.IGNORECASE)
_TAG = re.compile(r"\{[{%#]")


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedScript:
    """An SQL script as it will run, and the secrets that it names."""

    script: Script
    secrets: Mapping[str, SecretRef]
    """what each `${secret:NAME}` in the script stands for"""


def render_script(
    path: Path, *, variables: Mapping[str, Any], env: Mapping[str, str], root: Path | None = None
) -> RenderedScript:
    """Render an SQL file and split it to statements. `root` is the project's folder, from which includes may come, too.

    Raises `SpecInvalid` with all problems, in the files that they are in.
    """
    return Templates(variables=variables, env=env, root=root or path.parent).script(path)


class Templates:
    """Renders templates with the same names. `suggested` are those that the reader of an error may have meant."""

    def __init__(
        self,
        *,
        variables: Mapping[str, Any],
        env: Mapping[str, str],
        root: Path,
        suggested: tuple[str, ...] | None = None,
    ) -> None:
        self.secrets: dict[str, SecretRef] = {}
        self._variables = {name: with_secrets(value, name, self.secrets) for name, value in variables.items()}
        self._env = env
        self._root = root.resolve()
        self._suggested = tuple(self._variables) if suggested is None else suggested

    def script(self, path: Path) -> RenderedScript:
        """Render an SQL file and split it to statements. Raises `SpecInvalid`."""
        script = self.rendered(path)
        secrets = self._secrets_in(script)
        return RenderedScript(script=split_statements(script), secrets=secrets)

    def rendered(self, path: Path) -> Script:
        """Render a file; every character of the result knows its place. Raises `SpecInvalid`."""
        source = origins.normalized(read_text_file(path, shown(path)))
        name = str(path.resolve())
        environment = _Sandbox(self._folders(path))
        text = self._render(environment, name, lambda found: _places_in_file(environment, Path(found or name)))
        return Script(text=text, origins=self._origins(path, name, source, text))

    def text(self, text: str, place: Callable[[int, int], Place]) -> str:
        """Render a text of the YAML; `place` turns a line and column of it into a place. Raises `SpecInvalid`."""
        environment = _Sandbox((self._root,), given=text)
        return self._render(environment, "", lambda _: _Places(environment, text, place))

    def _folders(self, path: Path) -> tuple[Path, ...]:
        return (path.resolve().parent, self._root)

    def _names(self) -> dict[str, Any]:
        return {
            **self._variables,
            "variables": Names("variables", self._variables),
            "env": Names("env", self._env),
            "outputs": Names("outputs", {}),
        }

    def _render(self, environment: _Sandbox, name: str, places: Callable[[str], _Places]) -> str:
        try:
            text = environment.get_template(name).render(self._names())
        except SpecInvalid:
            raise
        except Exception as error:  # a template runs code: anything can come out of it
            problems = [self._told(missing, places) for missing in environment.missing]
            # What fails after a name was missing fails because of it.
            problems = problems or [_failure(error, places)]
            raise SpecInvalid(in_file_order(problems)) from error
        if environment.missing:
            raise SpecInvalid(in_file_order([self._told(missing, places) for missing in environment.missing]))
        return text

    def _told(self, missing: Missing, places: Callable[[str], _Places]) -> Problem:
        of = str(missing.of) if isinstance(missing.of, Names) else None
        if of == "outputs":
            message = f"'outputs.{missing.name}' cannot be had: outputs of the infrastructure are not read yet"
            hint = "Put the value under variables for now."
        elif of == "env":
            message = f"the environment variable '{missing.name}' is not set"
            hint = f"export {missing.name}=…"
        elif of == "variables" or missing.of is None:
            message = f"the variable '{missing.name}' is not defined; {did_you_mean(missing.name, self._suggested)}"
            hint = f"variables: {{{missing.name}: …}}"
        else:
            keys = list(missing.of) if isinstance(missing.of, Mapping) else []
            message = f"there is no '{missing.name}' in {_type_name(missing.of)}; {did_you_mean(missing.name, keys)}"
            hint = None
        return Problem(message=message, place=_place_of(missing, places), hint=hint)

    def _origins(self, path: Path, name: str, source: str, text: str) -> tuple[Origin, ...]:
        start = Place(file=shown(path), line=1, column=1)
        if not _TAG.search(source):
            return (Origin(offset=0, place=start),)
        coarse = (Origin(offset=0, place=start, fixed=True),)
        marking = _Sandbox(self._folders(path), extensions=[origins.Marking])
        if not origins.can_be_marked(text + source):
            return coarse
        extension = marking.extensions[origins.Marking.identifier]
        assert isinstance(extension, origins.Marking)
        extension.show = _shown_name
        try:
            marked = marking.get_template(name).render(self._names())
        except Exception:  # a filter stumbled over the markers; the true rendering is done
            return coarse
        unmarked, found = origins.unmark(marked, extension.origins, start=start)
        return found if unmarked == text else origins.transfer(Script(text=unmarked, origins=found), text)

    def _secrets_in(self, script: Script) -> dict[str, SecretRef]:
        found: dict[str, SecretRef] = {}
        problems = []
        for match in _SECRET.finditer(script.text):
            name = match[1]
            if name in self.secrets and match[0] == f"${{secret:{name}}}":
                found[name] = self.secrets[name]
                continue
            message = f"there is no secret variable '{name}'; {did_you_mean(name, self.secrets)}"
            problems.append(Problem(message=message, place=script.place(match.start())))
        if problems:
            raise SpecInvalid(in_file_order(problems))
        return found


def names_in(text: str) -> set[str]:
    """Return the variables that a template uses, by their bare names or as `variables.name`; none if it is not one."""
    from jinja2 import meta, nodes

    try:
        tree = _Sandbox(()).parse(text)
    except TemplateSyntaxError:
        return set()
    dotted = {
        str(node.attr)
        for node in tree.find_all(nodes.Getattr)
        if isinstance(node.node, nodes.Name) and node.node.name == "variables"
    }
    return meta.find_undeclared_variables(tree) | dotted


def _type_name(value: object) -> str:
    """Name the kind of a variable's value."""
    if isinstance(value, Mapping):
        return "this map"
    return "this list" if isinstance(value, list) else f"'{value}'"


def _shown_name(name: str) -> str:
    return shown(Path(name))


class _Places:
    """Finds lines and words of a template's source."""

    def __init__(self, environment: Environment, source: str, place: Callable[[int, int], Place]) -> None:
        self._source = source
        self._place = place
        self._words: list[tuple[str, int, int]] = []
        try:
            for kind, text, line, column in origins.token_places(environment, source):
                if kind in {"name", "string"}:
                    self._words.append((text.strip("'\""), line, column))
        except TemplateSyntaxError:
            pass  # the words up to the error are enough to find what came before it

    def of_word(self, line: int, word: str) -> Place:
        """Return the place of a name in a tag that begins in a line; of the tag, if the name is not there."""
        return self.find(line, word) or self.of_tag(line)

    def find(self, line: int, word: str) -> Place | None:
        """Return the place of a name in a tag that begins in a line."""
        for text, found, column in self._words:
            if found >= line and text == word:
                return self._place(found, column)
        return None

    def of_tag(self, line: int) -> Place:
        """Return the place of the first tag in a line."""
        lines = self._source.split("\n")
        tag = _TAG.search(lines[line - 1]) if line <= len(lines) else None
        return self._place(line, tag.start() + 1 if tag else 1)


def _place_of(missing: Missing, places: Callable[[str], _Places]) -> Place:
    for name, line in missing.used_at:
        place = places(name).find(line, missing.name)
        if place:
            return place
    name, line = missing.used_at[0]
    return places(name).of_tag(line)


def _places_in_file(environment: Environment, path: Path) -> _Places:
    file = shown(path)
    source = origins.normalized(read_text_file(path, file))
    return _Places(environment, source, lambda line, column: Place(file=file, line=line, column=column))


def _failure(error: Exception, places: Callable[[str], _Places]) -> Problem:
    """Tell why a template did not render."""
    if isinstance(error, TemplateSyntaxError):
        where = places(error.name or "")
        return Problem(message=f"not a template: {_sentence(error.message or '')}", place=where.of_tag(error.lineno))
    name, line = _position(error)
    where = places(name)
    if isinstance(error, _Outside):
        message = f"'{error.message}' is outside of the project's folder"
        return Problem(message=message, place=where.of_word(line, error.message or ""))
    if isinstance(error, TemplateNotFound):
        message = f"there is no template '{error.name}', neither beside this one nor in the project's folder"
        return Problem(message=message, place=where.of_word(line, str(error.name)))
    if isinstance(error, RecursionError):
        return Problem(message="the template includes itself without end", place=where.of_tag(line))
    return Problem(message=f"the template fails: {_sentence(str(error))}", place=where.of_tag(line))


def _sentence(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".") if text else "no reason given"


def _position(error: Exception) -> tuple[str, int]:
    """Return the template and line that an error came from; Jinja puts them into the traceback."""
    name, line = "", 1
    trace = error.__traceback__
    while trace:
        if "__jinja_exception__" in trace.tb_frame.f_globals:
            file = trace.tb_frame.f_code.co_filename
            name, line = ("" if file.startswith("<") else file), trace.tb_lineno
        trace = trace.tb_next
    return name, line


class _Sandbox(SandboxedEnvironment):
    """A Jinja environment that reads templates from a few folders and notes what is missing."""

    def __init__(self, folders: tuple[Path, ...], *, given: str | None = None, extensions: Any = ()) -> None:
        self.folders = folders
        self.missing: list[Missing] = []
        super().__init__(
            loader=_Loader(given),
            undefined=Unknown,
            extensions=extensions,
            keep_trailing_newline=True,
            autoescape=False,
        )

    def join_path(self, template: str, parent: str) -> str:
        """Look for an included template beside the one that includes it, then in the project's folder."""
        folders = [Path(parent).parent, *self.folders] if parent else list(self.folders)
        for folder in folders:
            path = (folder / template).resolve()
            if not any(path.is_relative_to(allowed) for allowed in self.folders):
                raise _Outside(template)
            if path.is_file():
                return str(path)
        raise TemplateNotFound(template)


class _Outside(TemplateError):
    """An include that leaves the folders that templates may come from."""


class _Loader(BaseLoader):
    """Loads templates by their resolved paths; the empty name is the given text."""

    def __init__(self, given: str | None) -> None:
        self._given = given

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, Callable[[], bool] | None]:
        """Return a template's text. Raises `SpecInvalid` when the file cannot be read."""
        if not template and self._given is not None:
            return self._given, None, None
        path = Path(template)
        return read_text_file(path, shown(path)), str(path), None
