"""Forks: an application again, under another name, from a copy of its state. The original is only read.

Part of floor 3, above the workspace. A fork is a snapshot copied, its state adopted under the new name, and that
started from there: so what a crash interrupts is known to the journal, and `scurry start NAME` goes on.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from scurry.engine.adoption import Wanted
from scurry.model.application import NAME_PATTERN
from scurry.model.errors import ArtifactError, PlanError, Refused, ScurryError, SnapshotGone, SnapshotNotFound
from scurry.model.project import LocalTarget, RestTarget
from scurry.savepoints.copy import copy_snapshot
from scurry.savepoints.files import local_path
from scurry.savepoints.snapshot import read_snapshot
from scurry.savepoints.storage import AnyStorage, absolute, kind_of
from scurry.stored_state import PAUSES_S, flink_options, options_of, storage_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from scurry.model.desired import Desired
    from scurry.model.plan import Plan
    from scurry.model.result import Applied
    from scurry.model.snapshot import Snapshot
    from scurry.savepoints.copy import Copied
    from scurry.workspace import Workspace

LATEST = "latest"
LABEL = "scurry.fork-of"
_SAVEPOINTS = ("execution.checkpointing.savepoint-dir", "state.savepoints.dir")
_TELLING = re.compile(r"group|topic|path|table|bucket|stream|index|queue", re.IGNORECASE)
_SECRET = re.compile(r"secret|password|token|key\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person asks for."""

    application: str
    snapshot: str
    """`latest`, the name of a snapshot of the application, or a location"""
    name: str
    target: str | None = None
    """None: the application's own"""
    place: str | None = None
    """the directory for the copy; None: the target's own"""
    parallelism: int | None = None
    with_sinks: bool = False
    """of a rehearsal: it may write where its program does"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """What will be done."""

    asked: Asked
    desired: Desired
    source: str
    """the snapshot's location"""
    place: str
    """of the copy"""
    warnings: tuple[str, ...]
    bound: tuple[str, ...] = ()
    """names of sinks whose state says where they write, as far as the snapshot could be read"""


def plan_fork(workspace: Workspace, asked: Asked) -> Fork:
    """Return what a fork will do. Changes nothing. Raises `PlanError`, `Refused`, `SnapshotNotFound`."""
    _, history = workspace.observe(asked.application)
    if history.current is None:
        raise PlanError(f"{asked.application!r} was never started")
    return fork_of(workspace, asked, history.current.desired)


def fork_of(workspace: Workspace, asked: Asked, original: Desired) -> Fork:
    """Return the fork of an application with a wish of its own. Raises as `plan_fork` does."""
    _refuse_name(asked)
    desired = msgspec.structs.replace(
        original,
        application=asked.name,
        target=asked.target or original.target,
        parallelism=asked.parallelism or original.parallelism,
        labels={**original.labels, LABEL: asked.application},
    )
    workspace.assembly.settings_of(desired.target)
    _refuse_known(workspace, desired)
    source = _source(workspace, asked)
    bound = tuple(_bound(workspace, asked.application, source))
    return Fork(
        asked=asked,
        desired=desired,
        source=source,
        place=_place(workspace, asked, desired, source),
        warnings=tuple(_warnings(workspace, asked.application, desired, bound)),
        bound=bound,
    )


def _bound(workspace: Workspace, application: str, source: str) -> Iterator[str]:
    """Yield the sinks that go on where their state says: Flink's FileSink in its folder, KafkaSink in its transactions.

    None of a snapshot that cannot be read, as a checkpoint that is gone by now.
    """
    from scurry.engine.compatibility import handle
    from scurry.engine.compatibility_losses import OF_SINKS

    with suppress(ScurryError):
        found = read_snapshot(source, storage_of(workspace, application, source))
        for operator in found.operators:
            if any(state.name in OF_SINKS for state in operator.states):
                yield operator.name or handle(operator.uid, None, operator.id)


def carry_out(
    workspace: Workspace, fork: Fork, *, wait: timedelta | None = None, seen: Callable[[Plan], None] = lambda plan: None
) -> Applied:
    """Copy, adopt, start. The same call goes on from what a crash interrupted. Raises what these raise.

    `seen` is shown the plan of the start.
    """

    def agreed(plan: Plan) -> bool:
        seen(plan)
        return True

    workspace.refuse_frozen(fork.desired.application, fork.desired.target)
    copied = copy_state(workspace, fork)
    if fork.desired.application not in workspace.journal.applications():
        state = Wanted(state=copied.location)
        workspace.take_over(fork.desired, state, confirm=lambda plan: True, wait=wait)
    return workspace.start(fork.desired.application, source=copied.location, confirm=agreed, wait=wait)


def copy_state(workspace: Workspace, fork: Fork) -> Copied:
    """Copy the state of a fork. Where `latest` is wanted, a checkpoint that vanishes is followed by the next one.

    Raises as `copy_snapshot` does.
    """
    source = fork.source
    for pause in PAUSES_S:
        storage = AnyStorage(flink_options(workspace, fork.asked.application))
        try:
            return copy_snapshot(source, fork.place, storage, workspace.reporter, again=True)
        except SnapshotNotFound:
            if fork.asked.snapshot != LATEST:
                raise
        discard(fork.place)
        workspace.clock.sleep(pause)
        source = _newest(workspace, fork.asked.application).location
    raise SnapshotGone(
        f"each checkpoint of {fork.asked.application!r} was deleted while it was copied",
        hint=f"Take a savepoint, which stays, and fork from that:\n  scurry snapshot create {fork.asked.application}",
    )


