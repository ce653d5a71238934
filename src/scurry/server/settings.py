"""How a server is run: what the command line says, with its defaults."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass, field

INTERVAL_S, GRACE_S, ATTENDANCE_S = 2.0, 20.0, 15.0


def _name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How often to look, how much at once, how long to wait at the end."""

    interval_s: float = INTERVAL_S
    """between two surveys of one target"""
    workers: int = 32
    """applications that are worked on at once"""
    per_target: int = 4
    """the same, on one target"""
    attendance_s: float = ATTENDANCE_S
    """after so long without a word of it, a server's targets are taken over by the others"""
    grace_s: float = GRACE_S
    """how long what is in hand may take to end when the server is stopped; then it is handed over"""
    token: str | None = field(default=None, repr=False)
    """of the API; it goes before the project's"""
    name: str = field(default_factory=_name)
    """tells servers on one journal apart"""
