"""What the server does by itself about a job that went bad or is gone: nothing, a plan, or an alert. Pure.

Two keys of the spec decide: `recovery` for a job that fails or restarts again and again, `drift` for one that somebody
cancelled or that its cluster forgot. State always goes along, the newest there is; without any a person is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from scurry.engine import failures, health
from scurry.engine import restore as restores
from scurry.engine.phase import phase_of
from scurry.engine.planner import refuse_strangers
from scurry.model.desired import DriftPolicy, RecoveryPolicy, UpgradeMode
from scurry.model.errors import Refused
from scurry.model.journal import Intent, OperationOutcome
from scurry.model.observed import JobState, Phase
from scurry.model.operation import Resume, Upgrade
from scurry.model.plan import Change, Plan
from scurry.model.snapshot import FromSnapshot, Restore, Stateless

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from scurry.engine.failures import Known
    from scurry.model.desired import Desired
    from scurry.model.journal import History, OperationRecord, Revision
    from scurry.model.observed import Observed

YOUNG = timedelta(days=1)
"""a revision that goes bad so soon is taken to be the cause"""
PROBATION = timedelta(hours=1)
"""a job that goes bad again so soon after a recovery is not helped by another one"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What only a person can put right. Equal alerts are one alert: tell it once."""

    code: str
    """stable, for metrics and events

    `restart-loop`, `failed`, `cluster`, `lost`, `cancelled`, `stands-still`, `no-state` or `refused`
    """
    reason: str
    """a sentence"""
    todo: str
    """what to do; a command on a line of its own"""


Decision: TypeAlias = Plan | Alert | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One application that is not as it should be."""

    observed: Observed
    history: History
    current: Revision
    operations: Sequence[OperationRecord]
    now: datetime

    @property
    def name(self) -> str:
        return self.history.application

    @property
    def desired(self) -> Desired:
        return self.current.desired

    def alert(self, code: str, reason: str, todo: str = "") -> Alert:
        look = f"To see what is wrong and what to do, run:\n  scurry diagnose {self.name}"
        return Alert(code=code, reason=reason, todo=todo or look)

    def plan(self, change: Change) -> Plan:
        return Plan(
            application=self.name,
            target=self.desired.target,
            phase=phase_of(self.observed, self.history),
            position=self.history.position,
            changes=(change,),
            desired=getattr(change.operation, "desired", self.desired),
            snapshot=restores.newest(self.observed, self.history),
            made_at=self.now,
        )


def decide(observed: Observed, history: History, operations: Sequence[OperationRecord], *, now: datetime) -> Decision:
    """Return what to do about an application: nothing when all is well or unknown, a plan to execute, or an alert.

    `operations` are the journal's newest, newest first: by them a recovery is not tried twice. Nothing is decided of
    what an interrupted operation left (settle that first), and of what a person asked to stop.
    """
    if history.current is None or history.intent is not Intent.RUN or history.interrupted:
        return None
    case = _Case(observed=observed, history=history, current=history.current, operations=operations, now=now)
    try:
        return _decide(case, phase_of(observed, history))
    except Refused as refused:
        return case.alert("refused", refused.message, refused.hint or "")


def _decide(case: _Case, phase: Phase) -> Decision:
    match phase:
        case Phase.RUNNING | Phase.STARTING | Phase.RESTARTING:
            live = case.observed.live
            loop = health.restart_loop(live, now=case.now) if live else None
            return _went_bad(case, "restart-loop", loop) if loop else None
        case Phase.FAILED:
            return _ended(case)
        case Phase.LOST:
            return _drifted(case, "lost", "the target knows no such job any more")
        case Phase.SUSPENDED:
            return _stands_still(case)
        case _:
            return None


def _ended(case: _Case) -> Decision:
    job = next((job for job in case.observed.jobs if job.id == case.history.job_id), None)
    if job is not None and job.state is JobState.CANCELED:
        return _drifted(case, "cancelled", "somebody cancelled the job")
    cause = f": {job.root_exception}" if job and job.root_exception else ""
    return _went_bad(case, "failed", f"Flink gave the job up{cause}")


def _stands_still(case: _Case) -> Decision:
    """We stopped it to start it again. If that was interrupted, it goes on; if it failed, it would fail again.

    But not if the cluster was the cause, whose TaskManagers come back: then it is tried again, which a back-off delays.
    """
    last = case.history.last
    if last is not None and last.outcome is OperationOutcome.FAILED:
        known = failures.recognise(last.error or "")
        of_cluster = known is not None and known.trouble.blame is failures.Blame.CLUSTER
        if of_cluster and case.desired.recovery is not RecoveryPolicy.ALERT:
            return case.plan(_resume(case, case.desired, f"could not be started for want of the cluster: {last.error}"))
        kept = restores.newest(case.observed, case.history)
        told = f" Its state is safe in {kept.location}." if kept else ""
        todo = f"When the cause is gone, run:\n  scurry start {case.name}"
        return case.alert("stands-still", f"it does not run, since it could not be started: {last.error}.{told}", todo)
    return case.plan(_resume(case, case.desired, "was stopped, and its start was interrupted"))


def _drifted(case: _Case, code: str, why: str) -> Decision:
    if case.desired.drift is DriftPolicy.REPORT:
        return case.alert(
            code, f"{why}; drift is only reported", f"To start it again, run:\n  scurry start {case.name}"
        )
    return case.plan(_resume(case, case.desired, why))


def _went_bad(case: _Case, code: str, why: str) -> Decision:
    if case.desired.recovery is RecoveryPolicy.ALERT:
        return case.alert(code, f"{why}; recovery is only to tell")
    before = next((record for record in case.operations if _is_recovery(record)), None)
    if before is not None and case.now - before.started_at < PROBATION:
        return case.alert(code, f"{why}; that was so before the last recovery, too ({before.reason})")
    of_cluster = _of_cluster(case)
    if of_cluster and case.observed.live:
        return case.alert("cluster", f"{why}. {of_cluster.what} No revision helps against that; Flink goes on trying")
    back = _way_back(case) if of_cluster is None else None
    if back is not None:
        return _act(case, code, back.desired, f"{why}; roll back to revision {back.number}", rollback_to=back.number)
    return _act(case, code, case.desired, f"{why}; start it again from its newest state")


def _of_cluster(case: _Case) -> Known | None:
    """Return what is wrong with Flink's processes or what they run on, if that is the cause."""
    job = case.observed.live or next((job for job in case.observed.jobs if job.id == case.history.job_id), None)
    found = failures.root(job.failures, application=case.name) if job else None
    known = found[1] if found else None
    return known if known and known.trouble.blame is failures.Blame.CLUSTER else None


