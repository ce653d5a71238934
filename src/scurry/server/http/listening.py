"""Opens the API's port and answers there, by waitress: threads, buffers, slow and broken clients are its matter."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from scurry.model.errors import WorkspaceError
from scurry.server.http.application import Api
from scurry.server.http.auth import Gate, check_address

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from scurry.server.service import Server

logger = logging.getLogger(__name__)

_THREADS = 24
"""more than all that can be changed and followed at one time"""
_LARGEST_BODY = 4 * 1024**3
_LAST_WORDS_S = 5.0
_LOOK_S = 0.01


class Listening:
    """A port on which a WSGI application is answered, in threads that end with the process."""

    def __init__(self, application: WSGIApplication, host: str, port: int) -> None:
        """Raise `OSError`, `ValueError` when the address cannot be had."""
        from waitress.server import create_server

        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # that a request waits is no warning
        self._open: dict[int, Any] = {}
        waitress: Any = create_server(
            application,
            map=self._open,
            host=host,
            port=port,
            threads=_THREADS,
            ident=None,
            max_request_body_size=_LARGEST_BODY,
            clear_untrusted_proxy_headers=True,
        )
        self.port = int(waitress.effective_port)
        threading.Thread(target=waitress.run, name="api", daemon=True).start()

    def finish(self, seconds: float = _LAST_WORDS_S) -> bool:
        """Wait until the answers that were begun are with the network. Returns whether they are.

        A process that ends before has its clients think that it died, although it told them how things ended.
        """
        until = time.monotonic() + seconds
        while any(_is_answering(each) for each in list(self._open.values())):
            if time.monotonic() >= until:
                return False
            time.sleep(_LOOK_S)
        return True


def listen(server: Server, address: str, token: str | None) -> Listening:
    """Answer at `HOST:PORT` (port 0: a free one).

    Raises `WorkspaceError` when the address cannot be had, or is open to others and no token is asked for.
    """
    host, port = _split(address)
    check_address(host, token)
    try:
        listening = Listening(Api(server, Gate(token=token)), host, port)
    except (OSError, ValueError) as error:
        raise WorkspaceError(
            f"the API cannot listen on {address!r}: {getattr(error, 'strerror', None) or error}",
            hint="Choose another address with --listen HOST:PORT; port 0 is a free one, `none` is no API.",
        ) from error
    url = f"http://{f'[{host}]' if ':' in host else host}:{listening.port}"
    logger.info("the API answers at %s%s", url, "" if token else ", without a token, this machine only")
    return listening


def _is_answering(channel: Any) -> bool:
    """Whether one of waitress's channels has a request that is not answered, or bytes that are not sent."""
    return bool(getattr(channel, "requests", None)) or getattr(channel, "total_outbufs_len", 0) > 0


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise WorkspaceError(
            f"{address!r} is no address to listen on", hint="Write HOST:PORT, for example 0.0.0.0:8686."
        )
    return host.strip("[]"), int(port)
