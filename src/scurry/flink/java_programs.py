"""Small Java programs that must run inside Flink's JVM: compiled on demand, against the Flink that will run them.

The compiler is Eclipse's: one jar that runs on a Java without a compiler, and everywhere the same. What it made is
kept by its content, so each program is compiled once per Flink version and machine:

    CACHE/java-programs/SqlRunner-2.3.0-<digest>/io/scurry/SqlRunner.class
    CACHE/java-programs/ecj-3.32.0.jar
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from scurry.flink.fetch import fetch, maven_central
from scurry.flink.install_cache import clear_errors
from scurry.model.errors import RuntimeUnavailable, ScurryError
from scurry.model.reporting import SilentReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from scurry.flink.installed import FlinkRuntime, JavaRuntime
    from scurry.model.reporting import Reporter

ECJ_VERSION = "3.32.0"
"""the last one that runs on Java 11; every later Java runs it, too"""
ECJ_PATH = f"org/eclipse/jdt/ecj/{ECJ_VERSION}/ecj-{ECJ_VERSION}.jar"
"""within a Maven repository"""
_ECJ_SHA256 = "07e034c44a019c0c6394a06ee7b5c344e5518f6083c0fd046f2d8fd16a6760e2"

_SQL_RUNNER = ("SqlRunner.java", "SqlScript.java", "StableUids.java", "PlanNames.java")
_ASKING = ("Asked.java", "PackagedPrograms.java", "PythonFunctions.java", "GraphText.java")
_PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "SqlRunner": _SQL_RUNNER,
    "SqlCompiler": ("SqlCompiler.java", "SqlLimits.java", "Asked.java", *_SQL_RUNNER),
    "JobGraphs": ("JobGraphs.java", *_ASKING),
    "StateProbe": (
        *("StateProbe.java", "StateProbeOpening.java", "StateProbeStates.java", "StateProbeStub.java"),
        *("StateProbeTask.java", "StateProbeVerdict.java"),
        *_ASKING,
    ),
}
# Flink 1.18 to 2.3 all run on Java 11. There is no `--release`: a Java without a compiler lacks what it needs.
_LEVEL = "11"
_COMPILE_TIMEOUT_S = 120
_DONE = ".complete"


class CompilationFailed(ScurryError):
    """A program of ours does not compile against a Flink: a bug of scurry's, or a Flink that it does not know."""

    code = "internal-error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A Java program that is not scurry's own: its name, and its files' texts by name."""

    name: str
    sources: Mapping[str, bytes]


def compile_program(
    program: str | Program,
    *,
    flink: FlinkRuntime,
    java: JavaRuntime,
    cache: Path,
    fetch_ecj: Callable[[], Path] | None = None,
    reporter: Reporter | None = None,
) -> Path:
    """Return the folder of a program's classes, compiled now if they were not before. About 2 s the first time.

    `program` is the name of one of scurry's own, or another one.

    `fetch_ecj` gets the compiler's jar from elsewhere than Maven Central. Raises `RuntimeUnavailable` when the compiler
    cannot be had or the cache not be written, `CompilationFailed`.
    """
    from filelock import FileLock

    told = reporter or SilentReporter()
    name, sources = (program, _sources(program)) if isinstance(program, str) else (program.name, program.sources)
    folder = cache / "java-programs"
    final = folder / _folder_name(name, sources, flink)
    if (final / _DONE).is_file():
        return final
    with clear_errors(cache, f"the Java program {name}"):
        folder.mkdir(parents=True, exist_ok=True)
        (cache / "locks").mkdir(parents=True, exist_ok=True)
        with FileLock(cache / "locks" / f"{final.name}.lock"):
            if (final / _DONE).is_file():  # somebody else compiled it while we waited
                return final
            compiler = _compiler(folder, fetch_ecj, told)
            with (
                told.activity(f"Compiling {name} for Flink {flink.version}"),
                tempfile.TemporaryDirectory(prefix=".compiling-", dir=folder) as area,
            ):
                classes = folder.__class__(area) / "classes"
                _compile(sources, classes, compiler, flink, java)
                (classes / _DONE).touch()
                with suppress(FileNotFoundError):
                    shutil.rmtree(final)
                classes.rename(final)
    return final


def compiled_name(program: str, flink: FlinkRuntime) -> str:
    """Return what tells the classes of one of scurry's own programs apart from all others."""
    return _folder_name(program, _sources(program), flink)


def _folder_name(name: str, sources: Mapping[str, bytes], flink: FlinkRuntime) -> str:
    return f"{name}-{flink.version}-{_key(sources, flink)}"


def _sources(name: str) -> Mapping[str, bytes]:
    folder = files("scurry.flink") / "java"
    return {file: (folder / file).read_bytes() for file in _PROGRAMS[name]}


def _key(sources: Mapping[str, bytes], flink: FlinkRuntime) -> str:
    """What the classes depend on. A Flink that is not the released one goes by its jars, too."""
    digest = hashlib.sha256(f"{flink.version} {ECJ_VERSION} {_LEVEL}".encode())
    for file, text in sources.items():
        digest.update(f"\0{file}\0".encode() + text)
    if flink.source != "pypi":
        for jar in _lib(flink):
            digest.update(f"\0{jar.name}\0{jar.stat().st_size}".encode())
    return digest.hexdigest()[:16]


def _lib(flink: FlinkRuntime) -> list[Path]:
    return sorted((flink.home / "lib").glob("*.jar"))


def _compile(
    sources: Mapping[str, bytes], classes: Path, compiler: Path, flink: FlinkRuntime, java: JavaRuntime
) -> None:
    origin = classes.with_name("sources")
    origin.mkdir()
    for file, text in sources.items():
        (origin / file).write_bytes(text)
    command = [
        *(str(java.executable), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-jar", str(compiler)),
        *("-source", _LEVEL, "-target", _LEVEL, "-encoding", "UTF-8", "-nowarn", "-proc:none", "-g:lines,source"),
        *("-classpath", os.pathsep.join(map(str, _lib(flink))), "-d", str(classes)),
        *(str(origin / file) for file in sources),
    ]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_COMPILE_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeUnavailable(
            f"the Java at {str(java.home)!r} does not run: {error}", hint="Name another one with `java_home`"
        ) from error
    if result.returncode:
        raise CompilationFailed(
            f"a Java program of scurry's does not compile against Flink {flink.version} on Java {java.major}:\n"
            f"{result.stdout}{result.stderr}".rstrip(),
            hint="This is a bug of scurry's, or that Flink is not complete. Please report it with the lines above",
        )


def _compiler(folder: Path, fetch_ecj: Callable[[], Path] | None, reporter: Reporter) -> Path:
    if fetch_ecj:
        return _checked(fetch_ecj())
    known = folder / f"ecj-{ECJ_VERSION}.jar"
    if known.is_file() and _digest(known) == _ECJ_SHA256:
        return known
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as area:
        title = f"Downloading the Eclipse compiler {ECJ_VERSION}"
        file = fetch(f"{maven_central()}/{ECJ_PATH}", folder.__class__(area), title=title, reporter=reporter)
        return _checked(file).replace(known)


def _checked(compiler: Path) -> Path:
    found = _digest(compiler)
    if found != _ECJ_SHA256:
        raise RuntimeUnavailable(
            f"{compiler.name!r} is not the Eclipse compiler {ECJ_VERSION}: its SHA-256 is {found}, not {_ECJ_SHA256}",
            hint="Check the network, and what the Maven repository serves",
        )
    return compiler


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
