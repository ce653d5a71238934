"""Desired × Observed × History → Plan. Pure: no I/O, and the time is given.

Level-based: what a crash interrupted needs no case of its own. If the old job was stopped and the new one never
started, the application is *suspended* with a snapshot, and the plan towards its desired is to resume from that.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, assert_never

from scurry.engine import difference, health, restore
from scurry.engine.phase import phase_of
from scurry.model.desired import Desired, Impact, UpgradeMode
from scurry.model.errors import Refused, TargetError, TargetUnavailable, TargetUnsuitable
from scurry.model.observed import Job, JobState, Observed, Phase
from scurry.model.operation import Adjust, Deploy, Operation, Rescale, Resume, Upgrade
from scurry.model.plan import Change, Difference, Plan
from scurry.model.snapshot import FromLatest, FromSnapshot, Restore, Snapshot, Stateless
from scurry.model.values import format_duration

if TYPE_CHECKING:
    from scurry.model.journal import History


def make_plan(desired: Desired, observed: Observed, history: History, *, now: datetime) -> Plan:
    """Return what has to be done so that the application is as desired.

    Raises `TargetUnavailable` when the target does not answer, `Refused` when a person has to decide first.
    """
    phase = phase_of(observed, history)
    change = _converge(desired, observed, history, phase, now)
    return Plan(
        application=desired.application,
        target=desired.target,
        phase=phase,
        position=history.position,
        changes=(change,) if change else (),
        desired=desired,
        snapshot=restore.newest(observed, history),
        made_at=now,
    )


def _converge(desired: Desired, observed: Observed, history: History, phase: Phase, now: datetime) -> Change | None:
    match phase:
        case Phase.UNKNOWN:
            raise unreachable(desired.target, observed)
        case Phase.STOPPING:
            raise TargetUnavailable(
                f"the job of {desired.application!r} is being cancelled",
                target=desired.target,
                hint="Try again when it is done.",
            )
        case Phase.RUNNING | Phase.STARTING | Phase.RESTARTING:
            return _change_running(desired, observed, history, now)
        case Phase.ABSENT:
            return _deploy(desired, observed, history, now)
        case Phase.SUSPENDED | Phase.FAILED | Phase.LOST:
            return _resume(desired, observed, history, phase, now)
        case Phase.FINISHED:
            return _run_anew(desired, history)
        case _:
            assert_never(phase)


def unreachable(target: str, observed: Observed) -> TargetError:
    """Return the error for a target that does not answer, or is none."""
    because = observed.unreachable_because or "it does not say why"
    what = "cannot be used" if observed.unsuitable else "does not answer"
    message = because if repr(target) in because else f"target {target!r} {what}: {because}"
    hint = f"{observed.unreachable_hint}\nNothing was changed." if observed.unreachable_hint else "Nothing was changed."
    kind = TargetUnsuitable if observed.unsuitable else TargetUnavailable
    return kind(message, target=target, hint=hint).concerning("targets", target, in_project=True)


def refuse_strangers(application: str, observed: Observed) -> None:
    """Raise `Refused` when a job runs under the application's name that scurry did not start: it would run twice."""
    if not observed.strangers:
        return
    stranger = observed.strangers[0]
    raise Refused(
        f"a job named {stranger.name!r} (id {stranger.id}) is running that scurry did not start; "
        f"starting {application!r} beside it would run it twice",
        hint="To take it over as it runs:\n  scurry adopt FILE --job latest\n"
        "Else stop it with a savepoint, or give the application another name.",
    )


# What is running -----------------------------------------------------------------------------------------------


def _change_running(desired: Desired, observed: Observed, history: History, now: datetime) -> Change | None:
    if history.current is None or observed.live is None:
        raise AssertionError("a live job of ours has a revision")
    found = difference.differences(history.current.desired, desired)
    match difference.greatest(found):
        case Impact.NONE | Impact.ADJUST if observed.drifted:
            return upgrade(desired, observed, history, now=now, reason=drift(observed), found=found)
        case Impact.NONE:
            return None
        case Impact.ADJUST:
            return Change(
                operation=Adjust(desired=desired),
                reason=_reason(found),
                differences=found,
                consequences=("Nothing restarts.",),
                gap=timedelta(),
            )
        case Impact.RESCALE if observed.rescales_in_place:
            return Change(
                operation=Rescale(desired=desired, job_id=observed.live.id),
                reason=_reason(found),
                differences=found,
                consequences=("The job is rescaled in place; Flink restarts it from its latest checkpoint.",),
            )
        case Impact.RESCALE | Impact.UPGRADE:
            return upgrade(desired, observed, history, now=now, reason=_reason(found), found=found)
        case Impact.MOVE:
            raise _move_refused(desired, history.current.desired)


