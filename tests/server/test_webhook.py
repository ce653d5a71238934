"""Events to a webhook: signed, in order, tried again, and never in the way of the work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import msgspec
import pytest

from scurry.server.backoff import Backoff
from scurry.server.events import Event, EventKind
from scurry.server.webhook import SIGNATURE, Webhook, is_signed
from tests.server.site import Site, until

SECRET = "between us"


class Receiver:
    """A real HTTP server that takes events, and refuses the first few when it is told to."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.signatures: list[str] = []
        self.refusals = 0
        self.delay_s = 0.0
        receiver = self

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                time.sleep(receiver.delay_s)
                if receiver.refusals:
                    receiver.refusals -= 1
                    self.send_response(503)
                else:
                    receiver.bodies.append(body)
                    receiver.signatures.append(self.headers.get(SIGNATURE, ""))
                    self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Answers)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/events"

    def messages(self) -> list[str]:
        return [msgspec.json.decode(body)["event"]["message"] for body in self.bodies]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def _sending(receiver: Receiver) -> Iterator[Webhook]:
    webhook = Webhook(url=receiver.url, secret=lambda: SECRET, backoff=Backoff(longest_s=0.05, first_s=0.01))
    yield webhook
    webhook.drain(5)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def _event(message: str, kind: EventKind = EventKind.ALERT) -> Event:
    return Event(kind=kind, at=datetime.now(UTC), message=message)


def test_events_come_in_order_and_signed_though_some_are_refused_at_first(receiver: Receiver) -> None:
    receiver.refusals = 3
    with _sending(receiver) as webhook:
        for number in range(5):
            webhook.take(_event(f"{number}"))
        until(lambda: len(receiver.bodies) == 5, "all have come")
    assert receiver.messages() == list("01234")
    for body, signature in zip(receiver.bodies, receiver.signatures, strict=True):
        assert is_signed(body, signature, SECRET, now=time.time())
        assert not is_signed(body + b" ", signature, SECRET, now=time.time())
        assert not is_signed(body, signature, "guessed", now=time.time())
        assert not is_signed(body, signature, SECRET, now=time.time() + 600)


def test_a_slow_receiver_delays_nobody(receiver: Receiver) -> None:
    receiver.delay_s = 0.3
    with _sending(receiver) as webhook:
        started = time.monotonic()
        for number in range(2000):
            webhook.take(_event(f"{number}"))
        assert time.monotonic() - started < 60  # to wait for the receiver each time would take ten minutes
        until(lambda: len(receiver.bodies) >= 2, "some have come")


def test_only_what_was_taken_counts_as_told(receiver: Receiver) -> None:
    told: list[str] = []
    receiver.refusals = 8  # as often as one is tried
    with _sending(receiver) as webhook:
        for name in ("lost", "taken"):
            webhook.take(_event(name), lambda name=name: told.append(name))  # type: ignore[misc]
        until(lambda: bool(told), "one was taken")
    assert told == receiver.messages() == ["taken"]


def test_what_goes_as_it_should_wakes_nobody(receiver: Receiver) -> None:
    with _sending(receiver) as webhook:
        webhook.take(_event("taken", EventKind.SNAPSHOT_TAKEN))
        webhook.take(_event("bad", EventKind.BAD_REVISION))
        until(lambda: bool(receiver.bodies), "one has come")
    assert receiver.messages() == ["bad"]


def test_the_server_sends_what_it_does_by_itself(site: Site, receiver: Receiver) -> None:
    (site.folder / "secret").write_text(SECRET)
    project = site.folder / "scurry.yaml"
    hook = f"server: {{webhook: {{url: {receiver.url!r}, secret: {{file: secret}}}}}}\n"
    project.write_text(project.read_text() + hook)
    site.apply()
    with site.server() as server:
        site.cancel()
        server.await_event("repaired")
        until(lambda: bool(receiver.bodies), "it has come")
        site.apply("other", more="drift: report\n", target="other")
        site.cancel("other", "other")
        until(lambda: len(receiver.bodies) == 2, "what is left so is told, too")
        until(lambda: len(site.open().journal.alerts()) == 1, "that it was told is remembered")
    with site.server() as server:
        site.cancel()
        until(lambda: len(receiver.bodies) == 3, "the next one tells what is new")
    events = [msgspec.json.decode(body)["event"] for body in receiver.bodies]
    assert [(event["kind"], event["application"], event["target"]) for event in events] == [
        ("repaired", "shop", "mem"),
        ("drift", "other", "other"),
        ("repaired", "shop", "mem"),
    ]
    assert is_signed(receiver.bodies[0], receiver.signatures[0], SECRET, now=time.time())
