"""Runtime properties where the service has them, `/etc/flink/application_properties.json`: for one job's processes.

Each of its Flink's processes is started in a mount namespace of its own, in which a file is laid over `/etc`. That
takes a Linux that allows such namespaces; elsewhere the file is in the application's folder, and that is said.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

PLACE = "/etc/flink/application_properties.json"
_LAY_OVER = """
mount -t tmpfs tmpfs "$1" && mkdir -p "$1/upper/flink" "$1/work" &&
cp "$2" "$1/upper/flink/application_properties.json" && {
    mount -t overlay overlay -o "userxattr,lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc 2> /dev/null ||
    mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc
} || exit 1
shift 2
exec "$@"
"""


def write(folder: Path, groups: list[dict[str, Any]]) -> Path:
    """Write the groups as the service does, and return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "application_properties.json"
    path.write_text(json.dumps(groups, indent=2), encoding="utf-8")
    return path


def wrapper(file: Path) -> tuple[str, ...]:
    """Return what to put in front of a command so that it finds the file at `PLACE`; empty where that cannot be had."""
    mount = file.parent / "mount"
    mount.mkdir(exist_ok=True)
    prefix = (*_unshare(), "sh", "-c", _LAY_OVER, "sh", str(mount), str(file))
    return prefix if _works(prefix) else ()


@cache
def _works(prefix: tuple[str, ...]) -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run((*prefix, "test", "-f", PLACE), capture_output=True, check=False).returncode == 0


def _unshare() -> tuple[str, ...]:
    if os.geteuid() == 0:
        return ("unshare", "--mount")
    return ("unshare", "--user", "--map-root-user", "--mount")
