"""One HTTP connection pool to a Flink REST address: TLS, credentials, deadlines, and which calls are tried again.

Knows HTTP, not Flink: what an answer means is decided in `rest_errors` and `rest`.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import urllib3

from scurry.flink import rest_errors
from scurry.model.errors import Problem, ScurryError, SpecInvalid, TargetUnavailable
from scurry.model.values import SecretRef, Text

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

Resolve: TypeAlias = Callable[[Text], str]
"""Turns a text or a reference to a secret into plain text, at the last moment."""

Body: TypeAlias = "bytes | Iterator[bytes] | None"

_CHUNK = 64 * 1024
_PAUSES_S = (0.05, 0.2)
"""waits before a safe read is tried again; longer waits are the caller's to decide"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestSettings:
    """How to reach a Flink REST address, as `targets.<name>` of the project file says."""

    url: str
    """with a path prefix, when Flink is behind a proxy: `https://gateway.example.com/flink/orders`"""
    verify: bool = True
    """whether the server's certificate is checked"""
    ca: Path | None = None
    """certificates of the authorities to trust (PEM); None: those of this machine"""
    cert: Path | None = None
    """our certificate (PEM), where the server asks for one"""
    key: Path | None = None
    """its key; None: it is in the file of `cert`"""
    username: str | None = None
    password: Text | None = field(default=None, repr=False)
    token: Text | None = field(default=None, repr=False)
    headers: Mapping[str, Text] = field(default_factory=dict, repr=False)
    connect_timeout_s: float = 5.0
    timeout_s: float = 30.0
    """for an ordinary call, as a whole"""
    run_timeout_s: float = 300.0
    """for calls during which a program's `main` runs, or a file is stored: upload, plan, run"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call, ready to be sent."""

    method: str
    path: str
    """beneath the settings' URL, with a leading slash"""
    body: Body = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float | None = None
    """for the whole call; None: the settings'"""
    conceal: tuple[str, ...] = field(default=(), repr=False)
    """secrets in the body, which the server may repeat in an error"""

    @property
    def is_read(self) -> bool:
        """Whether it may be sent again when its answer was lost."""
        return self.method == "GET"


