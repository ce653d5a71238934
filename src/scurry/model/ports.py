"""The ports: what the engine needs from outside. In the model, so that no adapter has to import the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from scurry.model.reporting import Activity, Reporter

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime, timedelta
    from pathlib import Path

    from scurry.model.desired import ApplicationId, Artifact, Desired
    from scurry.model.journal import (
        Alert,
        Freeze,
        History,
        Intent,
        Lease,
        OperationOutcome,
        OperationRecord,
        Revision,
        RevisionOutcome,
    )
    from scurry.model.leftover import Leftover
    from scurry.model.observed import Job, Observed
    from scurry.model.operation import Action, Operation, Outcome, Step
    from scurry.model.snapshot import Exported, Restore, Snapshot, SnapshotFormat
    from scurry.model.state import JobGraph, OpenedProgram, SnapshotRead, StateHeads
    from scurry.model.values import Text


class Clock(Protocol):
    """Time, so that deciding and waiting can be tested without it."""

    def now(self) -> datetime:
        """Return the time, with its zone (UTC)."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Secrets(Protocol):
    """Resolves references to secrets, at the last moment."""

    def resolve(self, text: Text) -> str:
        """Return the plain text. Raises `SpecInvalid` when the secret is not there."""


class ArtifactStore(Protocol):
    """Artifacts by digest."""

    def path(self, artifact: Artifact) -> Path:
        """Return where the bytes are. Raises `ArtifactError` when they are not there or were changed."""


class Marks(Protocol):
    """Chooses the marks of an operation's steps, the same ones again for what is not known to have ended."""

    def job_id(self) -> str:
        """Return the id for the job of the next submit: 32 hexadecimal digits."""

    def trigger_id(self, action: Action) -> str:
        """Return the id for the next stop or snapshot, never the same for both: 32 hexadecimal digits."""


class StepContext(Protocol):
    """What a step may use while it runs."""

    @property
    def desired(self) -> Desired | None:
        """The wish that the operation carries, if it carries one."""

    @property
    def restore(self) -> Restore:
        """Where the state comes from: never `FromLatest` any more when a submit runs."""

    @property
    def artifact_ref(self) -> str | None:
        """Where this operation's upload went, if one ran."""

    @property
    def secrets(self) -> Secrets:
        """Resolves references to secrets."""

    @property
    def artifacts(self) -> ArtifactStore:
        """The artifact store."""

    @property
    def activity(self) -> Activity:
        """Told of the step's progress."""


class Target(Protocol):
    """A place that runs applications. Only `run` changes anything there."""

    name: str
    kind: str

    def survey(self) -> Mapping[str, Job]:
        """Return every job that the target shows, by id, with one call to it. For looking at many applications."""

    def observe(self, application: ApplicationId, marks: Sequence[str]) -> Observed:
        """Return what the target says of one application now; never writes, never raises for an absent target."""

    def steps(self, operation: Operation, marks: Marks) -> tuple[Step, ...]:
        """Lower an operation to outside calls, in order. Pure: the same operation and marks give the same steps."""

    def run(self, step: Step, context: StepContext) -> Outcome:
        """Make the call and wait for its end. Raises `TargetUnavailable` when its effect is not known."""

    def find(self, step: Step) -> Outcome | None:
        """Say whether a step that was started and not known to have ended did land: its outcome, or None.

        Waits for one that is in progress. Raises `TargetUnavailable` when the target cannot tell now.
        """


class Log(Protocol):
    """A log of one process. The lines of `more` go on where the call before it, of either, ended."""

    name: str

    def tail(self, lines: int) -> tuple[str, ...]:
        """Return the last lines."""

    def more(self) -> tuple[str, ...]:
        """Return the lines that were added since."""


@runtime_checkable
class KeepsLogs(Protocol):
    """What a target is, too, if it can give the logs of the processes that run an application."""

    def logs(self, application: ApplicationId, flink_version: str) -> Sequence[Log]:
        """Return the logs. Raises `TargetUnavailable`."""


@runtime_checkable
class Heals(Protocol):
    """What a target is, too, if it looks after the place itself and not only after what runs there."""

    def heal(self) -> None:
        """Put back what died of the place, so that its applications can recover. Called before anything is changed."""


