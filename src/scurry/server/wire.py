"""What goes over the wire between a client and the server: bodies, answers, and the lines of a change's progress.

Everything else that is sent is the model's own types. Shared by both sides; the OpenAPI document is made from it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from scurry.model import operation as operations
from scurry.model.desired import Desired
from scurry.model.journal import Freeze, History, OperationRecord, Revision
from scurry.model.leftover import Leftover
from scurry.model.observed import Observed
from scurry.model.operation import as_asked
from scurry.model.plan import Difference, Plan
from scurry.model.report import LogLines, StatusReport
from scurry.model.result import Applied
from scurry.model.snapshot import Snapshot

API = "/api/v1"
USER = "Scurry-User"
"""the header that says for whom a client asks"""


class Ask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every change says besides what is to be done."""

    agreed: str | None = None
    """`plan_id` of the plan that was agreed to; another plan is refused. Without it, whatever the plan is"""
    wait_s: float | None = None
    """how long to wait for somebody else who is changing the application"""


class Apply(Ask, frozen=True, kw_only=True):
    """Make an application what is wished. Its artifact has to be on the server: upload it first."""

    desired: Desired


class Rollback(Ask, frozen=True, kw_only=True):
    """Go back to an earlier revision, with the state that there is."""

    to: int | None = None
    source: str = "latest"
    """`latest`, `own` (the newest that the revision itself left), or a snapshot by its name or location"""


class Stop(Ask, frozen=True, kw_only=True):
    """Stop with a savepoint, or without one."""

    snapshot: bool = True
    drain: bool = False


class Start(Ask, frozen=True, kw_only=True):
    """Start what does not run."""

    source: str = "latest"
    """`latest`, `none`, or a snapshot by its name or location"""


class Restart(Ask, frozen=True, kw_only=True):
    """Stop and start again, with no change of the configuration."""

    source: str = "latest"


class Scale(Ask, frozen=True, kw_only=True):
    """Change the parallelism of the current revision."""

    parallelism: int


class TakeSnapshot(Ask, frozen=True, kw_only=True):
    """Take a savepoint; the job goes on."""


class DropSnapshot(Ask, frozen=True, kw_only=True):
    """Delete a snapshot that no rollback can need."""

    location: str


class Delete(Ask, frozen=True, kw_only=True):
    """Stop the job, with a last snapshot unless told otherwise, and forget the application."""

    snapshot: bool = True


class Adopt(Ask, frozen=True, kw_only=True):
    """Take what runs, and the journal does not know, into it. The artifact has to be on the server: upload it first."""

    desired: Desired
    job: str | None = None
    """the job: its id or the beginning of it, or `latest`"""
    named: str | None = None
    """the job's name in Flink, if it is not the application's"""
    state: str | None = None
    """instead of a job: the location of a savepoint or checkpoint"""


Verb: TypeAlias = Apply | Adopt | Rollback | Stop | Start | Restart | Scale | TakeSnapshot | DropSnapshot | Delete


