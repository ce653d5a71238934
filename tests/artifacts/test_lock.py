"""`scurry.lock`: small, sorted, never half-written, clear about what is wrong with it."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from scurry.artifacts.lock import Lock, LockedFile, LockFile
from scurry.model.errors import ArtifactError

if TYPE_CHECKING:
    from pathlib import Path

FILES = (LockedFile(coordinate="g:a:1", sha256="aa"), LockedFile(coordinate="g:b:1:c", sha256="bb"))


@pytest.fixture
def lock(tmp_path: Path) -> LockFile:
    return LockFile(tmp_path / "scurry.lock")


def test_what_is_pinned_is_read_again(lock: LockFile) -> None:
    assert lock.read() == Lock()
    written = lock.update(
        lambda before: before.with_flink("2.3", "2.3.0").with_artifact("g:a:1", FILES).with_jar("g:j:1", "cc")
    )
    assert written == Lock(flink={"2.3": "2.3.0"}, artifacts={"g:a:1": FILES}, jars={"g:j:1": "cc"})
    assert lock.read() == written


def test_the_order_of_pinning_does_not_show(lock: LockFile, tmp_path: Path) -> None:
    other = LockFile(tmp_path / "other.lock")
    for file, series in ((lock, ("2.3", "1.20")), (other, ("1.20", "2.3"))):
        for one in series:
            file.update(partial(Lock.with_flink, series=one, version=f"{one}.0"))
    assert lock.path.read_bytes() == other.path.read_bytes()


def test_nothing_new_leaves_the_file_alone(lock: LockFile) -> None:
    lock.update(lambda before: before.with_flink("2.3", "2.3.0"))
    written = lock.path.stat().st_mtime_ns
    inode = lock.path.stat().st_ino
    lock.update(lambda before: before.with_flink("2.3", "2.3.0"))
    assert (lock.path.stat().st_mtime_ns, lock.path.stat().st_ino) == (written, inode)


def test_two_at_once_lose_nothing_of_each_other(lock: LockFile) -> None:
    start = threading.Barrier(8)

    def work(number: int) -> None:
        mine = LockFile(lock.path)
        start.wait()
        mine.update(lambda before: before.with_flink(f"1.{number}", f"1.{number}.0"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lock.read().flink == {f"1.{number}": f"1.{number}.0" for number in range(8)}
    assert [path.name for path in lock.path.parent.iterdir()] == ["scurry.lock"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<<<<<<< HEAD\nversion = 1\n", "is not valid TOML"),
        ('version = 1\n[[artifact]]\ncoordinate = "g:a:1"\n', "is not a lock file of scurry's"),
        ("version = 1\nflink = 3\n", "is not a lock file of scurry's"),
        ("version = 2\n", "was written by a newer scurry"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_broken_file_is_told_and_kept(lock: LockFile, text: str | bytes, told: str) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    lock.path.write_bytes(data)
    for attempt in (lock.read, lambda: lock.update(lambda before: before.with_flink("2.3", "2.3.0"))):
        with pytest.raises(ArtifactError, match=told) as caught:
            attempt()
        assert str(lock.path) in caught.value.message
        assert caught.value.hint
    assert lock.path.read_bytes() == data
