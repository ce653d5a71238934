"""Copies a snapshot to another place, as one that can be moved: paths in `_metadata` become relative.

Each file is read back and compared after it was written. `_metadata` is written last: without it, what is there is no
snapshot to anybody. A copy that was interrupted goes on where it was; what is verified is not copied again.
"""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.model.errors import SnapshotGone, SnapshotNotFound, SnapshotUnreadable, StorageError, StorageFull
from scurry.savepoints.copy_manifest import MANIFEST, Manifest, digest_of
from scurry.savepoints.copy_rewriting import rewrite
from scurry.savepoints.files import METADATA, metadata_path
from scurry.savepoints.storage import absolute, free_bytes, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future

    from scurry.model.reporting import Activity, Reporter
    from scurry.savepoints.copy_rewriting import Part, Rewritten
    from scurry.savepoints.storage import AnyStorage

AT_ONCE = 6
"""files"""
_MEBI = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A copy that is whole."""

    location: str
    """what Flink can restore from"""
    files: int
    """besides `_metadata`"""
    bytes: int
    """of all its files, `_metadata` included"""
    resumed_files: int
    """that an interrupted copy before had brought already"""
    metadata_sha256: str


class _Interrupted(Exception):
    """Another file failed, or a person stopped it; so this one ends, too."""


def copy_snapshot(
    source: str, target: str, storage: AnyStorage, reporter: Reporter, *, at_once: int = AT_ONCE, again: bool = False
) -> Copied:
    """Copy a snapshot into a directory that is empty, does not exist, or holds the beginning of the same copy.

    `again`: that the same copy is there already, whole, is no error.

    Raises `SnapshotNotFound`; `SnapshotGone` when files of it vanish meanwhile; `SnapshotUnreadable`; `StorageError`
    (`StorageFull`), `MissingExtra`. Whatever it is, the same call goes on from what is there.
    """
    source, target = absolute(source), absolute(target)
    data = _load(metadata_path(source), storage)
    place = f"file:{target}" if kind_of(target) == "file" else target
    wanted = rewrite(data, source=source, target=place)
    manifest = Manifest(storage, target, source=source, source_digest=digest_of(data))
    listing = storage.listing(target)
    todo: list[Part] = []
    if not (again and _is_whole(target, listing, wanted, storage)):
        manifest.take_up(listing)
        todo = [part for part in wanted.parts if not manifest.is_done(part.name)]
        _refuse_full(target, sum(part.size for part in todo) + len(wanted.metadata))
        manifest.save()
        _Copying(storage, target, manifest).all(todo, reporter, at_once=at_once)
        _finish(storage, target, manifest, wanted)
    return Copied(
        location=place,
        files=len(wanted.parts),
        bytes=wanted.size + len(wanted.metadata),
        resumed_files=len(wanted.parts) - len(todo),
        metadata_sha256=digest_of(wanted.metadata),
    )


def _load(path: str, storage: AnyStorage) -> bytes:
    return storage.read(path, 0, storage.size(path))


def _is_whole(target: str, listing: Mapping[str, int], wanted: Rewritten, storage: AnyStorage) -> bool:
    """Whether the copy is there, as `_metadata` says, which is written last; and every file in its size."""
    if listing.get(METADATA) != len(wanted.metadata) or MANIFEST in listing:
        return False
    there = all(listing.get(part.name, -1) >= part.size for part in wanted.parts)
    return there and _load(f"{target}/{METADATA}", storage) == wanted.metadata


def _refuse_full(target: str, needed: int) -> None:
    free = free_bytes(target)
    if free is not None and free < needed:
        raise StorageFull(
            f"there is no room for the copy at {target!r}: it needs {needed / _MEBI:,.0f} MiB, "
            f"and {free / _MEBI:,.0f} MiB are free. Nothing was written",
            hint=f"To see what fills the disk, run:\n  df -h {target.rpartition('/')[0] or '/'}",
        )


def _finish(storage: AnyStorage, target: str, manifest: Manifest, wanted: Rewritten) -> None:
    path = f"{target}/{METADATA}"
    storage.write(path, [wanted.metadata])
    if _load(path, storage) != wanted.metadata:
        storage.delete(path)
        raise _changed(path)
    manifest.remove(storage.listing(target))


@dataclass(frozen=True, slots=True)
class _Copying:
    """The files of one copy, several at once."""

    storage: AnyStorage
    target: str
    manifest: Manifest

    def all(self, parts: list[Part], reporter: Reporter, *, at_once: int) -> None:
        """Copy files. At the first failure, or Ctrl-C, the others end, and what is done is written down."""
        size = sum(part.size for part in parts)
        title = f"Copying {len(parts)} file{'s' if len(parts) != 1 else ''}"
        stop = threading.Event()
        with reporter.activity(title, total=size) as activity, ThreadPoolExecutor(at_once) as pool:
            largest_first = sorted(parts, key=lambda part: -part.size)
            futures = [pool.submit(self._one, part, activity, stop) for part in largest_first]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                stop.set()
                pool.shutdown(cancel_futures=True)
                with suppress(StorageError):  # on a full disk: the one of half a second ago is still there
                    self.manifest.save()
            _raise_first(futures)

    def _one(self, part: Part, activity: Activity, stop: threading.Event) -> None:
        path = f"{self.target}/{part.name}"
        seen = hashlib.sha256()
        try:
            self.storage.write(path, self._bytes(part, seen, activity, stop))
        except SnapshotNotFound as error:
            raise SnapshotGone(
                f"{part.source!r} vanished while the snapshot was copied, as the files of a running job's "
                "checkpoints do",
                hint="Take a savepoint, and copy that",
            ) from error
        size, written = 0, hashlib.sha256()
        for chunk in self.storage.chunks(path):
            _go_on(stop)
            written.update(chunk)
            size += len(chunk)
        if written.digest() != seen.digest():
            self.storage.delete(path)
            raise _changed(path)
        self.manifest.note(part.name, size, written.hexdigest())

    def _bytes(self, part: Part, seen: hashlib._Hash, activity: Activity, stop: threading.Event) -> Iterator[bytes]:
        size = 0
        for chunk in self.storage.chunks(part.source, part.start, part.length):
            _go_on(stop)
            seen.update(chunk)
            size += len(chunk)
            activity.advance(len(chunk))
            yield chunk
        if size < part.size:
            raise SnapshotUnreadable(
                f"{part.source!r} is cut short: {size:,} bytes are there from {part.start:,} on, and `_metadata` "
                f"says {part.size:,}",
                offset=part.start + size,
                field="state",
                hint="It cannot be restored. Take or name another snapshot",
            )


def _go_on(stop: threading.Event) -> None:
    if stop.is_set():
        raise _Interrupted


def _raise_first(futures: list[Future[None]]) -> None:
    """Raise the error that made the others end."""
    errors = [error for future in futures if not future.cancelled() and (error := future.exception())]
    for error in errors:
        if not isinstance(error, _Interrupted):
            raise error


def _changed(path: str) -> StorageError:
    return StorageError(
        f"{path!r} was read back with other bytes than were written; it was deleted again",
        hint="Look after the disk or the network, then run the same command again: it goes on where it was",
    )
