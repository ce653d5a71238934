"""Who may use the API: whoever knows the token; without one, whoever is on this machine, and no web page.

A browser sends requests for any page to 127.0.0.1. Such a request names the page's host, or cannot have the content
type that a body needs without asking first, which is never granted.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scurry.model.errors import WorkspaceError
from scurry.server.http.errors import BadRequest, Unauthorized

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

OPEN = frozenset({"/healthz", "/readyz"})
"""asked by what starts and watches the server, which knows no token"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Lets requests in."""

    token: str | None = field(repr=False)

    def check(self, request: Request) -> None:
        """Raise `Unauthorized` for a request that has no right, `BadRequest` for one that a web page may have sent."""
        if request.path in OPEN:
            return
        if self.token is None:
            _refuse_pages(request)
            return
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        # Digests are of one length, so nothing is told by the time that it takes.
        if scheme.lower() != "bearer" or not hmac.compare_digest(_digest(given.strip()), _digest(self.token)):
            raise Unauthorized(
                "the token is missing or wrong",
                hint="Send it as `Authorization: Bearer …`; the CLI reads SCURRY_TOKEN.",
            )


def check_address(host: str, token: str | None) -> None:
    """Raise `WorkspaceError` when everybody could reach the API and nobody would be asked for a token."""
    if token is None and not is_loopback(host):
        raise WorkspaceError(
            f"the API is not opened on {host!r} without a token: whoever reaches it could stop your applications",
            hint="Set SCURRY_TOKEN, or `server: {token: {file: …}}` in scurry.yaml; or listen on 127.0.0.1.",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _refuse_pages(request: Request) -> None:
    host = request.host.rpartition(":")[0] if ":" in request.host and not request.host.endswith("]") else request.host
    if not is_loopback(host):
        raise BadRequest(f"{request.host!r} is not this machine", hint="Without a token, ask 127.0.0.1 itself.")
    if request.headers.get("Origin"):
        raise BadRequest("web pages may not ask here", hint="Give the server a token.")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
