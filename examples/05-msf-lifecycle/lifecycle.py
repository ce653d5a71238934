"""Runs the thirteen situations, with plain Terraform, with scurry, or both at the same time, and tells where each ends.

    scurry emulate msf --ephemeral --metrics-every 0.5 -- python lifecycle.py [terraform | scurry]

It talks to whatever the environment says is AWS: run it inside of the emulator, as above.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import build
import with_scurry
import with_terraform
from plain import Plain
from project import Project

WAYS = ("terraform", "scurry")


def main(way: str | None) -> int:
    """Run one way; without a name both, each in a process of its own. Return the exit code."""
    if "AWS_ENDPOINT_URL" not in os.environ:
        sys.exit("Run it inside of the emulator: scurry emulate msf --ephemeral -- python lifecycle.py")
    if way is None:
        build.main()
        both = [subprocess.Popen([sys.executable, __file__, each]) for each in WAYS]
        return max(process.wait() for process in both)
    build.main()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lifecycle-") as folder:
        for number, ended in enumerate(_ends(way, Path(folder)), start=1):
            print(f"B{number} {way}: {ended}", flush=True)
    print(f"{way}: {time.monotonic() - began:.0f} s", flush=True)
    return 0


def _ends(way: str, folder: Path) -> Iterator[str]:
    if way == "scurry":
        project = Project(folder / "project")
        yield from (situation(project) for situation in _situations(with_scurry))
        return
    plain = Plain(folder / "project")
    yield from (situation(plain) for situation in _situations(with_terraform))
    plain.terraform("destroy", "-auto-approve")


def _situations(way: ModuleType) -> list[Callable[[Any], str]]:
    """Return the functions that are named after a situation, `b01_…` to `b13_…`, in this order."""
    return [found for name, found in sorted(vars(way).items()) if re.match(r"b\d\d_", name)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else None))
