"""Jars from paths, the web and S3; and what is said of a jar that is none."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import boto3
import pytest
from moto.server import ThreadedMotoServer

from scurry.artifacts.download import Downloads
from scurry.artifacts.fetch import fetch_connectors, fetch_jar
from scurry.artifacts.jar import check_jar, main_class_of
from scurry.artifacts.lock import LockFile
from scurry.artifacts.maven import Maven
from scurry.artifacts.repository import Repositories, Repository
from scurry.model.errors import ArtifactError, MissingExtra
from tests.artifacts.jars import jar_bytes, write_jar
from tests.artifacts.maven_repository import MavenRepository
from tests.artifacts.web_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from tests.artifacts.conftest import Remembering
    from tests.artifacts.web_server import WebServer

MANIFEST = "Manifest-Version: 1.0\r\nMain-Class: com.example.Main\r\n\r\n"
JAR = jar_bytes({"com/example/Main.class": b"main"}, MANIFEST)


class Desk:
    """Fetches as the tool does."""

    def __init__(self, folder: Path, web: WebServer, reporter: Remembering) -> None:
        self.folder = folder
        self.web = web
        self.reporter = reporter

    def fetch(self, reference: str, *, offline: bool = False) -> Path:
        downloads = Downloads(self.folder / "cache", self.reporter, offline=offline)
        return fetch_jar(reference, base=self.folder, maven=self.maven, downloads=downloads)

    @property
    def maven(self) -> Maven:
        remotes = Repositories(
            [Repository(name="ours", url=f"{self.web.url}/repo")], cache=self.folder / "cache", reporter=self.reporter
        )
        return Maven(remotes, LockFile(self.folder / "scurry.lock"), reporter=self.reporter)


@pytest.fixture
def desk(tmp_path: Path, reporter: Remembering) -> Iterator[Desk]:
    with serving() as web:
        yield Desk(tmp_path, web, reporter)


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client, and an environment in which boto3 finds the same server."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    return boto3.client("s3")


def test_a_path_is_relative_to_the_folder_of_the_spec(desk: Desk) -> None:
    path = write_jar(desk.folder / "target" / "app.jar", {})
    assert desk.fetch("target/app.jar") == path
    assert desk.fetch(str(path)) == path
    assert desk.fetch(f"file://{path}") == path


def test_a_path_that_is_not_there_names_the_jars_that_are(desk: Desk) -> None:
    write_jar(desk.folder / "target" / "app-1.1.jar", {})
    with pytest.raises(ArtifactError, match=r"the jar 'target/app-1\.0\.jar' does not exist") as caught:
        desk.fetch("target/app-1.0.jar")
    assert caught.value.hint == "Jars in that folder:\n  app-1.1.jar"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "the file is empty"),
        (b"<html>not found</html>", "it is no zip"),
        (JAR[:-30], "it ends too early"),
    ],
)
def test_what_is_no_jar_or_only_half_of_one_is_refused(desk: Desk, data: bytes, told: str) -> None:
    (desk.folder / "app.jar").write_bytes(data)
    with pytest.raises(ArtifactError, match=f"the jar 'app.jar' cannot be read: {told}"):
        desk.fetch("app.jar")


def test_a_folder_is_no_jar(desk: Desk) -> None:
    (desk.folder / "app.jar").mkdir()
    with pytest.raises(ArtifactError, match="is a folder, not a jar"):
        desk.fetch("app.jar")


@pytest.mark.parametrize("reference", ["gs://bucket/app.jar", "ftp://host/app.jar", "oci:image"])
def test_a_place_that_is_not_known_is_told_with_those_that_are(desk: Desk, reference: str) -> None:
    with pytest.raises(ArtifactError, match="is not known here") as caught:
        desk.fetch(reference)
    assert caught.value.hint
    assert "s3://" in caught.value.hint


def test_a_coordinate_comes_from_the_repository(desk: Desk) -> None:
    MavenRepository(desk.web).add("org.a:job:1.0")
    assert desk.fetch("mvn:org.a:job:1.0").name == "job-1.0.jar"


def test_a_file_of_the_web_is_transferred_again_only_when_it_changed(desk: Desk) -> None:
    url = f"{desk.web.url}/builds/app.jar"
    desk.web.files["/builds/app.jar"] = JAR
    path = desk.fetch(url)
    assert (path.name, path.read_bytes()) == ("app.jar", JAR)
    desk.fetch(url)
    assert desk.reporter.titles == ["Downloading app.jar"]
    changed = jar_bytes({"com/example/Other.class": b"other"})
    desk.web.files["/builds/app.jar"] = changed
    assert desk.fetch(url).read_bytes() == changed


def test_without_the_network_what_was_fetched_before_has_to_do(desk: Desk) -> None:
    url = f"{desk.web.url}/app.jar"
    desk.web.files["/app.jar"] = JAR
    path = desk.fetch(url)
    assert desk.fetch(url, offline=True) == path
    assert "what was fetched before is used" in desk.reporter.warnings[0]
    with pytest.raises(ArtifactError, match="was not fetched before, and cannot be now"):
        desk.fetch(f"{desk.web.url}/other.jar", offline=True)


def test_an_address_that_answers_something_else_is_told_without_its_secrets(desk: Desk) -> None:
    url = desk.web.url.replace("http://", "http://ada:sesame@") + "/app.jar?signature=hidden"
    with pytest.raises(ArtifactError, match="answers 404") as caught:
        desk.fetch(url)
    assert "sesame" not in caught.value.message
    assert "hidden" not in caught.value.message
    with pytest.raises(ArtifactError, match="cannot be now") as caught:
        desk.fetch("http://ada:sesame@127.0.0.1:9/app.jar?signature=hidden")
    assert "sesame" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_an_address_may_carry_its_credentials(desk: Desk) -> None:
    desk.web.credentials = ("ada", "opens sesame")
    desk.web.files["/app.jar"] = JAR
    url = desk.web.url.replace("http://", "http://ada:opens%20sesame@")
    assert desk.fetch(f"{url}/app.jar").read_bytes() == JAR


def test_a_transfer_that_breaks_off_leaves_the_one_before(desk: Desk) -> None:
    url = f"{desk.web.url}/app.jar"
    desk.web.files["/app.jar"] = JAR
    path = desk.fetch(url)
    desk.web.files["/app.jar"] = JAR + JAR
    desk.web.cut.add("/app.jar")
    assert desk.fetch(url) == path
    assert path.read_bytes() == JAR
    assert desk.reporter.warnings


def test_an_object_of_s3_is_fetched_once_per_version(desk: Desk, s3: Any) -> None:
    s3.create_bucket(Bucket="builds")
    s3.put_object(Bucket="builds", Key="jobs/app.jar", Body=JAR)
    assert desk.fetch("s3://builds/jobs/app.jar").read_bytes() == JAR
    assert desk.fetch("s3://builds/jobs/app.jar").read_bytes() == JAR
    assert desk.reporter.titles == ["Downloading app.jar"]
    changed = jar_bytes({"com/example/Other.class": b"other"})
    s3.put_object(Bucket="builds", Key="jobs/app.jar", Body=changed)
    assert desk.fetch("s3://builds/jobs/app.jar").read_bytes() == changed


def test_what_is_not_in_s3_is_told_by_what_is_missing(desk: Desk, s3: Any) -> None:
    s3.create_bucket(Bucket="empty")
    with pytest.raises(ArtifactError, match="the object does not exist"):
        desk.fetch("s3://empty/app.jar")
    with pytest.raises(ArtifactError, match="the bucket does not exist"):
        desk.fetch("s3://no-such-bucket/app.jar")
    with pytest.raises(ArtifactError, match="is not the address of an object"):
        desk.fetch("s3://empty/")


def test_s3_without_credentials_is_told(desk: Desk, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert s3
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(desk.folder / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(desk.folder / "none"))
    with pytest.raises(ArtifactError, match="Unable to locate credentials"):
        desk.fetch("s3://builds/app.jar")


def test_s3_that_cannot_be_reached_falls_back_to_what_was_fetched(
    desk: Desk, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.create_bucket(Bucket="reached")
    s3.put_object(Bucket="reached", Key="app.jar", Body=JAR)
    path = desk.fetch("s3://reached/app.jar")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert desk.fetch("s3://reached/app.jar") == path
    with pytest.raises(ArtifactError, match="was not fetched before"):
        desk.fetch("s3://reached/other.jar")


def test_s3_without_its_extra_says_what_to_install(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(MissingExtra) as caught:
        desk.fetch("s3://builds/app.jar")
    assert caught.value.hint == "To install it, run:\n  pip install 'scurry[s3]'"


def test_connectors_are_checked_wherever_they_come_from(desk: Desk) -> None:
    repository = MavenRepository(desk.web)
    repository.add("org.a:good:1.0")
    repository.put("/repo/org/a/bad/1.0/bad-1.0.jar", b"<html>")
    repository.put("/repo/org/a/bad/1.0/bad-1.0.pom", b"<project/>")
    own = write_jar(desk.folder / "own.jar", {})
    downloads = Downloads(desk.folder / "cache", desk.reporter)
    paths = fetch_connectors(["mvn:org.a:good:1.0", "own.jar"], base=desk.folder, maven=desk.maven, downloads=downloads)
    assert [path.name for path in paths] == ["own.jar", "good-1.0.jar"]
    assert paths[0] == own
    with pytest.raises(ArtifactError, match=r"'bad-1\.0\.jar' cannot be read"):
        fetch_connectors(["mvn:org.a:bad:1.0"], base=desk.folder, maven=desk.maven, downloads=downloads)


def test_the_class_to_start_is_the_specs_else_the_manifests(tmp_path: Path) -> None:
    jar = write_jar(tmp_path / "app.jar", {"com/example/Main.class": b"", "com/example/Other.class": b""}, MANIFEST)
    assert check_jar(jar, None) == "com.example.Main"
    assert check_jar(jar, "com.example.Other") == "com.example.Other"
    assert main_class_of(jar) == "com.example.Main"


def test_flinks_own_attribute_goes_before_main_class_and_long_lines_go_on(tmp_path: Path) -> None:
    name = "com.example." + "very" * 20 + "Long"
    attribute = f"program-class: {name}"
    folded = f"{attribute[:70]}\r\n {attribute[70:]}"
    manifest = (
        f"Manifest-Version: 1.0\r\nMain-Class: com.example.Main\r\n{folded}\r\n\r\nName: x\r\nMain-Class: no\r\n\r\n"
    )
    jar = write_jar(tmp_path / "app.jar", {f"{name.replace('.', '/')}.class": b""}, manifest)
    assert check_jar(jar, None) == name


def test_a_class_that_is_not_there_names_those_like_it(tmp_path: Path) -> None:
    entries = {f"com/example/{name}.class": b"" for name in ("TopSpeedWindowing", "TopSpeedWindowing$1", "WordCount")}
    jar = write_jar(tmp_path / "app.jar", entries)
    with pytest.raises(
        ArtifactError, match=r"the class 'org\.example\.TopSpedWindowing', which the spec names"
    ) as caught:
        check_jar(jar, "org.example.TopSpedWindowing")
    assert caught.value.hint == "Classes like it in the jar:\n  com.example.TopSpeedWindowing"
    other = write_jar(tmp_path / "other.jar", {}, MANIFEST)
    with pytest.raises(ArtifactError, match="which its manifest names, is not in the jar"):
        check_jar(other, None)


@pytest.mark.parametrize(
    ("manifest", "says"),
    [("Manifest-Version: 1.0\r\nBuilt-By: ada\r\n\r\n", "Built-By: ada"), (None, "nothing at all")],
)
def test_a_jar_that_names_no_class_says_what_its_manifest_says(tmp_path: Path, manifest: str | None, says: str) -> None:
    jar = write_jar(tmp_path / "app.jar", {"com/example/Main.class": b""}, manifest)
    with pytest.raises(ArtifactError, match="does not say which class to start") as caught:
        check_jar(jar, None)
    assert says in caught.value.message
    assert caught.value.hint
    assert "main_class" in caught.value.hint
