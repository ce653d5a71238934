"""All that can be known beforehand says that the new job can start: asked while the old one still runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.model.desired import ArtifactKind, UpgradeMode
from scurry.model.errors import RejectedByTarget, TargetUnsuitable
from scurry.model.snapshot import FromLatest, FromSnapshot, Stateless
from scurry.targets.rest.observing import checkpoint_snapshot
from scurry.targets.rest.places import local_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scurry.flink.rest import FlinkRest
    from scurry.flink.rest_answers import JobDetail
    from scurry.model.desired import Desired
    from scurry.model.ports import Clock
    from scurry.model.snapshot import Restore

_SAVEPOINT_OPTIONS = ("execution.checkpointing.savepoint-dir", "state.savepoints.dir")
_ELASTIC = ("kubernetes.internal.", "yarn.application.id")
_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.5)


class TooFewSlots(TargetUnsuitable):
    """The job needs more slots than are free for it."""

    def __init__(self, message: str, *, target: str, missing: int, hint: str) -> None:
        super().__init__(message, target=target, hint=hint)
        self.missing = missing


def check_version(desired: Desired, found_version: str, target: str) -> None:
    """Raise `TargetUnsuitable` when the cluster's Flink is of another series than the application wants."""
    wanted, found = _series(desired.flink_version), _series(found_version)
    if wanted != found:
        raise TargetUnsuitable(
            f"target {target!r} runs Flink {found_version}, and {desired.application!r} is for {desired.flink_version}",
            target=target,
            hint=f'Set `flink: "{found}"` in the application, or choose another target.',
        ).concerning("flink")


def check_slots(rest: FlinkRest, needed: int, *, replaced: JobDetail | None, clock: Clock, target: str) -> None:
    """Raise `TargetUnsuitable` when the job needs more slots than are free, or will be after the stop.

    The slots of a job that has just ended are free a moment later: hence a second look, and more.
    """
    returning = slots_of(replaced) if replaced else 0
    for pause in (*_PAUSES_S, None):
        overview = rest.overview()
        usable = overview.slots_available + returning
        if needed <= usable:
            return
        if pause is None or needed > overview.slots_total:
            break
        clock.sleep(pause)
    raise TooFewSlots(
        f"the job needs {needed} slots, and target {target!r} has {usable} for it ({overview.slots_total} in all)",
        target=target,
        missing=needed - usable,
        hint="Lower `parallelism`, add TaskManagers, or stop what else runs there.",
    ).concerning("parallelism")


def is_elastic(options: Mapping[str, str]) -> bool:
    """Whether the cluster gets TaskManagers when it needs them: its slots say nothing beforehand."""
    return any(option.startswith(_ELASTIC) for option in options)


def slots_of(job: JobDetail) -> int:
    """Return the slots that a job holds: in each slot sharing group as many as its greatest parallelism."""
    groups: dict[str | None, int] = {}
    for vertex in job.vertices:
        groups[vertex.slot_sharing_group] = max(groups.get(vertex.slot_sharing_group, 0), vertex.parallelism)
    return sum(groups.values())


def check_dropping(desired: Desired, restore: Restore, target: str, *, drops: Sequence[str] | None) -> None:
    """Raise `TargetUnsuitable` for what Flink cannot do: drop the state of some operators only.

    `drops`: what was found to be lost, all of it allowed; then Flink may be told that any may. None: nobody could look.
    """
    allowed = desired.upgrade.allow_non_restored_state
    if drops is None and not isinstance(allowed, bool) and not isinstance(restore, Stateless):
        raise TargetUnsuitable(
            f"{desired.application!r} allows the state of {', '.join(allowed)} to be dropped; Flink only knows all or "
            "none, and which state would be dropped could not be found out beforehand",
            target=target,
            hint="To see why not, run:\n  scurry plan FILE\n"
            "Or set `upgrade.allow_non_restored_state` to true or false.",
        ).concerning("upgrade", "allow_non_restored_state")


def may_drop(desired: Desired, drops: Sequence[str] | None) -> bool:
    """Whether Flink is told that state may be left over: all of it, or what was found beforehand and allowed."""
    return desired.upgrade.allow_non_restored_state is True or bool(drops)


def check_snapshot(restore: Restore, *, sees_files: bool, target: str) -> None:
    """Raise `RejectedByTarget` when the snapshot is certain not to be there."""
    if not isinstance(restore, FromSnapshot) or not sees_files:
        return
    path = local_path(restore.snapshot.location)
    if path is not None and not path.exists():
        raise RejectedByTarget(f"there is no checkpoint or savepoint at {restore.snapshot.location!r}", target=target)


def check_stop(
    rest: FlinkRest, job_id: str, desired: Desired, *, has_place: bool, options: Mapping[str, str], target: str
) -> None:
    """Raise `TargetUnsuitable` when the old job cannot end so that the new one can start from its state."""
    if desired.upgrade.mode is UpgradeMode.LAST_STATE:
        check_retention(rest, job_id, target)
    elif not has_place and not any(option in options for option in _SAVEPOINT_OPTIONS):
        raise TargetUnsuitable(
            f"target {target!r} does not say where savepoints go",
            target=target,
            hint="Set `savepoints` of the target to a directory that the cluster can write.",
        ).concerning("targets", target, in_project=True)


def check_retention(rest: FlinkRest, job_id: str, target: str) -> None:
    """Raise `TargetUnsuitable` when a cancelled job would take its checkpoints with it, or has none."""
    if not rest.checkpoint_config(job_id).survives_cancellation:
        raise TargetUnsuitable(
            f"the checkpoints of job {job_id[:8]} are deleted when it is cancelled, with all its state",
            target=target,
            hint="Use `upgrade.mode: savepoint`; what scurry starts keeps its checkpoints by default.",
        )
    latest = rest.checkpoints(job_id).latest.completed
    if latest is None or checkpoint_snapshot(latest, job_id) is None:
        raise TargetUnsuitable(
            f"job {job_id[:8]} has not completed a checkpoint that another job could go on from",
            target=target,
            hint="Wait for one, or use `upgrade.mode: savepoint`.",
        )


def needs_latest(desired: Desired | None, restore: Restore) -> bool:
    """Whether the newest state of the job that is to end is what the next one starts from."""
    return desired is not None and isinstance(restore, FromLatest)


def wants_latest(desired: Desired | None, restore: Restore) -> bool:
    """Whether the newest state of the job that is to end is worth looking for: not while another one waits to start."""
    return desired is None or isinstance(restore, FromLatest)


def python_hint(error: RejectedByTarget, desired: Desired) -> RejectedByTarget:
    """Add what a bare NullPointerException means for PyFlink: Flink looks for `FLINK_OPT_DIR` and finds nothing."""
    if desired.artifact.kind is not ArtifactKind.PYTHON or not error.cause.endswith("java.lang.NullPointerException"):
        return error
    return RejectedByTarget(
        "the JobManager cannot run PyFlink: it does not know its own `opt` directory",
        target=error.target,
        hint="Start the JobManager's process with the environment variable FLINK_OPT_DIR.",
        cause=error.cause,
    )


def _series(version: str) -> str:
    return ".".join(version.split(".")[:2])
