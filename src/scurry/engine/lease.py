"""Being the one writer of an application for as long as a command runs: take the lease, keep it, give it back."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from scurry.model.errors import ApplicationLocked, JournalUnavailable, LeaseLost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.model.journal import Lease
    from scurry.model.ports import Clock, Journal, Reporter

LEASE = timedelta(seconds=60)
_POLL_S = 0.5


@contextmanager
def held(
    application: str, *, journal: Journal, clock: Clock, reporter: Reporter, wait: timedelta | None = None
) -> Iterator[Lease]:
    """Hold the lease. `wait` is how long to wait for another one to finish; None fails at once.

    Raises `ApplicationLocked`, which says who holds it and since when.
    """
    lease = _acquire(application, journal=journal, clock=clock, reporter=reporter, wait=wait)
    stop = threading.Event()
    keeper = threading.Thread(target=_keep, args=(journal, lease, stop), name=f"lease of {application}", daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        stop.set()
        keeper.join()
        # What was done is done, and the lease ends by itself: no reason to tell of a failure.
        with suppress(JournalUnavailable):
            journal.release(lease)


def _acquire(application: str, *, journal: Journal, clock: Clock, reporter: Reporter, wait: timedelta | None) -> Lease:
    until = clock.now() + (wait or timedelta())
    try:
        return journal.acquire(application, duration=LEASE)
    except ApplicationLocked as locked:
        if wait is None:
            raise
        waiting = locked
    with reporter.activity(f"wait for {waiting.owner}, at it since {waiting.since}"):
        while True:
            clock.sleep(_POLL_S)
            try:
                return journal.acquire(application, duration=LEASE)
            except ApplicationLocked:
                if clock.now() >= until:
                    raise


def _keep(journal: Journal, lease: Lease, stop: threading.Event) -> None:
    """Renew until told to stop. A lost lease is found at the next write, which is then refused.

    While the journal is away it is tried more often: the lease lasts three times as long as the wait between two.
    """
    pause = LEASE.total_seconds() / 3
    while not stop.wait(pause):
        try:
            lease = journal.renew(lease, duration=LEASE)
            pause = LEASE.total_seconds() / 3
        except LeaseLost:
            return
        except JournalUnavailable:
            pause = _POLL_S
