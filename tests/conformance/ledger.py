"""The programs whose output tells whether their state was kept, and the reading of that output.

Numbers from 0 on, a total for each of a few keys, one line `number key total` each into an exactly-once file sink. So
a lost record is a gap, one that was processed twice is there twice, and lost state is a total that begins anew.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parent / "applications" / "Ledger.java"
SCRIPT = Path(__file__).parent / "applications" / "ledger.sql"
KEYS = 8
EXAMPLES = 5
Entry = tuple[int, int]
"""a number, and the total of its key with it"""


def count_of(number: int) -> int:
    """Return the total that the Java program writes: how many numbers of the key there were."""
    return number // KEYS + 1


def sum_of(number: int) -> int:
    """Return the total that the SQL program writes: the sum of the numbers of the key."""
    count, key = count_of(number), number % KEYS
    return count * key + KEYS * count * (count - 1) // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found of one kind of fault."""

    count: int
    first: tuple[Entry, ...]
    """the first examples; of what is lost, with the total that would be there"""

    def told(self, what: str) -> str:
        return f"{self.count} {what}: {list(self.first)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a ledger says. All lines up to the last number should be there, each once, with the right total."""

    lines: int
    last: int
    """the greatest number; -1 when there is none"""
    lost: Found
    doubled: Found
    wrong: Found

    @property
    def is_sound(self) -> bool:
        return not (self.lost.count or self.doubled.count or self.wrong.count)

    def __str__(self) -> str:
        faults = {"numbers are lost": self.lost, "are there twice": self.doubled, "have a wrong total": self.wrong}
        told = "; ".join(found.told(what) for what, found in faults.items() if found.count)
        return f"of {self.lines} lines up to number {self.last}: {told or 'all is well'}"


def committed(folder: Path) -> list[Entry]:
    """Return what was committed: numbers and totals, by number. Files in progress have names that begin with a dot."""
    lines = [line for file in folder.glob("**/part-*") for line in file.read_text("utf-8").splitlines()]
    entries = []
    for line in lines:
        number, key, total = (int(part) for part in re.split("[ ,]", line))
        assert key == number % KEYS, line
        entries.append((number, total))
    return sorted(entries)


def examine(entries: Sequence[Entry], expected: Callable[[int], int] = count_of) -> Report:
    """Say what is lost, what is there twice, and which totals are off."""
    times = Counter(number for number, _ in entries)
    last = max(times, default=-1)
    return Report(
        lines=len(entries),
        last=last,
        lost=_found([(number, expected(number)) for number in range(last + 1) if number not in times]),
        doubled=_found([entry for entry in sorted(set(entries)) if times[entry[0]] > 1]),
        wrong=_found([(number, total) for number, total in entries if total != expected(number)]),
    )


def check(entries: Sequence[Entry], expected: Callable[[int], int] = count_of) -> None:
    """Fail unless each number is there once, and each key's total goes on from the one before."""
    report = examine(entries, expected)
    assert report.is_sound, str(report)


def _found(entries: list[Entry]) -> Found:
    return Found(count=len(entries), first=tuple(entries[:EXAMPLES]))
