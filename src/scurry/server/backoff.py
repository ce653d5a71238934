"""How long to wait before something that failed is tried again: longer each time, and never all at the same moment."""

from __future__ import annotations

import random
from dataclasses import dataclass

_FIRST_S = 2.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full jitter: anything up to a bound that doubles (Brooker, "Exponential Backoff And Jitter", AWS 2015)."""

    longest_s: float = 300.0
    first_s: float = _FIRST_S

    def pause_s(self, failures: int, *, least_s: float = 0.0) -> float:
        """Return how long to wait after so many failures in a row. `least_s`: what the one who refused asked for."""
        bound = min(self.longest_s, self.first_s * 2 ** min(failures - 1, 30))
        return max(least_s, random.uniform(bound * 0.1, bound))
