"""The plans of the verbs that need no change of the spec: stop, start, restart, rollback, snapshot, delete. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scurry.engine import planner, restore, retention
from scurry.engine.phase import phase_of
from scurry.model.desired import UpgradeMode
from scurry.model.errors import NothingToRollBackTo, PlanError, Refused, SnapshotNotFound
from scurry.model.journal import RevisionOutcome
from scurry.model.observed import Observed, Phase
from scurry.model.operation import Delete, DropSnapshot, Operation, Resume, Suspend, TakeSnapshot, Upgrade
from scurry.model.plan import Change, Plan
from scurry.model.snapshot import FromSnapshot, Restore, Snapshot

if TYPE_CHECKING:
    from datetime import datetime

    from scurry.model.desired import Desired
    from scurry.model.journal import History, Revision

_LIVE = frozenset({Phase.RUNNING, Phase.STARTING, Phase.RESTARTING})


def plan_stop(observed: Observed, history: History, *, now: datetime, snapshot: bool, drain: bool) -> Plan:
    """Return the plan that suspends the application."""
    _, phase = _known(observed, history)
    if phase not in _LIVE or observed.live is None:
        return _plan(observed, history, now)
    newest = restore.newest(observed, history)
    if snapshot and newest and not drain and planner.writes_no_savepoint(observed.live, now):
        operation = Suspend(job_id=observed.live.id, snapshot=False)
        sick = "The job restarts again and again and can write no savepoint, so it is cancelled."
        kept = f"Its newest state stays: the {newest.kind.value} {newest.location}, {restore.age(newest, now)} old."
        return _plan(observed, history, now, _change(operation, "asked to stop", sick, kept))
    if snapshot:
        told = "The job stops with a savepoint; its state is kept."
        if drain:
            told = "The job stops with a savepoint after all windows have fired (drain); do not go on from it."
    else:
        told = f"The job is cancelled WITHOUT a savepoint. {_dropped(newest, now)}"
    operation = Suspend(job_id=observed.live.id, snapshot=snapshot, drain=drain)
    return _plan(observed, history, now, _change(operation, "asked to stop", told))


def plan_start(observed: Observed, history: History, *, now: datetime, source: str = "latest") -> Plan:
    """Return the plan that starts what does not run, with the configuration of its current revision."""
    current, phase = _known(observed, history)
    if phase in _LIVE:
        if source != "latest":
            raise Refused(
                f"{history.application!r} is running; it cannot be started from another state beside itself",
                hint="To stop it and start it from there, run:\n"
                f"  scurry restart {history.application} --from {source}",
            )
        return _plan(observed, history, now)
    if source == "latest":
        chosen = restore.for_resume(current.desired, observed, history)
    else:
        chosen = restore.named(source, observed, history, now=now)
    change = planner.resume(current.desired, observed, chosen, now=now, reason="asked to start")
    return _plan(observed, history, now, change)


def plan_restart(observed: Observed, history: History, *, now: datetime, source: str = "latest") -> Plan:
    """Return the plan that stops the job and starts the same revision again."""
    current, phase = _known(observed, history)
    if phase not in _LIVE or observed.live is None:
        return plan_start(observed, history, now=now, source=source)
    if source == "latest":
        change = planner.upgrade(current.desired, observed, history, now=now, reason="asked to restart")
        return _plan(observed, history, now, change)
    chosen = restore.named(source, observed, history, now=now)
    operation = Upgrade(
        desired=current.desired, restore=chosen, mode=current.desired.upgrade.mode, job_id=observed.live.id
    )
    told = "It starts with NO state."
    if isinstance(chosen, FromSnapshot):
        told = f"{restore.told(chosen.snapshot, now)} {_since(chosen.snapshot, now)}"
    return _plan(observed, history, now, _change(operation, "asked to restart", "The running job is cancelled.", told))


def _dropped(newest: Snapshot | None, now: datetime) -> str:
    """Say what is dropped of a job that is cancelled, and what of its state is left."""
    if newest is None:
        return "ALL OF ITS STATE IS DROPPED: NO state is left, so it can only start anew."
    return (
        f"WHAT IT DID IN THE LAST {restore.age(newest, now)} IS DROPPED; what stays is the {newest.kind.value} "
        f"{newest.location}. {_since(newest, now)}"
    )


def _since(snapshot: Snapshot, now: datetime) -> str:
    """Say what going on from a snapshot means for the records that came after it."""
    return (
        f"What was processed in the {restore.age(snapshot, now)} since then is processed again, and lost if the "
        "sources do not hold it any more; what the job has written since then stays, and may be written a second time."
    )


OWN = "own"
"""as the source of a rollback: the newest snapshot that the revision itself has left"""


def plan_rollback(
    observed: Observed, history: History, *, now: datetime, to: Revision | None, source: str = "latest"
) -> Plan:
    """Return the plan towards an earlier healthy revision.

    While a job runs its state goes along, by savepoint. When none runs, or when the state cannot be taken from it, the
    newest snapshot that is known is used. `source` names another one, or `own`. Raises `NothingToRollBackTo`,
    `SnapshotNotFound`, `Refused`.
    """
    current, _ = _known(observed, history)
    revision = to or history.previous_healthy
    look = f"To see its revisions, run:\n  scurry history {history.application}"
    if revision is None:
        raise NothingToRollBackTo(f"{history.application!r} has no earlier healthy revision", hint=look)
    if revision.outcome is not RevisionOutcome.HEALTHY:
        why = f": {revision.error}" if revision.error else ""
        raise Refused(f"revision {revision.number} is {revision.outcome.value}, not healthy{why}", hint=look)
    if revision.number == current.number and source == "latest" and planner.phase_is_sound(observed):
        raise Refused(f"revision {revision.number} is the one that runs", hint=look)
    if source == "latest":
        change = _back_to(revision, observed, history, now)
    else:
        change = _back_with(_chosen(source, revision, observed, history, now), revision, observed, now)
    return _plan(observed, history, now, change, desired=revision.desired)


def _chosen(source: str, revision: Revision, observed: Observed, history: History, now: datetime) -> Restore:
    if source != OWN:
        return restore.named(source, observed, history, now=now)
    if revision.snapshot is None:
        raise SnapshotNotFound(
            f"no snapshot that revision {revision.number} has left is there any more",
            hint=f"To roll back with the state that there is now, leave `--from {OWN}` out. "
            f"To see what there is, run:\n  scurry snapshot list {history.application}",
        )
    return FromSnapshot(snapshot=revision.snapshot)


def _back_with(chosen: Restore, revision: Revision, observed: Observed, now: datetime) -> Change:
    """Return the change to a revision from a state that a person chose: the running job is cancelled."""
    reason = f"asked to roll back to revision {revision.number}"
    told = "It starts with NO state."
    if isinstance(chosen, FromSnapshot):
        told = f"{restore.told(chosen.snapshot, now)} {_since(chosen.snapshot, now)}"
    if observed.live is None:
        planner.refuse_strangers(revision.desired.application, observed)
        return _change(Resume(desired=revision.desired, restore=chosen), reason, told)
    operation = Upgrade(
        desired=revision.desired,
        restore=chosen,
        mode=revision.desired.upgrade.mode,
        job_id=observed.live.id,
        rollback_to=revision.number,
    )
    return _change(operation, reason, "The running job is cancelled.", told)


_GOES_ALONG = (
    "Its state of now goes along, so nothing is lost or processed again. Should the earlier revision not be able to "
    "read it, the present one is put back."
)


def _back_to(revision: Revision, observed: Observed, history: History, now: datetime) -> Change:
    reason = f"asked to roll back to revision {revision.number}"
    if observed.live is None:
        source = restore.for_resume(revision.desired, observed, history)
        change = planner.resume(revision.desired, observed, source, now=now, reason=reason)
        since = (_since(source.snapshot, now),) if isinstance(source, FromSnapshot) and not history.stopped else ()
        return msgspec.structs.replace(change, consequences=(*change.consequences, *since))
    if planner.phase_is_sound(observed):
        change = planner.upgrade(revision.desired, observed, history, now=now, reason=reason)
        along = (_GOES_ALONG,) if revision.desired.upgrade.mode is UpgradeMode.SAVEPOINT else ()
        return msgspec.structs.replace(
            change,
            operation=msgspec.structs.replace(change.operation, rollback_to=revision.number),
            consequences=(*change.consequences, *along),
        )
    kept, chosen = restore.newest(observed, history), restore.of_sick(observed, history)
    if kept is None or chosen is None:
        raise SnapshotNotFound(
            f"the job of {history.application!r} is {observed.live.state.value} and left no snapshot to roll back with",
            hint="To start the earlier revision without state, stop it first:\n"
            f"  scurry stop {history.application} --no-snapshot",
        )
    operation = Upgrade(
        desired=revision.desired,
        restore=chosen,
        mode=UpgradeMode.LAST_STATE,
        job_id=observed.live.id,
        rollback_to=revision.number,
    )
    told = f"The job is {observed.live.state.value}, so it is cancelled. {restore.told(kept, now)}"
    return _change(operation, reason, told, _since(kept, now))


def plan_snapshot(observed: Observed, history: History, *, now: datetime) -> Plan:
    """Return the plan that takes a savepoint of the running job."""
    _, phase = _known(observed, history)
    if phase not in _LIVE or observed.live is None:
        raise PlanError(
            f"{history.application!r} is {phase.value}: only a running job can write a savepoint",
            hint=f"To see the snapshots there are, run:\n  scurry snapshot list {history.application}",
        )
    told = "A savepoint is taken; the job goes on."
    return _plan(observed, history, now, _change(TakeSnapshot(job_id=observed.live.id), "asked for a snapshot", told))


def plan_drop(snapshot: Snapshot, observed: Observed, history: History, *, now: datetime) -> Plan:
    """Return the plan that deletes a snapshot. Raises `Refused` when a rollback or a resume could need it."""
    _known(observed, history)
    reason = retention.needed_by(snapshot, observed, history)
    if reason:
        raise Refused(f"snapshot {snapshot.location} is kept: {reason}")
    told = f"The files of {snapshot.location} are deleted for ever."
    return _plan(observed, history, now, _change(DropSnapshot(snapshot=snapshot), "asked to drop it", told))


def plan_delete(observed: Observed, history: History, *, now: datetime, snapshot: bool) -> Plan:
    """Return the plan that stops the job, if one runs, and forgets the application."""
    _known(observed, history)
    live = observed.live
    told = "The application is forgotten; its snapshots stay where they are."
    if live and snapshot:
        told = f"The job stops with a savepoint. {told}"
    elif live:
        told = f"The job is cancelled WITHOUT a savepoint. {told}"
    operation = Delete(job_id=live.id if live else None, snapshot=snapshot)
    return _plan(observed, history, now, _change(operation, "asked to delete", told))


def _known(observed: Observed, history: History) -> tuple[Revision, Phase]:
    phase = phase_of(observed, history)
    if history.current is None or phase is Phase.ABSENT:
        raise PlanError(
            f"no application {history.application!r} is known here",
            hint="To see the ones that are, run:\n  scurry status",
        )
    if phase is Phase.UNKNOWN:
        raise planner.unreachable(history.current.desired.target, observed)
    return history.current, phase


def _change(operation: Operation, reason: str, *consequences: str) -> Change:
    return Change(operation=operation, reason=reason, consequences=consequences)


def _plan(
    observed: Observed, history: History, now: datetime, change: Change | None = None, desired: Desired | None = None
) -> Plan:
    if history.current is None:
        raise AssertionError("checked by _known")
    return Plan(
        application=history.application,
        target=history.current.desired.target,
        phase=phase_of(observed, history),
        position=history.position,
        changes=(change,) if change else (),
        desired=desired or history.current.desired,
        snapshot=restore.newest(observed, history),
        made_at=now,
    )
