"""The store of artifacts in a workspace: each under the digest of its bytes, written once, never changed.

DIRECTORY/<64 hexadecimal digits>/app.jar
DIRECTORY/<64 hexadecimal digits>/.artifact.json     what it is, and its size and time when it was written
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scurry.artifacts.disk import digest_of, settle, staging, sync_folder, write_atomically, writing
from scurry.model.desired import Artifact, ArtifactKind
from scurry.model.errors import ArtifactError

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Collection
    from datetime import datetime

_RECORD = ".artifact.json"
_BUILT = "built"
_PREFIX = "sha256:"


class ArtifactStore:
    """Artifacts by digest. Several processes may use it at once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def put_file(self, path: Path, kind: ArtifactKind, file_name: str | None = None) -> Artifact:
        """Copy a file into the store and return its identity. A file that is there already is not copied again.

        Raises `ArtifactError` when the file cannot be read, `WorkspaceError` when the store cannot be written.
        """
        try:
            digest, size = digest_of(path), path.stat().st_size
        except OSError as error:
            raise ArtifactError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error
        name = Path(file_name or path.name).name
        if self._is_there(digest, size):
            return self._used(_artifact(kind, digest, name, size))
        # What is stored counts, should the file be changing under our hands.
        return self._store(lambda target: shutil.copyfile(path, target), kind, name)

    def put_bytes(self, data: bytes, kind: ArtifactKind, file_name: str) -> Artifact:
        """Write bytes into the store and return their identity. Raises `WorkspaceError`."""
        return self._store(lambda target: target.write_bytes(data), kind, Path(file_name).name)

    def path(self, artifact: Artifact) -> Path:
        """Return where the bytes are. Raises `ArtifactError` when they are not there or were changed."""
        folder = self._folder(artifact)
        found = self._file_in(folder)
        if found is None:
            raise ArtifactError(
                f"the artifact {artifact.file_name!r} ({artifact.digest}) is not in {str(self.directory)!r}",
                hint="Deploy from the spec again, which builds it anew:\n  scurry apply FILE",
            )
        if not _unchanged(found, folder / _RECORD) and digest_of(found) != artifact.digest.removeprefix(_PREFIX):
            raise ArtifactError(
                f"the artifact {str(found)!r} was changed after it was stored: its digest is no longer that of its "
                f"name, {artifact.digest}",
                hint=f"Delete it and deploy from the spec again:\n  rm -r {folder}\n  scurry apply FILE",
            )
        return found

    def has(self, artifact: Artifact) -> bool:
        """Say whether the bytes are there and whole."""
        try:
            self.path(artifact)
        except ArtifactError:
            return False
        return True

    def list(self) -> builtins.tuple[Artifact, ...]:
        """Return what the store holds, by file name."""
        found = []
        for folder in self.directory.glob("[0-9a-f]" * 64):
            with suppress(OSError, ValueError, KeyError):
                told = json.loads((folder / _RECORD).read_text("utf-8"))
                found.append(_artifact(ArtifactKind(told["kind"]), folder.name, told["file_name"], told["size_bytes"]))
        return tuple(sorted(found, key=lambda artifact: (artifact.file_name, artifact.digest)))

    def discard(self, digest: str) -> int:
        """Delete an artifact and return the bytes freed; 0 when it is not there. Raises `WorkspaceError`."""
        folder = self.directory / digest.removeprefix(_PREFIX)
        with writing(folder):
            if not folder.exists():
                return 0
            freed = sum(entry.stat().st_size for entry in folder.iterdir())
            with staging(self.directory) as grave:
                folder.rename(grave / folder.name)  # at once for everybody else
            return freed

    def unused(self, needed: Collection[str], *, before: datetime) -> builtins.tuple[Artifact, ...]:
        """Return the artifacts whose digest is not among these and that nobody asked for since a time.

        What is being built and applied now is in no journal yet; that is what the time is for.
        """
        return tuple(
            artifact
            for artifact in self.list()
            if artifact.digest not in needed and self._folder(artifact).stat().st_mtime < before.timestamp()
        )

    def forget_built(self) -> None:
        """Forget what was built from what, where that is gone from the store."""
        for record in (self.directory / _BUILT).glob("*.json"):
            artifact = self._built(record.stem)
            if artifact is None or not self.has(artifact):
                record.unlink(missing_ok=True)

    def built(self, key: str) -> Artifact | None:
        """Return what was built from the things that `key` stands for, if it is still there and whole."""
        artifact = self._built(key)
        return self._used(artifact) if artifact and self.has(artifact) else None

    def remember_built(self, key: str, artifact: Artifact) -> None:
        """Remember what was built from the things that `key` stands for. Raises `WorkspaceError`."""
        write_atomically(self.directory / _BUILT / f"{key}.json", msgspec.json.encode(artifact))

    def _built(self, key: str) -> Artifact | None:
        with suppress(OSError, ValueError):
            return msgspec.json.decode((self.directory / _BUILT / f"{key}.json").read_bytes(), type=Artifact)
        return None

    def _used(self, artifact: Artifact) -> Artifact:
        """Remember, as its folder's time, that somebody is about to use it."""
        with suppress(OSError):
            os.utime(self._folder(artifact))
        return artifact

    def _store(self, write: Callable[[Path], object], kind: ArtifactKind, name: str) -> Artifact:
        with writing(self.directory / name):
            self.directory.mkdir(parents=True, exist_ok=True)
            with staging(self.directory) as area:
                folder = area / "artifact"
                folder.mkdir()
                write(folder / name)
                artifact = _artifact(kind, digest_of(folder / name), name, (folder / name).stat().st_size)
                _seal(folder, artifact)
                self._move_into_place(folder, artifact)
        return artifact

    def _move_into_place(self, folder: Path, artifact: Artifact) -> None:
        final = self._folder(artifact)
        if final.exists() and not self.has(artifact):
            final.rename(folder.parent / "damaged")
        try:
            folder.rename(final)
        except OSError:
            if not self.has(artifact):  # else another process was faster, with the same bytes
                raise
        sync_folder(self.directory)

    def _is_there(self, digest: str, size: int) -> bool:
        return self.has(_artifact(ArtifactKind.JAR, digest, "", size))

    def _folder(self, artifact: Artifact) -> Path:
        return self.directory / artifact.digest.removeprefix(_PREFIX)

    @staticmethod
    def _file_in(folder: Path) -> Path | None:
        with suppress(OSError, StopIteration):
            return next(entry for entry in folder.iterdir() if entry.name != _RECORD)
        return None


def _artifact(kind: ArtifactKind, digest: str, name: str, size: int) -> Artifact:
    return Artifact(kind=kind, digest=f"{_PREFIX}{digest}", file_name=name, size_bytes=size)


def _seal(folder: Path, artifact: Artifact) -> None:
    file = folder / artifact.file_name
    file.chmod(0o444 & file.stat().st_mode | 0o400)
    settle(file)
    told = {
        "kind": artifact.kind.value,
        "file_name": artifact.file_name,
        "size_bytes": artifact.size_bytes,
        "mtime_ns": file.stat().st_mtime_ns,
    }
    record = folder / _RECORD
    record.write_text(json.dumps(told), "utf-8")
    settle(record)
    sync_folder(folder)


def _unchanged(file: Path, record: Path) -> bool:
    """Cheap: size and time are those of the moment when it was stored. Reading all of it is left to who doubts."""
    try:
        told = json.loads(record.read_text("utf-8"))
        now = file.stat()
        return (now.st_size, now.st_mtime_ns) == (told["size_bytes"], told["mtime_ns"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
