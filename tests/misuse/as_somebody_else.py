"""Runs a `scurry` command as user `nobody`: `python -m tests.misuse.as_somebody_else FOLDER COMMAND…`.

Becomes that user only after everything is imported: the interpreter itself may be in a folder that only root may read.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import pwd
import sys
from pathlib import Path

import scurry
from scurry.cli.main import main

if __name__ == "__main__":
    for module in pkgutil.walk_packages(scurry.__path__, "scurry."):
        if not module.name.startswith("scurry.testing"):
            importlib.import_module(module.name)
    folder, *command = sys.argv[1:]
    os.chdir(Path(folder) / "own")
    for warming in (["plan", "orders.yaml"], ["apply", "orders.yaml", "--yes", "--json"], ["status"], ["nothing"]):
        main(warming)  # what is imported only then: YAML, JSON, tables
    print("\0", flush=True)
    print("\0", file=sys.stderr, flush=True)
    nobody = pwd.getpwnam("nobody")
    os.chdir(Path(folder) / "shop")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    sys.exit(main(command))
