"""The cache of runtimes on this machine: one folder per runtime, filled once, by one process at a time.

    CACHE/flink/2.3.0/  CACHE/java/17/  CACHE/python/DIGEST/     complete when MARKER is in it
    CACHE/class-data/2.3.0-java17-…/                             what Java recorded (`class_data.py`)
    CACHE/staging/flink-2.3.0/                                   work in progress, renamed into place when done
    CACHE/locks/flink-2.3.0.lock                                 held while installing or removing

The lock is the kernel's, so it goes with a killed process; whoever gets it next clears what that one left.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from scurry.model.errors import RuntimeUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from filelock import BaseFileLock

    from scurry.model.reporting import Reporter

Kind = Literal["flink", "java", "python", "archive"]
KINDS: tuple[Kind, ...] = ("flink", "java", "python", "archive")

_CLASS_DATA = "class-data"

MARKER = ".scurry.json"
"""Written last: a folder without it was never finished."""
_LAST_WORDS_S = 10.0
"""how long a pip whose install was killed may take to end"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """Something in the cache."""

    kind: Kind
    version: str
    path: Path
    size_bytes: int
    source: str
    last_used: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A place in the cache for one runtime, and what is known of it before it is there."""

    kind: Kind
    key: str
    """the folder's name"""
    version: str
    source: str
    title: str
    """for people: `Flink 2.3.0`"""
    proof: str = MARKER
    """a file, as a pattern, without which the folder is damaged, whatever its marker says"""

    @property
    def name(self) -> str:
        """What its lock and its staging folder are called."""
        return f"{self.kind}-{self.key}"


class InstallCache:
    """The folders of the cache and their locks."""

    def __init__(self, root: Path, reporter: Reporter) -> None:
        self.root = root
        self._reporter = reporter

    def path(self, slot: Slot) -> Path:
        """Where the runtime is, or would be."""
        return self.root / (_CLASS_DATA if slot.kind == "archive" else slot.kind) / slot.key

    def find(self, slot: Slot) -> Path | None:
        """The runtime's folder if it is there and whole."""
        path = self.path(slot)
        marker = path / MARKER
        # The proof, because caches are what people and cleaning programs delete from.
        if not marker.is_file() or not any(file.exists() for file in path.glob(slot.proof)):
            return None
        with suppress(OSError):  # a cache that others share may be read-only; then nobody knows when it was last used
            os.utime(marker)
        return path

    def obtain(self, slot: Slot, build: Callable[[Path], Path]) -> Path:
        """Find the runtime or install it.

        `build` gets an empty folder, fills it and returns the folder within it that is the runtime, which is then
        renamed into place.
        """
        if found := self.find(slot):
            return found
        with self.exclusive(slot):
            if found := self.find(slot):  # somebody else installed it while we waited
                return found
            staging = self._cleared_staging(slot)
            staging.mkdir(parents=True)
            try:
                result = build(staging)
                _mark(slot, result)
                final = self.path(slot)
                final.parent.mkdir(parents=True, exist_ok=True)
                _delete(final)  # what is there is damaged, or we would have found it
                result.rename(final)
            finally:
                _delete(staging)
        self._sweep()
        return final

    def obtain_in_place(self, slot: Slot, build: Callable[[Path], None]) -> Path:
        """Find or build something that cannot be moved once it is built, such as a Python environment."""
        if found := self.find(slot):
            return found
        with self.exclusive(slot):
            if found := self.find(slot):
                return found
            final = self.path(slot)
            _delete(final)
            final.mkdir(parents=True)
            try:
                build(final)
                _mark(slot, final)
            except BaseException:
                _delete(final)
                raise
        self._sweep()
        return final

    def slots(self, kind: Kind) -> tuple[Slot, ...]:
        """What is completely there of one kind, by name."""
        if kind == "archive":
            return tuple(_class_data_slot(path.name) for path in sorted(_folders(self.root / _CLASS_DATA)))
        return tuple(slot for path in sorted(_folders(self.root / kind)) if (slot := _read(kind, path)))

    def installed(self) -> tuple[Installed, ...]:
        """Everything that is complete, with what it weighs, by kind and name."""
        return tuple(self._weigh(slot) for kind in KINDS for slot in self.slots(kind))

    def remove(self, slot: Slot) -> int:
        """Delete a runtime, complete or not, and return the bytes freed. Waits for an install under way."""
        with self.exclusive(slot):
            staging = self._cleared_staging(slot)
            path = self.path(slot)
            if not path.exists():
                return 0
            freed = size_of(path)
            staging.parent.mkdir(parents=True, exist_ok=True)
            path.rename(staging)  # at once for everybody else, however long the deletion takes
            _delete(staging)
            return freed

    @contextmanager
    def exclusive(self, slot: Slot) -> Iterator[None]:
        """Hold the runtime's lock; reports who is waited for.

        Raises `RuntimeUnavailable` when the cache cannot be written.
        """
        from filelock import FileLock, Timeout

        with clear_errors(self.root, slot.title):
            locks = self.root / "locks"
            locks.mkdir(parents=True, exist_ok=True)
            lock = FileLock(locks / f"{slot.name}.lock")
            owner = locks / f"{slot.name}.owner"
            try:
                lock.acquire(timeout=0)
            except Timeout:
                self._wait(lock, owner, slot)
            try:
                owner.write_text(json.dumps({"pid": os.getpid(), "since": _now().strftime("%H:%M:%S")}), "utf-8")
                yield
            finally:
                owner.unlink(missing_ok=True)
                lock.release()

    def _wait(self, lock: BaseFileLock, owner: Path, slot: Slot) -> None:
        with self._reporter.activity(f"Waiting for {_holder(owner)}, at work on {slot.title}"):
            lock.acquire(poll_interval=0.1)

    def _weigh(self, slot: Slot) -> Installed:
        path = self.path(slot)
        used = None
        with suppress(OSError):
            used = datetime.fromtimestamp((path if slot.kind == "archive" else path / MARKER).stat().st_mtime, UTC)
        return Installed(
            kind=slot.kind,
            version=slot.version,
            path=path,
            size_bytes=size_of(path),
            source=slot.source,
            last_used=used,
        )

    def _sweep(self) -> None:
        """Delete what killed installs of other runtimes left and nobody came back for."""
        from filelock import FileLock, Timeout

        unfinished = {path: path.name for path in _folders(self.root / "staging")}
        unfinished |= {path: f"python-{path.name}" for path in _folders(self.root / "python")}
        for path, name in unfinished.items():
            if (path / MARKER).is_file():
                continue
            with suppress(Timeout, OSError), FileLock(self.root / "locks" / f"{name}.lock", timeout=0):
                if not (path / MARKER).is_file():
                    _delete(path)

    def _cleared_staging(self, slot: Slot) -> Path:
        staging = self.root / "staging" / slot.name
        _delete(staging)
        return staging


