"""Processes that work on one world at the same time, each let go on for as many moments as a test says.

Each is a thread, but only one runs at a time: it goes from crash point to crash point, and waits there for its turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from scurry.engine.lease import LEASE
from scurry.model.errors import ApplicationLocked, JournalError, LeaseLost, ScurryError, TargetUnavailable
from scurry.model.journal import Lease
from scurry.model.operation import Outcome
from scurry.model.result import Applied
from scurry.testing.crash_points import CrashPoint, CrashPoints
from tests.engine.world import Command, Fault, Killed, World

_PATIENCE_S = 60


class Turns(CrashPoints):
    """Waits at each point for its turn. In a transaction nobody else could write, so nobody else gets one."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.passed: list[str] = []
        self._world = world
        self._left: int | None = 0
        self._dies = False
        self._calls_left: int | None = None
        self._go, self._paused = threading.Semaphore(0), threading.Semaphore(0)
        self._lease: Lease | None = None
        self._renewed: datetime | None = None

    # Of the test's thread

    def die_in_call(self, number: int) -> None:
        """Have it die in that call to the target, counted from 0, whose effect is late."""
        self._calls_left = number

    def let_go(self, moments: int | None, *, dies: bool) -> None:
        """Let it pass so many points (None: all), and then wait or die. Returns when it does or has ended."""
        self._left, self._dies = moments, dies
        self._go.release()
        assert self._paused.acquire(timeout=_PATIENCE_S), f"it hangs behind {self.passed[-3:]}"

    # Of the process's thread

    def begin(self) -> None:
        """Wait for the first turn."""
        self._wait()

    def end(self) -> None:
        """Give the turn back for good."""
        self._paused.release()

    def keep(self, lease: Lease) -> None:
        """Renew a lease from now on, as often as it is awake."""
        self._lease, self._renewed = lease, self._world.clock.time

    def reached(self, point: CrashPoint) -> None:
        self._world.breathe()
        self.passed.append(str(point))
        self._renew()
        if self._is_over():
            self._wait()

    def call(self, point: CrashPoint, run: Callable[[], Outcome]) -> Outcome:
        if (self._left == 0 and self._dies) or self._calls_left == 0:
            self._world.target.fault = Fault.LATE
            with suppress(TargetUnavailable):
                run()
            raise Killed
        if self._calls_left is not None:
            self._calls_left -= 1
        return super().call(point, run)

    def _is_over(self) -> bool:
        if self._left is None:
            return False
        self._left -= 1
        if self._left >= 0:
            return False
        if self._dies:
            raise Killed
        self._left = 0
        return not self._world.database.in_transaction

    def _wait(self) -> None:
        if self.passed:
            self._paused.release()
        self._go.acquire()
        if self._left == 0 and self._dies:
            raise Killed

    def _renew(self) -> None:
        now = self._world.clock.time
        if self._lease and self._renewed and now - self._renewed > timedelta(seconds=20):
            self._renewed = now
            with suppress(LeaseLost):
                self._lease = self._world.journal().renew(self._lease, duration=LEASE)


class Client:
    """A person at a terminal: one command at a time, each a process."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.result: Applied | ScurryError | None = None
        self._turns: Turns | None = None
        self._broken: BaseException | None = None

    @property
    def is_busy(self) -> bool:
        """Whether its command has not ended."""
        return self._turns is not None

    def begin(self, command: Command) -> None:
        """Begin a command; it waits for its first turn."""
        self.result = None
        self._turns = Turns(self.world)
        threading.Thread(target=self._work, args=(command, self._turns), daemon=True).start()

    def dies_in_call(self, number: int) -> None:
        """Let the command go on until it dies in that call to the target, or to its end."""
        if self._turns is not None:
            self._turns.die_in_call(number)
            self.go_on(None)

    def go_on(self, moments: int | None, *, dies: bool = False) -> None:
        """Let the command go on for so many moments, or to its end, and then wait or die."""
        if self._turns is None:
            return
        self._turns.let_go(moments, dies=dies)
        if self._broken:
            raise self._broken

    def _work(self, command: Command, turns: Turns) -> None:
        try:
            turns.begin()
            self.result = self.world.run(command, turns, turns.keep)
        except Killed:
            pass
        except ScurryError as error:
            self.result = error
            if isinstance(error, JournalError) and not isinstance(error, ApplicationLocked | LeaseLost):
                self._broken = error  # nothing that can happen outside makes the journal contradict itself
        except BaseException as error:  # told by `go_on`, in the test's own thread
            self._broken = error
        finally:
            self._turns = None
            turns.end()
