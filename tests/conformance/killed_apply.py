"""Runs a `scurry` command that kills itself at a chosen moment: `python -m tests.conformance.killed_apply MOMENT …`.

It is killed as by `kill -9`: nothing is cleaned up, no answer is waited for. A moment is `ACTION:PLACE`, or `health`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from scurry.cli.main import main
from scurry.engine.attempt import Attempt
from scurry.flink.connection import Connection, Request
from scurry.journal.sql_journal import SqlJournal

PLACES = ("started", "sent", "landed", "journalled")
"""of a step: journalled as started; call sent, not answered; answered, not journalled; journalled as finished"""
_CALLS = {"upload": "/jars/upload", "stop": "/stop", "cancel": "?mode=cancel", "submit": "/run"}
"""action → how the path of its call ends"""


def die() -> None:
    """End as by `kill -9`."""
    os.kill(os.getpid(), signal.SIGKILL)


def arrange(moment: str) -> None:
    """Have this process die at a moment."""
    action, _, place = moment.partition(":")
    match place:
        case "":
            _around(Attempt, "await_health", before=lambda *_: die())
        case "started":
            _around(SqlJournal, "start_step", after=lambda _, step: die() if step.action == action else None)
        case "sent":
            _in_flight(_CALLS[action])
        case "landed" | "journalled":
            _at_the_end_of(action, place)
        case _:
            raise ValueError(f"no moment is called {moment!r}")


def _around(owner: Any, name: str, *, before: Any = None, after: Any = None) -> None:
    original = getattr(owner, name)

    def replaced(*args: Any, **named: Any) -> Any:
        if before:
            before(*args)
        result = original(*args, **named)
        if after:
            after(args[0], args[-1])
        return result

    setattr(owner, name, replaced)


def _at_the_end_of(action: str, place: str) -> None:
    running: list[str] = []
    start, finish = SqlJournal.start_step, SqlJournal.finish_step

    def noted(self: SqlJournal, lease: Any, operation: int, step: Any) -> int:
        running[:] = [step.action]
        return start(self, lease, operation, step)

    def deadly(self: SqlJournal, *args: Any, **named: Any) -> None:
        if running == [action] and place == "landed":
            die()
        finish(self, *args, **named)
        if running == [action]:
            die()

    SqlJournal.start_step = noted  # type: ignore[method-assign]
    SqlJournal.finish_step = deadly  # type: ignore[method-assign]


def _in_flight(path: str) -> None:
    """Die when the call is on its way: its bytes are sent (half of them, of a file), its answer is not there."""
    original = Connection.send

    def send(self: Connection, request: Request) -> bytes:
        if request.method == "GET" or not request.path.endswith(path):
            return original(self, request)
        if path == _CALLS["upload"]:
            return original(self, replace(request, body=_half(request.body)))
        threading.Thread(target=original, args=(self, request), daemon=True).start()
        time.sleep(0.05)
        die()
        raise AssertionError("dead")

    Connection.send = send  # type: ignore[method-assign]


def _half(body: Any) -> Iterator[bytes]:
    head, piece, *_ = body
    yield head
    yield piece[: len(piece) // 2]
    die()


if __name__ == "__main__":
    arrange(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
