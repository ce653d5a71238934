"""Copies of snapshots: whole or not there, verified, gone on with after a kill, told what stands in their way."""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from scurry.model.errors import SnapshotGone, SnapshotNotFound, SnapshotUnreadable, StorageError, StorageFull
from scurry.model.reporting import SilentReporter
from scurry.savepoints import copy as copying
from scurry.savepoints.copy import Copied, copy_snapshot
from scurry.savepoints.copy_manifest import MANIFEST
from scurry.savepoints.snapshot import read_snapshot
from scurry.savepoints.storage import AnyStorage
from tests.savepoints import snapshot_writer as w
from tests.savepoints.examples import FILES
from tests.savepoints.moto_store import environment, moto_server

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NATIVE = FILES / "java-rocksdb-native"
FILES_OF_NATIVE = {path.name for path in NATIVE.iterdir()} - {"_metadata"}


class Counting(AnyStorage):
    """Remembers the names of what is written, and may fail on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        super().write(path, chunks)
        self.written.append(path.rpartition("/")[2])

    @property
    def files(self) -> set[str]:
        return {name for name in self.written if not name.startswith(".scurry-")} - {"_metadata"}


class Counted(SilentReporter):
    """Adds up what an activity was told."""

    def __init__(self) -> None:
        self.total: float | None = None
        self.advanced = 0.0

    @contextmanager
    def activity(self, title: str, *, total: float | None = None) -> Iterator[Any]:
        self.total = total
        yield self

    def advance(self, amount: float) -> None:
        self.advanced += amount


def copied(source: object, target: object, storage: AnyStorage | None = None, **options: Any) -> Copied:
    return copy_snapshot(str(source), str(target), storage or AnyStorage(), SilentReporter(), **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def many_files(folder: Path, *, files: int = 12, size: int = 5000) -> Path:
    """A checkpoint of which each subtask has a file, by its absolute path."""
    shared = folder / "shared"
    place = folder / "chk-5"
    shared.mkdir(parents=True)
    place.mkdir()
    for number in range(files):
        (shared / f"f{number}").write_bytes(bytes([number]) * size)
    subtasks = [w.Subtask(keyed=w.key_groups(w.absolute(f"file:{shared}/f{number}", size))) for number in range(files)]
    (place / "_metadata").write_bytes(w.metadata(*subtasks))
    return place


@pytest.fixture(scope="module")
def s3_address() -> Iterator[str]:
    with moto_server() as address:
        yield address


@pytest.fixture
def s3(s3_address: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """A client, and the name of a new bucket with it."""
    for name, value in environment(s3_address).items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket=bucket_of(request))
    return client


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> str:
    return bucket_of(request)


def bucket_of(request: pytest.FixtureRequest) -> str:
    return "b-" + hashlib.md5(request.node.name.encode()).hexdigest()


def test_a_savepoint_arrives_as_it_is(tmp_path: Path) -> None:
    found = copied(NATIVE, tmp_path / "copies" / "sp")
    assert contents(tmp_path / "copies" / "sp") == contents(NATIVE)
    assert (found.location, found.files, found.resumed_files) == (
        f"file:{tmp_path}/copies/sp",
        len(FILES_OF_NATIVE),
        0,
    )
    assert found.bytes == sum(map(len, contents(NATIVE).values()))
    assert found.metadata_sha256 == hashlib.sha256((NATIVE / "_metadata").read_bytes()).hexdigest()


@pytest.mark.parametrize("spelled", ["{}", "file:{}/", "{}/_metadata"])
def test_a_snapshot_may_be_named_by_its_directory_its_metadata_or_a_uri(tmp_path: Path, spelled: str) -> None:
    copied(spelled.format(NATIVE), f"file://{tmp_path}/sp/")
    assert contents(tmp_path / "sp") == contents(NATIVE)


def test_a_copy_can_be_moved_and_copied_again_without_what_it_was_made_of(tmp_path: Path) -> None:
    place = many_files(tmp_path / "original")
    before = read_snapshot(str(place), AnyStorage())
    copied(place, tmp_path / "first")
    shutil.rmtree(tmp_path / "original")
    (tmp_path / "first").rename(tmp_path / "moved")
    found = copied(tmp_path / "moved", tmp_path / "second")
    assert found.files == 12
    assert contents(tmp_path / "second") == contents(tmp_path / "moved")
    after = read_snapshot(str(tmp_path / "second"), AnyStorage())
    assert [operator.subtask_bytes for operator in after.operators] == [
        operator.subtask_bytes for operator in before.operators
    ]


def test_parts_of_a_shared_file_are_cut_out(tmp_path: Path) -> None:
    (tmp_path / "merged").write_bytes(b"aaabbbbcc")
    (tmp_path / "chk-1").mkdir()
    subtasks = [
        w.Subtask(keyed=w.key_groups(w.segment(f"file:{tmp_path}/merged", start, size)))
        for start, size in [(0, 3), (3, 4)]
    ]
    (tmp_path / "chk-1" / "_metadata").write_bytes(w.metadata(*subtasks))
    copied(tmp_path / "chk-1", tmp_path / "copy")
    assert contents(tmp_path / "copy")["merged-0"] == b"aaa"
    assert contents(tmp_path / "copy")["merged-3"] == b"bbbb"


def test_a_savepoint_travels_to_s3_and_back(tmp_path: Path, s3: Any, bucket: str) -> None:
    there = copied(NATIVE, f"s3://{bucket}/shop/sp")
    assert there.location == f"s3://{bucket}/shop/sp"
    assert len(s3.list_objects_v2(Bucket=bucket)["Contents"]) == len(FILES_OF_NATIVE) + 1
    copied(f"s3a://{bucket}/shop/sp", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(NATIVE)
    copied(f"s3://{bucket}/shop/sp", f"s3://{bucket}/other/sp")
    assert AnyStorage().listing(f"s3://{bucket}/other/sp") == AnyStorage().listing(f"s3://{bucket}/shop/sp")


def test_a_checkpoint_in_s3_comes_home_with_its_shared_files(tmp_path: Path, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="shared/x", Body=b"0123456789")
    data = w.metadata(
        w.Subtask(
            keyed=w.key_groups(w.absolute(f"s3p://{bucket}/shared/x", 10)),
            operator=w.merged_handle(w.segment(f"s3://{bucket}/shared/x", 2, 3), {"s": [0]}, f"s3://{bucket}"),
        )
    )
    s3.put_object(Bucket=bucket, Key="job/chk-1/_metadata", Body=data)
    copied(f"s3://{bucket}/job/chk-1/_metadata", tmp_path / "home")
    assert contents(tmp_path / "home").keys() == {"x", "x-2", "_metadata"}
    assert (tmp_path / "home" / "x-2").read_bytes() == b"234"


def test_metadata_is_written_last_and_nothing_of_ours_is_left(tmp_path: Path) -> None:
    storage = Counting()
    copied(many_files(tmp_path / "o"), tmp_path / "copy", storage)
    assert storage.written[0] == MANIFEST
    assert storage.written[-1] == "_metadata"
    assert not list((tmp_path / "copy").glob(".scurry*"))


def test_progress_is_told_in_bytes(tmp_path: Path) -> None:
    reporter = Counted()
    copy_snapshot(str(many_files(tmp_path / "o")), str(tmp_path / "copy"), AnyStorage(), reporter)
    assert (reporter.total, reporter.advanced) == (60_000, 60_000)


KILLED = """
import sys, threading
from scurry.model.reporting import SilentReporter
from scurry.savepoints.copy import copy_snapshot
from scurry.savepoints.storage import AnyStorage

