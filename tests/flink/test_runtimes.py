"""Flink's installer: where a Flink comes from, which version, and what bad input and a bad network get."""

from __future__ import annotations

import base64
import hashlib
import io
import sys
import tarfile
import time
import venv
from typing import TYPE_CHECKING

import pytest

from scurry.flink.runtimes import Runtimes, default_cache, version_of
from scurry.model.errors import RuntimeUnavailable
from tests.flink.package_index import flink_files, flink_source_archive, flink_wheel, tarball, wheel
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flink.conftest import Listening
    from tests.flink.package_index import PackageIndex


@pytest.fixture
def own(cache: Path, reporter: Listening) -> Runtimes:
    return Runtimes(cache=cache, reporter=reporter)


def _folder(at: Path, version: str) -> Path:
    for path, content in flink_files(version).items():
        (at / path).parent.mkdir(parents=True, exist_ok=True)
        (at / path).write_bytes(content)
    return at


def _tarball(at: Path, version: str, content: bytes | None = None) -> Path:
    at.write_bytes(tarball(f"flink-{version}", flink_files(version)) if content is None else content)
    return at


def _leftovers(cache: Path) -> list[Path]:
    return [path for path in (cache / "staging").rglob("*") if path.is_file()] if cache.exists() else []


# --- which version ---------------------------------------------------------------------------------------------------


def test_a_series_is_its_newest_patch_by_number_not_by_text(index: PackageIndex, own: Runtimes) -> None:
    index.add(flink_wheel("2.2.9"), flink_wheel("2.2.10"), flink_wheel("2.3.0"), flink_wheel("1.20.5"))
    assert own.newest("2.2") == "2.2.10"
    assert own.newest("2") == "2.3.0"
    assert own.newest("2.2.9") == "2.2.9"


def test_the_index_is_asked_once_a_day(index: PackageIndex, own: Runtimes, monkeypatch: pytest.MonkeyPatch) -> None:
    index.add(flink_wheel("2.3.0"))
    assert own.newest("2.3") == "2.3.0"
    index.add(flink_wheel("2.3.1"))
    assert own.newest("2.3") == "2.3.0"
    tomorrow = time.time() + 24 * 3600 + 1
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    assert own.newest("2.3") == "2.3.1"


def test_a_release_of_today_is_found_though_the_remembered_list_lacks_it(index: PackageIndex, own: Runtimes) -> None:
    index.add(flink_wheel("2.3.0"))
    own.newest("2.3")
    index.add(flink_wheel("2.3.1"))
    assert own.newest("2.3.1") == "2.3.1"


def test_a_damaged_list_is_asked_for_again(index: PackageIndex, own: Runtimes, cache: Path) -> None:
    index.add(flink_wheel("2.3.0"))
    own.newest("2.3")
    (cache / "index" / "apache-flink-libraries.json").write_text("{", "utf-8")
    assert own.newest("2.3") == "2.3.0"


def test_a_version_that_does_not_exist_names_the_nearest_that_do(index: PackageIndex, own: Runtimes) -> None:
    index.add(*map(flink_wheel, ("1.20.5", "2.2.1", "2.3.0", "2.3.1")))
    with pytest.raises(RuntimeUnavailable, match=r"'2\.3\.7' does not exist") as raised:
        own.newest("2.3.7")
    assert raised.value.hint is not None
    assert raised.value.hint.startswith("The nearest that do: 2.3.1, 2.3.0")
    with pytest.raises(RuntimeUnavailable, match=r"'2\.9' does not exist"):
        own.flink("2.9")


@pytest.mark.parametrize("text", ["latest", "", "2.x", "v2.3", "../2.3.0"])
def test_what_is_no_version_is_refused_without_asking_anybody(text: str, no_network: None, own: Runtimes) -> None:
    with pytest.raises(RuntimeUnavailable, match="is not a version of Flink"):
        own.newest(text)


def test_a_flink_too_old_for_us_is_refused(no_network: None, own: Runtimes) -> None:
    with pytest.raises(RuntimeUnavailable, match=r"'1\.17\.2' is too old: scurry runs 1\.18 and newer"):
        own.newest("1.17.2")


