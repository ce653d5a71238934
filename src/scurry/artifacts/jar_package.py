"""A job's jar together with connectors that the spec adds to it.

They go in as jars, under `lib/`: Flink takes what lies there for the job's class path
(`PackagedProgram.extractContainedLibraries`). The jar's own content stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.artifacts.disk import staging, writing
from scurry.artifacts.jar import open_jar
from scurry.artifacts.zip_writer import ZipWriter
from scurry.model.desired import ArtifactKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scurry.artifacts.store import ArtifactStore
    from scurry.model.desired import Artifact

LIBRARIES = "lib/"


def package_jar(jar: Path, *, connectors: Sequence[Path], store: ArtifactStore) -> Artifact:
    """Store a job's jar, with connectors in it if there are any. Raises `ArtifactError`, `WorkspaceError`."""
    if not connectors:
        return store.put_file(jar, ArtifactKind.JAR)
    with writing(store.directory):
        store.directory.mkdir(parents=True, exist_ok=True)
    with open_jar(jar, called=jar.name) as source, staging(store.directory) as area:
        with writing(area), (area / jar.name).open("wb") as out:
            writer = ZipWriter(out)
            there: set[str] = set()
            for entry in source.infolist():
                if entry.filename not in there:
                    writer.copy(source, entry)
                there.add(entry.filename)
            for connector in sorted(connectors, key=lambda path: path.name):
                if f"{LIBRARIES}{connector.name}" not in there:
                    writer.add(f"{LIBRARIES}{connector.name}", connector.read_bytes())
            writer.close()
        return store.put_file(area / jar.name, ArtifactKind.JAR)
