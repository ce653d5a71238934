"""A PyFlink application as the service takes it: one zip, and the property group that says what of it is run.

Source: "Create and run a Managed Service for Apache Flink for Python application". Options that the service does not
have (`pyModule`, `pyExecutable`, `pyRequirements`) are not read.
"""

from __future__ import annotations

import shutil
import zipfile
from typing import TYPE_CHECKING, Any

from scurry.emulator.plane import Program
from scurry.flink.job_graph_python import PYTHON_DRIVER
from scurry.flink.python import python_environment
from scurry.model.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scurry.flink.runtimes import Runtimes
    from scurry.model.ports import Reporter

GROUP = "kinesis.analytics.flink.run.options"


def run_options(groups: list[dict[str, Any]]) -> Mapping[str, str]:
    """Return the options of the group; empty where there is none."""
    return next((group["PropertyMap"] for group in groups if group["PropertyGroupId"] == GROUP), {})


def python_program(
    archive: Path, options: Mapping[str, str], flink_version: str, runtimes: Runtimes, reporter: Reporter
) -> Program:
    """Unpack a zip beside itself, and return how to run it. Raises `ArtifactError` where something is not in it."""
    folder = archive.with_suffix("")
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    script = _within(folder, options.get("python", ""), "python")
    environment = python_environment(
        cache=runtimes.cache, flink_version=flink_version, requirements=None, python=None, reporter=reporter
    )
    config = {"python.client.executable": str(environment.python), "python.executable": str(environment.python)}
    if jar := options.get("jarfile"):
        config["pipeline.classpaths"] = _within(folder, jar, "jarfile").as_uri()
    if files := _several(folder, options, "pyFiles"):
        config["python.files"] = files
    if archives := _several(folder, options, "pyArchives"):
        config["python.archives"] = archives
    home = runtimes.flink(flink_version).home
    driver = next(iter(sorted((home / "opt").glob("flink-python*.jar"))), None)
    if driver is None:
        raise ArtifactError(f"the Flink in {str(home)!r} cannot run PyFlink")
    return Program(jar=driver, entry_class=PYTHON_DRIVER, arguments=("-py", str(script)), config=config)


def _several(folder: Path, options: Mapping[str, str], name: str) -> str:
    named = [part.strip() for part in options.get(name, "").split(",") if part.strip()]
    return ",".join(str(_within(folder, part, name)) for part in named)


def _within(folder: Path, name: str, option: str) -> Path:
    """Return a path of the zip. Raises `ArtifactError`."""
    found = (folder / name).resolve()
    if not name or not found.is_relative_to(folder.resolve()) or not found.exists():
        raise ArtifactError(f"There is no {name!r} in the code, which {option} of {GROUP} names")
    return found
