"""The memory target as the conformance suite wants it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scurry.model.desired import Artifact, ArtifactKind, Desired, HealthPolicy, RollbackSource, UpgradePolicy
from scurry.targets.memory import MemoryTarget

if TYPE_CHECKING:
    from datetime import timedelta

    from scurry.model.values import Text


class PlainSecrets:
    """No secrets."""

    def resolve(self, text: Text) -> str:
        assert isinstance(text, str)
        return text


class NoArtifacts:
    """The memory target reads no artifacts."""

    def path(self, artifact: Artifact) -> Path:
        return Path(artifact.file_name)


@dataclass
class FakeClock:
    """A clock that moves when somebody sleeps, and a little whenever somebody looks."""

    time: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def now(self) -> datetime:
        from datetime import timedelta

        self.time += timedelta(microseconds=10)
        return self.time

    def sleep(self, seconds: float) -> None:
        from datetime import timedelta

        self.time += timedelta(seconds=seconds)

    def move(self, by: timedelta) -> None:
        self.time += by


def wish(
    *, variant: int = 0, parallelism: int = 1, behaviour: str = "fine", health: HealthPolicy | None = None
) -> Desired:
    """Return an application for the memory target."""
    return Desired(
        application="shop",
        target="memory",
        flink_version="2.3.0",
        artifact=Artifact(
            kind=ArtifactKind.JAR, digest=f"sha256:{variant:064x}", file_name=f"shop-{variant}.jar", size_bytes=1
        ),
        parallelism=parallelism,
        config={"memory.behaviour": behaviour},
        # What is written twice is a fault in most tests, so nothing may be; the default forgives it.
        upgrade=UpgradePolicy(health=health or HealthPolicy(), rollback_from=RollbackSource.NEWEST),
    )


class MemoryRig:
    """A rig on the memory target."""

    patience_s = 1.0

    def __init__(self, target: MemoryTarget | None = None) -> None:
        self.clock = FakeClock()
        self.target = target or MemoryTarget("memory", clock=self.clock)
        self.secrets = PlainSecrets()
        self.artifacts = NoArtifacts()

    def wish(self, *, variant: int = 0, parallelism: int = 1) -> Desired:
        return wish(variant=variant, parallelism=parallelism)

    def broken(self) -> Desired:
        return wish(behaviour="fails-check")
