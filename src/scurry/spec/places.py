"""From the key that an error is about to its place in the user's files.

What fails far from the files (a build, a target) only says which key it is about. Here the files are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.model.errors import About, Place, ScurryError, SecretMissing
from scurry.spec.yaml_source import Span, show_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.model.project import Project
    from scurry.model.values import SecretRef
    from scurry.spec.load import LoadedApplication
    from scurry.spec.yaml_source import KeyPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The places of the keys of a project, and of an application if one was read."""

    project: Project
    loaded: LoadedApplication | None = None

    @contextmanager
    def found(self) -> Iterator[None]:
        """Give every error of the block its place, if it has none and says what it is about."""
        try:
            yield
        except ScurryError as error:
            if error.place is None:
                error.place = self._place(error)
            raise

    def _place(self, error: ScurryError) -> Place | None:
        if isinstance(error, SecretMissing):
            return self._of_secret(error.secret)
        if error.about is None:
            return None
        return self._in_project(error.about.path) if error.about.in_project else self._in_application(error.about)

    def _in_application(self, about: About) -> Place | None:
        if self.loaded is None:
            return None
        source = self.loaded.source
        return _at(source.spans.get(about.path), about.path) or Place(file=source.file, key=show_path(about.path))

    def _in_project(self, path: KeyPath) -> Place | None:
        # A target is mostly told by its address; where it has none, by its name.
        address = (*path, "url") if path[:1] == ("targets",) and len(path) == 2 else path
        places: Mapping[KeyPath, Span] = self.project.places
        return _at(places.get(address), address) or _at(places.get(path), path)

    def _of_secret(self, secret: SecretRef) -> Place | None:
        if self.loaded:
            for path in _paths_to({secret.source: secret.name}, self.loaded.source.data):
                return self.loaded.source.place(path)
        for path in _paths_to(secret, self.project.model_dump()):
            return self._in_project(path)
        return None


def _at(span: Span | None, path: KeyPath) -> Place | None:
    return Place(file=span.file, line=span.line, column=span.column, key=show_path(path)) if span else None


def _paths_to(wanted: object, data: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    if data == wanted:
        yield path
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from _paths_to(wanted, value, (*path, key))
    elif isinstance(data, list | tuple):
        for index, value in enumerate(data):
            yield from _paths_to(wanted, value, (*path, index))
