"""Where the files of snapshots are: on this machine, in S3 or Google Cloud Storage, behind http(s).

`AnyStorage` is the `Storage` that reading needs, and what copying needs besides. Places are named as Flink names them:
`/x`, `file:/x`, `s3://`, `s3a://`, `s3p://`, `gs://`, `https://`. What is remote is imported when it is asked for.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from scurry.model.errors import SnapshotNotFound, StorageError, StorageFull
from scurry.savepoints.files import local_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

CHUNK = 8 << 20
"""bytes that are read and written at once"""
UNFINISHED = ".scurry-unfinished-"
"""how the name of a file begins that is being written"""

NAME_THE_DIRECTORY = "Name the directory that holds `_metadata`"

_S3 = frozenset({"s3", "s3a", "s3n", "s3p"})
"""Flink's plug-ins answer to several schemes: `s3` and `s3p` the one of Presto, `s3` and `s3a` that of Hadoop"""
_KNOWN = "a path, file:, s3:// (s3a://, s3p://), gs:// and https://"


class Store(Protocol):
    """One kind of place. Paths come with their scheme."""

    def size(self, path: str) -> int:
        """Bytes of a file. Raises `SnapshotNotFound`, `StorageError`."""
        ...

    def read(self, path: str, start: int, length: int) -> bytes:
        """Read up to that many bytes; fewer only where the file ends. Raises `SnapshotNotFound`, `StorageError`."""
        ...

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        """Write a file, which is seen only when all of it is there and durable. Raises `StorageError`."""
        ...

    def listing(self, path: str) -> Mapping[str, int]:
        """Sizes of all files below a directory, by their path relative to it; empty when there is none."""
        ...

    def delete(self, path: str) -> None:
        """Delete a file; none is no error. Raises `StorageError`."""
        ...


