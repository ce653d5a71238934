"""Reads what the application has written so far, and works the same out in plain Python to compare with."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple


class Hour(NamedTuple):
    """An airline's departures within an hour: the key of a result."""

    carrier: str
    hour: datetime


class Delays(NamedTuple):
    """A result. `cancelled` is only in results of the second version of the query."""

    flights: int
    mean_delay: float | None
    cancelled_share: float
    cancelled: int | None = None


def same(found: Delays | None, right: Delays | None) -> bool:
    """Whether a result is right. The first version's have no number of cancelled flights."""
    if found is None or right is None:
        return False
    return found[:3] == right[:3] and found.cancelled in (None, right.cancelled)


class Results:
    """All results so far, each file of them read once: a file that is there never changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: set[Path] = set()
        self.by_hour: dict[Hour, Delays] = {}
        self.twice: list[Hour] = []
        """hours that were written more than once; there must be none"""

    def update(self) -> Results:
        """Read the files that came since the last time."""
        for file in set(self._folder.glob("part-*")) - self._read:  # a file that is being written begins with a dot
            self._read.add(file)
            for line in file.read_text("utf-8").splitlines():
                self._add(json.loads(line))
        return self

    def _add(self, row: dict[str, object]) -> None:
        key = Hour(str(row.pop("carrier")), datetime.fromisoformat(str(row.pop("departure_hour"))))
        if key in self.by_hour:
            self.twice.append(key)
        self.by_hour[key] = Delays(**row)  # type: ignore[arg-type]

    @property
    def flights(self) -> int:
        """How many flights have been counted."""
        return sum(delays.flights for delays in self.by_hour.values())

    @property
    def last_hour(self) -> datetime:
        """Up to which hour there are results."""
        return max((key.hour for key in self.by_hour), default=datetime.min)


def last_hour_of(month: Path) -> datetime:
    """Return the last hour that has a result when a month has been read: its end but for the watermark's one day."""
    with month.open(encoding="utf-8", newline="") as file:
        hours = {_hour(row[18]) for row in csv.reader(file)}
    return max(hour for hour in hours if hour <= max(hours) - timedelta(days=1, hours=1))


def expected(months: Iterable[Path]) -> dict[Hour, Delays]:
    """Work out the results in plain Python."""
    delays: dict[Hour, list[int | None]] = defaultdict(list)
    for month in months:
        with month.open(encoding="utf-8", newline="") as file:
            for row in csv.reader(file):
                delays[Hour(row[9], _hour(row[18]))].append(None if row[3] == "NA" else int(row[5]))
    return {key: _summary(values) for key, values in delays.items()}


def _summary(delays: list[int | None]) -> Delays:
    departed = [delay for delay in delays if delay is not None]
    cancelled = len(delays) - len(departed)
    mean = sum(departed) / len(departed) if departed else None
    return Delays(len(delays), mean, cancelled / len(delays), cancelled)


def _hour(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z"))
