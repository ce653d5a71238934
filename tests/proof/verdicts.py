"""What scurry says of a change: what `scurry plan` is put together from, given two wishes and a snapshot."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from scurry.clock import SystemClock
from scurry.inspection import FlinkPrograms, SnapshotFiles
from scurry.model.compatibility import Compatibility, Fit, StateFate, Weight
from scurry.model.journal import History
from scurry.model.observed import Observed
from scurry.model.operation import Resume
from scurry.model.reporting import SilentReporter
from scurry.model.snapshot import FromSnapshot, Snapshot, SnapshotFormat, SnapshotKind
from scurry.preflight import Occasion, Preflight
from tests.proof.cases import Take

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.model.desired import Desired
    from tests.proof.programs import Programs

_FORMATS = {Take.CANONICAL: SnapshotFormat.CANONICAL, Take.NATIVE: SnapshotFormat.NATIVE}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict in short."""

    fit: Fit
    why: tuple[str, ...] = ()
    """reasons for all but `fits`"""
    starts_empty: bool = False
    """a state of the snapshot is told to be used no more"""


def compared(programs: Programs, old: Desired, new: Desired, *, location: str, take: Take) -> Compatibility:
    """Return scurry's verdict on a new version that starts from what an old one left."""
    reporter = SilentReporter()
    preflight = Preflight(
        snapshots=SnapshotFiles(),
        programs=FlinkPrograms(
            secrets=programs.secrets, store=programs.store, runtimes=programs.runtimes, reporter=reporter
        ),
        reporter=reporter,
        clock=SystemClock(),
    )
    occasion = Occasion(
        observed=Observed(),
        history=History(application=new.application),
        defaults=lambda version: {},
        look=Observed,
        wrote=lambda snapshot: old,
    )
    snapshot = Snapshot(
        kind=SnapshotKind.CHECKPOINT if take is Take.CHECKPOINT else SnapshotKind.SAVEPOINT,
        location=location,
        taken_at=datetime.now(UTC),
        flink_version=old.flink_version,
        format=_FORMATS.get(take),
    )
    return preflight.compared(Resume(desired=new, restore=FromSnapshot(snapshot=snapshot)), occasion)


def in_short(found: Compatibility) -> Verdict:
    """Return a verdict's word and its reasons."""
    fates = {state.fate for operator in found.operators for state in operator.states}
    return Verdict(fit=found.fit, why=tuple(_reasons(found)), starts_empty=StateFate.UNUSED in fates)


def _reasons(found: Compatibility) -> Iterator[str]:
    for remark in found.remarks:
        if remark.weight is not Weight.WARNING:
            yield remark.message
    for operator in found.blocked:
        yield f"{operator.name}: {operator.reason}"
    for operator in found.operators:
        for state in operator.states:
            if state.fate in {StateFate.UNKNOWN, StateFate.UNUSED}:
                yield f"{operator.name}, {state.name}: {state.reason}"
