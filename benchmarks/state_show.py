"""How long it takes to see what a small savepoint holds: `scurry state show` against Flink's own SQL function.

Flink's `savepoint_metadata` tells operators and their sizes, from `_metadata` alone; `state show` tells their states
and types, too. It is asked in two ways: by Flink's SQL client, as people do, and by a program that does nothing else
and does not wind up, which is the least that it can take. Both run it in their own process, so no cluster is needed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import timing
from benchmarks.rival import distribution
from scurry.artifacts.lock import LOCK_FILE, LockFile
from scurry.artifacts.maven import Maven
from scurry.artifacts.repository import Repositories
from scurry.flink.install_cache import default_cache
from scurry.flink.java_programs import Program, compile_program
from scurry.flink.launch import MODULE_OPTIONS
from scurry.flink.runtimes import Runtimes
from scurry.model.reporting import SilentReporter
from scurry.savepoints.files import LocalStorage
from scurry.savepoints.snapshot import load_metadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.rival import Distribution

VERSION = "2.3.0"
ROUNDS = 5
OURS_A_ROUND = 3
SAVEPOINT = Path(__file__).parents[1] / "tests" / "savepoints" / "files" / "java-rocksdb-native"
SOURCE = Path(__file__).with_name("SavepointMetadata.java")
MODULE = f"mvn:org.apache.flink:flink-state-processor-api:{VERSION}"
"""Flink's module `state`, which no distribution brings"""
GATEWAY = f"mvn:org.apache.flink:flink-sql-gateway:{VERSION}"
"""what the SQL client needs, and PyPI's package of Flink lacks"""
SCURRY = str(Path(sys.executable).with_name("scurry"))


class Rival:
    """Two ways to ask Flink's function."""

    def __init__(self, folder: Path) -> None:
        runtimes = Runtimes(cache=default_cache(), reporter=SilentReporter())
        remotes = Repositories((), cache=runtimes.cache, reporter=SilentReporter())
        maven = Maven(remotes, LockFile(folder / LOCK_FILE), reporter=SilentReporter())
        module, gateway = maven.jar(MODULE), maven.jar(GATEWAY)
        flink, java = runtimes.flink(VERSION), runtimes.java(VERSION)
        program = Program(name="SavepointMetadata", sources={SOURCE.name: SOURCE.read_bytes()})
        classes = compile_program(program, flink=flink, java=java, cache=runtimes.cache)
        self.program: tuple[str, ...] = (
            *(str(java.executable), *MODULE_OPTIONS, "-cp", f"{classes}:{flink.home / 'lib'}/*:{module}"),
            *("SavepointMetadata", str(SAVEPOINT)),
        )
        self._distribution: Distribution = distribution(folder / "rival", flink, java)
        (self._distribution.home / "opt" / gateway.name).symlink_to(gateway)
        # Given by `-j`, a function's class is not found when it is run in the client's own process.
        (self._distribution.home / "lib" / module.name).symlink_to(module)
        self._script = folder / "show.sql"
        self._script.write_text(
            # Else a cluster is looked for; and without a table nothing comes out of a script.
            "SET 'execution.target' = 'local';\nSET 'execution.attached' = 'true';\n"
            "SET 'execution.runtime-mode' = 'batch';\nSET 'sql-client.execution.result-mode' = 'tableau';\n"
            f"LOAD MODULE state;\nSELECT * FROM savepoint_metadata('{SAVEPOINT}');\n"
        )

    def client(self) -> str:
        """Ask the SQL client; return what it prints."""
        return self._distribution.run("sql-client.sh", "-f", str(self._script))


def told(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> dict[str, str]:
    folder = Path(tempfile.mkdtemp(prefix="scurry-show-"))
    show = [SCURRY, "state", "show", str(SAVEPOINT)]
    try:
        rival = Rival(folder)
        ids = {operator.id for operator in load_metadata(str(SAVEPOINT), LocalStorage()).operators}
        for text in (told(rival.program), rival.client()):  # both say what is there, or nothing is compared
            if missing := [id for id in ids if id[:20] not in text]:
                raise RuntimeError(f"of the operators {missing} nothing is told:\n{text}")
        told(show)
        times = timing.alternately(
            ROUNDS,
            **{f"ours{number}": partial(timing.seconds, show) for number in range(OURS_A_ROUND)},
            program=partial(timing.seconds, rival.program),
            client=lambda: timing.measured(rival.client),
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ours = [time for number in range(OURS_A_ROUND) for time in times[f"ours{number}"]]
    return {
        f"`scurry state show` of a small savepoint, median of {len(ours)}": timing.spread(ours),
        f"Flink's `savepoint_metadata` by its SQL client, median of {ROUNDS}": timing.spread(times["client"]),
        "by a program of its own that does not wind up": timing.spread(times["program"]),
        "times as fast as the SQL client; as the program (goal 20)": (
            f"{timing.times_as_fast(ours, times['client'])}; {timing.times_as_fast(ours, times['program'])}"
        ),
    }
