"""Operations: neutral intents that are shown to people. A closed union: `match` with `assert_never` keeps it so.

An operation is lowered by a target to steps: one idempotent outside call each, journalled before and after.
There is no third level.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec

from scurry.model.desired import Desired, UpgradeMode
from scurry.model.snapshot import Restore, Snapshot


class Deploy(msgspec.Struct, frozen=True, kw_only=True, tag="deploy"):
    """Run an application where none runs, for the first time (or again after a delete)."""

    desired: Desired
    restore: Restore
    drops: tuple[str, ...] | None = None
    """operators whose state is lost, which is allowed: Flink is told so. None: nobody could look"""


class Upgrade(msgspec.Struct, frozen=True, kw_only=True, tag="upgrade"):
    """Stop the running job and start another revision, or the same one again, from its state.

    `restore` says how the old job ends, too. `FromLatest`: by `mode`, so that its newest state is what the new one
    starts from. `FromSnapshot`, `Stateless`: it is cancelled, since nothing that it could still write is wanted.
    A rollback is an upgrade towards an older revision.
    """

    desired: Desired
    restore: Restore
    mode: UpgradeMode
    job_id: str
    rollback_to: int | None = None
    recovery: bool = False
    """decided by scurry itself, since the job went bad"""
    drops: tuple[str, ...] | None = None
    """operators whose state is lost, which is allowed: Flink is told so. None: nobody could look"""


class Rescale(msgspec.Struct, frozen=True, kw_only=True, tag="rescale"):
    """Change the parallelism in place; the job is not stopped by us."""

    desired: Desired
    job_id: str


class Adjust(msgspec.Struct, frozen=True, kw_only=True, tag="adjust"):
    """Record a revision that differs only in what scurry itself reads. Nothing restarts."""

    desired: Desired


class Suspend(msgspec.Struct, frozen=True, kw_only=True, tag="suspend"):
    """Stop with a savepoint (`snapshot`), or without one."""

    job_id: str
    snapshot: bool = True
    drain: bool = False


class Resume(msgspec.Struct, frozen=True, kw_only=True, tag="resume"):
    """Start again what does not run: suspended, failed or lost."""

    desired: Desired
    restore: Restore
    recovery: bool = False
    """decided by scurry itself, since the job went bad"""
    drops: tuple[str, ...] | None = None
    """operators whose state is lost, which is allowed: Flink is told so. None: nobody could look"""


class TakeSnapshot(msgspec.Struct, frozen=True, kw_only=True, tag="take-snapshot"):
    """Take a savepoint; the job goes on."""

    job_id: str


class DropSnapshot(msgspec.Struct, frozen=True, kw_only=True, tag="drop-snapshot"):
    """Delete a snapshot that no rollback can need."""

    snapshot: Snapshot


class Delete(msgspec.Struct, frozen=True, kw_only=True, tag="delete"):
    """Stop the job, if one runs, and forget the application; with a last snapshot unless told otherwise."""

    job_id: str | None
    snapshot: bool = True


class Adopt(msgspec.Struct, frozen=True, kw_only=True, tag="adopt"):
    """Take what this journal does not know into it: a job that runs, or only its state. Nothing changes outside."""

    desired: Desired
    """what runs, as far as the target shows it; the rest as the spec says"""
    job_id: str | None
    """None: no job runs, and the application is suspended, with its state in `snapshots`"""
    sound: bool
    """the whole job ran when it was adopted: its revision counts as healthy"""
    restored: Snapshot | None = None
    """what it was started from"""
    snapshots: tuple[Snapshot, ...] = ()
    """what it, and the job before it, have left where the target can see it"""


Operation: TypeAlias = (
    Deploy | Upgrade | Rescale | Adjust | Suspend | Resume | TakeSnapshot | DropSnapshot | Delete | Adopt
)


def as_asked(operation: Operation) -> Operation:
    """Return an operation without what was found out of its state: that is looked for anew each time."""
    match operation:
        case Deploy() | Upgrade() | Resume():
            return msgspec.structs.replace(operation, drops=None)
        case _:
            return operation


class Action(StrEnum):
    """What a step does outside. Targets use the ones they need."""

    PREPARE = "prepare"
    """make the place ready: start the local cluster"""
    UPLOAD = "upload"
    """bring the artifact to where the target can run it"""
    CHECK = "check"
    """all that can be known beforehand says that the new job can start: class loads, graph builds, slots suffice"""
    STOP = "stop"
    """Flink's atomic stop with savepoint"""
    CANCEL = "cancel"
    """stop without a savepoint"""
    SUBMIT = "submit"
    RESCALE = "rescale"
    SNAPSHOT = "snapshot"
    DISPOSE = "dispose"
    """delete a snapshot's files"""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One idempotent outside call. Run again with the same mark it joins or finds what the first run did."""

    action: Action
    mark: str
    """chosen by us, shown again by the target: the job id of a submit, the trigger id of a stop or snapshot"""
    title: str
    """for people: `stop job 3f2a… with a savepoint`"""
    inputs: Mapping[str, Any] = {}
    """what it needs beside the operation, as JSON; no secrets"""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a step brought about."""

    job_id: str | None = None
    snapshot: Snapshot | None = None
    restored: Snapshot | None = None
    """what a submitted job was restored from"""
    artifact_ref: str | None = None
    """where the target keeps the artifact (Flink's jar id)"""
    detail: Mapping[str, Any] = {}
