"""For how long no record is processed while a changed jar takes over, state and all.

(a) Flink's own command line, `flink stop` and then `flink run -s`; (b) the least that REST allows: hand-written
calls, the jar uploaded beforehand, no waiting for what is not needed. All on the same session cluster, in turns.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import urllib3

from benchmarks import timing
from benchmarks.rival import Distribution, distribution
from benchmarks.ticks import CONFIG, Ticks, jar
from scurry.workspace import Workspace

if TYPE_CHECKING:
    from scurry.model.plan import Plan

VERSION = "2.3.0"
ROUNDS = 7


class Stage:
    """One project with the application running, and the ways to upgrade it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.builds = 0
        self.ticks = Ticks(folder / "ticks.txt")
        (folder / "scurry.yaml").write_text("targets: {local: {kind: local, slots: 8}}\n")
        self.workspace = Workspace.open(folder)
        runtimes = self.workspace.assembly.runtimes
        self.runtimes = runtimes
        self.flink: Distribution = distribution(folder / "rival", runtimes.flink(VERSION), runtimes.java(VERSION))
        self.http = urllib3.PoolManager()

    def next_jar(self) -> Path:
        self.builds += 1
        return jar(self.folder, self.runtimes, VERSION, build=self.builds)

    def apply(self, built: Path) -> None:
        spec = {
            "name": "ticks",
            "flink": VERSION,
            "code": {"jar": built.name, "args": [str(self.ticks.path)]},
            "config": CONFIG,
        }
        file = self.folder / "application.yaml"
        file.write_text(json.dumps(spec))
        command = [str(Path(sys.executable).with_name("scurry")), "apply", str(file), "--yes"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    @property
    def url(self) -> str:
        (cluster,) = self.workspace.local_clusters.running()
        return cluster.rest_url

    def job(self) -> str:
        jobs = self.http.request("GET", f"{self.url}/jobs/overview").json()["jobs"]
        return str(next(job["jid"] for job in jobs if job["state"] == "RUNNING"))

    # The contenders: each upgrades the running job and returns the gap in seconds ----------------------------------

    def by_scurry(self) -> float:
        return self._measured(lambda: self.apply(self.next_jar()))

    def by_flink(self) -> float:
        def upgrade() -> None:
            at = self.url.removeprefix("http://")
            job, savepoints, built = self.job(), str(self.folder / "savepoints"), self.next_jar()
            told = self.flink.run("flink", "stop", "-m", at, "-p", savepoints, job)
            found = re.search(r"Path: (\S+)", told)
            if not found:
                raise RuntimeError(told)
            options = [f"-D{key}={value}" for key, value in CONFIG.items()]
            self.flink.run("flink", "run", "-m", at, "-d", "-s", found[1], *options, str(built), str(self.ticks.path))

        return self._measured(upgrade)

    def by_rest(self) -> float:
        def upgrade() -> None:
            url, job = self.url, self.job()
            built = self.next_jar()
            uploaded = self.http.request(
                "POST", f"{url}/jars/upload", fields={"jarfile": (built.name, built.read_bytes())}
            ).json()
            jar_id = uploaded["filename"].rpartition("/")[2]
            stop = {"targetDirectory": str(self.folder / "savepoints"), "drain": False}
            trigger = self.http.request("POST", f"{url}/jobs/{job}/stop", json=stop).json()["request-id"]
            while True:
                status = self.http.request("GET", f"{url}/jobs/{job}/savepoints/{trigger}").json()
                if status["status"]["id"] == "COMPLETED":
                    break
                time.sleep(0.005)
            run = {
                "savepointPath": status["operation"]["location"],
                "programArgsList": [str(self.ticks.path)],
                "flinkConfiguration": CONFIG,
            }
            answer = self.http.request("POST", f"{url}/jars/{jar_id}/run", json=run)
            if answer.status != 200:
                raise RuntimeError(answer.data.decode())

        return self._measured(upgrade)

    def _measured(self, upgrade: object) -> float:
        started = time.time()
        self.ticks.await_one_after(started)
        upgrade()  # type: ignore[operator] # a local function of no arguments
        self.ticks.await_one_after(time.time() + 0.5)
        return self.ticks.longest_pause_since(started)

    def adopt(self) -> None:
        """Bring the job back under scurry after another contender had it."""
        job = self.job()
        self.http.request("PATCH", f"{self.url}/jobs/{job}?mode=cancel")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            jobs = self.http.request("GET", f"{self.url}/jobs/overview").json()["jobs"]
            if all(entry["state"] in {"CANCELED", "FINISHED", "FAILED"} for entry in jobs):
                break
            time.sleep(0.1)
        self.workspace.start("ticks", source="none", confirm=_yes, wait=timedelta(seconds=30))


def _yes(_: Plan) -> bool:
    return True


def main() -> dict[str, str]:
    folder = Path(tempfile.mkdtemp(prefix="scurry-gap-"))
    stage = Stage(folder)
    try:
        stage.apply(stage.next_jar())
        for _ in range(ROUNDS):
            stage.by_scurry()
        lost = stage.ticks.missing()
        ours, theirs, least = [], [], []
        for _ in range(ROUNDS):
            least += [stage.by_rest(), stage.by_rest()]
            theirs.append(stage.by_flink())
            stage.adopt()
            ours += [stage.by_scurry(), stage.by_scurry()]
    finally:
        stage.workspace.local_clusters.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return {
        f"scurry apply, median of {len(ours)}": timing.spread(ours),
        f"(a) flink stop + flink run -s, median of {len(theirs)}": timing.spread(theirs),
        f"(b) bare REST calls, median of {len(least)}": timing.spread(least),
        "ratio to (a), goal ≤ 0.15": timing.ratio(ours, theirs),
        "ratio to (b), goal ≤ 1.15": timing.ratio(ours, least),
        "records lost in the upgrades by scurry": str(lost),
    }
