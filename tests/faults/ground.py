"""A Flink behind the proxy that does wrong, a project whose target is that proxy, and one application that lives on.

Every verb is done by a workspace that was just opened, as each command is a new process. What the application has
written is judged after each fault, and at the end once more by the ledger's own reading of all of it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scurry.flink.connection import RestSettings
from scurry.flink.process import is_alive, send
from scurry.flink.rest import FlinkRest
from scurry.model.errors import ScurryError
from scurry.model.observed import JobState
from scurry.model.result import Applied, ApplyOutcome
from scurry.testing.fault_proxy import FaultProxy
from scurry.workspace import Workspace
from tests.conformance.ledger import SOURCE, check, committed
from tests.faults.tally import Tally
from tests.flink.local_flink import small, stopped_afterwards
from tests.targets.probe import jar_of
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scurry.flink.cluster import ClusterSettings, LocalClusters, RunningCluster
    from scurry.flink.process import ProcessId
    from scurry.flink.runtimes import Runtimes

VERSION = FLINK_VERSIONS[-1]
NAME = "survivor"
PATIENCE_S = 120.0
READ_S = 2.0
"""for so long the target is waited for in a call"""
PROJECT = """\
targets:
  proxied:
    kind: rest
    url: {url}
    savepoints: {savepoints}
    checkpoints: {checkpoints}
    timeouts: {{connect: 2s, read: {read}s, run: {run}s}}
"""
SPEC = """\
name: {name}
flink: "{version}"
target: proxied
code: {{jar: ledger.jar, args: {args}}}
config:
  execution.checkpointing.interval: 250ms
  execution.checkpointing.tolerable-failed-checkpoints: "1000000"
  restart-strategy.type: fixed-delay
  restart-strategy.fixed-delay.attempts: "1000000"
  restart-strategy.fixed-delay.delay: 200ms
upgrade:
  {{mode: {mode}, stop_timeout: {stop_timeout}, rollback_from: {rollback_from}, health: {{window: {window}}},
    state_check: off}}
