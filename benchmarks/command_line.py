"""How long people wait for the command line: whole processes, in turns with `flink list` on the same cluster."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import timing
from benchmarks.rival import distribution
from benchmarks.ticks import CONFIG, jar
from scurry.workspace import Workspace

VERSION = "2.3.0"
ROUNDS = 15
SCURRY = str(Path(sys.executable).with_name("scurry"))


def main() -> dict[str, str]:
    folder = Path(tempfile.mkdtemp(prefix="scurry-cli-"))
    (folder / "scurry.yaml").write_text("targets: {local: {kind: local, slots: 2}}\n")
    workspace = Workspace.open(folder)
    runtimes = workspace.assembly.runtimes
    built = jar(folder, runtimes, VERSION, build=1)
    code = {"jar": built.name, "args": [str(folder / "ticks.txt")]}
    (folder / "application.yaml").write_text(
        json.dumps({"name": "ticks", "flink": VERSION, "code": code, "config": CONFIG})
    )
    flink = distribution(folder / "rival", runtimes.flink(VERSION), runtimes.java(VERSION))
    try:
        subprocess.run([SCURRY, "apply", "application.yaml", "--yes"], cwd=folder, check=True, capture_output=True)
        (cluster,) = workspace.local_clusters.running()
        address = cluster.rest_url.removeprefix("http://")
        times = timing.alternately(
            ROUNDS,
            version=lambda: timing.seconds([SCURRY, "--version"]),
            status=lambda: timing.seconds([SCURRY, "status"], cwd=folder),
            rival=lambda: timing.measured(lambda: flink.run("flink", "list", "-m", address)),
        )
    finally:
        workspace.local_clusters.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "scurry --version, goal ≤ 0.15 s": timing.spread(times["version"]),
        "scurry status of one local application, goal ≤ 0.4 s": timing.spread(times["status"]),
        "flink list": timing.spread(times["rival"]),
        "ratio of status to flink list, goal ≤ 0.25": timing.ratio(times["status"], times["rival"]),
    }
