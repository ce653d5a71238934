"""What the server does about an application by itself. Pure: observed + journal + the time → one decision.

What is wanted is what the journal says: a person's last word (run, suspended, absent), the revision that was applied
last, and what was interrupted. No file of a spec is read here: a file that was changed and not applied is no wish yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias, assert_never

from msgspec.structs import replace

from scurry.engine import recovery, verbs
from scurry.engine.phase import phase_of
from scurry.engine.planner import drift, make_plan, phase_is_sound
from scurry.engine.schedule import next_snapshot
from scurry.model.desired import DriftPolicy
from scurry.model.journal import Intent, OperationOutcome, RevisionOutcome
from scurry.model.observed import JobState, Phase
from scurry.model.operation import Delete, DropSnapshot, Suspend
from scurry.model.plan import Change, Plan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from scurry.engine.retention import Judged
    from scurry.model.desired import Desired
    from scurry.model.journal import Freeze, History, OperationRecord
    from scurry.model.observed import Observed


class Cause(StrEnum):
    """What makes the server do or tell something. The words are part of events and metrics."""

    INTERRUPTED = "interrupted"
    """a command died in the middle; what it was at is completed"""
    DRIFT = "drift"
    """the job was cancelled, forgotten or changed behind our back"""
    RECOVERY = "recovery"
    """the job went bad by itself"""
    SNAPSHOT = "snapshot"
    """one is due"""
    RETENTION = "retention"
    """some are not to be kept any longer"""


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing to do."""

    is_known: bool = True
    """False: it could not be told now, since the target did not answer"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """First of all it has to be found out, under the lease, what became of an operation that was interrupted."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Do:
    """Carry out a plan. One without changes judges a revision whose health was never seen."""

    cause: Cause
    what: str
    """why, as a sentence's end: `its job was cancelled by somebody else`"""
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Something is not as it should be, and a person has to see to it, or wants it left so."""

    cause: Cause
    what: str
    todo: str | None = None
    frozen: bool = False


_DRIFTED = frozenset({"cancelled", "lost"})
"""codes of alerts that are about drift"""

Decision: TypeAlias = Nothing | Settle | Do | Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that a decision is made from."""

    observed: Observed
    history: History
    now: datetime
    frozen: Freeze | None = None
    operations: Sequence[OperationRecord] = ()
    """the journal's newest, newest first: by them a recovery is not tried twice"""
    planned_parallelism: int | None = None
    """of the job as it was submitted, where that is known"""
    droppable: Sequence[Judged] = ()
    """snapshots that the policy drops and nothing needs"""


def decide(found: Situation) -> Decision:
    """Return what is to be done now: one thing. What else there is comes when that is done.

    Raises what planning raises: an application that cannot be started as things stand (no state is known, the target
    does not answer) is tried again later.
    """
    history = found.history
    if history.interrupted:
        name = type(history.interrupted.operation).__name__.lower()
        decision: Decision = Settle(what=f"{name} of {history.interrupted.started_by} was interrupted")
    elif not found.observed.reachable:
        decision = Nothing(is_known=False)
    else:
        decision = _by_intent(found)
    return _withheld(decision, found.frozen) if found.frozen else decision


def _withheld(decision: Decision, freeze: Freeze) -> Decision:
    told = f"frozen by {freeze.by}: {freeze.reason}"
    match decision:
        case Nothing() | Report():
            return decision
        case Settle(what=what):
            return Report(cause=Cause.INTERRUPTED, what=f"{what}; {told}", frozen=True)
        case Do(cause=Cause.SNAPSHOT | Cause.RETENTION):
            return Nothing()
        case Do(cause=cause, what=what):
            return Report(cause=cause, what=f"{what}; {told}", frozen=True)
        case _:
            assert_never(decision)


def _by_intent(found: Situation) -> Decision:
    match found.history.intent:
        case Intent.RUN:
            return _run(found)
        case Intent.SUSPEND | Intent.ABSENT:
            return _stop(found)
        case _:
            assert_never(found.history.intent)


# What should not run -------------------------------------------------------------------------------------------


def _stop(found: Situation) -> Decision:
    last, live = found.history.last, found.observed.live
    if last and last.outcome is OperationOutcome.INTERRUPTED and isinstance(last.operation, Suspend | Delete):
        return _go_on_stopping(found, last)
    if live is None:
        return _tidy(found)
    return Report(
        cause=Cause.DRIFT,
        what=f"it was to be stopped, and job {live.id[:8]} is {live.state.value}{_why(last)}",
        todo=f"To stop it, run:\n  scurry stop {found.history.application}",
    )


def _go_on_stopping(found: Situation, last: OperationRecord) -> Decision:
    what = f"{type(last.operation).__name__.lower()} of {last.started_by} was interrupted"
    match last.operation:
        case Suspend(snapshot=snapshot, drain=drain) if found.observed.live:
            plan = verbs.plan_stop(found.observed, found.history, now=found.now, snapshot=snapshot, drain=drain)
            return Do(cause=Cause.INTERRUPTED, what=what, plan=plan)
        case Delete(snapshot=snapshot) if found.history.current and phase_of(found.observed, found.history) not in {
            Phase.ABSENT,
            Phase.UNKNOWN,
        }:
            plan = verbs.plan_delete(found.observed, found.history, now=found.now, snapshot=snapshot)
            return Do(cause=Cause.INTERRUPTED, what=what, plan=plan)
        case _:
            return Nothing()


# What should run -----------------------------------------------------------------------------------------------


