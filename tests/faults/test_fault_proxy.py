"""The proxy that does wrong, in front of a small server that counts what reaches it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import urllib3

from scurry.testing.fault_proxy import Fault, FaultProxy, Rule, faulty
from tests.flink.local_flink import until

Answer = tuple[int, str, bytes]
LOST = (urllib3.exceptions.HTTPError, OSError)


class Counting(ThreadingHTTPServer):
    """Answers each request with what it was and the number of those that came."""

    daemon_threads = True
    came: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Counting

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["content-length"])))

    def answer(self, body: bytes) -> None:
        self.server.came.append(f"{self.command} {self.path}")
        text = json.dumps({"number": f"{len(self.server.came):3}", "path": self.path, "body": body.decode()}).encode()
        self.send_response(404 if self.path.startswith("/missing") else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Be quiet."""


@pytest.fixture
def server() -> Iterator[Counting]:
    server = Counting(("127.0.0.1", 0), _Answers)
    server.came = []
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def between(server: Counting, *rules: Rule, seed: int = 0) -> Iterator[tuple[FaultProxy, urllib3.PoolManager]]:
    with faulty(server.url, *rules, seed=seed) as proxy, urllib3.PoolManager(retries=False) as client:
        yield proxy, client


def ask(
    proxy: FaultProxy, client: urllib3.PoolManager, path: str = "/a", *, method: str = "GET", **more: Any
) -> Answer:
    answer = client.request(method, proxy.url + path, timeout=5, **more)
    return answer.status, answer.headers["content-type"], answer.data


def test_without_rules_it_changes_nothing(server: Counting) -> None:
    with between(server) as (proxy, client):
        status, kind, body = ask(proxy, client, "/a?b=c", method="POST", body=b"hello")
        assert (status, kind) == (200, "application/json")
        assert json.loads(body) == {"number": "  1", "path": "/a?b=c", "body": "hello"}
        assert ask(proxy, client, "/missing")[0] == 404
        assert [(seen.method, seen.path, seen.fault, seen.status) for seen in proxy.seen] == [
            ("POST", "/a", None, 200),
            ("GET", "/missing", None, 404),
        ]
        assert proxy.injected == ()


def test_a_body_in_pieces_arrives_whole(server: Counting) -> None:
    with between(server) as (proxy, client):
        pieces = (bytes([65 + number]) * 1000 for number in range(20))
        _, _, body = ask(proxy, client, method="POST", body=pieces, chunked=True)
        assert len(json.loads(body)["body"]) == 20_000


@pytest.mark.parametrize(
    ("fault", "came"),
    [
        (Fault.RESET_BEFORE, 0),
        (Fault.RESET_AFTER, 1),
        (Fault.HALF, 1),
        (Fault.CUT_BEFORE, 0),
        (Fault.CUT_AFTER, 1),
    ],
)
def test_the_answer_is_lost_and_the_name_says_whether_the_server_saw_the_request(
    fault: Fault, came: int, server: Counting
) -> None:
    with between(server, Rule(fault=fault)) as (proxy, client):
        with pytest.raises(LOST):
            ask(proxy, client)
        assert len(server.came) == came
        assert fault.reaches_server == bool(came)
        assert [seen.fault for seen in proxy.injected] == [fault]


@pytest.mark.parametrize(
    ("fault", "status", "kind", "came"),
    [
        (Fault.FLINK_500, 500, "application/json", 0),
        (Fault.FLINK_503, 503, "application/json", 0),
        (Fault.FLINK_TIMEOUT_AFTER, 500, "application/json", 1),
        (Fault.HTML_500, 500, "text/html", 0),
        (Fault.HTML_502, 502, "text/html", 0),
        (Fault.HTML_500_AFTER, 500, "text/html", 1),
        (Fault.HTML_504_AFTER, 504, "text/html", 1),
    ],
)
def test_somebody_in_between_answers_instead(fault: Fault, status: int, kind: str, came: int, server: Counting) -> None:
    with between(server, Rule(fault=fault)) as (proxy, client):
        assert ask(proxy, client)[:2] == (status, kind)
        assert len(server.came) == came
        assert fault.reaches_server == bool(came)
        assert ask(proxy, client)[0] == 200


def test_half_an_answer_is_never_a_whole_one_and_the_same_with_the_same_seed(server: Counting) -> None:
    def lengths(seed: int, rule: Rule) -> list[int]:
        with between(server, rule, seed=seed) as (proxy, _):
            return [len(raw(proxy)) for _ in range(30)]

    (whole,) = set(lengths(7, Rule()))
    rule = Rule(fault=Fault.HALF, times=30)
    found = lengths(7, rule)
    assert all(0 <= length < whole for length in found)
    assert len(set(found)) > 10
    assert found == lengths(7, rule)
    assert found != lengths(8, rule)


