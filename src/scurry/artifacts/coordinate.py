"""Maven coordinates as specs write them: `mvn:group:artifact:version[:classifier]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from scurry.model.errors import ArtifactError

SCHEME = "mvn:"
_FORM = "mvn:group:artifact:version or mvn:group:artifact:version:classifier"
_EXAMPLE = "mvn:org.apache.flink:flink-sql-connector-kafka:4.0.1-2.0"
_PART = re.compile(r"[A-Za-z0-9_.+-]+")
_MOVING = ("LATEST", "RELEASE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinate:
    """One file of a Maven repository."""

    group: str
    artifact: str
    version: str
    classifier: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a coordinate, with or without `mvn:`. Raises `ArtifactError` with the right form."""
        parts = text.removeprefix(SCHEME).split(":")
        if len(parts) not in (3, 4) or not all(_PART.fullmatch(part) and part.strip(".") for part in parts):
            raise ArtifactError(
                f"{text!r} is not a Maven coordinate{_why(parts)}", hint=f"Write {_FORM}:\n  {_EXAMPLE}"
            )
        found = cls(group=parts[0], artifact=parts[1], version=parts[2], classifier=parts[3] if parts[3:] else "")
        if found.version in _MOVING or found.version.endswith("-SNAPSHOT"):
            raise ArtifactError(
                f"{text!r} names no fixed version: what {found.version!r} stands for changes, and a job could not be "
                "rolled back to it",
                hint="Name a released version, or the path of the jar",
            )
        return found

    def __str__(self) -> str:
        """Return the form of the lock file, without `mvn:`."""
        return ":".join(part for part in (self.group, self.artifact, self.version, self.classifier) if part)

    @property
    def module(self) -> str:
        """Group and artifact: what there can be only one version of on a class path."""
        return f"{self.group}:{self.artifact}:{self.classifier}"

    @property
    def folder(self) -> str:
        """The folder within a repository."""
        return f"{self.project_folder}/{self.version}"

    @property
    def project_folder(self) -> str:
        """The folder of all versions within a repository."""
        return f"{self.group.replace('.', '/')}/{self.artifact}"

    def file_name(self, extension: str = "jar") -> str:
        """The file's name within a repository."""
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{classifier}.{extension}"

    def path(self, extension: str = "jar") -> str:
        """The path within a repository."""
        return f"{self.folder}/{self.file_name(extension)}"


def _why(parts: list[str]) -> str:
    if len(parts) < 3:
        return f": it has {len(parts)} of at least 3 parts"
    if len(parts) > 4:
        return f": it has {len(parts)} parts, at most 4 are known"
    bad = next((part for part in parts if not _PART.fullmatch(part)), "")
    if any(sign in bad for sign in "[](),"):
        return f": {bad!r} is a range of versions, and one exact version is needed"
    return f": {bad!r} is not a name" if bad else ": one of its parts is empty"
