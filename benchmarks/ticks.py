"""The application that gaps are measured on: its records leave the time of their processing in a file."""

from __future__ import annotations

import time
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from scurry.flink.java_programs import Program, compile_program

if TYPE_CHECKING:
    from scurry.flink.runtimes import Runtimes

SOURCE = Path(__file__).with_name("Ticks.java")
CONFIG = {"execution.checkpointing.interval": "1s"}


def jar(folder: Path, runtimes: Runtimes, version: str, *, build: int, output: Path | None = None) -> Path:
    """Return the application's jar; another build has other bytes and does the same.

    `output`: where it writes to, where the program gets no arguments.
    """
    classes = compile_program(
        Program(name="Ticks", sources={SOURCE.name: SOURCE.read_bytes()}),
        flink=runtimes.flink(version),
        java=runtimes.java(version),
        cache=runtimes.cache,
    )
    path = folder / f"ticks-{build}.jar"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\nMain-Class: Ticks\nBuild: {build}\n")
        for found in classes.glob("*.class"):
            packed.write(found, found.name)
        if output is not None:
            packed.writestr("output", str(output))
    return path


class Ticks:
    """The file of processing times, one line `number milliseconds` a record."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def await_one_after(self, moment: float, *, patience_s: float = 90) -> float:
        """Wait for a record that was processed after a moment (Unix seconds). Returns the first one's time."""
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            found = next((at for at in self._times() if at > moment), None)
            if found is not None:
                return found
            time.sleep(0.02)
        raise TimeoutError(f"no record was processed within {patience_s} s")

    def longest_pause_since(self, moment: float) -> float:
        """Return the longest time between two records after a moment, in seconds."""
        times = [at for at in self._times() if at > moment]
        return max(later - earlier for earlier, later in pairwise(times))

    def missing(self) -> int:
        """Return how many numbers were never processed: 0 where no state was lost."""
        numbers = [int(line.split()[0]) for line in self._lines()]
        return max(numbers) + 1 - len(set(numbers))

    def _times(self) -> list[float]:
        return [int(line.split()[1]) / 1000 for line in self._lines()]

    def _lines(self) -> list[str]:
        if not self.path.exists():
            return []
        lines = self.path.read_text().split("\n")
        return [line for line in lines[:-1] if line.count(" ") == 1]