# --- from the package index ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", [flink_wheel, flink_source_archive], ids=["wheel", "source archive"])
def test_flink_is_installed_from_the_index(
    package: type, index: PackageIndex, own: Runtimes, cache: Path, reporter: Listening
) -> None:
    index.add(package("2.3.0"))
    flink = own.flink("2.3")
    assert (flink.version, flink.source, flink.home) == ("2.3.0", "pypi", cache / "flink" / "2.3.0")
    assert {path.name for path in flink.home.iterdir() if path.is_dir()} == {"lib", "opt", "plugins"}
    assert version_of(flink.home) == "2.3.0"
    assert _leftovers(cache) == []
    size = len(next(iter(index.files.values())))
    assert ("Downloading Flink 2.3.0", size) in reporter.activities
    assert reporter.done["Downloading Flink 2.3.0"] == size


def test_what_is_installed_is_not_fetched_again(index: PackageIndex, own: Runtimes) -> None:
    index.add(flink_wheel("2.3.0"))
    first = own.flink("2.3.0")
    assert own.flink("2.3.0") == first
    assert len(index.downloads) == 1


@pytest.mark.parametrize("missing", ["lib", ".scurry.json"])
def test_a_flink_from_which_somebody_deleted_files_is_installed_again(
    missing: str, index: PackageIndex, own: Runtimes
) -> None:
    index.add(flink_wheel("2.3.0"))
    home = own.flink("2.3.0").home
    (home / missing).rename(home / "elsewhere")
    with pytest.raises(RuntimeUnavailable, match="is not installed"):
        own.flink("2.3.0", install=False)
    assert version_of(own.flink("2.3.0").home) == "2.3.0"
    assert not (home / "elsewhere").exists()


def test_nothing_is_installed_when_that_is_not_wanted(index: PackageIndex, own: Runtimes) -> None:
    index.add(flink_wheel("2.3.0"))
    with pytest.raises(RuntimeUnavailable, match=r"'2\.3\.0' is not installed") as raised:
        own.flink("2.3.0", install=False)
    assert raised.value.hint == "To install it:\n  scurry runtime install 2.3.0"
    assert index.downloads == []


def test_several_versions_stand_side_by_side(index: PackageIndex, own: Runtimes) -> None:
    index.add(flink_source_archive("1.20.5"), flink_wheel("2.3.0"))
    assert own.flink("1.20").home != own.flink("2.3").home
    assert [(entry.kind, entry.version, entry.source) for entry in own.installed()] == [
        ("flink", "1.20.5", "pypi"),
        ("flink", "2.3.0", "pypi"),
    ]


def test_a_package_that_is_no_flink_is_refused(index: PackageIndex, own: Runtimes, cache: Path) -> None:
    index.add(wheel("apache-flink-libraries", "2.3.0", {"pyflink/version.py": b""}))
    with pytest.raises(RuntimeUnavailable, match="is not a Flink distribution"):
        own.flink("2.3.0")
    assert own.installed() == ()
    assert _leftovers(cache) == []


