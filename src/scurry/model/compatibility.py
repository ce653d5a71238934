"""The verdict on state: what a new version takes over of a snapshot, what is lost, and what stands against it.

Values only. `engine/compatibility.py` makes them; faces show them.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from scurry.model.state import StateKind


class Fit(StrEnum):
    """The whole verdict in a word, best first."""

    FITS = "fits"
    DROPS = "drops"
    """it fits, and drops state; the spec allows that"""
    UNKNOWN = "unknown"
    """nothing is known to stand against it, but not all could be looked at"""
    BLOCKED = "blocked"
    """Flink would refuse it, or restore it wrong, or state would be dropped that nobody allowed"""


class OperatorFate(StrEnum):
    """What becomes of an operator."""

    KEPT = "kept"
    MOVED = "moved"
    """its id changed, so Flink does not find its state; the operator itself is still there"""
    NEW = "new"
    DROPPED = "dropped"
    """it is not in the new version, and had state"""
    GONE = "gone"
    """it is not in the new version, and had no state: Flink does not mind"""
    BLOCKED = "blocked"
    """it is there, but cannot take its state over"""


class StateFate(StrEnum):
    """What becomes of a state of an operator that is kept."""

    SAME = "same"
    MIGRATABLE = "migratable"
    """Flink rewrites it when it is restored"""
    INCOMPATIBLE = "incompatible"
    UNKNOWN = "unknown"
    NEW = "new"
    """starts empty"""
    UNUSED = "unused"
    """the new version does not register it; it stays in the snapshots, and nobody reads it"""


class Weight(StrEnum):
    """How much a remark counts, least first."""

    WARNING = "warning"
    UNKNOWN = "unknown"
    BLOCKS = "blocks"


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """Something about the whole snapshot or the whole program."""

    weight: Weight
    message: str
    remedy: str | None = None
    """a command, or a line to write"""


class StateVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one state."""

    name: str
    """empty: the key that all keyed state of the operator is partitioned by"""
    kind: StateKind | None = None
    fate: StateFate
    before: str | None = None
    """its type in the snapshot, for people"""
    after: str | None = None
    """its type in the new version"""
    bytes: int | None = None
    reason: str | None = None
    remedy: str | None = None
    by_flink: bool = False
    """Flink itself was asked; else the types were compared"""


class OperatorVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one operator."""

    fate: OperatorFate
    name: str
    """for people; where no name is known, its uid or id"""
    uid: str | None = None
    """in the snapshot; of a new one, in the new version"""
    id: str | None = None
    """in the snapshot; None for a new one"""
    new_id: str | None = None
    """in the new version; None where it is not in it"""
    new_uid: str | None = None
    chain: str | None = None
    """in the new version: the id of the head of its chain"""
    bytes: int = 0
    """of its state in the snapshot"""
    lost: int = 0
    """bytes of state that the new version does not take over"""
    allowed: bool = False
    """of one that loses state: whether the spec allows that"""
    has_state: bool = False
    finished: bool = False
    states: tuple[StateVerdict, ...] = ()
    reason: str | None = None
    remedy: str | None = None
    warnings: tuple[str, ...] = ()
    inputs_before: tuple[str, ...] = ()
    """ids of what was in front of it, in the snapshot's words; empty where that is not known"""
    inputs: tuple[str, ...] = ()
    """ids of what is in front of it, in the new version's words"""

    @property
    def loses_state(self) -> bool:
        """Whether Flink restores it only when told that state may be dropped."""
        return self.has_state and self.fate in {OperatorFate.MOVED, OperatorFate.DROPPED}

    @property
    def is_blocked(self) -> bool:
        """Whether it stands against the change."""
        return self.fate is OperatorFate.BLOCKED or (self.loses_state and not self.allowed)

    @property
    def is_unknown(self) -> bool:
        """Whether something of it could not be looked at."""
        return any(state.fate is StateFate.UNKNOWN for state in self.states)


class Compatibility(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a new version can take over the state of a snapshot."""

    location: str | None = None
    """the snapshot that was looked at; None where none could be"""
    operators: tuple[OperatorVerdict, ...] = ()
    """as the new version flows, then those that are not in it any more"""
    remarks: tuple[Remark, ...] = ()

    @property
    def fit(self) -> Fit:
        """The whole verdict."""
        if self.blocked or any(remark.weight is Weight.BLOCKS for remark in self.remarks):
            return Fit.BLOCKED
        if self.is_uncertain:
            return Fit.UNKNOWN
        return Fit.DROPS if self.dropping else Fit.FITS

    @property
    def is_uncertain(self) -> bool:
        """Whether anything could not be looked at."""
        unsure = any(remark.weight is Weight.UNKNOWN for remark in self.remarks)
        return unsure or any(operator.is_unknown for operator in self.operators)

    @property
    def blocked(self) -> tuple[OperatorVerdict, ...]:
        """The operators that stand against it."""
        return tuple(operator for operator in self.operators if operator.is_blocked)

    @property
    def dropping(self) -> tuple[OperatorVerdict, ...]:
        """The operators whose state is lost, whether that is allowed or not."""
        return tuple(operator for operator in self.operators if operator.loses_state)

    @property
    def lost(self) -> int:
        """Bytes of state that are lost."""
        return sum(operator.lost for operator in self.operators)

    @classmethod
    def unknown(cls, message: str, *, remedy: str | None = None, location: str | None = None) -> Compatibility:
        """Return the verdict of who could not look."""
        remark = Remark(weight=Weight.UNKNOWN, message=message, remedy=remedy)
        return cls(location=location, remarks=(remark,))
