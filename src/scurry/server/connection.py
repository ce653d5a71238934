"""A client's connection to a server: questions, and changes whose progress comes as lines."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec
import urllib3

from scurry.model.errors import ServerError, ServerLost, ServerUnavailable
from scurry.server import wire
from scurry.server.remote_errors import raised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scurry.model.report import LogLines
    from scurry.model.reporting import Activity, Reporter

T = TypeVar("T")
End = TypeVar("End", bound=wire.Result | wire.Pruned)

_TIMEOUT = urllib3.Timeout(connect=5, read=120)
"""a change is silent for five seconds at most; a question may take as long as its target"""
_LONG = urllib3.Timeout(connect=5, read=1800)
"""of a question for which all targets are asked, or all of the journal is read"""
_BUSY_S = 600.0
"""for so long a server is asked again that has too much to do"""

_CONNECTIONS = 64
"""that are kept: so many threads may use one connection to the server at one time"""
_NOT_SENT = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
"""it is certain that the server got nothing"""


class _NotDone(Exception):
    """Ends an activity that was not done over there. Never leaves this module."""


class ServerConnection:
    """A server by its address."""

    def __init__(self, url: str, token: str | None, *, user: str) -> None:
        self.url = url.rstrip("/")
        self._headers = {
            "user-agent": "scurry",
            wire.USER: user,
            **({"authorization": f"Bearer {token}"} if token else {}),
        }
        self._pool = urllib3.PoolManager(retries=False, timeout=_TIMEOUT, maxsize=_CONNECTIONS)

    def get(self, path: str, kind: type[T], *, is_long: bool = False, **query: Any) -> T:
        """Ask something."""
        return self._answer(self._send("GET", path, query=query, is_long=is_long), kind)

    def send(
        self, method: str, path: str, kind: type[T], *, body: object = None, is_long: bool = False, **query: Any
    ) -> T:
        """Have something done that is done at once."""
        return self._answer(self._send(method, path, query=query, body=body, is_long=is_long), kind)

    def upload(self, path: Path, where: str, **query: Any) -> None:
        """Send a file."""
        with path.open("rb") as file:
            self._answer(self._send("PUT", where, query=query, stream=file), wire.ArtifactAnswer)

    def change(self, path: str, body: object, reporter: Reporter, end: type[End]) -> End:
        """Have something changed, and tell of the progress here as if it were done here. Returns how it ended.

        A server that is at as much as it takes is asked again for some minutes. Raises `ServerLost` when the connection
        breaks: the change goes on over there.
        """
        with self._streamed(self._when_taken_on(path, body, reporter), self._lost) as lines:
            last = _Replay(reporter).run(lines)
        if not isinstance(last, end):
            raise self._strange(f"it ends with {type(last).__name__}")
        return last

    def follow(self, path: str, **query: Any) -> Iterator[tuple[LogLines, ...]]:
        """Yield lines of logs as they come. Raises `ServerLost` when the connection breaks, or the server stops."""
        answer = self._send("GET", path, query=query, preload=False)
        with self._streamed(answer, self._not_followed) as lines:
            for line in lines:
                match line:
                    case wire.Added(logs=logs):
                        yield logs
                    case wire.Failed(error=error):
                        raise raised(error)
                    case _:
                        yield ()
            raise _Ended

    def _when_taken_on(self, path: str, body: object, reporter: Reporter) -> urllib3.BaseHTTPResponse:
        until = time.monotonic() + _BUSY_S
        with ExitStack() as waiting:
            is_shown = False
            while True:
                answer = self._send("POST", path, body=body, preload=False)
                if answer.status != 503 or time.monotonic() > until:
                    return answer
                told = self._told(answer)
                if told is None or told.code != "busy" or told.retry_after_s is None:
                    raise self._failure(answer)
                if not is_shown:
                    waiting.enter_context(reporter.activity("wait for the server: it is at as much as it takes"))
                    is_shown = True
                time.sleep(told.retry_after_s)

    @contextmanager
    def _streamed(
        self, answer: urllib3.BaseHTTPResponse, lost: Callable[[str], ServerLost]
    ) -> Iterator[Iterator[wire.Line]]:
        """Give the lines of an answer, and say of a connection that breaks in the middle what that means."""
        if answer.status != 200:
            raise self._failure(answer)
        try:
            yield _lines(answer)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            was_slow = isinstance(error, urllib3.exceptions.TimeoutError)
            raise lost("it was silent for too long" if was_slow else "it was cut off") from error
        except _Ended:
            raise lost("it ended before the result came") from None
        except msgspec.DecodeError as error:
            raise self._strange(error) from error
        finally:
            answer.close()

    def _send(  # noqa: PLR0913 - all that a request can have
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: object = None,
        stream: Any = None,
        preload: bool = True,
        is_long: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        asked = urlencode({key: value for key, value in (query or {}).items() if value is not None}, doseq=True)
        url = f"{self.url}{wire.API}{path}" + (f"?{asked}" if asked else "")
        headers = dict(self._headers)
        if stream is not None:
            headers["content-type"] = "application/octet-stream"
        elif body is not None:
            headers["content-type"] = "application/json"
        content = stream if stream is not None else (msgspec.json.encode(body) if body is not None else None)
        try:
            return self._pool.request(
                method,
                url,
                body=content,
                headers=headers,
                redirect=False,
                preload_content=preload,
                timeout=_LONG if is_long else _TIMEOUT,
            )
        except urllib3.exceptions.HTTPError as error:
            if method != "GET" and not isinstance(error, _NOT_SENT):
                raise self._lost(_why(error)) from error
            raise ServerUnavailable(
                f"the server at {self.url} does not answer: {_why(error)}",
                hint="To work without it, leave --server (SCURRY_SERVER) out.",
            ) from error

    def _answer(self, answer: urllib3.BaseHTTPResponse, kind: type[T]) -> T:
        if answer.status != 200:
            raise self._failure(answer)
        try:
            return msgspec.json.decode(answer.data, type=kind)
        except msgspec.DecodeError as error:
            raise self._strange(error) from error

    def _strange(self, why: object) -> ServerError:
        return ServerError(f"{self.url} answers, but not as a scurry server of this version: {why}")

    def _failure(self, answer: urllib3.BaseHTTPResponse) -> Exception:
        told = self._told(answer)
        return (
            raised(told)
            if told
            else ServerError(f"{self.url} answers with HTTP {answer.status}, and is no scurry server")
        )

    def _told(self, answer: urllib3.BaseHTTPResponse) -> wire.ErrorBody | None:
        try:
            return msgspec.json.decode(answer.data, type=wire.ErrorAnswer).error
        except msgspec.DecodeError:
            return None

    def _lost(self, why: str) -> ServerLost:
        return ServerLost(
            f"the connection to {self.url} broke in the middle ({why}); the server goes on with what it is at",
            hint="To see how things stand, run:\n  scurry status",
        )

    def _not_followed(self, why: str) -> ServerLost:
        return ServerLost(
            f"the connection to {self.url} broke while logs were followed ({why})",
            hint="To go on, run the same command again.",
        )


class _Ended(Exception):
    """The lines ended without the last one. Never leaves this module."""


class _Replay:
    """Tells a reporter what the lines tell."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._open: dict[int, tuple[ExitStack, Activity]] = {}

    def run(self, lines: Iterator[wire.Line]) -> wire.Result | wire.Pruned:
        """Tell all of it. Raises the error that the last line tells of."""
        try:
            for line in lines:
                if isinstance(line, wire.Result | wire.Pruned):
                    return line
                if isinstance(line, wire.Failed):
                    raise raised(line.error)
                self._tell(line)
            raise _Ended
        finally:
            for id in tuple(self._open):
                self._end(id, done=False)

    def _tell(self, line: wire.Line) -> None:
        match line:
            case wire.Begin(id=id, title=title, total=total):
                stack = ExitStack()
                self._open[id] = stack, stack.enter_context(self._reporter.activity(title, total=total))
            case wire.Advance(id=id, amount=amount):
                self._with(id, lambda activity: activity.advance(amount))
            case wire.Describe(id=id, text=text):
                self._with(id, lambda activity: activity.describe(text))
            case wire.End(id=id, done=done):
                self._end(id, done=done)
            case wire.Note(text=text, warning=True):
                self._reporter.warn(text)
            case wire.Note(text=text):
                self._reporter.note(text)
            case _:
                pass

    def _with(self, id: int, do: Callable[[Activity], None]) -> None:
        if id in self._open:
            do(self._open[id][1])

    def _end(self, id: int, *, done: bool) -> None:
        found = self._open.pop(id, None)
        if found is None:
            return
        try:
            with found[0]:
                if not done:
                    raise _NotDone
        except _NotDone:
            pass


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[wire.Line]:
    decoder: msgspec.json.Decoder[wire.Line] = msgspec.json.Decoder(wire.Line)
    pending = b""
    while piece := answer.read1(65536):
        pending += piece
        *whole, pending = pending.split(b"\n")
        for line in whole:
            yield decoder.decode(line)


def quoted(name: str) -> str:
    """Return a name as a part of a path."""
    return quote(name, safe="@")


def _why(error: urllib3.exceptions.HTTPError) -> str:
    """Return the reason in words: the system's own, where there is one below."""
    match error:
        case urllib3.exceptions.NameResolutionError():
            return "there is no host of that name"
        case urllib3.exceptions.NewConnectionError():
            cause = error.__cause__
            return (cause.strerror if isinstance(cause, OSError) else None) or "no connection"
        case urllib3.exceptions.TimeoutError():
            return "it took too long"
        case _:
            return "the connection broke"
