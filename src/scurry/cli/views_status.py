"""How applications are now, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scurry.cli import views
from scurry.cli.text import facts, grid, paint
from scurry.engine.freezing import told
from scurry.model.observed import Phase

if TYPE_CHECKING:
    from scurry.model.report import StatusReport

COLOURS = {
    Phase.RUNNING: "green",
    Phase.FINISHED: "green",
    Phase.STARTING: "yellow",
    Phase.STOPPING: "yellow",
    Phase.SUSPENDED: "yellow",
    Phase.RESTARTING: "red",
    Phase.FAILED: "red",
    Phase.LOST: "red",
    Phase.UNKNOWN: "red",
    Phase.ABSENT: "dim",
}
VERDICTS = {"healthy": "green", "unhealthy": "red", "undecided": "yellow"}


def document(report: StatusReport) -> dict[str, Any]:
    """Return a report as programs read it. The job's `id`, `state` and `restarts` are the contract."""
    job = report.job
    return {
        "name": report.name,
        "target": report.target,
        "phase": report.phase,
        "revision": report.revision,
        "job": job,
        "health": report.health,
        "restored_from": report.restored_from,
        "latest_snapshot": report.latest_snapshot,
        "ui_url": report.ui_url,
        "interrupted": report.interrupted,
        "freezes": report.freezes,
        "notes": report.notes,
    }


def table(reports: tuple[StatusReport, ...]) -> str:
    """Return a line for each application, and below what a person should know besides."""
    if not reports:
        return "No application is known here. To run one, write a spec and run:\n  scurry apply application.yaml"
    rows = [
        (
            report.name,
            report.target,
            paint(report.phase.value, COLOURS[report.phase]),
            str(report.revision) if report.revision is not None else "",
            paint(report.health.verdict, VERDICTS.get(report.health.verdict, "")),
            views.ago(report.latest_snapshot.taken_at) if report.latest_snapshot else "none",
            views.first_line(report.health.reason),
        )
        for report in reports
    ]
    shown = grid(("APPLICATION", "TARGET", "PHASE", "REVISION", "HEALTH", "SNAPSHOT", ""), rows)
    return "\n".join([shown, *(line for report in reports for line in _remarks(report))])


def _remarks(report: StatusReport) -> list[str]:
    lines = [f"{report.name}: {note}" for note in (*map(told, report.freezes), *report.notes)]
    if report.interrupted:
        lines.append(f"{report.name}: interrupted: {report.interrupted}. To go on, apply it again.")
    return lines


def detail(report: StatusReport) -> str:
    """Return all that is known of one application, a line for each thing."""
    job = report.job
    known = {
        "application": f"{report.name} on {report.target}",
        "phase": report.phase.value + (f", revision {report.revision}" if report.revision is not None else ""),
        "health": f"{report.health.verdict}: {views.first_line(report.health.reason)}",
        "job": f"{job.id} {job.state.value}, {job.vertices_running} of {job.vertices} vertices" if job else "",
        "parallelism": str(job.parallelism) if job and job.parallelism else "",
        "restarts": str(job.restarts) if job else "",
        "checkpoints": _checkpoints(report),
        "restored": report.restored_from or "",
        "snapshot": (
            f"{views.ago(report.latest_snapshot.taken_at)}, {report.latest_snapshot.location}"
            if report.latest_snapshot
            else "none"
        ),
        "interrupted": report.interrupted or "",
        "frozen": "; ".join(map(told, report.freezes)),
        "notes": "; ".join(report.notes),
        "UI": report.ui_url or "",
    }
    return facts({name: value for name, value in known.items() if value})


def _checkpoints(report: StatusReport) -> str:
    if report.job is None:
        return ""
    counts = report.job.checkpoints
    return f"{counts.completed} completed, {counts.failed} failed, {counts.in_progress} in progress"
