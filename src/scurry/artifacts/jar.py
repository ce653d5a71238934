"""What a look into a jar tells: can it be read, which class does it start with, is that class in it."""

from __future__ import annotations

import difflib
import zipfile
from typing import TYPE_CHECKING

from scurry.model.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MANIFEST = "META-INF/MANIFEST.MF"
# In this order: org.apache.flink.client.program.PackagedProgram#getEntryPointClassNameFromJar.
_ENTRY_ATTRIBUTES = ("program-class", "Main-Class")
_MANIFEST_LIMIT = 1 << 20


def check_readable(path: Path, *, called: str) -> None:
    """Refuse what is no jar, or only a part of one. Raises `ArtifactError`."""
    open_jar(path, called=called).close()


def open_jar(path: Path, *, called: str) -> zipfile.ZipFile:
    """Open a jar. `called` is how the user wrote it. Raises `ArtifactError`."""
    if path.is_dir():
        raise ArtifactError(f"{called!r} is a folder, not a jar", hint="Name the jar file in it")
    try:
        with path.open("rb") as file:
            start = file.read(4)
        return zipfile.ZipFile(path)
    except OSError as error:
        raise ArtifactError(f"the jar {called!r} cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        what = (
            "it ends too early, as after an interrupted download or build" if start == b"PK\x03\x04" else "it is no zip"
        )
        raise ArtifactError(
            f"the jar {called!r} cannot be read: {'the file is empty' if not start else what}",
            hint="Build it or fetch it again",
        ) from error


def check_jar(path: Path, main_class: str | None, *, called: str | None = None) -> str:
    """Return the class that a job starts with: `main_class`, else the manifest's. Raises `ArtifactError`.

    That the class has a `main` method only Flink finds out, when it builds the job graph.
    """
    name = called or path.name
    with open_jar(path, called=name) as jar:
        entries = frozenset(jar.namelist())
        manifest = _read_manifest(jar, name)
    chosen = main_class or next((manifest[key] for key in _ENTRY_ATTRIBUTES if manifest.get(key)), None)
    if chosen is None:
        says = ", ".join(f"{key}: {value}" for key, value in manifest.items()) or "nothing at all"
        raise ArtifactError(
            f"the jar {name!r} does not say which class to start: its manifest has neither 'program-class' nor "
            f"'Main-Class' (it says {says})",
            hint="Name the class in the spec:\n  code:\n    main_class: com.example.Main",
        )
    if f"{chosen.replace('.', '/')}.class" not in entries:
        raise _class_missing(name, chosen, entries, by_manifest=main_class is None)
    return chosen


def main_class_of(path: Path) -> str | None:
    """Return the class that the manifest names, if it names one. Raises `ArtifactError`."""
    with open_jar(path, called=path.name) as jar:
        manifest = _read_manifest(jar, path.name)
    return next((manifest[key] for key in _ENTRY_ATTRIBUTES if manifest.get(key)), None)


def _class_missing(name: str, chosen: str, entries: frozenset[str], *, by_manifest: bool) -> ArtifactError:
    whose = "which its manifest names" if by_manifest else "which the spec names"
    similar = _similar(chosen, entries)
    listed = "\n".join(f"  {candidate}" for candidate in similar)
    hint = (
        f"Classes like it in the jar:\n{listed}"
        if similar
        else "Check `code.main_class`, and that this is the jar meant"
    )
    error = ArtifactError(f"the class {chosen!r}, {whose}, is not in the jar {name!r}", hint=hint)
    return error if by_manifest else error.concerning("code", "main_class")


def _similar(chosen: str, entries: frozenset[str]) -> list[str]:
    """Classes of the same simple name first, then those spelled alike."""
    classes = sorted(
        entry.removesuffix(".class").replace("/", ".")
        for entry in entries
        if entry.endswith(".class") and "$" not in entry and not entry.startswith("META-INF/")
    )
    simple = chosen.rpartition(".")[2]
    same = [name for name in classes if name.rpartition(".")[2].lower() == simple.lower()]
    by_simple_name: dict[str, list[str]] = {}
    for name in classes:
        by_simple_name.setdefault(name.rpartition(".")[2], []).append(name)
    alike = [
        name
        for like in difflib.get_close_matches(simple, by_simple_name, n=5, cutoff=0.6)
        for name in by_simple_name[like]
    ]
    return list(dict.fromkeys((*same, *alike)))[:5]


def _read_manifest(jar: zipfile.ZipFile, called: str) -> Mapping[str, str]:
    """The main section's attributes; a line that starts with a space continues the one before (JAR specification)."""
    try:
        with jar.open(_MANIFEST) as file:
            text = file.read(_MANIFEST_LIMIT).decode("utf-8", "replace")
    except KeyError:
        return {}
    except (OSError, zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise ArtifactError(f"the jar {called!r} is damaged: its manifest cannot be read: {error}") from error
    unfolded = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n ", "")
    lines = unfolded.split("\n\n", 1)[0].splitlines()
    return {key.strip(): value.strip() for key, colon, value in (line.partition(":") for line in lines) if colon}
