"""What a copy that is not complete knows of itself: of which snapshot it is, and which files are done.

It is kept beside the files, as `.scurry-copy.json`, and gone when the copy is whole. Without `_metadata` a directory
is no snapshot to Flink, and without this file it is nothing that may be gone on with.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from typing import TYPE_CHECKING, Any

from scurry.model.errors import StorageError
from scurry.savepoints.copy_rewriting import OWN_PREFIX
from scurry.savepoints.files import METADATA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scurry.savepoints.storage import AnyStorage

MANIFEST = f"{OWN_PREFIX}copy.json"
_FORMAT = 1
_SAVE_AFTER_S = 0.5
_SAVE_AFTER_BYTES = 64 << 20


class Manifest:
    """The manifest of one copy; files are noted by many threads."""

    def __init__(self, storage: AnyStorage, target: str, *, source: str, source_digest: str) -> None:
        self._storage = storage
        self._path = f"{target}/{MANIFEST}"
        self._about = {"format": _FORMAT, "source": source, "source_metadata_sha256": source_digest}
        self._done: dict[str, tuple[int, str]] = {}
        self._lock = threading.Lock()
        self._saved_at, self._unsaved = 0.0, 0

    def take_up(self, listing: Mapping[str, int]) -> None:
        """Take up what an interrupted copy left: what it noted as done counts if it is there in that size.

        Raises `StorageError` when there is something else.
        """
        found = self._read(listing)
        if found is None:
            return
        ours = {name: self._about[name] for name in ("format", "source_metadata_sha256")}
        if {name: found.get(name) for name in ours} != ours:
            raise StorageError(
                f"{self._folder!r} holds the beginning of a copy of another snapshot: {found.get('source')}",
                hint="Name an empty place to copy to, or delete that first",
            )
        for name, (size, digest) in found.get("done", {}).items():
            if listing.get(name) == size:
                self._done[name] = (int(size), str(digest))

    def _read(self, listing: Mapping[str, int]) -> dict[str, Any] | None:
        foreign = sorted(name for name in listing if not name.startswith(OWN_PREFIX))
        if MANIFEST not in listing:
            if not foreign:
                return None
            what = "a snapshot is there" if METADATA in foreign else f"{foreign[0]!r} is there"
            raise StorageError(
                f"{self._folder!r} is not empty: {what}",
                hint="Name a directory that is empty, or none that exists",
            )
        try:
            found = json.loads(b"".join(self._storage.chunks(self._path)))
            return found if isinstance(found, dict) else {}
        except ValueError:
            return {}

    @property
    def _folder(self) -> str:
        return self._path.removesuffix(f"/{MANIFEST}")

    def is_done(self, name: str) -> bool:
        """Whether a file is there, whole and verified."""
        return name in self._done

    def note(self, name: str, size: int, digest: str) -> None:
        """Remember that a file is there, whole and verified; written down every now and then."""
        with self._lock:
            self._done[name] = (size, digest)
            self._unsaved += size
            if self._unsaved >= _SAVE_AFTER_BYTES or time.monotonic() - self._saved_at >= _SAVE_AFTER_S:
                self._save()

    def save(self) -> None:
        """Write down what is remembered. Raises `StorageError`."""
        with self._lock:
            self._save()

    def _save(self) -> None:
        text = json.dumps({**self._about, "done": self._done}, indent=1)
        self._storage.write(self._path, [text.encode()])
        self._saved_at, self._unsaved = time.monotonic(), 0

    def remove(self, listing: Mapping[str, int]) -> None:
        """Delete it, with what killed processes left of their own in the directory: the copy is whole."""
        for name in {MANIFEST, *(name for name in listing if name.startswith(OWN_PREFIX))}:
            self._storage.delete(f"{self._folder}/{name}")


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()
