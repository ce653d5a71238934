"""From Flink's answers to the model's `Job`. Reads only.

Flink answers `/jobs/:id`, its checkpoints and its exceptions from a cache (3 s on a cluster with default settings), but
`/jobs/overview` freshly. So what changes quickly is taken from the overview: the state, and whether all tasks run.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

import msgspec

from scurry.flink.rest_answers import NO_CHECKPOINTS, moment
from scurry.flink.stack_trace import explain, thrown_at
from scurry.model.errors import JobNotFound, RejectedByTarget, TargetUnsuitable
from scurry.model.observed import CheckpointCounts, Job, JobFailure, JobState
from scurry.model.snapshot import Snapshot, SnapshotKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from scurry.flink.rest import FlinkRest
    from scurry.flink.rest_answers import Checkpoint, Checkpoints, ExceptionEntry, JobDetail, JobSummary, Restored
    from scurry.model.ports import Clock

_IN_DETAIL = 3
"""of so many of an application's jobs, newest first, details are asked for"""
_LONGEST_REASON = 500
_BEGINNING = frozenset({"INITIALIZING", "CREATED", "RUNNING"})
_YOUNG_MS = 60_000
_SLOWEST_CACHE_MS = 60_000
"""no sane cluster answers with what is older"""
_SETTLED_MS = 15_000
"""Flink fetches metrics every 10 s: before that there are none of a new job, and asking costs calls"""
_MOST_SOURCES = 3
_LONGEST_CAUSES = 8000
_SKEW, _ABSURD = timedelta(seconds=5), timedelta(days=365)
_NO_WATERMARK, _LAST_WATERMARK = -(2.0**63), 2.0**63
"""`Long.MIN_VALUE` and `Long.MAX_VALUE`: none yet, and the end of a bounded input"""
_PENDING, _OUTPUT_WATERMARK = ".pendingRecords", ".currentOutputWatermark"
_AILING = frozenset({JobState.FAILING, JobState.RESTARTING, JobState.FAILED})


def state_of(word: str) -> JobState:
    """Return the state that Flink's word means. Raises `TargetUnsuitable` for a word that no Flink up to 2.3 says."""
    try:
        return JobState(word.lower())
    except ValueError:
        raise TargetUnsuitable(f"Flink says that a job is {word!r}, which no version known to scurry does") from None


def surveyed(summary: JobSummary) -> Job:
    """Return a job as the overview alone tells it: subtasks are counted instead of vertices."""
    return Job(
        id=summary.jid,
        name=summary.name,
        state=state_of(summary.state),
        started_at=moment(summary.start_time),
        modified_at=moment(summary.last_modification) if summary.last_modification else None,
        vertices=summary.tasks.total,
        vertices_running=summary.tasks.running + summary.tasks.finished,
    )


def own_jobs(rest: FlinkRest, summaries: Sequence[JobSummary], clock: Clock) -> tuple[Job, ...]:
    """Return jobs with their details, newest first; of all but the newest few only what the overview tells."""
    newest_first = sorted(summaries, key=lambda summary: summary.start_time, reverse=True)
    return tuple(
        _detailed(rest, summary, clock) if index < _IN_DETAIL else surveyed(summary)
        for index, summary in enumerate(newest_first)
    )


def checkpoint_snapshot(checkpoint: Checkpoint, job_id: str) -> Snapshot | None:
    """Return a completed checkpoint or savepoint as a snapshot, if it can be addressed from outside."""
    if not checkpoint.external_path or checkpoint.external_path.startswith("<"):
        return None
    return Snapshot(
        kind=SnapshotKind.SAVEPOINT if checkpoint.is_savepoint else SnapshotKind.CHECKPOINT,
        location=checkpoint.external_path,
        taken_at=checkpoint.taken_at,
        job_id=job_id,
        format=checkpoint.format,
        size_bytes=checkpoint.state_size,
    )


def retained_checkpoint(rest: FlinkRest, job_id: str, state: JobState, clock: Clock) -> Snapshot | None:
    """Return the checkpoint that a job which ended has left, if it has left one.

    A finished job leaves none; a cancelled one if its checkpoints are retained; a failed one if they are externalised.
    Waits until the answer cannot be older than the job's end (3 s at most on a cluster with default settings): an older
    checkpoint than the last one is deleted already.
    """
    if state is JobState.FINISHED or not _keeps_checkpoints(rest, job_id, state):
        return None
    ended_ms = next((job.end_time for job in rest.jobs() if job.jid == job_id), 0)
    age_ms = rest.job(job_id).now - ended_ms
    if age_ms < _SLOWEST_CACHE_MS:
        clock.sleep(max(rest.dashboard().refresh_interval_ms - age_ms, 0) / 1000 + 0.05)
    latest = rest.checkpoints(job_id).latest.completed
    return checkpoint_snapshot(latest, job_id) if latest else None


