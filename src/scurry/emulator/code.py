"""The code of an application: fetched from S3 or given inline, kept with its version, and made a program of.

A `ZIPFILE` is a PyFlink application where the runtime properties say so (`python_code.py`), else a jar.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from scurry.emulator import configuration
from scurry.emulator.errors import invalid_argument
from scurry.emulator.plane import Program
from scurry.emulator.python_code import GROUP, python_program, run_options
from scurry.model.errors import ArtifactError

if TYPE_CHECKING:
    from pathlib import Path

    from scurry.emulator.records import Version
    from scurry.flink.runtimes import Runtimes
    from scurry.model.ports import Reporter

MOST_BYTES = 512 << 20
MOST_INLINE_BYTES = 50 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """An object in S3."""

    bucket: str
    key: str
    version: str | None = None


class ObjectMissing(Exception):
    """There is no such object, or it may not be read."""


class Objects(Protocol):
    """Where the code of applications is."""

    def size(self, location: Location) -> int:
        """Return an object's size in bytes. Raises `ObjectMissing`."""

    def download(self, location: Location, path: Path) -> None:
        """Write an object to a file. Raises `ObjectMissing`."""


class Codes:
    """Fetches the code of versions."""

    def __init__(
        self, objects: Objects, runtimes: Runtimes, reporter: Reporter, *, most_bytes: int = MOST_BYTES
    ) -> None:
        self._most_bytes = most_bytes
        self._objects = objects
        self._runtimes = runtimes
        self._reporter = reporter

    def check(self, version: Version) -> None:
        """Refuse code that cannot be read. Raises `ServiceError`, with the text that the service has for it."""
        location = _location(version)
        if location is None:
            return
        try:
            self._objects.size(location)
        except ObjectMissing as error:
            raise invalid_argument(
                "Please check the role provided or validity of S3 location you provided. We are unable to get the "
                f"specified fileKey: {location.key} in the specified bucket: {location.bucket}"
            ) from error

    def keep(self, place: Path, version: Version, content: bytes) -> None:
        """Keep code that came inline."""
        path = _file(place, version)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def program(self, place: Path, version: Version, flink_version: str) -> Program:
        """Return what to run. Raises `ArtifactError` when there is nothing that could."""
        path = self._fetched(place, version)
        if not zipfile.is_zipfile(path):
            raise ArtifactError("The code is not a jar or zip file")
        options = run_options(configuration.property_groups(version.configuration))
        if options.get("python"):
            return python_program(path, options, flink_version, self._runtimes, self._reporter)
        if "main-class" not in _manifest(path):
            raise ArtifactError(
                f"The code is neither a jar whose manifest names a Main-Class, nor does {GROUP} name a Python script"
            )
        return Program(jar=path)

    def _fetched(self, place: Path, version: Version) -> Path:
        """Code in S3 is read again at each start: the object under a key may be another one by then."""
        path, location = _file(place, version), _location(version)
        if location is None:
            if not path.exists():
                raise ArtifactError("The application has no code")
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if self._objects.size(location) > self._most_bytes:
                raise ArtifactError(f"The code is larger than {self._most_bytes >> 20} MiB")
            self._objects.download(location, path)
        except ObjectMissing as error:
            raise ArtifactError(f"The code cannot be read: {location.key} in {location.bucket}") from error
        return path


def _location(version: Version) -> Location | None:
    described = configuration.code_location(version.configuration)
    if described is None:
        return None
    bucket = described["BucketARN"].rpartition(":")[2]
    return Location(bucket=bucket, key=described["FileKey"], version=described.get("ObjectVersion"))


def _file(place: Path, version: Version) -> Path:
    return place / "code" / f"{version.id}.jar"


def _manifest(path: Path) -> str:
    with zipfile.ZipFile(path) as packed:
        try:
            return packed.read("META-INF/MANIFEST.MF").decode("utf-8", "replace").lower()
        except KeyError:
            return ""
