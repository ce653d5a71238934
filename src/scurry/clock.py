"""Time as this machine has it: the port `Clock` for everything that is not a test."""

from __future__ import annotations

from datetime import UTC, datetime
from time import sleep


class SystemClock:
    """The port `Clock`."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        sleep(seconds)
