"""How long it takes to read `_metadata`: one of 120 MB with state inline, and one of 50,000 subtasks with files.

Both are made of real subtasks, repeated. The rival is Flink's own loader, in a JVM that has loaded the file before,
and in one that has just been started.
"""

from __future__ import annotations

import gc
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.timing import alternately, measured, ratio, seconds, spread
from scurry.flink.install_cache import default_cache
from scurry.flink.java_programs import Program, compile_program
from scurry.flink.runtimes import Runtimes
from scurry.model.reporting import SilentReporter
from scurry.savepoints.files import LocalStorage
from scurry.savepoints.metadata import MAGIC, OperatorEntry, read_metadata
from scurry.savepoints.snapshot import load_metadata, read_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = Path(__file__).parents[1] / "tests" / "savepoints" / "files"
SOURCE = Path(__file__).with_name("LoadMetadata.java")
COUNTER = "0da08f51eaa85fc298e176a139b3649a"
ROUNDS = 5
FLINK = "2.3.0"


def main() -> dict[str, str]:
    with tempfile.TemporaryDirectory() as area:
        inline = made(Path(area) / "inline", "java-rocksdb-native", operators=20, subtasks=256)
        files = made(Path(area) / "files", "java-hashmap-canonical", operators=50, subtasks=1000)
        java = loader()
        return {
            **figures("state inline", inline, java, goal="≤ 1.5; ≤ 0.2"),
            **figures("files", files, java, goal="≤ 0.5 s"),
            "`read_snapshot` of the former, with the heads of all its subtasks": spread(
                repeated(partial(snapshot, inline))
            ),
        }


def made(folder: Path, example: str, *, operators: int, subtasks: int) -> Path:
    """Write a `_metadata` of so many operators and subtasks, whose state is that of an example's keyed function."""
    data = (FILES / example / "_metadata").read_bytes()
    entry = next(each for each in read_metadata(data).operators if each.id == COUNTER)
    bodies = list(bodies_of(data, entry))
    folder.mkdir()
    with (folder / "_metadata").open("wb") as out:
        out.write(struct.pack(">iiqii", MAGIC, 6, 1, 0, operators))
        for number in range(operators):
            out.write(struct.pack(">HH16siib", 0, 0, number.to_bytes(16, "big"), subtasks, 32768, 0))
            out.write(struct.pack(">i", subtasks))
            for index in range(subtasks):
                out.write(struct.pack(">i", index) + bodies[index % len(bodies)])
        out.write(data[data.rindex(b"\xac\xed\0\5") :])
    return folder


def bodies_of(data: bytes, entry: OperatorEntry) -> list[bytes]:
    """The subtasks of an operator as they are in the file, which stand one behind the other."""
    starts = list(entry.subtasks.places)
    return [data[start : following - 4] for start, following in pairwise(starts)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """Flink's loader as a command."""

    command: tuple[str, ...]

    def rounds(self, folder: Path, rounds: int) -> list[float]:
        """Load so many times in one JVM."""
        command = [*self.command, str(folder / "_metadata"), str(rounds)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return [float(line.split()[0]) for line in done.stdout.splitlines()]


def loader() -> Loader:
    runtimes = Runtimes(cache=default_cache(), reporter=SilentReporter())
    flink, java = runtimes.flink(FLINK), runtimes.java(FLINK)
    program = Program(name="LoadMetadata", sources={SOURCE.name: SOURCE.read_bytes()})
    classes = compile_program(program, flink=flink, java=java, cache=runtimes.cache)
    class_path = f"{classes}:{flink.home / 'lib'}/*"
    return Loader(command=(str(java.executable), "-Xmx3g", "-cp", class_path, "LoadMetadata"))


def figures(name: str, folder: Path, java: Loader, *, goal: str) -> dict[str, str]:
    size = (folder / "_metadata").stat().st_size / 1e6
    ours = repeated(partial(load_metadata, str(folder), LocalStorage()))
    warm = java.rounds(folder, ROUNDS + 1)[1:]
    ours += repeated(partial(load_metadata, str(folder), LocalStorage()))  # in turns, since the machine is shared
    warm += java.rounds(folder, ROUNDS + 1)[1:]
    whole = alternately(ROUNDS, ours=partial(process, folder), java=partial(seconds, [*java.command, *first(folder)]))
    return {
        f"{name}, {size:.0f} MB: read and parsed, median of {2 * ROUNDS}": spread(ours),
        f"{name}: Flink's loader, second run and later": spread(warm),
        f"{name}: ratio": f"{ratio(ours, warm)} (goal {goal})",
        f"{name}: a whole process of ours": spread(whole["ours"]),
        f"{name}: a whole JVM": spread(whole["java"]),
        f"{name}: ratio of processes": f"{median(whole['ours']) / median(whole['java']):.2f}",
    }


def first(folder: Path) -> tuple[str, str]:
    return str(folder / "_metadata"), "1"


def process(folder: Path) -> float:
    path = folder / "_metadata"
    code = (
        "import sys; from scurry.savepoints.files import LocalStorage;"
        "from scurry.savepoints.metadata import read_metadata;"
        "read_metadata(LocalStorage().read(sys.argv[1], 0, int(sys.argv[2])))"
    )
    return seconds([sys.executable, "-c", code, str(path), str(path.stat().st_size)])


def snapshot(folder: Path) -> None:
    read_snapshot(str(folder), LocalStorage(), every_subtask=True)


def repeated(run: Callable[[], object]) -> list[float]:
    times = []
    for _ in range(ROUNDS):
        gc.collect()
        times.append(measured(run))
    return times
