"""What follows when a new revision did not make it: the change back to the last healthy one, and its telling. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scurry.engine import failures
from scurry.engine import restore as restores
from scurry.model.desired import UpgradeMode
from scurry.model.operation import Resume, Upgrade
from scurry.model.plan import Change
from scurry.model.result import Applied, ApplyOutcome, Failure
from scurry.model.snapshot import FromLatest, FromSnapshot, Restore, Stateless

if TYPE_CHECKING:
    from scurry.engine.attempt import Attempt
    from scurry.model.desired import Desired
    from scurry.model.errors import JournalError, ScurryError, TargetUnavailable
    from scurry.model.journal import History, Revision
    from scurry.model.observed import Observed


_UNFIT = frozenset(
    {"state-not-mapped", "serializer-incompatible", "state-unreadable", "max-parallelism-changed", "state-file-missing"}
)
"""failures of the catalogue that say that a state and a program do not fit"""


def after_failure(
    failed: Desired, attempt: Attempt, observed: Observed, history: History, *, from_before: bool
) -> Change | None:
    """Return the change back to the last healthy revision.

    `from_before`: from the state that the failed one started from. Else from its newest checkpoint, if it has completed
    any: what its sinks committed by then would be written twice otherwise.
    None when the spec forbids it, or there is no other healthy revision, or no state is known to go back with.
    """
    healthy = history.healthy
    if not failed.upgrade.rollback or healthy is None or healthy.desired.digest() == failed.digest():
        return None
    reason = f"roll back to revision {healthy.number}, the last healthy one"
    own = not from_before and has_own_state(attempt, observed)
    restore = FromLatest() if own else _state_before(attempt, healthy, observed, history)
    mode = healthy.desired.upgrade.mode
    if isinstance(restore, FromLatest) and observed.live is None:
        kept = restores.newest(observed, history)
        restore = FromSnapshot(snapshot=kept) if kept else None
    if restore is None:
        return None
    if observed.live is None:
        return Change(operation=Resume(desired=healthy.desired, restore=restore, drops=()), reason=reason)
    if isinstance(restore, FromLatest):
        # What is newest now is not when the job ends: it is cancelled, and what it has left then is gone on from.
        mode = UpgradeMode.LAST_STATE
        if observed.live.latest_checkpoint is None:
            return None
    operation = Upgrade(
        desired=healthy.desired,
        restore=restore,
        mode=mode,
        job_id=observed.live.id,
        rollback_to=healthy.number,
        drops=(),  # nothing of its own state is to be lost
    )
    return Change(operation=operation, reason=reason)


def has_own_state(attempt: Attempt, observed: Observed) -> bool:
    """Whether the failed revision's own job has left a checkpoint, after it started from its predecessor's state.

    A job that the target has lost, with a JobManager that died, has left what is still to be seen of it.
    """
    shown = (job.latest_checkpoint for job in observed.jobs if job.id == attempt.job_id)
    left = (snapshot for snapshot in observed.retained if snapshot.job_id == attempt.job_id)
    return any((*shown, *left)) and isinstance(attempt.restore, FromSnapshot)


def does_not_fit(message: str) -> bool:
    """Whether a revision failed since it cannot read the state that it was given."""
    known = failures.recognise(message)
    return known is not None and known.trouble.id in _UNFIT


def _state_before(attempt: Attempt, healthy: Revision, observed: Observed, history: History) -> Restore | None:
    """Return what the failed revision started from. Where that was to be nothing, what its predecessors have left.

    That the failed one starts without state was its own word, not that of the one that is put back: None when nothing
    is known that it could go on from.
    """
    if not isinstance(attempt.restore, Stateless):
        return attempt.restore
    known = [found for found in restores.all_known(observed, history) if found.job_id != attempt.job_id]
    left = next((found for found in known if found.revision == healthy.number), next(iter(known), None))
    kept = attempt.snapshot or left
    if kept:
        return FromSnapshot(snapshot=kept)
    policy = healthy.desired.upgrade
    return attempt.restore if policy.mode is UpgradeMode.STATELESS or not policy.health.checkpoints else None


def both(failure: Failure, error: ScurryError) -> Failure:
    """Return a failure that tells of the rollback's own, too."""
    message = f"{failure.message}. The rollback was tried and failed, too: {error.message}"
    return Failure(code=failure.code, message=message, hint=error.hint or failure.hint)


def interrupted(error: JournalError | TargetUnavailable, failure: Failure) -> JournalError | TargetUnavailable:
    """Return the error that ended a rollback in the middle, with why there was one."""
    error.message = f"{failure.message}. The rollback was begun and is not finished: {error.message}"
    error.args = (error.message,)
    return error


def told(result: Applied, failure: Failure, *, again: bool) -> Applied:
    """Return the result of a rollback as the result of the apply that failed.

    `again`: the failed revision had written on, and its predecessor did not go on from there.
    """
    went_back = result.outcome is ApplyOutcome.CONVERGED
    state = f" from {result.snapshot.location}" if result.snapshot else ""
    if went_back:
        message = f"{failure.message}. The revision before it runs again{state}; no state was lost."
        if again:
            message += (
                " What the failed revision had processed is processed again, and what its sinks had committed may be "
                "there twice."
            )
    else:
        after = f" It failed too: {result.error.message}" if result.error else ""
        message = f"{failure.message}. The rollback was tried{state}.{after}"
    return msgspec.structs.replace(
        result,
        outcome=ApplyOutcome.ROLLED_BACK if went_back else result.outcome,
        error=Failure(code=failure.code, message=message, hint=failure.hint),
    )


def left_as_it_is(
    observed: Observed, history: History, revision: int | None, failure: Failure, attempt: Attempt
) -> Applied:
    """Return the result when nothing is rolled back: what stands now, where the state is, and the command to go on."""
    source = attempt.restore
    snapshot = source.snapshot if isinstance(source, FromSnapshot) else restores.newest(observed, history)
    stands_still = observed.reachable and observed.live is None
    told_state = f" Its state is safe in {snapshot.location}." if snapshot else ""
    message = f"{failure.message}.{told_state}" if stands_still else failure.message
    go_on = (
        f"When the cause is gone, run:\n  scurry apply FILE\nor go on as it was:\n  scurry start {history.application}"
    )
    hint = "\n".join(part for part in (failure.hint, go_on if stands_still else None) if part) or None
    return Applied(
        application=history.application,
        outcome=ApplyOutcome.SUSPENDED if stands_still and snapshot else ApplyOutcome.FAILED,
        revision=revision,
        gap_s=attempt.gap_s,
        job_id=attempt.job_id,
        snapshot=snapshot,
        error=Failure(code=failure.code, message=message, hint=hint),
    )
