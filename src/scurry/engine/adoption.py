"""Taking what runs into a journal that does not know it: which job, as what, and what differs from the spec. Pure.

Nothing outside is touched. What the target shows of the job becomes the revision's wish, so that the next apply makes
the rest what the spec says, by an upgrade with a savepoint.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from scurry.engine import planner, restore
from scurry.engine.difference import differences
from scurry.engine.phase import phase_of
from scurry.model.errors import PlanError, Refused
from scurry.model.observed import Job, JobState, Observed
from scurry.model.operation import Adopt
from scurry.model.plan import Change, Plan
from scurry.model.ports import TellsOfStrangers
from scurry.model.snapshot import Snapshot, SnapshotKind
from scurry.model.values import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from scurry.model.desired import Desired
    from scurry.model.journal import History
    from scurry.model.ports import Target
    from scurry.model.values import Text

PARALLELISM_OPTION = "parallelism.default"
LATEST = "latest"
_SHORTEST_ID = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person wants to be adopted: a job, or only a state."""

    job: str | None = None
    """its id or the beginning of it, or `latest`: the one that has the name"""
    name: str | None = None
    """the job's name in Flink, if it is not the application's"""
    state: str | None = None
    """the location of a savepoint or checkpoint, when no job runs"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A job that this journal does not know, and what the target tells of it."""

    job: Job
    settings: Mapping[str, str] = field(default_factory=dict)
    """its Flink options, as far as they are shown"""
    snapshots: tuple[Snapshot, ...] = ()
    """what it and the one before it have left"""


def plan_adoption(
    desired: Desired, wanted: Wanted, place: Target, *, observed: Observed, history: History, now: datetime
) -> Plan:
    """Return the plan for what a person wants. Asks the target for the job, and changes nothing.

    Raises `PlanError` or `Refused` when there is none that can be adopted.
    """
    if wanted.state:
        return plan_adopt_state(desired, wanted.state, observed=observed, history=history, now=now)
    stranger = introduce(place, wanted, desired, observed=observed, history=history)
    return plan_adopt(desired, stranger, observed=observed, history=history, now=now)


def introduce(place: Target, wanted: Wanted, desired: Desired, *, observed: Observed, history: History) -> Stranger:
    """Ask the target for the job to adopt. Raises `PlanError` or `Refused` when it is none that can be."""
    if not observed.reachable:
        raise planner.unreachable(desired.target, observed)
    chosen = choose(wanted, desired, place.survey(), observed=observed, history=history)
    seen = place.observe(desired.application, (*history.marks, chosen.id))
    job = next((job for job in seen.jobs if job.id == chosen.id), chosen)
    if not isinstance(place, TellsOfStrangers):
        return Stranger(job=job)
    return Stranger(job=job, settings=place.settings(job.id), snapshots=place.left_by(job))


def choose(wanted: Wanted, desired: Desired, jobs: Mapping[str, Job], *, observed: Observed, history: History) -> Job:
    """Return the job to adopt. `jobs` are all on the target. Raises `PlanError` or `Refused`."""
    _refuse_known(desired, observed, history)
    id, name = wanted.job or LATEST, wanted.name or desired.application
    live = [job for job in jobs.values() if not job.state.is_terminal]
    named = [job for job in live if job.name == name]
    if id == LATEST:
        return _only(named, name, desired.target)
    found = [job for job in jobs.values() if job.id.startswith(id)] if len(id) >= _SHORTEST_ID else []
    if len(found) != 1:
        message = f"target {desired.target!r} shows no job {id!r}"
        if found:
            message = f"{len(found)} jobs on target {desired.target!r} have ids that begin with {id!r}"
        raise PlanError(message, hint=f"It runs: {_listed(live)}.")
    _refuse_other(found[0], name)
    return _only(named, name, desired.target)


def _refuse_known(desired: Desired, observed: Observed, history: History) -> None:
    if observed.live and history.current:
        raise Refused(
            f"{desired.application!r} is known and runs, as job {observed.live.id}: there is nothing to adopt",
            hint=f"To see how it is, run:\n  scurry status {desired.application}",
        )
    if history.interrupted:
        raise Refused(
            f"an operation on {desired.application!r} was interrupted; what it came to has to be known first",
            hint="To go on from there, run:\n  scurry apply FILE",
        )


def _only(named: list[Job], name: str, target: str) -> Job:
    if len(named) == 1:
        return named[0]
    if not named:
        raise PlanError(
            f"no job named {name!r} runs on target {target!r}",
            hint="If it has another name in Flink, add:\n  --named NAME",
        )
    raise Refused(
        f"{len(named)} jobs named {name!r} run on target {target!r}: {_listed(named)}",
        hint="The application would run more than once. Stop, with a savepoint, those that are not wanted.",
    )


def _refuse_other(job: Job, name: str) -> None:
    if job.state.is_terminal:
        raise Refused(
            f"job {job.id} is {job.state.value}: only one that runs can be adopted",
            hint="To adopt what it left, name its newest savepoint or checkpoint instead:\n"
            "  scurry adopt FILE --from LOCATION",
        )
    if job.name != name:
        raise Refused(
            f"job {job.id} is named {job.name!r}, not {name!r}",
            hint=f"If it is the one all the same, add:\n  --named {shlex.quote(job.name)}",
        )


