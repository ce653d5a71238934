"""How long it takes to ask programs for their job graphs, against plain `java` that does the same.

The rival stands for `flink info`: the same Flink, jar and Java program, without our archives of classes and choice of
compiler and collector. `flink info` itself loads the classes of the command line, too.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

from benchmarks import ticks, timing
from scurry.artifacts.sql_package import package_sql
from scurry.artifacts.store import ArtifactStore
from scurry.flink import java_asking
from scurry.flink.class_data import ClassData
from scurry.flink.java_asking import Java
from scurry.flink.java_programs import compile_program
from scurry.flink.job_graph import GraphRequest, job_graph
from scurry.flink.job_graph_python import PYTHON_DRIVER
from scurry.flink.python import python_environment
from scurry.model.errors import Place
from scurry.model.reporting import SilentReporter
from scurry.model.script import Origin, Script
from scurry.spec.sql_statements import split_statements
from scurry.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.flink.runtimes import Runtimes

VERSION = "2.3.0"
ROUNDS = 5
_ARCHIVES_S = 120
_APPLICATIONS = Path(__file__).resolve().parents[1] / "tests" / "conformance" / "applications"


class Stage:
    """Programs of each kind, and two ways to ask them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runtimes = Workspace.open(folder).assembly.runtimes
        self._on = Java(
            flink=self._runtimes.flink(VERSION), java=self._runtimes.java(VERSION), cache=self._runtimes.cache
        )
        self._builds = 0
        self.jar = GraphRequest(on=self._on, jar=self._built(), arguments=(str(folder / "ticks.txt"),))
        self.sql = GraphRequest(on=self._on, jar=_script(folder, self._on))
        self.python = _python(self._on, self._runtimes)

    def _built(self) -> Path:
        self._builds += 1
        return ticks.jar(self._folder, self._runtimes, VERSION, build=self._builds)

    def new_jar(self) -> float:
        """A jar that was never asked before."""
        request = replace(self.jar, jar=self._built())
        return timing.measured(lambda: job_graph(request))

    def known(self) -> float:
        """An answer that was kept."""
        job_graph(self.jar, as_known=True)
        return timing.measured(lambda: job_graph(self.jar, as_known=True))

    def plainly(self, request: GraphRequest) -> float:
        with plain():
            return timing.measured(lambda: job_graph(request))

    def warm_up(self) -> None:
        """Ask each until its archive is there, which the first process writes when it has answered."""
        for request in (self.jar, self.sql, self.python):
            deadline = monotonic() + _ARCHIVES_S
            while job_graph(request).records and monotonic() < deadline:
                sleep(5)


def _script(folder: Path, on: Java) -> Path:
    text = (_APPLICATIONS / "counting.sql").read_text("utf-8").format(variant=1, source="numbers")
    origin = Origin(offset=0, place=Place(file="counting.sql", line=1, column=1))
    script: Script = split_statements(Script(text=text, origins=(origin,)))
    runner = compile_program("SqlRunner", flink=on.flink, java=on.java, cache=on.cache)
    store = ArtifactStore(folder / "artifacts")
    return store.path(package_sql(script, connectors=(), runner=runner, store=store))


def _python(on: Java, runtimes: Runtimes) -> GraphRequest:
    environment = python_environment(
        cache=runtimes.cache, flink_version=VERSION, requirements=None, python=None, reporter=SilentReporter()
    )
    return GraphRequest(
        on=on,
        jar=next((on.flink.home / "opt").glob("flink-python*.jar")),
        entry=PYTHON_DRIVER,
        arguments=("-py", str(_APPLICATIONS / "counting.py"), "--label", "x"),
        config={"python.client.executable": str(environment.python), "python.executable": str(environment.python)},
    )


@contextmanager
def plain() -> Iterator[None]:
    """No archives of ours, and Java's own choice of compiler and collector."""
    speed, flags = java_asking._SPEED, ClassData.flags
    java_asking._SPEED = ()
    ClassData.flags = lambda self, role, *, record: ()  # type: ignore[method-assign]
    try:
        yield
    finally:
        java_asking._SPEED = speed
        ClassData.flags = flags  # type: ignore[method-assign]


def main() -> dict[str, str]:
    folder = Path(tempfile.mkdtemp(prefix="scurry-graphs-"))
    try:
        stage = Stage(folder)
        stage.warm_up()
        contenders = {
            "jar": lambda: timing.measured(lambda: job_graph(stage.jar)),
            "jar_new": stage.new_jar,
            "jar_kept": stage.known,
            "jar_plain": lambda: stage.plainly(stage.jar),
            "sql": lambda: timing.measured(lambda: job_graph(stage.sql)),
            "sql_plain": lambda: stage.plainly(stage.sql),
            "python": lambda: timing.measured(lambda: job_graph(stage.python)),
            "python_plain": lambda: stage.plainly(stage.python),
        }
        times = timing.alternately(ROUNDS, **contenders)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "a jar that was asked before": timing.spread(times["jar"]),
        "a new jar": timing.spread(times["jar_new"]),
        "a jar whose answer is still kept": timing.spread(times["jar_kept"]),
        "the jar by plain `java`": timing.spread(times["jar_plain"]),
        "an SQL application": timing.spread(times["sql"]),
        "the SQL application by plain `java`": timing.spread(times["sql_plain"]),
        "a PyFlink application": timing.spread(times["python"]),
        "the PyFlink application by plain `java`": timing.spread(times["python_plain"]),
        "ratio to plain `java`, jar": timing.ratio(times["jar"], times["jar_plain"]),
        "ratio to plain `java`, SQL": timing.ratio(times["sql"], times["sql_plain"]),
        "ratio to plain `java`, PyFlink": timing.ratio(times["python"], times["python_plain"]),
    }
