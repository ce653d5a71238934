"""Rigs for the conformance suite on real Flinks: the local and the REST target, with SQL, JAR and PyFlink applications.

One cluster per Flink version serves all of them. The REST target knows nothing of it but its address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from scurry.artifacts.python_package import package_python
from scurry.artifacts.sql_package import package_sql
from scurry.artifacts.store import ArtifactStore
from scurry.assembly import LocalSecrets
from scurry.clock import SystemClock
from scurry.flink.connection import RestSettings
from scurry.flink.java_programs import compile_program
from scurry.flink.rest import FlinkRest
from scurry.model.desired import Artifact, ArtifactKind, Desired, HealthPolicy, UpgradePolicy
from scurry.model.errors import JobNotFound, RejectedByTarget
from scurry.model.operation import Action, Step
from scurry.targets import connect
from scurry.targets.services import TargetServices
from scurry.testing.rig import Context
from tests.artifacts.scripts import script_of
from tests.conformance.ledger import SOURCE as LEDGER
from tests.flink.conftest import Listening
from tests.flink.local_flink import clusters_of, stopped_afterwards, until
from tests.targets.probe import jar_of

if TYPE_CHECKING:
    from scurry.flink.runtimes import Runtimes
    from scurry.model.ports import Target

APPLICATIONS = Path(__file__).parent / "applications"
SMALL = {"slots": 2, "job_manager_memory": "704m", "task_manager_memory": "1g"}
_LOCAL, _REST = "local", "rest"
_ENDED = {"FINISHED", "CANCELED", "FAILED"}


@dataclass(frozen=True, kw_only=True)
class Code:
    """What makes one application differ from another: its artifact, and what that is told."""

    artifact: Artifact
    entry: str | None = None
    args: tuple[str, ...] = ()


Program = Callable[["Ground", str], Code]
"""A ground and a variant (`broken` is one whose job graph does not build) → the code."""
BROKEN = "broken"


def jar(ground: Ground, variant: str) -> Code:
    """A Java program that counts by key; variants differ in their arguments."""
    artifact = ground.artifacts.put_file(jar_of(LEDGER, ground.runtimes, ground.version), ArtifactKind.JAR)
    return Code(artifact=artifact, args=("fail-main",) if variant == BROKEN else (f"variant={variant}",))


def sql(ground: Ground, variant: str) -> Code:
    """A script that counts by key; variants differ in a projection."""
    flink, java = ground.runtimes.flink(ground.version), ground.runtimes.java(ground.version)
    runner = compile_program("SqlRunner", flink=flink, java=java, cache=ground.runtimes.cache)
    is_broken = variant == BROKEN
    text = (APPLICATIONS / "counting.sql").read_text("utf-8")
    text = text.format(variant=0 if is_broken else variant, source="nowhere" if is_broken else "numbers")
    return Code(artifact=package_sql(script_of(text), connectors=(), runner=runner, store=ground.artifacts))


def python(ground: Ground, variant: str) -> Code:
    """A PyFlink program that counts by key; variants differ in their arguments."""
    artifact = package_python("counting.py", base=APPLICATIONS, store=ground.artifacts)
    args = ("--label", variant, *(["--fail"] if variant == BROKEN else []))
    return Code(artifact=artifact, entry="counting.py", args=args)


class Ground:
    """A workspace, and in it the cluster of one Flink version, which starts when it is first needed."""

    def __init__(self, workspace: Path, runtimes: Runtimes, version: str) -> None:
        self.runtimes = runtimes
        self.version = version
        self.workspace = workspace
        self.artifacts = ArtifactStore(workspace / ".scurry" / "artifacts")
        self.secrets = LocalSecrets(workspace, {})
        self.reporter = Listening()

    def local(self) -> Target:
        """The target `local` as a new command has it."""
        return connect(_LOCAL, "local", SMALL, self._services(self.workspace))

    def rest(self, project: Path) -> Target:
        """The target `rest` as a new command has it, in a project of its own. All it has is the address."""
        return connect(_REST, "rest", {"url": self._url()}, self._services(project))

    def end_jobs(self) -> None:
        """Cancel all that runs, and wait until it is at its end."""
        url = self._running_url()
        if url is None:
            return
        with FlinkRest(RestSettings(url=url)) as rest:
            for job in rest.jobs():
                if job.state not in _ENDED:
                    _cancel(rest, job.jid)
            until(lambda: all(job.state in _ENDED for job in rest.jobs()), "jobs at their end")

    def _url(self) -> str:
        running = self._running_url()
        if running:
            return running
        prepare = Step(action=Action.PREPARE, mark="", title="start it", inputs={"flink_version": self.version})
        context = Context(desired=None, secrets=self.secrets, artifacts=self.artifacts)
        return str(self.local().run(prepare, context).detail["url"])

    def _running_url(self) -> str | None:
        cluster = clusters_of(self.workspace / ".scurry").find(self.version)
        return cluster.rest_url if cluster else None

    def _services(self, project: Path) -> TargetServices:
        return TargetServices(
            root=project,
            directory=project / ".scurry",
            secrets=self.secrets,
            artifacts=self.artifacts,
            clock=SystemClock(),
            reporter=self.reporter,
            runtimes=self.runtimes,
        )


class Rig:
    """A target on a ground, and one program for it: a rig of the conformance suite."""

    patience_s = 90.0

    def __init__(self, ground: Ground, target: Target, program: Program) -> None:
        self.ground = ground
        self.target = target
        self.program = program
        self.secrets = ground.secrets
        self.artifacts = ground.artifacts

    def wish(self, *, variant: int = 0, parallelism: int = 1) -> Desired:
        return self._desired(str(variant), parallelism)

    def broken(self) -> Desired:
        return self._desired(BROKEN, 1)

    def _desired(self, variant: str, parallelism: int) -> Desired:
        code = self.program(self.ground, variant)
        return Desired(
            application=f"{self.program.__name__}@{self.target.kind}",
            target=self.target.name,
            flink_version=self.ground.version,
            artifact=code.artifact,
            entry=code.entry,
            args=code.args,
            parallelism=parallelism,
            config={"execution.checkpointing.interval": "300ms", "python.fn-execution.bundle.size": "10"},
            upgrade=UpgradePolicy(health=HealthPolicy(window=timedelta(seconds=60))),
        )


@contextmanager
def grounds(folder: Path, runtimes: Runtimes) -> Iterator[Callable[[str], Ground]]:
    """Give the ground of a version, always the same one; at the end all clusters are stopped, by their pids."""
    found: dict[str, Ground] = {}

    def ground(version: str) -> Ground:
        return found.setdefault(version, Ground(folder, runtimes, version))

    with stopped_afterwards(folder / ".scurry"):
        yield ground


def _cancel(rest: FlinkRest, job_id: str) -> None:
    with suppress(JobNotFound, RejectedByTarget):  # it came to its end meanwhile
        rest.cancel(job_id)
