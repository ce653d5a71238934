"""Work that goes on after a call was answered: an operation for each, a thread, and which of an application's counts.

A forced stop, a rollback or a delete makes the work in hand belong to the past: what it comes to is written nowhere.
"""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.emulator.records import Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scurry.emulator.records import Application, Records


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One piece of work of an application. Only the newest may write."""

    application: str
    number: int


class Works:
    """The work of all applications."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.lock = threading.RLock()
        self._newest: dict[str, int] = {}
        self._threads: set[threading.Thread] = set()

    def begin(
        self, application: Application, name: str, status: str, *, versions: tuple[int, int] | None = None
    ) -> Operation:
        """Write down an operation and the status that it brings; what was in hand counts no more."""
        operation = added(application, name, versions=versions)
        application.status = status
        self.renew(application)
        self.records.save(application)
        return operation

    def renew(self, application: Application) -> Work:
        """Return new work; all before it counts no more."""
        number = self._newest.get(application.name, 0) + 1
        self._newest[application.name] = number
        return Work(application=application.name, number=number)

    def newest(self, application: Application) -> Work:
        """Return the work that counts."""
        return Work(application=application.name, number=self._newest.get(application.name, 0))

    def counts(self, work: Work) -> bool:
        """Whether nothing has made it belong to the past."""
        return self._newest.get(work.application, 0) == work.number

    @contextmanager
    def finishing(self, work: Work, operation: Operation) -> Iterator[bool]:
        """Yield whether the work still counts; then its operation is SUCCESSFUL, in the same write as the status."""
        with self.lock:
            alive = self.counts(work)
            yield alive
            if alive:
                end(operation, "SUCCESSFUL")
                self.records.save(self.records.applications[work.application])

    def run(self, work: Callable[[], None]) -> None:
        """Do something in a thread."""

        def run() -> None:
            try:
                work()
            finally:
                self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, name="emulator", daemon=True)
        self._threads.add(thread)
        thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait a while for what is in hand."""
        until = time.monotonic() + timeout_s
        for thread in list(self._threads):
            thread.join(timeout=max(until - time.monotonic(), 0))


def added(application: Application, name: str, *, versions: tuple[int, int] | None = None) -> Operation:
    """Return a new operation of an application, its newest."""
    now = time.time()
    operation = Operation(id=secrets.token_urlsafe(16), name=name, start=now, end=now, versions=versions)
    application.operations.insert(0, operation)
    return operation


def end(operation: Operation, status: str, error: str | None = None) -> None:
    """Write into an operation how it ended."""
    operation.status, operation.end, operation.error = status, time.time(), error
