"""Java programs compiled on demand: against the Flink that runs them, once, the same wherever they are compiled."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from scurry.flink import java_programs
from scurry.flink.install_cache import default_cache
from scurry.flink.installed import FlinkRuntime, JavaRuntime
from scurry.flink.java_programs import ECJ_PATH, CompilationFailed, compile_program
from scurry.flink.jvm import inspect_java
from scurry.model.errors import RuntimeUnavailable
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from pathlib import Path

    from scurry.flink.runtimes import Runtimes
    from tests.flink.conftest import Listening

pytestmark = pytest.mark.flink

ECJ = default_cache() / "java-programs" / ECJ_PATH.rpartition("/")[2]


@pytest.fixture(scope="module")
def ecj(runtimes: Runtimes) -> Path:
    """The compiler, from the shared cache."""
    compile_program("SqlRunner", flink=runtimes.flink("2.3.0"), java=runtimes.java("2.3.0"), cache=default_cache())
    if not ECJ.exists():  # the program was compiled before, by a compiler that came from elsewhere
        from scurry.flink.fetch import fetch, maven_central
        from scurry.model.reporting import SilentReporter

        ECJ.parent.mkdir(parents=True, exist_ok=True)
        fetch(f"{maven_central()}/{ECJ_PATH}", ECJ.parent, title="", reporter=SilentReporter())
    return ECJ


def classes_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("**/*.class")}


@pytest.mark.parametrize("version", FLINK_VERSIONS)
def test_the_sql_runner_compiles_and_is_java_11(runtimes: Runtimes, cache: Path, ecj: Path, version: str) -> None:
    folder = compile_program(
        "SqlRunner",
        flink=runtimes.flink(version),
        java=runtimes.java(version),
        cache=cache,
        fetch_ecj=lambda: ecj,
    )
    found = classes_in(folder)
    assert {"io/scurry/SqlRunner.class", "io/scurry/StableUids.class"} <= found.keys()
    for data in found.values():
        assert int.from_bytes(data[6:8], "big") == 55


def test_what_was_compiled_is_found_again_without_java(
    runtimes: Runtimes, cache: Path, ecj: Path, reporter: Listening, tmp_path: Path
) -> None:
    flink = runtimes.flink("2.3.0")
    first = compile_program(
        "SqlRunner",
        flink=flink,
        java=runtimes.java("2.3.0"),
        cache=cache,
        fetch_ecj=lambda: ecj,
        reporter=reporter,
    )
    nowhere = JavaRuntime(home=tmp_path / "no java", major=17, source="PATH")
    assert compile_program("SqlRunner", flink=flink, java=nowhere, cache=cache) == first
    assert reporter.titles == ["Compiling SqlRunner for Flink 2.3.0"]


def test_every_java_compiles_the_same_bytes(runtimes: Runtimes, tmp_path: Path, ecj: Path) -> None:
    """Else an SQL application's digest, and with it its revision, would depend on who deploys."""
    flink = runtimes.flink("2.3.0")
    found: dict[int, dict[str, bytes]] = {}
    for home in (runtimes.java("2.3.0").home, *_packaged_javas()):
        told = inspect_java(home / "bin" / "java")
        assert told is not None
        java = JavaRuntime(home=told[0], major=told[1], source="PATH")
        cache = tmp_path / str(java.major)
        found[java.major] = classes_in(
            compile_program("SqlRunner", flink=flink, java=java, cache=cache, fetch_ecj=lambda: ecj)
        )
    first = next(iter(found.values()))
    assert all(classes == first for classes in found.values())
    if len(found) < 2:
        pytest.skip("only one Java on this machine")


def _packaged_javas() -> list[Path]:
    return [path for path in (default_cache() / "java").glob("*") if (path / "bin" / "java").exists()]


def test_many_at_once_compile_once(runtimes: Runtimes, cache: Path, ecj: Path, reporter: Listening) -> None:
    flink, java = runtimes.flink("2.3.0"), runtimes.java("2.3.0")
    start = threading.Barrier(4)
    found: list[Path] = []

    def work() -> None:
        start.wait()
        found.append(
            compile_program("SqlRunner", flink=flink, java=java, cache=cache, fetch_ecj=lambda: ecj, reporter=reporter)
        )

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert reporter.titles == ["Compiling SqlRunner for Flink 2.3.0"]


