"""Files written so that nobody ever sees half of one, and what it means when that fails.

A file appears by a rename, after its bytes are on the disk. A failed write leaves nothing behind.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from scurry.model.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INCOMING = ".incoming-"
_FORGOTTEN_AFTER_S = 24 * 3600


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, as 64 hexadecimal digits. Raises `OSError`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file or replace it: all of it or nothing. Raises `WorkspaceError`."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with staging(path.parent) as folder:
            temporary = folder / path.name
            temporary.write_bytes(data)
            settle(temporary)
            temporary.replace(path)
            sync_folder(path.parent)


@contextmanager
def staging(parent: Path) -> Iterator[Path]:
    """Give a folder to build something in that is then renamed into `parent`; deleted with what is still in it."""
    _sweep(parent)
    folder = parent.__class__(tempfile.mkdtemp(prefix=INCOMING, dir=parent))
    try:
        folder.chmod(0o777 & ~_umask())
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def settle(path: Path) -> None:
    """Bring a file's bytes to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk, where the file system can do that."""
    with suppress(OSError):
        settle(folder)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the file system says while writing to `path` into a `WorkspaceError` with what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise WorkspaceError(
                f"there is no room left to write {str(path)!r}: {error.strerror}",
                hint=f"To see what fills the disk:\n  df -h {path.parent}",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise WorkspaceError(
                f"{str(path)!r} cannot be written: {error.strerror}",
                hint=f"To see whose it is:\n  ls -ld {path.parent}",
            ) from error
        raise WorkspaceError(f"{str(path)!r} cannot be written: {error}") from error


def _sweep(parent: Path) -> None:
    """Delete what killed processes left behind."""
    for folder in parent.glob(f"{INCOMING}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _FORGOTTEN_AFTER_S:
                shutil.rmtree(folder, ignore_errors=True)


def _umask() -> int:
    # There is no way to read it but to set it; mkdtemp makes folders that only the owner can enter.
    current = os.umask(0o022)
    os.umask(current)
    return current
