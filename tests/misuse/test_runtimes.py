"""Flinks and Javas that cannot be had: versions that do not exist, no network, a Java that is too old, a taken port."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.misuse.shop import Shop

APPLY = ("apply", "orders.yaml", "--yes")
OLD_JAVA = """\
#!/bin/sh
echo '    java.home = /opt/java8' >&2
echo '    java.version = 1.8.0_392' >&2
"""


@pytest.fixture
def offline(tmp_path: Path) -> dict[str, str]:
    """No network, and nothing cached."""
    with socket.socket() as bound:  # closed when the command runs: nobody listens there
        bound.bind(("127.0.0.1", 0))
        index = f"http://127.0.0.1:{bound.getsockname()[1]}/simple"
    return {
        "SCURRY_CACHE": str(tmp_path / "cache"),
        "PIP_INDEX_URL": index,
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "0",
        "PIP_DEFAULT_TIMEOUT": "2",
    }


def sql(shop: Shop, version: str) -> None:
    """Let the application be one that needs a Flink on this machine to be built."""
    shop.change('"2.3.0"', f'"{version}"')
    shop.change("jar: orders.jar", "sql: orders.sql")
    shop.write("orders.sql", "CREATE TABLE t (a INT) WITH ('connector' = 'datagen');\nSELECT a FROM t;\n")


@pytest.mark.network
@pytest.mark.parametrize("version", ["2.3.77", "7.7"])
def test_a_flink_version_that_does_not_exist_names_the_nearest(shop: Shop, version: str) -> None:
    sql(shop, version)
    refusal = shop.refused(*APPLY)
    refusal.is_at("orders.yaml", 2, "flink", column=8)
    assert refusal.message == f"Flink '{version}' does not exist"
    assert "2.3.0" in refusal.hint


def test_what_is_no_flink_version_is_told(shop: Shop) -> None:
    for number, version in enumerate(["latest", "2", "1.9", "2.3.0-SNAPSHOT", "'${FLINK}'", "[2.3]"]):
        shop.write(f"{number}.yaml", shop.path("orders.yaml").read_text().replace('"2.3.0"', version))
    problems = shop.refused("validate", *(f"{number}.yaml" for number in range(6))).error["problems"]
    assert [(problem["file"], problem["line"], problem["key"]) for problem in problems] == [
        (f"{number}.yaml", 2, "flink") for number in range(6)
    ]


@pytest.mark.parametrize("version", ["2.3.0", "2.3"])
def test_without_network_and_cache_it_says_what_is_missing_and_how_to_have_it(
    shop: Shop, offline: dict[str, str], version: str
) -> None:
    sql(shop, version)
    refusal = shop.refused(*APPLY, env=offline)
    refusal.is_at("orders.yaml", 2, "flink")
    assert refusal.code == "runtime-unavailable"
    assert f"Flink {version}" in refusal.message
    assert "cannot be reached" in refusal.message
    assert "  export PIP_INDEX_URL=" in refusal.hint


def test_without_network_what_needs_none_works(shop: Shop, offline: dict[str, str]) -> None:
    shop.change("parallelism: 2", "parallelism: 3")
    shop.done(*APPLY, env=offline)
    assert len(shop.running()) == 1


@pytest.fixture
def old_java(tmp_path: Path) -> Path:
    """The home of a Java that says that it is an 8."""
    java = tmp_path / "java8" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(OLD_JAVA)
    java.chmod(0o755)
    return tmp_path / "java8"


@pytest.mark.flink
def test_a_java_that_is_too_old_is_told_at_the_key_of_its_target(shop: Shop, old_java: Path) -> None:
    shop.add(f"  here:\n    kind: local\n    java_home: {old_java}\n", file="scurry.yaml")
    shop.write("other.yaml", shop.path("orders.yaml").read_text().replace("name: orders", "name: other"))
    refusal = shop.refused("apply", "other.yaml", "--yes", "--target", "here", locks=True)
    refusal.is_at("scurry.yaml", 7, "targets.here.java_home")
    assert f"Java 8 in '{old_java}' is too old for Flink '2.3.0', which runs on 11, 17 or 21" in refusal.message
    assert refusal.hint


@pytest.mark.flink
def test_a_java_that_is_too_old_is_told_at_the_key_of_the_project(shop: Shop, old_java: Path) -> None:
    sql(shop, "2.3.0")
    shop.add(f"java_home: {old_java}\n", file="scurry.yaml")
    refusal = shop.refused(*APPLY)
    refusal.is_at("scurry.yaml", 5, "java_home")
    assert "is too old" in refusal.message


@pytest.mark.flink
def test_a_port_that_is_taken_says_by_whom_and_starts_nothing(shop: Shop) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        shop.add(f"  here:\n    kind: local\n    rest_port: {port}\n", file="scurry.yaml")
        shop.write("other.yaml", shop.path("orders.yaml").read_text().replace("name: orders", "name: other"))
        refusal = shop.refused("apply", "other.yaml", "--yes", "--target", "here", locks=True)
    refusal.is_at("scurry.yaml", 7, "targets.here.rest_port")
    assert f"port {port}" in refusal.message
    assert "is taken by" in refusal.message
    assert "rest_port" in refusal.hint
    assert "answers again" not in refusal.hint
    assert shop.done("local", "status", "--json").document["clusters"] == []