def test_a_kill_while_compiling_leaves_nothing_that_counts(runtimes: Runtimes, cache: Path, ecj: Path) -> None:
    flink, java = runtimes.flink("2.3.0"), runtimes.java("2.3.0")
    code = (
        "import os, pathlib, signal, sys\n"
        "from scurry.flink import java_programs\n"
        "from scurry.flink.installed import FlinkRuntime, JavaRuntime\n"
        "real = java_programs._compile\n"
        "def compiled_then_killed(*given):\n"
        "    real(*given)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "java_programs._compile = compiled_then_killed\n"
        "home, java, cache, ecj = map(pathlib.Path, sys.argv[1:])\n"
        "java_programs.compile_program('SqlRunner', cache=cache, fetch_ecj=lambda: ecj,\n"
        "    flink=FlinkRuntime(version='2.3.0', home=home, source='pypi'),\n"
        "    java=JavaRuntime(home=java, major=17, source='PATH'))\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, str(flink.home), str(java.home), str(cache), str(ecj)], check=False
    )
    assert killed.returncode == -9
    folder = compile_program("SqlRunner", flink=flink, java=java, cache=cache, fetch_ecj=lambda: ecj)
    assert "io/scurry/SqlRunner.class" in classes_in(folder)


def test_a_flink_that_lacks_what_is_needed_is_told_with_the_compilers_words(
    runtimes: Runtimes, cache: Path, ecj: Path, tmp_path: Path
) -> None:
    (tmp_path / "flink" / "lib").mkdir(parents=True)
    bare = FlinkRuntime(version="2.3.0", home=tmp_path / "flink", source="archive")
    with pytest.raises(CompilationFailed, match="cannot be resolved") as caught:
        compile_program("SqlRunner", flink=bare, java=runtimes.java("2.3.0"), cache=cache, fetch_ecj=lambda: ecj)
    assert caught.value.code == "internal-error"
    assert not list((cache / "java-programs").glob("SqlRunner*"))


def test_a_compiler_that_is_another_file_is_refused(runtimes: Runtimes, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "ecj.jar").write_bytes(b"something else")
    with pytest.raises(RuntimeUnavailable, match=r"'ecj\.jar' is not the Eclipse compiler"):
        compile_program(
            "SqlRunner",
            flink=runtimes.flink("2.3.0"),
            java=runtimes.java("2.3.0"),
            cache=cache,
            fetch_ecj=lambda: tmp_path / "ecj.jar",
        )


def test_a_java_that_does_not_run_is_told(runtimes: Runtimes, cache: Path, ecj: Path, tmp_path: Path) -> None:
    gone = JavaRuntime(home=tmp_path / "gone", major=17, source="JAVA_HOME")
    with pytest.raises(RuntimeUnavailable, match="does not run"):
        compile_program("SqlRunner", flink=runtimes.flink("2.3.0"), java=gone, cache=cache, fetch_ecj=lambda: ecj)


def test_another_flink_or_source_has_classes_of_its_own(
    runtimes: Runtimes, cache: Path, ecj: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = runtimes.java("2.3.0")
    folders = {
        compile_program("SqlRunner", flink=runtimes.flink(version), java=java, cache=cache, fetch_ecj=lambda: ecj)
        for version in FLINK_VERSIONS
    }
    real = java_programs._sources
    monkeypatch.setattr(
        java_programs, "_sources", lambda name: {file: text + b"\n// more" for file, text in real(name).items()}
    )
    folders.add(
        compile_program("SqlRunner", flink=runtimes.flink("2.3.0"), java=java, cache=cache, fetch_ecj=lambda: ecj)
    )
    assert len(folders) == 3


@pytest.mark.network
def test_the_compiler_comes_from_maven_central(runtimes: Runtimes, cache: Path, reporter: Listening) -> None:
    compile_program(
        "SqlRunner", flink=runtimes.flink("2.3.0"), java=runtimes.java("2.3.0"), cache=cache, reporter=reporter
    )
    assert "Downloading the Eclipse compiler 3.32.0" in reporter.titles
    assert (cache / "java-programs" / "ecj-3.32.0.jar").is_file()
