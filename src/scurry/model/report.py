"""What `status` tells of an application: observed and journal put together, nothing decided."""

from __future__ import annotations

import msgspec

from scurry.model.desired import ApplicationId
from scurry.model.journal import Freeze
from scurry.model.observed import Job, Phase
from scurry.model.snapshot import Snapshot


class HealthReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the samples of a job say."""

    verdict: str
    reason: str


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """One application now."""

    name: ApplicationId
    target: str
    phase: Phase
    revision: int | None
    job: Job | None
    health: HealthReport
    restored_from: str | None = None
    latest_snapshot: Snapshot | None = None
    ui_url: str | None = None
    interrupted: str | None = None
    """the operation that a crash interrupted, and who had started it"""
    freezes: tuple[Freeze, ...] = ()
    """what forbids to change it: a freeze of its own, of its target, or of everything"""
    notes: tuple[str, ...] = ()


class LogLines(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of the log of one process: the last ones, or those that were added."""

    name: str
    lines: tuple[str, ...]
    left_out: int = 0
    """so many before them are too much for what sends them"""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong."""

    what: str
    """a sentence"""
    detail: str | None = None
    """whole exceptions and the like"""
    todo: str | None = None
    """what to do; a command on a line of its own"""
    code: str | None = None
    """the entry of the catalogue of failures (docs/reference/failures.md) that it is; None: it is in none"""
    evidence: tuple[str, ...] = ()
    """what it was recognised by: lines of exceptions, figures"""
    harmless: bool = False
    """worth knowing, but nothing is wrong because of it"""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with an application, root cause first."""

    name: ApplicationId
    target: str
    phase: Phase
    is_well: bool
    findings: tuple[Finding, ...] = ()
