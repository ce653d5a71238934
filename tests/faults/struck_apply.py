"""Runs a `scurry` command that kills itself at a crash point: `python -m tests.faults.struck_apply POINT apply FILE …`.

The points are those of `scurry.testing.crash_points`. With `record:FILE` instead of one, the command runs to its end
and the points that it passed are written to the file, as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import cached_property
from pathlib import Path

from scurry.assembly import Assembly
from scurry.cli.main import main
from scurry.model.ports import Journal, Target
from scurry.testing.crash_points import CrashPoints, Recording, Striking, moments

RECORD = "record:"


def arrange(points: CrashPoints) -> None:
    """Have all that this process writes and calls pass the points."""
    target = Assembly.target

    def watched_journal(self: Assembly) -> Journal:
        return points.journal(self._open_journal(read_only=False))

    def watched_target(self: Assembly, name: str) -> Target:
        return points.target(target(self, name))

    watched = cached_property(watched_journal)
    watched.__set_name__(Assembly, "journal")
    Assembly.journal = watched  # type: ignore[method-assign, assignment]
    Assembly.target = watched_target  # type: ignore[method-assign]


def run(point: str, arguments: list[str]) -> int:
    """Run a command, with its end at a point, or noting all of them."""
    recording = Recording()
    if not point.startswith(RECORD):
        recording = Striking(point, lambda: os.kill(os.getpid(), signal.SIGKILL))
    arrange(recording)
    code = main(arguments)
    if point.startswith(RECORD):
        Path(point.removeprefix(RECORD)).write_text(json.dumps(moments(recording.passed)), "utf-8")
    return code


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
