"""As many threads as there is work at one time, up to a limit. One that has nothing to do for a while ends.

`ThreadPoolExecutor` keeps all that it ever started, and waits for them when the process ends.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

_IDLE_S = 20.0


class Threads:
    """Runs functions, each as soon as there is a thread for it."""

    def __init__(self, name: str, *, most: int) -> None:
        self._name = name
        self._most = most
        self._work: deque[Callable[[], None]] = deque()
        self._there = threading.Condition()
        self._running = 0
        self._idle = 0

    def run(self, function: Callable[[], None]) -> None:
        """Run a function in a thread, at once unless the limit is reached."""
        with self._there:
            self._work.append(function)
            if self._idle >= len(self._work):
                self._there.notify()
                return
            if self._running < self._most:
                self._running += 1
                threading.Thread(target=self._serve, name=self._name, daemon=True).start()

    def _serve(self) -> None:
        while (function := self._next()) is not None:
            try:
                function()
            except Exception:  # a thread of a pool outlives what went wrong in it
                logger.exception("a bug in scurry")

    def _next(self) -> Callable[[], None] | None:
        with self._there:
            while not self._work:
                self._idle += 1
                woken = self._there.wait(_IDLE_S)
                self._idle -= 1
                if not woken and not self._work:
                    self._running -= 1
                    return None
            return self._work.popleft()
