"""Applications that fail for real, each in a way that the catalogue knows: a jar, SQL scripts, Python scripts."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scurry.flink.java_programs import Program, compile_program
from scurry.model.errors import ScurryError
from tests.conformance.stage import VERSION, Ledger, Stage
from tests.flink.local_flink import until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scurry.flink.runtimes import Runtimes
    from scurry.model.report import Diagnosis, Finding

APPLICATIONS = Path(__file__).parent / "applications"
_OTHER_LIBRARY = b"final class Library { private Library() {} }\n"
NUMBERS = "CREATE TABLE numbers (n INT) WITH ('connector' = 'datagen', 'rows-per-second' = '50');\n"
NOWHERE = "CREATE TABLE nowhere (n INT) WITH ('connector' = 'blackhole');\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One application and the failure that it has to be told as."""

    code: str
    spec: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)
    says: str = ""
    """a part of what it is told as"""


def jar(code: str, *, how: str = "", says: str = "", **spec: Any) -> Case:
    """A case of the jar."""
    return Case(code=code, spec={"code": {"jar": "failing.jar", "args": [how or code]}, **spec}, says=says)


def sql(code: str, script: str, *, says: str = "", **spec: Any) -> Case:
    """A case of an SQL script, in which `@/` is the project's folder."""
    return Case(code=code, spec={"code": {"sql": "script.sql"}, **spec}, files={"script.sql": script}, says=says)


def python(code: str, script: str, *, says: str = "") -> Case:
    """A case of a Python script."""
    return Case(code=code, spec={"code": {"python": "script.py"}}, files={"script.py": script}, says=says)


def failing_jar(folder: Path, runtimes: Runtimes) -> None:
    """Put the jar there. In it is another version of a library than it was compiled with."""
    flink, java = runtimes.flink(VERSION), runtimes.java(VERSION)

    def classes(name: str, sources: dict[str, bytes]) -> Path:
        return compile_program(Program(name=name, sources=sources), flink=flink, java=java, cache=runtimes.cache)

    sources = {name: (APPLICATIONS / name).read_bytes() for name in ("Failing.java", "Library.java")}
    there, other = classes("Failing", sources), classes("OtherLibrary", {"Library.java": _OTHER_LIBRARY})
    with zipfile.ZipFile(folder / "failing.jar", "w") as packed:
        packed.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMain-Class: Failing\n")
        for path in sorted(there.glob("*.class")):
            packed.write(other / path.name if path.name == "Library.class" else path, path.name)


class Patient(Ledger):
    """An application that fails, and what `diagnose` says of it."""

    def fails(self, case: Case, *, window: str = "20s") -> Diagnosis:
        """Apply it, wait until something is wrong with it, and diagnose it."""
        self.begin(case, window=window)
        return self.ails(lambda finding: not finding.harmless)

    def ails(self, in_this_way: Callable[[Finding], bool]) -> Diagnosis:
        """Wait until it is diagnosed with something."""
        found: list[Diagnosis] = []

        def ails() -> bool:
            found.append(self.diagnosis())
            return any(in_this_way(finding) for finding in found[-1].findings)

        until(ails, f"{self.name} ails")
        return found[-1]

    def begin(self, case: Case, *, window: str = "20s") -> ScurryError | None:
        """Apply it, and return the error if it is refused."""
        for name, text in case.files.items():
            (self.stage.folder / f"{self.name}-{name}").write_text(text.replace("@/", f"{self.stage.folder}/"))
        config = {"execution.checkpointing.interval": "500ms", **case.spec.get("config", {})}
        spec = {
            "name": self.name,
            "flink": VERSION,
            "upgrade": {"health": {"window": window}},
            **case.spec,
            "config": config,
            "code": {
                key: f"{self.name}-{value}" if isinstance(value, str) and value in case.files else value
                for key, value in case.spec["code"].items()
            },
        }
        self.spec.write_text(json.dumps(spec))
        try:
            self.stage.open().apply(self.spec, confirm=lambda plan: True)
        except ScurryError as error:
            return error
        return None

    def diagnosis(self) -> Diagnosis:
        """Diagnose it as a new command does."""
        return self.stage.open().diagnose(self.name)


def patient(stage: Stage, name: str) -> Patient:
    """Return an application of a stage."""
    return Patient(stage, f"{name[:40].strip('-')}-{stage.next_number()}")
