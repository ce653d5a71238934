"""Answers with logs: their ends, and to follow them lines of JSON until the client goes or the server stops.

Bounded: so many lines, so many bytes of each page, so many who follow at one time.
"""

from __future__ import annotations

import time
from itertools import chain
from typing import TYPE_CHECKING

from msgspec.structs import replace

from scurry.model.errors import ScurryError
from scurry.server import wire
from scurry.server.clock import HandedOver
from scurry.server.http.errors import BadRequest, Busy, body_of
from scurry.server.http.streaming import encoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.model.report import LogLines
    from scurry.server.http.call import Call

MOST_LINES = 20_000
MOST_BYTES = 4 * 1024 * 1024
"""of all logs of one page together; what is left out is the oldest, and its lines are counted"""
_ALIVE_S = 1.0
"""that a client has gone is seen by the second word that is sent after it"""

_STOPPED = wire.Failed(
    error=wire.ErrorBody(
        code="server-lost",
        message="the server was stopped while its logs were followed",
        hint="When it is there again, or at another one, run the same command.",
    )
)


def logs(call: Call) -> wire.LogsAnswer | Iterator[bytes]:
    """The last `lines` of each log of the processes that run an application; to `follow`, what is added, too."""
    lines, follow = call.number("lines", 50), call.flag("follow")
    if not 0 <= lines <= MOST_LINES:
        raise BadRequest(
            f"a server sends 0 to {MOST_LINES} lines of each log, not {lines}", hint="Ask for fewer: --tail N."
        )
    pages = call.workspace.logs(call.application, lines=lines, follow=follow)
    ends = fitting(next(pages))
    if not follow:
        return wire.LogsAnswer(logs=ends)
    if not call.server.seat():
        raise Busy.of(call.server, "too many follow logs through the server")
    followed = _followed(call, ends, pages)
    first = next(followed)  # it has begun: whatever becomes of it from here on, its seat is given back
    return encoded(chain([first], followed))


def _followed(call: Call, ends: tuple[LogLines, ...], pages: Iterator[tuple[LogLines, ...]]) -> Iterator[wire.Line]:
    told_at = time.monotonic()
    try:
        yield wire.Added(logs=ends)
        for page in pages:
            if call.server.is_stopping:
                break
            if page or time.monotonic() - told_at > _ALIVE_S:
                told_at = time.monotonic()
                yield wire.Added(logs=fitting(page)) if page else wire.Alive()
        yield _STOPPED
    except ScurryError as error:
        yield wire.Failed(error=body_of(error))
    except HandedOver:
        yield _STOPPED
    finally:
        call.server.seat_left()


def fitting(page: tuple[LogLines, ...]) -> tuple[LogLines, ...]:
    """Return a page without the oldest lines of logs that are too much to be sent."""
    share = MOST_BYTES // max(len(page), 1)
    return tuple(_fitting(log, share) for log in page)


def _fitting(log: LogLines, most_bytes: int) -> LogLines:
    left = most_bytes
    for number, line in enumerate(reversed(log.lines)):
        left -= len(line.encode(errors="replace")) + 1
        if left < 0:
            kept = log.lines[len(log.lines) - number :] or (log.lines[-1][-most_bytes // 4 :],)
            return replace(log, lines=kept, left_out=len(log.lines) - len(kept))
    return log
