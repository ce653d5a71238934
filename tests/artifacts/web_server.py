"""A web server on loopback that serves what a test puts into it, and remembers what it was asked for."""

from __future__ import annotations

import base64
import hashlib
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class WebServer:
    """Files by path, and how they are served."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    credentials: tuple[str, str] | None = None
    status: int | None = None
    """answer everything with this"""
    cut: set[str] = field(default_factory=set)
    """paths of which only half is sent"""

    def requests_for(self, suffix: str) -> int:
        """How often something with this end of its path was asked for."""
        return sum(path.endswith(suffix) for path in self.asked)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.served = WebServer(url=f"http://127.0.0.1:{self.server_port}")


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one packet, else each answer waits 40 ms for an acknowledgement
    server: _Server

    def do_GET(self) -> None:
        served = self.server.served
        served.asked.append(self.path)
        body = served.files.get(self.path.partition("?")[0])
        if served.status:
            self.reply(served.status, b"{}")
        elif served.credentials and self.headers.get("Authorization") != _basic(*served.credentials):
            self.reply(401, b"who are you?")
        elif body is None:
            self.reply(404, b"nothing here")
        elif self.headers.get("If-None-Match") == _tag(body):
            self.reply(304, b"")
        else:
            self.reply(200, body, cut=self.path in served.cut)

    def reply(self, status: int, body: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        if status == 200:
            self.send_header("ETag", _tag(body))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = cut

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[WebServer]:
    """Run a server until the end of the block."""
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _tag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'