def drift(observed: Observed) -> str:
    """Say what somebody else changed of how the job runs."""
    return f"changed by somebody else since it was started: {', '.join(observed.drifted)}"


def _move_refused(desired: Desired, before: Desired) -> Refused:
    return Refused(
        f"{desired.application!r} runs on target {before.target!r}; moving it to {desired.target!r} "
        "is a decision of yours",
        hint=f"Stop it there with a savepoint:\n  scurry stop {desired.application}\n"
        f"then start it here from that savepoint, if the new target can read it:\n"
        f"  scurry start {desired.application} --from SAVEPOINT",
    )


def upgrade(
    desired: Desired,
    observed: Observed,
    history: History,
    *,
    now: datetime,
    reason: str,
    found: tuple[Difference, ...] = (),
) -> Change:
    """Return the change that replaces the live job by one of `desired`, by the upgrade mode of `desired`."""
    live = observed.live
    if live is None:
        raise AssertionError("an upgrade replaces a live job")
    mode = desired.upgrade.mode
    source: Restore = FromLatest()
    of_sick = restore.of_sick(observed, history) if writes_no_savepoint(live, now) else None
    if mode is UpgradeMode.SAVEPOINT and of_sick is not None:
        return _upgrade_of_sick(desired, of_sick, observed, now=now, reason=reason, found=found)
    if mode is UpgradeMode.STATELESS:
        source = Stateless(why="upgrade.mode is stateless")
    elif mode is UpgradeMode.LAST_STATE and live.latest_checkpoint is None:
        raise Refused(
            f"upgrade.mode is last-state, but no checkpoint of job {live.id} completed yet",
            hint="Wait for a checkpoint, or set upgrade.mode to savepoint.",
        )
    return Change(
        operation=Upgrade(desired=desired, restore=source, mode=mode, job_id=live.id),
        reason=reason,
        differences=found,
        consequences=_upgrade_consequences(mode, live.latest_checkpoint, now, rollback=desired.upgrade.rollback),
        warnings=_sick_warnings(observed),
        gap=timedelta(seconds=history.typical_gap_s) if history.typical_gap_s is not None else None,
    )


def writes_no_savepoint(live: Job, now: datetime) -> bool:
    """Whether a job restarts and restarts, so that the savepoint of a stop would be declined."""
    return live.state in {JobState.RESTARTING, JobState.FAILING} or health.restart_loop(live, now=now) is not None


def _upgrade_of_sick(
    desired: Desired,
    source: Restore,
    observed: Observed,
    *,
    now: datetime,
    reason: str,
    found: tuple[Difference, ...],
) -> Change:
    """Return the change that replaces a job which can write no savepoint: it goes on from its newest checkpoint."""
    live = observed.live
    if live is None:
        raise AssertionError("an upgrade replaces a live job")
    told = "the new one starts from its newest checkpoint"
    if isinstance(source, FromSnapshot):
        told = f"the new one starts from the {source.snapshot.kind.value} {source.snapshot.location}"
    elif live.latest_checkpoint:
        told += f" ({restore.age(live.latest_checkpoint, now)} old now)"
    cause = f": {live.root_exception}" if live.root_exception else ""
    return Change(
        operation=Upgrade(desired=desired, restore=source, mode=UpgradeMode.LAST_STATE, job_id=live.id),
        reason=reason,
        differences=found,
        consequences=(
            f"The running job restarts again and again and can write no savepoint. It is cancelled; {told}.",
        ),
        warnings=(f"The running job is {live.state.value}{cause}.",),
    )


_IF_NOT = {
    True: "If it cannot, the old one is put back.",
    False: "If it cannot, nothing runs until you decide; the savepoint stays.",
}


def _upgrade_consequences(
    mode: UpgradeMode, checkpoint: Snapshot | None, now: datetime, *, rollback: bool
) -> tuple[str, ...]:
    match mode:
        case UpgradeMode.SAVEPOINT:
            return (f"The job stops with a savepoint, and the new one starts from it. {_IF_NOT[rollback]}",)
        case UpgradeMode.LAST_STATE:
            age = f" ({restore.age(checkpoint, now)} old now)" if checkpoint else ""
            return (f"The job is cancelled, and the new one starts from its latest checkpoint{age}.",)
        case UpgradeMode.STATELESS:
            return ("The job is cancelled and ALL OF ITS STATE IS DROPPED: upgrade.mode is stateless.",)
        case _:
            assert_never(mode)


