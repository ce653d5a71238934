"""Whether a jar fits a snapshot, without a workspace: for a CI pipeline, before anything is deployed.

Part of floor 3. The jars are where they are: no store, no journal, no target.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scurry.model.desired import Artifact, ArtifactKind, Desired, UpgradePolicy
from scurry.model.errors import ArtifactError
from scurry.model.journal import History
from scurry.model.observed import Observed
from scurry.model.operation import Resume
from scurry.model.snapshot import FromSnapshot, Snapshot, SnapshotKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scurry.model.compatibility import Compatibility
    from scurry.model.reporting import Reporter
    from scurry.model.values import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class JarQuestion:
    """What is asked about which snapshot."""

    location: str
    """of the snapshot: a path or URI"""
    jar: Path
    flink: str
    """a series, whose newest release is taken, or a release"""
    main_class: str | None = None
    args: tuple[str, ...] = ()
    parallelism: int = 1
    config: Mapping[str, str] = field(default_factory=dict)
    old_jar: Path | None = None
    """the jar whose job wrote the snapshot: with it, more can be told"""
    old_flink: str | None = None
    allowed: bool | tuple[str, ...] = False
    picture: bool = False


class _Jars:
    """Artifacts by digest, where they are."""

    def __init__(self) -> None:
        self._paths: dict[str, Path] = {}

    def put(self, path: Path) -> Artifact:
        """Return the identity of a jar. Raises `ArtifactError`."""
        from scurry.artifacts.disk import digest_of

        try:
            digest, size = f"sha256:{digest_of(path)}", path.stat().st_size
        except OSError as error:
            raise ArtifactError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error
        self._paths[digest] = path
        return Artifact(kind=ArtifactKind.JAR, digest=digest, file_name=path.name, size_bytes=size)

    def path(self, artifact: Artifact) -> Path:
        """Return where a jar is."""
        return self._paths[artifact.digest]


class _NoSecrets:
    """There are none on a command line."""

    def resolve(self, text: Text) -> str:
        """Return the text."""
        return text if isinstance(text, str) else ""


def check_jar(question: JarQuestion, reporter: Reporter) -> Compatibility:
    """Return whether a jar could take a snapshot's state over.

    Raises `SnapshotNotFound`, `SnapshotUnreadable`, `StorageError`, `ArtifactError`, `RuntimeUnavailable`.
    """
    from scurry.clock import SystemClock
    from scurry.flink.runtimes import Runtimes, default_cache
    from scurry.inspection import FlinkPrograms, SnapshotFiles
    from scurry.preflight import Occasion, Preflight

    jars = _Jars()
    runtimes = Runtimes(cache=default_cache(), reporter=reporter)
    programs = FlinkPrograms(secrets=_NoSecrets(), store=jars, runtimes=runtimes, reporter=reporter)
    preflight = Preflight(snapshots=SnapshotFiles(), programs=programs, reporter=reporter, clock=SystemClock())
    desired = _wish(question, jars.put(question.jar), runtimes.newest(question.flink))
    before = None
    if question.old_jar is not None:
        version = runtimes.newest(question.old_flink) if question.old_flink else desired.flink_version
        before = _wish(question, jars.put(question.old_jar), version)
    kind = SnapshotKind.CHECKPOINT if "/chk-" in question.location else SnapshotKind.SAVEPOINT
    snapshot = Snapshot(kind=kind, location=question.location, taken_at=datetime.now(UTC))
    occasion = Occasion(
        observed=Observed(),
        history=History(application=desired.application),
        defaults=lambda version: {},
        look=Observed,
        wrote=lambda _: before,
        picture=question.picture,
        asked=True,
    )
    return preflight.compared(Resume(desired=desired, restore=FromSnapshot(snapshot=snapshot)), occasion)


def _wish(question: JarQuestion, artifact: Artifact, flink_version: str) -> Desired:
    return Desired(
        application=artifact.file_name.removesuffix(".jar"),
        target="",
        flink_version=flink_version,
        artifact=artifact,
        entry=question.main_class,
        args=question.args,
        parallelism=question.parallelism,
        config=question.config,
        upgrade=UpgradePolicy(allow_non_restored_state=question.allowed),
    )
