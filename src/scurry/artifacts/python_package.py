"""A PyFlink application's code to one zip, the same to the byte wherever it is made.

In it: the entry script at the top, the modules beside it, other files that the spec names, `requirements.txt`,
connectors under `lib/`. Nothing is installed or imported here.
"""

from __future__ import annotations

import ast
import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scurry.artifacts.jar_package import LIBRARIES
from scurry.artifacts.zip_writer import ZipWriter
from scurry.model.desired import ArtifactKind
from scurry.model.errors import ArtifactError, Place, Problem, SpecInvalid, concerning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scurry.artifacts.store import ArtifactStore
    from scurry.model.desired import Artifact

REQUIREMENTS = "requirements.txt"
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})
_LARGEST_BYTES = 512 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonParts:
    """What a script needs besides the modules that lie beside it; paths are relative to the spec's folder."""

    requirements: str | None = None
    files: Sequence[str] = ()
    """files and folders, which go beside the script under their own names"""
    connectors: Sequence[Path] = ()
    """jars, which go under `lib/`"""


def package_python(entry: str, parts: PythonParts = PythonParts(), *, base: Path, store: ArtifactStore) -> Artifact:
    """Build the zip of a PyFlink application and store it.

    `entry` (the script) and the parts are relative to `base`, the spec's folder. Raises `SpecInvalid` with the place
    in a script that does not parse, `ArtifactError`, `WorkspaceError`.
    """
    script = base / entry
    _check_script(script, entry)
    content = dict(_modules(script.parent))
    for name in parts.files:
        content.update(_named(base / name, name))
    content.update({f"{LIBRARIES}{path.name}": path for path in parts.connectors})
    content[script.name] = script
    content.pop(REQUIREMENTS, None)
    data = {name: _read(path) for name, path in content.items()}
    if parts.requirements is not None:
        with concerning("code", "requirements"):
            data[REQUIREMENTS] = _requirements(base / parts.requirements, parts.requirements)
    if sum(map(len, data.values())) > _LARGEST_BYTES:
        raise ArtifactError(
            f"the files of {entry!r} are larger than {_LARGEST_BYTES >> 20} MiB together",
            hint="Put the script into a folder of its own, and data where Flink reads it",
        )
    out = io.BytesIO()
    archive = ZipWriter(out)
    for name in sorted(data):
        archive.add(name, data[name])
    archive.close()
    return store.put_bytes(out.getvalue(), ArtifactKind.PYTHON, f"{script.stem}.zip")


def _check_script(script: Path, entry: str) -> None:
    if not script.is_file():
        beside = sorted(path.name for path in script.parent.glob("*.py"))[:5]
        hint = f"Scripts there: {', '.join(beside)}" if beside else "The path is relative to the spec's folder"
        raise ArtifactError(f"the Python script {entry!r} does not exist: there is no {str(script)!r}", hint=hint)
    source = _read(script)
    try:
        # The version that counts is the cluster's; Python's grammar only grows, so what a newer one refuses is wrong.
        ast.parse(source, filename=str(script))
    except (SyntaxError, ValueError) as error:
        line, column = getattr(error, "lineno", None), getattr(error, "offset", None)
        problem = Problem(
            message=f"not valid Python: {getattr(error, 'msg', None) or error}",
            place=Place(file=str(script), line=line, column=column),
        )
        raise SpecInvalid((problem,)) from error


def _modules(folder: Path) -> Iterator[tuple[str, Path]]:
    """The Python files of a folder and of those below, by their names within it."""
    for path, name in _walk(folder):
        if path.suffix == ".py":
            yield name, path


def _named(path: Path, name: str) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield path.name, path
    elif path.is_dir():
        for file, inner in _walk(path):
            yield f"{path.name}/{inner}", file
    else:
        raise ArtifactError(f"{name!r} of `code.files` does not exist: there is no {str(path)!r}").concerning(
            "code", "files"
        )


def _walk(folder: Path) -> Iterator[tuple[Path, str]]:
    for root, folders, files in os.walk(folder):
        here = Path(root)
        folders[:] = sorted(name for name in folders if _belongs(here / name))
        for file in sorted(files):
            if not file.startswith(".") and not file.endswith((".pyc", ".pyo")):
                yield here / file, (here / file).relative_to(folder).as_posix()


def _belongs(folder: Path) -> bool:
    """Neither hidden, nor a cache, nor an environment (PEP 405: `pyvenv.cfg`), nor another project's workspace."""
    if folder.name.startswith(".") or folder.name in _SKIPPED or folder.name.endswith(".egg-info"):
        return False
    return not (folder / "pyvenv.cfg").exists()


def _requirements(path: Path, name: str) -> bytes:
    if not path.is_file():
        raise ArtifactError(f"the requirements {name!r} do not exist: there is no {str(path)!r}")
    try:
        text = _read(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ArtifactError(f"the requirements {name!r} cannot be read: they are not UTF-8 text") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if match := re.match(r"\s*(-r|--requirement|-c|--constraint|-e|--editable)\b", line):
            raise ArtifactError(
                f"{match[1]!r} in the requirements {name!r} refers to a file that the package would not hold",
                hint="Write the requirements into one file",
                place=Place(file=str(path), line=number),
            )
    return text.replace("\r\n", "\n").encode()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error
