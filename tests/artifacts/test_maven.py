"""Maven coordinates to files, on a repository of our own on loopback; one test asks Maven Central."""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from scurry.artifacts.coordinate import Coordinate
from scurry.artifacts.lock import LockFile
from scurry.artifacts.maven import Maven
from scurry.artifacts.repository import Repositories, Repository
from scurry.flink.installed import FlinkRuntime
from scurry.model.errors import ArtifactError, WorkspaceError
from scurry.model.values import SecretRef
from tests.artifacts.maven_repository import MavenRepository, Needs
from tests.artifacts.web_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scurry.artifacts.store import ArtifactStore
    from scurry.model.values import Text
    from tests.artifacts.conftest import Remembering

CLOSED_PORT = "http://127.0.0.1:9/repo"


@dataclass
class Desk:
    """A Maven user's desk: a cache, a lock file, a repository."""

    folder: Path
    remote: MavenRepository
    reporter: Remembering

    def maven(self, *repositories: Repository, cache: str = "cache", offline: bool = False) -> Maven:
        chosen = repositories or (Repository(name="ours", url=self.remote.url),)
        remotes = Repositories(
            chosen, cache=self.folder / cache, reporter=self.reporter, secrets=Vault(), offline=offline
        )
        return Maven(remotes, self.lock, reporter=self.reporter)

    @property
    def lock(self) -> LockFile:
        return LockFile(self.folder / "scurry.lock")

    def names(self, *references: str, flink: FlinkRuntime | None = None) -> list[str]:
        return [path.name for path in self.maven().jars(references, flink=flink)]


class Vault:
    """Knows one secret."""

    def resolve(self, text: Text) -> str:
        return "opens sesame" if isinstance(text, SecretRef) else text


@pytest.fixture
def desk(tmp_path: Path, reporter: Remembering) -> Iterator[Desk]:
    with serving() as server:
        yield Desk(tmp_path, MavenRepository(server), reporter)


def test_dependencies_of_dependencies_come_along_each_once(desk: Desk) -> None:
    desk.remote.add("org.a:top:1.0", Needs(coordinate="org.a:left:1.0"), Needs(coordinate="org.a:right:1.0"))
    desk.remote.add("org.a:left:1.0", Needs(coordinate="org.a:base:1.0"))
    desk.remote.add("org.a:right:1.0", Needs(coordinate="org.a:base:1.0", scope="runtime"))
    desk.remote.add("org.a:base:1.0")
    assert desk.names("mvn:org.a:top:1.0") == ["top-1.0.jar", "base-1.0.jar", "left-1.0.jar", "right-1.0.jar"]


def test_test_provided_system_and_optional_dependencies_are_not_needed_at_run_time(desk: Desk) -> None:
    desk.remote.add(
        "org.a:top:1.0",
        *(Needs(coordinate=f"org.a:{scope}:1.0", scope=scope) for scope in ("test", "provided", "system")),
        Needs(coordinate="org.a:maybe:1.0", optional=True),
        Needs(coordinate="org.a:needed:1.0", scope="compile"),
    )
    desk.remote.add("org.a:needed:1.0")
    assert desk.names("mvn:org.a:top:1.0") == ["top-1.0.jar", "needed-1.0.jar"]


def test_exclusions_hold_all_the_way_down(desk: Desk) -> None:
    desk.remote.add("org.a:top:1.0", Needs(coordinate="org.a:middle:1.0", without=("org.a:bad",)))
    desk.remote.add("org.a:middle:1.0", Needs(coordinate="org.a:low:1.0"))
    desk.remote.add("org.a:low:1.0", Needs(coordinate="org.a:bad:1.0"), Needs(coordinate="org.a:good:1.0"))
    desk.remote.add("org.a:good:1.0")
    assert desk.names("mvn:org.a:top:1.0") == ["top-1.0.jar", "good-1.0.jar", "low-1.0.jar", "middle-1.0.jar"]


def test_the_nearest_version_wins_within_one_coordinate_as_in_maven(desk: Desk) -> None:
    desk.remote.add("org.a:top:1.0", Needs(coordinate="org.a:middle:1.0"), Needs(coordinate="org.a:base:1.0"))
    desk.remote.add("org.a:middle:1.0", Needs(coordinate="org.a:base:2.0"))
    desk.remote.add("org.a:base:1.0")
    desk.remote.add("org.a:base:2.0")
    assert desk.names("mvn:org.a:top:1.0") == ["top-1.0.jar", "base-1.0.jar", "middle-1.0.jar"]


