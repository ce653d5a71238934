"""What a freeze forbids, and how it is told. Pure: the freezes are given.

It stops what would begin, not what runs: an operation under way goes on to its end, its rollback included. One that was
interrupted stays so until the thaw; nothing is found out about it, and nothing made good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scurry.model.errors import Frozen
from scurry.model.journal import EVERYTHING, Freeze

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scurry.model.report import StatusReport


def freezes_of(application: str, targets: Iterable[str | None], freezes: Iterable[Freeze]) -> tuple[Freeze, ...]:
    """Return the freezes that an application is under: its own, its targets', everything's."""
    places = [None, *targets]
    return tuple(freeze for freeze in freezes if any(freeze.covers(application, place) for place in places))


def with_freezes(reports: Sequence[StatusReport], freezes: Sequence[Freeze]) -> tuple[StatusReport, ...]:
    """Return reports with the freezes that each application is under."""
    return tuple(
        msgspec.structs.replace(report, freezes=freezes_of(report.name, [report.target], freezes)) for report in reports
    )


def refuse_frozen(application: str, targets: Iterable[str | None], freezes: Iterable[Freeze]) -> None:
    """Raise `Frozen` when an application is under a freeze."""
    found = freezes_of(application, targets, freezes)
    if not found:
        return
    first = found[0]
    commands = "\n".join(f"  scurry thaw {arguments(freeze.scope)}" for freeze in found)
    raise Frozen(
        f"{application!r} is frozen: {told(first)}. Nothing was changed.",
        owner=first.by,
        since=f"{first.at:%Y-%m-%d %H:%M:%S} UTC",
        hint=f"To let it be changed again, run:\n{commands}",
    )


def told(freeze: Freeze) -> str:
    """Say who froze what, when and why."""
    return f"{what(freeze.scope)} was frozen by {freeze.by} on {freeze.at:%Y-%m-%d %H:%M} UTC: {freeze.reason}"


def what(scope: str) -> str:
    """Return a scope in words."""
    if scope == EVERYTHING:
        return "everything"
    kind, _, name = scope.partition(":")
    return f"target {name!r}" if kind == "target" else f"{name!r}"


def arguments(scope: str) -> str:
    """Return a scope as the arguments of `scurry freeze` and `scurry thaw`."""
    if scope == EVERYTHING:
        return "--all"
    kind, _, name = scope.partition(":")
    return f"--target {name}" if kind == "target" else name
