"""Downloads one large file over HTTP with progress: a Flink tarball. Packages come by pip, not by this."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urlsplit, urlunsplit

from scurry.model.errors import RuntimeUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    import urllib3

    from scurry.model.reporting import Reporter

_CHUNK = 1 << 20


def maven_central() -> str:
    """Return the address of Maven Central as jgo knows it; jgo is imported only when somebody asks."""
    from jgo.constants import MAVEN_CENTRAL_URL

    return str(MAVEN_CENTRAL_URL)


def fetch(url: str, into: Path, *, title: str, reporter: Reporter) -> Path:
    """Download a file and return where it is.

    A fragment `#sha512=…` or `#sha256=…` is checked; `user:password@` is sent as basic auth. Certificates and proxies
    are those of SSL_CERT_FILE, REQUESTS_CA_BUNDLE and HTTPS_PROXY. Raises `RuntimeUnavailable`.
    """
    import urllib3

    address, fragment = urldefrag(without_credentials(url))
    file = into / (urlsplit(address).path.rpartition("/")[2] or "download")
    algorithm, _, expected = fragment.partition("=")
    digest = hashlib.new(algorithm) if algorithm in ("sha256", "sha512") else None
    try:
        response = _pool(address).request("GET", address, headers=_basic_auth(url), preload_content=False)
        with response, file.open("wb") as out:
            if response.status != 200:
                answer = f"{response.status} {response.reason or ''}".rstrip()
                raise RuntimeUnavailable(
                    f"{address!r} answers {answer} instead of the file",
                    hint="Check the address in the project file",
                )
            size = response.headers.get("Content-Length")
            with reporter.activity(title, total=int(size) if size else None) as activity:
                for chunk in response.stream(_CHUNK):
                    out.write(chunk)
                    activity.advance(len(chunk))
                    if digest:
                        digest.update(chunk)
    except urllib3.exceptions.HTTPError as error:
        raise RuntimeUnavailable(
            f"{address!r} cannot be downloaded: {error}", hint="Check the network and the address"
        ) from error
    if digest and digest.hexdigest() != expected.lower():
        raise RuntimeUnavailable(f"what {address!r} serves is not what was expected: its {algorithm} differs")
    return file


def without_credentials(url: str) -> str:
    """The address as it may be shown."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _basic_auth(url: str) -> dict[str, str]:
    from urllib3.util import make_headers

    given, at, _ = urlsplit(url).netloc.rpartition("@")
    return dict(make_headers(basic_auth=unquote(given))) if at else {}


def _pool(address: str) -> urllib3.PoolManager:
    import ssl
    from urllib.request import getproxies, proxy_bypass

    import urllib3

    context = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or None)
    parts = urlsplit(address)
    proxy = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
    timeout = urllib3.Timeout(connect=15, read=60)
    if proxy:
        return urllib3.ProxyManager(proxy, ssl_context=context, timeout=timeout, retries=2)
    return urllib3.PoolManager(ssl_context=context, timeout=timeout, retries=2)