class Connection:
    """A pool of connections to one address. Safe to share between threads."""

    def __init__(self, settings: RestSettings, *, target: str = "", resolve: Resolve | None = None) -> None:
        self._settings = settings
        self._target = target
        self._resolve = resolve or _only_plain
        parts = _split(settings, target)
        self._prefix = parts.path.rstrip("/")
        self.base_url = f"{parts.scheme}://{parts.netloc}{self._prefix}"
        self._pool = self._open_pool(parts.scheme == "https", parts.hostname or "", parts.port)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def send(self, request: Request) -> bytes:
        """Return the body of a successful answer.

        A read whose answer was lost is sent again at most twice, within the call's time. Anything else is sent once;
        `TargetUnavailable` then means that its effect is not known. Raises what `rest_errors` makes of a failure.
        """
        deadline = time.monotonic() + (request.timeout_s or self._settings.timeout_s)
        for pause in _PAUSES_S:
            try:
                return self._send_once(request, deadline)
            except TargetUnavailable:
                if not request.is_read or time.monotonic() + pause >= deadline:
                    raise
            time.sleep(pause)
        return self._send_once(request, deadline)

    @contextmanager
    def stream(self, request: Request) -> Iterator[Iterator[bytes]]:
        """Give the body of a successful answer piece by piece; for logs, which may be large."""
        deadline = time.monotonic() + (request.timeout_s or self._settings.timeout_s)
        with self._failures(request):
            response = self._open(request, deadline)
        try:
            if response.status >= 300:
                raise self._rejected(request, response, self._read(request, response, deadline))
            yield self._pieces(request, response)
        finally:
            response.close()

    def _send_once(self, request: Request, deadline: float) -> bytes:
        with self._failures(request):
            response = self._open(request, deadline)
            body = self._read(request, response, deadline)
        if response.status >= 300:
            raise self._rejected(request, response, body)
        return body

    def _open(self, request: Request, deadline: float) -> urllib3.BaseHTTPResponse:
        left = max(deadline - time.monotonic(), 0.001)
        return self._pool.urlopen(
            request.method,
            self._prefix + request.path,
            body=request.body,
            headers=self._headers() | dict(request.headers),
            timeout=urllib3.Timeout(connect=min(self._settings.connect_timeout_s, left), read=left),
            retries=False,
            redirect=False,
            preload_content=False,
        )

    def _read(self, request: Request, response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        # A server that sends a byte now and then never runs into the socket's time limit: hence a deadline of our own.
        pieces = []
        while piece := response.read1(_CHUNK):
            pieces.append(piece)
            if time.monotonic() > deadline:
                response.close()
                raise rest_errors.too_slow(self._call(request))
        response.release_conn()
        if not pieces and not _says_its_length(response):
            raise urllib3.exceptions.IncompleteRead(0, 1)  # its head broke off: `http.client` takes it for whole
        return b"".join(pieces)

    def _pieces(self, request: Request, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        with self._failures(request):
            while piece := response.read1(_CHUNK):
                yield piece

    def _rejected(self, request: Request, response: urllib3.BaseHTTPResponse, body: bytes) -> ScurryError:
        answer = rest_errors.Answer(status=response.status, headers=dict(response.headers), body=body)
        return rest_errors.from_answer(answer, self._call(request))

    @contextmanager
    def _failures(self, request: Request) -> Iterator[None]:
        try:
            yield
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise rest_errors.from_failure(error, self._call(request)) from None

    def _call(self, request: Request) -> rest_errors.Call:
        return rest_errors.Call(
            url=self.base_url, path=request.path, method=request.method, target=self._target, conceal=request.conceal
        )

    def _headers(self) -> dict[str, str]:
        settings = self._settings
        headers = {"accept": "application/json", "user-agent": "scurry"}
        headers.update((name, self._resolve(text).strip()) for name, text in settings.headers.items())
        if settings.token is not None:
            headers["authorization"] = f"Bearer {self._resolve(settings.token).strip()}"
        elif settings.username is not None:
            password = "" if settings.password is None else self._resolve(settings.password).rstrip("\r\n")
            pair = f"{settings.username}:{password}".encode()  # UTF-8: RFC 7617
            headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        for name, value in headers.items():
            if not (value.isascii() and value.isprintable()):
                raise rest_errors.unsendable_header(name, self._target)  # http.client would show it
        return headers

    def _open_pool(self, tls: bool, host: str, port: int | None) -> urllib3.HTTPConnectionPool:
        options: dict[str, Any] = {"maxsize": 8, "block": False}
        if not tls:
            return urllib3.HTTPConnectionPool(host, port, **options)
        with rest_errors.unreadable_tls_files(self._target):
            return urllib3.HTTPSConnectionPool(host, port, ssl_context=_tls(self._settings), **options)


def _tls(settings: RestSettings) -> ssl.SSLContext:
    import ssl

    for file in (settings.ca, settings.cert, settings.key):
        if file:
            file.open("rb").close()  # OpenSSL does not say which one is not there
    context = ssl.create_default_context(cafile=str(settings.ca) if settings.ca else None)
    if not settings.verify:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the user has decided
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.cert:
        context.load_cert_chain(settings.cert, settings.key)
    return context


def _split(settings: RestSettings, target: str) -> Any:
    parts = urlsplit(settings.url)
    problem = None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        problem = f"{settings.url!r} is not the address of a Flink REST API; write for example http://localhost:8081"
    elif parts.username or parts.password:
        shown = f"{parts.scheme}://…@{parts.hostname}"
        problem = f"the address {shown!r} holds credentials; they belong in `username` and `password`"
    elif parts.query or parts.fragment:
        problem = f"{settings.url!r} has a query or fragment, which the address of a REST API has not"
    if problem:
        where = f"target {target!r}: " if target else ""
        raise SpecInvalid((Problem(message=where + problem),))
    return parts


def _says_its_length(response: urllib3.BaseHTTPResponse) -> bool:
    return "content-length" in response.headers or "transfer-encoding" in response.headers


def _only_plain(text: Text) -> str:
    if isinstance(text, SecretRef):
        raise TypeError("a reference to a secret needs something that resolves it")
    return text
