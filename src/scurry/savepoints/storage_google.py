"""Snapshots in Google Cloud Storage, by gcsfs.

Credentials are found the ways that Google's own libraries find them. Nothing that was listed or read is remembered: a
snapshot comes and goes while we look.
"""

from __future__ import annotations

import itertools
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from scurry.model.errors import MissingExtra, SnapshotNotFound, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

BLOCK = 16 << 20
"""bytes of one part of an upload"""
_HINT = "To see whose credentials are found, run:\n  gcloud auth list"


class GoogleStore:
    """Objects by their whole addresses."""

    def __init__(self) -> None:
        """Raise `MissingExtra` where gcsfs is not installed."""
        try:
            import gcsfs
        except ImportError as error:
            raise MissingExtra("gcs", purpose="reading and writing snapshots in Google Cloud Storage") from error
        self._files: Any = gcsfs.GCSFileSystem(use_listings_cache=False, skip_instance_cache=True, block_size=BLOCK)

    def size(self, path: str) -> int:
        """Bytes of an object. Raises `SnapshotNotFound`, `StorageError`."""
        with self._told(path, "read"):
            found = self._files.info(_key(path))
        if found["type"] != "file":
            raise SnapshotNotFound(f"there is no object {path!r}; it is the beginning of others' names")
        return int(found["size"])

    def read(self, path: str, start: int, length: int) -> bytes:
        """Read up to that many bytes. Raises `SnapshotNotFound`, `StorageError`."""
        if length <= 0:
            return b""
        try:
            with self._told(path, "read"):
                return bytes(self._files.cat_file(_key(path), start=start, end=start + length))
        except StorageError:
            if start >= self.size(path):  # behind an object's end the store has only an error
                return b""
            raise

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        """Write an object, which is seen when all of it is there. Raises `StorageError`."""
        bits = iter(chunks)
        first = bytearray()
        for chunk in bits:
            first += chunk
            if len(first) >= BLOCK:
                break
        with self._told(path, "written"):
            if len(first) < BLOCK:
                self._files.pipe_file(_key(path), bytes(first))
            else:
                self._write_parts(path, itertools.chain([bytes(first)], bits))

    def _write_parts(self, path: str, chunks: Iterable[bytes]) -> None:
        file = self._files.open(_key(path), "wb", block_size=BLOCK)
        try:
            for chunk in chunks:
                file.write(chunk)
            file.close()
        except BaseException:
            # Closing, and fsspec closes when it collects garbage, would make an object of the half that is there.
            file.closed = True
            with suppress(Exception):
                file.discard()
            raise

    def listing(self, path: str) -> Mapping[str, int]:
        """Sizes of all objects below a prefix, by their name behind it. Raises `StorageError`."""
        prefix = _key(path).rstrip("/") + "/"
        try:
            with self._told(path, "listed"):
                found = self._files.find(prefix, detail=True)
        except SnapshotNotFound:
            return {}
        return {
            name.removeprefix(prefix): int(each["size"] or 0) for name, each in found.items() if name.startswith(prefix)
        }

    def delete(self, path: str) -> None:
        """Delete an object; none is no error. Raises `StorageError`."""
        with suppress(SnapshotNotFound), self._told(path, "deleted"):
            self._files.rm_file(_key(path))

    @contextmanager
    def _told(self, path: str, done: str) -> Iterator[None]:
        """Turn what gcsfs raises into our errors."""
        try:
            yield
        except FileNotFoundError as error:
            raise SnapshotNotFound(f"there is no object {path!r}", hint="Check the address") from error
        except PermissionError as error:
            why = str(error).rstrip(".") or "access denied"
            raise StorageError(f"{path!r} cannot be {done}: {why}", hint=_HINT) from error
        except (SnapshotNotFound, StorageError):
            raise
        except OSError as error:
            raise StorageError(f"{path!r} cannot be {done}: {str(error) or type(error).__name__}") from error
        except Exception as error:
            if not _is_of_the_library(error):
                raise
            hint = _HINT if "redential" in str(error) else "Check the address and the network"
            raise StorageError(f"{path!r} cannot be {done}: {str(error).rstrip('.')}", hint=hint) from error


def _key(path: str) -> str:
    """Return bucket and key: what fsspec calls a path. Flink escapes nothing in its URIs."""
    return path.partition("://")[2]


def _is_of_the_library(error: Exception) -> bool:
    """Whether an exception comes from what talks to the store; their bases are not ours to import."""
    return type(error).__module__.split(".")[0] in {"aiohttp", "fsspec", "gcsfs", "google"}
