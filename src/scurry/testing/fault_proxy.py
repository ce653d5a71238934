"""A proxy in front of an HTTP server, such as Flink's REST interface, that does wrong what networks do wrong.

Rules say which request is hit, and by what: it is lost, or its answer is, or it is late, broken, doubled, or replaced
by an error of somebody in between. Whether the server has seen the request is part of the fault, for that is what a
client cannot know. What was done is written down. Plain HTTP/1.1; bodies are held in memory.
"""

from __future__ import annotations

import http.client
import random
import re
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Fault(StrEnum):
    """What happens to a request. Where its name says `after`, the server has seen it and has done what it asks."""

    NONE = "none"
    """nothing: for rules that only have something else done at that moment"""
    DELAY = "delay"
    """it reaches the server late"""
    LATE = "late-answer"
    """the answer is held back: longer than the client waits, if the rule says so"""
    RESET_BEFORE = "reset-before"
    RESET_AFTER = "reset-after"
    HALF = "half-answer"
    """the answer breaks off somewhere"""
    FLINK_500 = "flink-500"
    """an error of Flink's own that names no cause"""
    FLINK_503 = "flink-503"
    """no JobManager is leader"""
    FLINK_TIMEOUT_AFTER = "flink-timeout-after"
    """Flink's own 500: it did not answer itself in time"""
    HTML_500 = "html-500"
    HTML_502 = "html-502"
    HTML_500_AFTER = "html-500-after"
    HTML_504_AFTER = "html-504-after"
    TWICE = "twice"
    """somebody in between sends it again, and the second answer is the one that comes"""
    CUT_BEFORE = "cut-before"
    """the network is gone for a while: for this request and all that follow"""
    CUT_AFTER = "cut-after"

    @property
    def reaches_server(self) -> bool:
        """Whether the server sees the request, if it is there."""
        return self not in _UNSEEN


