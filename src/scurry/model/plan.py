"""A plan as data: complete, so that showing, storing and applying it need nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from scurry.model.compatibility import Compatibility
from scurry.model.desired import ApplicationId, Desired, Impact
from scurry.model.observed import Phase
from scurry.model.operation import Operation
from scurry.model.snapshot import Snapshot


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One field that changes, as people read it."""

    field: str
    """`parallelism`, `config.execution.checkpointing.interval`"""
    before: str | None
    after: str | None
    impact: Impact
    details: tuple[str, ...] = ()
    """what differs inside, line by line, where `before` and `after` are only names (an artifact's)"""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """An operation and why."""

    operation: Operation
    reason: str
    differences: tuple[Difference, ...] = ()
    consequences: tuple[str, ...] = ()
    """what it means: which state, how old, what it costs, what is dropped; full sentences"""
    warnings: tuple[str, ...] = ()
    gap: timedelta | None = None
    """how long records will not be processed, from what earlier operations took; None when not known"""
    compatibility: Compatibility | None = None
    """whether the new job can take its state over; None where it takes none, or nobody was to look"""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What apply would do with one application. Valid only at `position` of its journal."""

    application: ApplicationId
    target: str
    phase: Phase
    position: int
    changes: tuple[Change, ...] = ()
    desired: Desired | None = None
    snapshot: Snapshot | None = None
    """the newest restorable state, as known when the plan was made"""
    made_at: datetime

    @property
    def is_converged(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes
