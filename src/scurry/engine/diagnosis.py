"""Observed + History → what is wrong, root cause first, and what to do. Pure; it only reads what others found out.

What an exception means comes from the catalogue (`failure_catalogue.py`); what is not in it is shown as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from scurry.engine import failures
from scurry.engine.health import Verdict, judge_now
from scurry.engine.phase import phase_of
from scurry.model.desired import HealthPolicy
from scurry.model.journal import Intent, OperationOutcome
from scurry.model.observed import JobState, Phase
from scurry.model.operation import Action, Deploy, Rescale, Resume, Upgrade
from scurry.model.report import Diagnosis, Finding
from scurry.model.values import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from scurry.engine.failures import Known
    from scurry.model.journal import History, OperationRecord
    from scurry.model.observed import Job, JobFailure, Observed

_PAST = timedelta(hours=1)
"""a job that has run well for longer than that is over its last failure"""
_PRESSED = 0.8
"""of its time"""
_RECENT = timedelta(days=1)
_EXCEPTION = re.compile(r"[A-Z]\w*(?:Exception|Error): ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When it is diagnosed, and what was done before it, newest first."""

    now: datetime
    operations: Sequence[OperationRecord] = ()


def diagnose(history: History, observed: Observed, moment: Moment | None = None) -> Diagnosis:
    """Return what is wrong with an application: nothing, or findings of which the first explains the others.

    Without `moment` nothing is told that depends on the time.
    """
    phase = phase_of(observed, history)
    desired = history.current.desired if history.current else None
    job = observed.live or next((job for job in observed.jobs if job.id == history.job_id), None)
    now = moment.now if moment else None
    verdict = judge_now(job, policy=desired.upgrade.health if desired else HealthPolicy(), now=now)
    findings = [*_findings(history, observed, phase, job, now), *(_undone(history, moment) if moment else ())]
    findings.sort(key=lambda finding: finding.harmless)
    return Diagnosis(
        name=history.application,
        target=history.target or "",
        phase=phase,
        is_well=all(finding.harmless for finding in findings) and verdict.verdict is not Verdict.UNHEALTHY,
        findings=tuple(findings),
    )


def _findings(
    history: History, observed: Observed, phase: Phase, job: Job | None, now: datetime | None
) -> Iterator[Finding]:
    if not observed.reachable:
        yield Finding(
            what=f"How it is cannot be seen: {observed.unreachable_because}",
            todo=observed.unreachable_hint or "Until the target answers, nothing is known of the job.",
        )
    if job is not None and (job.failures or job.root_exception):
        yield _exception(job, history, now)
    if job is not None and not job.state.is_terminal:
        yield from _figures(job, history, now)
    yield from _phase(history, observed, phase)
    if job is None or not _is_told_by(job, history.last):
        yield from _last(history)
    if job is not None and not job.state.is_terminal:
        yield from _running(job, observed, is_over=_is_over(job, now))
    for stranger in observed.strangers:
        yield Finding(
            what=f"A job of the same name (id {stranger.id}) runs that scurry did not start.",
            todo="Stop it with a savepoint, and start from that:\n"
            f"  scurry start {history.application} --from SAVEPOINT",
        )


def _exception(job: Job, history: History, now: datetime | None) -> Finding:
    """Tell the failure that explains the others, by the catalogue if it is in there."""
    found = failures.root(job.failures, application=history.application)
    message = (job.root_exception or "").strip()
    evidence: tuple[str, ...] = ()
    if found is None:
        known, detail = failures.recognise(message, application=history.application), message
    else:
        failure, known = found
        detail = failure.causes or failure.message
        message = message or failure.message
        evidence = tuple(_circumstances(job, failure, now))
    past = _is_over(job, now)
    since = f" It runs well for {format_duration(now - job.failures[0].at)} since." if past and now else ""
    if known is None:
        ended = "ended with" if job.state.is_terminal else "met"
        what = f"The job {ended} an exception: {(found[0].message if found else message).splitlines()[0]}"
        return Finding(what=what + since, detail=detail, todo=_unknown(history), evidence=evidence, harmless=past)
    return Finding(
        what=known.what + since,
        detail=detail,
        todo=known.todo if known.trouble.follows else _or_back(known, history),
        code=known.trouble.id,
        evidence=(known.evidence, *evidence),
        harmless=past,
    )


def _circumstances(job: Job, failure: JobFailure, now: datetime | None) -> Iterator[str]:
    """Say where it happened, and how often and when."""
    place = [part for part in (f"in {failure.task}" if failure.task else "", f"at {failure.where or ''}") if part[3:]]
    if place:
        yield ", ".join(place)
    same = [other for other in job.failures if other.message == failure.message]
    if now is not None:
        often = f"{len(same)} times, " if len(same) > 1 else ""
        yield f"{often}last {format_duration(now - same[0].at)} ago"


def _is_over(job: Job, now: datetime | None) -> bool:
    sound = job.state is JobState.RUNNING and job.vertices_running >= job.vertices
    return now is not None and sound and bool(job.failures) and now - job.failures[0].at > _PAST


def _unknown(history: History) -> str:
    todo = "It is not among the failures that scurry knows. When the cause is gone, run:\n  scurry apply FILE"
    previous = history.previous_healthy
    if previous is None:
        return todo
    return (
        f"{todo}\nor go back to revision {previous.number}, which was healthy:\n  scurry rollback {history.application}"
    )


