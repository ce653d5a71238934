"""What tests of the REST target share: a target on a cluster, wishes, and a way to run operations step by step."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scurry.model.desired import Desired, UpgradePolicy
from scurry.model.operation import Action, Deploy, Operation, Outcome
from scurry.model.snapshot import Restore, Stateless
from scurry.model.values import SecretRef
from scurry.targets.rest import RestTarget, connect
from scurry.targets.services import TargetServices
from scurry.testing.rig import CountedMarks, Runner
from tests.flink.conftest import Listening
from tests.targets.probe import artifact_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from scurry.flink.runtimes import Runtimes
    from scurry.model.desired import Artifact
    from scurry.model.observed import Job
    from scurry.model.values import Text

NEW = Stateless(why="it is new")
PATIENCE_S = 90.0


class SystemTime:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class EnvironmentSecrets:
    """Secrets in environment variables."""

    def resolve(self, text: Text) -> str:
        return os.environ[text.name] if isinstance(text, SecretRef) else text


@dataclass
class Files:
    """An artifact store that is a list of files."""

    paths: dict[str, Path] = field(default_factory=dict)

    def add(self, path: Path) -> Artifact:
        artifact = artifact_of(path)
        self.paths[artifact.digest] = path
        return artifact

    def path(self, artifact: Artifact) -> Path:
        return self.paths[artifact.digest]


@dataclass
class Watching:
    """An activity that remembers what it was told."""

    descriptions: list[str] = field(default_factory=list)

    def advance(self, amount: float) -> None:
        """Do nothing."""

    def describe(self, text: str) -> None:
        self.descriptions.append(text)


class RestRig:
    """A REST target under test; also what `Runner` needs of one."""

    patience_s = PATIENCE_S

    def __init__(self, url: str, folder: Path, *, runtimes: Runtimes, version: str, **settings: Any) -> None:
        self.secrets = EnvironmentSecrets()
        self.artifacts = Files()
        self.reporter = Listening()
        self.version = version
        self.settings = {"url": url, **settings}
        self.services = TargetServices(
            root=folder,
            directory=folder / ".scurry",
            secrets=self.secrets,
            artifacts=self.artifacts,
            clock=SystemTime(),
            reporter=self.reporter,
            runtimes=runtimes,
        )
        self.target: RestTarget = self.connect()
        self.artifact: Artifact | None = None

    def connect(self) -> RestTarget:
        """Return a target as a later process would have it: nothing remembered."""
        return connect("t", self.settings, self.services)

    def wish(self, *, variant: int = 0, parallelism: int = 1) -> Desired:
        return self.job(f"variant={variant}", parallelism=parallelism)

    def broken(self) -> Desired:
        return self.job("fail-main")

    def job(self, *args: Text, config: dict[str, Text] | None = None, **others: Any) -> Desired:
        """Return a wish for the probe, with its arguments."""
        assert self.artifact
        fields: dict[str, Any] = {"application": "probe@test", "parallelism": 1, "artifact": self.artifact, **others}
        return Desired(
            target="t",
            flink_version=self.version,
            args=args,
            config={"execution.checkpointing.interval": "200ms", **(config or {})},
            **fields,
        )


class Play:
    """Runs operations on a rig; the marks are no other test's."""

    _taken = 0

    def __init__(self, rig: RestRig) -> None:
        Play._taken += 1
        self.rig = rig
        self.marks = CountedMarks(prefix=(os.getpid() << 24) | Play._taken)
        self.runner = Runner(rig, self.marks)

    def run(self, operation: Operation) -> dict[Action, Outcome]:
        return self.runner.run(operation)

    def deploy(self, desired: Desired, restore: Restore = NEW) -> str:
        """Deploy and wait until it runs and has completed a checkpoint."""
        job_id = self.submit(desired, restore)
        self.running(job_id)
        return job_id

    def submit(self, desired: Desired, restore: Restore = NEW) -> str:
        job_id = self.run(Deploy(desired=desired, restore=restore))[Action.SUBMIT].job_id
        assert job_id
        return job_id

    def job(self, job_id: str) -> Job:
        (job,) = self.rig.target.observe("probe@test", (job_id,)).jobs
        return job

    def until(self, job_id: str, ready: Callable[[Job], bool]) -> Job:
        if job_id not in self.runner.job_ids:
            self.runner.job_ids.insert(0, job_id)
        return self.runner.await_job(job_id, ready)

    def running(self, job_id: str) -> Job:
        """Wait until a job runs and has completed a checkpoint."""
        return self.until(
            job_id, lambda job: 0 < job.vertices <= job.vertices_running and job.checkpoints.completed > 0
        )

    def end_all(self) -> None:
        """Cancel all that runs."""
        rest = self.rig.target.rest
        for summary in rest.jobs():
            if summary.end_time < 0:
                rest.cancel(summary.jid)
        deadline = time.monotonic() + PATIENCE_S
        while any(summary.end_time < 0 for summary in rest.jobs()):
            assert time.monotonic() < deadline, "jobs do not end"
            time.sleep(0.05)


def patient_for(seconds: float) -> UpgradePolicy:
    """A policy that waits so long for a stop."""
    return UpgradePolicy(stop_timeout=timedelta(seconds=seconds))