def plan_adopt(desired: Desired, stranger: Stranger, *, observed: Observed, history: History, now: datetime) -> Plan:
    """Return the plan that takes a job into the journal."""
    job = stranger.job
    runs = as_it_runs(desired, stranger)
    found = differences(runs, desired)
    sound = job.state is JobState.RUNNING and job.vertices_running >= job.vertices
    operation = Adopt(
        desired=runs,
        job_id=job.id,
        sound=sound,
        restored=_restored(stranger),
        snapshots=tuple(msgspec.structs.replace(snapshot, foreign=True) for snapshot in stranger.snapshots),
    )
    change = Change(
        operation=operation,
        reason=f"job {job.id} runs, and was not started from this journal",
        differences=found,
        consequences=tuple(_consequences(desired, stranger, differs=bool(found))),
        warnings=() if sound else (f"The job is {job.state.value}. Its revision counts as healthy when it runs.",),
    )
    return _plan(desired, change, observed=observed, history=history, now=now)


def plan_adopt_state(desired: Desired, location: str, *, observed: Observed, history: History, now: datetime) -> Plan:
    """Return the plan that takes over the state of a job that runs no more. The next apply starts from it.

    Raises `PlanError` or `Refused` when a job runs, or the application is known.
    """
    if not observed.reachable:
        raise planner.unreachable(desired.target, observed)
    _refuse_known(desired, observed, history)
    planner.refuse_strangers(desired.application, observed)
    if history.current:
        raise Refused(
            f"{desired.application!r} is known; its state needs no adoption",
            hint=f"To start it from there, run:\n  scurry start {desired.application} --from {location}",
        )
    kept = Snapshot(kind=_kind(location), location=location, taken_at=now, foreign=True)
    change = Change(
        operation=Adopt(desired=desired, job_id=None, sound=False, snapshots=(kept,)),
        reason="its state was written by a job that this journal does not know",
        consequences=(f"Nothing is started now. The next apply starts from the {kept.kind.value} {location}.",),
    )
    return _plan(desired, change, observed=observed, history=history, now=now)


def _plan(desired: Desired, change: Change, *, observed: Observed, history: History, now: datetime) -> Plan:
    return Plan(
        application=desired.application,
        target=desired.target,
        phase=phase_of(observed, history),
        position=history.position,
        changes=(change,),
        desired=desired,
        snapshot=restore.newest(observed, history),
        made_at=now,
    )


def _consequences(desired: Desired, stranger: Stranger, *, differs: bool) -> Iterator[str]:
    yield "The job goes on as it is: nothing is stopped, and nothing started."
    if stranger.job.name != desired.application:
        yield f"In Flink it is named {stranger.job.name!r}. The next upgrade names it {desired.application!r}."
    if differs:
        yield "It does not run as the spec says. The next apply upgrades it, with a savepoint."
    yield (
        "Whether it runs the code of the spec cannot be seen from outside. To make sure, restart it afterwards: "
        f"scurry restart {desired.application}"
    )
    if stranger.snapshots:
        yield f"{len(stranger.snapshots)} snapshots that it left are taken into the journal; none of them is pruned."


def as_it_runs(desired: Desired, stranger: Stranger) -> Desired:
    """Return the wish as the job fulfils it: what the target shows to differ from the spec is as it is shown.

    Only what the spec says is compared: anything else may come from the cluster's own configuration.
    """
    shown = stranger.settings
    told = shown.get(PARALLELISM_OPTION, "")
    parallelism = int(told) if told.isdigit() and int(told) > 0 else stranger.job.parallelism
    config: dict[str, Text] = {
        option: shown[option] if option in shown and not _same(value, shown[option]) else value
        for option, value in desired.config.items()
    }
    return msgspec.structs.replace(desired, parallelism=parallelism or desired.parallelism, config=config)


def _same(wanted: Text, shown: str) -> bool:
    """Whether two values of an option mean the same, as far as can be said; a secret is not compared."""
    return not isinstance(wanted, str) or _normal(wanted) == _normal(shown)


def _normal(value: str) -> str:
    text = value.strip().lower()
    if text.isdigit():
        return f"{int(text)} ms"  # a number without a unit is milliseconds to Flink; where it is none, both are bare
    try:
        return f"{round(parse_duration(text).total_seconds() * 1000)} ms"
    except ValueError:
        return text.replace("-", "_")


def _restored(stranger: Stranger) -> Snapshot | None:
    location, job = stranger.job.restored_from, stranger.job
    if location is None or job.started_at is None:
        return None
    return Snapshot(kind=_kind(location), location=location, taken_at=job.started_at, foreign=True)


def _kind(location: str) -> SnapshotKind:
    return SnapshotKind.CHECKPOINT if "/chk-" in location else SnapshotKind.SAVEPOINT


def _listed(jobs: list[Job]) -> str:
    return ", ".join(f"{job.name} ({job.id})" for job in jobs[:10]) or "nothing"
