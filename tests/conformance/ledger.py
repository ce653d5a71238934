"""The program whose output tells whether its state was kept, and the reading of that output.

Numbers from 0 on, a count for each of a few keys, one line `number key count` each into an exactly-once file sink. So
a lost record is a gap, one that was processed twice is there twice, and lost state is a count that begins anew.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

SOURCE = Path(__file__).parent / "applications" / "Ledger.java"
KEYS = 8


def committed(folder: Path) -> list[tuple[int, int]]:
    """Return what was committed: numbers and counts, by number. Files in progress have names that begin with a dot."""
    lines = [line for file in folder.glob("**/part-*") for line in file.read_text("utf-8").splitlines()]
    entries = []
    for line in lines:
        number, key, count = (int(part) for part in line.split(" "))
        assert key == number % KEYS, line
        entries.append((number, count))
    return sorted(entries)


def check(entries: list[tuple[int, int]]) -> None:
    """Fail unless every number is there once, and each key's count goes on from the one before."""
    numbers = [number for number, _ in entries]
    missing = sorted(set(range(max(numbers, default=-1) + 1)) - set(numbers))
    twice = sorted({earlier for earlier, later in pairwise(numbers) if earlier == later})
    wrong = [(number, count) for number, count in entries if count != number // KEYS + 1]
    assert not missing, f"{len(missing)} of {len(numbers)} numbers are lost: {missing[:5]}"
    assert not twice, f"{len(twice)} of {len(numbers)} numbers are there twice: {twice[:5]}"
    assert not wrong, f"{len(wrong)} of {len(numbers)} counts began anew: {wrong[:5]}"
