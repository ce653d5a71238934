"""Flink's own tools, the rival: a complete distribution put together from PyPI's two packages.

`apache-flink-libraries` has the jars, `apache-flink` has the shell scripts and the default configuration.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from scurry.flink.installed import FlinkRuntime, JavaRuntime


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A Flink distribution with scripts, in a folder of its own."""

    home: Path
    java_home: Path

    def run(self, script: str, *arguments: str, check: bool = True) -> str:
        """Run one of Flink's scripts and return what it prints."""
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("FLINK_")},
            "JAVA_HOME": str(self.java_home),
            "FLINK_CONF_DIR": str(self.home / "conf"),
        }
        done = subprocess.run(
            [str(self.home / "bin" / script), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"{script} {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def configure(self, **options: str) -> None:
        """Set options in `conf/config.yaml`; keys with `__` for dots."""
        path = self.home / "conf" / "config.yaml"
        lines = [f"{key.replace('__', '.').replace('_', '-')}: {value}" for key, value in options.items()]
        path.write_text(path.read_text() + "\n" + "\n".join(lines) + "\n")


def distribution(folder: Path, flink: FlinkRuntime, java: JavaRuntime) -> Distribution:
    """Put a distribution together below `folder`."""
    home = folder / f"flink-{flink.version}"
    home.mkdir(parents=True)
    for name in ("lib", "opt", "plugins"):
        # Links to the files, not to the folder: Flink's scripts look with `find`, which does not follow that one.
        shutil.copytree(flink.home / name, home / name, copy_function=os.symlink)
    wheel = _wheel(folder, flink.version)
    with zipfile.ZipFile(wheel) as packed:
        for name in packed.namelist():
            match = re.match(r"pyflink/((?:bin|conf)/[^/]+)$", name)
            if match:
                target = home / match[1]
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(packed.read(name))
    for extra in (flink.home / "bin").glob("*.jar"):
        shutil.copy(extra, home / "bin")
    for script in (home / "bin").iterdir():
        script.chmod(0o755)
    (home / "log").mkdir()
    return Distribution(home=home, java_home=java.home)


def _wheel(folder: Path, version: str) -> Path:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            f"apache-flink=={version}",
            "-d",
            str(folder),
        ],
        check=True,
    )
    return next(folder.glob("apache_flink-*.whl"))