def _sick_warnings(observed: Observed) -> tuple[str, ...]:
    live = observed.live
    if live is None or phase_is_sound(observed):
        return ()
    cause = f": {live.root_exception}" if live.root_exception else ""
    return (
        f"The running job is {live.state.value}{cause}. Its stop with a savepoint may be refused; "
        "then nothing is changed.",
    )


def phase_is_sound(observed: Observed) -> bool:
    """Whether the live job runs on all of its vertices."""
    live = observed.live
    return live is not None and live.state.value == "running" and live.vertices_running >= live.vertices


# What is not running -------------------------------------------------------------------------------------------


def _deploy(desired: Desired, observed: Observed, history: History, now: datetime) -> Change:
    refuse_strangers(desired.application, observed)
    kept = restore.newest(observed, history)
    if kept is None or desired.upgrade.mode is UpgradeMode.STATELESS:
        source: Restore = Stateless(why="upgrade.mode is stateless" if kept else "there never was any state")
        told = "It starts with no state." if kept else "It starts for the first time, with no state."
        return Change(
            operation=Deploy(desired=desired, restore=source), reason="does not exist yet", consequences=(told,)
        )
    return Change(
        operation=Deploy(desired=desired, restore=FromSnapshot(snapshot=kept)),
        reason="was deleted before; its state was kept",
        consequences=(restore.told(kept, now),),
    )


_WHY = {
    Phase.SUSPENDED: "is suspended",
    Phase.FAILED: "its job has failed",
    Phase.LOST: "its job is gone from the target",
}


def _resume(desired: Desired, observed: Observed, history: History, phase: Phase, now: datetime) -> Change:
    if history.current is None:
        raise AssertionError("what does not run any more has a revision")
    found = difference.differences(history.current.desired, desired)
    if difference.greatest(found) is Impact.MOVE:
        raise _move_refused(desired, history.current.desired)
    refuse_strangers(desired.application, observed)
    interrupted = history.interrupted
    why = (
        f"{_operation_name(interrupted.operation)} of {interrupted.started_by} was interrupted"
        if interrupted
        else _WHY[phase]
    )
    source = restore.for_resume(desired, observed, history)
    return resume(
        desired, observed, source, now=now, reason="; ".join([why, *([_reason(found)] if found else [])]), found=found
    )


def resume(
    desired: Desired,
    observed: Observed,
    source: Restore,
    *,
    now: datetime,
    reason: str,
    found: tuple[Difference, ...] = (),
) -> Change:
    """Return the change that starts what does not run, from a given state."""
    refuse_strangers(desired.application, observed)
    told = restore.told(source.snapshot, now) if isinstance(source, FromSnapshot) else "It starts with NO state."
    if isinstance(source, Stateless):
        told = f"It starts with NO state: {source.why}."
    return Change(
        operation=Resume(desired=desired, restore=source), reason=reason, differences=found, consequences=(told,)
    )


def _run_anew(desired: Desired, history: History) -> Change | None:
    """A bounded job came to its end. The same wish is fulfilled; another one is run, from the start."""
    if history.current is None:
        raise AssertionError("what has finished has a revision")
    found = difference.differences(history.current.desired, desired)
    if difference.greatest(found) <= Impact.ADJUST:
        return Change(operation=Adjust(desired=desired), reason=_reason(found), differences=found) if found else None
    return Change(
        operation=Deploy(desired=desired, restore=Stateless(why="the job before it was bounded and came to its end")),
        reason=_reason(found),
        differences=found,
        consequences=("The bounded job runs again, from the start of its input.",),
    )


def _operation_name(operation: Operation) -> str:
    return type(operation).__name__.lower()


def _reason(found: tuple[Difference, ...]) -> str:
    first, *more = (_told(item) for item in found)
    return f"{first} and {len(more)} more" if more else first


def _told(item: Difference) -> str:
    """An artifact's names and digests say nothing to people; what differs inside is told by the difference."""
    return (
        "code changed"
        if item.field == "artifact"
        else f"{item.field} {item.before or 'unset'} → {item.after or 'unset'}"
    )


def typical_gap(history: History) -> str | None:
    """Say how long upgrades of this application took before, or nothing when there was none."""
    if history.typical_gap_s is None:
        return None
    return format_duration(timedelta(seconds=history.typical_gap_s))
