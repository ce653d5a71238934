"""Carries a plan out: one journalled step after the other, then the wait for health, then, if need be, the rollback.

The executor decides nothing about targets and nothing about plans. What it owns is the order: *started* is journalled
before a step and *finished* after it, the running job is stopped only after all that can fail beforehand did not,
and a job that is not healthy is replaced by the last healthy revision, from the state that the stop wrote.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from scurry.engine import rollback, settling
from scurry.engine.attempt import Attempt, Services
from scurry.model.desired import RollbackSource
from scurry.model.errors import AlreadySubmitted, JournalError, PlanOutdated, ScurryError, TargetUnavailable
from scurry.model.journal import Intent, OperationOutcome, RevisionOutcome
from scurry.model.observed import Observed, Phase
from scurry.model.operation import (
    Action,
    Adjust,
    Adopt,
    Delete,
    Deploy,
    Operation,
    Rescale,
    Resume,
    Suspend,
    Upgrade,
)
from scurry.model.plan import Change
from scurry.model.result import Applied, ApplyOutcome, Failure
from scurry.model.snapshot import FromSnapshot, Stateless

if TYPE_CHECKING:
    from datetime import datetime

    from scurry.model.desired import Desired
    from scurry.model.journal import History, Lease, Revision
    from scurry.model.plan import Plan
    from scurry.model.snapshot import Restore, Snapshot

_STARTS_LOOKED_AT = 20
"""of so many operations, newest first, the one that started the job that runs is looked for"""
_NOT_DONE = frozenset({RevisionOutcome.PENDING, RevisionOutcome.BAD})
_AT_REST = frozenset({Phase.ABSENT, Phase.SUSPENDED, Phase.FAILED, Phase.LOST, Phase.FINISHED})


@dataclass(frozen=True, slots=True)
class Executor:
    """Applies plans of one application through its target. Holds no state between calls; that is in the journal."""

    services: Services
    lease: Lease

    def settle(self) -> bool:
        """Find out what became of the steps that a crash left open, and journal it. Returns whether it wrote anything.

        Then what was observed before is outdated.
        Raises `TargetUnavailable` when the target cannot tell now.
        """
        return settling.settle(self.services, self.lease)

    def execute(self, plan: Plan) -> Applied:
        """Carry a plan out. Raises `PlanOutdated` when the journal moved since it was made.

        An error that is found before anything was stopped is raised, and the running job goes on. After that, the
        result tells what was restored.
        """
        history = self._history()
        if history.position != plan.position:
            raise PlanOutdated(
                f"the journal of {plan.application!r} moved since the plan was made",
                hint=f"To see what is to be done now, run:\n  scurry plan {plan.application}",
            )
        if plan.is_converged:
            if plan.phase in _AT_REST:
                settling.outwait(self.services, self.lease, None)
            return self._confirm(plan.application, history)
        result = Applied(application=plan.application, outcome=ApplyOutcome.UNCHANGED)
        for change in plan.changes:
            settling.outwait(self.services, self.lease, change.operation)
            result = self._apply(change, self._history(), may_roll_back=True)
        return result

    def _confirm(self, application: str, history: History) -> Applied:
        """Nothing to do; but a revision whose apply was interrupted after its submit still has to be judged.

        So has a bad one that runs: nobody came to put the one before it back, or that was not wanted.
        """
        current = history.current
        if current is None or current.outcome not in _NOT_DONE or history.job_id is None:
            number = current.number if current else None
            return Applied(application=application, outcome=ApplyOutcome.UNCHANGED, revision=number)
        attempt = self._watching(current, history.job_id, history)
        unhealthy = attempt.await_health()
        verdict = RevisionOutcome.BAD if unhealthy else RevisionOutcome.HEALTHY
        self.services.journal.judge_revision(self.lease, current.number, verdict, error=unhealthy)
        if unhealthy:
            return self._failed(current.desired, current.number, attempt, _unhealthy(unhealthy), may_roll_back=True)
        return Applied(
            application=application,
            outcome=ApplyOutcome.CONVERGED,
            revision=current.number,
            job_id=history.job_id,
        )

    def _watching(self, current: Revision, job_id: str, history: History) -> Attempt:
        """Return an attempt that waits for the job that an interrupted operation has started or rescaled.

        Where that job's state came from is what a rollback goes back to; of a rescale, its newest.
        """
        records = self.services.journal.operations(self.lease.application, limit=_STARTS_LOOKED_AT)
        begun = next((r for r in records if r.landed(Action.SUBMIT) or r.landed(Action.RESCALE)), None)
        operation: Resume | Rescale
        if begun and isinstance(begun.operation, Rescale):
            operation = Rescale(desired=current.desired, job_id=job_id)
        elif history.restored:
            operation = Resume(desired=current.desired, restore=FromSnapshot(snapshot=history.restored))
        else:
            operation = Resume(desired=current.desired, restore=Stateless(why="it was started without state"))
        return Attempt.watching(self.services, operation, job_id)

    def _apply(
        self, change: Change, history: History, *, may_roll_back: bool, stopped_at: datetime | None = None
    ) -> Applied:
        operation = change.operation
        journal = self.services.journal
        revision = self._revision(operation, history)
        if intent := _intent(operation):
            journal.set_intent(self.lease, intent)
        current = history.current.number if history.current else None
        if current is not None and current != revision and _is_recovery(operation):
            journal.judge_revision(self.lease, current, RevisionOutcome.BAD, error=change.reason)
        record = journal.start_operation(self.lease, operation, reason=change.reason, revision=revision)
        attempt = Attempt(
            services=self.services, lease=self.lease, record=record, replaces=current, stopped_at=stopped_at
        )
        try:
            attempt.run_steps(settling.marks(self.services, history))
        except TargetUnavailable as error:
            self._left_open(error)
        except AlreadySubmitted as error:
            journal.finish_operation(self.lease, record.id, OperationOutcome.FAILED, error=error.message)
            self.settle()
            raise settling.has_come_about(record.application) from error
        except ScurryError as error:
            journal.finish_operation(self.lease, record.id, OperationOutcome.FAILED, error=error.message)
            return self._gave_up(attempt, revision, error, may_roll_back=may_roll_back)
        return self._finish(attempt, revision, history.current, may_roll_back=may_roll_back)

    def _finish(
        self, attempt: Attempt, revision: int | None, before: Revision | None, *, may_roll_back: bool
    ) -> Applied:
        record, journal = attempt.record, self.services.journal
        unhealthy = attempt.await_health() if attempt.starts_a_job else None
        outcome = OperationOutcome.FAILED if unhealthy else OperationOutcome.DONE
        with journal.transaction():
            if revision is not None and attempt.starts_a_job:
                verdict = RevisionOutcome.BAD if unhealthy else RevisionOutcome.HEALTHY
                journal.judge_revision(self.lease, revision, verdict, error=unhealthy)
            elif revision is not None and (known := _outcome_known(record.operation, before)):
                journal.judge_revision(self.lease, revision, known, error=before.error if before else None)
            journal.finish_operation(self.lease, record.id, outcome, error=unhealthy, gap_s=attempt.gap_s)
            if isinstance(record.operation, Delete):
                journal.set_intent(self.lease, Intent.ABSENT)
        if unhealthy and attempt.desired:
            return self._failed(attempt.desired, revision, attempt, _unhealthy(unhealthy), may_roll_back=may_roll_back)
        if isinstance(record.operation, Adjust):
            return self._adjusted(record.application, revision)
        adopted_state = isinstance(record.operation, Adopt) and record.operation.job_id is None
        stopped = isinstance(record.operation, Suspend | Delete) or adopted_state
        return Applied(
            application=record.application,
            outcome=ApplyOutcome.SUSPENDED if stopped else ApplyOutcome.CONVERGED,
            revision=revision,
            gap_s=attempt.gap_s,
            job_id=attempt.job_id,
            snapshot=_started_from(attempt.restore) or attempt.snapshot,
        )

    def _adjusted(self, application: str, revision: int | None) -> Applied:
        """What runs is the same as before; if it was not judged then, it is now."""
        confirmed = self._confirm(application, self._history())
        if confirmed.outcome is not ApplyOutcome.UNCHANGED:
            return confirmed
        return Applied(application=application, outcome=ApplyOutcome.CONVERGED, revision=revision)

    def _gave_up(self, attempt: Attempt, revision: int | None, error: ScurryError, *, may_roll_back: bool) -> Applied:
        before = self.services.journal.revision(self.lease.application, revision) if revision is not None else None
        was_healthy = before is not None and before.outcome is RevisionOutcome.HEALTHY
        if not attempt.has_stopped_the_job and (was_healthy or not attempt.was_refused_a_start):
            if before and before.outcome is RevisionOutcome.PENDING:
                self.services.journal.judge_revision(
                    self.lease, before.number, RevisionOutcome.REFUSED, error=error.message
                )
            raise error
        if revision is not None:
            self.services.journal.judge_revision(self.lease, revision, RevisionOutcome.BAD, error=error.message)
        failure = Failure(code=error.code, message=error.message, hint=error.hint)
        if attempt.desired is None:
            raise error
        return self._failed(attempt.desired, revision, attempt, failure, may_roll_back=may_roll_back)

    def _failed(
        self, desired: Desired, revision: int | None, attempt: Attempt, failure: Failure, *, may_roll_back: bool
    ) -> Applied:
        """The new revision did not make it. Put the last healthy one back, or say plainly how things stand."""
        history = self._history()
        observed = self._look(attempt, history)
        # What runs may be the job of a start that was interrupted before, and not the bad one.
        if observed.reachable and self.settle():
            raise settling.has_come_about(history.application)
        # Whether the bad job runs has to be known: beside it, the job of the rollback would run the application twice.
        may_roll_back = may_roll_back and observed.reachable
        from_before = desired.upgrade.rollback_from is RollbackSource.STOP
        change = None
        if may_roll_back:
            change = rollback.after_failure(desired, attempt, observed, history, from_before=from_before)
        if change is None:
            return rollback.left_as_it_is(observed, history, revision, failure, attempt)
        self.services.reporter.warn(f"not healthy: {failure.message}")
        wrote_on = rollback.has_own_state(attempt, observed)
        try:
            result = self._apply(change, history, may_roll_back=False, stopped_at=attempt.stopped_at)
            if wrote_on and not from_before and result.error and rollback.does_not_fit(result.error.message):
                from_before = True
                result = self._go_back_further(desired, attempt) or result
        except (JournalError, TargetUnavailable) as error:
            raise rollback.interrupted(error, failure) from error
        except ScurryError as error:
            observed = self._put_down(attempt)
            return rollback.left_as_it_is(observed, self._history(), revision, rollback.both(failure, error), attempt)
        return rollback.told(result, failure, again=wrote_on and from_before)

    def _put_down(self, attempt: Attempt) -> Observed:
        """Neither revision can run: the bad one is cancelled, so that the application stands still with its state."""
        observed = self._look(attempt, self._history())
        if observed.live is None or observed.live.id != attempt.job_id:
            return observed
        operation = Suspend(job_id=attempt.job_id, snapshot=False)
        change = Change(operation=operation, reason="it is not healthy, and the revision before it cannot start")
        with suppress(ScurryError):  # then it is told how it was left
            self._apply(change, self._history(), may_roll_back=False)
        return self._look(attempt, self._history())

    def _go_back_further(self, failed: Desired, attempt: Attempt) -> Applied | None:
        """The revision before cannot read what the failed one wrote: it goes on from where itself was stopped."""
        history = self._history()
        observed = self._look(attempt, history)
        if not observed.reachable:
            return None
        change = rollback.after_failure(failed, attempt, observed, history, from_before=True)
        return self._apply(change, history, may_roll_back=False, stopped_at=attempt.stopped_at) if change else None

    def _look(self, attempt: Attempt, history: History) -> Observed:
        try:
            with self.services.reporter.activity("see how things stand") as activity:
                return attempt.look(history.marks, activity)
        except TargetUnavailable as error:
            return Observed.silent(error)

    def _revision(self, operation: Operation, history: History) -> int | None:
        """Number the operation's wish; a restart of what is current, and what carries no wish, gets no new number."""
        if not isinstance(operation, Deploy | Upgrade | Rescale | Resume | Adjust | Adopt):
            return None
        current = history.current
        same = current is not None and current.desired.digest() == operation.desired.digest()
        rolls_back = isinstance(operation, Upgrade) and operation.rollback_to is not None
        if current is not None and same and not rolls_back:
            return current.number
        return self.services.journal.add_revision(self.lease, operation.desired).number

    def _left_open(self, error: TargetUnavailable) -> NoReturn:
        """The target stopped answering in the middle: nothing is guessed, and the next apply finds out."""
        told = "The operation is not finished. To go on when the target answers again, run the same command again."
        raise TargetUnavailable(
            error.message,
            target=error.target,
            hint=f"{error.hint}\n{told}" if error.hint else told,
            retry_after_s=error.retry_after_s,
        ) from error

    def _history(self) -> History:
        return self.services.journal.history(self.lease.application)


def _intent(operation: Operation) -> Intent | None:
    match operation:
        case Deploy() | Upgrade() | Rescale() | Resume() | Adjust():
            return Intent.RUN
        case Adopt():
            return Intent.RUN if operation.job_id else Intent.SUSPEND
        case Suspend():
            return Intent.SUSPEND
        case _:
            return None


def _started_from(restore: Restore) -> Snapshot | None:
    return restore.snapshot if isinstance(restore, FromSnapshot) else None


def _outcome_known(operation: Operation, before: Revision | None) -> RevisionOutcome | None:
    """Return what is known of a revision that started no job: an adjusted one is what the one before it was."""
    if isinstance(operation, Adjust):
        return before.outcome if before and before.outcome is not RevisionOutcome.PENDING else None
    if isinstance(operation, Adopt) and not operation.sound:
        return None
    return RevisionOutcome.HEALTHY


def _is_recovery(operation: Operation) -> bool:
    """Whether scurry itself decided it, since the revision that ran went bad."""
    return isinstance(operation, Upgrade | Resume) and operation.recovery


def _unhealthy(reason: str) -> Failure:
    return Failure(code="unhealthy", message=reason)
