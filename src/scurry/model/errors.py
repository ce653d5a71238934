"""The one tree of errors. The class says what a caller can do about it; `code` is stable and documented.

    ScurryError
    ├── SpecInvalid                    fix your file; all problems are gathered and shown together
    ├── PlanError                      the change cannot be made as things stand
    │   ├── PlanOutdated               plan again: the journal moved
    │   ├── SnapshotNotFound           name another one, or say `none`
    │   │   └── SnapshotGone           it was deleted while it was read: read the next one
    │   ├── SnapshotUnreadable         its bytes are not what Flink writes: which file, offset, field
    │   ├── NothingToRollBackTo
    │   ├── Frozen                     a person forbade all changes for now: who, since when, why
    │   └── Refused                    needs a decision of a person (state would be lost, confirmation missing)
    │       └── IncompatibleState      the new version cannot take the state over
    ├── TargetError                    the place that runs applications
    │   ├── TargetUnavailable          transient: trying again may help (`retry_after_s`)
    │   ├── RejectedByTarget           terminal until the spec or the target changes
    │   └── TargetUnsuitable           answers, but is not what the spec asks for
    ├── RuntimeUnavailable             Flink or Java for this machine cannot be had
    ├── ArtifactError                  jar, script, connector or requirement missing or unreadable
    ├── JournalError
    │   ├── ApplicationLocked          somebody else is at it: who, since when
    │   ├── LeaseLost                  we were paused past our lease; nothing was written
    │   ├── JournalUnavailable         its server does not answer: try again; `in_doubt`: look before you do
    │   ├── JournalTooNew              written by a newer scurry
    │   └── JournalDamaged
    ├── StorageError                   where snapshots are does not answer, or lets nobody in
    │   └── StorageFull                make room, then do the same again
    ├── WorkspaceError                 no project, no right to it, disk full
    │   └── SecretMissing              a reference to a secret names nothing that is there
    ├── ServerError                    a scurry server answered something that no other class is for
    │   ├── ServerUnavailable          it does not answer
    │   └── ServerLost                 the connection broke in the middle; the server goes on
    └── MissingExtra                   an optional dependency is not installed

Text: what is wrong with the name in quotes, why if it is not plain, and in `hint` what to do: a command
on its own line.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from scurry.model.values import SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a file: line and column count from 1, `key` is the path to the value (`upgrade.health.window`)."""

    file: str
    line: int | None = None
    column: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        parts = [self.file, *(str(n) for n in (self.line, self.column) if n is not None)]
        return ":".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong in a file, and what to do about it."""

    message: str
    place: Place | None = None
    hint: str | None = None

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        key = f"{self.place.key}: " if self.place and self.place.key else ""
        return f"{where}{key}{self.message}"


@dataclass(frozen=True, slots=True)
class About:
    """The key that an error is about, said by who does not know the file; who does makes a `Place` of it."""

    path: tuple[str | int, ...]
    in_project: bool = False
    """in scurry.yaml, not in the application's file"""


class ScurryError(Exception):
    """Anything that scurry refuses or fails to do, told so that the reader can act on it."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str | None = None, place: Place | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = place
        self.about: About | None = None

    def concerning(self, *path: str | int, in_project: bool = False) -> Self:
        """Say which key this is about, unless somebody who knew it better has. Returns the error, to be raised."""
        self.about = self.about or About(path, in_project=in_project)
        return self


@contextmanager
def concerning(*path: str | int, in_project: bool = False) -> Iterator[None]:
    """Say of every error of the block which key it is about, unless it says so itself."""
    try:
        yield
    except ScurryError as error:
        error.concerning(*path, in_project=in_project)
        raise


class SpecInvalid(ScurryError):
    """A file of the user's is wrong. `problems` holds all that were found, in file order, never only the first."""

    code = "spec-invalid"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        first = problems[0]
        super().__init__("\n".join(str(problem) for problem in problems), hint=first.hint, place=first.place)
        self.problems = problems


class PlanError(ScurryError):
    """The change cannot be made as things stand; nothing was touched."""

    code = "plan-error"


class PlanOutdated(PlanError):
    """The journal moved since the plan was made."""

    code = "plan-outdated"


class SnapshotNotFound(PlanError):
    """The state to start from does not exist (any more)."""

    code = "snapshot-not-found"


class SnapshotGone(SnapshotNotFound):
    """A file of a snapshot vanished while the snapshot was read, as a checkpoint's do when a newer one is complete."""

    code = "snapshot-gone"


