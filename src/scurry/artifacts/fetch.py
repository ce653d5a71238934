"""References to jars, as specs write them, to files: local path, `mvn:`, `https://`, `s3://`.

What it returns has been looked at: a jar that cannot be read is refused here, before any job is stopped for it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from scurry.artifacts.coordinate import SCHEME
from scurry.artifacts.jar import check_readable
from scurry.model.errors import ArtifactError, concerning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scurry.artifacts.download import Downloads
    from scurry.artifacts.maven import Maven
    from scurry.flink.installed import FlinkRuntime

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")


def fetch_jar(reference: str, *, base: Path, maven: Maven, downloads: Downloads) -> Path:
    """Return the file of one jar as it is; paths are relative to `base`, the spec's folder.

    Raises `ArtifactError`, `MissingExtra`.
    """
    if reference.startswith(SCHEME):
        path = maven.jar(reference)
    elif reference.startswith("s3://"):
        path = downloads.s3(reference)
    elif reference.startswith(("https://", "http://")):
        path = downloads.web(reference)
    else:
        path = _local(reference, base)
    check_readable(path, called=reference)
    return path


def fetch_connectors(
    references: Sequence[str],
    *,
    base: Path,
    maven: Maven,
    downloads: Downloads,
    flink: FlinkRuntime | None = None,
) -> tuple[Path, ...]:
    """Return the files of connectors and of all that they need, without what Flink brings.

    Files that are named themselves come first, in their order. Raises `ArtifactError`, `MissingExtra`.
    """
    direct = []
    for index, reference in enumerate(references):
        if not reference.startswith(SCHEME):
            with concerning("connectors", index):
                direct.append(fetch_jar(reference, base=base, maven=maven, downloads=downloads))
    resolved = maven.jars([reference for reference in references if reference.startswith(SCHEME)], flink=flink)
    for path in resolved:
        check_readable(path, called=path.name)
    return (*direct, *resolved)


def _local(reference: str, base: Path) -> Path:
    text = reference.removeprefix("file://")
    if match := _SCHEME.match(text):
        raise ArtifactError(
            f"{reference!r} cannot be fetched: {match[1]!r} is not known here",
            hint="Write a path, mvn:group:artifact:version, https://… or s3://bucket/key",
        )
    path = (base / Path(text).expanduser()).absolute()
    if not path.exists():
        raise ArtifactError(f"the jar {reference!r} does not exist: there is no {str(path)!r}", hint=_neighbours(path))
    return path


def _neighbours(path: Path) -> str:
    jars = sorted(path.parent.glob("*.jar"))[:5]
    if jars:
        return "Jars in that folder:\n" + "\n".join(f"  {jar.name}" for jar in jars)
    return "Build it first, or correct the path; it is relative to the spec's folder"