"""


class Ground:
    """The cluster, the proxy, the project and its application."""

    rollback_from = "newest"
    """not the default, `stop`: a rollback from there writes twice, by decision 9, what was committed since"""

    def __init__(self, folder: Path, jar: Path, clusters: LocalClusters, settings: ClusterSettings) -> None:
        self.folder = folder
        self.spec = folder / "application.yaml"
        self.output = folder / "output"
        self.trouble = folder / "trouble"
        self.savepoints = folder / "savepoints"
        self.tally = Tally(self.output)
        self._clusters = clusters
        self._settings = settings
        self._jar = jar
        self._builds = 0
        self._beside: list[threading.Thread] = []
        self._written_before: set[str] = set()
        self.proxy = FaultProxy(clusters.ensure(settings).rest_url)
        self.trouble.mkdir()
        self.savepoints.mkdir()

    def write_project(self) -> None:
        """Write the project file; the proxy listens by now."""
        text = PROJECT.format(
            url=self.proxy.url,
            savepoints=self.savepoints,
            checkpoints=self._settings.state_directory / "checkpoints",
            read=READ_S,
            run=4 * READ_S,
        )
        (self.folder / "scurry.yaml").write_text(text)

    # The application -----------------------------------------------------------------------------------------------

    def change(self, *arguments: str, **spec: Any) -> None:
        """Write a specification that differs from the one before: by its jar, and by these arguments."""
        self._builds += 1
        with zipfile.ZipFile(shutil.copy(self._jar, self.folder / "ledger.jar"), "a") as packed:
            packed.writestr("build", str(self._builds))
        mine = [f"out={self.output}", f"trouble={self.trouble}", *arguments]
        policy = {"mode": "savepoint", "stop_timeout": "30s", "window": "20s", "rollback_from": self.rollback_from}
        policy |= spec
        self.spec.write_text(SPEC.format(name=NAME, version=VERSION, args=json.dumps(mine), **policy))

    def open(self) -> Workspace:
        """Open the project as a new command does."""
        return Workspace.open(self.folder)

    def apply(self) -> Applied:
        """Do what `scurry apply` does."""
        return self.open().apply(self.spec, confirm=lambda plan: True)

    def converge(self) -> list[str]:
        """Run the command again until nothing is left to do. Returns what each told. Fails when it is stuck."""
        told, deadline = list[str](), time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            told.append(told_by(self.apply))
            if told[-1] in {ApplyOutcome.CONVERGED, ApplyOutcome.UNCHANGED}:
                return told
            time.sleep(min(0.5 * (len(told) - 1), 5.0))
        raise Stuck(f"{NAME} does not come to run: {told}")

    def points(self) -> list[str]:
        """Run `scurry apply` and return the crash points that it passes."""
        file = self.folder / "points.json"
        self.killed_apply(f"record:{file}")
        points: list[str] = json.loads(file.read_text("utf-8"))
        return points

    def killed_apply(self, moment: str) -> int:
        """Run `scurry apply` in a process that kills itself at a crash point or a moment. Returns how it ended."""
        program = "tests.faults.struck_apply" if "/" in moment else "tests.conformance.killed_apply"
        command = [sys.executable, "-m", program, moment, "apply", str(self.spec), "--yes"]
        paths = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
        environment = {**os.environ, "PYTHONPATH": paths, "SCURRY_WORKSPACE": str(self.folder)}
        run = subprocess.run(command, env=environment, capture_output=True, timeout=PATIENCE_S, check=False)
        return run.returncode

    # The verdict ---------------------------------------------------------------------------------------------------

    def live_jobs(self) -> list[str]:
        """Return the ids of the application's jobs that run, as Flink itself says."""
        with FlinkRest(RestSettings(url=self.proxy.upstream)) as rest:
            jobs = rest.jobs()
        return [job.jid for job in jobs if job.name == NAME and not JobState(job.state.lower()).is_terminal]

    def await_checkpoint(self) -> None:
        """Wait until the one job that runs has completed a checkpoint: so it has committed output of its own."""
        with FlinkRest(RestSettings(url=self.proxy.upstream)) as rest:
            (live,) = self.live_jobs()
            deadline = time.monotonic() + PATIENCE_S
            while not rest.checkpoints(live).counts.completed and time.monotonic() < deadline:
                time.sleep(0.02)

    def linger(self) -> None:
        """Have the running job not come to its end when it is stopped, until `await_savepoint` has seen what it wants.

        Its savepoint is written and the output in it committed by then.
        """
        self._written_before = {path.name for path in self.savepoints.iterdir()}
        (self.trouble / "linger").touch()

    def await_savepoint(self) -> None:
        """Wait until the savepoint of a stop is written, and its output committed. The job lingers a moment longer."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if {path.parent.name for path in self.savepoints.glob("*/_metadata")} - self._written_before:
                break
            time.sleep(0.02)
        time.sleep(0.5)

    def judge(self) -> None:
        """Wait until one job has written something new, and check all of it. Fails with what is wrong."""
        live = self.live_jobs()
        if len(live) != 1:
            raise Stuck(f"{len(live)} jobs of {NAME} run")
        last = self.tally.read().last
        deadline = time.monotonic() + PATIENCE_S
        while self.tally.read().last <= last:
            if time.monotonic() > deadline:
                raise Stuck(f"{NAME} writes nothing beyond number {last}")
            time.sleep(0.05)
        self.tally.check()

    def judge_all(self) -> None:
        """Stop the application, and let the ledger read all that was ever written."""
        self.open().stop(NAME, confirm=lambda plan: True)
        check(committed(self.output))

    # The other side ------------------------------------------------------------------------------------------------

    def cluster(self) -> RunningCluster:
        """The cluster that runs."""
        cluster = self._clusters.find(VERSION)
        assert cluster, "no cluster runs"
        return cluster

    def kill(self, role: str) -> None:
        """Kill a process of the cluster, by its pid, and wait until it is gone."""
        process = self._process(role)
        send(process, signal.SIGKILL)
        while is_alive(process):
            time.sleep(0.01)

    def pause(self, role: str, seconds: float) -> None:
        """Have a process of the cluster stand still for a while, beside what is going on."""
        process = self._process(role)
        send(process, signal.SIGSTOP)
        timer = threading.Timer(seconds, send, (process, signal.SIGCONT))
        timer.start()
        self._beside.append(timer)

    def _process(self, role: str) -> ProcessId:
        (found,) = (process.id for process in self.cluster().processes if process.role == role)
        return found

    def restore_cluster(self) -> None:
        """Start what is missing of the cluster, as whoever looks after it would."""
        self.proxy.upstream = self._clusters.ensure(self._settings).rest_url

    def restore_soon(self, delay_s: float = 0.0) -> None:
        """The same, beside what is going on; `restored` waits for it."""

        def later() -> None:
            time.sleep(delay_s)
            self.restore_cluster()

        thread = threading.Thread(target=later)
        thread.start()
        self._beside.append(thread)

    def restored(self) -> None:
        """Wait until the cluster is whole again."""
        (self.trouble / "linger").unlink(missing_ok=True)
        while self._beside:
            self._beside.pop().join()
        self.restore_cluster()


class Stuck(AssertionError):
    """The application does not run, or more than once, though all that was told to be done was done."""


def told_by(verb: Callable[[], Applied]) -> str:
    """Do a verb and return its outcome, or the code of its error. One that tells nothing to do is marked so."""
    try:
        return verb().outcome.value
    except ScurryError as error:
        return error.code if error.hint else f"{error.code} without a hint: {error.message}"


@contextmanager
def ground(folder: Path, runtimes: Runtimes, *, rollback_from: str = "newest") -> Iterator[Ground]:
    """Start it, with the application running. Nothing of it is left at the end."""
    with stopped_afterwards(folder / ".cluster") as clusters:
        settings = small(folder / ".cluster", runtimes.flink(VERSION), runtimes.java(VERSION), slots=4)
        stage = Ground(folder, jar_of(SOURCE, runtimes, VERSION), clusters, settings)
        stage.rollback_from = rollback_from
        with stage.proxy:
            stage.write_project()
            stage.change()
            stage.converge()
            stage.judge()
            yield stage