def settings(rest: FlinkRest, job_id: str) -> dict[str, str]:
    """Return the Flink options of a job that its REST API shows; what is off or has no value is left out."""
    found = {"parallelism.default": str(rest.job_config(job_id).parallelism)}
    try:
        kept = rest.checkpoint_config(job_id)
    except JobNotFound:
        raise
    except RejectedByTarget:  # checkpointing is off
        return found
    prefix = "execution.checkpointing"
    numbers = {
        f"{prefix}.interval": (kept.interval_ms, " ms"),
        f"{prefix}.timeout": (kept.timeout_ms, " ms"),
        f"{prefix}.min-pause": (kept.min_pause_ms, " ms"),
        f"{prefix}.max-concurrent-checkpoints": (kept.max_concurrent, ""),
        f"{prefix}.tolerable-failed-checkpoints": (kept.tolerable_failures, ""),
    }
    found |= {option: f"{number}{unit}" for option, (number, unit) in numbers.items() if number >= 0}
    if kept.mode:
        found[f"{prefix}.mode"] = kept.mode.upper()
    if kept.unaligned is not None:
        found[f"{prefix}.unaligned.enabled"] = str(kept.unaligned).lower()
    return found


def _keeps_checkpoints(rest: FlinkRest, job_id: str, state: JobState) -> bool:
    try:
        kept = rest.checkpoint_config(job_id).externalization
    except JobNotFound:
        raise
    except RejectedByTarget:
        return False
    return kept.enabled and not (state is JobState.CANCELED and kept.delete_on_cancellation)


def _checkpoints(rest: FlinkRest, job_id: str) -> Checkpoints:
    try:
        return rest.checkpoints(job_id)
    except JobNotFound:
        raise
    except RejectedByTarget:  # a batch job: "Checkpointing has not been enabled"
        return NO_CHECKPOINTS


def _detailed(rest: FlinkRest, summary: JobSummary, clock: Clock) -> Job:
    try:
        return _with_details(rest, summary, clock)
    except JobNotFound:
        return surveyed(summary)  # forgotten between the two calls


def _with_details(rest: FlinkRest, summary: JobSummary, clock: Clock) -> Job:
    job = surveyed(summary)
    detail, failures = rest.job(job.id), rest.exceptions(job.id)
    if not failures and job.state in _AILING:  # the cache is older than the failure, whose reason is what matters now
        clock.sleep(rest.dashboard().refresh_interval_ms / 1000 + 0.05)
        failures = rest.exceptions(job.id)
    # Until all tasks run no checkpoint completes, and asking would only fill the cache with an answer that ages.
    checkpoints = NO_CHECKPOINTS if _is_starting(summary, failures) else _checkpoints(rest, job.id)
    vertices, running = _vertices(summary, detail)
    restarts = _restarts(rest, job, failures)
    ails = job.state in _AILING or restarts > 0
    return msgspec.structs.replace(
        job,
        parallelism=max((vertex.parallelism for vertex in detail.vertices), default=None),
        vertices=vertices,
        vertices_running=running,
        restarts=restarts,
        checkpoints=CheckpointCounts(
            completed=checkpoints.counts.completed,
            failed=checkpoints.counts.failed,
            in_progress=checkpoints.counts.in_progress,
        ),
        latest_checkpoint=_latest(rest, job, checkpoints, clock),
        restored_from=_started_from(checkpoints.latest.restored, job.id),
        root_exception=_reason(failures) if ails else None,
        checkpoint_failure=_checkpoint_failure(checkpoints),
        failures=_failures(failures, detail, clock),
        **_flow(rest, summary, detail),
    )


def _checkpoint_failure(checkpoints: Checkpoints) -> str | None:
    failed, completed = checkpoints.latest.failed, checkpoints.latest.completed
    if failed is None or (completed and completed.trigger_timestamp > failed.trigger_timestamp):
        return None
    return failed.failure_message


def _latest(rest: FlinkRest, job: Job, checkpoints: Checkpoints, clock: Clock) -> Snapshot | None:
    if job.state.is_terminal:
        return retained_checkpoint(rest, job.id, job.state, clock)
    latest = checkpoints.latest.completed
    return checkpoint_snapshot(latest, job.id) if latest else None


def _started_from(restored: Restored | None, job_id: str) -> str | None:
    """Return what the job started from; after a failure Flink tells the job's own checkpoint instead."""
    path = restored.external_path if restored else None
    return None if path is None or f"/{job_id}/" in path else path


def _is_starting(summary: JobSummary, failures: Sequence[ExceptionEntry]) -> bool:
    tasks = summary.tasks
    young = summary.state in _BEGINNING and not failures and summary.duration < _YOUNG_MS
    return young and tasks.running + tasks.finished < max(tasks.total, 1)