@runtime_checkable
class TellsOfStrangers(Protocol):
    """What a target is, too, if it can tell more of a job that scurry did not start. Only looks."""

    def settings(self, job_id: str) -> Mapping[str, str]:
        """Return a job's Flink options as far as the target shows them. Raises `JobNotFound`, `TargetUnavailable`."""

    def left_by(self, job: Job) -> tuple[Snapshot, ...]:
        """Return what a job, and the one that it was started from, have left that this machine can see, newest first.

        Not the checkpoints of the job itself while it runs: those come and go.
        """


@runtime_checkable
class KeepsUploads(Protocol):
    """What a target is, too, if its clusters keep what was uploaded to them."""

    def uploads(self, known: Collection[Artifact], *, before: datetime) -> tuple[Leftover, ...]:
        """Return the uploads of these artifacts that were made before a time. Raises `TargetUnavailable`."""

    def forget_upload(self, upload: Leftover) -> None:
        """Delete an upload; one that is gone already is no error. Raises `TargetUnavailable`."""


@runtime_checkable
class RunsFlink(Protocol):
    """What a target is, too, if its snapshots are Flink's own files, whose content can be read. Only looks."""

    def defaults(self, flink_version: str) -> Mapping[str, str]:
        """Return the Flink options that jobs have there unless they set their own. Raises `TargetUnavailable`."""


@runtime_checkable
class ExportsSnapshots(RunsFlink, Protocol):
    """What a target is, too, if it keeps its snapshots to itself, and copies of some can be read. Only looks."""

    def exported(self, snapshot: Snapshot) -> Exported | None:
        """Return where the bytes of a snapshot can be read; None: nowhere. Raises `TargetUnavailable`."""


@runtime_checkable
class TellsFormats(Protocol):
    """What a target is, too, if the format of a savepoint depends on the job. Only looks."""

    def savepoint_format(self, job_id: str) -> SnapshotFormat | None:
        """Return the format in which a running job's savepoints can be written; None where it does not tell.

        Raises `JobNotFound`, `TargetUnavailable`.
        """


class ReadsSnapshots(Protocol):
    """Reads what state a snapshot holds."""

    def read(self, location: str, options: Mapping[str, Text]) -> SnapshotRead:
        """Return what is in it. `options`: those of the job that wrote it, which say where its object store is.

        Raises `SnapshotNotFound` when it is not there (any more), else a `ScurryError`.
        """

    def read_exported(self, exported: Exported) -> SnapshotRead:
        """Return what is in a copy. Raises as `read` does."""


class AsksPrograms(Protocol):
    """Asks a program what job it will be, without running the job; the user's code runs for this, apart."""

    def graph(self, desired: Desired, defaults: Mapping[str, str], *, as_known: bool = False) -> JobGraph:
        """Return its operators. `defaults`: options where `desired` has none. Raises a `ScurryError` when it fails.

        `as_known`: an earlier answer of the same program will do.
        """

    def opened(
        self, desired: Desired, defaults: Mapping[str, str], heads: Sequence[StateHeads], *, backend: str | None
    ) -> OpenedProgram:
        """Open its operators with the descriptions of old state, by their ids in the new version.

        What cannot be opened is in the answer. Raises a `ScurryError` when nothing could be.
        """

    def is_sql(self, desired: Desired) -> bool:
        """Whether it is an SQL script: its operators are named by what they compute."""

    def changed_classes(self, before: Desired, after: Desired) -> frozenset[str] | None:
        """Return the classes that differ between two versions' artifacts; None where that cannot be told."""


