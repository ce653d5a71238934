"""How often is looked at what others are doing: often at first, since most of it takes a moment, then less often."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long the pauses between two looks are."""

    fastest_s: float
    slowest_s: float
    share: float
    """of the time that it takes already, which is the most that is lost by looking late"""

    def after(self, elapsed_s: float) -> float:
        """Return the pause after so many seconds."""
        return min(max(elapsed_s * self.share, self.fastest_s), self.slowest_s)


FLINK = Pace(fastest_s=0.005, slowest_s=0.5, share=0.1)


def polls(
    limit: timedelta | None = None, *, pace: Pace = FLINK, sleep: Callable[[float], None] = time.sleep
) -> Iterator[float]:
    """Yield the seconds since the beginning, once more when the limit is reached; without one, for ever."""
    begun = time.monotonic()
    while True:
        elapsed = time.monotonic() - begun
        yield elapsed
        if limit is not None and elapsed >= limit.total_seconds():
            return
        sleep(pace.after(elapsed))
