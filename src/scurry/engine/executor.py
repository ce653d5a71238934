"""Carries a plan out: one journalled step after the other, then the wait for health, then, if need be, the rollback.

The executor decides nothing about targets and nothing about plans. What it owns is the order: *started* is journalled
before a step and *finished* after it, the running job is stopped only after all that can fail beforehand did not,
and a job that is not healthy is replaced by the last healthy revision, from the state that the stop wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

import msgspec

from scurry.engine import rollback
from scurry.engine.attempt import Attempt, Services
from scurry.engine.marks import DerivedMarks
from scurry.model.errors import PlanOutdated, ScurryError, TargetUnavailable
from scurry.model.journal import Intent, OperationOutcome, OperationRecord, RevisionOutcome
from scurry.model.observed import Observed
from scurry.model.operation import (
    Action,
    Adjust,
    Adopt,
    Delete,
    Deploy,
    Operation,
    Outcome,
    Rescale,
    Resume,
    Suspend,
    Upgrade,
)
from scurry.model.result import Applied, ApplyOutcome, Failure
from scurry.model.snapshot import FromSnapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scurry.model.desired import Desired
    from scurry.model.journal import History, Lease
    from scurry.model.plan import Change, Plan
    from scurry.model.snapshot import Restore, Snapshot


_RECENT = 3
"""of so many operations, newest first, an interrupted start is looked for"""
_UNDER_WAY = timedelta(seconds=60)
"""for so long after a submit was sent its job may still appear: `main` runs first, and PyFlink's takes its time"""
_LATE_POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Executor:
    """Applies plans of one application through its target. Holds no state between calls; that is in the journal."""

    services: Services
    lease: Lease

    def settle(self) -> bool:
        """Find out what became of the steps that a crash left open, and journal it. Returns whether there were any.

        A step that did not land stays open: its mark is used again by the next attempt.
        Raises `TargetUnavailable` when the target cannot tell now.
        """
        journal = self.services.journal
        record = self._history().interrupted
        if record is None:
            return False
        for ordinal, entry in enumerate(record.steps):
            if not entry.is_open:
                continue
            with self.services.reporter.activity(f"find out whether it happened: {entry.step.title}"):
                outcome = self.services.target.find(entry.step)
            if outcome is not None:
                self._landed(record, ordinal, outcome)
        journal.finish_operation(self.lease, record.id, OperationOutcome.INTERRUPTED, error="interrupted")
        return True

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
            return self._confirm(plan, history)
        result = Applied(application=plan.application, outcome=ApplyOutcome.UNCHANGED)
        for change in plan.changes:
            self._outwait(change.operation)
            result = self._apply(change, self._history(), may_roll_back=True)
        return result

    def _outwait(self, operation: Operation) -> None:
        """Wait until an interrupted start of something else has landed or can no longer land. Raises `PlanOutdated`.

        A submit whose answer never came may still be under way in Flink, which runs the program's `main` first. Its
        mark is used again; so if it landed now, its job would be taken for the one that is to be started.
        """
        late = _unresolved_submit(self.services.journal.operations(self.lease.application, limit=_RECENT))
        if late is None or not isinstance(operation, Deploy | Resume | Upgrade) or _is_same_start(operation, late[0]):
            return
        record, ordinal = late
        entry, clock = record.steps[ordinal], self.services.clock
        until = entry.started_at + _UNDER_WAY
        with self.services.reporter.activity(f"make sure that an interrupted start is over: {entry.step.title}"):
            while clock.now() < until:
                outcome = self.services.target.find(entry.step)
                if outcome is not None:
                    self._landed(record, ordinal, outcome)
                    raise PlanOutdated(
                        f"a start of {record.application!r} that was interrupted has come about only now",
                        hint="To go on from there, run the same command again.",
                    )
                clock.sleep(_LATE_POLL_S)

    def _landed(self, record: OperationRecord, ordinal: int, outcome: Outcome) -> None:
        is_submit = record.steps[ordinal].step.action is Action.SUBMIT
        restored = _restored_by(record) if is_submit else None
        known = _with_restored(outcome, restored) if restored else outcome
        self.services.journal.finish_step(self.lease, record.id, ordinal, outcome=known)

    def _confirm(self, plan: Plan, history: History) -> Applied:
        """Nothing to do; but a revision whose apply was interrupted after its submit still has to be judged."""
        current = history.current
        if current is None or current.outcome is not RevisionOutcome.PENDING or history.job_id is None:
            number = current.number if current else None
            return Applied(application=plan.application, outcome=ApplyOutcome.UNCHANGED, revision=number)
        attempt = Attempt.watching(self.services, current.desired, history.job_id)
        unhealthy = attempt.await_health()
        verdict = RevisionOutcome.BAD if unhealthy else RevisionOutcome.HEALTHY
        self.services.journal.judge_revision(self.lease, current.number, verdict, error=unhealthy)
        if unhealthy:
            return self._failed(current.desired, current.number, attempt, _unhealthy(unhealthy), may_roll_back=True)
        return Applied(
            application=plan.application,
            outcome=ApplyOutcome.CONVERGED,
            revision=current.number,
            job_id=history.job_id,
        )

    def _apply(self, change: Change, history: History, *, may_roll_back: bool) -> Applied:
        operation = change.operation
        journal = self.services.journal
        revision = self._revision(operation, history)
        if intent := _intent(operation):
            journal.set_intent(self.lease, intent)
        record = journal.start_operation(self.lease, operation, reason=change.reason, revision=revision)
        current = history.current.number if history.current else None
        attempt = Attempt(services=self.services, lease=self.lease, record=record, replaces=current)
        try:
            attempt.run_steps(DerivedMarks(history))
        except TargetUnavailable as error:
            self._left_open(error)
        except ScurryError as error:
            journal.finish_operation(self.lease, record.id, OperationOutcome.FAILED, error=error.message)
            return self._gave_up(attempt, revision, error, may_roll_back=may_roll_back)
        return self._finish(attempt, revision, may_roll_back=may_roll_back)

    def _finish(self, attempt: Attempt, revision: int | None, *, may_roll_back: bool) -> Applied:
        record, journal = attempt.record, self.services.journal
        unhealthy = attempt.await_health() if attempt.starts_a_job else None
        outcome = OperationOutcome.FAILED if unhealthy else OperationOutcome.DONE
        with journal.transaction():
            if revision is not None and attempt.starts_a_job:
                verdict = RevisionOutcome.BAD if unhealthy else RevisionOutcome.HEALTHY
                journal.judge_revision(self.lease, revision, verdict, error=unhealthy)
            elif revision is not None and not (isinstance(record.operation, Adopt) and not record.operation.sound):
                journal.judge_revision(self.lease, revision, RevisionOutcome.HEALTHY)
            journal.finish_operation(self.lease, record.id, outcome, error=unhealthy, gap_s=attempt.gap_s)
            if isinstance(record.operation, Delete):
                journal.set_intent(self.lease, Intent.ABSENT)
        if unhealthy and attempt.desired:
            return self._failed(attempt.desired, revision, attempt, _unhealthy(unhealthy), may_roll_back=may_roll_back)
        adopted_state = isinstance(record.operation, Adopt) and record.operation.job_id is None
        stopped = isinstance(record.operation, Suspend | Delete) or adopted_state
        return Applied(
            application=record.application,
            outcome=ApplyOutcome.SUSPENDED if stopped else ApplyOutcome.CONVERGED,
            revision=revision,
            gap_s=attempt.gap_s,
            job_id=attempt.job_id,
            snapshot=attempt.snapshot or _started_from(attempt.restore),
        )

    def _gave_up(self, attempt: Attempt, revision: int | None, error: ScurryError, *, may_roll_back: bool) -> Applied:
        if not attempt.has_stopped_the_job:
            if revision is not None:
                self.services.journal.judge_revision(self.lease, revision, RevisionOutcome.REFUSED, error=error.message)
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
        # Whether the bad job runs has to be known: beside it, the job of the rollback would run the application twice.
        may_roll_back = may_roll_back and observed.reachable
        change = rollback.after_failure(desired, attempt.restore, observed, history) if may_roll_back else None
        if change is None:
            return rollback.left_as_it_is(observed, history, revision, failure, attempt)
        self.services.reporter.warn(f"not healthy: {failure.message}")
        result = self._apply(change, history, may_roll_back=False)
        return rollback.told(result, failure, attempt)

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


