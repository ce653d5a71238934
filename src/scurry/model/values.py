"""Small values that many types share: secrets by reference, JSON, durations as people write them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TypeAlias

import msgspec

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

MASK = "•••"

_UNITS = {"ms": 0.001, "s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w)\s*")
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kKMGT]?)(i?)B?\s*")


class SecretRef(msgspec.Struct, frozen=True, kw_only=True):
    """Where a secret is, never the secret: an environment variable or a file. Resolved at the last moment."""

    source: str
    """`env` or `file`"""
    name: str
    """the variable's name, or the file's path"""

    def __str__(self) -> str:
        return MASK


Text: TypeAlias = str | SecretRef
"""A configured value: plain text, or a reference to a secret."""

MASKED = "******"
"""what Flink's REST API shows in place of a secret (GlobalConfiguration.HIDDEN_CONTENT)"""


def parse_duration(text: str) -> timedelta:
    """Read `30s`, `10 min`, `1h`, `7d`, `500ms` or a sum like `1h 30m`. Raises `ValueError`."""
    position, seconds = 0, 0.0
    while position < len(text):
        match = _DURATION.match(text, position)
        if not match:
            raise ValueError(f"{text!r} is not a duration; write for example 30s, 10min, 1h or 7d")
        seconds += float(match[1]) * _UNITS[match[2]]
        position = match.end()
    if not text.strip():
        raise ValueError("a duration is missing; write for example 30s, 10min, 1h or 7d")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Write a duration as people do: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    seconds = duration.total_seconds()
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for (unit, size), (smaller, smaller_size) in (
        (("d", 86400), ("h", 3600)),
        (("h", 3600), ("min", 60)),
        (("min", 60), ("s", 1)),
    ):
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def parse_size(text: str) -> int:
    """Read `50GB` (powers of 1000), `512MiB` (of 1024) or plain bytes. Raises `ValueError`."""
    match = _SIZE.fullmatch(text)
    if not match or (match[3] and not match[2]):
        raise ValueError(f"{text!r} is not a size; write for example 50GB or 512MiB")
    power = " KMGT".index(match[2].upper() or " ")
    return round(float(match[1]) * float(1024 if match[3] else 1000) ** power)
