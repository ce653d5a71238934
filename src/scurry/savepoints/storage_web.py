"""Snapshots behind http(s): read only, by ranges. A server that knows no ranges is read whole each time."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote, urlsplit, urlunsplit

from scurry.model.errors import SnapshotNotFound, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from urllib3 import BaseHTTPResponse

_TIMEOUT_S = 30.0


class WebStore:
    """Files behind http(s). Credentials may be in the address; proxies are those of the environment."""

    def __init__(self) -> None:
        from urllib3 import PoolManager
        from urllib3.util import Retry, Timeout

        self._options: dict[str, Any] = {
            "retries": Retry(3, backoff_factor=0.2, status_forcelist=(502, 503, 504), raise_on_status=False),
            "timeout": Timeout(connect=10.0, read=_TIMEOUT_S),
        }
        self._pools: dict[str | None, Any] = {None: PoolManager(maxsize=16)}

    def size(self, path: str) -> int:
        """Bytes of a file. Raises `SnapshotNotFound`, `StorageError`."""
        with self._asked("HEAD", path, {}) as answer:
            length = answer.headers.get("Content-Length", "")
            if not length.isdecimal():
                raise StorageError(f"the server of {shown(path)!r} does not say how large it is")
            return int(length)

    def read(self, path: str, start: int, length: int) -> bytes:
        """Read up to that many bytes. Raises `SnapshotNotFound`, `StorageError`."""
        if length <= 0:
            return b""
        asked = {"Range": f"bytes={start}-{start + length - 1}"}
        with self._asked("GET", path, asked) as answer:
            if answer.status == 416:  # it begins behind the file's end
                return b""
            if answer.status != 206:
                _skip(answer, start)
            return _exactly(answer, length)

    def write(self, path: str, chunks: Iterable[bytes]) -> NoReturn:
        """Refuse: raises `StorageError`."""
        raise _read_only(path)

    def listing(self, path: str) -> Mapping[str, int]:
        """Refuse: raises `StorageError`."""
        raise _read_only(path)

    def delete(self, path: str) -> NoReturn:
        """Refuse: raises `StorageError`."""
        raise _read_only(path)

    @contextmanager
    def _asked(self, method: str, path: str, headers: Mapping[str, str]) -> Iterator[BaseHTTPResponse]:
        import urllib3
        from urllib3.util import make_headers

        parts = urlsplit(path)
        asked = {**headers, **make_headers(accept_encoding="identity")}
        if parts.username is not None:
            asked |= make_headers(basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        try:
            answer = self._pool(parts.scheme, parts.hostname).request(
                method, bare, headers=asked, preload_content=False, **self._options
            )
            try:
                _check(path, answer)
                yield answer
                answer.drain_conn()
            finally:
                answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            why = str(getattr(error, "reason", None) or error)
            raise StorageError(
                f"{shown(path)!r} cannot be read: {why}", hint="Check the address and the network"
            ) from error

    def _pool(self, scheme: str, host: str | None) -> Any:
        from urllib.request import getproxies, proxy_bypass

        proxy = None if host is None or proxy_bypass(host) else getproxies().get(scheme)
        if proxy not in self._pools:
            from urllib3 import ProxyManager

            assert proxy
            self._pools[proxy] = ProxyManager(proxy, maxsize=16)
        return self._pools[proxy]


def shown(path: str) -> str:
    """Return an address without what may be secret: user, password, and the query of a signed one."""
    parts = urlsplit(path)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _check(path: str, answer: BaseHTTPResponse) -> None:
    if answer.status in {200, 206, 416}:
        return
    if answer.status in {404, 410}:
        raise SnapshotNotFound(f"there is no file {shown(path)!r}", hint="Check the address")
    what = f"{answer.status} {answer.reason or ''}".rstrip()
    hint = (
        "Write the credentials into the address: https://user:password@host/…"
        if answer.status in {401, 403}
        else "Check the address"
    )
    raise StorageError(f"{shown(path)!r} answers {what}", hint=hint)


def _skip(answer: BaseHTTPResponse, length: int) -> None:
    while length > 0:
        chunk = answer.read(min(length, 1 << 20))
        if not chunk:
            return
        length -= len(chunk)


def _exactly(answer: BaseHTTPResponse, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        chunk = answer.read(length - len(found))
        if not chunk:
            break
        found += chunk
    return bytes(found)


def _read_only(path: str) -> StorageError:
    return StorageError(
        f"nothing can be written to {shown(path)!r}: http addresses are for reading",
        hint="Name a directory, s3:// or gs:// address",
    )
