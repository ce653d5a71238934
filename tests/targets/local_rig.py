"""The local target as the conformance suite wants it: a workspace, and the probe job on clusters of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from scurry.clock import SystemClock
from scurry.model.desired import Desired, HealthPolicy, UpgradeMode, UpgradePolicy
from scurry.targets.local import LocalTarget, connect
from scurry.targets.services import TargetServices
from tests.flink.conftest import Listening
from tests.targets.memory_rig import PlainSecrets
from tests.targets.probe import artifact_of, probe_jar

if TYPE_CHECKING:
    from pathlib import Path

    from scurry.flink.runtimes import Runtimes
    from scurry.model.desired import Artifact


class Jars:
    """Artifacts by digest, wherever they are."""

    def __init__(self) -> None:
        self._paths: dict[str, Path] = {}

    def add(self, path: Path) -> Artifact:
        artifact = artifact_of(path)
        self._paths[artifact.digest] = path
        return artifact

    def path(self, artifact: Artifact) -> Path:
        return self._paths[artifact.digest]


class LocalRig:
    """A rig on real Flinks of this machine."""

    patience_s = 120.0

    def __init__(self, workspace: Path, runtimes: Runtimes, version: str) -> None:
        self.workspace = workspace
        self.runtimes = runtimes
        self.version = version
        self.reporter = Listening()
        self.secrets = PlainSecrets()
        self.artifacts = Jars()
        self.target = self.another()

    def another(self, **settings: object) -> LocalTarget:
        """The target as another command sees it: nothing is shared but the workspace."""
        services = TargetServices(
            root=self.workspace,
            directory=self.workspace / ".scurry",
            secrets=self.secrets,
            artifacts=self.artifacts,
            clock=SystemClock(),
            reporter=self.reporter,
            runtimes=self.runtimes,
        )
        small = {"slots": 4, "job_manager_memory": "704m", "task_manager_memory": "768m"}
        return connect("local", {**small, **settings}, services)

    def wish(
        self,
        *,
        variant: int = 0,
        parallelism: int = 1,
        version: str | None = None,
        mode: UpgradeMode = UpgradeMode.SAVEPOINT,
        args: tuple[str, ...] = (),
        interval: str = "200ms",
    ) -> Desired:
        flink = version or self.version
        return Desired(
            application="probe",
            target="local",
            flink_version=flink,
            artifact=self.artifacts.add(probe_jar(self.runtimes, flink)),
            args=(f"variant={variant}", *args),
            parallelism=parallelism,
            config={"execution.checkpointing.interval": interval},
            upgrade=UpgradePolicy(mode=mode, health=HealthPolicy(window=timedelta(seconds=60))),
        )

    def broken(self) -> Desired:
        return self.wish(args=("fail-main",))
