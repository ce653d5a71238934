"""From a version of a case to a wish: the jar compiled, the SQL packaged, the Python zipped, and all of it stored."""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from scurry.artifacts.build import Workbench, build
from scurry.artifacts.fetch import fetch_connectors
from scurry.artifacts.jar_package import package_jar
from scurry.artifacts.lock import LOCK_FILE, LockFile
from scurry.artifacts.python_package import package_python
from scurry.artifacts.sql_application import Running
from scurry.artifacts.store import ArtifactStore
from scurry.assembly import LocalSecrets
from scurry.flink.java_programs import Program, compile_program
from scurry.flink.runtimes import Runtimes, default_cache
from scurry.model.desired import ArtifactKind, Desired
from scurry.model.reporting import SilentReporter
from scurry.spec.load import load_application, load_project
from tests.proof.cases import BACKEND, Kind, Version

if TYPE_CHECKING:
    from scurry.model.desired import Artifact
    from scurry.spec.load import LoadedApplication

HERE = Path(__file__).parent
ORDERS = HERE / "java" / "Orders.java"
PYTHON = HERE / "python" / "orders.py"
_MARK = re.compile(r"//\s*\[([^\]]*)\]\s*$")
_AVRO = {(1, 19): "1.18.0"}
"""releases of flink-sql-avro where that of the same Flink is not there"""
_TIMES = {"execution.checkpointing.interval": "300 ms", "execution.checkpointing.min-pause": "50 ms"}


def source_of(source: Path, *, age: str, flink: str) -> bytes:
    """Return a program's text without the lines that another version of it, or of Flink, has.

    They are left empty, so that the lines below keep their numbers and the classes there their bytes.
    """
    lines = source.read_text().splitlines()
    return "".join(f"{text if _belongs(text, age, flink) else ''}\n" for text in lines).encode()


def _belongs(text: str, age: str, flink: str) -> bool:
    found = _MARK.search(text)
    return found is None or all(_holds(word, age, flink) for word in found[1].split())


def _holds(word: str, age: str, flink: str) -> bool:
    if word in {"old", "new"}:
        return word == age
    if word.endswith("+"):
        return _number(flink) >= _number(word.removesuffix("+"))
    return flink.startswith(word.removesuffix("x")) if word.endswith(".x") else _number(flink) == _number(word)


def _number(version: str) -> tuple[int, int]:
    major, minor, *_ = version.split(".")
    return int(major), int(minor)


def tag_of(version: Version) -> str:
    """Return what the counts of a version that cannot tell its job's id are found by."""
    return f"{version.kind.name.lower()}-{hashlib.sha256(repr(version).encode()).hexdigest()[:12]}"


