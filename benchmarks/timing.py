"""Timing whole processes, and how figures are written."""

from __future__ import annotations

import subprocess
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def seconds(command: Sequence[str], *, cwd: object = None) -> float:
    """Run a command and return its wall time. Raises when it fails."""
    started = perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=str(cwd) if cwd else None)
    return perf_counter() - started


def measured(run: Callable[[], object]) -> float:
    """Run something and return its wall time."""
    started = perf_counter()
    run()
    return perf_counter() - started


def alternately(rounds: int, **contenders: Callable[[], float]) -> dict[str, list[float]]:
    """Run contenders in turns, so that a noisy minute hits all of them."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            times[name].append(run())
    return times


def spread(times: Sequence[float]) -> str:
    """Write times as median (minimum to maximum)."""
    return f"{median(times):.2f} s ({min(times):.2f} to {max(times):.2f})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Write the ratio of two medians."""
    return f"{median(ours) / median(theirs):.2f}"
