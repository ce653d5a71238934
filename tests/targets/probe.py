"""The jar of the job that tests run on real Flinks, compiled once per Flink version."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from scurry.flink.java_programs import Program, compile_program
from scurry.model.desired import Artifact, ArtifactKind

if TYPE_CHECKING:
    from scurry.flink.runtimes import Runtimes

SOURCE = Path(__file__).parent / "java" / "Probe.java"


def probe_jar(runtimes: Runtimes, version: str) -> Path:
    """Return the jar, from the cache if it was compiled before."""
    return jar_of(SOURCE, runtimes, version)


def jar_of(source: Path, runtimes: Runtimes, version: str) -> Path:
    """Return a jar of one Java file in the default package, whose class is the main class; from the cache if it can."""
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    jar = runtimes.cache / "tests" / f"{source.stem}-{version}-{digest}.jar"
    if jar.exists():
        return jar
    classes = compile_program(
        Program(name=source.stem, sources={source.name: source.read_bytes()}),
        flink=runtimes.flink(version),
        java=runtimes.java(version),
        cache=runtimes.cache,
    )
    jar.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jar.parent) as folder:
        draft = Path(folder) / "draft.jar"
        with zipfile.ZipFile(draft, "w") as packed:
            packed.writestr("META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\nMain-Class: {source.stem}\n")
            for path in classes.glob("*.class"):
                packed.write(path, path.name)
        draft.replace(jar)
    return jar


def artifact_of(path: Path, kind: ArtifactKind = ArtifactKind.JAR) -> Artifact:
    """Describe a file as an artifact."""
    data = path.read_bytes()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return Artifact(kind=kind, digest=digest, file_name=path.name, size_bytes=len(data))