class Programs:
    """Wishes for versions of programs, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._building = Lock()
        self._wishes: dict[tuple[str, str, str], Desired] = {}
        self.runtimes = Runtimes(cache=default_cache(), reporter=SilentReporter())
        self.store = ArtifactStore(folder / "artifacts")
        self.secrets = LocalSecrets(folder)
        self.output = folder / "counts"
        self.input = folder / "input"
        for each in (self.output, self.input):
            each.mkdir(parents=True, exist_ok=True)
        (self.input / "numbers.txt").write_text("".join(f"{number}\n" for number in range(40)))

    def wish(self, version: Version, flink: str, previous: Desired | None = None) -> Desired:
        """Return what a version wishes for; `previous` is what an SQL version's plan goes on from."""
        known_as = repr(version), flink, previous.digest() if previous and version.kind is Kind.SQL else ""
        if known_as not in self._wishes:
            self._wishes[known_as] = self._wish(version, flink, previous)
        return self._wishes[known_as]

    def _wish(self, version: Version, flink: str, previous: Desired | None) -> Desired:
        flink = version.flink or flink
        config = self._config(version, flink)
        steps = tuple(step.format(input=self.input.as_uri(), tag=tag_of(version)) for step in version.steps)
        entry: str | None = None
        args: tuple[str, ...] = ()
        match version.kind:
            case Kind.JAVA:
                entry, args = "Orders", (str(self.output), *steps)
                with self._building:
                    artifact = self._java(version, flink)
            case Kind.SQL:
                artifact = self._sql(steps, flink, Running(config=config, previous=previous))
            case Kind.PYTHON:
                entry, args = PYTHON.name, (str(self.output), tag_of(version), *steps)
                artifact = package_python(PYTHON.name, base=PYTHON.parent, store=self.store)
        return Desired(
            application="proof",
            target="local",
            flink_version=flink,
            artifact=artifact,
            entry=entry,
            args=args,
            parallelism=version.parallelism,
            config=config,
        )

    def _sql(self, statements: tuple[str, ...], flink: str, running: Running) -> Artifact:
        with self._building:
            folder, loaded = self._script(";\n".join(statements), flink)
        return build(
            loaded.application,
            self.bench,
            folder=folder,
            script=loaded.script,
            flink_version=flink,
            running=running,
        )

    def _script(self, text: str, flink: str) -> tuple[Path, LoadedApplication]:
        folder = self.folder / "sql" / hashlib.sha256(text.encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "scurry.yaml").write_text("targets: {local: {kind: local}}\n")
        (folder / "proof.sql").write_text(f"{text};\n")
        (folder / "proof.yaml").write_text(f'name: proof\nflink: "{flink}"\ncode: {{sql: proof.sql}}\n')
        return folder, load_application(folder / "proof.yaml", environment=None, project=load_project(folder))

    def _config(self, version: Version, flink: str) -> dict[str, str]:
        config = {BACKEND: "hashmap", "restart-strategy.type": "none", **_TIMES, **version.config}
        if _number(flink) < (1, 19):
            config["restart-strategy"] = config.pop("restart-strategy.type")
            config["state.backend"] = config.pop(BACKEND)
        return config

    def _java(self, version: Version, flink: str) -> Artifact:
        jar = self._jar(source_of(ORDERS, age=version.age, flink=flink), version.age, flink)
        if any("avro" in step for step in version.steps):
            return package_jar(jar, connectors=self._avro(flink), store=self.store)
        return self.store.put_file(jar, ArtifactKind.JAR)

    def _jar(self, source: bytes, age: str, flink: str) -> Path:
        digest = hashlib.sha256(source).hexdigest()[:16]
        jar = self.folder / "jars" / f"orders-{flink}-{age}-{digest}.jar"
        if jar.exists():
            return jar
        classes = compile_program(
            Program(name="Orders", sources={"Orders.java": source}),
            flink=self.runtimes.flink(flink),
            java=self.runtimes.java(flink),
            cache=self.runtimes.cache,
        )
        jar.parent.mkdir(parents=True, exist_ok=True)
        draft = jar.with_suffix(".draft")
        with zipfile.ZipFile(draft, "w") as packed:
            packed.writestr("META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\nMain-Class: Orders\nAge: {age}\n")
            for path in sorted(classes.glob("*.class")):
                packed.write(path, path.name)
        draft.rename(jar)
        return jar

    def _avro(self, flink: str) -> tuple[Path, ...]:
        bench = self.bench
        major, minor = _number(flink)
        release = _AVRO.get((major, minor), f"{major}.{minor}.0")  # that of a fix release is not always there
        name = f"mvn:org.apache.flink:flink-sql-avro:{release}"
        return fetch_connectors((name,), base=self.folder, maven=bench.maven, downloads=bench.downloads)

    @property
    def bench(self) -> Workbench:
        """What artifacts are built with."""
        return Workbench(
            store=self.store,
            runtimes=self.runtimes,
            lock=LockFile(self.folder / LOCK_FILE),
            repositories=(),
            secrets=self.secrets,
            reporter=SilentReporter(),
        )
