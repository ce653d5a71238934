"""From an application's `code` to a stored artifact, as the workspace asks for it."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from scurry.artifacts.build import Workbench, build
from scurry.artifacts.lock import LockFile
from scurry.flink.fetch import maven_central
from scurry.flink.runtimes import Runtimes
from scurry.model.application import Application
from scurry.model.desired import ArtifactKind
from scurry.model.errors import ArtifactError
from scurry.model.project import Repository
from tests.artifacts.jars import write_jar
from tests.artifacts.maven_repository import MavenRepository, Needs
from tests.artifacts.scripts import script_of
from tests.artifacts.web_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from scurry.artifacts.store import ArtifactStore
    from scurry.model.desired import Artifact
    from scurry.model.values import Text
    from tests.artifacts.conftest import Remembering

SQL = "CREATE TABLE t (n INT) WITH ('connector' = 'blackhole');\nINSERT INTO t SELECT 1;"


class NoSecrets:
    """Knows none."""

    def resolve(self, text: Text) -> str:
        assert isinstance(text, str)
        return text


@pytest.fixture
def repository() -> Iterator[MavenRepository]:
    with serving() as server:
        yield MavenRepository(server)


@pytest.fixture
def bench(tmp_path: Path, store: ArtifactStore, reporter: Remembering, repository: MavenRepository) -> Workbench:
    return Workbench(
        store=store,
        runtimes=Runtimes(cache=tmp_path / "cache", reporter=reporter),
        lock=LockFile(tmp_path / "scurry.lock"),
        repositories=[Repository.model_validate({"url": repository.url})],
        secrets=NoSecrets(),
        reporter=reporter,
    )


def built(bench: Workbench, folder: Path, version: str = "2.3.0", **spec: Any) -> Artifact:
    application = Application.model_validate({"name": "orders", "flink": version, **spec})
    script = script_of(SQL) if "sql" in spec["code"] else None
    return build(application, bench, folder=folder, script=script, flink_version=version)


def test_a_jar_is_stored_as_it_is(bench: Workbench, tmp_path: Path) -> None:
    jar = write_jar(tmp_path / "app.jar", {"com/example/Main.class": b"main"})
    artifact = built(bench, tmp_path, code={"jar": "app.jar", "main_class": "com.example.Main"})
    assert (artifact.kind, artifact.file_name) == (ArtifactKind.JAR, "app.jar")
    assert bench.store.path(artifact).read_bytes() == jar.read_bytes()


def test_a_wrong_main_class_is_told_before_anything_is_stored(bench: Workbench, tmp_path: Path) -> None:
    write_jar(tmp_path / "app.jar", {"com/example/Main.class": b"main"})
    with pytest.raises(ArtifactError, match=r"the class 'com\.example\.Mian', which the spec names"):
        built(bench, tmp_path, code={"jar": "app.jar", "main_class": "com.example.Mian"})
    assert bench.store.list() == ()


def test_a_jar_by_coordinate_comes_from_the_projects_repository(
    bench: Workbench, tmp_path: Path, repository: MavenRepository
) -> None:
    repository.add("org.a:job:1.0")
    coordinate = "mvn:org.a:job:1.0"
    artifact = built(bench, tmp_path, code={"jar": coordinate, "main_class": "job.Made"})
    assert artifact.file_name == "job-1.0.jar"
    assert "org.a:job:1.0" in bench.lock.read().jars


def test_a_python_script_is_stored_with_its_modules(bench: Workbench, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.py").write_text("import other\n")
    (tmp_path / "src" / "other.py").write_text("")
    artifact = built(bench, tmp_path, code={"python": "src/main.py"})
    assert artifact.kind is ArtifactKind.PYTHON
    with zipfile.ZipFile(bench.store.path(artifact)) as archive:
        assert archive.namelist() == ["main.py", "other.py"]


def test_connectors_of_a_jar_go_into_its_lib_folder(
    bench: Workbench, tmp_path: Path, repository: MavenRepository
) -> None:
    repository.add("org.a:connector:1.0")
    write_jar(tmp_path / "app.jar", {"com/example/Main.class": b"main" * 1000, "META-INF/APP.SF": b"signature"})
    spec: dict[str, Any] = {
        "code": {"jar": "app.jar", "main_class": "com.example.Main"},
        "connectors": ["mvn:org.a:connector:1.0"],
    }
    artifact = built(bench, tmp_path, **spec)
    with zipfile.ZipFile(bench.store.path(artifact)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "META-INF/MANIFEST.MF",
            "com/example/Main.class",
            "META-INF/APP.SF",
            "lib/connector-1.0.jar",
        ]
        assert archive.read("com/example/Main.class") == b"main" * 1000
    assert built(bench, tmp_path, **spec) == artifact


@pytest.mark.flink
@pytest.mark.network
def test_a_script_becomes_a_jar_with_its_connectors(
    bench: Workbench, tmp_path: Path, runtimes: Runtimes, repository: MavenRepository, flink_version: str
) -> None:
    repository.add(
        "org.a:connector:1.0", Needs(coordinate="org.a:client:1.0"), Needs(coordinate="org.slf4j:slf4j-api:1")
    )
    repository.add("org.a:client:1.0")
    real = Workbench(
        store=bench.store,
        runtimes=runtimes,
        lock=bench.lock,
        repositories=[*bench.repositories, Repository(url=maven_central())],
        secrets=NoSecrets(),
        reporter=bench.reporter,
    )
    spec: dict[str, Any] = {"code": {"sql": "queries.sql"}, "connectors": ["mvn:org.a:connector:1.0"]}
    artifact = built(real, tmp_path, flink_version, **spec)
    assert artifact.file_name == "orders.jar"
    with zipfile.ZipFile(bench.store.path(artifact)) as archive:
        names = set(archive.namelist())
    assert {"io/scurry/SqlRunner.class", "connector/Made.class", "client/Made.class"} <= names
    assert {"scurry/plan/plan.json", "scurry/plan/names"} <= names
    with zipfile.ZipFile(
        bench.store.path(built(real, tmp_path, flink_version, **spec, upgrade={"sql": "none"}))
    ) as own:
        assert not [name for name in own.namelist() if name.startswith("scurry/plan/")]
    assert built(real, tmp_path, flink_version, **spec) == artifact
