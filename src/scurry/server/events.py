"""What happened, for people and programs that are not looking: told once, to the log, to metrics, to a webhook."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

logger = logging.getLogger(__name__)


class EventKind(StrEnum):
    """What an event is about. The words are an interface."""

    REPAIRED = "repaired"
    """drift was put right"""
    DRIFT = "drift"
    """drift was seen and left"""
    RECOVERED = "recovered"
    """a job that went bad runs again"""
    ALERT = "alert"
    """something that only a person can put right"""
    BAD_REVISION = "bad-revision"
    ROLLED_BACK = "rolled-back"
    COMPLETED = "completed"
    """what was interrupted is done"""
    SNAPSHOT_TAKEN = "snapshot-taken"
    SNAPSHOT_FAILED = "snapshot-failed"
    SNAPSHOTS_DROPPED = "snapshots-dropped"
    FAILED = "failed"
    """what was to be done could not be done; it is tried again"""
    TARGET_SILENT = "target-silent"
    TARGET_BACK = "target-back"


QUIET = frozenset({EventKind.SNAPSHOT_TAKEN, EventKind.SNAPSHOTS_DROPPED, EventKind.COMPLETED})
"""what goes as it should: nobody is woken for that"""
_LEVELS = {
    **dict.fromkeys(EventKind, logging.WARNING),
    **dict.fromkeys((*QUIET, EventKind.REPAIRED, EventKind.RECOVERED, EventKind.TARGET_BACK), logging.INFO),
}


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened."""

    kind: EventKind
    at: datetime
    message: str
    target: str | None = None
    application: str | None = None
    revision: int | None = None
    todo: str | None = None
    """what to do about it; a command on a line of its own"""


Listener = Callable[[Event], None]
Courier = Callable[[Event, Callable[[], None] | None], None]
"""an event, and what to call when it was taken"""


class Events:
    """Tells every listener of every event."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = list(listeners)
        self.courier: Courier | None = None
        """who brings events to people; without one, they are in the log"""

    def listen(self, listener: Listener) -> None:
        """Tell somebody else, too. A listener must not wait: it is called in the midst of the work."""
        self._listeners.append(listener)

    def tell(self, event: Event, *, then: Callable[[], None] | None = None) -> None:
        """Tell all. `then` is called when it has come to people: perhaps later, in another thread, or never."""
        logger.log(_LEVELS[event.kind], "%s: %s", event.kind.value, event.message, extra=about(event))
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # whoever listens badly does not stop the work
                logger.exception("a listener failed")
        if self.courier:
            self.courier(event, then)
        elif then:
            then()


def about(event: Event) -> Mapping[str, object]:
    """Return what the log's lines are found by."""
    return {
        "event": event.kind.value,
        "application": event.application,
        "target": event.target,
        "revision": event.revision,
        "todo": event.todo,
    }
