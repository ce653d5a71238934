"""Run benchmarks by name, or all of them but the long ones, and print their figures as a Markdown table.

A benchmark with options of its own is run alone: `python -m benchmarks reliability --faults 100`.
"""

from __future__ import annotations

import sys
from importlib import import_module

NAMES = (
    *("planner", "journal_size", "journal_throughput", "command_line"),
    *("start_up", "job_graph", "first_job", "upgrade_gap", "fleet", "savepoints"),
    *("state_show", "state_check", "emulator"),
)


ALONE = ("reliability", "compatibility")
"""take options, and long; not among all"""


def main(names: list[str]) -> int:
    if names and names[0] in ALONE:
        return int(import_module(f"benchmarks.{names[0]}").main(names[1:]))
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(NAMES + ALONE)}", file=sys.stderr)
        return 2
    for name in names or NAMES:
        figures = import_module(f"benchmarks.{name}").main()
        print(f"\n## {name}\n\n| figure | value |\n| --- | --- |")
        for figure, value in figures.items():
            print(f"| {figure} | {value} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
