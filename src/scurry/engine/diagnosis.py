"""Observed + History → what is wrong, root cause first, and what to do. Pure; it only reads what others found out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.engine.health import Verdict, judge_now
from scurry.engine.phase import phase_of
from scurry.model.desired import HealthPolicy
from scurry.model.journal import Intent, OperationOutcome
from scurry.model.observed import Phase
from scurry.model.report import Diagnosis, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.model.journal import History
    from scurry.model.observed import Job, Observed


def diagnose(history: History, observed: Observed) -> Diagnosis:
    """Return what is wrong with an application: nothing, or findings of which the first explains the others."""
    phase = phase_of(observed, history)
    desired = history.current.desired if history.current else None
    job = observed.live or next((job for job in observed.jobs if job.id == history.job_id), None)
    verdict = judge_now(job, policy=desired.upgrade.health if desired else HealthPolicy())
    findings = tuple(_findings(history, observed, phase, job))
    return Diagnosis(
        name=history.application,
        target=history.target or "",
        phase=phase,
        is_well=not findings and verdict.verdict is not Verdict.UNHEALTHY,
        findings=findings,
    )


def _findings(history: History, observed: Observed, phase: Phase, job: Job | None) -> Iterator[Finding]:
    if not observed.reachable:
        yield Finding(
            what=f"How it is cannot be seen: {observed.unreachable_because}",
            todo=observed.unreachable_hint or "Until the target answers, nothing is known of the job.",
        )
    if job is not None and job.root_exception:
        yield _exception(job, history)
    yield from _phase(history, observed, phase)
    yield from _last(history)
    if job is not None and not job.state.is_terminal:
        yield from _running(job, observed)
    for stranger in observed.strangers:
        yield Finding(
            what=f"A job of the same name (id {stranger.id}) runs that scurry did not start.",
            todo="Stop it with a savepoint, and start from that:\n"
            f"  scurry start {history.application} --from SAVEPOINT",
        )


def _exception(job: Job, history: History) -> Finding:
    ended = "ended with" if job.state.is_terminal else "met"
    todo = "When the cause is gone, run:\n  scurry apply FILE"
    if history.previous_healthy is not None:
        todo += (
            f"\nor go back to revision {history.previous_healthy.number}, which was healthy:\n"
            f"  scurry rollback {history.application}"
        )
    exception = (job.root_exception or "").strip()
    return Finding(what=f"The job {ended} an exception: {exception.splitlines()[0]}", detail=exception, todo=todo)


def _phase(history: History, observed: Observed, phase: Phase) -> Iterator[Finding]:
    name = history.application
    go_on = f"To go on from its latest state, run:\n  scurry start {name}"
    if history.interrupted:
        operation = type(history.interrupted.operation).__name__.lower()
        yield Finding(
            what=f"The {operation} that {history.interrupted.started_by} began was interrupted.",
            todo="To go on from there, run:\n  scurry apply FILE",
        )
    elif phase is Phase.LOST:
        yield Finding(what="It should run, but the target knows no such job (any more).", todo=go_on)
    elif phase is Phase.SUSPENDED and history.intent is Intent.RUN:
        yield Finding(what="It should run, but it was stopped and not started again.", todo=go_on)
    elif phase is Phase.FAILED and not any(job.root_exception for job in observed.jobs):
        yield Finding(what="Flink gave the job up, and shows no exception.", todo=f"Look at:\n  scurry logs {name}")


def _last(history: History) -> Iterator[Finding]:
    last = history.last
    if last is None or last.outcome is not OperationOutcome.FAILED:
        return
    yield Finding(
        what=f"The last operation ({type(last.operation).__name__.lower()}, {last.reason}) failed: {last.error}",
        todo=f"To see the operations before it, run:\n  scurry history {history.application}",
    )


def _running(job: Job, observed: Observed) -> Iterator[Finding]:
    if job.vertices_running < job.vertices:
        short = " The target has no free slot." if observed.slots_free == 0 else ""
        yield Finding(what=f"Only {job.vertices_running} of {job.vertices} vertices run.{short}")
    if job.restarts:
        yield Finding(what=f"Flink restarted the job {job.restarts} time{'s' if job.restarts > 1 else ''}.")
    # A few fail on any job, the first one often: it comes before all subtasks run.
    if job.checkpoints.failed > job.checkpoints.completed:
        yield Finding(what=f"{job.checkpoints.failed} checkpoints failed, {job.checkpoints.completed} completed.")
