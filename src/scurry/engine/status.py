"""Observed + History → what `status` tells. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.engine import restore
from scurry.engine.health import judge_now
from scurry.engine.phase import phase_of
from scurry.engine.planner import drift
from scurry.model.desired import HealthPolicy
from scurry.model.observed import Observed
from scurry.model.report import HealthReport, StatusReport

if TYPE_CHECKING:
    from datetime import datetime

    from scurry.model.journal import History


def report(history: History, observed: Observed, *, now: datetime | None = None) -> StatusReport:
    """Return the report of one application from a full observation of it, made at `now`."""
    desired = history.current.desired if history.current else None
    policy = desired.upgrade.health if desired else HealthPolicy()
    job = observed.live or next((job for job in observed.jobs if job.id == history.job_id), None)
    # A job that we stopped came to its end, too; that says nothing of health.
    health = judge_now(observed.live or (None if history.stopped else job), policy=policy, now=now)
    reason = health.reason if observed.reachable else f"the target does not answer: {observed.unreachable_because}"
    interrupted = history.interrupted
    return StatusReport(
        name=history.application,
        target=history.target or "",
        phase=phase_of(observed, history),
        revision=history.current.number if history.current else None,
        job=job,
        health=HealthReport(verdict=health.verdict.value, reason=reason),
        restored_from=job.restored_from if job else None,
        latest_snapshot=restore.newest(observed, history),
        ui_url=observed.ui_url,
        interrupted=f"{type(interrupted.operation).__name__} by {interrupted.started_by}" if interrupted else None,
        notes=(drift(observed),) if observed.drifted else (),
    )


def survey_report(history: History, survey: Observed) -> StatusReport:
    """Return the report from a survey of the whole target: it tells the states of jobs, not their restarts."""
    own = tuple(job for job in survey.jobs if job.id in history.marks)
    return report(
        history, Observed(reachable=survey.reachable, unreachable_because=survey.unreachable_because, jobs=own)
    )