def _restored_by(record: OperationRecord) -> FromSnapshot | None:
    """Return what the submit of an interrupted operation restored from: its own stop's snapshot, or what it names."""
    stopped = record.landed(Action.STOP) or record.landed(Action.CANCEL)
    if stopped and stopped.snapshot and isinstance(record.operation, Upgrade):
        named = record.operation.restore
        return named if isinstance(named, FromSnapshot) else FromSnapshot(snapshot=stopped.snapshot)
    restore = getattr(record.operation, "restore", None)
    return restore if isinstance(restore, FromSnapshot) else None


def _unresolved_submit(records: Sequence[OperationRecord]) -> tuple[OperationRecord, int] | None:
    """Return the newest start that was interrupted before it was known to have happened: its record, and which step."""
    for record in records:
        for ordinal, entry in enumerate(record.steps):
            if entry.step.action is Action.SUBMIT:
                return (record, ordinal) if entry.is_open else None
    return None


def _is_same_start(operation: Deploy | Resume | Upgrade, record: OperationRecord) -> bool:
    """Whether both start the same from the same state."""
    before = record.operation
    if not isinstance(before, Deploy | Resume | Upgrade) or before.desired.digest() != operation.desired.digest():
        return False
    return _source(_restored_by(record) or before.restore) == _source(operation.restore)


def _started_from(restore: Restore) -> Snapshot | None:
    return restore.snapshot if isinstance(restore, FromSnapshot) else None


def _source(restore: Restore) -> str:
    return restore.snapshot.location if isinstance(restore, FromSnapshot) else type(restore).__name__


def _with_restored(outcome: Outcome, restored: FromSnapshot) -> Outcome:
    return msgspec.structs.replace(outcome, restored=restored.snapshot)


def _unhealthy(reason: str) -> Failure:
    return Failure(code="unhealthy", message=reason)
