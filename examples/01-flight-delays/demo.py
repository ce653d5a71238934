"""The demo: real flights through a real Flink, an upgrade in the middle, and nothing lost. `make demo` runs it.

    python demo.py [--keep] [--folder FOLDER]

Works in FOLDER, without it in .demo beside this file; an earlier demo in there is deleted first.
With --keep, Flink goes on running at the end, for a look at its UI.
"""

from __future__ import annotations

import argparse
import difflib
import os
import shlex
import shutil
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import prepare
from results import Results, expected, last_hour_of, same

HERE = Path(__file__).resolve().parent
NAME = "flight-delays"
SCURRY = Path(sys.executable).with_name("scurry")
FILES = ("scurry.yaml", "application.yaml", "queries.sql.j2")
PATIENCE_S = 180


class Demo:
    """The working folder, and what is known of the results so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.results = Results(self.data / "results")
        self.months: tuple[Path, ...] = ()

    def set_up(self) -> None:
        """Make a fresh folder. What an earlier demo left running is stopped first."""
        marker = self.folder / ".made-by-the-demo"
        if marker.exists():
            self.scurry("local", "stop", "--yes", quiet=True)
            shutil.rmtree(self.folder)
        elif self.folder.exists():
            raise SystemExit(f"{self.folder} is there already, and not from a demo; name another folder")
        self.folder.mkdir(parents=True)
        marker.touch()
        for name in FILES:
            shutil.copy(HERE / name, self.folder)
        self.months = prepare.prepare(self.data)

    def scurry(self, *arguments: str, quiet: bool = False) -> str:
        """Run the command as anybody would. Its output is shown as it comes, or with `quiet` returned."""
        if not quiet:
            print(f"\n$ scurry {shlex.join(arguments)}", flush=True)
        done = subprocess.run(
            [SCURRY, *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE if quiet else None,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(f"scurry {shlex.join(arguments)} ended with exit code {done.returncode}")
        return (done.stdout or "").strip()

    def feed(self, *numbers: int) -> None:
        """Give months to the running job, each when the one before is in the results."""
        for number in numbers:
            month = self.months[number - 1]
            with month.open("rb") as lines:
                flights = sum(1 for _ in lines)
            last = last_hour_of(month)
            prepare.feed(month)
            self._wait_for_results_up_to(last)
            print(f"  {month.name}: {flights:6,} flights read; counted so far: {self.results.flights:7,}", flush=True)

    def _wait_for_results_up_to(self, hour: datetime) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self.results.update().last_hour < hour:
            if time.monotonic() > deadline:
                raise SystemExit(f"no results up to {hour} after {PATIENCE_S} s")
            time.sleep(0.1)

    def change_query(self) -> None:
        """Put the second version of the query in place, and show what is different."""
        file = self.folder / "queries.sql.j2"
        before = file.read_text("utf-8")
        after = before.replace("-- v2: ", "")
        file.write_text(after, "utf-8")
        for line in difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1):
            if line[0] in "+-" and not line.startswith(("+++", "---")):
                print(f"  {line}")

    def show_worst(self) -> None:
        """Show the hours with the greatest delays."""
        busy = [(key, found) for key, found in self.results.by_hour.items() if found.flights >= 5 and found.mean_delay]
        worst = sorted(busy, key=lambda item: item[1].mean_delay or 0, reverse=True)[:5]
        print(f"\n  {'airline':8} {'hour (UTC)':17} {'flights':>7} {'mean delay':>11} {'cancelled':>9}")
        for key, found in worst:
            delay, share = f"{found.mean_delay:.1f} min", f"{found.cancelled_share:.0%}"
            print(f"  {key.carrier:8} {key.hour:%Y-%m-%d %H:%M}  {found.flights:7} {delay:>11} {share:>9}")

    def compare(self) -> None:
        """Compare every number with plain Python's, or give up."""
        right = expected(sorted((self.data / "incoming").glob("*.csv")))
        found = self.results.update().by_hour
        wrong = [key for key in right.keys() | found.keys() if not same(found.get(key), right.get(key))]
        if wrong or self.results.twice:
            raise SystemExit(
                f"{len(wrong)} results are wrong, {len(self.results.twice)} were written twice: {wrong[:3]}"
            )
        print(f"  {self.results.flights:,} of {prepare.FLIGHTS:,} flights counted: none lost, none twice.")
        print(f"  {len(found):,} results (airline and hour) are equal to plain Python's, every number of them.")


def tell(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="leave Flink running at the end")
    parser.add_argument("--folder", type=Path, default=HERE / ".demo", help="where to work")
    arguments = parser.parse_args()
    started = time.monotonic()
    demo = Demo(arguments.folder.resolve())

    tell("The departures of 2013 from New York's airports, a file for each month.")
    demo.set_up()
    print(f"  {prepare.FLIGHTS:,} flights in {demo.data / 'months'}")

    tell("The application: an SQL query. (The first time, Flink and Java are fetched: some minutes.)")
    demo.scurry("apply", "application.yaml", "--yes")
    print(f"\n  Flink's own UI, while this runs: {demo.scurry('ui', NAME, quiet=True)}")

    tell("Months arrive in the folder that the job watches.")
    demo.feed(1)
    demo.show_worst()
    print()
    demo.feed(2, 3, 4, 5, 6)

    tell("The query is changed while the job runs: one more column.")
    demo.change_query()
    demo.scurry("apply", "application.yaml", "--yes")

    tell("The counts go on: the new job started from the old one's savepoint.")
    demo.feed(7, 8, 9, 10, 11, 12)

    tell("Stop for good: --drain fires the windows that are still open.")
    demo.scurry("stop", NAME, "--drain", "--yes")
    demo.compare()
    demo.scurry("history", NAME)
    finish(demo, keep=arguments.keep)
    print(f"\n  It took {time.monotonic() - started:.0f} s.")


def finish(demo: Demo, *, keep: bool) -> None:
    """Stop Flink unless it is to be kept, and say what to try next."""
    folder = os.path.relpath(demo.folder)
    if keep:
        tell(f"Flink goes on running. To stop it:\n  cd {folder} && scurry local stop")
    else:
        demo.scurry("local", "stop", "--yes", quiet=True)
        tell("Flink is stopped; the results stay in the demo's folder.")
    tell("What to try next")
    print(f"  {folder}/data/results")
    print("      what Flink wrote: lines of JSON")
    print("  scurry init first && cd first && scurry apply application.yaml")
    print("      a project of your own that runs as it is (before: . .venv/bin/activate)")
    print("  docs/tutorial")
    print("      the same at your own pace: change it, break it, roll it back, stop it, start it")


if __name__ == "__main__":
    main()
