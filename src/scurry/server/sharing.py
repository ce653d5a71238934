"""Who of several servers looks after which target: each target is somebody's, and few move when one comes or goes.

Rendezvous hashing: every server computes the same answer from the names of those that live. Two that differ for a
moment about who lives do no harm: an application's lease lets only one of them change it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def owner(target: str, servers: Sequence[str]) -> str | None:
    """Return the server that a target is looked after by."""
    return max(servers, key=lambda server: _weight(target, server), default=None)


def owned(targets: Iterable[str], server: str, servers: Sequence[str]) -> frozenset[str]:
    """Return the targets that are one server's."""
    return frozenset(target for target in targets if owner(target, servers) == server)


def _weight(target: str, server: str) -> tuple[bytes, str]:
    return hashlib.sha256(f"{server}\0{target}".encode()).digest(), server