def _way_back(case: _Case) -> Revision | None:
    """Return the revision to roll back to, if it is to be rolled back."""
    blamed = case.desired.recovery is RecoveryPolicy.ROLLBACK or (
        case.desired.upgrade.rollback and case.now - case.current.applied_at < YOUNG
    )
    return case.history.previous_healthy if blamed else None


def _act(case: _Case, code: str, desired: Desired, reason: str, *, rollback_to: int | None = None) -> Decision:
    live = case.observed.live
    if live is None:
        return case.plan(_resume(case, desired, reason))
    source = _source(case)
    if source is None:
        return case.alert(
            "no-state",
            f"{reason}: that cannot be done, for the job has completed no checkpoint and started from none",
            f"It goes on trying. To see what is wrong, run:\n  scurry diagnose {case.name}\n"
            f"To start it with NO state, run:\n  scurry restart {case.name} --from none",
        )
    operation = Upgrade(
        desired=desired,
        restore=source,
        mode=UpgradeMode.STATELESS if isinstance(source, Stateless) else UpgradeMode.LAST_STATE,
        job_id=live.id,
        rollback_to=rollback_to,
        recovery=True,
    )
    told = "The job is cancelled, and the new one starts from its newest checkpoint."
    if isinstance(source, FromSnapshot):
        told = f"The job is cancelled. {restores.told(source.snapshot, case.now)}"
    return case.plan(Change(operation=operation, reason=reason, consequences=(told,)))


def _source(case: _Case) -> Restore | None:
    """Return the newest state for what replaces a live job that cannot write a savepoint. Never no state by itself."""
    if case.desired.upgrade.mode is UpgradeMode.STATELESS:
        return Stateless(why="upgrade.mode is stateless")
    return restores.of_sick(case.observed, case.history)


def _resume(case: _Case, desired: Desired, reason: str) -> Change:
    refuse_strangers(case.name, case.observed)
    source = restores.for_resume(desired, case.observed, case.history)
    told = restores.told(source.snapshot, case.now) if isinstance(source, FromSnapshot) else "It starts with NO state."
    return Change(operation=Resume(desired=desired, restore=source, recovery=True), reason=reason, consequences=(told,))


def _is_recovery(record: OperationRecord) -> bool:
    return isinstance(record.operation, Upgrade | Resume) and record.operation.recovery
