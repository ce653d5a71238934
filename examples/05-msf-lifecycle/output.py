"""What the application has written: the totals, which go on while its state is kept, and begin at 1 when it is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_S = 180.0


class Output:
    """The file of totals."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def totals(self) -> list[int]:
        """All totals so far."""
        if not self.path.exists():
            return []
        return [int(line.split()[0]) for line in self.path.read_text("utf-8").splitlines()]

    def lines(self) -> int:
        """How many totals there are."""
        return len(self.totals())

    def lines_beyond(self, since: int) -> int:
        """Wait until there are more totals than that; return how many."""
        wait_until(lambda: self.lines() > since, f"more than {since} totals")
        return self.lines()

    def keeps_state(self, since: int) -> bool:
        """Wait for the next total. Whether none since then began at 1 again, as the first one without state does."""
        self.lines_beyond(self.lines())
        return 1 not in self.totals()[since:]

    def begins_anew(self, since: int) -> bool:
        """Wait for the next total. Whether one since then began at 1 again: the state is lost."""
        return not self.keeps_state(since)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Look again and again until it is so."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(what)
        time.sleep(0.1)
