"""Installing when things go wrong: kill -9, two at once, no room, no right. Nothing broken may ever look installed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from scurry.flink import install_cache
from scurry.flink.runtimes import Runtimes, version_of
from scurry.model.errors import RuntimeUnavailable
from tests.flink.package_index import flink_files, flink_source_archive, flink_wheel, tarball

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flink.conftest import Listening
    from tests.flink.package_index import PackageIndex

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60


def _child(cache: Path, *arguments: str, version: str = "2.3.0") -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.flink.install_in_child", str(cache), version, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _output(child: subprocess.Popen[str]) -> str:
    return child.communicate(timeout=DEADLINE_S)[0]


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"timed out waiting until {what}"
        time.sleep(0.01)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("package", [flink_wheel, flink_source_archive], ids=["wheel", "source archive"])
@pytest.mark.parametrize("moment", ["Downloading", "Unpacking", "rename"])
def test_an_install_killed_in_the_middle_is_cleaned_up_and_done_by_the_next(
    moment: str, package: Callable[[str], tuple[str, bytes]], index: PackageIndex, cache: Path, reporter: Listening
) -> None:
    index.add(package("2.3.0"))
    child = _child(cache, "--die-at", moment)
    assert "installed" not in _output(child)
    assert child.returncode == -signal.SIGKILL
    own = Runtimes(cache=cache, reporter=reporter)
    assert own.installed() == ()
    home = own.flink("2.3.0").home
    assert version_of(home) == "2.3.0"
    assert (home / "lib" / "flink-dist-2.3.0.jar").read_bytes() == flink_files("2.3.0")["lib/flink-dist-2.3.0.jar"]
    assert _files(cache / "staging") == []


def test_when_we_are_killed_pip_does_not_go_on_behind_our_back(index: PackageIndex, cache: Path) -> None:
    package = flink_wheel("2.3.0")
    index.add(package)
    index.hold(package[0])
    child = _child(cache)
    try:
        assert index.half_sent.wait(DEADLINE_S)
        started = psutil.Process(child.pid).children(recursive=True)
        assert started
    finally:
        child.kill()
    _output(child)
    assert psutil.wait_procs(started, timeout=DEADLINE_S / 3)[1] == []


def test_what_a_dying_pip_still_writes_does_not_stop_the_next_install(
    index: PackageIndex, cache: Path, reporter: Listening
) -> None:
    index.add(flink_wheel("2.3.0"))
    left = cache / "staging" / "flink-2.3.0" / "pip-of-a-killed-install"
    left.mkdir(parents=True)
    writing = threading.Event()

    def write_on() -> None:
        with suppress(FileNotFoundError):
            for number in range(1_000_000):
                (left / str(number)).touch()
                if number == 100:
                    writing.set()
                if number > 100 and time.monotonic() > ends:
                    return

    ends = time.monotonic() + 0.5
    pip = threading.Thread(target=write_on)
    pip.start()
    assert writing.wait(DEADLINE_S)
    home = Runtimes(cache=cache, reporter=reporter).flink("2.3.0").home
    pip.join()
    assert version_of(home) == "2.3.0"
    assert _files(cache / "staging") == []


def test_what_a_killed_install_left_goes_with_the_next_install_of_anything(
    index: PackageIndex, cache: Path, reporter: Listening
) -> None:
    index.add(flink_wheel("2.2.1"), flink_wheel("2.3.0"))
    _output(_child(cache, "--die-at", "Unpacking", version="2.2.1"))
    assert _files(cache / "staging") != []
    Runtimes(cache=cache, reporter=reporter).flink("2.3.0")
    assert _files(cache / "staging") == []


def test_two_installs_at_once_do_not_harm_each_other(index: PackageIndex, cache: Path) -> None:
    package = flink_wheel("2.3.0")
    index.add(package)
    index.hold(package[0])
    first = _child(cache)
    assert index.half_sent.wait(DEADLINE_S)
    second = _child(cache)
    assert second.stdout is not None
    waiting = second.stdout.readline()
    assert waiting.startswith(f"activity: Waiting for process {first.pid} (since ")
    assert waiting.endswith("at work on Flink 2.3.0\n")
    index.release()
    home = cache / "flink" / "2.3.0"
    assert f"installed: {home}\n" in _output(first)
    assert _output(second) == f"installed: {home}\n"
    assert index.downloads == [package[0]]
    assert version_of(home) == "2.3.0"


def test_who_waits_for_a_killed_one_takes_over(index: PackageIndex, cache: Path) -> None:
    package = flink_wheel("2.3.0")
    index.add(package)
    index.hold(package[0])
    first = _child(cache)
    assert index.half_sent.wait(DEADLINE_S)
    second = _child(cache)
    assert second.stdout is not None
    assert "Waiting for process" in second.stdout.readline()
    first.kill()
    _output(first)
    index.release()
    assert f"installed: {cache / 'flink' / '2.3.0'}\n" in _output(second)


def test_two_versions_install_at_the_same_time(index: PackageIndex, cache: Path) -> None:
    slow, quick = flink_wheel("2.2.1"), flink_wheel("2.3.0")
    index.add(slow, quick)
    index.hold(slow[0])
    first = _child(cache, version="2.2.1")
    assert index.half_sent.wait(DEADLINE_S)
    assert f"installed: {cache / 'flink' / '2.3.0'}\n" in _output(_child(cache, version="2.3.0"))
    index.release()
    assert f"installed: {cache / 'flink' / '2.2.1'}\n" in _output(first)


def test_remove_does_not_pull_the_floor_from_under_an_install(
    index: PackageIndex, cache: Path, reporter: Listening
) -> None:
    package = flink_wheel("2.3.0")
    index.add(package)
    index.hold(package[0])
    child = _child(cache)
    assert index.half_sent.wait(DEADLINE_S)
    with pytest.raises(RuntimeUnavailable, match="is not installed"):
        Runtimes(cache=cache, reporter=reporter).remove("flink", "2.3.0")
    index.release()
    assert "installed: " in _output(child)
    assert version_of(cache / "flink" / "2.3.0") == "2.3.0"


def test_installs_and_removes_at_once_end_in_something_whole(tmp_path: Path, cache: Path, reporter: Listening) -> None:
    archive = tmp_path / "flink.tgz"
    archive.write_bytes(tarball("flink-2.3.0", flink_files("2.3.0")))
    failures: list[Exception] = []

    def work(verb: Callable[[Runtimes], object]) -> None:
        own = Runtimes(cache=cache, reporter=reporter, flink_sources={"2.3.0": str(archive)})
        for _ in range(10):
            try:
                verb(own)
            except RuntimeUnavailable as error:
                if "is not installed" not in error.message:
                    failures.append(error)
            except Exception as error:
                failures.append(error)

    verbs: list[Callable[[Runtimes], object]] = [
        lambda own: own.flink("2.3.0"),
        lambda own: own.remove("flink", "2.3.0"),
        lambda own: own.installed(),
    ]
    threads = [threading.Thread(target=work, args=(verb,)) for verb in verbs for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert failures == []
    own = Runtimes(cache=cache, reporter=reporter, flink_sources={"2.3.0": str(archive)})
    assert version_of(own.flink("2.3.0").home) == "2.3.0"
    assert _files(cache / "staging") == []


def test_an_interrupted_install_leaves_nothing(
    index: PackageIndex, cache: Path, monkeypatch: pytest.MonkeyPatch, reporter: Listening
) -> None:
    package = flink_wheel("2.3.0")
    index.add(package)
    index.hold(package[0])
    child = _child(cache)
    assert index.half_sent.wait(DEADLINE_S)
    started = psutil.Process(child.pid).children(recursive=True)
    child.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in _output(child)
    assert psutil.wait_procs(started, timeout=DEADLINE_S)[1] == []
    assert _files(cache / "staging") == []
    index.release()
    assert version_of(Runtimes(cache=cache, reporter=reporter).flink("2.3.0").home) == "2.3.0"


_WEIGHTLESS = b"\0" * 600_000
"""Nothing in the archive, much on the disk."""


@pytest.mark.parametrize("content", [None, _WEIGHTLESS], ids=["while downloading", "while unpacking"])
def test_when_files_may_not_grow_the_error_says_so_and_nothing_is_left(
    content: bytes | None, index: PackageIndex, cache: Path, reporter: Listening
) -> None:
    index.add(flink_wheel("2.3.0") if content is None else flink_wheel("2.3.0", content=content))
    output = _output(_child(cache, "--file-limit", "300000"))
    assert f"refused: there is no room for Flink 2.3.0 in {str(cache)!r}" in output
    assert "scurry runtime list" in output
    assert "Traceback" not in output
    own = Runtimes(cache=cache, reporter=reporter)
    assert own.installed() == ()
    assert _files(cache / "staging") == []
    assert version_of(own.flink("2.3.0").home) == "2.3.0"


@pytest.mark.parametrize("content", [None, _WEIGHTLESS], ids=["while downloading", "while unpacking"])
def test_when_the_disk_is_full_the_error_says_so_and_nothing_is_left(
    content: bytes | None, index: PackageIndex, tmp_path: Path
) -> None:
    index.add(flink_wheel("2.3.0") if content is None else flink_wheel("2.3.0", content=content))
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (
        f"mount -t tmpfs -o size=300k tmpfs {disk} || exit 77; cd {ROOT};"
        f" {sys.executable} -m tests.flink.install_in_child {disk}/cache 2.3.0; find {disk}/cache/staging -type f"
    )
    result = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    if result.returncode == 77 or "unshare" in result.stderr:
        pytest.skip(f"no small file system to be had here: {result.stderr.strip()}")
    assert f"refused: there is no room for Flink 2.3.0 in '{disk}/cache'" in result.stdout
    assert result.stdout.splitlines()[-1].startswith(("hint:", "To", "  export SCURRY_CACHE"))
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_a_cache_of_another_user_can_be_used_but_not_filled() -> None:
    with tempfile.TemporaryDirectory() as shared:  # not under tmp_path, which nobody else may enter
        folder = Path(shared)
        folder.chmod(0o755)
        archive = folder / "flink.tgz"
        archive.write_bytes(tarball("flink-2.3.0", flink_files("2.3.0")))
        as_other = ("--user", "65534", "--source", str(archive))
        output = _output(_child(folder / "cache", *as_other))
        assert f"refused: Flink 2.3.0 cannot be installed: '{folder}/cache' cannot be written" in output
        assert f"{shared!r} belongs to the user 'root'" in output
        assert "installed: " in _output(_child(folder / "cache", "--source", str(archive)))
        assert "installed: " in _output(_child(folder / "cache", *as_other))


def test_a_cache_that_cannot_be_a_folder_is_a_clear_error(
    index: PackageIndex, tmp_path: Path, reporter: Listening
) -> None:
    index.add(flink_wheel("2.3.0"))
    (tmp_path / "file").write_text("in the way", "utf-8")
    with pytest.raises(RuntimeUnavailable, match=r"Flink 2\.3\.0 cannot be installed in") as raised:
        Runtimes(cache=tmp_path / "file" / "cache", reporter=reporter).flink("2.3.0")
    assert raised.value.hint is not None
    assert "SCURRY_CACHE" in raised.value.hint


def test_threads_of_one_process_do_not_harm_each_other(index: PackageIndex, cache: Path, reporter: Listening) -> None:
    index.add(flink_wheel("2.3.0"))
    homes: list[Path] = []
    threads = [
        threading.Thread(target=lambda: homes.append(Runtimes(cache=cache, reporter=reporter).flink("2.3.0").home))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert homes == [cache / "flink" / "2.3.0"] * 4
    assert len(index.downloads) == 1


def test_what_a_dying_pip_deletes_itself_meanwhile_is_gone_as_well(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = cache / "staging" / "left"
    (left / "pip-build-tracker").mkdir(parents=True)
    (left / "wheel").touch()
    rmtree = shutil.rmtree

    def vanishing(path: Path) -> None:
        if (left / "pip-build-tracker").exists():
            (left / "pip-build-tracker").rmdir()
            raise FileNotFoundError(2, "No such file or directory", "pip-build-tracker")
        rmtree(path)

    monkeypatch.setattr(shutil, "rmtree", vanishing)
    install_cache._delete(left)
    assert not left.exists()
