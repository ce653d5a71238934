"""The server's time. When the server has to go, it ends every wait: what waited is left as a crash would leave it.

A step in hand is then open in the journal, its lease is given back, and the next server (or command) goes on with it.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime


class HandedOver(BaseException):
    """The server goes while this operation was waited for. No `ScurryError`: the operation has not failed."""


class ServerClock:
    """The port `Clock`, whose waits can be ended."""

    def __init__(self) -> None:
        self._over = threading.Event()

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait. Raises `HandedOver` when the server has to go."""
        if self._over.wait(seconds):
            raise HandedOver

    def end(self) -> None:
        """End all waits, now and from now on."""
        self._over.set()
