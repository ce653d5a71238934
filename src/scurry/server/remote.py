"""A workspace whose applications are looked after by a server: the same verbs, done over there.

Specs are read and artifacts built here; plans are made there, shown here, and carried out there as they were agreed to.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, cast

import msgspec

from scurry.model.errors import Place, PlanError, Problem, Refused
from scurry.model.report import Diagnosis
from scurry.server import wire
from scurry.server.connection import ServerConnection, quoted
from scurry.server.remote_errors import raised
from scurry.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import timedelta
    from pathlib import Path

    from scurry.engine.adoption import Wanted
    from scurry.model.desired import Desired
    from scurry.model.journal import Freeze, History, OperationRecord, Revision
    from scurry.model.observed import Observed
    from scurry.model.plan import Difference, Plan
    from scurry.model.ports import Target
    from scurry.model.project import Project
    from scurry.model.report import LogLines, StatusReport
    from scurry.model.reporting import Reporter
    from scurry.model.result import Applied
    from scurry.model.snapshot import Snapshot
    from scurry.pruning import Deleted, Pruning
    from scurry.workspace import Confirm


T = TypeVar("T")


class RemoteJournal:
    """What a client reads of the server's journal, and the freezes, which it may write."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    def applications(self) -> tuple[str, ...]:
        """Return the applications that are known."""
        return self._connection.get("/names", wire.NamesAnswer).applications

    def history(self, application: str) -> History:
        """Return the summary that decisions are made from."""
        return self._connection.get("/journal", wire.JournalAnswer, application=application).history

    def revisions(self, application: str, *, limit: int = 20) -> tuple[Revision, ...]:
        """Return revisions, newest first."""
        return self._past(application, limit).revisions

    def operations(self, application: str, *, limit: int = 20) -> tuple[OperationRecord, ...]:
        """Return operations, newest first."""
        return self._past(application, limit).operations

    def revision(self, application: str, number: int) -> Revision | None:
        """Return one revision."""
        path = f"/applications/{quoted(application)}/revisions/{number}"
        return self._connection.get(path, wire.RevisionAnswer).revision

    def freezes(self) -> tuple[Freeze, ...]:
        """Return what is frozen."""
        return self._connection.get("/freezes", wire.FreezesAnswer).freezes

    def freeze(self, scope: str, *, reason: str, by: str | None = None) -> Freeze:
        """Let nothing in a scope be changed."""
        from scurry.journal.process import default_owner

        asked = wire.FreezeAsked(scope=scope, reason=reason, by=by or default_owner())
        answer = self._connection.send("POST", "/freezes", wire.FreezesAnswer, body=asked)
        return next(freeze for freeze in answer.freezes if freeze.scope == scope)

    def thaw(self, scope: str) -> bool:
        """Take a freeze back; False when there was none."""
        was_frozen = any(freeze.scope == scope for freeze in self.freezes())
        if was_frozen:
            self._connection.send("DELETE", "/freezes", wire.FreezesAnswer, scope=scope)
        return was_frozen

    def _past(self, application: str, limit: int) -> wire.HistoryAnswer:
        return self._connection.get(f"/applications/{quoted(application)}/history", wire.HistoryAnswer, limit=limit)

    def __getattr__(self, name: str) -> NoReturn:
        """Refuse everything else that a journal can do: it is done over there."""
        raise _not_here(f"the journal's `{name}`")


