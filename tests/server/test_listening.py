"""Answers that are under way when the server ends: they come to their clients before it does."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import urllib3

from scurry.server.http.listening import Listening

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIEnvironment

LINES = 3


def test_what_is_being_answered_is_waited_for_and_told_to_its_end() -> None:
    tells = threading.Event()

    def lines() -> Iterator[bytes]:
        yield b"begun\n"
        tells.wait(30)
        yield from [b"ended\n"] * LINES

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return lines()

    listening = Listening(answer, "127.0.0.1", 0)
    assert listening.finish(0), "nobody has asked anything"
    response = urllib3.PoolManager().request("GET", f"http://127.0.0.1:{listening.port}/", preload_content=False)
    told = response.stream(6)
    assert next(told) == b"begun\n"
    assert not listening.finish(0.05), "it is in the middle"
    tells.set()
    assert listening.finish(30)
    assert b"".join(told) == b"ended\n" * LINES
