"""When scheduled snapshots are taken: the five fields of a cron line, checked. No clock."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAMES = {
    "month": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "day of week": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
_PART = re.compile(r"(?P<first>\*|\w+)(-(?P<last>\w+))?(/(?P<step>\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The minutes at which something is due; each set holds the values of one cron field (Sunday is 0)."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    """neither day field restricts (with both restricted, cron takes either one that fits)"""


def parse_schedule(text: str) -> Schedule:
    """Read a cron line (`0 * * * *`, `30 4 * * mon-fri`, `@daily`). Raises `ValueError` that names the field."""
    fields = _MACROS.get(text.strip().lower(), text).split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"'{text}' is not a cron schedule: it has {len(fields)} of 5 fields "
            "(minute, hour, day of month, month, day of week)"
        )
    values = [
        _field(field, name=name, least=least, most=most)
        for field, (name, least, most) in zip(fields, _FIELDS, strict=True)
    ]
    return Schedule(
        minutes=values[0],
        hours=values[1],
        days=values[2],
        months=values[3],
        weekdays=frozenset(day % 7 for day in values[4]),
        any_day=fields[2].startswith("*") or fields[4].startswith("*"),
    )


def _field(text: str, *, name: str, least: int, most: int) -> frozenset[int]:
    return frozenset(value for part in text.split(",") for value in _part(part, name=name, least=least, most=most))


def _part(text: str, *, name: str, least: int, most: int) -> range:
    match = _PART.fullmatch(text)
    if not match:
        raise ValueError(f"'{text}' is not a {name} of a cron schedule")
    step = int(match["step"] or 1)
    if step == 0:
        raise ValueError(f"'{text}' steps by nothing in the {name} of a cron schedule")
    if match["first"] == "*":
        if match["last"]:
            raise ValueError(f"'{text}' is not a {name} of a cron schedule")
        return range(least, most + 1, step)
    first = _number(match["first"], name=name, least=least, most=most)
    if match["last"] is None:
        return range(first, (most if match["step"] else first) + 1, step)
    last = _number(match["last"], name=name, least=least, most=most)
    if last < first:
        raise ValueError(f"'{text}' runs backwards in the {name} of a cron schedule")
    return range(first, last + 1, step)


def _number(text: str, *, name: str, least: int, most: int) -> int:
    names = _NAMES.get(name, ())
    if text.lower() in names:
        return names.index(text.lower()) + least
    if text.isdigit() and least <= int(text) <= most:
        return int(text)
    raise ValueError(f"'{text}' is not a {name} of a cron schedule ({least} to {most})")
