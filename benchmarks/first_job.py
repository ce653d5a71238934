"""From nothing running to the first record: `scurry apply` against `start-cluster.sh` and `flink run`.

The runtimes are cached for both. What scurry keeps between workspaces (class-data archives) is there, as on any machine
that it has run on before; a round before the measured ones makes it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import timing
from benchmarks.rival import distribution
from benchmarks.ticks import CONFIG, Ticks, jar
from scurry.workspace import Workspace

VERSION = "2.3.0"
ROUNDS = 5
SCURRY = str(Path(sys.executable).with_name("scurry"))


class Stage:
    """The jar, the rival's distribution, and a new folder for each round."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runtimes = Workspace.open(folder).assembly.runtimes
        self.jar = jar(folder, self.runtimes, VERSION, build=1)
        self.flink = distribution(folder / "rival", self.runtimes.flink(VERSION), self.runtimes.java(VERSION))
        self.rounds = 0

    def by_scurry(self) -> float:
        place = self._place()
        code = {"jar": str(self.jar), "args": [str(place / "ticks.txt")]}
        spec = {"name": "ticks", "flink": VERSION, "code": code, "config": CONFIG}
        (place / "scurry.yaml").write_text("targets: {local: {kind: local, slots: 1}}\n")
        (place / "application.yaml").write_text(json.dumps(spec))
        command = [SCURRY, "apply", "application.yaml", "--yes"]
        started = time.time()
        running = subprocess.Popen(command, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return Ticks(place / "ticks.txt").await_one_after(started) - started
        finally:
            running.wait()
            subprocess.run([SCURRY, "local", "stop", "--yes"], cwd=place, check=True, capture_output=True)

    def by_flink(self) -> float:
        place = self._place()
        started = time.time()
        try:
            self.flink.run("start-cluster.sh")
            options = [f"-D{key}={value}" for key, value in CONFIG.items()]
            self.flink.run("flink", "run", "-d", *options, str(self.jar), str(place / "ticks.txt"))
            return Ticks(place / "ticks.txt").await_one_after(started) - started
        finally:
            self.flink.run("stop-cluster.sh")
            time.sleep(3)  # its processes end some time after the script says so

    def _place(self) -> Path:
        self.rounds += 1
        place = self.folder / f"round-{self.rounds}"
        place.mkdir()
        return place


def main() -> dict[str, str]:
    folder = Path(tempfile.mkdtemp(prefix="scurry-first-"))
    stage = Stage(folder)
    try:
        stage.by_scurry()
        times = timing.alternately(ROUNDS, scurry=stage.by_scurry, flink=stage.by_flink)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        f"scurry apply to the first record, median of {ROUNDS}": timing.spread(times["scurry"]),
        f"start-cluster.sh + flink run, median of {ROUNDS}": timing.spread(times["flink"]),
        "ratio, goal ≤ 0.7": timing.ratio(times["scurry"], times["flink"]),
    }
