"""REST addresses where something else answers, or nothing: told at the address in scurry.yaml, nothing is touched."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.misuse.shop import Shop

APPLY = ("apply", "other.yaml", "--yes")


@contextmanager
def answering(body: bytes, *, status: int = 200, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve the same answer to every call, and give the address."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            if status in {301, 302}:
                self.send_header("location", "https://login.example.com/?next=flink")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def point(shop: Shop, address: str) -> None:
    """Add a target at an address, and an application that is to run there."""
    shop.add(f"  cluster:\n    kind: rest\n    url: {address}\n", file="scurry.yaml")
    shop.write(
        "other.yaml", shop.path("orders.yaml").read_text().replace("name: orders", "name: other\ntarget: cluster")
    )


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"<!doctype html><html><body>Welcome to nginx!</body></html>", 200, "an HTML page"),
        (b'{"status": "ok", "version": "7.1"}', 200, "other JSON"),
        (b"\x00\x01\x02", 404, "something else"),
        (b"", 302, "'https://login.example.com/' instead"),
        (b'{"errors": ["no"]}', 401, "wants to know who asks"),
    ],
    ids=["html", "json", "bytes", "login", "unknown-user"],
)
def test_an_address_that_answers_something_else_is_told(shop: Shop, body: bytes, status: int, says: str) -> None:
    with answering(body, status=status) as address:
        point(shop, address)
        refusal = shop.refused(*APPLY, locks=True)
    refusal.is_at("scurry.yaml", 7, "targets.cluster.url")
    assert refusal.code == "target-unsuitable"
    assert says in refusal.message
    assert refusal.message.count("target 'cluster'") == 1
    assert refusal.hint.endswith("Nothing was changed.")
    assert refusal.hint.count("\n") >= 1, "says what to do, too"


def test_an_address_where_nobody_listens_is_told(shop: Shop) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        point(shop, f"http://127.0.0.1:{bound.getsockname()[1]}")
        refusal = shop.refused(*APPLY, locks=True)
    refusal.is_at("scurry.yaml", 7, "targets.cluster.url")
    assert refusal.code == "target-unavailable"
    assert "refuses connections" in refusal.message
    assert "Check that Flink runs there" in refusal.hint


def test_a_certificate_of_an_unknown_authority_is_told(shop: Shop) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with answering(b"{}", tls=context) as address:
        point(shop, address)
        refusal = shop.refused(*APPLY, locks=True)
    refusal.is_at("scurry.yaml", 7, "targets.cluster.url")
    assert "a certificate that this machine does not trust" in refusal.message
    assert "`ca`" in refusal.hint


def test_an_address_without_tls_that_is_called_with_it_is_told(shop: Shop) -> None:
    with answering(b"{}") as address:
        point(shop, address.replace("http://", "https://"))
        refusal = shop.refused(*APPLY, locks=True)
    assert "does not speak TLS" in refusal.message
    assert "`http://`" in refusal.hint


def test_a_certificate_file_that_is_not_there_is_told(shop: Shop) -> None:
    point(shop, "https://127.0.0.1:1\n    ca: nowhere.pem")
    refusal = shop.refused(*APPLY, locks=True)
    refusal.is_at("scurry.yaml", 7, "targets.cluster.url")
    assert "'nowhere.pem': No such file or directory" in refusal.message.replace(f"{shop.folder}/", "")


def test_what_is_no_address_is_told(shop: Shop) -> None:
    addresses = ["localhost:8081", "ftp://flink", "http://user:secret@flink:8081", "http:///x", "''"]
    targets = "".join(f"  t{number}: {{kind: rest, url: {text}}}\n" for number, text in enumerate(addresses))
    shop.add(targets, file="scurry.yaml")
    problems = shop.refused("status").error["problems"]
    assert [problem["key"] for problem in problems] == [f"targets.t{number}.url" for number in range(len(addresses))]
    assert "the address holds credentials" in problems[2]["message"]
    assert "secret" not in problems[2]["message"]


def test_a_target_whose_certificate_is_gone_hides_no_other_application(shop: Shop) -> None:
    shop.change("{kind: memory}", "{kind: rest, url: 'https://127.0.0.1:1', ca: gone.pem}", file="scurry.yaml")
    (told,) = shop.done("status", "--json").document["applications"]
    assert told["phase"] == "unknown"
    assert "gone.pem" in told["health"]["reason"]


def test_a_running_application_whose_address_is_wrong_now_is_unknown_and_not_lost(shop: Shop) -> None:
    """Also when it is only the address that somebody changed: it is neither started again nor forgotten."""
    with answering(b"<html></html>") as address:
        shop.change("{kind: memory}", f"{{kind: rest, url: '{address}'}}", file="scurry.yaml")
        (told,) = shop.done("status", "--json").document["applications"]
        assert (told["phase"], told["health"]["verdict"]) == ("unknown", "undecided")
        assert "an HTML page" in told["health"]["reason"]
        for command in (("apply", "orders.yaml", "--yes"), ("stop", "orders", "--yes"), ("delete", "orders", "--yes")):
            refusal = shop.refused(*command, locks=True)
            refusal.is_at("scurry.yaml", 4, "targets.mem.url")