def test_versions_come_from_parents_properties_and_imported_lists(desk: Desk) -> None:
    desk.remote.add("org.a:parent:7", extra="<packaging>pom</packaging><properties><v>1.5</v></properties>")
    managed = "<dependencyManagement><dependencies>{}</dependencies></dependencyManagement>"
    desk.remote.add(
        "org.a:bom:3", extra="<packaging>pom</packaging>" + managed.format(Needs(coordinate="org.a:listed:4.0").xml())
    )
    imported = (
        "<dependency><groupId>org.a</groupId><artifactId>bom</artifactId><version>3</version>"
        "<type>pom</type><scope>import</scope></dependency>"
    )
    desk.remote.add(
        "org.a:top:1.0",
        Needs(coordinate="org.a:base:${v}"),
        Needs(coordinate="org.a:listed:"),
        parent="org.a:parent:7",
        extra=managed.format(imported),
    )
    desk.remote.add("org.a:base:1.5")
    desk.remote.add("org.a:listed:4.0")
    assert desk.names("mvn:org.a:top:1.0") == ["top-1.0.jar", "base-1.5.jar", "listed-4.0.jar"]


def test_of_two_coordinates_that_disagree_the_newer_version_is_taken_and_told(desk: Desk) -> None:
    desk.remote.add("org.a:one:1.0", Needs(coordinate="org.a:base:1.9"))
    desk.remote.add("org.a:two:1.0", Needs(coordinate="org.a:base:1.10"))
    desk.remote.add("org.a:base:1.9")
    desk.remote.add("org.a:base:1.10")
    for order in (("one", "two"), ("two", "one")):
        names = desk.names(*(f"mvn:org.a:{name}:1.0" for name in order))
        assert sorted(names) == ["base-1.10.jar", "one-1.0.jar", "two-1.0.jar"]
    assert "'org.a:base:1.9' gives way to 'org.a:base:1.10'" in desk.reporter.notes


def test_a_version_that_the_spec_names_beats_any_that_others_need(desk: Desk) -> None:
    desk.remote.add("org.a:one:1.0", Needs(coordinate="org.a:base:2.0"))
    desk.remote.add("org.a:base:1.0")
    desk.remote.add("org.a:base:2.0")
    assert desk.names("mvn:org.a:one:1.0", "mvn:org.a:base:1.0") == ["one-1.0.jar", "base-1.0.jar"]


def test_what_flink_brings_is_left_out_with_all_that_only_it_needs(desk: Desk) -> None:
    desk.remote.add(
        "org.a:connector:1.0",
        Needs(coordinate="org.apache.flink:flink-streaming-java:2.3.0"),
        Needs(coordinate="org.slf4j:slf4j-api:1.7.36"),
        Needs(coordinate="org.apache.logging.log4j:log4j-core:2.20.0"),
        Needs(coordinate="com.google.code.findbugs:jsr305:1.3.9"),
        Needs(coordinate="org.a:client:1.0"),
    )
    desk.remote.add("org.apache.flink:flink-streaming-java:2.3.0", Needs(coordinate="org.a:only-flinks:1.0"))
    desk.remote.add("org.a:client:1.0", Needs(coordinate="org.slf4j:jcl-over-slf4j:1.7.36"))
    desk.remote.add("org.slf4j:jcl-over-slf4j:1.7.36", Needs(coordinate="org.slf4j:slf4j-api:1.7.36"))
    assert desk.names("mvn:org.a:connector:1.0") == [
        "connector-1.0.jar",
        "client-1.0.jar",
        "jcl-over-slf4j-1.7.36.jar",
    ]
    assert not desk.remote.server.requests_for(".jar") > 3


def test_what_lies_in_this_flinks_lib_is_left_out_also_when_the_spec_names_it(desk: Desk, tmp_path: Path) -> None:
    lib = tmp_path / "flink" / "lib"
    lib.mkdir(parents=True)
    (lib / "flink-dist-2.3.0.jar").touch()
    (lib / "company-format_2.12-5.1.jar").touch()
    flink = FlinkRuntime(version="2.3.0", home=tmp_path / "flink", source="archive")
    desk.remote.add("org.a:top:1.0", Needs(coordinate="org.b:company-format:5.0"))
    desk.remote.add("org.b:company-format:5.0")
    assert desk.names("mvn:org.a:top:1.0", "mvn:org.b:company-format:5.0", flink=flink) == ["top-1.0.jar"]
    assert desk.reporter.notes == ["'org.b:company-format:5.0' is left out: Flink brings it"]
    assert "company-format-5.0.jar" in desk.names("mvn:org.a:top:1.0")


