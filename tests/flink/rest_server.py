"""A little HTTP(S) server on the loopback that answers as badly as it is told to, and remembers what it was asked."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[[socket.socket], None]
"""Writes to the connection; it is closed afterwards unless `keep` made the answer."""


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class RestServer:
    """Give `answers`; each request takes the next one, and the last is repeated."""

    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    scheme: str = "http"
    released: threading.Event = field(default_factory=threading.Event)
    """answers that hang do so until this is set"""

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def next_answer(self) -> Answer:
        index = min(len(self.asked), len(self.answers)) - 1
        return self.answers[index]


def whole(status: int, body: str, *, content_type: str = "application/json", headers: str = "") -> Answer:
    """Answer as one should; the connection stays open."""

    def answer(connection: socket.socket) -> None:
        data = body.encode()
        sizes = f"content-type: {content_type}\r\ncontent-length: {len(data)}\r\n"
        connection.sendall(f"HTTP/1.1 {status} X\r\n{sizes}{headers}\r\n".encode() + data)

    answer.keep = True  # type: ignore[attr-defined]
    return answer


def flink_error(status: int, *errors: str) -> Answer:
    """Answer as Flink does when something is wrong."""
    import json

    return whole(status, json.dumps({"errors": errors}))


def half(body: str) -> Answer:
    """Promise more than is sent."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 200 OK\r\ncontent-length: {len(body) * 2}\r\n\r\n{body}".encode())

    return answer


def reset(connection: socket.socket) -> None:
    """Break the connection off hard."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def nothing(connection: socket.socket) -> None:
    """Close without a word."""


def trickle(server: RestServer, *, pause_s: float = 0.02) -> Answer:
    """Send a byte now and then, for ever."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while not server.released.wait(pause_s):
            connection.sendall(b" ")

    return answer


def silence(server: RestServer) -> Answer:
    """Say nothing, and keep the connection."""

    def answer(connection: socket.socket) -> None:
        server.released.wait(30)

    return answer


@contextmanager
def serving(*answers: Answer, context: ssl.SSLContext | None = None) -> Iterator[RestServer]:
    """Serve on a free port of 127.0.0.1."""
    server = RestServer(answers=list(answers), scheme="https" if context else "http")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]
        thread = threading.Thread(target=_accept, args=(listener, server, context), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def _accept(listener: socket.socket, server: RestServer, context: ssl.SSLContext | None) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        server.connections += 1
        threading.Thread(target=_serve, args=(connection, server, context), daemon=True).start()


def _serve(connection: socket.socket, server: RestServer, context: ssl.SSLContext | None) -> None:
    with suppress(OSError), connection:
        if context is None:
            _answer_all(connection, server)
            return
        with context.wrap_socket(connection, server_side=True) as secured:
            _answer_all(secured, server)


def _answer_all(connection: socket.socket, server: RestServer) -> None:
    if not isinstance(connection, ssl.SSLSocket) and connection.recv(1, socket.MSG_PEEK) == b"\x16":
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")  # a TLS handshake, as a plain server sees it
        return
    with connection.makefile("rb") as stream:
        while request := _read(stream):
            server.asked.append(request)
            answer = server.next_answer()
            answer(connection)
            if not getattr(answer, "keep", False):
                return


def _read(stream: object) -> Asked | None:
    readline = stream.readline  # type: ignore[attr-defined]
    first = readline().decode().split()
    if not first:
        return None
    headers: dict[str, str] = {}
    while line := readline().decode().strip():
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    body = stream.read(int(headers.get("content-length", "0")))  # type: ignore[attr-defined]
    return Asked(method=first[0], path=first[1], headers=headers, body=body)
