"""Local clusters, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scurry.cli import views
from scurry.cli.text import bold, grid, paint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scurry.flink.cluster import ClusterProcess, RunningCluster


def document(cluster: RunningCluster) -> dict[str, Any]:
    """Return a cluster as programs read it."""
    return {
        "flink_version": cluster.flink_version,
        "url": cluster.rest_url,
        "java": cluster.java_major,
        "slots": cluster.slots,
        "whole": cluster.is_whole,
        "directory": cluster.directory,
        "log_directory": str(cluster.log_directory),
        "processes": [
            {
                "role": process.role,
                "pid": process.id.pid,
                "alive": process.is_alive,
                "slots": process.slots,
                "started_at": process.started_at,
            }
            for process in cluster.processes
        ],
    }


def text(clusters: Sequence[RunningCluster]) -> str:
    """Return the clusters as people read them, each with a table of its processes."""
    if not clusters:
        return "No cluster runs here. One starts when an application is applied to a target of kind local."
    return "\n\n".join(_cluster(cluster) for cluster in clusters)


def _cluster(cluster: RunningCluster) -> str:
    head = f"{bold(f'Flink {cluster.flink_version}')}, Java {cluster.java_major}, {cluster.slots} slots"
    rows = [_process(process) for process in cluster.processes]
    table = grid(("PROCESS", "PID", "STATE", "SLOTS", "STARTED"), rows)
    return f"{head}\n{cluster.rest_url}\nlogs in {cluster.log_directory}\n{table}"


def _process(process: ClusterProcess) -> tuple[str, ...]:
    state = paint("alive", "green") if process.is_alive else paint("dead", "red")
    slots = str(process.slots) if process.slots else ""
    return (process.role, str(process.id.pid), state, slots, views.ago(process.started_at))
