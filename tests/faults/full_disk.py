"""Upgrades an application whose savepoints go to a full disk.

    unshare --mount python -m tests.faults.full_disk FOLDER

A process of its own, so that nobody else sees the disk. Prints as JSON what was told; exits with 77 where no file
system can be mounted.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from scurry.flink.runtimes import Runtimes, default_cache
from scurry.model.errors import RejectedByTarget
from scurry.model.reporting import SilentReporter
from tests.faults.ground import ground

SIZE = 64 * 1024


def main(folder: Path) -> int:
    """Fill the disk, upgrade, make room, go on."""
    with ground(folder, Runtimes(cache=default_cache(), reporter=SilentReporter())) as site:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(site.savepoints)]
        if (mounted := subprocess.run(mount, capture_output=True, text=True, check=False)).returncode:
            print(mounted.stderr, file=sys.stderr)
            return 77
        filling = site.savepoints / "filling"
        _fill(filling)
        (before,) = site.live_jobs()
        site.change()
        told: dict[str, object] = {"full": {"code": "none", "cause": ""}}
        try:
            site.apply()
        except RejectedByTarget as error:
            told["full"] = {"code": error.code, "cause": f"{error.message} {error.cause}"}
        told["same_job"] = site.live_jobs() == [before]
        site.judge()
        filling.unlink()
        told["afterwards"] = [*site.converge(), *site.converge()]
        site.judge()
        site.judge_all()
    print(json.dumps(told))
    return 0


def _fill(path: Path) -> None:
    try:
        with path.open("wb", buffering=0) as file:
            while file.write(b"\0" * 4096):
                pass
    except OSError:
        pass


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