def _or_back(known: Known, history: History) -> str:
    """Propose a rollback where another revision may help, and there is one."""
    if history.previous_healthy is None or known.trouble.blame is not failures.Blame.APPLICATION:
        return known.todo
    return f"{known.todo}\nTo go back to the revision before, run:\n  scurry rollback {history.application}"


def _is_told_by(job: Job, last: OperationRecord | None) -> bool:
    """Whether the last operation failed for what its job fails with, which is told already."""
    error = last.error if last else None
    return bool(error) and any(failure.message.splitlines()[0] in str(error) for failure in job.failures)


def _figures(job: Job, history: History, now: datetime | None) -> Iterator[Finding]:
    """Tell what no exception tells: checkpoints that fail, event time that stands, tasks that do not keep up."""
    name = history.application
    # While a job fails and restarts, checkpoints fail because of that.
    if job.checkpoint_failure and job.checkpoints.failed > 1 and (not job.failures or _is_over(job, now)):
        counts = f"{job.checkpoints.failed} checkpoints failed, {job.checkpoints.completed} completed"
        known = failures.recognise(job.checkpoint_failure, application=name) or failures.known(
            "checkpoint-failed", application=name, evidence=job.checkpoint_failure
        )
        yield _finding(known, evidence=(counts,))
    if job.idle_source:
        evidence = f"some subtasks of {job.idle_source!r} have an output watermark, others have none"
        yield _finding(failures.known("source-idle", application=name, evidence=evidence, vertex=job.idle_source))
    if job.back_pressure is not None and job.back_pressure >= _PRESSED and job.back_pressured:
        share = f"{job.back_pressure:.0%}"
        evidence = f"accumulated back-pressured time of {job.back_pressured!r}: {share}"
        known = failures.known(
            "back-pressured", application=name, evidence=evidence, vertex=job.back_pressured, share=share
        )
        yield _finding(known, harmless=True)


def _finding(known: Known, *, evidence: tuple[str, ...] = (), harmless: bool = False) -> Finding:
    return Finding(
        what=known.what,
        todo=known.todo,
        code=known.trouble.id,
        evidence=(known.evidence, *evidence),
        harmless=harmless,
    )


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
        code = failures.trouble("jobmanager-lost").id
        yield Finding(what="It should run, but the target knows no such job (any more).", todo=go_on, code=code)
    elif phase is Phase.SUSPENDED and history.intent is Intent.RUN:
        yield Finding(what="It should run, but it was stopped and not started again.", todo=go_on)
    elif phase is Phase.FAILED and not any(job.root_exception for job in observed.jobs):
        yield Finding(what="Flink gave the job up, and shows no exception.", todo=f"Look at:\n  scurry logs {name}")


def _last(history: History) -> Iterator[Finding]:
    last = history.last
    if last is None or last.outcome is not OperationOutcome.FAILED:
        return
    begun = f"The last operation ({type(last.operation).__name__.lower()}, {last.reason}) failed:"
    known = failures.recognise(last.error or "", application=history.application) or _in_main(last)
    if known:
        yield Finding(
            what=f"{begun} {known.what}", todo=known.todo, code=known.trouble.id, evidence=(last.error or "",)
        )
        return
    yield Finding(
        what=f"{begun} {last.error}",
        todo=f"To see the operations before it, run:\n  scurry history {history.application}",
    )


def _in_main(last: OperationRecord) -> Known | None:
    """Return that the program's main failed, if an exception came of the check, which runs it."""
    failed = next((record for record in reversed(last.steps) if record.error), None)
    error = last.error or ""
    if failed is None or failed.step.action is not Action.CHECK or not _EXCEPTION.match(error):
        return None
    return failures.known("main-threw", application=last.application, evidence=error, text=error)


def _undone(history: History, moment: Moment) -> Iterator[Finding]:
    """Tell of a revision that went bad lately and was replaced: nothing is wrong now, but it is not what was wanted."""
    for record in moment.operations:
        if record.outcome is not OperationOutcome.FAILED or not isinstance(
            record.operation, Deploy | Upgrade | Rescale | Resume
        ):
            continue
        is_past = moment.now - record.started_at > _RECENT
        is_current = history.current is not None and history.current.number == record.revision
        if is_past or is_current or (history.last and record.id == history.last.id):
            return
        known = failures.recognise(record.error or "", application=history.application)
        yield Finding(
            what=f"Revision {record.revision} went bad, and another runs: {known.what if known else record.error}",
            todo=known.todo if known else None,
            code=known.trouble.id if known else None,
            evidence=(record.error or "",),
            harmless=True,
        )
        return


def _running(job: Job, observed: Observed, *, is_over: bool) -> Iterator[Finding]:
    if job.vertices_running < job.vertices:
        is_full = observed.slots_free == 0
        short = " The target has no free slot." if is_full else ""
        code = failures.trouble("slots-missing").id if is_full else None
        yield Finding(what=f"Only {job.vertices_running} of {job.vertices} vertices run.{short}", code=code)
    if job.restarts:
        often = f"{job.restarts} time{'s' if job.restarts > 1 else ''}"
        yield Finding(what=f"Flink restarted the job {often}.", harmless=is_over)
    # A few fail on any job, the first one often: it comes before all subtasks run.
    if job.checkpoints.failed > job.checkpoints.completed and not (
        job.checkpoint_failure and job.checkpoints.failed > 1
    ):
        yield Finding(what=f"{job.checkpoints.failed} checkpoints failed, {job.checkpoints.completed} completed.")