def _vertices(summary: JobSummary, detail: JobDetail) -> tuple[int, int]:
    tasks, total = summary.tasks, len(detail.vertices)
    if not total:
        return tasks.total, tasks.running + tasks.finished
    if tasks.running + tasks.finished >= tasks.total > 0:
        return total, total
    return total, min(sum(vertex.runs for vertex in detail.vertices), total - 1)


def _restarts(rest: FlinkRest, job: Job, failures: Sequence[ExceptionEntry]) -> int:
    """Return how often the job restarted: the metric is up to 10 s old, the list of failures 3 s but ends at 16."""
    metrics = rest.job_metrics(job.id, "numRestarts", "fullRestarts") if not job.state.is_terminal else {}
    final = 1 if job.state is JobState.FAILED else 0
    return max(int(metrics.get("numRestarts", metrics.get("fullRestarts", 0))), len(failures) - final, 0)


def _reason(failures: Sequence[ExceptionEntry]) -> str | None:
    return explain(failures[0].stacktrace).message[:_LONGEST_REASON] if failures else None


def _failures(entries: Sequence[ExceptionEntry], detail: JobDetail, clock: Clock) -> tuple[JobFailure, ...]:
    """Return the failures at the times that our clock had: the JobManager's may go wrong by more than a moment."""
    ahead = clock.now() - moment(detail.now) if entries else timedelta()
    shift = ahead if _SKEW < abs(ahead) < _ABSURD else timedelta()
    found: list[JobFailure] = []
    for entry in entries:
        failure = _failure(entry, shift)
        is_told = any(failure.causes == earlier.causes for earlier in found)
        found.append(msgspec.structs.replace(failure, causes="") if is_told else failure)
    return tuple(found)


def _failure(entry: ExceptionEntry, shift: timedelta) -> JobFailure:
    told = explain(entry.stacktrace)
    return JobFailure(
        at=moment(entry.timestamp) + shift,
        message=told.message[:_LONGEST_REASON],
        causes=_shortened(told.cause),
        where=thrown_at(entry.stacktrace),
        task=entry.task,
    )


def _shortened(causes: str) -> str:
    """Leave out the middle of what is very long: the ends of Python's tracebacks are what counts."""
    half = _LONGEST_CAUSES // 2
    return causes if len(causes) <= _LONGEST_CAUSES else f"{causes[:half]}\n…\n{causes[-half:]}"


class _Flow(TypedDict, total=False):
    """How records pass through the job."""

    back_pressure: float
    back_pressured: str
    watermark: datetime | None
    source_lag: int
    idle_source: str | None


def _flow(rest: FlinkRest, summary: JobSummary, detail: JobDetail) -> _Flow:
    """Return how records pass: back-pressure is in the detail already; the rest takes a few calls to a settled job."""
    flow: _Flow = {}
    shares = [
        (vertex.metrics.back_pressured_ms / (vertex.duration * vertex.parallelism), vertex.name)
        for vertex in detail.vertices
        if vertex.duration > 0
    ]
    if shares:
        share, name = max(shares)
        flow |= {"back_pressure": min(share, 1.0), "back_pressured": name}
    if summary.state != "RUNNING" or summary.duration < _SETTLED_MS:
        return flow
    try:
        return flow | {"watermark": _watermark(rest, detail)} | _sources(rest, detail)
    except RejectedByTarget:
        return flow


def _watermark(rest: FlinkRest, detail: JobDetail) -> datetime | None:
    last = detail.plan.last
    least = min(rest.watermarks(detail.jid, last), default=_NO_WATERMARK) if last else _NO_WATERMARK
    return moment(int(least)) if _NO_WATERMARK < least < _LAST_WATERMARK else None


def _sources(rest: FlinkRest, detail: JobDetail) -> _Flow:
    """Return what the first few sources tell under their own names: what waits in them, and which of them stands."""
    waiting: list[float] = []
    idle: str | None = None
    names = {vertex.id: vertex.name for vertex in detail.vertices}
    for vertex in detail.plan.sources[:_MOST_SOURCES]:
        there = (metric.id for metric in rest.vertex_metrics(detail.jid, vertex))
        wanted = [name for name in there if name.endswith((_PENDING, _OUTPUT_WATERMARK))]
        for metric in rest.vertex_metrics(detail.jid, vertex, *wanted) if wanted else ():
            if metric.id.endswith(_PENDING):
                waiting.append(metric.sum or 0)
            elif metric.min is not None and metric.max is not None and metric.min <= _NO_WATERMARK < metric.max:
                idle = names.get(vertex, vertex)
    flow: _Flow = {"idle_source": idle}
    return flow | {"source_lag": int(sum(waiting))} if waiting else flow
