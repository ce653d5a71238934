"""Maven coordinates to files: their dependencies, what is left out, what is pinned in `scurry.lock`.

The dependency graph is worked out by jgo, in Python; every byte comes through `repository`, which checks it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scurry.artifacts.coordinate import Coordinate
from scurry.artifacts.disk import digest_of
from scurry.artifacts.lock import LockedFile, LockFile
from scurry.artifacts.provided import clashes, exclusions, in_lib
from scurry.artifacts.repository import FileNotInRepositories, Repositories
from scurry.model.errors import ArtifactError, ScurryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from scurry.flink.installed import FlinkRuntime
    from scurry.model.reporting import Reporter

_NEAREST = 5


class Maven:
    """Resolves coordinates by some repositories and a project's lock file."""

    def __init__(self, repositories: Repositories, lock: LockFile, *, reporter: Reporter) -> None:
        self._repositories = repositories
        self._lock = lock
        self._reporter = reporter

    def jar(self, reference: str) -> Path:
        """Return the one file of a coordinate, without dependencies: a job's jar. Raises `ArtifactError`."""
        coordinate = Coordinate.parse(reference)
        pinned = self._lock.read().jars.get(str(coordinate))
        if pinned:
            return self._pinned_file(LockedFile(coordinate=str(coordinate), sha256=pinned))
        path = self._file(coordinate)
        digest = digest_of(path)
        self._lock.update(lambda lock: lock.with_jar(str(coordinate), digest))
        return path

    def tool(self, path: str) -> Path:
        """Return a file by its path within a repository, not pinned: who asks knows its digest.

        Raises `ArtifactError`.
        """
        try:
            return self._repositories.fetch(path)
        except FileNotInRepositories as error:
            raise ArtifactError(
                f"{path.rpartition('/')[2]!r} is not in {self._asked()}",
                hint="Add a repository that has what Maven Central has to `repositories` in scurry.yaml",
            ) from error

    def jars(self, references: Iterable[str], *, flink: FlinkRuntime | None = None) -> tuple[Path, ...]:
        """Return the files of coordinates and of all that they need, without what Flink brings.

        Of two versions of the same artifact, the one that a coordinate names itself is taken, else the newer one.
        Raises `ArtifactError`.
        """
        asked = [Coordinate.parse(reference) for reference in references]
        lib = in_lib(flink) if flink else frozenset()
        wanted: list[LockedFile] = []
        for coordinate in asked:
            if clashes(coordinate, lib):
                self._reporter.note(f"'{coordinate}' is left out: Flink brings it")
                continue
            wanted.extend(self.closure(str(coordinate)))
        kept = [file for file in wanted if not clashes(Coordinate.parse(file.coordinate), lib)]
        return tuple(self._pinned_file(file) for file in self._one_version_each(kept, asked))

    def closure(self, reference: str) -> tuple[LockedFile, ...]:
        """Return the files of a coordinate and of what it needs: as pinned, else resolved and pinned now.

        Raises `ArtifactError`.
        """
        coordinate = Coordinate.parse(reference)
        pinned = self._lock.read().artifacts.get(str(coordinate))
        if pinned:
            return pinned
        with self._reporter.activity(f"Resolving {coordinate}"):
            files = tuple(
                LockedFile(coordinate=str(found), sha256=digest_of(self._file(found)))
                for found in self._resolve(coordinate)
            )
        self._lock.update(lambda lock: lock.with_artifact(str(coordinate), files))
        return files

    def _file(self, coordinate: Coordinate) -> Path:
        try:
            return self._repositories.fetch(coordinate.path())
        except FileNotInRepositories as error:
            raise self._not_found(coordinate) from error

    def _pinned_file(self, file: LockedFile) -> Path:
        coordinate = Coordinate.parse(file.coordinate)
        path = self._file(coordinate)
        found = digest_of(path)
        if found == file.sha256:
            return path
        # The copy in the cache may be what is wrong.
        self._repositories.forget(coordinate.path())
        path = self._file(coordinate)
        found = digest_of(path)
        if found == file.sha256:
            return path
        raise ArtifactError(
            f"'{coordinate}' is not what {self._lock.path.name} says: its SHA-256 is {found}, pinned is {file.sha256}",
            hint=f"If the change is wanted, remove its entry from the file, and plan again:\n  {self._lock.path}",
        )

    def _resolve(self, coordinate: Coordinate) -> tuple[Coordinate, ...]:
        """Work out what a coordinate needs at run time, itself first, the others by name."""
        from scurry.artifacts.dependencies import dependencies_of

        needed = dependencies_of(coordinate, self._repositories, leave_out=exclusions())
        others = {found for found in needed if not clashes(found, frozenset())} - {coordinate}
        return (coordinate, *sorted(others, key=str))

    def _one_version_each(self, files: Sequence[LockedFile], asked: Sequence[Coordinate]) -> Iterable[LockedFile]:
        named = {str(coordinate) for coordinate in asked}
        chosen: dict[str, LockedFile] = {}
        for file in files:
            module = Coordinate.parse(file.coordinate).module
            before = chosen.setdefault(module, file)
            if before.coordinate == file.coordinate or before.coordinate in named:
                continue
            if file.coordinate in named or _is_newer(file, before):
                chosen[module] = file
            loser = before if chosen[module] is file else file
            self._reporter.note(f"'{loser.coordinate}' gives way to '{chosen[module].coordinate}'")
        return chosen.values()

    def _asked(self) -> str:
        return " or ".join(f"{repository.name!r} ({repository.url})" for repository in self._repositories.all)

    def _not_found(self, coordinate: Coordinate) -> ArtifactError:
        asked = self._asked()
        try:
            versions = self._repositories.versions(coordinate)
        except ScurryError:
            versions = ()
        if coordinate.version in versions:
            what = f"with the classifier {coordinate.classifier!r} " if coordinate.classifier else ""
            return ArtifactError(
                f"'{coordinate}' is not in {asked}: the version is there, but no jar {what}of it",
                hint="See which files that version has in the repository",
            )
        nearest = _nearest(coordinate.version, versions)
        hint = f"Versions there are: {', '.join(nearest)}" if nearest else "Check the spelling of group and artifact"
        return ArtifactError(f"'{coordinate}' is not in {asked}", hint=hint)


def _is_newer(file: LockedFile, than: LockedFile) -> bool:
    from jgo.maven import compare_versions

    newer, older = Coordinate.parse(file.coordinate), Coordinate.parse(than.coordinate)
    return bool(compare_versions(newer.version, older.version) > 0)


def _nearest(version: str, versions: Sequence[str]) -> Sequence[str]:
    """The versions most like the one asked for, best first; else the newest ones."""
    import difflib

    alike: Any = difflib.get_close_matches(version, versions, n=_NEAREST, cutoff=0.4)
    return alike or list(reversed(versions[-_NEAREST:]))