def test_a_file_that_breaks_on_the_way_is_not_installed(index: PackageIndex, own: Runtimes, cache: Path) -> None:
    name, content = flink_wheel("2.3.0")
    index.add((name, content[: len(content) // 2]))
    with pytest.raises(RuntimeUnavailable, match=r"Flink 2\.3\.0"):
        own.flink("2.3.0")
    assert own.installed() == ()
    assert _leftovers(cache) == []
    index.add((name, content))
    assert version_of(own.flink("2.3.0").home) == "2.3.0"


# --- no network, no pip ----------------------------------------------------------------------------------------------


def test_without_network_and_cache_the_error_says_so(no_network: None, own: Runtimes) -> None:
    for ask in (own.newest, own.flink):
        with pytest.raises(RuntimeUnavailable, match="the package index cannot be reached") as raised:
            ask("2.3")
        assert raised.value.hint is not None
        assert "PIP_INDEX_URL" in raised.value.hint


def test_without_network_what_is_installed_does(
    index: PackageIndex, own: Runtimes, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add(flink_wheel("2.3.0"))
    installed = own.flink("2.3.0")
    (cache / "index" / "apache-flink-libraries.json").unlink()
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert own.newest("2.3") == "2.3.0"
    assert own.flink("2.3") == installed
    assert own.flink("2.3.0") == installed
    with pytest.raises(RuntimeUnavailable, match="cannot be reached"):
        own.flink("2.2")


def test_a_python_without_pip_is_told_how_to_get_it(
    no_network: None, own: Runtimes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    bare = str(tmp_path / "bare" / "bin" / "python")
    monkeypatch.setattr(sys, "executable", bare)
    with pytest.raises(RuntimeUnavailable, match="has no pip") as raised:
        own.newest("2.3")
    assert raised.value.hint == f"To get it, run:\n  {bare} -m ensurepip --upgrade"


# --- tarballs and folders --------------------------------------------------------------------------------------------


def test_a_tarball_of_the_project_serves(no_network: None, tmp_path: Path, cache: Path, reporter: Listening) -> None:
    archive = _tarball(tmp_path / "flink-2.3.0-bin-scala_2.12.tgz", "2.3.0")
    own = Runtimes(cache=cache, reporter=reporter, flink_sources={"2.3.0": str(archive)})
    flink = own.flink("2.3")
    assert (flink.version, flink.source, version_of(flink.home)) == ("2.3.0", "archive", "2.3.0")
    assert own.flink("2.3.0").home == flink.home
    assert reporter.titles.count("Unpacking Flink 2.3.0") == 1
    assert archive.is_file()


def test_a_rebuilt_tarball_is_unpacked_anew(no_network: None, tmp_path: Path, cache: Path, reporter: Listening) -> None:
    archive = _tarball(tmp_path / "flink.tgz", "2.3.0")
    own = Runtimes(cache=cache, reporter=reporter, flink_sources={"2.3.0": str(archive)})
    first = own.flink("2.3.0").home
    _tarball(archive, "2.3.0", tarball("flink-2.3.0", {**flink_files("2.3.0"), "lib/own.jar": b"own"}))
    second = own.flink("2.3.0").home
    assert second != first
    assert (second / "lib" / "own.jar").is_file()


def test_a_tarball_of_ours_does_not_pass_for_the_released_one(
    index: PackageIndex, tmp_path: Path, cache: Path, reporter: Listening
) -> None:
    index.add(flink_wheel("2.3.0"))
    archive = _tarball(tmp_path / "flink.tgz", "2.3.0")
    patched = Runtimes(cache=cache, reporter=reporter, flink_sources={"2.3.0": str(archive)}).flink("2.3.0")
    released = Runtimes(cache=cache, reporter=reporter).flink("2.3.0")
    assert patched.home != released.home


def test_a_tarball_by_url_serves(index: PackageIndex, cache: Path, reporter: Listening) -> None:
    content = tarball("flink-2.3.0", flink_files("2.3.0"))
    index.add(("flink.tgz", content))
    digest = hashlib.sha512(content).hexdigest()
    sources = {"2.3.0": f"{index.file_url('flink.tgz')}#sha512={digest}"}
    own = Runtimes(cache=cache, reporter=reporter, flink_sources=sources)
    assert version_of(own.flink("2.3.0").home) == "2.3.0"
    assert own.flink("2.3.0") == own.flink("2.3")
    assert index.downloads == ["flink.tgz"]
    assert ("Downloading Flink 2.3.0", len(content)) in reporter.activities


def test_credentials_of_a_mirror_are_sent_and_never_shown(
    index: PackageIndex, cache: Path, reporter: Listening
) -> None:
    index.add(("flink.tgz", tarball("flink-2.3.0", flink_files("2.3.0"))))
    address = index.file_url("flink.tgz").replace("http://", "http://me:s%40cret@")
    own = Runtimes(cache=cache, reporter=reporter, flink_sources={"2.3.0": address})
    own.flink("2.3.0")
    assert index.credentials == [f"Basic {base64.b64encode(b'me:s@cret').decode()}"]
    (entry,) = own.installed()
    assert entry.source == index.file_url("flink.tgz")
    missing = Runtimes(cache=cache, reporter=reporter, flink_sources={"2.3.0": address.replace("flink.tgz", "gone")})
    with pytest.raises(RuntimeUnavailable) as raised:
        missing.flink("2.3.0")
    assert "cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("fragment", "file", "complaint"),
    [
        (f"#sha512={'0' * 128}", "flink.tgz", "its sha512 differs"),
        ("", "missing.tgz", "answers 404"),
    ],
)
def test_a_url_that_serves_something_else_is_refused(
    fragment: str, file: str, complaint: str, index: PackageIndex, cache: Path, reporter: Listening
) -> None:
    index.add(("flink.tgz", tarball("flink-2.3.0", flink_files("2.3.0"))))
    sources = {"2.3.0": index.file_url(file) + fragment}
    own = Runtimes(cache=cache, reporter=reporter, flink_sources=sources)
    with pytest.raises(RuntimeUnavailable, match=complaint):
        own.flink("2.3.0")
    assert own.installed() == ()
    assert _leftovers(cache) == []


def test_a_url_where_nobody_listens_is_a_clear_error(cache: Path, reporter: Listening) -> None:
    own = Runtimes(cache=cache, reporter=reporter, flink_sources={"2.3.0": "http://127.0.0.1:9/flink.tgz"})
    with pytest.raises(RuntimeUnavailable, match="cannot be downloaded"):
        own.flink("2.3.0")


def test_a_folder_of_the_project_is_used_where_it_is(tmp_path: Path, cache: Path, reporter: Listening) -> None:
    folder = _folder(tmp_path / "own", "2.4-SNAPSHOT")
    own = Runtimes(cache=cache, reporter=reporter, flink_sources={"2.4-SNAPSHOT": str(folder)})
    flink = own.flink("2.4-SNAPSHOT")
    assert (flink.version, flink.home, flink.source) == ("2.4-SNAPSHOT", folder, "archive")


def test_a_tarball_that_is_cut_short_leaves_nothing(tmp_path: Path, cache: Path, reporter: Listening) -> None:
    whole = tarball("flink-2.3.0", flink_files("2.3.0"))
    archive = _tarball(tmp_path / "flink.tgz", "2.3.0", whole[: len(whole) // 2])
    own = Runtimes(cache=cache, reporter=reporter, flink_sources={"2.3.0": str(archive)})
    with pytest.raises(RuntimeUnavailable, match=r"'flink\.tgz' of Flink 2\.3\.0 is broken"):
        own.flink("2.3.0")
    assert own.installed() == ()
    assert _leftovers(cache) == []


@pytest.mark.parametrize("content", [b"", b"<html>Not found</html>"])
def test_a_file_that_is_no_archive_is_refused(content: bytes, tmp_path: Path, cache: Path, reporter: Listening) -> None:
    archive = _tarball(tmp_path / "flink.tgz", "2.3.0", content)
    own = Runtimes(cache=cache, reporter=reporter, flink_sources={"2.3.0": str(archive)})
    with pytest.raises(RuntimeUnavailable, match="is broken"):
        own.flink("2.3.0")


def test_a_tarball_cannot_write_outside_its_folder(tmp_path: Path, cache: Path, reporter: Listening) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as evil:
        info = tarfile.TarInfo("../../../../escaped")
        info.size = 4
        evil.addfile(info, io.BytesIO(b"evil"))
    archive = _tarball(tmp_path / "flink.tgz", "2.3.0", out.getvalue())
    own = Runtimes(cache=cache, reporter=reporter, flink_sources={"2.3.0": str(archive)})
    with pytest.raises(RuntimeUnavailable, match="is broken"):
        own.flink("2.3.0")
    assert list(tmp_path.rglob("escaped")) == []


def test_a_tarball_of_another_version_is_refused(tmp_path: Path, cache: Path, reporter: Listening) -> None:
    archive = _tarball(tmp_path / "flink.tgz", "1.20.5")
    own = Runtimes(cache=cache, reporter=reporter, flink_sources={"2.3.0": str(archive)})
    with pytest.raises(RuntimeUnavailable, match=r"holds Flink 1\.20\.5, but Flink '2\.3\.0' is wanted"):
        own.flink("2.3.0")


def test_a_source_that_is_not_there_is_named(tmp_path: Path, cache: Path, reporter: Listening) -> None:
    own = Runtimes(cache=cache, reporter=reporter, flink_sources={"2.3.0": str(tmp_path / "gone.tgz")})
    with pytest.raises(RuntimeUnavailable, match=r"gone\.tgz"):
        own.flink("2.3.0")


# --- FLINK_HOME ------------------------------------------------------------------------------------------------------


def test_flink_home_is_used_when_its_version_fits(
    no_network: None, own: Runtimes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = _folder(tmp_path / "flink", "2.3.0")
    monkeypatch.setenv("FLINK_HOME", str(home))
    for asked in ("2.3.0", "2.3"):
        flink = own.flink(asked)
        assert (flink.version, flink.home, flink.source) == ("2.3.0", home, "FLINK_HOME")


def test_flink_home_of_another_version_is_left_alone(
    index: PackageIndex, own: Runtimes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add(flink_wheel("2.3.0"))
    monkeypatch.setenv("FLINK_HOME", str(_folder(tmp_path / "flink", "1.20.5")))
    assert own.flink("2.3").source == "pypi"
    monkeypatch.setenv("FLINK_HOME", str(tmp_path / "nowhere"))
    assert own.flink("2.3").source == "pypi"


# --- list and remove -------------------------------------------------------------------------------------------------


def test_the_list_says_what_each_weighs(index: PackageIndex, own: Runtimes) -> None:
    index.add(flink_wheel("2.3.0"))
    home = own.flink("2.3.0").home
    (entry,) = own.installed()
    assert (entry.kind, entry.version, entry.path) == ("flink", "2.3.0", home)
    assert entry.size_bytes == sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
    assert entry.last_used is not None


def test_remove_frees_what_it_says(index: PackageIndex, own: Runtimes) -> None:
    index.add(flink_wheel("2.2.1"), flink_wheel("2.3.0"))
    gone, stays = own.flink("2.2.1").home, own.flink("2.3.0").home
    size = own.installed()[0].size_bytes
    assert own.remove("flink", "2.2.1") == size
    assert not gone.exists()
    assert stays.exists()
    assert [entry.version for entry in own.installed()] == ["2.3.0"]
    with pytest.raises(RuntimeUnavailable, match=r"flink '2\.2\.1' is not installed \(there: 2\.3\.0\)"):
        own.remove("flink", "2.2.1")


def test_what_java_recorded_of_a_flink_is_listed_and_goes_with_it(
    index: PackageIndex, own: Runtimes, cache: Path
) -> None:
    index.add(flink_wheel("2.3.0"))
    own.flink("2.3.0")
    for name in ("2.3.0-java17-0123", "1.20.5-java17-0123"):
        (cache / "class-data" / name).mkdir(parents=True)
        (cache / "class-data" / name / "manager.jsa").write_bytes(b"x" * 1000)
    listed = {(entry.kind, entry.version): entry.size_bytes for entry in own.installed()}
    assert listed["archive", "2.3.0-java17-0123"] == 1000
    assert own.remove("flink", "2.3.0") == listed["flink", "2.3.0"] + 1000
    assert own.remove("archive", "1.20.5-java17-0123") == 1000
    assert own.installed() == ()


# --- the real thing --------------------------------------------------------------------------------------------------


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SCURRY_CACHE", str(tmp_path / "here"))
    assert default_cache() == tmp_path / "here"
    monkeypatch.delenv("SCURRY_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache() == tmp_path / "xdg" / "scurry"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache() == tmp_path / ".cache" / "scurry"


@pytest.mark.network
@pytest.mark.parametrize("version", FLINK_VERSIONS)
def test_a_real_flink_comes_from_pypi_whole(version: str, cache: Path, reporter: Listening) -> None:
    own = Runtimes(cache=cache, reporter=reporter)
    assert own.newest(version.rpartition(".")[0]) == version
    home = own.flink(version).home
    assert {path.name for path in home.iterdir()} >= {"lib", "opt", "plugins"}
    names = {path.name for path in (home / "lib").iterdir()} | {path.name for path in (home / "opt").iterdir()}
    for jar in (
        f"flink-dist-{version}.jar",
        f"flink-table-planner-loader-{version}.jar",
        f"flink-python-{version}.jar",
    ):
        assert jar in names
    (title, total), *_ = reporter.activities
    assert title == f"Downloading Flink {version}"
    assert total == reporter.done[title]
    assert own.remove("flink", version) > 200_000_000
    assert _leftovers(cache) == []