class Journal(Protocol):
    """The durable truth: revisions, operations and steps, snapshots, leases.

    Every write about an application needs a valid lease. Freezes and the attendance of servers are no such writes:
    they need none, move no position, and are possible while an operation runs.
    """

    def applications(self) -> tuple[ApplicationId, ...]:
        """Return the applications that are known and not deleted."""

    def positions(self) -> Mapping[ApplicationId, int]:
        """Return the positions of the applications that are known and not deleted, by one cheap query.

        For who looks after many: read the `history` of those whose position moved.
        """

    def history(self, application: ApplicationId) -> History:
        """Return the summary that decisions are made from."""

    def revisions(
        self, application: ApplicationId, *, limit: int = 20, before: int | None = None
    ) -> tuple[Revision, ...]:
        """Return revisions, newest first."""

    def revision(self, application: ApplicationId, number: int) -> Revision | None:
        """Return one revision."""

    def operations(self, application: ApplicationId, *, limit: int = 20) -> tuple[OperationRecord, ...]:
        """Return operations with their steps, newest first."""

    def snapshots(
        self, application: ApplicationId, *, limit: int = 1000, before: datetime | None = None
    ) -> tuple[Snapshot, ...]:
        """Return the snapshots that were not dropped, newest first; with `before`, those that were taken earlier.

        A page is longer than `limit` when more were taken at the very time of its last one: the next page, asked for
        with `before` of that time, misses none.
        """

    def acquire(self, application: ApplicationId, *, duration: timedelta) -> Lease:
        """Become the one writer. Raises `ApplicationLocked`."""

    def renew(self, lease: Lease, *, duration: timedelta) -> Lease:
        """Stay the one writer. Raises `LeaseLost`."""

    def release(self, lease: Lease) -> None:
        """Let others write."""

    def set_intent(self, lease: Lease, intent: Intent) -> None:
        """Remember what a person asked for."""

    def add_revision(self, lease: Lease, desired: Desired) -> Revision:
        """Number a wish. The newest revision again if it is equal and still pending."""

    def judge_revision(self, lease: Lease, number: int, outcome: RevisionOutcome, *, error: str | None = None) -> None:
        """Say what became of a revision."""

    def start_operation(
        self, lease: Lease, operation: Operation, *, reason: str, revision: int | None
    ) -> OperationRecord:
        """Remember that an operation begins. Raises `JournalError` while an earlier one is open: end that first."""

    def finish_operation(
        self,
        lease: Lease,
        operation: int,
        outcome: OperationOutcome,
        *,
        error: str | None = None,
        gap_s: float | None = None,
    ) -> None:
        """Remember how it ended. The same end again changes nothing; another one raises `JournalError`."""

    def start_step(self, lease: Lease, operation: int, step: Step) -> int:
        """Remember that a step will run now; durable when this returns. Returns its ordinal, its index in `steps`."""

    def finish_step(
        self, lease: Lease, operation: int, ordinal: int, *, outcome: Outcome | None = None, error: str | None = None
    ) -> None:
        """Remember how a step ended, and the snapshot that it brought (or, for a dispose, took away).

        Neither outcome nor error: it is known that it did not land.
        """

    def drop_snapshot(self, lease: Lease, snapshot: Snapshot) -> None:
        """Remember that a snapshot is gone."""

    def transaction(self) -> AbstractContextManager[None]:
        """Group writes: all of them or none."""

    def freeze(self, scope: str, *, reason: str, by: str | None = None) -> Freeze:
        """Remember that nothing in a scope is to be changed: `*`, `target:NAME` or `application:ID`. Needs no lease.

        A scope that is frozen already gets the new reason. `by` is who asked; without it, this process. The journal
        only remembers it: who changes things asks for `freezes`. Raises `JournalError` for what is no scope.
        """

    def thaw(self, scope: str) -> bool:
        """Take a freeze back; False when there was none. Needs no lease."""

    def freezes(self) -> tuple[Freeze, ...]:
        """Return all freezes, by scope."""

    def attend(self, server: str, *, duration: timedelta) -> tuple[str, ...]:
        """Say that a server lives from now on for `duration`. Returns the names of all that live, sorted.

        For sharing work among servers. It protects nothing: two of them may differ about who lives, and the lease of
        each application is what lets only one of them write.
        """

    def leave(self, server: str) -> None:
        """Say that a server ends, so that the others need not wait until its time is over."""

    def alerts(self) -> tuple[Alert, ...]:
        """Return what people were told and is not over, by application: one of each at most. Needs no lease."""

    def remember_alert(self, application: ApplicationId, *, cause: str, what: str) -> Alert:
        """Remember what people were told of an application, in place of what they were told before. Needs no lease."""

    def forget_alert(self, application: ApplicationId) -> None:
        """Remember that it is over; nothing, when nothing was. Needs no lease."""


__all__ = [
    "Activity",
    "ArtifactStore",
    "AsksPrograms",
    "Clock",
    "ExportsSnapshots",
    "Heals",
    "Journal",
    "KeepsLogs",
    "KeepsUploads",
    "Log",
    "Marks",
    "ReadsSnapshots",
    "Reporter",
    "RunsFlink",
    "Secrets",
    "StepContext",
    "Target",
    "TellsFormats",
    "TellsOfStrangers",
]