class RemoteWorkspace(Workspace):
    """The same project, with a server that does what is to be done."""

    def __init__(self, project: Project, connection: ServerConnection, *, reporter: Reporter | None = None) -> None:
        super().__init__(project, reporter=reporter)
        self.connection = connection
        journal = cast("Any", RemoteJournal(connection))
        self.assembly.journal = self.assembly.journal_to_read = journal

    @classmethod
    def connect(cls, project: Project, url: str, token: str | None, *, reporter: Reporter) -> RemoteWorkspace:
        """Return the workspace; nothing is asked before something is to be known."""
        from scurry.journal.process import default_owner

        return cls(project, ServerConnection(url, token, user=default_owner()), reporter=reporter)

    def beside(self, *, reporter: Reporter) -> Self:
        """Return the same for another thread."""
        return type(self)(self.project, self.connection, reporter=reporter)

    # Looking ---------------------------------------------------------------------------------------------------

    def plan(
        self, file: Path, *, environment: str | None = None, target: str | None = None, picture: bool = False
    ) -> Plan:
        """Return what `apply` would do now, and why."""
        wish = self.assembly.wish(file, environment, target)
        with wish.placing_errors():
            return self._planned(wish.desired.application, "apply", self._wished(wish.desired)).plan

    def status(self, *applications: str) -> tuple[StatusReport, ...]:
        """Return how applications are."""
        return self.connection.get("/applications", wire.StatusAnswer, application=applications).applications

    def differences(self, application: str, before: int, after: int) -> tuple[Difference, ...]:
        """Return what differs between two revisions."""
        return self._get(application, "diff", wire.DiffAnswer, before=before, after=after).differences

    def observe(self, application: str) -> tuple[Observed, History]:
        """Return what the target and the journal say."""
        answer = self._get(application, "look", wire.LookAnswer)
        return answer.observed, answer.history

    def snapshots(self, application: str) -> tuple[Snapshot, ...]:
        """Return the restorable states."""
        return self._get(application, "snapshots", wire.SnapshotsAnswer).snapshots

    def diagnose(self, application: str) -> Diagnosis:
        """Return what is wrong, root cause first."""
        return self._get(application, "diagnosis", Diagnosis)

    def logs(self, application: str, *, lines: int, follow: bool = False) -> Iterator[tuple[LogLines, ...]]:
        """Yield the last lines of each log; to `follow`, then what is added."""
        path = f"/applications/{quoted(application)}/logs"
        if follow:
            yield from self.connection.follow(path, lines=lines, follow="true")
        else:
            yield self.connection.get(path, wire.LogsAnswer, lines=lines).logs

    @property
    def journal_place(self) -> str:
        """Where the server's journal is: a path over there, or an address without its password."""
        return self._journal_check.place

    def check_journal(self, path: Path | None = None) -> list[Problem]:
        """Look the server's journal over, over there. Raises `PlanError` for a file: that is here."""
        if path is not None:
            raise PlanError(
                f"{str(path)!r} is a file on this machine; a server looks over its own journal",
                hint="To look the file over here, leave --server (SCURRY_SERVER) out.",
            )
        return [
            Problem(message=one.message, hint=one.hint, place=Place(file=one.file) if one.file else None)
            for one in self._journal_check.problems
        ]

    @cached_property
    def _journal_check(self) -> wire.JournalCheckAnswer:
        return self.connection.get("/journal/check", wire.JournalCheckAnswer, is_long=True)

    def pruner(self) -> RemotePruner:
        """Return what prunes over there."""
        return RemotePruner(self.connection, self.reporter)

    # Changing --------------------------------------------------------------------------------------------------

    def converge(self, desired: Desired, *, confirm: Confirm, wait: timedelta | None = None) -> Applied:
        """Make an application what is wished for."""
        return self._do(desired.application, "apply", self._wished(desired), confirm=confirm, wait=wait)

    def take_over(
        self, desired: Desired, wanted: Wanted, *, confirm: Confirm, wait: timedelta | None = None
    ) -> Applied:
        """Adopt as what is wished for."""
        self._upload(desired)
        body = wire.Adopt(desired=desired, job=wanted.job, named=wanted.name, state=wanted.state)
        return self._do(desired.application, "adopt", body, confirm=confirm, wait=wait)

    def rollback(
        self,
        application: str,
        *,
        to: int | None = None,
        source: str = "latest",
        confirm: Confirm,
        wait: timedelta | None = None,
    ) -> Applied:
        """Go back to an earlier revision."""
        return self._do(application, "rollback", wire.Rollback(to=to, source=source), confirm=confirm, wait=wait)

    def stop(
        self,
        application: str,
        *,
        snapshot: bool = True,
        drain: bool = False,
        confirm: Confirm,
        wait: timedelta | None = None,
    ) -> Applied:
        """Stop with a savepoint, or without one."""
        body = wire.Stop(snapshot=snapshot, drain=drain)
        return self._do(application, "stop", body, confirm=confirm, wait=wait)

    def start(
        self, application: str, *, source: str = "latest", confirm: Confirm, wait: timedelta | None = None
    ) -> Applied:
        """Start what does not run."""
        return self._do(application, "start", wire.Start(source=source), confirm=confirm, wait=wait)

    def restart(
        self, application: str, *, source: str = "latest", confirm: Confirm, wait: timedelta | None = None
    ) -> Applied:
        """Stop and start again."""
        return self._do(application, "restart", wire.Restart(source=source), confirm=confirm, wait=wait)

    def scale(self, application: str, parallelism: int, *, confirm: Confirm, wait: timedelta | None = None) -> Applied:
        """Change the parallelism."""
        return self._do(application, "scale", wire.Scale(parallelism=parallelism), confirm=confirm, wait=wait)

    def take_snapshot(self, application: str, *, confirm: Confirm, wait: timedelta | None = None) -> Applied:
        """Take a savepoint; the job goes on."""
        return self._do(application, "snapshot", wire.TakeSnapshot(), confirm=confirm, wait=wait)

    def drop_snapshot(
        self, application: str, location: str, *, confirm: Confirm, wait: timedelta | None = None
    ) -> Applied:
        """Delete a snapshot that no rollback can need."""
        body = wire.DropSnapshot(location=location)
        return self._do(application, "drop-snapshot", body, confirm=confirm, wait=wait)

    def delete(
        self, application: str, *, snapshot: bool = True, confirm: Confirm, wait: timedelta | None = None
    ) -> Applied:
        """Stop the job, and forget the application."""
        return self._do(application, "delete", wire.Delete(snapshot=snapshot), confirm=confirm, wait=wait)

    def target(self, name: str) -> Target:
        """Refuse: targets are the server's."""
        raise _not_here(f"asking target {name!r}")

    # Over the wire ---------------------------------------------------------------------------------------------

    def _get(self, application: str, what: str, kind: type[T], **query: Any) -> T:
        return self.connection.get(f"/applications/{quoted(application)}/{what}", kind, **query)

    def _wished(self, desired: Desired) -> wire.Apply:
        """Return the body of an apply, with the artifact on the server."""
        self._upload(desired)
        return wire.Apply(desired=desired)

    def _upload(self, desired: Desired) -> None:
        artifact = desired.artifact
        where = f"/artifacts/{artifact.digest}"
        if not self.connection.get(where, wire.ArtifactAnswer).present:
            path = self.assembly.store.path(artifact)
            with self.reporter.activity(f"upload {artifact.file_name} to the server"):
                self.connection.upload(path, where, kind=artifact.kind.value, file_name=artifact.file_name)

    def _planned(self, application: str, verb: str, body: wire.Ask) -> wire.PlanAnswer:
        path = f"/applications/{quoted(application)}/{verb}"
        return self.connection.send("POST", path, wire.PlanAnswer, body=body, dry_run="true")

    def _do(self, application: str, verb: str, body: wire.Ask, *, confirm: Confirm, wait: timedelta | None) -> Applied:
        from scurry.engine.compatibility_refusal import refuse_unfit

        with self.assembly.places().found():
            planned = self._planned(application, verb, body)
            refuse_unfit(planned.plan)  # before anybody is asked; the server refuses it, too
            if not planned.plan.is_converged and not confirm(planned.plan):
                raise Refused("declined; nothing was changed")
            wait_s = wait.total_seconds() if wait is not None else None
            agreed = msgspec.structs.replace(body, agreed=planned.plan_id, wait_s=wait_s)
            path = f"/applications/{quoted(application)}/{verb}"
            return self.connection.change(path, agreed, self.reporter, wire.Result).applied


