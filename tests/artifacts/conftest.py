"""Fixtures of the tests of artifacts: a store, a reporter that remembers, and a real Flink for SQL."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from scurry.artifacts.store import ArtifactStore
from scurry.flink.cluster import ClusterSettings, LocalClusters
from scurry.flink.connection import RestSettings
from scurry.flink.java_programs import compile_program
from scurry.flink.rest import FlinkRest
from scurry.model.reporting import SilentActivity, SilentReporter
from tests.artifacts.sql_rig import SqlRig
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scurry.flink.cluster import RunningCluster
    from scurry.flink.runtimes import Runtimes


class Remembering(SilentReporter):
    """A reporter that remembers what it was told."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.notes: list[str] = []
        self.warnings: list[str] = []

    @contextmanager
    def activity(self, title: str, *, total: float | None = None) -> Iterator[SilentActivity]:
        self.titles.append(title)
        yield SilentActivity()

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture(autouse=True)
def _no_proxy_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own servers are asked directly, whatever this machine's environment says."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")


@pytest.fixture
def reporter() -> Remembering:
    return Remembering()


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "store")


@pytest.fixture(scope="module", params=FLINK_VERSIONS)
def flink_version(request: pytest.FixtureRequest) -> str:
    version: str = request.param
    return version


@pytest.fixture(scope="module")
def runner(flink_version: str, runtimes: Runtimes) -> Path:
    """The compiled SQL runner."""
    return compile_program(
        "SqlRunner",
        flink=runtimes.flink(flink_version),
        java=runtimes.java(flink_version),
        cache=runtimes.cache,
    )


@pytest.fixture(scope="module")
def cluster(
    flink_version: str, runtimes: Runtimes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningCluster]:
    """One JobManager and one TaskManager of the version."""
    folder = tmp_path_factory.mktemp("cluster")
    clusters = LocalClusters(folder / "local", SilentReporter())
    settings = ClusterSettings(
        flink=runtimes.flink(flink_version),
        java=runtimes.java(flink_version),
        state_directory=folder / "state",
        slots=8,
    )
    try:
        yield clusters.ensure(settings)
    finally:
        clusters.stop()


@pytest.fixture
def rig(cluster: RunningCluster, runner: Path, tmp_path: Path) -> Iterator[SqlRig]:
    """The cluster, with a folder of this test's own; the jobs that a test leaves running are cancelled."""
    with FlinkRest(RestSettings(url=cluster.rest_url)) as rest:
        before = {job.jid for job in rest.jobs()}
        yield SqlRig(cluster, rest, runner=runner, store=ArtifactStore(tmp_path / "store"), folder=tmp_path)
        for job in rest.jobs():
            if job.jid not in before and job.state not in ("FINISHED", "FAILED", "CANCELED"):
                rest.cancel(job.jid)
