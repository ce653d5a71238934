"""A change's progress as lines of JSON, while it goes on in a thread of its own.

The change does not depend on who listens: a client that goes away misses the lines, and nothing else.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from scurry.model.errors import ScurryError
from scurry.server import wire
from scurry.server.clock import HandedOver
from scurry.server.http.errors import body_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scurry.model.reporting import Activity

logger = logging.getLogger(__name__)

_ALIVE_S = 5.0
_KEPT = 10_000
"""so many lines wait for a client that reads slowly; what is more is left out, but never the last line"""


class StreamedActivity:
    """One piece of work, told as lines."""

    def __init__(self, id: int, send: Callable[[wire.Line], None]) -> None:
        self._id, self._send, self._text = id, send, ""

    def advance(self, amount: float) -> None:
        """Tell it."""
        self._send(wire.Advance(id=self._id, amount=amount))

    def describe(self, text: str) -> None:
        """Tell it, if it is something new."""
        if text != self._text:
            self._text = text
            self._send(wire.Describe(id=self._id, text=text))


class Stream:
    """The port `Reporter`, and the lines that it told."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[wire.Line] = queue.SimpleQueue()
        self._ids = itertools.count(1)

    @contextmanager
    def activity(self, title: str, *, total: float | None = None) -> Iterator[Activity]:
        """Tell of a piece of work."""
        id = next(self._ids)
        self._send(wire.Begin(id=id, title=title, total=total))
        try:
            yield StreamedActivity(id, self._send)
        except BaseException:
            self._send(wire.End(id=id, done=False))
            raise
        self._send(wire.End(id=id, done=True))

    def note(self, text: str) -> None:
        """Tell it."""
        self._send(wire.Note(text=text))

    def warn(self, text: str) -> None:
        """Tell it."""
        self._send(wire.Note(text=text, warning=True))

    def run(self, change: Callable[[], wire.Line], *, name: str) -> None:
        """Do a change in a thread of its own. What it returns is the last line."""
        threading.Thread(target=self._run, args=(change,), name=name, daemon=True).start()

    def lines(self) -> Iterator[wire.Line]:
        """Yield the lines as they come, up to the last one."""
        while True:
            try:
                line = self._lines.get(timeout=_ALIVE_S)
            except queue.Empty:
                line = wire.Alive()
            yield line
            if isinstance(line, wire.Result | wire.Pruned | wire.Failed):
                return

    def _send(self, line: wire.Line) -> None:
        if self._lines.qsize() < _KEPT:
            self._lines.put(line)

    def _run(self, change: Callable[[], wire.Line]) -> None:
        try:
            last = change()
        except ScurryError as error:
            last = wire.Failed(error=body_of(error))
            self.error = error
        except HandedOver:
            last = wire.Failed(
                error=wire.ErrorBody(
                    code="handed-over",
                    message="the server was stopped in the middle; what was done so far is in the journal",
                    hint="Another server goes on with it. To see how things stand, run:\n  scurry status",
                )
            )
        except Exception as error:
            logger.exception("a bug in scurry")
            last = wire.Failed(error=wire.ErrorBody(code="bug", message=f"{type(error).__name__}: {error}"))
        self._lines.put(last)

    error: ScurryError | None = None


def encoded(lines: Iterator[wire.Line]) -> Iterator[bytes]:
    """Yield each line as it is sent."""
    for line in lines:
        yield msgspec.json.encode(line) + b"\n"