def _run(found: Situation) -> Decision:
    history = found.history
    last = history.last
    if last and last.outcome is OperationOutcome.INTERRUPTED:
        if isinstance(last.operation, Delete):
            return _go_on_stopping(found, last)
        wish: Desired | None = getattr(last.operation, "desired", None)
        if wish is not None:
            what = f"{type(last.operation).__name__.lower()} of {last.started_by} was interrupted"
            return _towards(wish, Cause.INTERRUPTED, what, found)
    if history.current is None:
        return Nothing()
    if found.observed.live is None:
        return _remedy(found) or _tidy(found)
    return _running(found, history.current.desired)


def _towards(wish: Desired, cause: Cause, what: str, found: Situation) -> Decision:
    plan = make_plan(wish, found.observed, found.history, now=found.now)
    if plan.is_converged and not _is_unjudged(found.history):
        return _running(found, wish) if found.observed.live else _tidy(found)
    return Do(cause=cause, what=what, plan=plan)


def _is_unjudged(history: History) -> bool:
    return history.current is not None and history.current.outcome is RevisionOutcome.PENDING


def _running(found: Situation, wish: Desired) -> Decision:
    history, observed = found.history, found.observed
    if _is_unjudged(history):
        return Do(cause=Cause.INTERRUPTED, what="nobody saw whether it is healthy", plan=_empty(found))
    if observed.strangers:
        stranger = observed.strangers[0]
        return Report(
            cause=Cause.DRIFT,
            what=f"job {stranger.id} runs under its name beside its own and was not started by scurry",
            todo="Whoever started it should stop it: what both write is written twice.",
        )
    return _remedy(found) or _changed(found, wish) or _rescaled(found, wish) or _due(found) or _tidy(found)


def _changed(found: Situation, wish: Desired) -> Decision | None:
    """Whether somebody changed how the job runs."""
    if not found.observed.drifted or not phase_is_sound(found.observed):
        return None
    what = drift(found.observed)
    if wish.drift is DriftPolicy.REPORT:
        todo = f"To put it right, run:\n  scurry restart {wish.application}"
        return Report(cause=Cause.DRIFT, what=what, todo=todo)
    plan = verbs.plan_restart(found.observed, found.history, now=found.now)
    return Do(cause=Cause.DRIFT, what=what, plan=plan)


def _rescaled(found: Situation, wish: Desired) -> Decision | None:
    """Whether somebody changed the parallelism of the job that runs (Flink's `resource-requirements`)."""
    live = found.observed.live
    planned, actual = found.planned_parallelism, live.parallelism if live else None
    if planned is None or actual is None or planned == actual or not phase_is_sound(found.observed):
        return None
    what = f"its job runs with parallelism {actual} and was started with {planned}"
    todo = f"To bring it back, run:\n  scurry restart {wish.application}"
    if wish.drift is DriftPolicy.REPORT:
        return Report(cause=Cause.DRIFT, what=what, todo=todo)
    free = found.observed.slots_free
    if free is not None and planned - actual > free:
        return Report(cause=Cause.DRIFT, what=f"{what}; {free} slots are free", todo=todo)
    plan = verbs.plan_restart(found.observed, found.history, now=found.now)
    return Do(cause=Cause.DRIFT, what=what, plan=plan)


def _remedy(found: Situation) -> Decision | None:
    """What is done about a job that went bad, was cancelled or is gone."""
    remedy = recovery.decide(found.observed, found.history, found.operations, now=found.now)
    match remedy:
        case None:
            return None
        case recovery.Alert(code=code, reason=reason, todo=todo):
            cause = Cause.DRIFT if code in _DRIFTED else Cause.RECOVERY
            return Report(cause=cause, what=reason, todo=todo)
        case Plan():
            cause = Cause.DRIFT if _has_drifted(found) else Cause.RECOVERY
            return Do(cause=cause, what=remedy.changes[0].reason, plan=remedy)
        case _:
            assert_never(remedy)


def _has_drifted(found: Situation) -> bool:
    """Whether somebody else ended the job: it was cancelled, or its cluster knows it no more."""
    phase = phase_of(found.observed, found.history)
    ended = next((job for job in found.observed.jobs if job.id == found.history.job_id), None)
    return phase is Phase.LOST or (phase is Phase.FAILED and ended is not None and ended.state is JobState.CANCELED)


# What can wait -------------------------------------------------------------------------------------------------


def _due(found: Situation) -> Decision | None:
    due = next_snapshot(found.history, now=found.now)
    if due is None or due.at > found.now or not phase_is_sound(found.observed):
        return None
    plan = verbs.plan_snapshot(found.observed, found.history, now=found.now)
    return Do(cause=Cause.SNAPSHOT, what=f"a snapshot is due: {due}", plan=plan)


def _tidy(found: Situation) -> Decision:
    """Drop what is not to be kept. Also while the job is down; never of what was deleted: nobody looks after that."""
    if not found.droppable or found.history.intent is Intent.ABSENT or found.history.current is None:
        return Nothing()
    changes = tuple(
        Change(
            operation=DropSnapshot(snapshot=judged.snapshot),
            reason=judged.reason,
            consequences=(f"The files of {judged.snapshot.location} are deleted for ever.",),
        )
        for judged in found.droppable
    )
    plan = replace(_empty(found), changes=changes)
    return Do(cause=Cause.RETENTION, what=f"{len(changes)} snapshots are over what is kept", plan=plan)


def _empty(found: Situation) -> Plan:
    return empty_plan(found.observed, found.history, now=found.now)


def empty_plan(observed: Observed, history: History, *, now: datetime) -> Plan:
    """Return the plan to do nothing."""
    return Plan(
        application=history.application,
        target=history.target or "",
        phase=phase_of(observed, history),
        position=history.position,
        desired=history.current.desired if history.current else None,
        made_at=now,
    )


def _why(last: OperationRecord | None) -> str:
    return f": {last.error}" if last and last.error else ""
