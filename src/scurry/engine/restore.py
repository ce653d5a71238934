"""Where state comes from. The one place that turns "the newest" into a snapshot; it never turns it into no state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.model.desired import Desired, UpgradeMode
from scurry.model.errors import Refused, SnapshotNotFound
from scurry.model.journal import RevisionOutcome
from scurry.model.snapshot import FromLatest, FromSnapshot, Restore, Snapshot, Stateless
from scurry.model.values import format_duration

if TYPE_CHECKING:
    from datetime import datetime

    from scurry.model.journal import History
    from scurry.model.observed import Observed


SAID_NONE = "--from none"
_NAME_A_STATE = (
    "Name a snapshot, or say that it may start without state:\n"
    "  scurry start {application} --from SNAPSHOT\n"
    "  scurry start {application} --from none"
)


def newest(observed: Observed, history: History) -> Snapshot | None:
    """Return the newest restorable state of the job that was submitted last, else what that job was restored from.

    Only its own: after a rollback, a checkpoint of the bad revision can be newer and is not what to go on from. Where
    no job was submitted since a delete, whatever was kept counts.
    """
    candidates = [*history.snapshots, *observed.retained]
    candidates += [job.latest_checkpoint for job in observed.jobs if job.latest_checkpoint]
    own = [found for found in candidates if history.job_id in {None, found.job_id}]
    return max(own, key=lambda found: found.taken_at, default=history.restored)


def of_sick(observed: Observed, history: History) -> Restore | None:
    """Return the newest state for what replaces a live job that can write no savepoint; None when there is none.

    `FromLatest` where that is its own checkpoint: it may complete one more before it is cancelled.
    """
    found = newest(observed, history)
    checkpoint = observed.live.latest_checkpoint if observed.live else None
    if checkpoint is not None and (found is None or checkpoint.taken_at >= found.taken_at):
        return FromLatest()
    return FromSnapshot(snapshot=found) if found else None


def for_resume(desired: Desired, observed: Observed, history: History) -> Restore:
    """Return the state to start again from. Raises `Refused` when there is none and nobody said that none will do."""
    if desired.upgrade.mode is UpgradeMode.STATELESS:
        return Stateless(why="upgrade.mode is stateless")
    found = newest(observed, history)
    if found and found.drained:
        raise Refused(
            f"{desired.application!r} was drained: its windows have fired, so going on from {found.location} "
            "would fire them again",
            hint=_NAME_A_STATE.format(application=desired.application),
        )
    if found:
        return FromSnapshot(snapshot=found)
    if never_had_state(observed, history):
        return Stateless(why="there never was any state")
    if _began_anew(observed, history):
        return Stateless(why=f"{SAID_NONE} was said before, and nothing was kept since")
    raise Refused(
        f"no snapshot of {desired.application!r} is known to start from, though it did run",
        hint=_NAME_A_STATE.format(application=desired.application),
    )


def _began_anew(observed: Observed, history: History) -> bool:
    """Whether a person had the last job start from none, and that did not get to have any state of its own."""
    begun: Restore | None = getattr(history.last.operation, "restore", None) if history.last else None
    if not isinstance(begun, Stateless) or begun.why != SAID_NONE or history.restored is not None:
        return False
    return any(job.id == history.job_id and not job.checkpoints.completed for job in observed.jobs)


def never_had_state(observed: Observed, history: History) -> bool:
    """Whether it is certain that no checkpoint ever completed: no revision was healthy and no job completed one."""
    was_healthy = history.healthy is not None or (
        history.current is not None and history.current.outcome is RevisionOutcome.HEALTHY
    )
    return not was_healthy and not any(job.checkpoints.completed for job in observed.jobs)


def named(choice: str, observed: Observed, history: History, *, now: datetime) -> Restore:
    """Return the state that a person named: `latest`, `none`, or a location that is known or that Flink can read."""
    from scurry.model.snapshot import SnapshotKind

    if choice == "none":
        return Stateless(why=SAID_NONE)
    found = newest(observed, history)
    if choice == "latest":
        if found is None:
            raise SnapshotNotFound(
                f"no snapshot of {history.application!r} is known", hint="To start without state, say `--from none`."
            )
        return FromSnapshot(snapshot=found)
    if "/" not in choice:
        return FromSnapshot(snapshot=known(choice, observed, history))
    try:
        return FromSnapshot(snapshot=known(choice, observed, history))
    except SnapshotNotFound:
        pass  # a location that the journal does not know is the user's own; Flink says whether it can be read
    kind = SnapshotKind.CHECKPOINT if "/chk-" in choice else SnapshotKind.SAVEPOINT
    return FromSnapshot(snapshot=Snapshot(kind=kind, location=choice, taken_at=now))


def all_known(observed: Observed, history: History) -> tuple[Snapshot, ...]:
    """Return the restorable states that are known, newest first; a job's latest checkpoint included."""
    checkpoints = (job.latest_checkpoint for job in observed.jobs if job.latest_checkpoint)
    found: dict[str, Snapshot] = {}
    for snapshot in (*history.snapshots, *observed.retained, *checkpoints):
        found.setdefault(snapshot.location, snapshot)
    return tuple(sorted(found.values(), key=lambda snapshot: snapshot.taken_at, reverse=True))


def known(name: str, observed: Observed, history: History) -> Snapshot:
    """Return a snapshot by its location or the last part of it. Raises `SnapshotNotFound`."""
    checkpoints = [job.latest_checkpoint for job in observed.jobs if job.latest_checkpoint]
    for snapshot in (*history.snapshots, *observed.retained, *checkpoints):
        if name.rstrip("/") in _names(snapshot):
            return snapshot
    raise SnapshotNotFound(
        f"no snapshot {name!r} of {history.application!r} is known",
        hint=f"To see what there is, run:\n  scurry snapshot list {history.application}",
    )


def _names(snapshot: Snapshot) -> set[str]:
    location = snapshot.location.rstrip("/")
    return {location, location.rpartition("/")[2]}


def told(snapshot: Snapshot, now: datetime) -> str:
    """Say in a sentence which state it is and how old."""
    return f"It starts from the {snapshot.kind.value} {snapshot.location}, {age(snapshot, now)} old."


def age(snapshot: Snapshot, now: datetime) -> str:
    """Say how old a snapshot is."""
    return format_duration(now - snapshot.taken_at)
