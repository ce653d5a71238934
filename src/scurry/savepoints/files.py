"""What reading a snapshot needs of the place where its files are; and that of this machine's own file system."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from scurry.model.errors import SnapshotNotFound, StorageError

METADATA = "_metadata"


class Storage(Protocol):
    """Reads files by path or URI, as Flink writes them: `/x`, `file:/x`, `s3://bucket/key`."""

    def size(self, path: str) -> int:
        """Bytes of a file. Raises `SnapshotNotFound` when there is none, `StorageError`."""
        ...

    def read(self, path: str, start: int, length: int) -> bytes:
        """Read up to that many bytes; fewer only where the file ends. Raises as `size` does."""
        ...


class LocalStorage:
    """Files of this machine."""

    def size(self, path: str) -> int:
        """Bytes of a file. Raises `SnapshotNotFound`, `StorageError`."""
        try:
            return local_path(path).stat().st_size
        except OSError as error:
            raise _told(path, error) from error

    def read(self, path: str, start: int, length: int) -> bytes:
        """Read up to that many bytes. Raises `SnapshotNotFound`, `StorageError`."""
        try:
            with local_path(path).open("rb") as file:
                file.seek(start)
                return file.read(length)
        except OSError as error:
            raise _told(path, error) from error


def local_path(path: str) -> Path:
    """Return the path that a path or a `file:` URI names; Flink escapes nothing in it.

    Raises `SnapshotNotFound` for a URI of elsewhere.
    """
    bare = path.removeprefix("file:")
    if bare != path and bare.startswith("//"):
        host, _, rest = bare[2:].partition("/")
        if host not in {"", "localhost"}:
            raise SnapshotNotFound(f"{path!r} is on the host {host!r}, not on this machine")
        bare = f"/{rest}"
    if "\0" in bare or "://" in bare:
        raise SnapshotNotFound(f"{path!r} is not the path of a file on this machine")
    return Path(bare)


def _told(path: str, error: OSError) -> SnapshotNotFound | StorageError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return SnapshotNotFound(f"there is no file {path!r}", hint="Name the directory that holds `_metadata`")
    return StorageError(f"{path!r} cannot be read: {error.strerror}")


def metadata_path(location: str) -> str:
    """Return the path of the `_metadata` of a snapshot, which is named by its directory or by that file."""
    bare = location.rstrip("/") or "/"
    return bare if bare.rsplit("/", 1)[-1] == METADATA else f"{bare}/{METADATA}"


def beside(location: str, relative: str) -> str:
    """Return the path of a file that `_metadata` names relative to itself."""
    return f"{metadata_path(location).removesuffix(METADATA)}{relative}"
