"""Rehearsals: a new version run on a copy of the state for its health window, judged, and removed again.

Part of floor 3, above forking. Whatever happens, Ctrl-C included, job, copy and journal entry go; what a killed
rehearsal left goes when it is done again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from scurry.engine.lease import held
from scurry.forking import LABEL, carry_out, discard, fork_of
from scurry.model.desired import DriftPolicy, RecoveryPolicy, SnapshotPolicy, UnknownState
from scurry.model.errors import Refused, ScurryError
from scurry.model.result import ApplyOutcome, Failure
from scurry.spec.sql_tables import without_sinks

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from scurry.forking import Asked, Fork
    from scurry.model.desired import Desired
    from scurry.model.plan import Plan
    from scurry.model.report import Diagnosis
    from scurry.model.script import Script
    from scurry.spec.sql_tables import Table, WithoutSinks
    from scurry.workspace import Workspace

REHEARSAL = "scurry.rehearsal-of"
"""label of what is to be removed again"""
_WELL = "it started from the copy, and was what its health policy asks for"
_RETENTION = "execution.checkpointing.externalized-checkpoint-retention"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What will be tried."""

    fork: Fork
    replaced: tuple[Table, ...] = ()
    """sinks that nothing is written to"""
    kept: tuple[Table, ...] = ()
    """sinks that are written to all the same"""
    sinks_known: bool = False
    """whether the program is a script, whose sinks can be told"""

    @property
    def writes(self) -> str | None:
        """What it would write to, as the original does; None where all of its sinks are replaced."""
        return ", ".join(map(str, self.kept)) or None if self.sinks_known else "the sinks of its program"

    @property
    def bound(self) -> tuple[str, ...]:
        """What has to be known of sinks whose state says where they write; those of a script that go are none."""
        names = ", ".join(self.fork.bound)
        told = (
            f"Where {names} wrote is in the state, and it goes on there, whatever arguments say: but for another uid."
        )
        return (told,) if names and not self.sinks_known else ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person has to know before it runs."""
        name = self.fork.asked.application
        if not self.sinks_known:
            return (
                "It WRITES to the real sinks, which only its program knows: what it processes is written twice. "
                "If it must not, give it others by arguments or properties in the file.",
                *self.bound,
            )
        told = [
            f"It WRITES to {table}, as {name!r} does: it cannot be replaced, {table.unfit or 'for a reason not known'}."
            for table in self.kept
        ]
        if self.replaced:
            told.append(f"Nothing is written to {', '.join(map(str, self.replaced))}.")
        told.append(f"It reads what {name!r} reads; offsets that both commit to one consumer group are overwritten.")
        return tuple(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """How it went."""

    healthy: bool
    reason: str
    hint: str | None = None
    diagnosis: Diagnosis | None = None
    dropped: tuple[str, ...] = ()
    """operators whose state the new version did not take over: those of replaced sinks, and what else is gone"""
    left: tuple[str, ...] = ()
    """what could not be removed, and why"""


def plan_rehearsal(workspace: Workspace, asked: Asked, file: Path) -> Rehearsal:
    """Return what a rehearsal will try. Removes what a killed one of the same name left.

    Raises `Refused` where it would write to sinks and `asked` does not say that it may; `SpecInvalid`, `PlanError`,
    `SnapshotNotFound`, and what building the artifact raises.
    """
    environment = asked.application.partition("@")[2] or None
    found: list[WithoutSinks] = []

    def reshaped(script: Script) -> Script:
        found.append(without_sinks(script))
        return found[0].script

    _remove_leftovers(workspace, asked.name)
    wish = workspace.assembly.wish(file, environment, asked.target, reshaped=reshaped)
    if wish.desired.application != asked.application:
        raise Refused(
            f"{str(file)!r} is the application {wish.desired.application!r}, not {asked.application!r}",
            hint="Name the file of its new version",
        )
    fork = fork_of(workspace, asked, wish.desired)
    rehearsal = Rehearsal(
        fork=fork,
        replaced=found[0].replaced if found else (),
        kept=found[0].kept if found else (),
        sinks_known=bool(found),
    )
    _refuse_writing(rehearsal)
    tried = replace(fork, desired=_for_a_while(fork.desired, drops=bool(rehearsal.replaced)))
    return replace(rehearsal, fork=tried)


def _refuse_writing(rehearsal: Rehearsal) -> None:
    """Raise `Refused` where it would write what the original writes as well, and nobody said that it may."""
    asked = rehearsal.fork.asked
    if rehearsal.writes is None or asked.with_sinks:
        return
    raise Refused(
        f"the rehearsal would write to {rehearsal.writes}, as {asked.application!r} does",
        hint="\n".join(
            [
                "Give it other sinks by `args` or `properties` in the file that is rehearsed.",
                *rehearsal.bound,
                "If it may write where its program says, add:\n  --with-sinks",
            ]
        ),
    )


def _for_a_while(desired: Desired, *, drops: bool) -> Desired:
    """Return a wish that leaves no checkpoints, and that no server takes care of.

    `drops`: a sink that is replaced leaves its state behind, so state may be left.
    """
    upgrade = msgspec.structs.replace(desired.upgrade, rollback=False, unknown_state=UnknownState.WARN)
    if drops:
        upgrade = msgspec.structs.replace(upgrade, allow_non_restored_state=True)
    return msgspec.structs.replace(
        desired,
        config={**desired.config, _RETENTION: "NO_EXTERNALIZED_CHECKPOINTS"},
        upgrade=upgrade,
        snapshots=SnapshotPolicy(),
        recovery=RecoveryPolicy.ALERT,
        drift=DriftPolicy.REPORT,
        labels={**desired.labels, REHEARSAL: desired.labels[LABEL]},
    )


def rehearse(workspace: Workspace, rehearsal: Rehearsal, *, wait: timedelta | None = None) -> Rehearsed:
    """Run it until it is healthy or not, and remove it. Raises what concerns the place and not the new version."""
    fork = rehearsal.fork
    left: list[str] = []
    try:
        found = _tried(workspace, fork, wait)
    finally:
        left += _removed(workspace, fork.desired.application, fork.place)
        for what in left:
            workspace.reporter.warn(what)
    return replace(found, left=tuple(left))


def _tried(workspace: Workspace, fork: Fork, wait: timedelta | None) -> Rehearsed:
    name = fork.desired.application
    dropped: list[str] = []

    def seen(plan: Plan) -> None:
        dropped.extend(name for change in plan.changes for name in getattr(change.operation, "drops", None) or ())

    try:
        applied = carry_out(workspace, fork, wait=wait, seen=seen)
    except ScurryError as error:
        if not _is_of_the_version(workspace, name, error):
            raise
        failure = Failure(code=error.code, message=error.message, hint=error.hint)
    else:
        if applied.outcome is ApplyOutcome.CONVERGED:
            return Rehearsed(healthy=True, reason=_WELL, dropped=tuple(dropped))
        failure = applied.error or Failure(code="unhealthy", message=f"it is {applied.outcome.value}")
    diagnosis = None
    with suppress(ScurryError):
        diagnosis = workspace.diagnose(name)
    return Rehearsed(
        healthy=False, reason=failure.message, hint=failure.hint, diagnosis=diagnosis, dropped=tuple(dropped)
    )


def _is_of_the_version(workspace: Workspace, name: str, error: ScurryError) -> bool:
    """Whether an error says that the new version cannot start: it was adopted, and its start refused."""
    from scurry.model.errors import IncompatibleState, RejectedByTarget

    return isinstance(error, RejectedByTarget | IncompatibleState) and name in workspace.journal.applications()


def _remove_leftovers(workspace: Workspace, name: str) -> None:
    """Remove what a killed rehearsal of that name left; anything else of that name is refused later."""
    if name not in workspace.journal.applications():
        return
    history = workspace.journal.history(name)
    if history.current is None or REHEARSAL not in history.current.desired.labels:
        return
    workspace.reporter.note(f"{name}: what an interrupted rehearsal left is removed")
    places = [snapshot.location for snapshot in history.snapshots if snapshot.foreign]
    left = _removed(workspace, name, *places)
    if left:
        raise Refused(f"what an interrupted rehearsal left cannot be removed: {left[0]}")


def _removed(workspace: Workspace, name: str, *places: str) -> list[str]:
    """Remove job, journal entry and copies. Returns what could not be."""
    try:
        if name in workspace.journal.applications():
            workspace.delete(name, snapshot=False, confirm=lambda plan: True)
        for place in places:
            discard(place)
        _forget_snapshots(workspace, name)
    except ScurryError as error:
        return [
            f"the rehearsal {name!r} is still there: {error.message}. To remove it, run:\n"
            f"  scurry delete {name} --no-snapshot"
        ]
    return []


def _forget_snapshots(workspace: Workspace, name: str) -> None:
    """Have the journal forget the copy: it is gone, and nothing may start from it."""
    journal = workspace.journal
    if not journal.history(name).position:
        return
    with held(name, journal=journal, clock=workspace.clock, reporter=workspace.reporter, wait=None) as lease:
        for snapshot in journal.snapshots(name):
            journal.drop_snapshot(lease, snapshot)
