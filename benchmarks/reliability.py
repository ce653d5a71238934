"""Hundreds of faults on a real Flink, one after the other, and what they cost: lost, doubled, applications stuck.

Each fault hits an upgrade of one application that lives through all of them: a REST call goes wrong in one of the ways
of `scurry.testing.fault_proxy`, a Flink process is killed or stands still, or scurry itself is killed. Then what the
command told to do is done, and the application's output is read: each number once, each count right. An interrupted
run goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.faults.cases import Case, Spot, kills, matrix, signals, spots
from tests.faults.ground import Ground, ground
from tests.faults.trial import tried

from scurry.flink.runtimes import Runtimes, default_cache
from scurry.model.reporting import SilentReporter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RESULTS = Path(__file__).with_name("results")


class Results:
    """What was tried so far: a file, a line for each fault, after one with the calls of an upgrade."""

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        head = json.loads(lines[0]) if lines else {"calls": [], "points": [], "about": {}}
        self.about: dict[str, str] = head["about"]
        self.calls = [Spot(**call) for call in head["calls"]]
        self.points: list[str] = head["points"]
        self.tried: list[dict[str, Any]] = [json.loads(line) for line in lines[1:]]

    @property
    def injected(self) -> int:
        """How many faults there were; an upgrade that never made the call to be hit does not count."""
        return sum(entry["injected"] > 0 for entry in self.tried)

    def begin(self, calls: list[Spot], points: list[str], about: dict[str, str]) -> None:
        """Note the calls of an upgrade, its crash points, and what is tried."""
        self.calls, self.points = calls, points
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self.about = about
        self._write({"calls": [asdict(call) for call in calls], "points": points, "about": about})

    def add(self, entry: dict[str, Any]) -> None:
        """Note what became of a fault."""
        self.tried.append(entry)
        self._write(entry)

    def _write(self, entry: dict[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def planned(calls: Sequence[Spot], points: Sequence[str], seed: int) -> Iterator[Case]:
    """Yield faults for ever: all of them in an order of the seed's, then all again in another."""
    cases = [*matrix(calls), *signals(), *kills(points)]
    for turn in count():
        yield from random.Random(f"{seed}/{turn}").sample(cases, len(cases))


def run(results: Results, *, faults: int, seed: int, slice_size: int, about: dict[str, str]) -> None:
    """Inject faults until there are so many, or so many more than before. Refuses to go on with something else."""
    if results.about and results.about != about:
        raise SystemExit(f"what was tried before is {results.about}, and this is {about}: begin again with --again")
    enough = min(faults, results.injected + slice_size)
    while results.injected < enough:
        folder = Path(tempfile.mkdtemp(prefix="scurry-reliability-"))
        runtimes = Runtimes(cache=default_cache(), reporter=SilentReporter())
        with ground(folder, runtimes, rollback_from=about["rollback_from"]) as site:
            if not results.calls:
                results.begin(*_recorded(site), about)
            cases = planned(results.calls, results.points, seed)
            for _ in results.tried:
                next(cases)
            if _inject(site, cases, results, enough):
                site.judge_all()
            else:
                print(f"what went wrong is kept in {folder}", file=sys.stderr)


def _recorded(site: Ground) -> tuple[list[Spot], list[str]]:
    site.change()
    site.proxy.arm()
    points = site.points()
    return spots(site.proxy.seen), points


def _inject(site: Ground, cases: Iterator[Case], results: Results, enough: int) -> bool:
    """Inject faults until there are enough. Returns False after one that cost something: go on with another cluster."""
    while results.injected < enough:
        case = next(cases)
        verdict = tried(site, case)
        results.add({"kind": case.kind, "where": case.where, "at": time.time(), **asdict(verdict)})
        print(
            f"{results.injected:4} {verdict.seconds:5.1f} s  {case}  {', '.join(verdict.told)}  {verdict.problem}",
            file=sys.stderr,
            flush=True,
        )
        if verdict.problem:
            return False
    return True


def _commit() -> str:
    """Return which state of the product is tried: figures of two of them do not go into one table."""
    command = ["git", "-C", str(RESULTS.parent), "describe", "--always", "--dirty"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def table(tried: Sequence[dict[str, Any]]) -> str:
    """Return the Markdown table."""
    by_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in tried:
        if entry["injected"]:
            by_kind[entry["kind"]].append(entry)
    rows = [_row(kind, by_kind[kind]) for kind in sorted(by_kind)]
    rows.append(_row("**all**", [entry for entries in by_kind.values() for entry in entries]))
    head = "| Fault | Upgrades hit | Calls hit | Done at once | Lost | Twice | Stuck |\n" + "| --- " * 7 + "|"
    return "\n".join([head, *rows])


def _row(kind: str, entries: Sequence[dict[str, Any]]) -> str:
    at_once = sum(entry["told"][0] == "converged" for entry in entries)
    figures = (
        len(entries),
        sum(entry["injected"] for entry in entries),
        at_once,
        sum(entry["lost"] for entry in entries),
        sum(entry["twice"] for entry in entries),
        sum(entry["is_stuck"] for entry in entries),
    )
    return f"| {kind} | " + " | ".join(map(str, figures)) + " |"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks reliability", description=__doc__)
    parser.add_argument("--faults", type=int, default=500, help="how many, altogether")
    parser.add_argument("--seed", type=int, default=1, help="of their order")
    parser.add_argument("--slice", type=int, default=10**9, help="at most so many in this run; the next one goes on")
    parser.add_argument("--again", action="store_true", help="forget what was tried before")
    parser.add_argument("--rollback-from", choices=("newest", "stop"), default="newest", help="as in the spec")
    given = parser.parse_args(arguments)
    path = RESULTS / f"reliability-{given.seed}-{given.rollback_from}.jsonl"
    if given.again:
        path.unlink(missing_ok=True)
    results = Results(path)
    about = {"commit": _commit(), "rollback_from": given.rollback_from}
    run(results, faults=given.faults, seed=given.seed, slice_size=given.slice, about=about)
    told = f"seed {given.seed}, commit {about['commit']}, rollback_from: {given.rollback_from}"
    print(f"\n## reliability, {told}, {results.injected} of {given.faults} faults\n\n{table(results.tried)}")
    return int(any(entry["problem"] for entry in results.tried))