class AnyStorage:
    """All places that snapshots can be at. May be used by many threads at once."""

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        """`options` are Flink's: those for S3 (endpoint, region, keys) count where the environment has none."""
        self._options = dict(options or {})
        self._stores: dict[str, Store] = {}
        self._lock = threading.Lock()

    def size(self, path: str) -> int:
        """Bytes of a file. Raises `SnapshotNotFound`, `StorageError`, `MissingExtra`."""
        return self._store(path).size(path)

    def read(self, path: str, start: int, length: int) -> bytes:
        """Read up to that many bytes; fewer only where the file ends. Raises as `size` does."""
        return self._store(path).read(path, start, length)

    def chunks(self, path: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Read on from a place, to the file's end or so many bytes, bit by bit. Raises as `size` does."""
        end = self.size(path) if length is None else start + length
        while start < end:
            chunk = self.read(path, start, min(CHUNK, end - start))
            if not chunk:
                return
            yield chunk
            start += len(chunk)

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        """Write a file, which is seen only when all of it is there and durable.

        Raises `StorageError` (`StorageFull`), `MissingExtra`.
        """
        self._store(path).write(path, chunks)

    def listing(self, path: str) -> Mapping[str, int]:
        """Sizes of all files below a directory, by their path relative to it; empty when there is none."""
        return self._store(path).listing(path)

    def delete(self, path: str) -> None:
        """Delete a file; none is no error. Raises `StorageError`."""
        self._store(path).delete(path)

    def _store(self, path: str) -> Store:
        kind = kind_of(path)
        with self._lock:
            if kind not in self._stores:
                self._stores[kind] = self._new(kind)
            return self._stores[kind]

    def _new(self, kind: str) -> Store:
        if kind == "file":
            return LocalStore()
        if kind == "http":
            from scurry.savepoints.storage_web import WebStore

            return WebStore()
        if kind == "s3":
            from scurry.savepoints.storage_s3 import S3Store

            return S3Store.of(self._options)
        from scurry.savepoints.storage_google import GoogleStore

        return GoogleStore()


def kind_of(path: str) -> str:
    """Return what kind of place a path names: `file`, `http`, `s3` or `gs`. Raises `StorageError` for another."""
    if path.startswith(("arn:", "msf:")):
        raise StorageError(
            f"{path!r} is a snapshot of the managed service, which keeps its bytes to itself",
            hint="Name the application, whose newest snapshot with a copy in S3 is read then; or that copy.",
        )
    scheme = urlsplit(path).scheme if "://" in path else path.partition(":")[0] if path.startswith("file:") else ""
    scheme = scheme.lower()
    if scheme in {"", "file"}:
        return "file"
    if scheme in {"http", "https"}:
        return "http"
    if scheme in _S3:
        return "s3"
    if scheme == "gs":
        return "gs"
    raise StorageError(f"{path!r} is at a place that is not known here: {scheme}://", hint=f"Known are {_KNOWN}")


def absolute(path: str) -> str:
    """Return a path as Flink can take it from anywhere: a path of this machine without its `.` and `..`."""
    if kind_of(path) != "file":
        return path.rstrip("/")
    return os.path.abspath(local_path(path).expanduser())


class LocalStore:
    """Files of this machine."""

    def size(self, path: str) -> int:
        """Bytes of a file. Raises `SnapshotNotFound`, `StorageError`."""
        with _reading(path):
            return local_path(path).stat().st_size

    def read(self, path: str, start: int, length: int) -> bytes:
        """Read up to that many bytes. Raises `SnapshotNotFound`, `StorageError`."""
        with _reading(path), local_path(path).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        """Write a file by way of another one, renamed when its bytes are on the disk. Raises `StorageError`."""
        final = local_path(path)
        with writing(path, final.parent):
            final.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=UNFINISHED, dir=final.parent)
        try:
            with writing(path, final.parent), os.fdopen(descriptor, "wb") as file:
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
                os.fchmod(file.fileno(), 0o644)  # as Flink writes them: mkstemp's are its owner's alone
                os.fsync(file.fileno())
            with writing(path, final.parent):
                os.replace(name, final)
                _sync(final.parent)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise

    def listing(self, path: str) -> Mapping[str, int]:
        """Sizes of all files below a directory. Raises `StorageError`."""
        folder = local_path(path)
        with _reading(path):
            if folder.exists() and not folder.is_dir():
                raise StorageError(f"{path!r} is a file, not a directory")
            return {
                str(file.relative_to(folder)): file.lstat().st_size
                for file in folder.rglob("*")
                if not file.is_dir() or file.is_symlink()
            }

    def delete(self, path: str) -> None:
        """Delete a file; none is no error. Raises `StorageError`."""
        with writing(path, local_path(path).parent):
            local_path(path).unlink(missing_ok=True)


def free_bytes(path: str) -> int | None:
    """Return how much room there is where a file of this machine would be written; None elsewhere."""
    if kind_of(path) != "file":
        return None
    folder = local_path(path)
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    with _reading(path):
        return shutil.disk_usage(folder).free


@contextmanager
def writing(path: str, folder: Path) -> Iterator[None]:
    """Turn what the file system says while a file is written into a `StorageError` with what to do."""
    import errno

    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise StorageFull(
                f"there is no room left to write {path!r}: {error.strerror}",
                hint=f"To see what fills the disk, run:\n  df -h {folder}",
            ) from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            hint = f"To see whose it is, run:\n  ls -ld {folder}"
            raise StorageError(f"{path!r} cannot be written: {error.strerror}", hint=hint) from error
        raise StorageError(f"{path!r} cannot be written: {error.strerror or error}") from error


@contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SnapshotNotFound(f"there is no file {path!r}", hint=NAME_THE_DIRECTORY) from error
    except PermissionError as error:
        hint = f"To see whose it is, run:\n  ls -ld {local_path(path)}"
        raise StorageError(f"{path!r} may not be read by this user", hint=hint) from error
    except IsADirectoryError as error:
        raise SnapshotNotFound(f"{path!r} is a directory, not a file") from error
    except OSError as error:
        raise StorageError(f"{path!r} cannot be read: {error.strerror or error}") from error


def _sync(folder: Path) -> None:
    """Bring a folder's entries to the disk, where the file system can do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
