"""What an application has written so far, read piece by piece: after hundreds of faults all of it is much to read anew.

The program and the meaning of its lines are the ledger's (`tests/conformance/ledger.py`).
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.conformance.ledger import KEYS


class Tally:
    """Notes which numbers were written; a file is read once, for committed ones do not change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: set[str] = set()
        self._there = bytearray()
        """for each number, whether it was there"""
        self._lines = 0
        self.wrong: list[str] = []
        """lines whose count does not go on from the one before"""

    @property
    def last(self) -> int:
        """The greatest number, -1 at first."""
        return len(self._there) - 1

    @property
    def lost(self) -> int:
        """How many numbers are not there though a greater one is."""
        return self._there.count(0)

    @property
    def twice(self) -> int:
        """How many lines are there too many."""
        return self._lines - (len(self._there) - self.lost)

    def read(self) -> Tally:
        """Read what is new."""
        for bucket in os.scandir(self._folder) if self._folder.exists() else ():
            for file in os.scandir(bucket) if bucket.is_dir() else ():
                if file.name.startswith("part-") and file.path not in self._read:
                    self._read.add(file.path)
                    self._count(Path(file.path).read_text("utf-8"))
        return self

    def check(self) -> None:
        """Fail when something is lost, doubled or begun anew."""
        for attempt in range(10):
            if not self.read().lost:
                break
            if attempt < 9:  # files are not listed at one moment while more are committed
                time.sleep(0.2)
        assert not self.lost, f"{self.lost} of {self.last + 1} numbers are lost, the first is {self._there.index(0)}"
        assert not self.twice, f"{self.twice} of {self.last + 1} numbers are there more than once"
        assert not self.wrong, f"{len(self.wrong)} counts began anew: {self.wrong[:3]}"

    def _count(self, text: str) -> None:
        for line in text.splitlines():
            number, _, count = (int(part) for part in line.split(" "))
            if number >= len(self._there):
                self._there.extend(bytes(number + 1 - len(self._there)))
            self._there[number] = 1
            self._lines += 1
            if count != number // KEYS + 1:
                self.wrong.append(line)