def test_the_lock_pins_every_file_and_is_the_same_wherever_it_is_made(desk: Desk) -> None:
    jar = desk.remote.add("org.a:top:1.0", Needs(coordinate="org.a:base:1.0"))
    base = desk.remote.add("org.a:base:1.0")
    desk.maven().jars(["mvn:org.a:top:1.0"])
    first = desk.lock.path.read_bytes()
    assert first.decode() == (
        "# What coordinates and Flink series were resolved to. Written by scurry; keep it under version control.\n"
        "version = 1\n"
        "\n"
        "[[artifact]]\n"
        'coordinate = "org.a:top:1.0"\n'
        "files = [\n"
        f'  {{ coordinate = "org.a:top:1.0", sha256 = "{hashlib.sha256(jar).hexdigest()}" }},\n'
        f'  {{ coordinate = "org.a:base:1.0", sha256 = "{hashlib.sha256(base).hexdigest()}" }},\n'
        "]\n"
    )
    desk.lock.path.unlink()
    desk.maven(cache="another").jars(["mvn:org.a:top:1.0"])
    assert desk.lock.path.read_bytes() == first


def test_what_is_locked_and_cached_needs_no_network(desk: Desk) -> None:
    desk.remote.add("org.a:top:1.0", Needs(coordinate="org.a:base:1.0"))
    desk.remote.add("org.a:base:1.0")
    expected = desk.maven().jars(["mvn:org.a:top:1.0"])
    asked = len(desk.remote.server.asked)
    assert desk.maven(Repository(name="gone", url=CLOSED_PORT)).jars(["mvn:org.a:top:1.0"]) == expected
    assert desk.maven(offline=True).jars(["mvn:org.a:top:1.0"]) == expected
    assert len(desk.remote.server.asked) == asked


def test_a_locked_coordinate_is_fetched_by_its_files_and_not_resolved_again(desk: Desk) -> None:
    desk.remote.add("org.a:top:1.0", Needs(coordinate="org.a:base:1.0"))
    desk.remote.add("org.a:base:1.0")
    desk.maven().jars(["mvn:org.a:top:1.0"])
    desk.remote.server.asked.clear()
    desk.maven(cache="of somebody else").jars(["mvn:org.a:top:1.0"])
    assert desk.remote.server.requests_for(".jar") == 2
    assert not desk.remote.server.requests_for(".pom")


def test_other_bytes_than_the_locked_ones_are_refused_with_both_digests(desk: Desk) -> None:
    old = hashlib.sha256(desk.remote.add("org.a:top:1.0")).hexdigest()
    desk.maven().jars(["mvn:org.a:top:1.0"])
    desk.remote.put("/repo/org/a/top/1.0/top-1.0.jar", b"published again under the same version")
    new = hashlib.sha256(b"published again under the same version").hexdigest()
    with pytest.raises(ArtifactError, match=r"is not what scurry\.lock says") as caught:
        desk.maven(cache="of somebody else").jars(["mvn:org.a:top:1.0"])
    assert old in caught.value.message
    assert new in caught.value.message


def test_a_damaged_copy_in_the_cache_is_fetched_again(desk: Desk) -> None:
    desk.remote.add("org.a:top:1.0")
    (path,) = desk.maven().jars(["mvn:org.a:top:1.0"])
    good = path.read_bytes()
    path.write_bytes(b"damaged")
    assert desk.maven().jars(["mvn:org.a:top:1.0"]) == (path,)
    assert path.read_bytes() == good


@pytest.mark.parametrize("name", ["sha1", "sha256", "sha512"])
def test_bytes_that_differ_from_the_repositorys_checksum_are_refused_and_not_kept(desk: Desk, name: str) -> None:
    desk.remote.checksums = (name, "sha1")
    desk.remote.add("org.a:top:1.0")
    desk.remote.server.files["/repo/org/a/top/1.0/top-1.0.jar"] = b"tampered with"
    with pytest.raises(ArtifactError, match=f"its {name} is {hashlib.new(name, b'tampered with').hexdigest()}"):
        desk.maven().jars(["mvn:org.a:top:1.0"])
    assert not list((desk.folder / "cache").glob("**/*.jar"))
    assert not desk.lock.path.exists()


def test_a_transfer_that_breaks_off_leaves_nothing(desk: Desk) -> None:
    desk.remote.add("org.a:top:1.0")
    desk.remote.server.cut.add("/repo/org/a/top/1.0/top-1.0.jar")
    with pytest.raises(ArtifactError, match="cannot be reached"):
        desk.maven().jars(["mvn:org.a:top:1.0"])
    assert not list((desk.folder / "cache").glob("**/*top-1.0.jar*"))
    desk.remote.server.cut.clear()
    assert desk.names("mvn:org.a:top:1.0") == ["top-1.0.jar"]


