"""The suite that every target passes, on real Flinks: each target with SQL, JAR and PyFlink applications.

The JAR has the whole suite; it is where the targets differ. SQL and PyFlink go the way of an application's life.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scurry.testing.target_conformance import LifecycleConformance, TargetConformance
from tests.conformance.rigs import Ground, Program, Rig, jar, python, sql
from tests.versions import FLINK_VERSIONS

pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(600)]

OLDEST, NEWEST = FLINK_VERSIONS[0], FLINK_VERSIONS[-1]
GroundOf = Callable[[str], Ground]


@pytest.fixture
def ground(ground_of: GroundOf, version: str) -> Iterator[Ground]:
    """The ground of the test's Flink version; no job is left on it."""
    ground = ground_of(version)
    yield ground
    ground.end_jobs()


@pytest.mark.parametrize("version", FLINK_VERSIONS, scope="class")
class TestJarOnLocal(TargetConformance):
    @pytest.fixture
    def rig(self, ground: Ground) -> Rig:
        return Rig(ground, ground.local(), jar)


@pytest.mark.parametrize("version", [NEWEST], scope="class")
class TestJarOnRest(TargetConformance):
    @pytest.fixture
    def rig(self, ground: Ground, tmp_path: Path) -> Rig:
        return Rig(ground, ground.rest(tmp_path), jar)


@pytest.mark.parametrize("program", [sql, python], ids=["sql", "python"])
@pytest.mark.parametrize("version", FLINK_VERSIONS, scope="class")
class TestLifeOnLocal(LifecycleConformance):
    @pytest.fixture
    def rig(self, ground: Ground, program: Program) -> Rig:
        return Rig(ground, ground.local(), program)


@pytest.mark.parametrize(
    ("version", "program"),
    [(OLDEST, jar), (NEWEST, sql), (NEWEST, python)],
    ids=[f"{OLDEST}-jar", f"{NEWEST}-sql", f"{NEWEST}-python"],
)
class TestLifeOnRest(LifecycleConformance):
    @pytest.fixture
    def rig(self, ground: Ground, program: Program, tmp_path: Path) -> Rig:
        return Rig(ground, ground.rest(tmp_path), program)
