"""Runtime properties where the service has them, `/etc/flink/application_properties.json`: for one job's processes.

Each of its Flink's processes is started in a mount namespace of its own, in which `/etc/flink` is the application's
own folder: what is written there later, they see as well. That takes a Linux that allows such namespaces; elsewhere the
file is in the application's folder alone, and that is said.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

PLACE = "/etc/flink/application_properties.json"
_LAY_OVER = """
mount -t tmpfs tmpfs "$1" && mkdir -p "$1/upper/flink" "$1/work" && {
    mount -t overlay overlay -o "userxattr,lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc 2> /dev/null ||
    mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc
} && mount --bind "$2" /etc/flink || exit 1
shift 2
exec "$@"
"""


def write(folder: Path, groups: list[dict[str, Any]]) -> Path:
    """Write the groups as the service does, as a whole, and return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path, draft = folder / "application_properties.json", folder / "application_properties.json.draft"
    draft.write_text(json.dumps(groups, indent=2), encoding="utf-8")
    draft.replace(path)
    return path


def wrapper(folder: Path) -> tuple[str, ...]:
    """Return what to put in front of a command so that it finds a folder's file at `PLACE`; empty where it cannot."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = folder.with_name(f"{folder.name}.mount")
    mount.mkdir(exist_ok=True)
    prefix = (*_unshare(), "sh", "-c", _LAY_OVER, "sh", str(mount), str(folder))
    return prefix if _works(prefix) else ()


@cache
def _works(prefix: tuple[str, ...]) -> bool:
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run((*prefix, "test", "-d", str(Path(PLACE).parent)), capture_output=True, check=False).returncode
        == 0
    )


def _unshare() -> tuple[str, ...]:
    if os.geteuid() == 0:
        return ("unshare", "--mount")
    return ("unshare", "--user", "--map-root-user", "--mount")