class Prune(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Delete snapshots that no policy keeps and nothing needs; of all applications, unneeded files, too."""

    applications: tuple[str, ...] = ()
    """only their snapshots; all without any"""
    agreed: str | None = None
    """`plan_id` of what was agreed to; if by now something else would go, it is refused"""


class FreezeAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let nothing in a scope be changed: `*`, `target:NAME` or `application:ID`."""

    scope: str
    reason: str
    by: str | None = None


# Answers -------------------------------------------------------------------------------------------------------


class PlanAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What would be done now."""

    plan_id: str
    """names the plan: the journal's position and the operations. Send it as `agreed`"""
    plan: Plan


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How applications are."""

    applications: tuple[StatusReport, ...]


class HistoryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, newest first."""

    revisions: tuple[Revision, ...]
    operations: tuple[OperationRecord, ...]


class DiffAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two revisions."""

    differences: tuple[Difference, ...]


class SnapshotsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The states that an application could start from, newest first."""

    snapshots: tuple[Snapshot, ...]


class LookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the target and the journal say."""

    observed: Observed
    history: History


class NamesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The applications that are known."""

    applications: tuple[str, ...]


class JournalAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal says of an application; of one that it does not know, position 0."""

    history: History


class RevisionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A revision, if there is one of that number."""

    revision: Revision | None


class FreezesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is frozen."""

    freezes: tuple[Freeze, ...]


class ArtifactAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the server has an artifact."""

    digest: str
    present: bool


class LogsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The ends of the logs of the processes that run an application."""

    logs: tuple[LogLines, ...]


class ProblemReport(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with the journal."""

    message: str
    hint: str | None = None
    file: str | None = None
    """on the server's machine"""


class JournalCheckAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with the server's journal; without problems it is whole, and nothing is left open in it."""

    place: str
    """a path on the server's machine, or an address without its password"""
    problems: tuple[ProblemReport, ...]


class TargetReport(msgspec.Struct, frozen=True, kw_only=True):
    """A target as the servers see it."""

    name: str
    server: str | None
    """which of them looks after it"""
    applications: int
    surveyed_at: datetime | None = None
    silent_since: datetime | None = None
    why: str | None = None


class ServerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The server that answers, and the others on its journal."""

    name: str
    version: str
    ready: bool
    servers: tuple[str, ...]
    targets: tuple[TargetReport, ...]
    in_hand: int
    waiting: int


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, as the command line's `--json` tells it."""

    code: str
    message: str
    hint: str | None = None
    problems: tuple[dict[str, Any], ...] = ()
    target: str | None = None
    owner: str | None = None
    since: str | None = None
    cause: str | None = None
    retry_after_s: float | None = None
    about: tuple[str | int, ...] | None = None
    """the key of the application's file that it is about, or of scurry.yaml's (`in_project`)"""
    in_project: bool = False


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An error."""

    schema: str
    error: ErrorBody


class DeletedReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one thing that was to be deleted: a snapshot or a leftover."""

    snapshot: Snapshot | None = None
    leftover: Leftover | None = None
    application: str | None = None
    error: ErrorBody | None = None
    """it is still there, and is tried again by the next pruning"""
    spared: str | None = None
    """why it was not tried"""


# The lines of a change's progress ------------------------------------------------------------------------------


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag="begin", tag_field="event"):
    """A piece of work begins."""

    id: int
    title: str
    total: float | None = None


class Advance(msgspec.Struct, frozen=True, kw_only=True, tag="advance", tag_field="event"):
    """It got further by an amount."""

    id: int
    amount: float


class Describe(msgspec.Struct, frozen=True, kw_only=True, tag="describe", tag_field="event"):
    """What it is at."""

    id: int
    text: str


class End(msgspec.Struct, frozen=True, kw_only=True, tag="end", tag_field="event"):
    """It is over."""

    id: int
    done: bool


class Note(msgspec.Struct, frozen=True, kw_only=True, tag="note", tag_field="event"):
    """Something worth knowing."""

    text: str
    warning: bool = False


class Alive(msgspec.Struct, frozen=True, kw_only=True, tag="alive", tag_field="event"):
    """Nothing is new; the connection stands."""


class Result(msgspec.Struct, frozen=True, kw_only=True, tag="result", tag_field="event"):
    """The last line: what became of it."""

    applied: Applied


class Pruned(msgspec.Struct, frozen=True, kw_only=True, tag="pruned", tag_field="event"):
    """The last line of a pruning: what became of each thing."""

    deleted: tuple[DeletedReport, ...]


class Added(msgspec.Struct, frozen=True, kw_only=True, tag="logs", tag_field="event"):
    """Lines of logs: first their ends, then what was added."""

    logs: tuple[LogLines, ...]


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="error", tag_field="event"):
    """The last line: why it could not be done."""

    error: ErrorBody


Line: TypeAlias = Begin | Advance | Describe | End | Note | Alive | Result | Pruned | Added | Failed


def plan_id(plan: Plan) -> str:
    """Return a plan's name: equal when the same would be done at the same position of the journal."""
    wanted = [_untimed(as_asked(change.operation)) for change in plan.changes]
    content = msgspec.json.encode([plan.application, plan.position, wanted], order="deterministic")
    return hashlib.sha256(content).hexdigest()[:24]


def _untimed(operation: operations.Operation) -> object:
    """Return an operation without the moment at which it was planned: a state that is adopted counts as taken then."""
    if not isinstance(operation, operations.Adopt) or operation.job_id is not None:
        return operation
    return [operation.desired, [snapshot.location for snapshot in operation.snapshots]]
