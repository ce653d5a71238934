"""Whether a job's state and its next version fit: found out when a plan is made, before anything is stopped.

Part of floor 3: it has the snapshot read and the new program asked, by ports, and the engine judge. Nothing that fails
here stops a change by itself: what could not be looked at is unknown, and the reason is told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeGuard

import msgspec

from scurry.inquiry import Eyes, Inquiry, Occasion, Start
from scurry.model.compatibility import Compatibility
from scurry.model.desired import Desired, StateCheck, UpgradeMode
from scurry.model.errors import ScurryError, SnapshotNotFound
from scurry.model.operation import Deploy, Resume, Upgrade
from scurry.model.snapshot import FromSnapshot, Snapshot, SnapshotFormat, SnapshotKind, Stateless

if TYPE_CHECKING:
    from scurry.model.operation import Operation
    from scurry.model.plan import Change, Plan
    from scurry.model.ports import AsksPrograms, Clock, ReadsSnapshots, Reporter

__all__ = ["Occasion", "Preflight", "concerns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """Judges the changes of a plan."""

    snapshots: ReadsSnapshots
    programs: AsksPrograms
    reporter: Reporter
    clock: Clock

    @property
    def _eyes(self) -> Eyes:
        return Eyes(snapshots=self.snapshots, programs=self.programs, clock=self.clock)

    def judged(self, plan: Plan, occasion: Occasion) -> Plan:
        """Return a plan with the verdicts on the state that its new jobs start from. Changes nothing."""
        changes = tuple(self._judged(change, occasion) for change in plan.changes)
        return msgspec.structs.replace(plan, changes=changes)

    def _judged(self, change: Change, occasion: Occasion) -> Change:
        from scurry.engine.compatibility import handle

        operation = change.operation
        if not isinstance(operation, Deploy | Upgrade | Resume) or not concerns(change):
            return _dropping_blindly(change) if _takes_over(operation) else change
        if occasion.defaults is None:
            return change
        if _is_unchanged(operation, occasion):
            return msgspec.structs.replace(change, operation=msgspec.structs.replace(operation, drops=()))
        found = self.compared(operation, occasion)
        names = tuple(handle(lost.uid, lost.name, lost.id) for lost in found.dropping)
        drops = names if found.operators else None
        operation = msgspec.structs.replace(operation, drops=drops)
        change = msgspec.structs.replace(change, operation=operation, compatibility=found)
        return change if found.operators else _dropping_blindly(change)

    def compared(self, operation: Deploy | Upgrade | Resume, occasion: Occasion) -> Compatibility:
        """Return the verdict on the state that an operation starts from. Raises a `ScurryError` only where asked."""
        start = _start(operation, occasion)
        if start is None:
            return _no_state_yet(operation.desired.application, raising=occasion.asked)
        with self.reporter.activity("see whether the state fits the new version"):
            try:
                return Inquiry(self._eyes, operation.desired, occasion, _with_copy(start, occasion)).compared()
            except ScurryError as error:
                if occasion.asked:
                    raise
                return Compatibility.unknown(error.message, remedy=error.hint, location=start.snapshot.location)


def _is_unchanged(operation: Deploy | Upgrade | Resume, occasion: Occasion) -> bool:
    """Whether the very revision goes on that wrote the state: a restart, or a recovery, of which there may be many."""
    start = _start(operation, occasion)
    if start is None or occasion.asked or occasion.picture:
        return False
    before = occasion.wrote(None if start.live else start.snapshot)
    return before is not None and before.digest() == operation.desired.digest()


def _no_state_yet(application: str, *, raising: bool) -> Compatibility:
    message = "the job has not completed a checkpoint yet, so what state it has is not known"
    remedy = f"Wait for one, or take a savepoint:\n  scurry snapshot create {application}"
    if raising:
        raise SnapshotNotFound(message, hint=remedy)
    return Compatibility.unknown(message, remedy=remedy)


_BLIND = (
    "upgrade.allow_non_restored_state is true, and which operators lose their state is not known: what has no operator "
    "of its id is dropped without a word. Where that is a source's positions, records may be processed twice or left "
    "out; where it is an aggregate, it begins anew. To allow only what you mean, list the operators' uids."
)


def _dropping_blindly(change: Change) -> Change:
    """Warn where Flink is told that any state may go, and nobody could look which that will be."""
    desired = getattr(change.operation, "desired", None)
    if not isinstance(desired, Desired) or desired.upgrade.allow_non_restored_state is not True:
        return change
    return msgspec.structs.replace(change, warnings=(*change.warnings, _BLIND))


def _takes_over(operation: Operation) -> TypeGuard[Deploy | Upgrade | Resume]:
    """Whether an operation starts a job from state."""
    return isinstance(operation, Deploy | Upgrade | Resume) and not isinstance(operation.restore, Stateless)


def concerns(change: Change) -> bool:
    """Whether a change starts a job from state, and that is to be looked at."""
    operation = change.operation
    return _takes_over(operation) and operation.desired.upgrade.state_check is not StateCheck.OFF


_OF_ITS_STOP = Snapshot(
    kind=SnapshotKind.MANAGED, location="the snapshot of its stop", taken_at=datetime.fromtimestamp(0, UTC)
)


def _start(operation: Deploy | Upgrade | Resume, occasion: Occasion) -> Start | None:
    from scurry.engine.restore import newest

    if isinstance(operation.restore, FromSnapshot):
        named = operation.restore.snapshot
        return Start(snapshot=named, format=_format(named), live=_is_live(named, occasion))
    by_savepoint = isinstance(operation, Upgrade) and operation.mode is UpgradeMode.SAVEPOINT
    format = occasion.format or SnapshotFormat.CANONICAL if by_savepoint else SnapshotFormat.NATIVE
    live = occasion.observed.live
    if live is not None and occasion.exported is not None:
        return Start(snapshot=live.latest_checkpoint or _OF_ITS_STOP, format=None, live=True)
    if live is not None and live.latest_checkpoint is not None:
        return Start(snapshot=live.latest_checkpoint, format=format, live=True)
    earlier = newest(occasion.observed, occasion.history)
    return Start(snapshot=earlier, format=format, live=False, earlier=True) if earlier else None


_COPIES_ASKED = 5
"""of so many snapshots, newest first, is asked whether there is a copy: each costs a call"""


def _with_copy(start: Start, occasion: Occasion) -> Start:
    """Find the copy to read, of a target that keeps its snapshots to itself: of a job that runs its newest one."""
    if occasion.exported is None:
        return start
    candidates = _of_same_program(occasion) if start.live else (start.snapshot,)
    try:
        for snapshot in candidates[:_COPIES_ASKED]:
            found = occasion.exported(snapshot)
            if found is not None:
                return replace(start, snapshot=snapshot, exported=found)
    except ScurryError as error:
        return replace(start, unread=error.message)
    return start


def _of_same_program(occasion: Occasion) -> tuple[Snapshot, ...]:
    """Return the snapshots that the program wrote which runs now, newest first: an older program's say less of it."""
    from scurry.engine.compatibility_opening import same_program
    from scurry.engine.restore import all_known

    running = occasion.wrote(None)
    known = ((each, occasion.wrote(each)) for each in all_known(occasion.observed, occasion.history))
    return tuple(
        each for each, wrote in known if wrote is not None and running is not None and same_program(wrote, running)
    )


def _format(snapshot: Snapshot) -> SnapshotFormat | None:
    return SnapshotFormat.NATIVE if snapshot.kind is SnapshotKind.CHECKPOINT else snapshot.format


def _is_live(snapshot: Snapshot, occasion: Occasion) -> bool:
    live = occasion.observed.live
    return live is not None and live.latest_checkpoint is not None and live.latest_checkpoint == snapshot