@contextmanager
def clear_errors(root: Path, title: str) -> Iterator[None]:
    """Turn what the file system says into a `RuntimeUnavailable` with what to do about it."""
    try:
        yield
    except OSError as error:
        raise file_system_error(error, root, title) from error


def file_system_error(error: OSError, root: Path, title: str) -> RuntimeUnavailable:
    """Say what it means that the cache could not be written."""
    elsewhere = "To use another folder:\n  export SCURRY_CACHE=/path/to/folder"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return RuntimeUnavailable(
            f"there is no room for {title} in {str(root)!r}: {error.strerror}",
            hint=f"To see what can be removed:\n  scurry runtime list\n{elsewhere}",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return RuntimeUnavailable(
            f"{title} cannot be installed: {str(root)!r} cannot be written{_owned_by(root)}", hint=elsewhere
        )
    return RuntimeUnavailable(f"{title} cannot be installed in {str(root)!r}: {error}", hint=elsewhere)


def size_of(path: Path) -> int:
    """Bytes of all files under a folder, links not followed."""
    if path.is_file():
        return path.stat().st_size
    total = 0
    for folder, _, files in os.walk(path):
        for file in files:
            with suppress(OSError):
                total += os.lstat(os.path.join(folder, file)).st_size
    return total


def default_cache() -> Path:
    """The user's cache folder for runtimes: SCURRY_CACHE, else `scurry` in the platform's cache folder."""
    if chosen := os.environ.get("SCURRY_CACHE"):
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "scurry"
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification: a relative path there is to be ignored.
    return (Path(xdg) if os.path.isabs(xdg) else Path.home() / ".cache") / "scurry"


def _owned_by(root: Path) -> str:
    import pwd

    existing = next((folder for folder in (root, *root.parents) if folder.exists()), Path("/"))
    owner = existing.stat().st_uid
    if owner == os.geteuid():
        return ""
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = str(owner)
    return f"; {str(existing)!r} belongs to the user {name!r}"


def _holder(owner: Path) -> str:
    try:
        told = json.loads(owner.read_text("utf-8"))
        return f"process {told['pid']} (since {told['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _now() -> datetime:
    return datetime.now().astimezone()


def _mark(slot: Slot, folder: Path) -> None:
    told = {"version": slot.version, "source": slot.source, "title": slot.title, "installed_at": _now().isoformat()}
    (folder / MARKER).write_text(json.dumps(told), "utf-8")


def _read(kind: Kind, path: Path) -> Slot | None:
    try:
        told = json.loads((path / MARKER).read_text("utf-8"))
        version, source, title = str(told["version"]), str(told["source"]), str(told["title"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Slot(kind=kind, key=path.name, version=version, source=source, title=title)


def _class_data_slot(name: str) -> Slot:
    return Slot(kind="archive", key=name, version=name, source="recorded", title=f"class data {name}")


def _folders(path: Path) -> list[Path]:
    try:
        return [entry for entry in path.iterdir() if entry.is_dir()]
    except OSError:
        return []


def _delete(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    deadline = time.monotonic() + _LAST_WORDS_S
    while path.exists():
        try:
            shutil.rmtree(path)
        except OSError as error:
            # The pip of a killed install is told to end, and until it did it makes and deletes files here.
            if error.errno not in (errno.ENOENT, errno.ENOTEMPTY) or time.monotonic() > deadline:
                raise
