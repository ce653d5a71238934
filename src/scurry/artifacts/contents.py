"""What differs inside two artifacts, as lines for people: a digest says that something changed, not what.

Text that people wrote (SQL statements, Python) is compared line by line, everything else by its name.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from scurry.artifacts.jar import open_jar
from scurry.artifacts.sql_package import RUNNER_PACKAGE, STATEMENTS
from scurry.artifacts.sql_plan import PLAN_FOLDER

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_MAX_LINES = 40
_MAX_TEXT = 1 << 20
"""bytes; larger text is told by its name"""
_NAMED = 3
_CONTEXT = 1


def changes(before: Path, after: Path) -> tuple[str, ...]:
    """Return what differs: lines of a unified diff, and names of what else was added, removed or changed.

    Raises `ArtifactError` when one cannot be read.
    """
    with open_jar(before, called=before.name) as old, open_jar(after, called=after.name) as new:
        lines = [*_script(old, new), *_texts(old, new), *_others(old, new)]
    left = len(lines) - _MAX_LINES
    return tuple(lines if left <= 0 else [*lines[:_MAX_LINES], f"… and {left} more lines"])


def changed_classes(before: Path, after: Path) -> frozenset[str]:
    """Return the names of the classes that two jars do not both hold as they are. Raises `ArtifactError`."""
    with open_jar(before, called=before.name) as old, open_jar(after, called=after.name) as new:
        names = [name for name in _differing(old, new) if name.endswith(".class")]
    return frozenset(name.removesuffix(".class").replace("/", ".") for name in names)


def is_sql(package: Path) -> bool:
    """Whether a jar is one that was built of an SQL script. Raises `ArtifactError`."""
    with open_jar(package, called=package.name) as packed:
        return any(name.startswith(STATEMENTS) for name in packed.namelist())


def _script(old: zipfile.ZipFile, new: zipfile.ZipFile) -> Iterator[str]:
    """Compare the statements of SQL packages. They are numbered, so one that is added must not rename the others."""
    yield from _compared(_statements(old), _statements(new))


def _statements(package: zipfile.ZipFile) -> list[str]:
    names = sorted(name for name in package.namelist() if name.startswith(STATEMENTS) and name.endswith(".sql"))
    return [line for name in names for line in f"{package.read(name).decode().strip()};".splitlines()]


def _texts(old: zipfile.ZipFile, new: zipfile.ZipFile) -> Iterator[str]:
    for name, (before, after) in _differing(old, new).items():
        if before and after and _is_text(before) and _is_text(after) and not name.startswith(PLAN_FOLDER):
            lines = list(_compared(_lines(old, name), _lines(new, name)))
            yield from [f"{name}:", *lines] if lines else [f"{name}: only the ends of lines differ"]


def _others(old: zipfile.ZipFile, new: zipfile.ZipFile) -> Iterator[str]:
    named: dict[str, list[str]] = {"added": [], "removed": [], "changed": [], _PLAN: [], _RUNNER: []}
    for name, entries in _differing(old, new).items():
        what = next((told for folder, told in _OURS.items() if name.startswith(folder)), _what_happened(*entries))
        if what:
            named[what].append(name)
    for what, names in named.items():
        if names:
            yield what if what in _OURS.values() else f"{what}: {_listed(names)}"


_RUNNER = "the runner of SQL scripts, which comes with scurry, is another one"
_PLAN = "the compiled plan of the script is another one"
_OURS = {RUNNER_PACKAGE: _RUNNER, PLAN_FOLDER: _PLAN}


def _what_happened(before: zipfile.ZipInfo | None, after: zipfile.ZipInfo | None) -> str | None:
    """Return a word for it; nothing for a text, whose lines are shown."""
    if before is None:
        return "added"
    if after is None:
        return "removed"
    return None if _is_text(before) and _is_text(after) else "changed"


def _differing(
    old: zipfile.ZipFile, new: zipfile.ZipFile
) -> Mapping[str, tuple[zipfile.ZipInfo | None, zipfile.ZipInfo | None]]:
    """Return the entries, but for folders and statements, of which the two packages do not hold the same."""
    before, after = _entries(old), _entries(new)
    return {
        name: (before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if _identity(before.get(name)) != _identity(after.get(name))
    }


def _entries(package: zipfile.ZipFile) -> Mapping[str, zipfile.ZipInfo]:
    return {
        entry.filename: entry
        for entry in package.infolist()
        if not entry.is_dir() and not entry.filename.startswith(STATEMENTS)
    }


def _identity(entry: zipfile.ZipInfo | None) -> tuple[int, int] | None:
    return (entry.CRC, entry.file_size) if entry else None


def _is_text(entry: zipfile.ZipInfo) -> bool:
    return entry.filename.endswith((".py", ".sql", ".txt", ".yaml", ".json")) and entry.file_size <= _MAX_TEXT


def _lines(package: zipfile.ZipFile, name: str) -> list[str]:
    return package.read(name).decode(errors="replace").splitlines()


def _compared(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    """Return a unified diff without its head and without the places: of generated text they would mislead."""
    for line in list(difflib.unified_diff(before, after, n=_CONTEXT, lineterm=""))[2:]:
        yield "…" if line.startswith("@@") else line


def _listed(names: Sequence[str]) -> str:
    shown = [name.removesuffix(".class").replace("/", ".") if name.endswith(".class") else name for name in names]
    more = len(shown) - _NAMED
    return ", ".join(shown[:_NAMED]) + (f" and {more} more" if more > 0 else "")
