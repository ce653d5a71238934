"""The Flink clusters of the project on this machine: status, stop. They start when an application needs one."""

from typing import TYPE_CHECKING, Annotated

import typer

from scurry.cli.session import Session, command, new_app

if TYPE_CHECKING:
    from scurry.flink.cluster import RunningCluster

HERE = "the clusters of this machine are started and stopped on it"

app = new_app("local", "Flink clusters of this project on this machine.")


@app.command()
@command(here=HERE)
def status(session: Session) -> None:
    """Show the clusters that run, with their processes and addresses."""
    from scurry.cli import views_local

    found = session.workspace.local_clusters.running()
    session.answer(
        "local-status",
        {"clusters": [views_local.document(cluster) for cluster in found]},
        lambda: views_local.text(found),
    )


@app.command()
@command(asks=True, here=HERE)
def stop(
    session: Session,
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="Flink version of the cluster; without it, all.")
    ] = None,
) -> None:
    """Stop clusters. Jobs on them end without a savepoint; `scurry stop` takes one."""
    clusters = session.workspace.local_clusters
    concerned = [cluster for cluster in clusters.running() if version in (None, cluster.flink_version)]
    if concerned:
        session.agree(_told(session, concerned))
    stopped = clusters.stop(version)
    session.answer(
        "local-stop",
        {"stopped": stopped},
        lambda: "\n".join(f"✓ Flink {name} stopped" for name in stopped) or "No cluster runs here.",
    )


def _told(session: Session, clusters: "list[RunningCluster]") -> str:
    """Say what ends, and how to keep the state of what runs to the last record."""
    lines = [f"- Flink {cluster.flink_version} at {cluster.rest_url}" for cluster in clusters]
    running = _running(session)
    if running:
        lines.append(f"These run, and end without a savepoint: {', '.join(running)}. To take one first, run:")
        lines += [f"  scurry stop {name}" for name in running]
    return "\n".join(lines)


def _running(session: Session) -> list[str]:
    targets = session.workspace.project.all_targets()
    return [
        report.name
        for report in session.workspace.status()
        if report.job is not None
        and not report.job.state.is_terminal
        and report.target in targets
        and targets[report.target].kind == "local"
    ]
