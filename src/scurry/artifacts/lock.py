"""`scurry.lock`: what coordinates and Flink series were resolved to, so that everybody gets the same bytes.

A small TOML file beside `scurry.yaml`, sorted, meant for version control. It knows nothing of repositories.
"""

from __future__ import annotations

import fcntl
import os
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from scurry.artifacts.disk import write_atomically, writing
from scurry.model.errors import ArtifactError, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

LOCK_FILE = "scurry.lock"
_FORMAT = 1
_HEADER = "# What coordinates and Flink series were resolved to. Written by scurry; keep it under version control.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    """One file that a coordinate stands for."""

    coordinate: str
    """`group:artifact:version[:classifier]`, without `mvn:`"""
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The content of the lock file."""

    flink: Mapping[str, str] = field(default_factory=dict)
    """series → exact version"""
    artifacts: Mapping[str, tuple[LockedFile, ...]] = field(default_factory=dict)
    """coordinate → its file and those of its dependencies, its own first, then by name"""
    jars: Mapping[str, str] = field(default_factory=dict)
    """coordinate of a job's jar, used as it is → SHA-256"""

    def with_flink(self, series: str, version: str) -> Lock:
        """Return the lock with a series pinned."""
        return replace(self, flink={**self.flink, series: version})

    def with_artifact(self, coordinate: str, files: tuple[LockedFile, ...]) -> Lock:
        """Return the lock with a coordinate pinned."""
        return replace(self, artifacts={**self.artifacts, coordinate: files})

    def with_jar(self, coordinate: str, sha256: str) -> Lock:
        """Return the lock with a job's jar pinned."""
        return replace(self, jars={**self.jars, coordinate: sha256})


class LockFile:
    """The lock file of a project, read and changed by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Lock:
        """Return what is pinned; nothing when there is no file. Raises `ArtifactError` when it is no lock file."""
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            return Lock()
        except (OSError, UnicodeDecodeError) as error:
            raise self._broken(f"cannot be read: {error}") from error
        try:
            told = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise self._broken(f"is not valid TOML: {error}") from error
        if told.get("version", 0) > _FORMAT:
            raise ArtifactError(
                f"{str(self.path)!r} was written by a newer scurry: its format is {told['version']}",
                hint="To get a newer scurry:\n  pip install --upgrade scurry",
            )
        try:
            return _lock_of(told)
        except (KeyError, TypeError, AttributeError) as error:
            raise self._broken(f"is not a lock file of scurry's: {error!r}") from error

    def update(self, change: Callable[[Lock], Lock]) -> Lock:
        """Change what is pinned, with other processes kept out; the file is left alone when nothing changed.

        Raises `ArtifactError` and `WorkspaceError`.
        """
        with self._exclusive():
            before = self.read()
            after = change(before)
            if after != before:
                write_atomically(self.path, _render(after).encode())
            return after

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        # The folder is locked, so that no second file has to lie beside the first.
        with writing(self.path):
            descriptor = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _broken(self, why: str) -> ArtifactError:
        return ArtifactError(
            f"{str(self.path)!r} {why}",
            hint=f"Get it from version control again, or let it be written anew:\n  rm {self.path}",
            place=Place(file=str(self.path)),
        )


def _lock_of(told: Mapping[str, Any]) -> Lock:
    return Lock(
        flink={str(series): str(version) for series, version in told.get("flink", {}).items()},
        jars={str(coordinate): str(sha256) for coordinate, sha256 in told.get("jars", {}).items()},
        artifacts={
            entry["coordinate"]: tuple(
                LockedFile(coordinate=file["coordinate"], sha256=file["sha256"]) for file in entry["files"]
            )
            for entry in told.get("artifact", ())
        },
    )


def _render(lock: Lock) -> str:
    lines = [_HEADER, f"version = {_FORMAT}\n"]
    for title, table in (("flink", lock.flink), ("jars", lock.jars)):
        if table:
            lines.append(f"\n[{title}]\n")
            lines.extend(f"{_quoted(key)} = {_quoted(value)}\n" for key, value in sorted(table.items()))
    for coordinate, files in sorted(lock.artifacts.items()):
        lines.append(f"\n[[artifact]]\ncoordinate = {_quoted(coordinate)}\nfiles = [\n")
        lines.extend(
            f"  {{ coordinate = {_quoted(file.coordinate)}, sha256 = {_quoted(file.sha256)} }},\n" for file in files
        )
        lines.append("]\n")
    return "".join(lines)


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)  # a JSON string is a TOML basic string
