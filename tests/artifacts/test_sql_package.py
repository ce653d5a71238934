"""The jar of an SQL application: everything in it once, and the same to the byte wherever it is made."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scurry.artifacts import sql_package
from scurry.artifacts.sql_package import package_sql
from scurry.artifacts.store import ArtifactStore
from scurry.artifacts.zip_writer import ZipWriter
from scurry.model.desired import ArtifactKind
from scurry.model.errors import ArtifactError
from tests.artifacts.jars import write_jar
from tests.artifacts.scripts import script_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scurry.model.desired import Artifact
    from tests.artifacts.conftest import Remembering

SQL = "SET 'a' = 'b';\n-- a comment\nINSERT INTO t SELECT '${secret:word}; ü';\n"
SERVICE = "META-INF/services/org.apache.flink.table.factories.Factory"


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """What the compiler makes of the runner, as far as packaging cares."""
    folder = tmp_path / "classes"
    for name in ("SqlRunner", "StableUids"):
        file = folder / "io" / "scurry" / f"{name}.class"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(f"class {name}".encode())
    (folder / ".complete").touch()
    return folder


def package(store: ArtifactStore, classes: Path, *connectors: Path, sql: str = SQL) -> Artifact:
    return package_sql(script_of(sql), connectors=connectors, runner=classes, store=store)


def content(store: ArtifactStore, artifact: Artifact) -> Mapping[str, bytes]:
    with zipfile.ZipFile(store.path(artifact)) as jar:
        assert jar.testzip() is None
        names = jar.namelist()
        assert len(names) == len(set(names))
        return {name: jar.read(name) for name in names}


def test_the_runner_and_the_statements_are_in_it(store: ArtifactStore, classes: Path) -> None:
    artifact = package(store, classes)
    found = content(store, artifact)
    assert artifact.kind is ArtifactKind.JAR
    assert next(iter(found)) == "META-INF/MANIFEST.MF"
    assert found == {
        "META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\r\nMain-Class: io.scurry.SqlRunner\r\n\r\n",
        "io/scurry/SqlRunner.class": b"class SqlRunner",
        "io/scurry/StableUids.class": b"class StableUids",
        "scurry/statements/0001.sql": b"SET 'a' = 'b'",
        "scurry/statements/0002.sql": "INSERT INTO t SELECT '${secret:word}; ü'".encode(),
        "scurry/statements/index": b"0001.sql\n0002.sql\n",
    }


def test_connectors_are_merged_without_what_must_not_be_twice(
    store: ArtifactStore, classes: Path, tmp_path: Path
) -> None:
    one = write_jar(
        tmp_path / "one-1.0.jar",
        {
            SERVICE: b"# the first\norg.one.Factory\norg.shared.Factory",
            "org/one/Factory.class": b"one",
            "META-INF/ONE.SF": b"signature",
            "META-INF/ONE.RSA": b"signature",
            "META-INF/SIG-X": b"signature",
            "META-INF/INDEX.LIST": b"index",
            "META-INF/LICENSE": b"licence of one",
            "META-INF/NOTICE.txt": b"notice of one",
            "module-info.class": b"module",
            "META-INF/versions/9/module-info.class": b"module",
            "reference.conf": b"one = 1",
        },
    )
    two = write_jar(
        tmp_path / "two-2.0.jar",
        {
            SERVICE: b"org.shared.Factory\r\norg.two.Factory # with a comment\r\n",
            "org/two/Factory.class": b"two",
            "META-INF/TWO.DSA": b"signature",
            "META-INF/LICENSE": b"licence of two",
            "reference.conf": b"two = 2\n",
        },
    )
    found = content(store, package(store, classes, one, two))
    assert found[SERVICE] == b"org.one.Factory\norg.shared.Factory\norg.two.Factory\n"
    assert found["reference.conf"] == b"one = 1\ntwo = 2\n"
    assert found["META-INF/licenses/one-1.0/LICENSE"] == b"licence of one"
    assert found["META-INF/licenses/two-2.0/LICENSE"] == b"licence of two"
    assert found["META-INF/licenses/one-1.0/NOTICE.txt"] == b"notice of one"
    assert found["org/one/Factory.class"] == b"one"
    assert found["org/two/Factory.class"] == b"two"
    dropped = {"META-INF/ONE.SF", "META-INF/ONE.RSA", "META-INF/SIG-X", "META-INF/TWO.DSA", "META-INF/INDEX.LIST"}
    assert not dropped & found.keys()
    assert not [name for name in found if name.endswith("module-info.class")]


def test_of_two_different_classes_of_one_name_the_first_is_taken_and_told(
    store: ArtifactStore, classes: Path, tmp_path: Path, reporter: Remembering
) -> None:
    one = write_jar(tmp_path / "one.jar", {"org/x/Same.class": b"same", "org/x/Other.class": b"first"})
    two = write_jar(tmp_path / "two.jar", {"org/x/Same.class": b"same", "org/x/Other.class": b"second"})
    artifact = package_sql(script_of(SQL), connectors=[one, two], runner=classes, store=store, reporter=reporter)
    assert content(store, artifact)["org/x/Other.class"] == b"first"
    assert reporter.notes == [
        "1 classes are in several connectors with different content; the first is taken: "
        "org.x.Other (one.jar, not two.jar)"
    ]


def test_versioned_classes_stay_only_where_their_jar_meant_them(
    store: ArtifactStore, classes: Path, tmp_path: Path
) -> None:
    manifest = "Manifest-Version: 1.0\r\nMulti-Release: true\r\n\r\n"
    meant = write_jar(tmp_path / "meant.jar", {"META-INF/versions/11/org/a/A.class": b"for 11"}, manifest)
    stray = write_jar(tmp_path / "stray.jar", {"META-INF/versions/11/org/b/B.class": b"stray"})
    found = content(store, package(store, classes, meant, stray))
    assert "META-INF/versions/11/org/a/A.class" in found
    assert "META-INF/versions/11/org/b/B.class" not in found
    assert b"Multi-Release: true\r\n" in found["META-INF/MANIFEST.MF"]
    assert b"Multi-Release" not in content(store, package(store, classes, stray))["META-INF/MANIFEST.MF"]


def test_the_same_things_make_the_same_bytes_in_another_place_time_zone_and_umask(
    classes: Path, tmp_path: Path
) -> None:
    code = (
        "import os, pathlib, shutil, sys, time\n"
        "from scurry.artifacts.sql_package import package_sql\n"
        "from scurry.artifacts.store import ArtifactStore\n"
        "from tests.artifacts.jars import write_jar\n"
        "from tests.artifacts.scripts import script_of\n"
        "folder, classes, order = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[4])\n"
        "os.umask(int(sys.argv[3], 8))\n"
        "mine = folder / 'classes'\n"
        "for file in sorted(pathlib.Path(classes).glob('**/*.class'))[::order]:\n"
        "    target = mine / file.relative_to(classes)\n"
        "    target.parent.mkdir(parents=True, exist_ok=True)\n"
        "    shutil.copyfile(file, target)\n"
        "jar = pathlib.Path(sys.argv[5])\n"
        "store = ArtifactStore(folder / 'store')\n"
        "artifact = package_sql(script_of(sys.argv[6]), connectors=[jar], runner=mine, store=store)\n"
        "print(artifact.digest)\n"
    )
    names = ["b/B.class", "a/A.class", "META-INF/services/x.Y", "META-INF/LICENSE", "é/É.class"]
    jar = write_jar(tmp_path / "c.jar", {name: f"{name} ".encode() * 100 for name in names})
    digests = set()
    for number, (zone, umask, order) in enumerate((("UTC", "022", "1"), ("Pacific/Kiritimati", "077", "-1"))):
        answer = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / f"place{number}"), str(classes), umask, order, str(jar), SQL],
            env={**os.environ, "TZ": zone, "PYTHONHASHSEED": str(number + 1)},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(answer.stdout)
    assert len(digests) == 1


def test_a_secret_reference_stays_a_reference(store: ArtifactStore, classes: Path) -> None:
    assert b"${secret:word}" in content(store, package(store, classes))["scurry/statements/0002.sql"]


def test_anything_that_changed_makes_another_artifact(store: ArtifactStore, classes: Path, tmp_path: Path) -> None:
    jar = write_jar(tmp_path / "c.jar", {"a/A.class": b"a"})
    digests = [
        package(store, classes).digest,
        package(store, classes, sql=SQL + "INSERT INTO t SELECT 2;").digest,
        package(store, classes, jar).digest,
    ]
    (classes / "io/scurry/SqlRunner.class").write_bytes(b"class SqlRunner, better")
    digests.append(package(store, classes).digest)
    write_jar(jar, {"a/A.class": b"b"})
    digests.append(package(store, classes, jar).digest)
    assert len(set(digests)) == 5


def test_the_second_time_nothing_is_built(
    store: ArtifactStore, classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jar = write_jar(tmp_path / "c.jar", {"a/A.class": b"a"})
    first = package(store, classes, jar)

    def built(*_: object) -> None:
        raise AssertionError("it was built again")

    monkeypatch.setattr(sql_package, "merge", built)
    assert package(store, classes, jar) == first


def test_a_built_jar_that_was_damaged_is_built_again(store: ArtifactStore, classes: Path) -> None:
    artifact = package(store, classes)
    path = store.path(artifact)
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    assert package(store, classes) == artifact
    assert content(store, artifact)


def test_a_script_of_comments_is_refused(store: ArtifactStore, classes: Path) -> None:
    with pytest.raises(ArtifactError, match="holds no statement"):
        package(store, classes, sql="-- nothing yet\n;")


def test_a_connector_with_a_damaged_entry_is_refused(store: ArtifactStore, classes: Path, tmp_path: Path) -> None:
    jar = write_jar(tmp_path / "c.jar", {SERVICE: b"org.x.Factory\n" * 100})
    data = bytearray(jar.read_bytes())
    position = data.index(SERVICE.encode()) + len(SERVICE) + 2
    data[position : position + 8] = b"\xff" * 8
    jar.write_bytes(bytes(data))
    with pytest.raises(ArtifactError, match="a connector is damaged"):
        package(store, classes, jar)
    assert store.list() == ()


def test_more_entries_than_the_old_format_can_count_are_read_by_java_and_python(tmp_path: Path) -> None:
    path = tmp_path / "many.jar"
    with path.open("wb") as out:
        writer = ZipWriter(out)
        for number in range(70_000):
            writer.add(f"e{number}", b"x")
        writer.close()
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == 70_000
        assert archive.read("e69999") == b"x"


def test_entries_are_taken_over_still_compressed(tmp_path: Path) -> None:
    source = write_jar(tmp_path / "source.jar", {"a": b"a" * 100_000})
    target = tmp_path / "target.jar"
    with zipfile.ZipFile(source) as archive, target.open("wb") as out:
        writer = ZipWriter(out)
        writer.copy(archive, archive.getinfo("a"), "renamed")
        writer.close()
    with zipfile.ZipFile(target) as archive:
        info = archive.getinfo("renamed")
        assert info.compress_size < 1000
        assert info.date_time == (1980, 1, 1, 0, 0, 0)
        assert archive.read("renamed") == b"a" * 100_000
