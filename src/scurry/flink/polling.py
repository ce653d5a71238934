"""How often is looked at what Flink is doing: often at first, since most of it takes a moment, then less often."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

_FASTEST_S, _SLOWEST_S = 0.005, 0.5
_SHARE = 0.1
"""of the time that it takes already, which is the most that is lost by looking late"""


def polls(limit: timedelta | None = None) -> Iterator[float]:
    """Yield the seconds since the beginning, once more when the limit is reached; without one, for ever."""
    begun = time.monotonic()
    while True:
        elapsed = time.monotonic() - begun
        yield elapsed
        if limit is not None and elapsed >= limit.total_seconds():
            return
        time.sleep(min(max(elapsed * _SHARE, _FASTEST_S), _SLOWEST_S))
