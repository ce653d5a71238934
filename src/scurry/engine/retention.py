"""Which snapshots go and which stay: the policy's wish, and above it what state safety needs. Pure.

The one place that knows what a snapshot is needed for (state-safety rule 9): dropping by hand, by `scurry prune` and
by the server all ask here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scurry.engine import restore
from scurry.model.journal import OperationOutcome
from scurry.model.operation import DropSnapshot
from scurry.model.snapshot import FromSnapshot, Snapshot, SnapshotKind
from scurry.model.values import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from scurry.model.desired import Desired, SnapshotPolicy
    from scurry.model.journal import History, Revision
    from scurry.model.observed import Observed

_CLAIM_OPTIONS = ("execution.savepoint-restore-mode", "execution.state-recovery.claim-mode")
"""Flink 1.15 to 1.20, and from 1.20 on"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A snapshot that the policy would drop, and why."""

    snapshot: Snapshot
    reason: str
    """what of the policy it is over"""
    needed: str | None = None
    """why it stays all the same; None: it goes"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What a policy comes to. A snapshot that the policy keeps is in neither list."""

    drop: tuple[Judged, ...] = ()
    """oldest first"""
    keep: tuple[Judged, ...] = ()
    """what the policy would drop and something needs, newest first"""
    unknown_sizes: int = 0
    """so many snapshots count as nothing towards `max_size`, since nobody told their size"""

    @property
    def freed_bytes(self) -> int:
        """Return what the dropped ones take, as far as it is known."""
        return sum(judged.snapshot.size_bytes or 0 for judged in self.drop)


def retention(
    snapshots: Sequence[Snapshot], observed: Observed, history: History, *, policy: SnapshotPolicy, now: datetime
) -> Retention:
    """Judge all snapshots of an application that the journal knows; what the target retains besides is added.

    `history.snapshots` need not be all: `snapshots` has to be. Works whether or not a job runs. While the target does
    not answer nothing is dropped: what runs there may need any of them.
    """
    needs = Needs(snapshots, observed, history)
    judged = [
        Judged(snapshot=snapshot, reason=reason, needed=needs.of(snapshot))
        for snapshot, reason in _over(needs.all, policy, now)
    ]
    judged = _together(judged, needs.all)
    return Retention(
        drop=tuple(found for found in reversed(judged) if found.needed is None),
        keep=tuple(found for found in judged if found.needed is not None),
        unknown_sizes=sum(snapshot.size_bytes is None for snapshot in needs.all) if policy.max_size else 0,
    )


def needed_by(snapshot: Snapshot, observed: Observed, history: History) -> str | None:
    """Return what one snapshot is needed for; None when nothing needs it, and it may be dropped by hand."""
    needs = Needs(history.snapshots, observed, history)
    shares = next((other for other in needs.all if _share_files(snapshot, other)), None)
    if reason := needs.of(snapshot, by_hand=True):
        return reason
    return f"its files may be shared by {shares.location}; `scurry prune` drops them together" if shares else None


def runnable(history: History) -> tuple[Revision, ...]:
    """Return the revisions that can run again without a person naming them: what a rollback, too, goes to."""
    found = (history.current, history.healthy, history.previous_healthy)
    return tuple({revision.number: revision for revision in found if revision is not None}.values())


