"""What tests of local clusters share: settings for small ones, who belongs to them, and an end to all of them."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from scurry.flink.cluster import ClusterSettings, LocalClusters
from scurry.flink.install_cache import default_cache
from scurry.flink.launch import CLUSTER_VARIABLE
from scurry.flink.process import marked
from scurry.model.flink_memory import MIB
from tests.flink.conftest import Listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from scurry.flink.cluster import RunningCluster
    from scurry.flink.installed import FlinkRuntime, JavaRuntime
    from scurry.flink.process import Marked

PATIENCE_S = 120


def small(
    workspace: Path,
    flink: FlinkRuntime,
    java: JavaRuntime,
    *,
    slots: int = 2,
    config: Mapping[str, str] | None = None,
    log_level: str = "INFO",
    rest_port: int | None = None,
) -> ClusterSettings:
    """Settings of a cluster that several of fit on a shared machine."""
    return ClusterSettings(
        flink=flink,
        java=java,
        state_directory=workspace / "state",
        slots=slots,
        job_manager_memory=704 * MIB,
        task_manager_memory=768 * MIB,
        config=config or {},
        log_level=log_level,
        rest_port=rest_port,
    )


def clusters_of(workspace: Path, reporter: Listening | None = None) -> LocalClusters:
    """The clusters of a workspace, with the archives that all tests share."""
    return LocalClusters(workspace / "local", reporter or Listening(), class_data=default_cache())


@contextmanager
def stopped_afterwards(workspace: Path) -> Iterator[LocalClusters]:
    """Clusters of a workspace, of which nothing is left at the end."""
    clusters = clusters_of(workspace)
    try:
        yield clusters
    finally:
        clusters.stop()
        assert family(workspace) == []


def family(workspace: Path) -> list[Marked]:
    """All processes that belong to clusters of a workspace, by the table of processes alone."""
    return [process for process in marked(CLUSTER_VARIABLE) if process.mark.startswith(f"{workspace}/")]


def roles(workspace: Path) -> list[str]:
    """The roles of all Flink processes of a workspace, sorted."""
    words = [word for process in family(workspace) for word in process.command]
    return sorted(word.removeprefix("-Dscurry.role=") for word in words if word.startswith("-Dscurry.role="))


def ask(cluster: RunningCluster, path: str) -> Any:
    """What Flink answers."""
    with urlopen(cluster.rest_url + path, timeout=30) as response:
        return json.load(response)


def until(condition: Callable[[], object], what: str, *, patience_s: float = PATIENCE_S) -> None:
    """Poll until something holds."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {patience_s} s: {what}"
        time.sleep(0.05)
