"""A project with the local target, and applications in it whose output tells whether their state was kept.

Every verb is done by a workspace that was just opened, as each command is a new process.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scurry.flink.connection import RestSettings
from scurry.flink.process import is_alive, send
from scurry.flink.rest import FlinkRest
from scurry.model.observed import JobState
from scurry.model.result import Applied, ApplyOutcome
from scurry.workspace import Workspace
from tests.conformance.ledger import check, committed
from tests.flink.local_flink import until
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from scurry.flink.cluster import RunningCluster
    from scurry.model.observed import Job
    from scurry.model.report import StatusReport

VERSION = FLINK_VERSIONS[-1]
PATIENCE_S = 180.0
PROJECT = "targets: {local: {kind: local, slots: 4, job_manager_memory: 704m, task_manager_memory: 768m}}\n"
SPEC = """\
name: {name}
flink: "{version}"
code: {{jar: {jar}, args: {args}{main_class}}}
parallelism: {parallelism}
config: {{execution.checkpointing.interval: 300ms{config}}}
upgrade: {{mode: {mode}, health: {health}, rollback_from: {rollback_from}, state_check: {state_check}}}
"""


class Stage:
    """A project folder with a program, for one Flink version."""

    def __init__(self, folder: Path, jar: Path) -> None:
        self.folder = folder
        (folder / "scurry.yaml").write_text(PROJECT)
        self._jar = jar
        self._numbers = itertools.count(1)

    def next_number(self) -> int:
        """Return a number that no other application of this stage has."""
        return next(self._numbers)

    def jar(self, build: int) -> str:
        """Return the program's file; another build has other bytes and does the same."""
        path = self.folder / f"ledger-{build}.jar"
        if not path.exists():
            shutil.copy(self._jar, path)
            with zipfile.ZipFile(path, "a") as packed:
                packed.writestr("build", str(build))
        return path.name

    def open(self) -> Workspace:
        """Open the project as a new command does."""
        return Workspace.open(self.folder)

    def cluster(self) -> RunningCluster:
        """The cluster that runs."""
        cluster = self.open().local_clusters.find(VERSION)
        assert cluster, "no cluster runs"
        return cluster

    def kill(self, role: str, signal: signal.Signals) -> None:
        """Send a signal to a process of the cluster, by its pid, and wait until it is gone."""
        (process,) = (process for process in self.cluster().processes if process.role == role)
        send(process.id, signal)
        until(lambda: not is_alive(process.id), f"{role} is gone")

    def killed_apply(self, moment: str, spec: Path) -> None:
        """Run `scurry apply` in a process that is killed at a moment (see `killed_apply`)."""
        command = [sys.executable, "-m", "tests.conformance.killed_apply", moment, "apply", str(spec), "--yes"]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "SCURRY_WORKSPACE": str(self.folder)}
        run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert run.returncode == -9, f"it was not killed but ended with {run.returncode}\n{run.stdout}\n{run.stderr}"


class Ledger:
    """One application of a stage. Its output goes to a folder of its own, for all of its revisions."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage = stage
        self.name = name
        self.spec = stage.folder / f"{name}.yaml"
        self.output = stage.folder / f"{name}-output"

    def write(
        self,
        *arguments: str,
        parallelism: int = 1,
        mode: str = "savepoint",
        build: int = 0,
        health: str = "{window: 60s}",
        config: str = "",
        main_class: str = "",
        rollback_from: str = "newest",
        state_check: str = "off",
    ) -> None:
        """Write the specification, with arguments of the program. Its state is compared where that is the subject."""
        self.spec.write_text(
            SPEC.format(
                name=self.name,
                version=VERSION,
                jar=self.stage.jar(build),
                args=json.dumps([f"out={self.output}", *arguments]),
                parallelism=parallelism,
                mode=mode,
                health=health,
                rollback_from=rollback_from,
                state_check=state_check,
                config=f", {config}" if config else "",
                main_class=f", main_class: {main_class}" if main_class else "",
            )
        )

    def apply(self, *arguments: str, **spec: Any) -> Applied:
        """Write the specification and apply it."""
        self.write(*arguments, **spec)
        return self.stage.open().apply(self.spec, confirm=lambda plan: True)

    def converge(self, *arguments: str, **spec: Any) -> Applied:
        """Apply, which has to succeed, and wait until the job has committed something new."""
        applied = self.apply(*arguments, **spec)
        assert applied.outcome is ApplyOutcome.CONVERGED, applied
        self.goes_on()
        return applied

    def verb(self, name: str, *given: Any, **named: Any) -> Applied:
        """Do another verb of the workspace."""
        verb: Callable[..., Applied] = getattr(self.stage.open(), name)
        return verb(self.name, *given, confirm=lambda plan: True, **named)

    def end(self) -> None:
        """Leave no job behind, whatever happened."""
        cluster = self.stage.open().local_clusters.find(VERSION)
        if cluster is None:
            return
        with FlinkRest(RestSettings(url=cluster.rest_url)) as rest:
            for job in rest.jobs():
                if job.name == self.name and not JobState(job.state.lower()).is_terminal:
                    rest.cancel(job.jid)

    def status(self) -> StatusReport:
        """Return how it is."""
        (report,) = self.stage.open().status(self.name)
        return report

    def job(self) -> Job:
        """Return the one job that runs. Fails when there are more, or none."""
        jobs = [job for job in self.stage.open().target("local").survey().values() if job.name == self.name]
        live = [job for job in jobs if not job.state.is_terminal]
        assert len(live) == 1, f"{len(live)} live jobs of {self.name}: {jobs}"
        observed, _ = self.stage.open().observe(self.name)
        assert observed.live
        assert observed.live.id == live[0].id
        return observed.live

    def goes_on(self) -> None:
        """Wait until something new is committed, and check all that was committed so far."""
        last = self.last()
        until(lambda: self.last() > last, f"{self.name} commits more than number {last}", patience_s=PATIENCE_S)
        self.check()

    def last(self) -> int:
        """Return the last number that was committed, -1 at first."""
        return max((number for number, _ in committed(self.output)), default=-1)

    def check(self) -> None:
        """Fail unless each number so far is there once, with the count that its key's state has to have."""
        for attempt in range(3):
            try:
                check(committed(self.output))
            except AssertionError:  # files are not listed at one moment while more are committed
                if attempt == 2:
                    raise
                time.sleep(0.2)
            else:
                return


def is_same(left: str | None, right: str | None) -> bool:
    """Whether two locations are the same: Flink writes `file:/x` where `file:///x` was given."""
    return (
        left is not None
        and right is not None
        and left.replace("file:///", "file:/") == right.replace("file:///", "file:/")
    )