def discard(place: str) -> None:
    """Delete a copy, or the beginning of one. Raises `StorageError`."""
    if kind_of(place) == "file":
        shutil.rmtree(local_path(place), ignore_errors=True)
        return
    storage = AnyStorage()
    # `_metadata` first: what is left of an interrupted deletion is no snapshot.
    for name in sorted(storage.listing(place), key=lambda name: name != "_metadata"):
        storage.delete(f"{place}/{name}")


def _refuse_name(asked: Asked) -> None:
    if asked.name == asked.application:
        raise Refused(
            f"a fork of {asked.application!r} needs another name: there is one line of revisions for each",
            hint=f"Name it, for example:\n  scurry fork {asked.application} --from {asked.snapshot} "
            f"--as {asked.application.partition('@')[0]}-fork",
        )
    if not re.fullmatch(NAME_PATTERN, asked.name):
        raise Refused(f"{asked.name!r} is no name of an application: letters, digits, '-', '_' and '.'")


def _refuse_known(workspace: Workspace, desired: Desired) -> None:
    """Raise `Refused` when there is an application of that name, unless it is this fork, not yet started."""
    if desired.application not in workspace.journal.applications():
        return
    history = workspace.journal.history(desired.application)
    current = history.current
    if current and current.desired.digest() == desired.digest() and history.job_id is None:
        return
    raise Refused(
        f"{desired.application!r} is an application here already",
        hint="Choose another name. To see which there are, run:\n  scurry status",
    )


def _source(workspace: Workspace, asked: Asked) -> str:
    """Return where the snapshot is; a location that the journal does not know is taken as it is."""
    if asked.snapshot == LATEST:
        found = _newest(workspace, asked.application)
    else:
        try:
            found = workspace.snapshot(asked.application, asked.snapshot)
        except SnapshotNotFound:
            if "/" not in asked.snapshot:
                raise
            return absolute(asked.snapshot)
    if found.drained:
        raise Refused(
            f"{found.location!r} was drained: its windows have fired, and a job that goes on from it fires them again"
        )
    return found.location


def _newest(workspace: Workspace, application: str) -> Snapshot:
    found = next((each for each in workspace.snapshots(application) if not each.drained), None)
    if found is None:
        raise SnapshotNotFound(
            f"no snapshot of {application!r} is known",
            hint=f"To take one, run:\n  scurry snapshot create {application}",
        )
    return found


def _place(workspace: Workspace, asked: Asked, desired: Desired, source: str) -> str:
    """Return the directory of the copy: one for each snapshot, so that an interrupted fork finds its own again."""
    if asked.place is not None:
        return absolute(asked.place)
    name = f"fork-{desired.application}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"
    settings = workspace.assembly.settings_of(desired.target)
    folder: str | None = None
    if isinstance(settings, RestTarget):
        options = options_of(workspace, desired.target, desired.flink_version)
        folder = settings.savepoints or next((options[key] for key in _SAVEPOINTS if options.get(key)), None)
    elif isinstance(settings, LocalTarget) or settings.kind == "memory":
        folder = str(workspace.assembly.directory / "forks")
    if folder is None:
        raise Refused(
            f"target {desired.target!r} does not say where its cluster finds savepoints",
            hint="Set `savepoints` of the target, or add a directory that the cluster can read:\n  --copy-to DIRECTORY",
        )
    return f"{absolute(folder)}/{name}"


def _warnings(workspace: Workspace, application: str, desired: Desired, bound: tuple[str, ...]) -> Iterator[str]:
    yield (
        f"It reads what {application!r} reads and writes where {application!r} writes: what both process is written "
        "twice, and offsets that they commit to the same consumer group overwrite each other."
    )
    if bound:
        yield (
            f"Sinks that go on where their state says, in the very folder or transactions of {application!r}: "
            f"{', '.join(bound)}."
        )
    touched = list(_touched(workspace, desired))
    yield (
        f"Shared, as far as is known: {'; '.join(touched)}."
        if touched
        else "Which sources and sinks these are cannot be seen from outside of its program."
    )


def _touched(workspace: Workspace, desired: Desired) -> Iterator[str]:
    """Yield what is known of sources and sinks: tables of a script, and arguments and properties that are named so."""
    from scurry.artifacts.sql_package import statements_in
    from scurry.spec.sql_tables import tables

    statements: tuple[str, ...] = ()
    with (
        suppress(ArtifactError, OSError, zipfile.BadZipFile),
        zipfile.ZipFile(workspace.assembly.store.path(desired.artifact)) as jar,
    ):
        statements = statements_in(jar)
    for table in tables(statements):
        yield f"{'sink' if table.written else 'source'} {table}"
    for argument in desired.args:
        if isinstance(argument, str) and _TELLING.search(argument) and not _SECRET.search(argument):
            yield f"argument {argument}"
    for group, values in desired.properties.items():
        for key, value in values.items():
            if isinstance(value, str) and _TELLING.search(key) and not _SECRET.search(key):
                yield f"property {group}.{key} {value}"
