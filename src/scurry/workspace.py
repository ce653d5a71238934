"""The library's front door: open a project, then plan, apply, roll back, look.

It decides nothing: the engine does. It prints nothing: a `Reporter` is told. Every verb that changes something goes
the same way (`_change`): hold the lease, settle what a crash left open, observe, decide, show the plan and ask, do it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Self

from scurry.looking import OpenProject
from scurry.looking import target_of as _target_of
from scurry.model.errors import PlanError, Refused

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from scurry.engine.adoption import Wanted
    from scurry.engine.compatibility_asking import StateWanted
    from scurry.engine.executor import Executor
    from scurry.flink.cluster import LocalClusters
    from scurry.flink.runtimes import Runtimes
    from scurry.model.compatibility import Compatibility
    from scurry.model.desired import Desired
    from scurry.model.errors import Problem
    from scurry.model.journal import History, Lease, OperationRecord, Revision
    from scurry.model.observed import Observed
    from scurry.model.plan import Difference, Plan
    from scurry.model.ports import Journal
    from scurry.model.report import Diagnosis, LogLines
    from scurry.model.reporting import Reporter
    from scurry.model.result import Applied
    from scurry.model.snapshot import Snapshot, SnapshotFormat

Confirm = Callable[["Plan"], bool]
"""Shown the plan before anything is done; False declines."""
Decide = Callable[["Observed", "History"], "Plan"]


class Workspace(OpenProject):
    """A project folder and what belongs to it: specs, targets, journal, artifacts."""

    # Looking ---------------------------------------------------------------------------------------------------

    def validate(self, file: Path, *, environment: str | None = None) -> tuple[str, ...]:
        """Read a spec and everything that it refers to on this machine. Returns notes. Raises `SpecInvalid`."""
        return self.assembly.validate(file, environment)

    def plan(
        self, file: Path, *, environment: str | None = None, target: str | None = None, picture: bool = False
    ) -> Plan:
        """Return what `apply` would do now, and why. Changes nothing outside the workspace's own stores.

        `picture`: also what of the old job only a picture of it needs.
        """
        from scurry.engine.planner import make_plan

        wish = self.assembly.wish(file, environment, target)
        desired = wish.desired
        with wish.placing_errors():
            observed, history = self._settled(desired.target, self._reading.history(desired.application))
            plan = make_plan(desired, observed, history, now=self.clock.now())
            return self._explained(plan, observed, history, picture=picture)

    def history(self, application: str, *, limit: int = 20) -> tuple[tuple[Revision, ...], tuple[OperationRecord, ...]]:
        """Return revisions and operations, newest first."""
        self._known(application)
        return (
            self._reading.revisions(application, limit=limit),
            self._reading.operations(application, limit=limit),
        )

    def check_state(self, application: str, file: Path, wanted: StateWanted) -> Compatibility:
        """Return whether what a spec wishes for could take over the state of an application. Changes nothing.

        Raises `SnapshotNotFound`, `PlanError` where the target's state is not Flink's, and what `plan` raises.
        """
        from scurry.engine.compatibility_asking import plan_to_check

        wish = self.assembly.wish(file, wanted.environment, None)
        observed, history = self.observe(application)
        with wish.placing_errors():
            plan = plan_to_check(wish.desired, observed, history, wanted=wanted, now=self.clock.now())
            plan = self._explained(plan, observed, history, picture=wanted.picture, asked=True)
        found = plan.changes[0].compatibility
        if found is None:
            raise PlanError(f"target {plan.target!r} keeps no state of Flink's that could be looked at")
        return found

    def differences(self, application: str, before: int, after: int) -> tuple[Difference, ...]:
        """Return what differs between two revisions."""
        from scurry.engine.difference import differences

        old, new = self.revision(application, before).desired, self.revision(application, after).desired
        return self.assembly.explained(differences(old, new), old, new)

    def revision(self, application: str, number: int) -> Revision:
        """Return one revision. Raises `PlanError` when there is none of that number."""
        self._known(application)
        found = self._reading.revision(application, number)
        if found is None:
            raise PlanError(
                f"{application!r} has no revision {number}",
                hint=f"To see its revisions, run:\n  scurry history {application}",
            )
        return found

    def observe(self, application: str) -> tuple[Observed, History]:
        """Return what the target and the journal say of one application."""
        history = self._known(application)
        return self._observe(_target_of(history), history), history

    def snapshots(self, application: str) -> tuple[Snapshot, ...]:
        """Return the restorable states that are known, newest first; the running job's latest checkpoint included."""
        from scurry.engine.restore import all_known

        return all_known(*self.observe(application))

    def snapshot(self, application: str, name: str) -> Snapshot:
        """Return a snapshot by its location or the last part of it. Raises `SnapshotNotFound`."""
        from scurry.engine.restore import known

        observed, history = self.observe(application)
        return known(name, observed, history)

    def logs(self, application: str, *, lines: int, follow: bool = False) -> Iterator[tuple[LogLines, ...]]:
        """Yield the last lines of each log of an application's processes; to `follow`, then what is added, with pauses.

        Raises `PlanError` when its target gives none.
        """
        from scurry.targets.logs import logs_of, read

        history = self._known(application)
        return read(logs_of(self.target(_target_of(history)), history), lines, follow=follow, clock=self.clock)

    def diagnose(self, application: str) -> Diagnosis:
        """Return what is wrong with an application, root cause first."""
        from scurry.engine.diagnosis import Moment, diagnose

        observed, history = self.observe(application)
        operations = self._reading.operations(application, limit=5)
        return diagnose(history, observed, Moment(now=self.clock.now(), operations=operations))

    @property
    def journal_place(self) -> str:
        """Where the project's journal is, or will be: a path, or an address without its password."""
        return self.assembly.journal_place

    def check_journal(self, path: Path | None = None) -> list[Problem]:
        """Return what is wrong with the project's journal, or with a file.

        Empty when it is whole and nothing is left open in it.
        """
        return self.assembly.check_journal(path)

    # Changing --------------------------------------------------------------------------------------------------

    def apply(
        self,
        file: Path,
        *,
        environment: str | None = None,
        target: str | None = None,
        confirm: Confirm,
        wait: timedelta | None = None,
    ) -> Applied:
        """Make an application what its spec says. Goes on from what a crash interrupted.

        Raises `Refused` when declined, `ApplicationLocked` when somebody else is at it; and errors that were found
        before anything was stopped, with the running job untouched.
        """
        wish = self.assembly.wish(file, environment, target)
        with wish.placing_errors():
            return self.converge(wish.desired, confirm=confirm, wait=wait)

    def converge(self, desired: Desired, *, confirm: Confirm, wait: timedelta | None = None) -> Applied:
        """Make an application what is wished for; its artifact is in the store. Raises what `apply` does."""
        from scurry.engine.planner import make_plan

        return self._change(
            desired.application,
            desired.target,
            lambda observed, history: make_plan(desired, observed, history, now=self.clock.now()),
            confirm=confirm,
            wait=wait,
        )

    def adopt(
        self,
        file: Path,
        wanted: Wanted,
        *,
        environment: str | None = None,
        target: str | None = None,
        confirm: Confirm,
        wait: timedelta | None = None,
    ) -> Applied:
        """Take what runs, and the journal does not know, into it. Raises `PlanError` or `Refused` when it is unfit."""
        wish = self.assembly.wish(file, environment, target)
        with wish.placing_errors():
            return self.take_over(wish.desired, wanted, confirm=confirm, wait=wait)

    def take_over(
        self, desired: Desired, wanted: Wanted, *, confirm: Confirm, wait: timedelta | None = None
    ) -> Applied:
        """Adopt as what is wished for; its artifact is in the store. Raises what `adopt` does."""
        from scurry.engine.adoption import plan_adoption

        if wanted.name in self._reading.applications():
            raise Refused(f"{wanted.name!r} is another application here; its job is not to be had")
        place = self.target(desired.target)

        def decide(observed: Observed, history: History) -> Plan:
            return plan_adoption(desired, wanted, place, observed=observed, history=history, now=self.clock.now())

        return self._change(desired.application, desired.target, decide, confirm=confirm, wait=wait)

    def rollback(
        self,
        application: str,
        *,
        to: int | None = None,
        source: str = "latest",
        confirm: Confirm,
        wait: timedelta | None = None,
    ) -> Applied:
        """Go back to an earlier revision, with the state that there is, its own newest (`own`), or a named snapshot."""
        from scurry.engine import verbs

        revision = self.revision(application, to) if to is not None else None
        return self._verb(
            application, self._by(verbs.plan_rollback, to=revision, source=source), confirm=confirm, wait=wait
        )

    def stop(
        self,
        application: str,
        *,
        snapshot: bool = True,
        drain: bool = False,
        confirm: Confirm,
        wait: timedelta | None = None,
    ) -> Applied:
        """Suspend: stop with a savepoint, or without one."""
        from scurry.engine import verbs

        return self._verb(
            application, self._by(verbs.plan_stop, snapshot=snapshot, drain=drain), confirm=confirm, wait=wait
        )

    def start(
        self, application: str, *, source: str = "latest", confirm: Confirm, wait: timedelta | None = None
    ) -> Applied:
        """Start what does not run, from its latest state, from a named snapshot, or from none."""
        from scurry.engine import verbs

        return self._verb(application, self._by(verbs.plan_start, source=source), confirm=confirm, wait=wait)

    def restart(
        self, application: str, *, source: str = "latest", confirm: Confirm, wait: timedelta | None = None
    ) -> Applied:
        """Stop and start again, with no change of the configuration."""
        from scurry.engine import verbs

        return self._verb(application, self._by(verbs.plan_restart, source=source), confirm=confirm, wait=wait)

    def scale(self, application: str, parallelism: int, *, confirm: Confirm, wait: timedelta | None = None) -> Applied:
        """Change the parallelism of the current revision."""
        import msgspec

        from scurry.engine.planner import make_plan

        def decide(observed: Observed, history: History) -> Plan:
            desired = msgspec.structs.replace(_current(history), parallelism=parallelism)
            return make_plan(desired, observed, history, now=self.clock.now())

        return self._verb(application, decide, confirm=confirm, wait=wait)

    def take_snapshot(self, application: str, *, confirm: Confirm, wait: timedelta | None = None) -> Applied:
        """Take a savepoint; the job goes on."""
        from scurry.engine import verbs

        return self._verb(application, self._by(verbs.plan_snapshot), confirm=confirm, wait=wait)

    def drop_snapshot(
        self, application: str, location: str, *, confirm: Confirm, wait: timedelta | None = None
    ) -> Applied:
        """Delete a snapshot that no rollback can need."""
        from scurry.engine import restore, verbs

        def decide(observed: Observed, history: History) -> Plan:
            snapshot = restore.known(location, observed, history)
            return verbs.plan_drop(snapshot, observed, history, now=self.clock.now())

        return self._verb(application, decide, confirm=confirm, wait=wait)

    def delete(
        self, application: str, *, snapshot: bool = True, confirm: Confirm, wait: timedelta | None = None
    ) -> Applied:
        """Stop the job, with a last snapshot unless told otherwise, and forget the application."""
        from scurry.engine import verbs

        return self._verb(application, self._by(verbs.plan_delete, snapshot=snapshot), confirm=confirm, wait=wait)

    def reconcile(self, application: str, decide: Decide) -> Applied:
        """Do what is decided under the lease; nobody is asked. Raises `ApplicationLocked` at once."""
        return self._verb(application, decide, confirm=lambda plan: True, wait=None)

    # Wiring ----------------------------------------------------------------------------------------------------

    def beside(self, *, reporter: Reporter) -> Self:
        """Return the same project for another thread: its own targets and reporter, the same journal and clock."""
        other = type(self)(self.project, reporter=reporter, clock=self.clock)
        other.assembly.journal = other.assembly.journal_to_read = self.assembly.journal
        return other

    @property
    def journal(self) -> Journal:
        """The project's journal, ready to be written."""
        return self.assembly.journal

    @property
    def runtimes(self) -> Runtimes:
        """Flink and Java on this machine."""
        return self.assembly.runtimes

    @property
    def local_clusters(self) -> LocalClusters:
        """The Flink clusters of this project on this machine."""
        return self.assembly.local_clusters

    def _by(self, plan: Callable[..., Plan], **options: object) -> Decide:
        """Return the decision that a verb's plan is, at the time when it is made."""
        return lambda observed, history: plan(observed, history, now=self.clock.now(), **options)

    def _verb(self, application: str, decide: Decide, *, confirm: Confirm, wait: timedelta | None) -> Applied:
        target = _target_of(self._known(application))
        with self.assembly.places().found():
            return self._change(application, target, decide, confirm=confirm, wait=wait)

    def _change(
        self, application: str, target: str, decide: Decide, *, confirm: Confirm, wait: timedelta | None
    ) -> Applied:
        from scurry.engine.compatibility_refusal import refuse_unfit
        from scurry.engine.lease import held

        with held(application, journal=self.journal, clock=self.clock, reporter=self.reporter, wait=wait) as lease:
            self.refuse_frozen(application, target)
            self._heal(target)
            observed, history = self._settle(target, self.journal, lease)
            executor = self._executor(target, lease)
            plan = self._explained(decide(observed, history), observed, history)
            refuse_unfit(plan)
            if not plan.is_converged and not confirm(plan):
                raise Refused("declined; nothing was changed")
            self.refuse_frozen(application, target)  # it may have been frozen while the question stood
            return executor.execute(plan)

    def _explained(
        self, plan: Plan, observed: Observed, history: History, *, picture: bool = False, asked: bool = False
    ) -> Plan:
        """Return a plan with what only bytes tell: how artifacts differ, and whether the state fits the new program."""
        from scurry.engine import savepoint_formats
        from scurry.model.ports import ExportsSnapshots, RunsFlink
        from scurry.preflight import Occasion, concerns

        plan = self.assembly.explain(plan, history)
        format = self._savepoint_format(plan)
        plan = savepoint_formats.told(plan, format)
        if not any(map(concerns, plan.changes)):
            return plan
        place = self.target(plan.target)
        occasion = Occasion(
            observed=observed,
            history=history,
            defaults=place.defaults if isinstance(place, RunsFlink) else None,
            look=lambda: self._observe(plan.target, history),
            wrote=lambda snapshot: self._writer(snapshot, history),
            picture=picture,
            exported=place.exported if isinstance(place, ExportsSnapshots) else None,
            asked=asked,
            format=format,
        )
        return self.assembly.preflight.judged(plan, occasion)

    def _savepoint_format(self, plan: Plan) -> SnapshotFormat | None:
        """Return the format of the savepoint that a plan takes; None where it takes none, or it is not told."""
        from contextlib import suppress

        from scurry.engine.savepoint_formats import job_to_save
        from scurry.model.errors import ScurryError
        from scurry.model.ports import TellsFormats

        job = next((found for change in plan.changes if (found := job_to_save(change.operation))), None)
        if job is not None:
            with suppress(ScurryError):
                place = self.target(plan.target)
                return place.savepoint_format(job) if isinstance(place, TellsFormats) else None
        return None

    def _writer(self, snapshot: Snapshot | None, history: History) -> Desired | None:
        """Return the wish whose job wrote a snapshot; of None the one that runs; None where that is not known."""
        if snapshot is None or (snapshot.job_id is not None and snapshot.job_id == history.job_id):
            return history.current.desired if history.current else None
        if snapshot.revision is None or snapshot.foreign:
            return None
        found = self._reading.revision(history.application, snapshot.revision)
        return found.desired if found else None

    def refuse_frozen(self, application: str, target: str) -> None:
        """Raise `Frozen`: the one place where a freeze is enforced. Where it runs now counts as well."""
        from scurry.engine.freezing import refuse_frozen

        freezes = self._reading.freezes()
        if freezes:
            refuse_frozen(application, (target, self._reading.history(application).target), freezes)

    def _settle(self, target: str, journal: Journal, lease: Lease) -> tuple[Observed, History]:
        """Observe, and find out what became of what a crash left open, where that was: the spec may name another.

        It is asked after behind the observation, and then observed again: what was on its way may come about meanwhile,
        and a job that is seen to have been stopped would be without its savepoint.
        """
        while True:
            history = journal.history(lease.application)
            observed = self._observe(target, history)
            if history.target is None or not self._executor(history.target, lease, journal).settle():
                return observed, history

    def _settled(self, target: str, history: History) -> tuple[Observed, History]:
        """Return what will be observed and known when that was found out. It is tried on a copy of the journal."""
        from scurry.engine.lease import LEASE
        from scurry.engine.settling import RECENT, is_settled
        from scurry.model.errors import ApplicationLocked

        if is_settled(history, self._reading.operations(history.application, limit=RECENT)):
            return self._observe(target, history), history
        with self.assembly.journal_to_read.copied(history.application) as copy:
            try:
                lease = copy.acquire(history.application, duration=LEASE)
            except ApplicationLocked as error:
                error.hint = "Plan again when that is done."
                raise
            return self._settle(target, copy, lease)

    def _heal(self, target: str) -> None:
        from scurry.model.ports import Heals

        place = self.target(target)
        if isinstance(place, Heals):
            place.heal()

    def _executor(self, target: str, lease: Lease, journal: Journal | None = None) -> Executor:
        from scurry.engine.attempt import Services
        from scurry.engine.executor import Executor

        services = Services(
            target=self.target(target),
            journal=journal or self.journal,
            clock=self.clock,
            reporter=self.reporter,
            secrets=self.assembly.secrets,
            artifacts=self.assembly.store,
        )
        return Executor(services, lease)


def _current(history: History) -> Desired:
    if history.current is None:
        raise PlanError(f"{history.application!r} was never started")
    return history.current.desired