class Stuck(AnyStorage):
    written = 0
    def write(self, path, chunks):
        if ".scurry" not in path:
            if self.written == 7:
                super().write(path + "-half", [b"half of it"])
                print("stuck", flush=True)
                threading.Event().wait()
            self.written += 1
        super().write(path, chunks)

copy_snapshot(sys.argv[1], sys.argv[2], Stuck(), SilentReporter(), at_once=1)
"""


def test_after_kill_9_a_copy_is_gone_on_with_and_what_is_done_is_not_copied_again(tmp_path: Path) -> None:
    place, target = many_files(tmp_path / "o"), tmp_path / "copy"
    script = "import scurry.savepoints.copy_manifest as m; m._SAVE_AFTER_S = 0\n" + KILLED
    process = subprocess.Popen([sys.executable, "-c", script, place, target], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "stuck\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (target / "_metadata").exists()
    with pytest.raises(SnapshotNotFound):
        read_snapshot(str(target), AnyStorage())
    done = json.loads((target / MANIFEST).read_text())["done"]
    assert len(done) == 7
    storage = Counting()
    (target / ".scurry-unfinished-x").write_bytes(b"left by the one that was killed")
    for leftover in target.glob("*-half"):
        leftover.unlink()
    found = copied(place, target, storage)
    assert storage.files == {f"f{number}" for number in range(12)} - set(done)
    assert found.resumed_files == 7
    assert set(contents(target)) == {f"f{number}" for number in range(12)} | {"_metadata"}


def test_a_copy_that_was_killed_before_its_last_breath_is_finished(tmp_path: Path) -> None:
    copied(NATIVE, tmp_path / "copy")
    digest = hashlib.sha256((NATIVE / "_metadata").read_bytes()).hexdigest()
    manifest = {"format": 1, "source": "x", "source_metadata_sha256": digest, "done": {}}
    (tmp_path / "copy" / MANIFEST).write_text(json.dumps(manifest))
    copied(NATIVE, tmp_path / "copy")
    assert contents(tmp_path / "copy") == contents(NATIVE)


def test_what_was_done_and_is_gone_or_cut_since_is_copied_again(tmp_path: Path) -> None:
    place, target = many_files(tmp_path / "o"), tmp_path / "copy"
    (tmp_path / "o" / "shared" / "f11").rename(tmp_path / "away")
    with pytest.raises(SnapshotGone):
        copied(place, target, at_once=1)
    (tmp_path / "away").rename(tmp_path / "o" / "shared" / "f11")
    done = sorted(json.loads((target / MANIFEST).read_text())["done"])
    assert len(done) >= 3
    (target / done[0]).unlink()
    (target / done[1]).write_bytes(b"cut")
    storage = Counting()
    copied(place, target, storage)
    assert storage.files == {f"f{number}" for number in range(12)} - set(done[2:])
    assert (target / done[1]).stat().st_size == 5000


@pytest.mark.parametrize("name", ["file", "_metadata", "sub/file"])
def test_a_place_that_is_not_empty_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(StorageError, match="is not empty") as caught:
        copied(NATIVE, tmp_path)
    assert caught.value.hint
    assert contents(tmp_path) == {name: b"mine"}


def test_a_whole_copy_is_not_copied_over(tmp_path: Path) -> None:
    copied(NATIVE, tmp_path / "copy")
    with pytest.raises(StorageError, match="is not empty: a snapshot is there"):
        copied(NATIVE, tmp_path / "copy")
    with pytest.raises(StorageError, match="is not empty: a snapshot is there"):
        copied(tmp_path / "copy", tmp_path / "copy")


def test_a_whole_copy_may_be_asked_for_again(tmp_path: Path) -> None:
    copied(NATIVE, tmp_path / "copy")
    storage = Counting()
    assert copied(NATIVE, tmp_path / "copy", storage, again=True).resumed_files == 8
    assert storage.written == []
    next(path for path in (tmp_path / "copy").iterdir() if path.name != "_metadata").unlink()
    with pytest.raises(StorageError, match="is not empty"):
        copied(NATIVE, tmp_path / "copy", again=True)


@pytest.mark.parametrize("manifest", [{"source": "/other", "source_metadata_sha256": "0", "format": 1}, [], "not json"])
def test_the_beginning_of_another_copy_is_refused(tmp_path: Path, manifest: object) -> None:
    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(StorageError, match="the beginning of a copy of another snapshot"):
        copied(NATIVE, tmp_path)


def test_a_bucket_that_is_not_empty_there_is_refused(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="sp/file", Body=b"1")
    s3.put_object(Bucket=bucket, Key="sp-2/file", Body=b"1")
    with pytest.raises(StorageError, match="is not empty: 'file' is there"):
        copied(NATIVE, f"s3://{bucket}/sp")


def test_a_disk_without_room_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "free_bytes", lambda path: 1000)
    with pytest.raises(StorageFull, match=r"there is no room for the copy .* Nothing was written"):
        copied(NATIVE, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_disk_that_fills_up_loses_nothing_of_what_is_there(tmp_path: Path) -> None:
    class Filling(Counting):
        def write(self, path: str, chunks: Iterable[bytes]) -> None:
            if len(self.files) >= 5 and MANIFEST not in path:
                raise StorageFull(f"there is no room left to write {path!r}")
            super().write(path, chunks)

    place = many_files(tmp_path / "o")
    with pytest.raises(StorageFull):
        copied(place, tmp_path / "copy", Filling(), at_once=1)
    assert not (tmp_path / "copy" / "_metadata").exists()
    storage = Counting()
    assert copied(place, tmp_path / "copy", storage).files == 12
    assert len(storage.files) == 7


def test_a_checkpoint_that_vanishes_is_told_as_gone(tmp_path: Path) -> None:
    place = many_files(tmp_path / "o")
    (tmp_path / "o" / "shared" / "f3").unlink()
    with pytest.raises(SnapshotGone, match="vanished while the snapshot was copied") as caught:
        copied(place, tmp_path / "copy")
    assert caught.value.hint == "Take a savepoint, and copy that"
    assert not (tmp_path / "copy" / "_metadata").exists()


def test_a_state_file_that_is_cut_short_is_no_copy(tmp_path: Path) -> None:
    place = many_files(tmp_path / "o")
    (tmp_path / "o" / "shared" / "f3").write_bytes(b"short")
    with pytest.raises(SnapshotUnreadable, match="is cut short: 5 bytes are there") as caught:
        copied(place, tmp_path / "copy")
    assert caught.value.offset == 5
    assert not (tmp_path / "copy" / "f3").exists()


def test_bytes_that_come_back_others_than_they_were_written_are_found(tmp_path: Path) -> None:
    class Rotten(AnyStorage):
        def __init__(self, suffix: str) -> None:
            super().__init__()
            self.suffix = suffix

        def write(self, path: str, chunks: Iterable[bytes]) -> None:
            bad = path.endswith(self.suffix)
            super().write(path, [*list(chunks)[:-1], b"rot"] if bad else chunks)

    place = many_files(tmp_path / "o")
    for number, suffix in enumerate(["/f7", "/_metadata"]):
        target = tmp_path / f"copy{number}"
        with pytest.raises(StorageError, match="was read back with other bytes"):
            copied(place, target, Rotten(suffix))
        assert not (target / suffix[1:]).exists()
        assert not (target / "_metadata").exists()
        assert copied(place, target).files == 12


def test_ctrl_c_ends_it_soon_and_what_is_done_counts(tmp_path: Path) -> None:
    place = many_files(tmp_path / "o")
    begun = threading.Event()

    class Slow(Counting):
        def write(self, path: str, chunks: Iterable[bytes]) -> None:
            super().write(path, chunks)
            if len(self.files) == 3:
                begun.set()
                threading.Event().wait(0.2)

    def interrupt() -> None:
        begun.wait(10)
        signal.pthread_kill(main, signal.SIGINT)

    main = threading.main_thread().ident or 0
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    started = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            copied(place, tmp_path / "copy", Slow(), at_once=1)
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - started < 5
    assert 2 <= len(json.loads((tmp_path / "copy" / MANIFEST).read_text())["done"]) < 12


def test_no_snapshot_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SnapshotNotFound):
        copied(tmp_path / "none", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_savepoint_behind_http_is_copied_home(tmp_path: Path) -> None:
    handler = partial(Quiet, directory=str(FILES))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        copied(f"http://127.0.0.1:{server.server_port}/java-rocksdb-native", tmp_path / "home")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert contents(tmp_path / "home") == contents(NATIVE)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Python's own server, which knows no ranges."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass
