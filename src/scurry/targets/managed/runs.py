"""One run of an application: what became of the start that its mark is of. From the service's answers to a `Job`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scurry.model.observed import CheckpointCounts, Job, JobFailure, JobState
from scurry.targets.managed.service import PASSING, RESTING, Application, Operation, Service
from scurry.targets.managed.snapshots import told_snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from scurry.model.snapshot import Snapshot
    from scurry.targets.managed.metrics import News

_UNSAID = "why is not known, since no log stream tells"
START, STOP = "StartApplication", "StopApplication"
_STOPPING = frozenset({"STOPPING", "FORCE_STOPPING", "DELETING"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What happened since the mark was written, newest first."""

    application: Application
    operations: tuple[Operation, ...]

    @property
    def start(self) -> Operation | None:
        """The newest start; None when it never was started under this mark."""
        return next((each for each in self.operations if each.name == START), None)

    @property
    def stop(self) -> Operation | None:
        """The newest stop since that start, unless it failed."""
        for each in self.operations:
            if each.name == START:
                return None
            if each.name == STOP and each.status != "FAILED":
                return each
        return None

    @property
    def failure(self) -> Operation | None:
        """What failed last, if nothing was done since."""
        newest = next(iter(self.operations), None)
        return newest if newest and newest.status == "FAILED" else None

    @property
    def state(self) -> JobState | None:
        """The job's state, as far as the service tells; None when there never was one."""
        status = self.application.status
        if status in _STOPPING:
            return JobState.CANCELLING
        if status not in RESTING:
            return _live_state(status)
        if self.start is None:
            return None if self.application.mark.is_ours else JobState.CANCELED
        if self.failure is not None:
            return JobState.FAILED
        return JobState.CANCELED if self.stop else JobState.FINISHED


def surveyed_state(status: str) -> JobState:
    """Return the state of a job as the list of applications alone tells it."""
    if status in RESTING:
        return JobState.CANCELED
    return JobState.CANCELLING if status in _STOPPING else _live_state(status)


def _live_state(status: str) -> JobState:
    """While the service itself moves a job it neither runs nor fails."""
    if status == "STARTING":
        return JobState.INITIALIZING
    return JobState.RECONCILING if status in PASSING else JobState.RUNNING


def run_of(service: Service, application: Application) -> Run:
    """Return what became of an application's newest start by scurry."""
    return Run(application=application, operations=service.operations(application.name, after=application.mark.after))


def snapshots_of(run: Run, entries: Sequence[dict[str, Any]]) -> tuple[tuple[Snapshot, ...], tuple[Snapshot, ...]]:
    """Return the snapshots that this run wrote, and the older ones; both newest first."""
    begun = run.start.start if run.start else None
    own = [entry for entry in entries if begun and _second(entry["SnapshotCreationTimestamp"]) >= _second(begun)]
    older = [entry for entry in entries if entry not in own]
    name, job_id = run.application.name, run.application.mark.job
    return (
        tuple(told_snapshot(name, entry, job_id, runtime=run.application.runtime) for entry in own),
        tuple(told_snapshot(name, entry, None) for entry in older),
    )


def job_of(
    run: Run,
    *,
    name: str,
    own: Sequence[Snapshot],
    news: News,
    lateness: timedelta,
    failures: tuple[JobFailure, ...],
) -> Job | None:
    """Return the job; None when there never was one. The service tells of no vertices: the job counts as one."""
    state = run.state
    if state is None:
        return None
    runs = state is JobState.RUNNING
    if runs and news.loops:
        state = JobState.RESTARTING
    restarts = max(news.restarts, len(failures)) if runs else 0
    if restarts and not failures and news.restarted_at:  # only metrics tell, and not why
        failures = (JobFailure(at=news.restarted_at, message=_UNSAID),)
    newest = failures[0] if failures else None
    return Job(
        id=run.application.mark.job,
        name=name,
        state=state,
        started_at=run.start.start if run.start else None,
        parallelism=run.application.parallelism,
        vertices=1,
        vertices_running=int(runs),
        restarts=restarts,
        checkpoints=CheckpointCounts(completed=int(news.checkpoint), failed=news.failed_checkpoints),
        latest_checkpoint=next(iter(own), None),
        restored_from=run.application.restored_from,
        root_exception=newest.message if newest else None,
        failures=failures,
        modified_at=max((at for at in (news.restarted_at, newest.at if newest else None) if at), default=None),
        told_late_by_s=lateness.total_seconds(),
        untold=runs and not news.told,
    )


def _second(moment: datetime) -> int:
    """Compare in whole seconds: how much finer the service tells time is not known."""
    return int(moment.timestamp())
