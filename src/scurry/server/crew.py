"""Who does the work that surveys find: so many at once, so many at once for each target, one for each application.

The bound for each target is what keeps one that answers slowly from having all workers wait for it.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import TYPE_CHECKING

from scurry.server.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable


class Crew:
    """Runs one piece of work for each application at a time."""

    def __init__(self, *, workers: int, per_target: int) -> None:
        self._threads = Threads("worker", most=workers)
        self._workers = workers
        self._per_target = per_target
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[tuple[str, Callable[[], None]]]] = {}
        self._busy: Counter[str] = Counter()
        self._known: set[str] = set()
        self._closed = False

    def submit(self, target: str, application: str, work: Callable[[], None]) -> bool:
        """Have work done. False when there is some for the application already, or the crew goes home."""
        with self._changed:
            if self._closed or application in self._known:
                return False
            self._known.add(application)
            self._waiting.setdefault(target, deque()).append((application, work))
            self._start()
        return True

    def is_at(self, application: str) -> bool:
        """Whether an application is being worked on, or waits for it."""
        return application in self._known

    @property
    def in_hand(self) -> int:
        """How many are being worked on."""
        return self._busy.total()

    @property
    def waiting(self) -> int:
        """How many wait to be worked on."""
        return len(self._known) - self._busy.total()

    def close(self) -> None:
        """Begin nothing more; what waits is dropped."""
        with self._changed:
            self._closed = True
            for queue in self._waiting.values():
                self._known.difference_update(application for application, _ in queue)
            self._waiting.clear()
            self._changed.notify_all()

    def await_end(self, seconds: float) -> bool:
        """Wait until nothing is in hand. False when it still is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy.total(), seconds)

    def _start(self) -> None:
        """Begin what can begin; targets take turns. The caller holds the lock."""
        for target in list(self._waiting):
            queue = self._waiting.pop(target)
            while queue and self._busy[target] < self._per_target and self._busy.total() < self._workers:
                application, work = queue.popleft()
                self._busy[target] += 1
                self._threads.run(self._job(target, application, work))
            if queue:
                self._waiting[target] = queue  # behind the others now

    def _job(self, target: str, application: str, work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            finally:
                with self._changed:
                    self._known.discard(application)
                    self._busy[target] -= 1
                    if not self._busy[target]:
                        del self._busy[target]
                    self._start()
                    self._changed.notify_all()

        return run
