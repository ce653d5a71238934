"""Runs a `scurry` command that kills itself at a crash point: `python -m tests.conformance.killed_apply POINT …`.

It is killed as by `kill -9`: nothing is cleaned up, no answer is waited for. The points are those that
`scurry.testing.crash_points` names; `ACTION:sent` is short for `1:upgrade/ACTION:in-flight`. With `record:FILE` the
command comes to its end, and the points that it has passed are written into the file, a line each.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from scurry.cli.main import main
from scurry.flink.connection import Connection, Request
from scurry.model.operation import Outcome
from scurry.model.ports import Journal, Target
from scurry.testing.crash_points import CrashPoint, CrashPoints, Place, Recording, Striking
from scurry.workspace import Workspace

_UNDER_WAY_S = 0.05
"""so long after a request was sent, it is with Flink and not answered"""


def die() -> None:
    """End as by `kill -9`."""
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly(Striking):
    """Dies at a point; of a call in flight, when its first request that changes something is on its way."""

    def __init__(self, at: str) -> None:
        super().__init__(at, die)

    def call(self, point: CrashPoint, run: Callable[[], Outcome]) -> Outcome:
        if self.is_at(point):
            _die_in_flight()
        return super().call(point, run)


def watch(points: CrashPoints) -> None:
    """Have whatever the command writes to the journal and to targets pass the points."""
    target = Workspace.target

    def watched_journal(self: Workspace) -> Journal:
        return points.journal(self.assembly.journal)

    def watched_target(self: Workspace, name: str) -> Target:
        return points.target(target(self, name))

    Workspace.journal = property(watched_journal)  # type: ignore[method-assign, assignment]
    Workspace.target = watched_target  # type: ignore[method-assign, assignment]


def _die_in_flight() -> None:
    """Die when the next call is on its way: its bytes are sent (half of them, of a file), its answer is not there."""
    original = Connection.send

    def send(self: Connection, request: Request) -> bytes:
        if request.method == "GET":
            return original(self, request)
        if isinstance(request.body, Iterator):
            return original(self, replace(request, body=_half(request.body)))
        threading.Thread(target=original, args=(self, request), daemon=True).start()
        time.sleep(_UNDER_WAY_S)
        die()
        raise AssertionError("dead")

    Connection.send = send  # type: ignore[method-assign]


def _half(body: Any) -> Iterator[bytes]:
    head, piece, *_ = body
    yield head
    yield piece[: len(piece) // 2]
    die()


def run(point: str, command: list[str]) -> int:
    """Run a command that is killed at a point, or recorded."""
    kind, _, rest = point.partition(":")
    if kind == "record":
        recording = Recording()
        watch(recording)
        try:
            return main(command)
        finally:
            Path(rest).write_text("\n".join(recording.passed))
    watch(Deadly(f"1:upgrade/{kind}:{Place.IN_FLIGHT}" if rest == "sent" else point))
    return main(command)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
