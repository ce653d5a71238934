"""Pruning: snapshots that no policy keeps and nothing needs, then the files that only they and old revisions used.

Part of floor 3, above the workspace. What may go is decided by `engine/retention.py`, once to be shown, and again under
the lease for each snapshot right before it is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from scurry.engine.reconciler import empty_plan
from scurry.engine.retention import Judged, Retention, place, retention, runnable
from scurry.flink.class_data import forgotten
from scurry.flink.install_cache import size_of
from scurry.model.errors import ApplicationLocked, Frozen, LeaseLost, PlanError, ScurryError
from scurry.model.journal import OperationOutcome, RevisionOutcome
from scurry.model.leftover import Leftover, LeftoverKind
from scurry.model.operation import DropSnapshot
from scurry.model.plan import Change, Plan
from scurry.model.ports import KeepsUploads
from scurry.targets.rest import delivery
from scurry.targets.rest.places import local_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scurry.model.desired import Artifact, Desired
    from scurry.model.journal import History, Revision
    from scurry.model.observed import Observed
    from scurry.model.ports import Journal
    from scurry.model.snapshot import Snapshot
    from scurry.workspace import Workspace

UNUSED = timedelta(hours=1)
"""what was used more recently stays: it may belong to an apply that has not written anything down yet"""
_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationPruning:
    """What would become of one application's snapshots."""

    application: str
    retention: Retention = field(default_factory=Retention)
    skipped: str | None = None
    """why it is not looked at"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """What would be pruned."""

    applications: tuple[ApplicationPruning, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    silent: tuple[str, ...] = ()
    """why the uploads of some targets are not looked at"""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to delete."""
        return not self.leftovers and not any(found.retention.drop for found in self.applications)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What became of one thing that was to be deleted."""

    what: Snapshot | Leftover
    application: str | None = None
    error: ScurryError | None = None
    """it is still there, and is tried again by the next pruning"""
    spared: str | None = None
    """why it was not tried: it is needed by now, or somebody else is at it"""

    @property
    def is_gone(self) -> bool:
        """Whether it is not there any more."""
        return self.error is None and self.spared is None


class _NotAnyMore(PlanError):
    """What was to be dropped is gone, or is needed by now. Never leaves this module."""


class Pruner:
    """Prunes a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._before = workspace.clock.now() - UNUSED

    def plan(self, applications: Sequence[str] = ()) -> Pruning:
        """Return what would go and what stays. Without applications named: of all, and what belongs to none.

        Raises what keeps the journal from being read: what is needed would not be known then.
        """
        names = applications or self._journal.applications()
        found = tuple(self._look(name) for name in names)
        if applications:
            return Pruning(applications=found)
        leftovers, silent = self._leftovers(found)
        return Pruning(applications=found, leftovers=leftovers, silent=silent)

    def carry_out(self, pruning: Pruning) -> Iterator[Deleted]:
        """Delete, and yield what became of each. A failed deletion does not stop the others."""
        for found in pruning.applications:
            yield from self._drop_all(found)
        if not pruning.leftovers:
            return
        names = [found.application for found in pruning.applications]
        still, _ = self._leftovers([self._look(name) for name in names])
        for leftover in pruning.leftovers:
            if leftover in still:
                yield self._discard(leftover)
            else:
                yield Deleted(what=leftover, spared="it is needed by now, or gone")
        self._workspace.assembly.store.forget_built()

    # Snapshots -------------------------------------------------------------------------------------------------

    def _look(self, application: str) -> ApplicationPruning:
        try:
            observed, history = self._workspace.observe(application)
        except PlanError:
            raise  # a name that is not known
        except ScurryError as error:  # its target is not defined any more, or lacks a secret
            return ApplicationPruning(application=application, skipped=error.message)
        if history.current is None:
            return ApplicationPruning(application=application, skipped="it has not run yet")
        if not observed.reachable:
            return ApplicationPruning(application=application, skipped=observed.unreachable_because)
        return ApplicationPruning(application=application, retention=self._judge(observed, history))

    def _judge(self, observed: Observed, history: History) -> Retention:
        if history.current is None:
            return Retention()
        snapshots = tuple(map(_weighed, self._snapshots(history.application)))
        seen = msgspec.structs.replace(observed, retained=tuple(map(_weighed, observed.retained)))
        policy = history.current.desired.snapshots
        return retention(snapshots, seen, history, policy=policy, now=self._workspace.clock.now())

    def _snapshots(self, application: str) -> Iterator[Snapshot]:
        page = self._journal.snapshots(application)
        while page:
            yield from page
            page = self._journal.snapshots(application, before=page[-1].taken_at)

    def _drop_all(self, found: ApplicationPruning) -> Iterator[Deleted]:
        for judged in found.retention.drop:
            try:
                with self._workspace.reporter.activity(f"{found.application}: delete {judged.snapshot.location}"):
                    self._drop(found.application, judged)
            except (ApplicationLocked, Frozen, LeaseLost) as error:
                yield Deleted(what=judged.snapshot, application=found.application, spared=error.message)
                return
            except _NotAnyMore as error:
                yield Deleted(what=judged.snapshot, application=found.application, spared=error.message)
            except ScurryError as error:
                yield Deleted(what=judged.snapshot, application=found.application, error=error)
            else:
                yield Deleted(what=judged.snapshot, application=found.application)

    def _drop(self, application: str, judged: Judged) -> None:
        wanted = place(judged.snapshot.location)

        def decide(observed: Observed, history: History) -> Plan:
            still = self._judge(observed, history).drop
            if wanted not in {place(found.snapshot.location) for found in still}:
                raise _NotAnyMore("it is needed by now, or gone")
            change = Change(operation=DropSnapshot(snapshot=judged.snapshot), reason=judged.reason)
            plan = empty_plan(observed, history, now=self._workspace.clock.now())
            return msgspec.structs.replace(plan, changes=(change,))

        self._workspace.reconcile(application, decide)

    # What belongs to none --------------------------------------------------------------------------------------

    def _leftovers(self, applications: Sequence[ApplicationPruning]) -> tuple[tuple[Leftover, ...], tuple[str, ...]]:
        needed = [revision for found in applications for revision in self._needed(found)]
        digests = {desired.artifact.digest for desired in needed}
        unused = self._workspace.assembly.store.unused(digests, before=self._before)
        uploads, silent = self._uploads(digests)
        return (
            *(
                Leftover(
                    kind=LeftoverKind.ARTIFACT,
                    name=artifact.file_name,
                    ref=artifact.digest,
                    size_bytes=artifact.size_bytes,
                )
                for artifact in unused
            ),
            *delivery.leftovers(self._workspace.assembly.directory, needed, before=self._before),
            *uploads,
            *self._class_data(),
        ), silent

    def _needed(self, found: ApplicationPruning) -> Iterator[Desired]:
        """Yield the wishes that can run again: by a rollback, by going on, or by a person who names a revision.

        A healthy revision can be named as long as a snapshot of it is kept.
        """
        history = self._journal.history(found.application)
        last = history.last
        if last and last.outcome is not OperationOutcome.DONE:
            wish = getattr(last.operation, "desired", None)
            yield from (wish,) if wish else ()
        yield from (revision.desired for revision in runnable(history))
        dropped = {place(judged.snapshot.location) for judged in found.retention.drop}
        for revision in self._revisions(found.application):
            kept = revision.snapshot and place(revision.snapshot.location) not in dropped
            healthy_and_kept = revision.outcome is RevisionOutcome.HEALTHY and kept
            if healthy_and_kept or revision.outcome is RevisionOutcome.PENDING:
                yield revision.desired

    def _uploads(self, needed: set[str]) -> tuple[tuple[Leftover, ...], tuple[str, ...]]:
        known = [artifact for artifact in self._known_artifacts if artifact.digest not in needed]
        uploads: list[Leftover] = []
        silent = []
        for name in self._workspace.project.all_targets():
            try:
                target = self._workspace.target(name)
                if isinstance(target, KeepsUploads):
                    uploads += target.uploads(known, before=self._before)
            except ScurryError as error:
                silent.append(f"{name}: {error.message}")
        return tuple(uploads), tuple(silent)

    @cached_property
    def _known_artifacts(self) -> tuple[Artifact, ...]:
        """What can be ours on a cluster that others use, too: of any revision, or in the store."""
        found = {artifact.digest: artifact for artifact in self._workspace.assembly.store.list()}
        for application in self._journal.applications():
            for revision in self._revisions(application):
                found.setdefault(revision.desired.artifact.digest, revision.desired.artifact)
        return tuple(found.values())

    def _revisions(self, application: str) -> Iterator[Revision]:
        page = self._journal.revisions(application, limit=_PAGE)
        while page:
            yield from page
            page = self._journal.revisions(application, limit=_PAGE, before=page[-1].number)

    def _class_data(self) -> Iterator[Leftover]:
        for folder in forgotten(self._workspace.runtimes.cache):
            yield Leftover(kind=LeftoverKind.CLASS_DATA, name=folder.name, ref=str(folder), size_bytes=size_of(folder))

    def _discard(self, leftover: Leftover) -> Deleted:
        try:
            match leftover.kind:
                case LeftoverKind.ARTIFACT:
                    self._workspace.assembly.store.discard(leftover.ref)
                case LeftoverKind.UPLOAD:
                    target = self._workspace.target(leftover.target or "")
                    if isinstance(target, KeepsUploads):
                        target.forget_upload(leftover)
                case LeftoverKind.DELIVERED | LeftoverKind.CLASS_DATA:
                    delivery.discard(leftover)
        except ScurryError as error:
            return Deleted(what=leftover, error=error)
        return Deleted(what=leftover)

    @property
    def _journal(self) -> Journal:
        return self._workspace.assembly.journal_to_read


def _weighed(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot with its size, where its files are seen from here; what it shares with others not counted."""
    path = local_path(snapshot.location) if snapshot.size_bytes is None else None
    if path is None or not path.is_dir():
        return snapshot
    return msgspec.structs.replace(snapshot, size_bytes=size_of(path))
