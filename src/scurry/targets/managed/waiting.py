"""Waits for what the service does by itself: operations, snapshots, statuses that pass. Shows how long it takes.

Nothing is lost when it is interrupted: what goes on is found again by the application's mark.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from scurry.flink.polling import Pace, polls
from scurry.model.errors import RejectedByTarget, ScurryError, TargetError, TargetUnavailable
from scurry.model.values import format_duration
from scurry.targets.managed.service import RESTING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from scurry.model.ports import Activity, Clock
    from scurry.targets.managed.service import Application, Service
    from scurry.targets.managed.snapshots import Key

T = TypeVar("T")

_WORTH_TELLING_S = 2.0
_FASTEST_S, _SHARE = 0.15, 0.25
_PATIENCE_S = 120.0
"""with a service that does not answer while it is waited for: the next command would have to find all out anew"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Waits on one target."""

    service: Service
    clock: Clock
    target: str
    poll: timedelta

    def operation(
        self, name: str, id: str, *, activity: Activity, limit: timedelta | None = None, what: str
    ) -> tuple[str, str]:
        """Wait for an operation's end; return its status and, if it failed, why.

        Raises `TargetUnavailable` after `limit`: the service goes on with it.
        """
        asked = f"{what} of {name!r}"
        return self.ended(lambda: self.service.outcome(name, id), activity=activity, limit=limit, what=asked)

    def ended(
        self, question: Callable[[], tuple[str, str]], *, activity: Activity, limit: timedelta | None, what: str
    ) -> tuple[str, str]:
        """Wait until the answer's status is not in progress any more; return it. Raises as `operation` does."""
        for elapsed in self._polls(limit):
            status, error = self._asked(question, activity)
            if status != "IN_PROGRESS":
                return status, error
            if elapsed > _WORTH_TELLING_S:
                activity.describe(f"the service is at it, {elapsed:.0f} s")
        raise self._took_too_long(what, limit)

    def rest(self, name: str, *, activity: Activity, limit: timedelta | None = None) -> Application | None:
        """Wait until an application stands still; None when it is gone."""
        return self.status(name, lambda status: status in RESTING, activity=activity, limit=limit)

    def status(
        self, name: str, ready: Callable[[str], bool], *, activity: Activity, limit: timedelta | None = None
    ) -> Application | None:
        """Wait for a status; return the application, None when it is gone."""
        for elapsed in self._polls(limit):
            application = self._asked(lambda: self.service.application(name), activity)
            if application is None or ready(application.status):
                return application
            if elapsed > _WORTH_TELLING_S:
                activity.describe(f"it is {application.status}, {elapsed:.0f} s")
        raise self._took_too_long(f"what the service does to {name!r}", limit)

    def snapshot(self, key: Key, *, activity: Activity, limit: timedelta | None) -> str | None:
        """Wait until a snapshot is not in progress any more; return its status, None when there is none."""
        for elapsed in self._polls(limit):
            found = self._asked(lambda: self.service.snapshots.find(key), activity)
            status = str(found["SnapshotStatus"]) if found else None
            if status not in {"CREATING", "DELETING"}:
                return status
            if elapsed > _WORTH_TELLING_S:
                activity.describe(f"the snapshot is {status}, {elapsed:.0f} s")
        raise self._took_too_long(f"the snapshot {key.name!r}", limit)

    def _asked(self, question: Callable[[], T], activity: Activity) -> T:
        """Ask, and ask again for a while where no answer comes: throttled, cut off, credentials that are being renewed.

        Raises `TargetUnavailable` when that takes too long.
        """
        begun = self.clock.now()
        with undecided():
            while True:
                try:
                    return question()
                except TargetUnavailable as error:
                    if (self.clock.now() - begun).total_seconds() >= _PATIENCE_S:
                        raise
                    activity.describe(error.message)
                self.clock.sleep(self.poll.total_seconds())

    def _polls(self, limit: timedelta | None) -> Iterator[float]:
        """The service allows few calls a second, to a whole account; its shortest work takes some seconds."""
        slowest_s = self.poll.total_seconds()
        pace = Pace(fastest_s=min(_FASTEST_S, slowest_s), slowest_s=slowest_s, share=_SHARE)
        return polls(limit, pace=pace, sleep=self.clock.sleep)

    def _took_too_long(self, what: str, limit: timedelta | None) -> TargetUnavailable:
        told = format_duration(limit) if limit else ""
        return TargetUnavailable(
            f"{what} is still in progress after {told}; the service goes on with it",
            target=self.target,
            hint="To wait on, run the same command again. `upgrade.stop_timeout` says how long is waited.",
            retry_after_s=5.0,
        )


@contextmanager
def undecided() -> Iterator[None]:
    """Say of what was begun that it is not known, not that it failed, when only the question about it failed."""
    try:
        yield
    except TargetUnavailable:
        raise
    except (TargetError, ScurryError) as error:
        if isinstance(error, RejectedByTarget) or not isinstance(error, TargetError):
            raise
        raise TargetUnavailable(error.message, target=error.target, hint=error.hint) from error
