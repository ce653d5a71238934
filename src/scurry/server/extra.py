"""What the server needs beside scurry itself: the extra `server`."""

from __future__ import annotations

from importlib.util import find_spec

from scurry.model.errors import MissingExtra

_NEEDED = ("waitress", "werkzeug", "prometheus_client")


def check_installed() -> None:
    """Raise `MissingExtra` when something is not installed."""
    if any(find_spec(name) is None for name in _NEEDED):
        raise MissingExtra("server", purpose="`scurry serve`")
