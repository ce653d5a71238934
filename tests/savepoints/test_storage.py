"""Places of snapshots: this machine, S3, http. What is read, what is written, and what is said when it cannot be."""

from __future__ import annotations

import http.server
import os
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from scurry.model.errors import MissingExtra, SnapshotNotFound, StorageError, StorageFull
from scurry.savepoints.storage import CHUNK, AnyStorage, absolute, free_bytes, kind_of
from scurry.savepoints.storage_s3 import BLOCK, S3Store
from tests.savepoints.moto_store import environment, moto_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONTENT = bytes(range(256)) * 4


@pytest.fixture(scope="module")
def s3_address() -> Iterator[str]:
    with moto_server() as address:
        yield address


@pytest.fixture
def s3(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the server that the environment names; its bucket `states` is new."""
    for name, value in environment(s3_address).items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    for bucket in client.list_buckets()["Buckets"]:
        for found in client.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            client.delete_object(Bucket=bucket["Name"], Key=found["Key"])
        client.delete_bucket(Bucket=bucket["Name"])
    client.create_bucket(Bucket="states")
    return client


class WebFolder(http.server.SimpleHTTPRequestHandler):
    """Serves one file, by ranges or without."""

    protocol_version = "HTTP/1.1"
    content = CONTENT
    ranges = True
    status = 200
    asked: list[str | None]

    def do_HEAD(self) -> None:
        self.answer(self.status if self.path == "/sp/_metadata" else 404, self.content, body=False)

    def do_GET(self) -> None:
        self.asked.append(self.headers.get("Range"))
        if self.path != "/sp/_metadata" or self.status != 200:
            self.answer(404 if self.status == 200 else self.status, b"no")
            return
        if not self.ranges:
            self.answer(200, self.content)
            return
        first, last = self.headers["Range"].removeprefix("bytes=").split("-")
        part = self.content[int(first) : int(last) + 1]
        self.answer(206 if part else 416, part)

    def answer(self, status: int, content: bytes, *, body: bool = True) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(**settings: Any) -> Iterator[tuple[str, type[WebFolder]]]:
    kind = type("Served", (WebFolder,), {"asked": [], **settings})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", kind
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reads_ranges(storage: AnyStorage, path: str) -> None:
    assert storage.size(path) == len(CONTENT)
    assert storage.read(path, 0, 4) == CONTENT[:4]
    assert storage.read(path, 1000, 10) == CONTENT[1000:1010]
    assert storage.read(path, 1020, 10) == CONTENT[1020:]
    assert storage.read(path, 5000, 10) == b""
    assert storage.read(path, 10, 0) == b""
    assert b"".join(storage.chunks(path)) == CONTENT
    assert b"".join(storage.chunks(path, 1, 3)) == CONTENT[1:4]


@pytest.mark.parametrize("spelled", ["{}", "file:{}", "file://{}", "file://localhost{}"])
def test_a_file_of_this_machine_is_read_however_flink_spells_it(tmp_path: Path, spelled: str) -> None:
    (tmp_path / "state").write_bytes(CONTENT)
    reads_ranges(AnyStorage(), spelled.format(tmp_path / "state"))


@pytest.mark.parametrize("scheme", ["s3", "s3a", "s3p"])
def test_an_object_is_read_by_whatever_scheme_flinks_plug_in_has(s3: Any, scheme: str) -> None:
    s3.put_object(Bucket="states", Key="shop/sp/_metadata", Body=CONTENT)
    reads_ranges(AnyStorage(), f"{scheme}://states/shop/sp/_metadata")


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_of_the_web_is_read_by_ranges_or_without(ranges: bool) -> None:
    with served(ranges=ranges) as (address, kind):
        reads_ranges(AnyStorage(), f"{address}/sp/_metadata")
        assert kind.asked[0] == "bytes=0-3"


def test_the_endpoint_is_taken_from_flinks_options_where_the_environment_has_none(
    s3: Any, s3_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put_object(Bucket="states", Key="a", Body=CONTENT)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    options = {"s3.endpoint": s3_address, "s3.path.style.access": "true"}
    assert AnyStorage(options).read("s3://states/a", 0, 3) == CONTENT[:3]


@pytest.fixture
def no_aws(s3: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The client, and an environment that says nothing of S3."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    return s3


@pytest.mark.parametrize(
    ("key", "secret", "region"),
    [
        ("s3.access-key", "s3.secret-key", "s3.endpoint.region"),
        ("s3.access.key", "s3.secret.key", "s3.region"),
        ("fs.s3a.access.key", "fs.s3a.secret.key", "fs.s3a.endpoint.region"),
        ("presto.s3.access-key", "presto.s3.secret-key", "s3.region"),
    ],
)
def test_keys_and_region_are_taken_from_flinks_options_where_the_environment_has_none(
    no_aws: Any, s3_address: str, key: str, secret: str, region: str
) -> None:
    no_aws.put_object(Bucket="states", Key="a", Body=CONTENT)
    place = {"s3.endpoint": s3_address, "s3.path.style.access": "true", region: "eu-central-1"}
    told = {**place, key: "Key", secret: "Secret"}
    assert AnyStorage(told).read("s3://states/a", 0, 3) == CONTENT[:3]
    client = S3Store.of(told)._client
    keys = client._request_signer._credentials
    assert (keys.access_key, keys.secret_key) == ("Key", "Secret"), "as they are written"
    assert client.meta.region_name == "eu-central-1"


@pytest.mark.parametrize("options", [{"s3.access-key": "k"}, {"s3.access-key": "k", "s3.secret-key": "******"}])
@pytest.mark.usefixtures("no_aws")
def test_half_of_the_keys_is_none(s3_address: str, options: dict[str, str]) -> None:
    with pytest.raises(StorageError, match=r"[Cc]redentials"):
        AnyStorage({"s3.endpoint": s3_address, **options}).read("s3://states/a", 0, 1)


def test_the_environment_counts_more_than_flinks_options(s3: Any) -> None:
    s3.put_object(Bucket="states", Key="a", Body=CONTENT)
    other = {"s3.endpoint": "http://127.0.0.1:9", "s3.access-key": "k", "s3.secret-key": "s", "s3.region": "nowhere"}
    assert AnyStorage(other).read("s3://states/a", 0, 3) == CONTENT[:3]
    client = S3Store.of(other)._client
    assert client._request_signer._credentials.access_key != "k"
    assert client.meta.region_name != "nowhere"


def missing_here(tmp_path: Path) -> str:
    return str(tmp_path / "none" / "_metadata")


@pytest.mark.parametrize("path", ["s3://states/none", "s3://states/dir", "s3://nowhere/none"])
def test_an_object_that_is_not_there_is_not_found(s3: Any, path: str) -> None:
    s3.put_object(Bucket="states", Key="dir/file", Body=b"1")
    storage = AnyStorage()
    calls: list[Callable[[], object]] = [lambda: storage.size(path), lambda: storage.read(path, 0, 10)]
    for call in calls:
        with pytest.raises(SnapshotNotFound, match=path):
            call()


def test_a_bucket_that_is_not_there_is_told(s3: Any) -> None:
    for call in (lambda: AnyStorage().read("s3://nowhere/a", 0, 1), lambda: AnyStorage().size("s3://nowhere/a")):
        with pytest.raises(SnapshotNotFound, match="there is no bucket 'nowhere'"):
            call()
    with pytest.raises(StorageError, match="there is no bucket 'nowhere'"):
        AnyStorage().write("s3://nowhere/a", [b"1"])
    with pytest.raises(StorageError, match="there is no bucket 'nowhere'"):
        AnyStorage().listing("s3://nowhere/a")


def test_who_is_not_let_in_is_told_how_to_see_who_he_is(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    denied = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", '
        '"Resource": "arn:aws:s3:::states/*"}]}'
    )
    s3.put_object(Bucket="states", Key="a", Body=b"1")
    s3.put_bucket_policy(Bucket="states", Policy=denied)
    try:
        for call in (
            lambda: AnyStorage().read("s3://states/a", 0, 1),
            lambda: AnyStorage().write("s3://states/b", [b"1"]),
        ):
            with pytest.raises(StorageError, match=r"'s3://states/.' cannot be") as caught:
                call()
            assert caught.value.hint
            assert "aws sts get-caller-identity" in caught.value.hint
    finally:
        s3.delete_bucket_policy(Bucket="states")


@pytest.mark.usefixtures("no_aws")
def test_without_credentials_it_is_told_whose_are_looked_for() -> None:
    with pytest.raises(StorageError, match=r"[Cc]redentials") as caught:
        AnyStorage().read("s3://states/a", 0, 1)
    assert caught.value.hint
    assert "get-caller-identity" in caught.value.hint


def test_a_store_that_does_not_answer_is_told(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match=r"'s3://states/a' cannot be read: .*127\.0\.0\.1:9") as caught:
        AnyStorage().size("s3://states/a")
    assert caught.value.hint


def test_what_the_web_answers_is_told_without_its_secrets() -> None:
    with served(status=403) as (address, _):
        path = address.replace("http://", "http://ada:sesame@") + "/sp/_metadata?signature=hidden"
        with pytest.raises(StorageError, match="answers 403") as caught:
            AnyStorage().read(path, 0, 1)
        assert "sesame" not in str(caught.value)
        assert "hidden" not in str(caught.value)
        with pytest.raises(SnapshotNotFound, match="there is no file"):
            AnyStorage().size(f"{address}/sp/other")
    with pytest.raises(StorageError, match="cannot be read"):
        AnyStorage().size("http://127.0.0.1:9/sp/_metadata")


def test_nothing_is_written_to_the_web() -> None:
    for call in (
        lambda: AnyStorage().write("https://host/a", [b""]),
        lambda: AnyStorage().listing("https://host/a"),
        lambda: AnyStorage().delete("https://host/a"),
    ):
        with pytest.raises(StorageError, match="nothing can be written to 'https://host/a'"):
            call()


@pytest.mark.parametrize("path", ["hdfs://name/x", "oss://bucket/x", "ftp://host/x"])
def test_a_place_that_is_not_known_is_told_with_those_that_are(path: str) -> None:
    with pytest.raises(StorageError, match="not known here") as caught:
        AnyStorage().size(path)
    assert caught.value.hint
    assert "s3://" in caught.value.hint


@pytest.mark.parametrize(("module", "path", "extra"), [("boto3", "s3://b/k", "s3"), ("gcsfs", "gs://b/k", "gcs")])
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, module: str, path: str, extra: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra) as caught:
        AnyStorage().size(path)
    assert caught.value.extra == extra


def both(tmp_path: Path) -> tuple[str, str]:
    return str(tmp_path / "copy"), "s3://states/copy"


def test_what_is_written_is_there_whole(tmp_path: Path, s3: Any) -> None:
    storage = AnyStorage()
    for place in both(tmp_path):
        storage.write(f"{place}/a", [CONTENT, CONTENT])
        storage.write(f"{place}/sub/empty", [])
        assert dict(storage.listing(place)) == {"a": 2 * len(CONTENT), "sub/empty": 0}
        assert b"".join(storage.chunks(f"{place}/a")) == CONTENT + CONTENT
        assert b"".join(storage.chunks(f"{place}/sub/empty")) == b""
        storage.delete(f"{place}/a")
        storage.delete(f"{place}/a")
        assert dict(storage.listing(place)) == {"sub/empty": 0}
        assert dict(storage.listing(place + "-none")) == {}


def test_an_object_of_several_parts_is_put_together(s3: Any) -> None:
    chunk = os.urandom(CHUNK)
    AnyStorage().write("s3://states/large", [chunk] * 5 + [b"end"])
    assert b"".join(AnyStorage().chunks("s3://states/large")) == chunk * 5 + b"end"
    assert "-" in s3.head_object(Bucket="states", Key="large")["ETag"]


def test_what_breaks_off_leaves_nothing_that_looks_whole(tmp_path: Path, s3: Any) -> None:
    def breaking(number: int) -> Iterator[bytes]:
        yield from [bytes(CHUNK)] * number
        raise StorageError("the source is gone")

    for place in both(tmp_path):
        for number in (1, 2 + BLOCK // CHUNK):
            with pytest.raises(StorageError, match="the source is gone"):
                AnyStorage().write(f"{place}/a", breaking(number))
        assert dict(AnyStorage().listing(place)) == {}
    assert not s3.list_multipart_uploads(Bucket="states").get("Uploads")


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull, match="there is no room left to write") as caught:
        AnyStorage().write(str(tmp_path / "a"), [b"1"])
    assert caught.value.hint == f"To see what fills the disk, run:\n  df -h {tmp_path}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_another_user_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").touch(0o000)
    with pytest.raises(StorageError, match="may not be read"):
        AnyStorage().read(str(tmp_path / "a"), 0, 1)


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SnapshotNotFound, match="is a directory"):
        AnyStorage().read(str(tmp_path), 0, 1)


def test_paths_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("x/../y/") == f"{tmp_path}/y"
    assert absolute("file:/x/") == "/x"
    assert absolute("s3a://bucket/x/") == "s3a://bucket/x"
    assert kind_of("/a:b") == "file"


def test_free_room_is_told_of_disks_alone(tmp_path: Path) -> None:
    assert (free_bytes(str(tmp_path / "not" / "yet")) or 0) > 0
    assert free_bytes("s3://bucket/x") is None
