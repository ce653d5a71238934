"""Whether a journal slows down as it grows: `history`, a look like that of `status`, a write; 10 and 100,000 revisions.

The long journal is written through the journal itself, in transactions of 1,000 upgrades, which takes a minute or two.
Beside 10 there are 100 revisions, since from there on a history is full: it tells 20 marks and 50 snapshots at most.
"""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from scurry.journal.sqlite import SqliteJournal
from scurry.model.journal import Intent
from scurry.testing.journal_story import APPLICATION, SetClock, Story, savepoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SIZES = (10, 100, 100_000)
ROUNDS = 200


def main() -> dict[str, str]:
    with tempfile.TemporaryDirectory(prefix="scurry-bench-") as folder:
        paths = {size: Path(folder) / f"{size}.db" for size in SIZES}
        started = perf_counter()
        for size, path in paths.items():
            _write(path, size)
        figures = {"writing them": f"{perf_counter() - started:.0f} s"}
        figures["size of the long one"] = f"{paths[SIZES[-1]].stat().st_size / 1e6:.0f} MB"
        for name, work in (("history", _history), ("open, history, close", _look), ("one write", _writing)):
            figures |= _figures(name, {size: work(path) for size, path in paths.items()})
    return figures


def _write(path: Path, size: int) -> None:
    with SqliteJournal.open(path, clock=SetClock()) as journal:
        story = Story(journal)
        for first in range(0, size, 1000):
            with journal.transaction():
                for number in range(first, min(first + 1000, size)):
                    snapshot = savepoint(f"s{number}", minutes=number)
                    story.upgrade(number, f"{number:032x}", snapshot=snapshot, gap_s=0.5)


def _history(path: Path) -> Callable[[], object]:
    journal = SqliteJournal.open(path, clock=SetClock())
    return lambda: journal.history(APPLICATION)


def _look(path: Path) -> Callable[[], object]:
    def look() -> None:
        with SqliteJournal.open(path, clock=SetClock(), read_only=True) as journal:
            journal.history(APPLICATION)

    return look


def _writing(path: Path) -> Callable[[], object]:
    clock = SetClock()
    clock.sleep(3600)
    journal = SqliteJournal.open(path, clock=clock)
    lease = journal.acquire(APPLICATION, duration=timedelta(days=1))
    return lambda: journal.set_intent(lease, Intent.RUN)


def _figures(name: str, work: Mapping[int, Callable[[], object]]) -> dict[str, str]:
    """Take turns, so that what else the machine does falls on all alike."""
    times: dict[int, list[float]] = {size: [] for size in work}
    for _ in range(ROUNDS):
        for size, call in work.items():
            started = perf_counter()
            call()
            times[size].append(perf_counter() - started)
    took = {size: median(taken) for size, taken in times.items()}
    few, full, many = (took[size] for size in SIZES)
    return {
        f"{name}, {SIZES[0]} revisions": f"{few * 1000:.3f} ms",
        f"{name}, {SIZES[2]:,} revisions": f"{many * 1000:.3f} ms",
        f"{name}, ratio to {SIZES[0]}": f"{many / few:.2f}",
        f"{name}, ratio to {SIZES[1]}": f"{many / full:.2f}",
    }


if __name__ == "__main__":
    for figure, value in main().items():
        print(f"{figure}: {value}")