class RemotePruner:
    """Prunes over there: what a `Pruner` is for a project on the spot."""

    def __init__(self, connection: ServerConnection, reporter: Reporter) -> None:
        self._connection = connection
        self._reporter = reporter
        self._asked = wire.Prune()

    def plan(self, applications: Sequence[str] = ()) -> Pruning:
        """Return what would go and what stays."""
        from scurry.server.wire_prune import PruneAnswer

        asked = wire.Prune(applications=tuple(applications))
        planned = self._connection.send("POST", "/prune", PruneAnswer, body=asked, is_long=True, dry_run="true")
        self._asked = msgspec.structs.replace(asked, agreed=planned.plan_id)
        return planned.pruning

    def carry_out(self, pruning: Pruning) -> Iterator[Deleted]:
        """Delete what was planned last, and yield what became of each. Raises `PlanOutdated` when that has moved."""
        for found in self._connection.change("/prune", self._asked, self._reporter, wire.Pruned).deleted:
            if told := deleted(found):
                yield told


def deleted(report: wire.DeletedReport) -> Deleted | None:
    """Return what became of something over there; None when it is not said of what."""
    from scurry.pruning import Deleted

    what = report.snapshot or report.leftover
    error = raised(report.error) if report.error else None
    return Deleted(what=what, application=report.application, error=error, spared=report.spared) if what else None


def token_of(workspace: Workspace) -> str | None:
    """Return the token for the server: `SCURRY_TOKEN`, or what `server.token` in scurry.yaml refers to.

    Raises `SecretMissing`.
    """
    given = os.environ.get("SCURRY_TOKEN")
    token = workspace.project.server.token
    return given or (workspace.assembly.secrets.resolve(token) if token is not None else None)


def _not_here(what: str) -> PlanError:
    return PlanError(
        f"{what} is not possible through a server",
        hint="Run it in the server's own project, without --server (SCURRY_SERVER).",
    )
