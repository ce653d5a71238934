"""Timing whole processes, and how figures are written."""

from __future__ import annotations

import os
import subprocess
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def seconds(command: Sequence[str], *, cwd: object = None) -> float:
    """Run a command and return its wall time. Raises when it fails."""
    # Bytecode is cached, as it is for everybody who has not forbidden it.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    started = perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=str(cwd) if cwd else None, env=environment)
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


def times_as_fast(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Write how many times the median of ours fits into theirs."""
    return f"{median(theirs) / median(ours):.0f}"
