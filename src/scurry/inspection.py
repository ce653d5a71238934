"""Real snapshots and real programs, looked at: what `preflight.py` asks for by its ports.

Part of floor 3: it puts the reader of snapshots together with what asks programs in a JVM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.model.desired import ArtifactKind
from scurry.model.errors import ArtifactError, ScurryError
from scurry.model.state import OpenedOperator, OpenedProgram, SnapshotRead, StateType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scurry.flink.runtimes import Runtimes
    from scurry.flink.state_probe import OpenedOperator as Opened
    from scurry.model.desired import Desired
    from scurry.model.ports import ArtifactStore, Secrets
    from scurry.model.reporting import Reporter
    from scurry.model.snapshot import Exported
    from scurry.model.state import JobGraph, StateHeads
    from scurry.model.values import Text
    from scurry.savepoints.files import Storage
    from scurry.savepoints.heads import Head
    from scurry.savepoints.reading import Cursor
    from scurry.targets.job_graphs import Asking


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFiles:
    """Snapshots wherever this machine sees them."""

    secrets: Secrets | None = None
    """for keys of an object store that options only refer to; None: those are passed over"""

    def read(self, location: str, options: Mapping[str, Text]) -> SnapshotRead:
        """Return what a snapshot holds. Raises `SnapshotNotFound`, `SnapshotUnreadable`, `StorageError`.

        `SpecInvalid` when a secret that is needed for it is not there.
        """
        from scurry.savepoints.storage import AnyStorage, kind_of

        remote = kind_of(location) != "file"
        storage = _Once(AnyStorage(plain(options, self.secrets) if remote else None))
        return _read(location, storage)

    def read_exported(self, exported: Exported) -> SnapshotRead:
        """Return what a copy in S3 holds, read with its target's own credentials. Raises as `read` does."""
        from scurry.savepoints.storage_s3 import S3Store

        return _read(exported.location, _Once(S3Store(exported.s3)))


def _read(location: str, storage: Storage) -> SnapshotRead:
    from scurry.savepoints.raw_heads import read_heads
    from scurry.savepoints.snapshot import describe, load_metadata

    metadata = load_metadata(location, storage)
    return SnapshotRead(state=describe(location, metadata, storage), heads=read_heads(location, metadata, storage))


def plain(options: Mapping[str, Text], secrets: Secrets | None) -> dict[str, str]:
    """Return what options say of an object store, secrets resolved: those of nothing else are touched."""
    from scurry.savepoints.storage_s3 import S3_PREFIXES

    wanted = {key: text for key, text in options.items() if key.startswith(S3_PREFIXES)}
    if secrets is None:
        return {key: text for key, text in wanted.items() if isinstance(text, str)}
    return {key: secrets.resolve(text) for key, text in wanted.items()}


class _Once:
    """A storage of which everything is read once: a running job deletes its checkpoint while it is read."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._sizes: dict[str, int] = {}
        self._read: dict[tuple[str, int, int], bytes] = {}

    def size(self, path: str) -> int:
        """Bytes of a file."""
        if path not in self._sizes:
            self._sizes[path] = self._storage.size(path)
        return self._sizes[path]

    def read(self, path: str, start: int, length: int) -> bytes:
        """Read up to that many bytes."""
        place = path, start, length
        if place not in self._read:
            self._read[place] = self._storage.read(path, start, length)
        return self._read[place]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlinkPrograms:
    """Programs, asked in a JVM on this machine with the Flink that they are for."""

    secrets: Secrets
    store: ArtifactStore
    runtimes: Runtimes
    reporter: Reporter
    services: frozenset[str] = frozenset()
    """names of the targets that are the managed service: properties are elsewhere there"""

    def graph(self, desired: Desired, defaults: Mapping[str, str], *, as_known: bool = False) -> JobGraph:
        """Return a program's operators. Raises `ProgramFailed`, `ArtifactError`, `RuntimeUnavailable`."""
        from scurry.targets.job_graphs import wished_graph

        return wished_graph(desired, self._asking(desired, defaults, as_known=as_known)).graph

    def opened(
        self, desired: Desired, defaults: Mapping[str, str], heads: Sequence[StateHeads], *, backend: str | None
    ) -> OpenedProgram:
        """Open a program's operators with the heads of old state. Raises as `graph` does."""
        from scurry.flink.state_probe import OldHeads, Opening, probe
        from scurry.targets.job_graphs import graph_request

        answer = probe(
            graph_request(desired, self._asking(desired, defaults)),
            [OldHeads(operator=old.operator, keyed=old.keyed, not_keyed=old.not_keyed) for old in heads],
            Opening(backend=backend),
        )
        return OpenedProgram(
            operators=tuple(map(_registered, answer.operators)), resolutions=answer.resolutions, failed=answer.failed
        )

    def is_sql(self, desired: Desired) -> bool:
        """Whether it is an SQL script. Raises `ArtifactError`."""
        from scurry.artifacts.contents import is_sql

        return desired.artifact.kind is ArtifactKind.JAR and is_sql(self.store.path(desired.artifact))

    def changed_classes(self, before: Desired, after: Desired) -> frozenset[str] | None:
        """Return the classes that differ; None where one of the two artifacts is not in the store any more."""
        from scurry.artifacts.contents import changed_classes

        if before.artifact.digest == after.artifact.digest:
            return frozenset()
        try:
            return changed_classes(self.store.path(before.artifact), self.store.path(after.artifact))
        except ArtifactError:
            return None

    def _asking(self, desired: Desired, defaults: Mapping[str, str], *, as_known: bool = False) -> Asking:
        from scurry.targets.job_graphs import Asking

        return Asking(
            secrets=self.secrets,
            artifacts=self.store,
            runtimes=self.runtimes,
            reporter=self.reporter,
            cluster=defaults,
            read_type=_read_type,
            as_known=as_known,
            of_service=desired.target in self.services,
        )


def _registered(opened: Opened) -> OpenedOperator:
    """Return what an operator registered. Of one that did not open to the end, more may have been to come."""
    from scurry.savepoints.heads import read_keyed_head, read_operator_head
    from scurry.savepoints.states import as_state

    if opened.unopened is not None:
        return OpenedOperator(id=opened.id, unknown_because=f"it did not open: {opened.unopened}")
    try:
        keyed = _head(opened.keyed, read_keyed_head)
        other = _head(opened.not_keyed, read_operator_head)
    except ScurryError as error:
        return OpenedOperator(id=opened.id, unknown_because=error.message)
    if keyed.missed or other.missed:
        return OpenedOperator(id=opened.id, key=keyed.key, unknown_because="not all that it registered can be read")
    return OpenedOperator(id=opened.id, key=keyed.key, states=tuple(map(as_state, (*keyed.states, *other.states))))


def _head(content: bytes | None, parse: Callable[[Cursor], Head]) -> Head:
    from scurry.savepoints.heads import Head
    from scurry.savepoints.reading import Cursor

    return Head() if content is None else parse(Cursor(content, source="what the new version registers"))


def _read_type(content: bytes) -> StateType:
    """Return the type that a serializer's snapshot describes; one that cannot be read is not known."""
    from scurry.savepoints.reading import Cursor
    from scurry.savepoints.serializers import TypeReader

    try:
        return TypeReader(Cursor(content, source="a key of the new version")).read()
    except ScurryError:
        return StateType(name="?", serializer="", known=False)
