"""Ports of the loopback interface for Flink's processes: free ones, and the one that a user asks for."""

from __future__ import annotations

import random
import socket
from pathlib import Path

from scurry.flink.process import listener
from scurry.model.errors import TargetUnavailable, TargetUnsuitable

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST = 10_000
"""below it are many services' usual ports, Flink's own 8081 among them"""
_LAST = 65_535
_MIN_CHOICE = 1_000
_TRIES = 200


class PortRefused(TargetUnsuitable):
    """The port that the user asked for cannot be had."""


def free_ports(count: int) -> tuple[int, ...]:
    """Return different ports that nobody listens on now. Raises `TargetUnavailable` when there are none.

    They are outside the range that the system takes ports from by itself. From in there, a port that is free now can
    be gone a second later: to any connection of any process, or to the JobManager's own BLOB server.
    """
    found: list[int] = []
    for port in random.sample(choice := _own_range(), min(_TRIES, len(choice))):
        if _is_free(port):
            found.append(port)
        if len(found) == count:
            return tuple(found)
    raise TargetUnavailable(f"no {count} free ports were found on the loopback interface", hint="Close what holds them")


def _own_range() -> range:
    """Return the larger of the ranges below and above the system's own one (`ip_local_port_range`, on Linux)."""
    try:
        low, high = (int(word) for word in _EPHEMERAL.read_text("ascii").split())
    except (OSError, ValueError):
        low, high = 49_152, _LAST  # of IANA, and of macOS
    ranges = range(_FIRST, low), range(high + 1, _LAST + 1)
    largest = max(ranges, key=len)
    return largest if len(largest) >= _MIN_CHOICE else range(_FIRST, _LAST + 1)


def _is_free(port: int) -> bool:
    with socket.socket() as entry:
        try:
            entry.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def check_port(port: int) -> None:
    """Refuse a port that somebody listens on. Raises `PortRefused`, with who it is if the system says."""
    for host in ("127.0.0.1", "0.0.0.0"):
        with socket.socket() as entry:
            entry.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # as Java does: closing connections do not count
            try:
                entry.bind((host, port))
            except PermissionError as error:
                raise PortRefused(
                    f"port {port} may not be used by this user", hint="Choose 'rest_port' above 1023 in scurry.yaml"
                ) from error
            except OSError as error:
                raise _taken(port) from error


def _taken(port: int) -> PortRefused:
    """Return the error for a port that the user asked for and that is in use."""
    return PortRefused(
        f"port {port}, which 'rest_port' asks for, is taken by {listener(port) or 'another process'}",
        hint="Choose another 'rest_port' of the target in scurry.yaml, or leave it out for a free one",
    )