class SnapshotUnreadable(PlanError):
    """The bytes of a snapshot are not what Flink writes. `offset` counts from the start of the file that is named."""

    code = "snapshot-unreadable"

    def __init__(self, message: str, *, offset: int, field: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.offset = offset
        self.field = field


class NothingToRollBackTo(PlanError):
    """No earlier healthy revision with its state is there."""

    code = "nothing-to-roll-back-to"


class Frozen(PlanError):
    """A person said that nothing is to be changed for now."""

    code = "frozen"

    def __init__(self, message: str, *, owner: str, since: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.owner = owner
        self.since = since


class Refused(PlanError):
    """The change needs a decision of a person that was not given."""

    code = "refused"


class IncompatibleState(Refused):
    """The new version cannot take the old one's state over, or would drop what nobody allowed to be dropped."""

    code = "incompatible-state"


class TargetError(ScurryError):
    """A target failed. `target` names it as the project file does."""

    code = "target-error"

    def __init__(self, message: str, *, target: str = "", hint: str | None = None, place: Place | None = None) -> None:
        super().__init__(message, hint=hint, place=place)
        self.target = target


class TargetUnavailable(TargetError):
    """The target does not answer, or not now. Whether the last call had an effect is not known."""

    code = "target-unavailable"

    def __init__(self, message: str, *, target: str = "", hint: str | None = None, retry_after_s: float = 1.0) -> None:
        super().__init__(message, target=target, hint=hint)
        self.retry_after_s = retry_after_s


class RejectedByTarget(TargetError):
    """The target understood and said no. `cause` is the root of what Flink reported, whole."""

    code = "rejected-by-target"

    def __init__(
        self, message: str, *, target: str = "", hint: str | None = None, cause: str = "", place: Place | None = None
    ) -> None:
        super().__init__(message, target=target, hint=hint, place=place)
        self.cause = cause


class JobNotFound(RejectedByTarget):
    """The target knows no job of this id: it never got it, or it restarted and forgot it."""

    code = "job-not-found"


class AlreadySubmitted(RejectedByTarget):
    """The target has had a job of this id before; so the submission whose answer was lost did land."""

    code = "already-submitted"


class TargetUnsuitable(TargetError):
    """The target answers but is not what the spec asks for: another Flink version, too few slots, no Flink at all."""

    code = "target-unsuitable"


class RuntimeUnavailable(ScurryError):
    """Flink or Java for this machine cannot be had."""

    code = "runtime-unavailable"


class ArtifactError(ScurryError):
    """A jar, script, connector or requirement is missing or cannot be used."""

    code = "artifact-error"


class JournalError(ScurryError):
    """The journal cannot be read or written."""

    code = "journal-error"


class ApplicationLocked(JournalError):
    """Somebody else is changing this application."""

    code = "application-locked"

    def __init__(self, message: str, *, owner: str, since: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.owner = owner
        self.since = since


class LeaseLost(JournalError):
    """This process lost the right to write; another one may have gone on. Nothing was written."""

    code = "lease-lost"


class JournalUnavailable(JournalError):
    """The journal's server does not answer, or undid a write. Trying again may help.

    `in_doubt`: it is not known whether the write is in the journal. Otherwise nothing was written.
    """

    code = "journal-unavailable"

    def __init__(self, message: str, *, hint: str | None = None, in_doubt: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.in_doubt = in_doubt


class JournalTooNew(JournalError):
    """The journal was written by a newer scurry."""

    code = "journal-too-new"


class JournalDamaged(JournalError):
    """The journal's file is not a journal, or it is broken."""

    code = "journal-damaged"


class StorageError(ScurryError):
    """The place where a snapshot is, or is to go, does not answer, is not allowed to us, or cannot be used so."""

    code = "storage-error"


class StorageFull(StorageError):
    """There is no room left where a snapshot is to go. What was written so far is kept."""

    code = "storage-full"


class WorkspaceError(ScurryError):
    """The workspace cannot be used: no project file, no permission, no room on the disk."""

    code = "workspace-error"


class SecretMissing(WorkspaceError):
    """A secret that a file refers to is not there, or cannot be read."""

    code = "secret-missing"

    def __init__(self, message: str, *, secret: SecretRef, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.secret = secret


class ServerError(ScurryError):
    """A scurry server that was asked (`--server`) refused, or answered what cannot be understood."""

    code = "server-error"


class ServerUnavailable(ServerError):
    """The server does not answer; nothing was asked of it."""

    code = "server-unavailable"


class ServerLost(ServerError):
    """The connection broke while the server was at it; it goes on."""

    code = "server-lost"


class MissingExtra(ScurryError):
    """An optional dependency is not installed."""

    code = "missing-extra"

    def __init__(self, extra: str, *, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the extra {extra!r}", hint=f"To install it, run:\n  pip install 'scurry[{extra}]'"
        )
        self.extra = extra
