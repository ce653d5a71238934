"""Looks closely at one application and does what is decided, through the workspace, as a command would.

First without the lease: only when there is something to do is it taken, and everything is looked at and decided anew.
Somebody else who holds it is working on the application: then it is left alone for a while.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from scurry.engine.reconciler import Cause, Decision, Do, Nothing, Report, Settle, Situation, decide, empty_plan
from scurry.engine.retention import retention
from scurry.model.errors import (
    ApplicationLocked,
    JournalUnavailable,
    LeaseLost,
    PlanOutdated,
    ScurryError,
    TargetUnavailable,
)
from scurry.model.ports import Heals
from scurry.server.backoff import Backoff
from scurry.server.clock import HandedOver
from scurry.server.events import Event, EventKind
from scurry.server.fleet import next_tidy
from scurry.server.outcomes import went_wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from scurry.engine.retention import Judged
    from scurry.model.journal import History
    from scurry.model.observed import Observed
    from scurry.model.plan import Plan
    from scurry.model.ports import Clock, Journal
    from scurry.model.result import Applied
    from scurry.server.events import Events
    from scurry.server.fleet import Fleet, Tracked
    from scurry.workspace import Workspace

logger = logging.getLogger(__name__)

_LOCKED_AGAIN = timedelta(seconds=5)
_CHORES = frozenset({Cause.SNAPSHOT, Cause.RETENTION})
_CHORES_AGAIN = timedelta(seconds=30)
_OPERATIONS = 20
_DONE = {
    Cause.INTERRUPTED: EventKind.COMPLETED,
    Cause.DRIFT: EventKind.REPAIRED,
    Cause.RECOVERY: EventKind.RECOVERED,
    Cause.SNAPSHOT: EventKind.SNAPSHOT_TAKEN,
    Cause.RETENTION: EventKind.SNAPSHOTS_DROPPED,
}
_TOLD = {
    Cause.INTERRUPTED: "what was interrupted is completed",
    Cause.DRIFT: "put right",
    Cause.RECOVERY: "it runs again",
    Cause.SNAPSHOT: "a snapshot was taken",
    Cause.RETENTION: "snapshots were dropped",
}


@dataclass(kw_only=True)
class Reconciler:
    """Reconciles applications, each by one thread at a time."""

    journal: Journal
    fleet: Fleet
    clock: Clock
    events: Events
    workspace: Callable[[str], Workspace]
    """a workspace for one piece of work on one application: with targets of its own, and telling of its progress"""
    backoff: Backoff = field(default_factory=Backoff)
    durations: Callable[[str, str, float], None] = lambda cause, outcome, seconds: None
    """told how long an operation took"""

    def reconcile(self, tracked: Tracked, why: str) -> None:
        """Look closely at an application and do one thing about it, if there is one. Raises nothing."""
        name, now = tracked.application, self.clock.now()
        logger.debug("look closer: %s", why, extra={"application": name, "target": tracked.target})
        sight = tracked.sight
        tracked.looked_at = now
        try:
            decision = self._reconcile(tracked)
        except (ApplicationLocked, LeaseLost, PlanOutdated) as error:  # somebody else is at it
            logger.debug("%s", error.message, extra=_extra(tracked))
            tracked.not_before = self.clock.now() + _LOCKED_AGAIN
        except ScurryError as error:
            self._failed(tracked, error)
        except HandedOver:
            logger.warning("handed over in the middle; what was done is in the journal", extra=_extra(tracked))
        except Exception as error:  # one application whose record or answer nobody foresaw stops no other
            logger.exception("a bug in scurry", extra=_extra(tracked))
            self._failed(tracked, ScurryError(f"this is a bug in scurry: {type(error).__name__}: {error}"))
        else:
            tracked.failures, tracked.not_before = 0, None
            if isinstance(decision, Do | Settle):
                self.fleet.read(name, self.clock.now())
            elif decision != Nothing(is_known=False):
                tracked.seen = sight
                _put_off(tracked, now, until=self.clock.now() + _CHORES_AGAIN)

    def _reconcile(self, tracked: Tracked) -> Decision:
        workspace = self.workspace(tracked.application)
        history = self.journal.history(tracked.application)
        target = workspace.target(tracked.target)
        observed = target.observe(tracked.application, history.marks)
        tracked.job = observed.live
        decision = self._decide(tracked, observed, history)
        if isinstance(target, Heals) and decision == Nothing() and observed.live and not _is_sound(observed):
            target.heal()
        match decision:
            case Nothing():
                self._is_over(tracked)
                return decision
            case Report():
                self._report(tracked, decision)
                return decision
            case Settle() | Do():
                return self._do(tracked, workspace, decision)
            case _:
                assert_never(decision)

    def _decide(self, tracked: Tracked, observed: Observed, history: History) -> Decision:
        now = self.clock.now()
        return decide(
            Situation(
                observed=observed,
                history=history,
                now=now,
                frozen=self.fleet.frozen(tracked),
                operations=self.journal.operations(tracked.application, limit=_OPERATIONS),
                planned_parallelism=tracked.planned_parallelism,
                droppable=self._droppable(tracked, observed, history),
            )
        )

    def _droppable(self, tracked: Tracked, observed: Observed, history: History) -> Sequence[Judged]:
        now = self.clock.now()
        if tracked.tidy_at is None or now < tracked.tidy_at or history.current is None:
            return ()
        snapshots = self.journal.snapshots(tracked.application)
        found = retention(snapshots, observed, history, policy=history.current.desired.snapshots, now=now).drop
        if not found:
            tracked.tidy_at = next_tidy(now)
        return found

    def _do(self, tracked: Tracked, workspace: Workspace, first: Settle | Do) -> Decision:
        """Take the lease, look and decide again, and carry that out."""
        decided: list[Decision] = []

        def decide_again(observed: Observed, history: History) -> Plan:
            decision = self._decide(tracked, observed, history)
            decided.append(decision)
            if not isinstance(decision, Do):
                return empty_plan(observed, history, now=self.clock.now())
            logger.info(
                "%s: %s", decision.cause.value, decision.what, extra=_extra(tracked, cause=decision.cause.value)
            )
            return decision.plan

        started = time.monotonic()
        try:
            applied = workspace.reconcile(tracked.application, decide_again)
        except (TargetUnavailable, ApplicationLocked, LeaseLost, PlanOutdated):
            raise
        except ScurryError as error:
            last = decided[-1] if decided else first
            self.durations(_cause(last), "failed", time.monotonic() - started)
            if not isinstance(last, Do) or last.cause not in _CHORES:
                raise
            self._chore_failed(tracked, last.cause, error)
            return Nothing()
        last = decided[-1]
        self.durations(_cause(last), applied.outcome.value, time.monotonic() - started)
        if isinstance(last, Report):
            self._report(tracked, last)
        elif isinstance(last, Do):
            self._done(tracked, last, applied)
        return last

    def _done(self, tracked: Tracked, did: Do, applied: Applied) -> None:
        self._is_over(tracked)
        if did.cause in _CHORES:
            tracked.chore_failures = 0
        if applied.error is None:
            self._tell(tracked, _DONE[did.cause], f"{did.what}; {_TOLD[did.cause]}", revision=applied.revision)
        for event in went_wrong(applied, target=tracked.target, at=self.clock.now()):
            self.events.tell(event)

    def _report(self, tracked: Tracked, report: Report) -> None:
        """Tell once what stands; again only when it is something else."""
        before, tracked.report = tracked.report, report
        if before is not None and (before.cause, before.what) == (report.cause, report.what):
            return
        kind = EventKind.DRIFT if report.cause is Cause.DRIFT else EventKind.ALERT
        self._tell(tracked, kind, report.what, stands=report)

    def _remember(self, tracked: Tracked, report: Report) -> None:
        """Let no other server tell it, nor the next one; what is over meanwhile may come again, and is told then."""
        now = tracked.report
        if now is None or (now.cause, now.what) != (report.cause, report.what):
            return
        try:
            alert = self.journal.remember_alert(tracked.application, cause=report.cause.value, what=report.what)
            self.fleet.alerts[tracked.application] = alert
        except ScurryError as error:
            logger.warning("it may be told again: %s", error.message, extra=_extra(tracked))

    def _is_over(self, tracked: Tracked) -> None:
        tracked.report = None
        if self.fleet.alerts.pop(tracked.application, None):
            with suppress(JournalUnavailable):  # it is in what is read anew, and forgotten after the next look
                self.journal.forget_alert(tracked.application)

    def _chore_failed(self, tracked: Tracked, cause: Cause, error: ScurryError) -> None:
        """Put a chore off, and tell of the first time. The application itself is well: nothing else waits for that."""
        tracked.chore_failures += 1
        pause = timedelta(seconds=self.backoff.pause_s(tracked.chore_failures))
        now = self.clock.now()
        self.fleet.read(tracked.application, now)
        _put_off(tracked, now, until=now + pause)
        if tracked.chore_failures == 1:
            what = "the scheduled snapshot failed" if cause is Cause.SNAPSHOT else "snapshots could not be deleted"
            kind = EventKind.SNAPSHOT_FAILED if cause is Cause.SNAPSHOT else EventKind.FAILED
            self._tell(tracked, kind, f"{what}, and is tried again: {error.message}", error)

    def _failed(self, tracked: Tracked, error: ScurryError) -> None:
        tracked.failures += 1
        least_s = error.retry_after_s if isinstance(error, TargetUnavailable) else 0.0
        pause_s = self.backoff.pause_s(tracked.failures, least_s=least_s)
        tracked.not_before = self.clock.now() + timedelta(seconds=pause_s)
        logger.info("tried again in %.0f s", pause_s, extra=_extra(tracked, failures=tracked.failures))
        if tracked.report is None or tracked.report.what != error.message:
            tracked.report = Report(cause=Cause.RECOVERY, what=error.message, todo=error.hint)
            self._tell(tracked, EventKind.FAILED, error.message, stands=tracked.report)

    def _tell(
        self,
        tracked: Tracked,
        kind: EventKind,
        message: str,
        error: ScurryError | None = None,
        *,
        revision: int | None = None,
        stands: Report | None = None,
    ) -> None:
        current = tracked.history.current
        self.events.tell(
            Event(
                kind=kind,
                at=self.clock.now(),
                message=message,
                target=tracked.target,
                application=tracked.application,
                revision=revision or (current.number if current else None),
                todo=stands.todo if stands else error.hint if error else None,
            ),
            then=(lambda: self._remember(tracked, stands)) if stands else None,
        )


def _cause(decision: Decision) -> str:
    return decision.cause.value if isinstance(decision, Do) else Cause.INTERRUPTED.value


def _put_off(tracked: Tracked, now: datetime, *, until: datetime) -> None:
    """Look after the chores that are due no sooner than that: they failed, or cannot be done as things stand."""
    if tracked.due_at is not None and tracked.due_at <= now:
        tracked.due_at = until
    if tracked.tidy_at is not None and tracked.tidy_at <= now:
        tracked.tidy_at = until


def _is_sound(observed: Observed) -> bool:
    live = observed.live
    return live is not None and live.state.value == "running" and live.vertices_running >= live.vertices


def _extra(tracked: Tracked, **more: object) -> dict[str, object]:
    return {"application": tracked.application, "target": tracked.target, **more}
