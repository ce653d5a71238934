"""Run benchmarks by name, or all of them, and print their figures as a Markdown table."""

from __future__ import annotations

import sys
from importlib import import_module

NAMES = ("planner", "journal_size", "command_line", "first_job", "upgrade_gap")


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in names or NAMES:
        figures = import_module(f"benchmarks.{name}").main()
        print(f"\n## {name}\n\n| figure | value |\n| --- | --- |")
        for figure, value in figures.items():
            print(f"| {figure} | {value} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