def test_a_version_that_is_not_there_names_the_repository_and_the_nearest_ones(desk: Desk) -> None:
    for version in ("3.2.0-1.19", "4.0.0-2.0", "4.0.1-2.0"):
        desk.remote.add(f"org.a:connector:{version}")
    with pytest.raises(ArtifactError) as caught:
        desk.maven().jars(["mvn:org.a:connector:4.0.2-2.0"])
    assert caught.value.message == f"'org.a:connector:4.0.2-2.0' is not in 'ours' ({desk.remote.url})"
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("Versions there are: 4.0.")


def test_a_classifier_that_is_not_there_is_told_from_a_version_that_is_not(desk: Desk) -> None:
    desk.remote.add("org.a:examples:1.0", classifier="WordCount")
    assert desk.maven().jar("mvn:org.a:examples:1.0:WordCount").name == "examples-1.0-WordCount.jar"
    with pytest.raises(ArtifactError, match="the version is there, but no jar with the classifier 'WordCuont' of it"):
        desk.maven().jar("mvn:org.a:examples:1.0:WordCuont")


def test_a_missing_dependency_is_told_and_nothing_is_locked(desk: Desk) -> None:
    desk.remote.add("org.a:top:1.0", Needs(coordinate="org.a:gone:1.0"))
    with pytest.raises(ArtifactError, match=r"'org\.a:gone:1\.0' is not in 'ours'"):
        desk.maven().jars(["mvn:org.a:top:1.0"])
    assert not desk.lock.path.exists()


def test_a_missing_parent_is_told_instead_of_leaving_dependencies_out(desk: Desk) -> None:
    desk.remote.add("org.a:top:1.0", Needs(coordinate="org.a:base:1.0"), parent="org.a:parent:1")
    desk.remote.add("org.a:base:1.0")
    with pytest.raises(ArtifactError, match=r"no repository has the pom of 'org\.a:parent:1'"):
        desk.maven().jars(["mvn:org.a:top:1.0"])


def test_a_jar_that_was_uploaded_without_a_pom_has_no_dependencies(desk: Desk) -> None:
    desk.remote.add("org.a:top:1.0", Needs(coordinate="org.a:bare:1.0"))
    desk.remote.add("org.a:bare:1.0")
    del desk.remote.server.files["/repo/org/a/bare/1.0/bare-1.0.pom"]
    assert desk.names("mvn:org.a:top:1.0") == ["top-1.0.jar", "bare-1.0.jar"]


def test_a_pom_that_makes_no_sense_is_an_error_of_ours(desk: Desk) -> None:
    desk.remote.add("org.a:top:1.0")
    desk.remote.put("/repo/org/a/top/1.0/top-1.0.pom", b"<project><unclosed></project>")
    with pytest.raises(ArtifactError, match=r"the dependencies of 'org\.a:top:1\.0' cannot be worked out"):
        desk.maven().jars(["mvn:org.a:top:1.0"])


def test_repositories_are_asked_in_order_and_the_first_that_has_it_wins(desk: Desk) -> None:
    with serving() as other:
        second = MavenRepository(other)
        second.add("org.a:top:1.0")
        first = Repository(name="first", url=desk.remote.url)
        paths = desk.maven(first, Repository(name="second", url=second.url)).jars(["mvn:org.a:top:1.0"])
        assert [path.name for path in paths] == ["top-1.0.jar"]
        assert desk.remote.server.requests_for("top-1.0.jar") == 1
        assert other.requests_for("top-1.0.jar") == 1


def test_a_password_is_resolved_at_the_last_moment_and_opens_the_repository(desk: Desk) -> None:
    desk.remote.add("org.a:top:1.0")
    desk.remote.server.credentials = ("ada", "opens sesame")
    closed = Repository(
        name="closed", url=desk.remote.url, username="ada", password=SecretRef(source="env", name="REPOSITORY_PASSWORD")
    )
    assert len(desk.maven(closed).jars(["mvn:org.a:top:1.0"])) == 1


@pytest.mark.parametrize(
    ("username", "told"), [(None, "wants credentials"), ("ada", "does not accept the credentials")]
)
def test_a_closed_repository_says_so_without_the_password(desk: Desk, username: str | None, told: str) -> None:
    desk.remote.server.credentials = ("ada", "something else")
    password = "opens sesame" if username else None
    closed = Repository(name="closed", url=desk.remote.url, username=username, password=password)
    with pytest.raises(ArtifactError, match=told) as caught:
        desk.maven(closed).jars(["mvn:org.a:top:1.0"])
    assert "401" in caught.value.message
    assert "sesame" not in caught.value.message


