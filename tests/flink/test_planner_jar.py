"""The planner's jar in place of the one that it is packed in."""

from __future__ import annotations

import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from scurry.flink.launch import jars_of
from scurry.flink.planner_jar import with_planner
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from pathlib import Path

    from scurry.flink.runtimes import Runtimes

CONTENT = b"the planner" * 1000


def packed(folder: Path, content: bytes = CONTENT) -> tuple[Path, Path, Path]:
    """A class path of three jars, the planner's in the middle."""
    folder.mkdir(exist_ok=True)
    jars = folder / "flink-dist.jar", folder / "flink-table-planner-loader-2.3.0.jar", folder / "log4j.jar"
    with zipfile.ZipFile(jars[1], "w") as loader:
        loader.writestr("flink-table-planner.jar", content)
    return jars


def test_the_planner_stands_where_the_jar_stood_that_holds_it(tmp_path: Path) -> None:
    dist, _, log = packed(tmp_path / "lib")
    found = with_planner(packed(tmp_path / "lib"), tmp_path / "cache")
    assert (found[0], found[2]) == (dist, log)
    assert found[1].read_bytes() == CONTENT
    assert list(found[1].parent.iterdir()) == [found[1]]


def test_it_is_unpacked_once_also_by_many_at_once(tmp_path: Path) -> None:
    jars = packed(tmp_path / "lib")
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: with_planner(jars, tmp_path / "cache")[1], range(8)))
    (planner,) = found
    before = planner.stat()
    assert with_planner(jars, tmp_path / "cache")[1].stat() == before
    assert planner.read_bytes() == CONTENT
    assert list(planner.parent.iterdir()) == [planner]


def test_another_planner_is_another_jar(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    one, other = (with_planner(packed(tmp_path / name, name.encode()), cache)[1] for name in ("one", "other"))
    assert (one.read_bytes(), other.read_bytes()) == (b"one", b"other")


@pytest.mark.parametrize("trouble", ["no jar", "another layout", "no place", "no loader"])
def test_where_it_cannot_be_the_class_path_stays_as_it_is(tmp_path: Path, trouble: str) -> None:
    jars: tuple[Path, ...] = packed(tmp_path / "lib")
    cache = tmp_path / "cache"
    match trouble:
        case "no jar":
            jars[1].write_bytes(b"no jar")
        case "another layout":
            with zipfile.ZipFile(jars[1], "w") as loader:
                loader.writestr("planner.jar", CONTENT)
        case "no place":
            cache.write_text("in the way")
        case _:
            jars = (jars[0], jars[2])
    assert with_planner(jars, cache) == jars


@pytest.mark.flink  # which is installed, but not started
@pytest.mark.parametrize("version", FLINK_VERSIONS)
def test_each_flink_holds_a_planner_that_is_complete(runtimes: Runtimes, tmp_path: Path, version: str) -> None:
    found = with_planner(jars_of(runtimes.flink(version).home), tmp_path)
    (planner,) = (jar for jar in found if jar.is_relative_to(tmp_path))
    with zipfile.ZipFile(planner) as jar:
        assert "org/apache/flink/table/planner/delegation/DefaultPlannerFactory.class" in jar.namelist()
        services = jar.read("META-INF/services/org.apache.flink.table.factories.Factory").decode()
    assert "DefaultPlannerFactory" in services
