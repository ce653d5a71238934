"""An SQL script and its connectors to one self-contained jar, the same to the byte wherever it is made.

In it: the runner's classes, the statements (secrets still as references), their compiled plan if they have one, the
connectors, merged. So a target only ever runs jars.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.artifacts.disk import digest_of, staging, writing
from scurry.artifacts.jar import open_jar
from scurry.artifacts.jar_merge import Source, merge
from scurry.artifacts.sql_plan import PLAN_FOLDER
from scurry.artifacts.zip_writer import ZipWriter
from scurry.model.desired import ArtifactKind
from scurry.model.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scurry.artifacts.jar_merge import Merged
    from scurry.artifacts.sql_plan import SqlPlan
    from scurry.artifacts.store import ArtifactStore
    from scurry.model.desired import Artifact
    from scurry.model.reporting import Reporter
    from scurry.model.script import Script

MAIN_CLASS = "io.scurry.SqlRunner"
STATEMENTS = "scurry/statements/"
"""where the statements are in the jar, numbered in order"""
RUNNER_PACKAGE = "io/scurry/"
_LAYOUT = 1
"""of the jar; part of what decides whether one that was built before will do"""
_SHOWN_CONFLICTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """What a jar is called, and what is in it besides the script."""

    name: str = "sql.jar"
    plan: SqlPlan | None = None


def package_sql(
    script: Script,
    *,
    connectors: Sequence[Path],
    runner: Path,
    store: ArtifactStore,
    packing: Packing | None = None,
    reporter: Reporter | None = None,
) -> Artifact:
    """Build the jar of an SQL application and store it; one that was built of the same things before is found again.

    `runner` is the folder of the runner's compiled classes. Raises `ArtifactError`, `WorkspaceError`.
    """
    if not script.statements:
        raise ArtifactError("the SQL script holds no statement", hint="Write at least one INSERT INTO")
    chosen = packing or Packing()
    plan = chosen.plan.files() if chosen.plan else {}
    own = {**_runner_classes(runner), **_statement_files(script), **plan}
    key = _key(own, connectors)
    if found := store.built(key):
        return found
    with writing(store.directory):
        store.directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        merged = _merged(connectors, stack)
        if reporter and merged.conflicts:
            reporter.note(_conflicts(merged))
        area = stack.enter_context(staging(store.directory))
        with writing(area), (area / "sql.jar").open("wb") as out:
            _write(ZipWriter(out), own, merged)
        artifact = store.put_file(area / "sql.jar", ArtifactKind.JAR, chosen.name)
    store.remember_built(key, artifact)
    return artifact


def is_made_of(jar: zipfile.ZipFile, script: Script, connectors: Sequence[Path]) -> bool:
    """Say whether a jar is of these statements and connectors, whatever runner and plan are in it.

    Raises `ArtifactError`.
    """
    entries = {entry.filename: (entry.CRC, entry.file_size) for entry in jar.infolist()}
    found = {
        name: told
        for name, told in entries.items()
        if not name.startswith((RUNNER_PACKAGE, PLAN_FOLDER, "META-INF/MANI"))
    }
    with ExitStack() as stack:
        merged = _merged(connectors, stack)
        written = {**merged.written, **_statement_files(script)}
        wanted = {
            **{name: (entry.CRC, entry.file_size) for name, (_, entry) in merged.copied.items()},
            **{name: (zlib.crc32(data), len(data)) for name, data in written.items()},
        }
    return found == wanted


def statements_in(jar: zipfile.ZipFile) -> tuple[str, ...]:
    """Return the statements in a jar, none if it is not of an SQL application."""
    if f"{STATEMENTS}index" not in jar.namelist():
        return ()
    names = jar.read(f"{STATEMENTS}index").decode().split("\n")
    return tuple(jar.read(STATEMENTS + name).decode() for name in names if name)


def _merged(connectors: Sequence[Path], stack: ExitStack) -> Merged:
    sources = [
        Source(name=path.name, archive=stack.enter_context(open_jar(path, called=path.name))) for path in connectors
    ]
    try:
        return merge(sources)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise ArtifactError(f"a connector is damaged: {error}", hint="Fetch it again") from error


def _write(jar: ZipWriter, own: Mapping[str, bytes], merged: Merged) -> None:
    manifest = f"Manifest-Version: 1.0\r\nMain-Class: {MAIN_CLASS}\r\n"
    if merged.is_multi_release:
        manifest += "Multi-Release: true\r\n"
    # First, as the JAR specification has it; java.util.jar.JarInputStream finds it nowhere else.
    jar.add("META-INF/MANIFEST.MF", f"{manifest}\r\n".encode())
    written = {**merged.written, **own}
    for name in sorted(written.keys() | merged.copied.keys()):
        if name in written:
            jar.add(name, written[name])
        else:
            source, entry = merged.copied[name]
            jar.copy(source.archive, entry, name)
    jar.close()


def _runner_classes(folder: Path) -> Mapping[str, bytes]:
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("**/*.class") if path.is_file()
    }
    if f"{MAIN_CLASS.replace('.', '/')}.class" not in found:
        raise ArtifactError(f"the SQL runner is not in {str(folder)!r}")
    return found


def _statement_files(script: Script) -> Mapping[str, bytes]:
    files = {f"{number:04}.sql": text.encode() for number, text in enumerate(script.sources(), start=1)}
    files["index"] = "".join(f"{name}\n" for name in files).encode()
    return {STATEMENTS + name: data for name, data in files.items()}


def _key(own: Mapping[str, bytes], connectors: Sequence[Path]) -> str:
    digest = hashlib.sha256(f"layout {_LAYOUT}".encode())
    for name, data in sorted(own.items()):
        digest.update(f"\0{name}\0{hashlib.sha256(data).hexdigest()}".encode())
    for path in connectors:
        try:
            digest.update(f"\0{path.name}\0{digest_of(path)}".encode())
        except OSError as error:
            raise ArtifactError(f"the connector {str(path)!r} cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()


def _conflicts(merged: Merged) -> str:
    shown = [
        f"{name.removesuffix('.class').replace('/', '.')} ({taken}, not {other})"
        for name, (taken, other) in sorted(merged.conflicts.items())[:_SHOWN_CONFLICTS]
    ]
    more = len(merged.conflicts) - len(shown)
    return (
        f"{len(merged.conflicts)} classes are in several connectors with different content; the first is taken: "
        f"{', '.join(shown)}{f', and {more} more' if more else ''}"
    )