@dataclass
class Needs:
    """What the snapshots of an application are needed for."""

    snapshots: Sequence[Snapshot]
    observed: Observed
    history: History
    all: tuple[Snapshot, ...] = field(init=False)
    """with those that the target retains, newest first, each once"""

    def __post_init__(self) -> None:
        """Put together what the journal and the target know."""
        found: dict[str, Snapshot] = {}
        left = (job.latest_checkpoint for job in self.observed.jobs if job.state.is_terminal)
        for snapshot in (*self._known, *self.observed.retained, *left):
            if snapshot:
                found.setdefault(place(snapshot.location), snapshot)
        self.all = tuple(sorted(found.values(), key=lambda snapshot: snapshot.taken_at, reverse=True))

    def of(self, snapshot: Snapshot, *, by_hand: bool = False) -> str | None:
        """Return what a snapshot is needed for. `by_hand`: a person named it, so it may be another tool's, too."""
        if not self.observed.reachable:
            return "the target does not answer, and what runs there may need it"
        if _is_unfinished(self.history):
            return "an operation was interrupted and may need it; to complete that, apply again"
        if self._is_of_running_job(snapshot):
            return "it is a checkpoint of the running job, which looks after them itself"
        if reason := self._by_location.get(place(snapshot.location)):
            return reason
        if snapshot.kind is SnapshotKind.CHECKPOINT and self._claims:
            return "checkpoints are claimed by the jobs that start from them, whose own may share its files"
        if not by_hand and self._is_foreign(snapshot):
            return "scurry did not take it"
        return None

    @cached_property
    def _by_location(self) -> dict[str, str]:
        """The reasons that name a snapshot; where there are several, the first."""
        found: dict[str, str] = {}
        for snapshot_place, reason in self._reasons():
            found.setdefault(snapshot_place, reason)
        return found

    def _reasons(self) -> Iterator[tuple[str, str]]:
        newest = restore.newest(self.observed, self.history)
        for snapshot in (next(iter(self.all), None), newest, self._newest_usable()):
            if snapshot:
                yield place(snapshot.location), "it is the newest state of this application"
        for location in self._restored_from():
            yield place(location), "the running job was restored from it and may still need its files"
        last = self.history.last
        source = getattr(last.operation, "restore", None) if last else None
        if last and last.outcome is not OperationOutcome.DONE and isinstance(source, FromSnapshot):
            yield place(source.snapshot.location), "the last operation, which failed, was to start from it"
        for revision in runnable(self.history):
            own = self._newest_usable(revision.number)
            if own:
                yield place(own.location), f"it is the newest of revision {revision.number}, which a rollback would use"

    def _restored_from(self) -> Iterator[str]:
        yield from (job.restored_from for job in self.observed.jobs if job.restored_from and not job.state.is_terminal)
        if self.observed.live and self.history.restored:
            # After a failover of its own Flink tells the job's last checkpoint instead; the journal remembers.
            yield self.history.restored.location

    def _newest_usable(self, revision: int | None = None) -> Snapshot | None:
        """Return the newest that is not drained, of one revision or of all: nothing goes on from a drained one."""
        return next((s for s in self.all if not s.drained and revision in {None, s.revision}), None)

    def _is_of_running_job(self, snapshot: Snapshot) -> bool:
        live = {job.id for job in self.observed.jobs if not job.state.is_terminal}
        return snapshot.kind is SnapshotKind.CHECKPOINT and snapshot.job_id in live

    @cached_property
    def _claims(self) -> bool:
        """Whether a revision starts its jobs so that they take their snapshot over, files and all.

        By default they do not (NO_CLAIM), and their first checkpoint is a full one: Flink's docs, "Savepoints",
        "Claim modes".
        """
        return any(_claim_mode(revision.desired) in {"claim", "legacy"} for revision in runnable(self.history))

    def _is_foreign(self, snapshot: Snapshot) -> bool:
        """Whether another tool took it: a savepoint that is only seen on the target."""
        known = {place(known.location) for known in self._known}
        return snapshot.foreign or (snapshot.kind is SnapshotKind.SAVEPOINT and place(snapshot.location) not in known)

    @property
    def _known(self) -> tuple[Snapshot, ...]:
        """What the journal knows; a history alone tells only the newest of them, and each revision's newest."""
        of_revisions = (revision.snapshot for revision in runnable(self.history) if revision.snapshot)
        return (*self.snapshots, *of_revisions)


def place(location: str) -> str:
    """Return a location as one text for all ways in which Flink writes it: `file:/a`, `file:///a/`, `/a/_metadata`."""
    path = location.removesuffix("/").removesuffix("/_metadata").removesuffix("/")
    parts = urlsplit(path)
    return parts.path if parts.scheme == "file" and not parts.netloc else path


def _is_unfinished(history: History) -> bool:
    """Whether it has still to be found out, or made good, what an interrupted operation came to.

    Its open start is looked for among the last operations only; so nothing may be put on top of it.
    """
    last = history.last
    if last is None or isinstance(last.operation, DropSnapshot):
        return False
    return last.is_open or last.outcome is OperationOutcome.INTERRUPTED


def _over(snapshots: Sequence[Snapshot], policy: SnapshotPolicy, now: datetime) -> Iterator[tuple[Snapshot, str]]:
    """Yield what the policy would drop, newest first. `snapshots` are newest first."""
    total = 0
    for count, snapshot in enumerate(snapshots, 1):
        total += snapshot.size_bytes or 0
        age = now - snapshot.taken_at
        if policy.keep is not None and count > policy.keep:
            yield snapshot, f"{policy.keep} newer ones are kept"
        elif policy.max_age is not None and age > policy.max_age:
            yield snapshot, f"it is {format_duration(age)} old; max_age is {format_duration(policy.max_age)}"
        elif policy.max_size is not None and total > policy.max_size:
            yield snapshot, f"the newer ones and it take {total:,} bytes; max_size is {policy.max_size:,}"


def _together(judged: list[Judged], snapshots: Sequence[Snapshot]) -> list[Judged]:
    """Keep what shares files with one that stays.

    Flink deletes a checkpoint with all the files that it names, and the incremental checkpoints of one job name the
    same ones (`IncrementalRemoteKeyedStateHandle.discardState`): all of a job's checkpoints go, or none.
    """
    going = {place(found.snapshot.location) for found in judged if found.needed is None}
    staying = [snapshot for snapshot in snapshots if place(snapshot.location) not in going]
    return [
        found
        if found.needed or not any(_share_files(found.snapshot, other) for other in staying)
        else Judged(
            snapshot=found.snapshot,
            reason=found.reason,
            needed="a newer checkpoint of the same job stays, which may share its files",
        )
        for found in judged
    ]


def _share_files(one: Snapshot, other: Snapshot) -> bool:
    return (
        one.kind is other.kind is SnapshotKind.CHECKPOINT
        and one.job_id is not None
        and one.job_id == other.job_id
        and place(one.location) != place(other.location)
    )


def _claim_mode(desired: Desired) -> str:
    told = (desired.config.get(option) for option in _CLAIM_OPTIONS)
    return next((str(value).lower() for value in told if value), "no_claim")