def raw(proxy: FaultProxy) -> bytes:
    """Return all that comes back on a connection of its own."""
    host, _, port = proxy.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n")
        with suppress(OSError):  # the proxy may have reset the connection by now; what came before is still to be read
            connection.shutdown(socket.SHUT_WR)
        pieces = []
        with suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                pieces.append(piece)
        return b"".join(pieces)


def test_a_request_that_is_doubled_reaches_the_server_twice_and_its_second_answer_comes(server: Counting) -> None:
    with between(server, Rule(fault=Fault.TWICE)) as (proxy, client):
        assert json.loads(ask(proxy, client)[2])["number"] == "  2"


def test_a_late_answer_comes_after_the_clients_patience_and_the_server_saw_the_request_at_once(
    server: Counting,
) -> None:
    with between(server, Rule(fault=Fault.LATE, seconds=30)) as (proxy, client):
        begun = time.monotonic()
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            client.request("GET", proxy.url + "/a", timeout=0.2)
        assert time.monotonic() - begun < 30
        until(lambda: server.came == ["GET /a"], "the server saw it, long before its answer is let through")


def test_a_delayed_request_reaches_the_server_late(server: Counting) -> None:
    with between(server, Rule(fault=Fault.DELAY, seconds=0.3)) as (proxy, client):
        begun = time.monotonic()
        assert ask(proxy, client)[0] == 200
        assert time.monotonic() - begun >= 0.3


def test_a_cut_is_over_after_its_time_or_when_the_rules_are_set(server: Counting) -> None:
    with between(server, Rule(fault=Fault.CUT_AFTER, seconds=0.5)) as (proxy, client):
        begun = time.monotonic()
        while True:
            try:
                ask(proxy, client)
            except LOST:
                continue
            break
        assert time.monotonic() - begun >= 0.5
        assert [seen.fault for seen in proxy.injected[:2]] == [Fault.CUT_AFTER, Fault.CUT_BEFORE]
        proxy.cut(60)
        with pytest.raises(LOST):
            ask(proxy, client)
        proxy.arm()
        assert ask(proxy, client)[0] == 200


def test_rules_choose_by_method_path_and_occurrence(server: Counting) -> None:
    rule = Rule(fault=Fault.HTML_502, method="GET", path="/jobs/*/status", nth=2, times=2)
    with between(server, rule) as (proxy, client):
        asked = [
            ask(proxy, client, path, method=method, body=b"")[0]
            for method, path in [
                ("GET", "/jobs/1/status"),
                ("POST", "/jobs/1/status"),
                ("GET", "/jobs/1/status/more"),
                ("GET", "/jobs/status"),
                ("GET", "/jobs/2/status?query"),
                ("GET", "/jobs/1/status"),
                ("GET", "/jobs/1/status"),
            ]
        ]
        assert asked == [200, 200, 200, 200, 502, 502, 200]


def test_requests_can_be_counted_from_another_one_on(server: Counting) -> None:
    with between(server, Rule(fault=Fault.HTML_502, path="/a", after="POST /b/*", nth=2)) as (proxy, client):
        asked = [ask(proxy, client)[0] for _ in range(3)]
        ask(proxy, client, "/b/1")
        asked += [ask(proxy, client)[0] for _ in range(3)]
        ask(proxy, client, "/b/1", method="POST", body=b"")
        asked += [ask(proxy, client)[0] for _ in range(3)]
        assert asked == [200] * 7 + [502, 200]


def test_what_is_hit_by_chance_depends_on_the_seed_alone(server: Counting) -> None:
    def hit(seed: int) -> list[int]:
        with between(server, Rule(fault=Fault.FLINK_503, times=40, chance=0.5), seed=seed) as (proxy, client):
            return [ask(proxy, client)[0] for _ in range(40)]

    assert hit(1) == hit(1)
    assert hit(1) != hit(2)
    assert 8 < hit(1).count(503) < 32


def test_something_else_can_be_done_when_the_server_has_seen_the_request(server: Counting) -> None:
    came = []
    with between(server, Rule(then=lambda: came.append(len(server.came)))) as (proxy, client):
        assert ask(proxy, client)[0] == 200
        assert ask(proxy, client)[0] == 200
    assert came == [1]


def test_a_server_that_is_not_there_breaks_off_and_may_move(server: Counting) -> None:
    with between(server) as (proxy, client):
        proxy.upstream = "http://127.0.0.1:9"
        with pytest.raises(LOST):
            ask(proxy, client)
        assert proxy.seen[0].status is None
        proxy.upstream = f"{server.url}/prefix"
        assert json.loads(ask(proxy, client)[2])["path"] == "/prefix/a"


def test_a_client_that_breaks_off_in_its_request_reaches_nobody(server: Counting) -> None:
    with between(server) as (proxy, client):
        host, _, port = proxy.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"POST /a HTTP/1.1\r\ncontent-length: 100\r\n\r\nhalf of it")
        assert ask(proxy, client)[0] == 200
    assert server.came == ["GET /a"]