def test_a_repository_that_is_broken_is_not_taken_for_one_that_lacks_the_file(desk: Desk) -> None:
    desk.remote.server.status = 500
    with pytest.raises(ArtifactError, match=r"'ours' .* answers 500"):
        desk.maven().jars(["mvn:org.a:top:1.0"])


def test_no_network_and_nothing_cached_names_the_file_and_the_repository(desk: Desk) -> None:
    with pytest.raises(ArtifactError, match=r"'top-1.0.\w+' is not in the cache, and the repository 'gone'"):
        desk.maven(Repository(name="gone", url=CLOSED_PORT)).jars(["mvn:org.a:top:1.0"])
    with pytest.raises(ArtifactError, match="the network is not to be used"):
        desk.maven(offline=True).jars(["mvn:org.a:top:1.0"])


def test_a_jobs_jar_comes_alone_and_is_locked_apart(desk: Desk) -> None:
    jar = desk.remote.add("org.a:job:1.0", Needs(coordinate="org.a:base:1.0"))
    assert desk.maven().jar("mvn:org.a:job:1.0").read_bytes() == jar
    assert desk.lock.read().jars == {"org.a:job:1.0": hashlib.sha256(jar).hexdigest()}
    assert not desk.remote.server.requests_for(".pom")
    desk.remote.put("/repo/org/a/job/1.0/job-1.0.jar", b"something else")
    with pytest.raises(ArtifactError, match=r"is not what scurry\.lock says"):
        desk.maven(cache="of somebody else").jar("mvn:org.a:job:1.0")


def test_many_at_once_get_the_same_file_with_one_transfer(desk: Desk) -> None:
    jar = desk.remote.add("org.a:top:1.0")
    start = threading.Barrier(8)
    found: list[bytes] = []

    def work() -> None:
        maven = desk.maven()
        start.wait()
        (path,) = maven.jars(["mvn:org.a:top:1.0"])
        found.append(path.read_bytes())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [jar] * 8
    assert desk.remote.server.requests_for("top-1.0.jar") == 1


def test_a_cache_that_cannot_be_written_is_told_with_its_path(desk: Desk) -> None:
    (desk.folder / "cache").write_text("in the way")
    desk.remote.add("org.a:top:1.0")
    with pytest.raises(WorkspaceError, match="cache"):
        desk.maven().jars(["mvn:org.a:top:1.0"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("mvn:org.a:top", "it has 2 of at least 3 parts"),
        ("mvn:org.a:top:1.0:x:y", "it has 5 parts, at most 4 are known"),
        ("mvn:org.a::1.0", "one of its parts is empty"),
        ("mvn:org.a:top:[1.0,2.0)", "is a range of versions"),
        ("mvn:org.a:to p:1.0", "'to p' is not a name"),
        ("mvn:org.a:..:1.0", "is not a Maven coordinate"),
        ("mvn:org.a:top:1.0-SNAPSHOT", "names no fixed version"),
        ("mvn:org.a:top:LATEST", "names no fixed version"),
    ],
)
def test_a_coordinate_that_is_none_is_told_with_the_right_form(text: str, why: str) -> None:
    with pytest.raises(ArtifactError, match=re.escape(why)) as caught:
        Coordinate.parse(text)
    assert caught.value.hint


@pytest.mark.network
def test_a_real_connector_comes_from_maven_central(tmp_path: Path, reporter: Remembering, store: ArtifactStore) -> None:
    remotes = Repositories((), cache=tmp_path / "cache", reporter=reporter)
    maven = Maven(remotes, LockFile(tmp_path / "scurry.lock"), reporter=reporter)
    (path,) = maven.jars(["mvn:org.apache.flink:flink-sql-connector-kafka:4.0.1-2.0"])
    assert hashlib.sha256(path.read_bytes()).hexdigest() == (
        "c7127a6518fba5d6b75eb4692229192e7147ea378e69c7b7cf16d0494057b0c3"
    )


@pytest.mark.network
def test_flinks_own_example_is_there_by_its_classifier(tmp_path: Path, reporter: Remembering) -> None:
    remotes = Repositories((), cache=tmp_path / "cache", reporter=reporter)
    maven = Maven(remotes, LockFile(tmp_path / "scurry.lock"), reporter=reporter)
    path = maven.jar("mvn:org.apache.flink:flink-examples-streaming:2.3.0:TopSpeedWindowing")
    assert path.name == "flink-examples-streaming-2.3.0-TopSpeedWindowing.jar"
