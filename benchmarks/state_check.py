"""What the look at state adds to `scurry plan` of a changed program, while the old job runs on a local cluster.

Whole processes, in turns with the same plan and `state_check: off`; the check is the difference. Each plan is of a
version that was never planned before: other arguments of a jar that was asked before, a new jar, an SQL script with
another projection, a PyFlink program with other arguments. The rival is the same check with plain `java`: without
archives of classes, and with Java's own choice of compiler and collector.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks import timing
from scurry.flink.java_programs import Program, compile_program
from scurry.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VERSION = "2.3.0"
ROUNDS = 5
ROOT = Path(__file__).resolve().parents[1]
APPLICATIONS = ROOT / "tests" / "conformance" / "applications"
SCURRY = (str(Path(sys.executable).with_name("scurry")),)
PLAINLY = (
    *(sys.executable, "-c"),
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[0] = 'scurry'\n"
    "from benchmarks.job_graph import plain\nfrom scurry.cli.main import main\nwith plain(): sys.exit(main())",
)
CONFIG = {"execution.checkpointing.interval": "1s"}
GOALS = {"jar": "≤ 2 s", "new_jar": "≤ 5 s", "sql": "≤ 8 s", "python": "≤ 8 s"}
NAMES = {
    "jar": "a jar that was asked before",
    "new_jar": "a new jar",
    "sql": "an SQL script",
    "python": "a PyFlink program",
}
_PATIENCE_S = 180


@dataclass(kw_only=True)
class Stage:
    """A project with one application of each kind, all running."""

    folder: Path
    workspace: Workspace = field(init=False)
    _made: int = 0
    _classes: Path = field(init=False)

    def __post_init__(self) -> None:
        local = {"kind": "local", "slots": 8}
        (self.folder / "scurry.yaml").write_text(json.dumps({"targets": {"local": local}}))
        self.workspace = Workspace.open(self.folder)
        runtimes = self.workspace.assembly.runtimes
        source = APPLICATIONS / "Ledger.java"
        self._classes = compile_program(
            Program(name="Ledger", sources={source.name: source.read_bytes()}),
            flink=runtimes.flink(VERSION),
            java=runtimes.java(VERSION),
            cache=runtimes.cache,
        )
        shutil.copy(APPLICATIONS / "counting.py", self.folder)
        self._first = self._jar(0)

    def _jar(self, build: int) -> str:
        """Return the name of the program's jar; another build has other bytes and does the same."""
        path = self.folder / f"ledger-{build}.jar"
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\nMain-Class: Ledger\nBuild: {build}\n")
            for found in self._classes.glob("*.class"):
                packed.write(found, found.name)
        return path.name

    def wish(self, kind: str, *, check: bool) -> Path:
        """Write the spec of a version that there was not before."""
        self._made += 1
        codes: Mapping[str, Callable[[], Mapping[str, Any]]] = {
            "jar": lambda: {"jar": self._first, "args": [f"variant={self._made}"]},
            "new_jar": lambda: {"jar": self._jar(self._made), "args": ["variant=0"]},
            "sql": lambda: {"sql": self._script(self._made)},
            "python": lambda: {"python": "counting.py", "args": ["--label", str(self._made)]},
        }
        name = kind.rpartition("_")[2]  # the new jar is a version of the same application
        spec = {
            "name": name,
            "flink": VERSION,
            "code": codes[kind](),
            "parallelism": 1,
            "config": CONFIG,
            "upgrade": {"state_check": "full" if check else "off"},
        }
        file = self.folder / f"{kind}-{self._made}.yaml"
        file.write_text(json.dumps(spec))
        return file

    def _script(self, variant: int) -> str:
        text = (APPLICATIONS / "counting.sql").read_text("utf-8").format(variant=variant, source="numbers")
        path = self.folder / f"counting-{variant}.sql"
        path.write_text(text)
        return path.name

    def deploy(self, kind: str) -> None:
        """Bring a first version up, upgrade it, as one whose state is worth a check was, and wait for a checkpoint."""
        for _ in range(2):
            file = self.wish(kind, check=True)
            subprocess.run([*SCURRY, "apply", str(file), "--yes"], cwd=self.folder, check=True, capture_output=True)
            self._await_checkpoint(kind)

    def _await_checkpoint(self, application: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            live = self.workspace.observe(application)[0].live
            if live is not None and live.latest_checkpoint is not None:
                return
            time.sleep(0.2)
        raise TimeoutError(f"{application} completed no checkpoint within {_PATIENCE_S} s")

    def plan(self, kind: str, *, check: bool, command: tuple[str, ...] = SCURRY) -> float:
        """Return the wall time of a plan."""
        file = self.wish(kind, check=check)
        return timing.seconds([*command, "plan", str(file)], cwd=self.folder)

    def verdict(self, kind: str) -> str:
        """Plan once, so that archives are there, and return what the check says."""
        file = self.wish(kind, check=True)
        command = [*SCURRY, "plan", str(file), "--json"]
        done = subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True)
        (plan,) = json.loads(done.stdout)["plans"]
        (change,) = plan["changes"]
        found = change.get("state") or {}
        kept = [operator["name"] for operator in found.get("operators", ()) if operator["fate"] == "kept"]
        if found.get("fit") not in {"fits", "unknown"} or not kept:
            raise RuntimeError(f"the check of {kind} does not look at anything: {found}")
        return str(found["fit"])

    def warm_up(self, kind: str) -> None:
        """Plan until the archives of classes are there, which the first processes write when they have answered."""
        cache = self.workspace.assembly.runtimes.cache / "class-data"
        before = set(cache.glob("*/*.recording"))  # of others, and of processes that were killed
        self.verdict(kind)
        recording = set(cache.glob("*/*.recording")) - before
        deadline = time.monotonic() + _PATIENCE_S
        while any(path.exists() for path in recording) and time.monotonic() < deadline:
            time.sleep(1)
        self.verdict(kind)


def main() -> dict[str, str]:
    folder = Path(tempfile.mkdtemp(prefix="scurry-check-"))
    stage = Stage(folder=folder)
    times: dict[str, list[float]] = {}
    try:
        for kind in ("jar", "sql", "python"):
            stage.deploy(kind)
        for kind in GOALS:
            stage.warm_up(kind)
        for kind in GOALS:
            ways = {
                f"{kind} {way} {'on' if check else 'off'}": partial(stage.plan, kind, check=check, command=command)
                for way, command in (("ours", SCURRY), ("plain", PLAINLY))
                for check in (False, True)
            }
            times |= timing.alternately(ROUNDS, **ways)
    finally:
        stage.workspace.local_clusters.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return {name: value for kind in GOALS for name, value in _figures(kind, times).items()}


def _figures(kind: str, times: Mapping[str, list[float]]) -> dict[str, str]:
    check, plain = (_added(times[f"{kind} {way} off"], times[f"{kind} {way} on"]) for way in ("ours", "plain"))
    return {
        f"the check of {NAMES[kind]}, goal {GOALS[kind]}": timing.spread(check),
        f"the whole plan of {NAMES[kind]}": timing.spread(times[f"{kind} ours on"]),
        f"the check of {NAMES[kind]} by plain `java`": timing.spread(plain),
        f"ratio to plain `java`, {NAMES[kind]}": f"{median(check) / median(plain):.2f}",
    }


def _added(without: list[float], having: list[float]) -> list[float]:
    """Return what was added in each round: both were measured one after the other."""
    return [more - less for less, more in zip(without, having, strict=True)]
