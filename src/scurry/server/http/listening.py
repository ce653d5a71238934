"""Opens the API's port and answers there, by waitress: threads, buffers, slow and broken clients are its matter."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from scurry.model.errors import WorkspaceError
from scurry.server.http.application import Api
from scurry.server.http.auth import Gate, check_address

if TYPE_CHECKING:
    from scurry.server.service import Server

logger = logging.getLogger(__name__)

_THREADS = 24
"""more than all that can be changed and followed at one time"""
_LARGEST_BODY = 4 * 1024**3


def listen(server: Server, address: str, token: str | None) -> str:
    """Answer at `HOST:PORT` (port 0: a free one) in threads of its own. Returns the API's address.

    Raises `WorkspaceError` when the address cannot be had, or is open to others and no token is asked for.
    """
    host, port = _split(address)
    check_address(host, token)
    from waitress.server import create_server

    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # that a request waits is no warning
    try:
        waitress: Any = create_server(
            Api(server, Gate(token=token)),
            host=host,
            port=port,
            threads=_THREADS,
            ident=None,
            max_request_body_size=_LARGEST_BODY,
            clear_untrusted_proxy_headers=True,
        )
    except (OSError, ValueError) as error:
        raise WorkspaceError(
            f"the API cannot listen on {address!r}: {getattr(error, 'strerror', None) or error}",
            hint="Choose another address with --listen HOST:PORT; port 0 is a free one, `none` is no API.",
        ) from error
    threading.Thread(target=waitress.run, name="api", daemon=True).start()
    url = f"http://{f'[{host}]' if ':' in host else host}:{waitress.effective_port}"
    logger.info("the API answers at %s%s", url, "" if token else ", without a token, this machine only")
    return url


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise WorkspaceError(
            f"{address!r} is no address to listen on", hint="Write HOST:PORT, for example 0.0.0.0:8686."
        )
    return host.strip("[]"), int(port)
