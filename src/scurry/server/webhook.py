"""Sends events to a webhook, signed, from a thread of its own: whoever is slow or away there delays nothing here.

The signature is HMAC-SHA256 over `TIMESTAMP.BODY`, in the header `Scurry-Signature: t=TIMESTAMP,v1=HEX`. The time is
part of it, so that a receiver can refuse what is old: nobody can send it once more later.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import queue
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import urllib3

from scurry.server.backoff import Backoff
from scurry.server.events import QUIET

if TYPE_CHECKING:
    from collections.abc import Callable

    from scurry.server.events import Event

logger = logging.getLogger(__name__)

SIGNATURE = "Scurry-Signature"
_KEPT = 1000
_ATTEMPTS = 8
_TIMEOUT = urllib3.Timeout(connect=5, read=10)


@dataclass(kw_only=True)
class Webhook:
    """Where events go. Each is tried a few times, then given up and logged; the order is kept."""

    url: str
    secret: Callable[[], str | None] = field(default=lambda: None, repr=False)
    """resolved at each attempt: it may be changed while the server runs"""
    backoff: Backoff = field(default_factory=lambda: Backoff(longest_s=60.0, first_s=1.0))
    _waiting: queue.Queue[tuple[Event, Callable[[], None] | None]] = field(default_factory=lambda: queue.Queue(_KEPT))
    _ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Begin to send."""
        self._pool = urllib3.PoolManager(retries=False, timeout=_TIMEOUT)
        threading.Thread(target=self._run, name="webhook", daemon=True).start()

    def take(self, event: Event, then: Callable[[], None] | None = None) -> None:
        """Have an event sent, and `then` something done. Returns at once."""
        if event.kind in QUIET:
            return
        try:
            self._waiting.put_nowait((event, then))
        except queue.Full:
            logger.error("the webhook is %d events behind; this one is not sent", _KEPT)

    def drain(self, seconds: float) -> bool:
        """Wait until all is sent, then end. False when some is not."""
        deadline = time.monotonic() + seconds
        while self._waiting.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.05)
        self._ended.set()
        return not self._waiting.unfinished_tasks

    def _run(self) -> None:
        while True:
            event, then = self._waiting.get()
            try:
                if self._deliver(event) and then:
                    then()
            except Exception:  # the next event is sent all the same
                logger.exception("a bug in scurry")
            finally:
                self._waiting.task_done()

    def _deliver(self, event: Event) -> bool:
        body = msgspec.json.encode({"schema": "scurry/event/1", "event": event})
        for attempt in range(1, _ATTEMPTS + 1):
            why = self._send(body)
            if why is None:
                return True
            if attempt == _ATTEMPTS or self._ended.wait(self.backoff.pause_s(attempt)):
                break
        logger.error("an event could not be sent to the webhook: %s", why, extra={"event": event.kind.value})
        return False

    def _send(self, body: bytes) -> str | None:
        """Send once. Returns why it was not taken, or None."""
        headers = {"content-type": "application/json", "user-agent": "scurry"}
        secret = self.secret()
        if secret:
            headers[SIGNATURE] = sign(body, secret, at=int(time.time()))
        try:
            answer = self._pool.request("POST", self.url, body=body, headers=headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            return type(error).__name__
        return None if answer.status < 300 else f"HTTP {answer.status}"


def sign(body: bytes, secret: str, *, at: int) -> str:
    """Return the signature of a body that is sent at a time (Unix seconds)."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def is_signed(body: bytes, signature: str, secret: str, *, now: float, tolerance_s: float = 300) -> bool:
    """Whether a signature is right and not old: what a receiver does."""
    parts = dict(part.split("=", 1) for part in signature.split(",") if "=" in part)
    at = parts.get("t", "")
    if not at.isdigit() or abs(now - int(at)) > tolerance_s:
        return False
    return hmac.compare_digest(sign(body, secret, at=int(at)), f"t={at},v1={parts.get('v1', '')}")