_UNSEEN = frozenset(
    {Fault.RESET_BEFORE, Fault.FLINK_500, Fault.FLINK_503, Fault.HTML_500, Fault.HTML_502, Fault.CUT_BEFORE}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which requests are hit, and by what."""

    fault: Fault = Fault.NONE
    method: str = ""
    """empty: any"""
    path: str = ""
    """without the query; `*` stands for one segment; empty: any"""
    after: str = ""
    """`METHOD PATH`: only requests that come after such a one count"""
    nth: int = 1
    """the first that is hit, of those that match, from 1"""
    times: int = 1
    """so many in a row"""
    seconds: float = 1.0
    """of a delay, a late answer, a cut"""
    chance: float = 1.0
    """with which probability each of them is hit, drawn with the proxy's seed"""
    then: Callable[[], object] | None = None
    """is called at that moment: after the server has seen the request where the fault lets it, else instead"""

    def matches(self, method: str, path: str) -> bool:
        """Whether it is about such requests."""
        return self.method in {"", method} and (not self.path or _is_like(self.path, path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request that came, and what was done to it."""

    method: str
    path: str
    """without the query"""
    fault: Fault | None
    """None: none of the rules hit it"""
    status: int | None
    """what the server answered; None: it was not asked, or is not there"""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    content_type: str = "application/json"

    def head(self) -> bytes:
        reason = http.client.responses.get(self.status, "Unknown")
        size = f"content-type: {self.content_type}\r\ncontent-length: {len(self.body)}\r\n\r\n"
        return f"HTTP/1.1 {self.status} {reason}\r\n{size}".encode()


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


class FaultProxy:
    """The proxy. Use it in `with`: it listens on a free port of 127.0.0.1 from then on."""

    def __init__(self, upstream: str, *rules: Rule, seed: int = 0, timeout_s: float = 300.0) -> None:
        self.upstream = upstream
        """may be set to another address at any time"""
        self._timeout_s = timeout_s
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._rules: list[_Armed] = []
        self._seen: list[Seen] = []
        self._cut_until = 0.0
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._closed = threading.Event()
        self.arm(*rules)

    def __enter__(self) -> FaultProxy:
        """Begin to listen."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Break off all connections and listen no more."""
        self._closed.set()
        for entry in (*self._open, *([self._listener] if self._listener else [])):
            with suppress(OSError):
                entry.shutdown(socket.SHUT_RDWR)
            entry.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        if self._listener is None:
            raise ValueError("the proxy is not in use yet: use it in `with`")
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def seen(self) -> tuple[Seen, ...]:
        """What came since the rules were last set, in the order of the ends."""
        with self._lock:
            return tuple(self._seen)

    @property
    def injected(self) -> tuple[Seen, ...]:
        """What was hit since the rules were last set."""
        return tuple(request for request in self.seen if request.fault is not None)

    def arm(self, *rules: Rule) -> None:
        """Set the rules; of several that hit a request the first counts. Forgets what was seen, and ends a cut."""
        with self._lock:
            self._rules = [_Armed(rule) for rule in rules]
            self._seen = []
            self._cut_until = 0.0

    def cut(self, seconds: float) -> None:
        """Cut the network: each connection breaks off, until so many seconds have passed or the rules are set."""
        self._cut_until = time.monotonic() + seconds

    # A connection --------------------------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        try:
            with suppress(OSError, ValueError), connection, connection.makefile("rb") as stream:
                while (request := _read(stream)) and self._answer(connection, request):
                    pass
        finally:
            self._open.discard(connection)

    def _answer(self, connection: socket.socket, request: _Request) -> bool:
        """Answer a request, or fail to. Returns whether the connection lasts."""
        if time.monotonic() < self._cut_until:
            return self._note(request, Fault.CUT_BEFORE, None) or _reset(connection)
        rule = self._rule(request)
        fault = rule.fault if rule else None
        if fault is Fault.DELAY and rule:
            self._closed.wait(rule.seconds)
        answer = self._ask(request) if fault is None or fault.reaches_server else None
        if fault is Fault.TWICE:
            answer = self._ask(request)
        if rule and rule.then:
            rule.then()
        self._note(request, fault, answer.status if answer else None)
        return self._end(connection, rule, answer)

    def _end(self, connection: socket.socket, rule: _Rule, answer: _Answer | None) -> bool:
        fault = rule.fault if rule else Fault.NONE
        if rule and fault in {Fault.CUT_BEFORE, Fault.CUT_AFTER}:
            self.cut(rule.seconds)
        elif rule and fault is Fault.LATE:
            self._closed.wait(rule.seconds)
        answer = _INSTEAD.get(fault, answer)
        if answer is None or fault in _BROKEN:
            return _reset(connection)
        sent = answer.head() + answer.body
        if fault is Fault.HALF:
            return self._half(connection, sent)
        connection.sendall(sent)
        return True

    def _half(self, connection: socket.socket, whole: bytes) -> bool:
        """Send the beginning and end there: in an orderly way, or not."""
        with self._lock:
            size, is_orderly = self._random.randrange(1, len(whole)), self._random.random() < 0.5
        connection.sendall(whole[:size])
        return False if is_orderly else _reset(connection)

    def _rule(self, request: _Request) -> _Rule:
        with self._lock:
            hits = [armed.rule for armed in self._rules if armed.hits(request)]
            return next((rule for rule in hits if rule.chance >= 1 or self._random.random() < rule.chance), None)

    def _note(self, request: _Request, fault: Fault | None, status: int | None) -> bool:
        with self._lock:
            self._seen.append(Seen(method=request.method, path=request.path, fault=fault, status=status))
        return False

    def _ask(self, request: _Request) -> _Answer | None:
        """Return what the server answers; None: it is not there, or breaks off."""
        parts = urlsplit(self.upstream)
        server = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self._timeout_s)
        try:
            target = parts.path.rstrip("/") + request.target
            server.request(request.method, target, body=request.body, headers=request.headers)
            response = server.getresponse()
            content_type = response.getheader("content-type") or "application/octet-stream"
            return _Answer(response.status, response.read(), content_type)
        except (OSError, http.client.HTTPException):
            return None
        finally:
            server.close()


_Rule = Rule | None


@dataclass(slots=True)
class _Armed:
    """A rule that counts."""

    rule: Rule
    is_awake: bool = field(init=False)
    matched: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.is_awake = not self.rule.after

    def hits(self, request: _Request) -> bool:
        if not self.is_awake:
            method, _, path = self.rule.after.partition(" ")
            self.is_awake = method == request.method and _is_like(path, request.path)
            return False
        if not self.rule.matches(request.method, request.path):
            return False
        self.matched += 1
        return self.rule.nth <= self.matched < self.rule.nth + self.rule.times


def _is_like(pattern: str, path: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", "[^/]+"), path) is not None


@contextmanager
def faulty(upstream: str, *rules: Rule, seed: int = 0) -> Iterator[FaultProxy]:
    """Stand in front of a server with these rules."""
    with FaultProxy(upstream, *rules, seed=seed) as proxy:
        yield proxy


def _html(status: int, what: str) -> _Answer:
    page = f"<html><head><title>{status} {what}</title></head><body><h1>{status} {what}</h1></body></html>"
    return _Answer(status, page.encode(), "text/html")


_INSTEAD = {
    # As `AbstractHandler` answers what no handler foresees.
    Fault.FLINK_500: _Answer(500, b'{"errors":["Internal server error."]}'),
    # As `LeaderRetrievalHandler` answers.
    Fault.FLINK_503: _Answer(
        503,
        b'{"errors":["Service temporarily unavailable due to an ongoing leader election. Please refresh."]}',
    ),
    # As a handler answers whose call inside of Flink ran into `web.timeout`.
    Fault.FLINK_TIMEOUT_AFTER: _Answer(
        500,
        b'{"errors":["Internal server error.","<Exception on server side:\\njava.util.concurrent.TimeoutException: '
        b"Invocation of [RemoteRpcInvocation(DispatcherGateway)] at recipient [pekko://flink/user/rpc/dispatcher_1] "
        b'timed out.\\n\\nEnd of exception on server side>"]}',
    ),
    Fault.HTML_500: _html(500, "Internal Server Error"),
    Fault.HTML_502: _html(502, "Bad Gateway"),
    Fault.HTML_500_AFTER: _html(500, "Internal Server Error"),
    Fault.HTML_504_AFTER: _html(504, "Gateway Time-out"),
}
_BROKEN = frozenset({Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.CUT_BEFORE, Fault.CUT_AFTER})
_NOT_PASSED_ON = frozenset({"connection", "transfer-encoding", "content-length", "host", "keep-alive", "expect"})


def _reset(connection: socket.socket) -> bool:
    """Break off hard: without this, the client would see an orderly end."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return False


def _read(stream: BinaryIO) -> _Request | None:
    """Read a request; None at the end of the connection. Raises `ValueError` for what is no HTTP."""
    first = stream.readline().decode("latin-1").split()
    if not first:
        return None
    method, target, _ = first
    headers: dict[str, str] = {}
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    chunked = "chunked" in headers.get("transfer-encoding", "")
    body = _chunks(stream) if chunked else _exactly(stream, int(headers.get("content-length", "0")))
    kept = {name: value for name, value in headers.items() if name not in _NOT_PASSED_ON}
    return _Request(method, target, kept, body)


def _chunks(stream: BinaryIO) -> bytes:
    pieces = []
    while size := int(stream.readline().partition(b";")[0], 16):
        pieces.append(_exactly(stream, size))
        stream.readline()
    while stream.readline().strip():
        pass
    return b"".join(pieces)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    body = stream.read(size)
    if len(body) < size:
        raise ValueError("the client broke off in the middle of its request")
    return body


__all__ = ["Fault", "FaultProxy", "Rule", "Seen", "faulty"]
