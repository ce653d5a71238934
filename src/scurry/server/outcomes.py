"""What became of a change, as events: the same whether the server decided it or somebody asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.model.result import ApplyOutcome
from scurry.server.events import Event, EventKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from scurry.model.result import Applied


def went_wrong(applied: Applied, *, target: str, at: datetime) -> Iterator[Event]:
    """Yield the events of a change that did not become what was asked for; none when it did."""
    error = applied.error
    if error is None:
        return

    def event(kind: EventKind, message: str) -> Event:
        return Event(
            kind=kind,
            at=at,
            message=message,
            target=target,
            application=applied.application,
            revision=applied.revision,
            todo=error.hint,
        )

    if applied.outcome is ApplyOutcome.ROLLED_BACK:
        yield event(EventKind.ROLLED_BACK, error.message)
        return
    yield event(EventKind.BAD_REVISION, error.message)
