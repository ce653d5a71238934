"""Python environments for PyFlink applications: one per Flink version, requirements and interpreter, in the cache.

The Flink itself (300 MB, the package `apache-flink-libraries`) is not in them: the environment variables that
`PythonEnvironment.variables` gives lead PyFlink to the installed one.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from glob import glob
from typing import TYPE_CHECKING

from scurry.flink.install_cache import InstallCache, Slot
from scurry.flink.package_install import PipFailed, run_pip, unavailable
from scurry.flink.releases import parts
from scurry.model.errors import ArtifactError, RuntimeUnavailable, ScurryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scurry.flink.installed import FlinkRuntime
    from scurry.model.reporting import Activity, Reporter

# From the wheels of `apache-flink` on PyPI: since this Flink, from this Python 3 minor up to that one.
_PYTHONS = (((2, 1), (9, 12)), ((1, 19), (8, 11)), ((1, 18), (7, 10)))

_SETUPTOOLS = "setuptools<82"
"""the last ones with `pkg_resources`, which the Beam of PyFlink before 1.20 imports and does not ask for"""

_INTERPRETERS_OFF_PATH = (
    "~/.pyenv/versions/3.{minor}.*/bin/python3",
    "~/.local/share/uv/python/cpython-3.{minor}.*/bin/python3",
    "~/.local/share/mise/installs/python/3.{minor}.*/bin/python3",
    "/opt/homebrew/opt/python@3.{minor}/bin/python3.{minor}",
    "/usr/local/opt/python@3.{minor}/bin/python3.{minor}",
    "/opt/python/*3{minor}*/bin/python3",
)
_ASK = "import json, sys; print(json.dumps(['.'.join(map(str, sys.version_info[:3])), sys._base_executable]))"
_ASK_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonEnvironment:
    """A Python with PyFlink and an application's requirements."""

    python: Path
    digest: str
    """of the Flink version, the requirements and the interpreter: equal environments are one"""

    @property
    def pyflink(self) -> Path:
        """The folder of the package `pyflink`: its `bin` and `conf` are what PyFlink takes for a Flink's home."""
        return _site_packages(self.python.parent.parent) / "pyflink"

    def variables(self, flink: FlinkRuntime) -> dict[str, str]:
        """What PyFlink's processes, and a JobManager that starts some, need in their environment.

        PyFlink's `find_flink_home.py` sets the same ones when `apache-flink-libraries` is installed beside it.
        """
        return {
            "FLINK_HOME": str(self.pyflink),
            "FLINK_LIB_DIR": str(flink.home / "lib"),
            "FLINK_OPT_DIR": str(flink.home / "opt"),
            "FLINK_PLUGINS_DIR": str(flink.home / "plugins"),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Interpreter:
    command: str
    version: str
    base: str
    """the interpreter itself, when the command belongs to a virtual environment or is a shim"""


def python_environment(
    *, cache: Path, flink_version: str, requirements: str | None, python: str | None, reporter: Reporter
) -> PythonEnvironment:
    """Find or make the environment.

    `python` names an interpreter (path or command); None lets scurry find a fitting one. `requirements` is the text of
    a requirements file; it may pin hashes. Raises `RuntimeUnavailable` when there is no interpreter or no package
    index, and `ArtifactError` when the requirements cannot be met.
    """
    interpreter = _chosen(python, flink_version) if python else _found(flink_version)
    wanted = _normalised(requirements or "")
    beside = _beside(flink_version)
    identity = json.dumps([flink_version, wanted, interpreter.version, interpreter.base, platform.machine(), *beside])
    digest = hashlib.sha256(identity.encode()).hexdigest()
    slot = Slot(
        kind="python",
        key=digest[:16],
        version=flink_version,
        source=f"pypi, Python {interpreter.version}",
        title=f"PyFlink {flink_version}",
        proof="bin/python",
    )

    def build(folder: Path) -> None:
        with reporter.activity(f"Installing {slot.title} for Python {interpreter.version}") as activity:
            _create(folder, interpreter)
            _pretend_flink_is_there(folder, flink_version)
            try:
                _install(folder, flink_version, wanted, activity)
            except PipFailed as failure:
                raise _explained(failure, flink_version, requirements=wanted, cache=cache) from failure

    home = InstallCache(cache, reporter).obtain_in_place(slot, build)
    return PythonEnvironment(python=_python(home), digest=digest)


def fitting_pythons(flink_version: str) -> tuple[int, int]:
    """The Python 3 minor versions, first and last, that PyFlink of this version runs on."""
    return next((minors for since, minors in _PYTHONS if parts(flink_version)[:2] >= since), _PYTHONS[-1][1])


def _chosen(command: str, flink_version: str) -> _Interpreter:
    interpreter = _inspect(os.path.expanduser(command))
    if interpreter is None:
        raise RuntimeUnavailable(
            f"the Python {command!r} that the application names does not run on this machine",
            hint="Name another one, or none to let scurry find one",
        )
    if not _fits(interpreter, flink_version):
        raise RuntimeUnavailable(
            f"Python {interpreter.version} ({command!r}) does not run PyFlink {flink_version}, "
            f"which needs {_range(flink_version)}",
            hint="Name another one, or none to let scurry find one",
        )
    return interpreter


def _found(flink_version: str) -> _Interpreter:
    for command in _candidates(flink_version):
        interpreter = _inspect(command)
        if interpreter and _fits(interpreter, flink_version):
            return interpreter
    raise RuntimeUnavailable(
        f"PyFlink {flink_version} needs Python {_range(flink_version)}, and none is on this machine "
        f"(scurry itself runs on {platform.python_version()})",
        hint=f"Install a Python 3.{fitting_pythons(flink_version)[1]}, or name one with 'python:' in the application",
    )


def _candidates(flink_version: str) -> Iterator[str]:
    yield sys.executable
    first, last = fitting_pythons(flink_version)
    for minor in range(last, first - 1, -1):
        if on_path := shutil.which(f"python3.{minor}"):
            yield on_path
        for pattern in _INTERPRETERS_OFF_PATH:
            yield from sorted(glob(os.path.expanduser(pattern.format(minor=minor))), reverse=True)


def _inspect(command: str) -> _Interpreter | None:
    try:
        answer = subprocess.run(
            [command, "-c", _ASK], capture_output=True, text=True, timeout=_ASK_TIMEOUT_S, check=True
        )
        version, base = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return _Interpreter(command=command, version=version, base=base)


def _fits(interpreter: _Interpreter, flink_version: str) -> bool:
    first, last = fitting_pythons(flink_version)
    return (3, first) <= parts(interpreter.version)[:2] <= (3, last)


def _range(flink_version: str) -> str:
    first, last = fitting_pythons(flink_version)
    return f"3.{first} to 3.{last}"


def _normalised(requirements: str) -> str:
    """The requirements without comments and blank lines, so that a comment does not cost a new environment."""
    lines = (re.sub(r"(^|\s)#.*$", "", line).rstrip() for line in requirements.splitlines())
    return "\n".join(line for line in lines if line.strip())


def _create(folder: Path, interpreter: _Interpreter) -> None:
    # Without pip, which saves seconds and does not need `ensurepip`, a package of its own on Debian.
    command = [interpreter.command, "-m", "venv", "--without-pip", str(folder)]
    try:
        subprocess.run(command, capture_output=True, text=True, check=True)
    except subprocess.CalledProcessError as error:
        raise RuntimeUnavailable(
            f"Python {interpreter.version} cannot make an environment: {(error.stderr or error.stdout).strip()}",
            hint=f"To see for yourself:\n  {interpreter.command} -m venv --without-pip /tmp/try",
        ) from error


def _pretend_flink_is_there(folder: Path, flink_version: str) -> None:
    """Record `apache-flink-libraries` as installed, so that pip's resolver does not fetch it a second time."""
    told = _site_packages(folder) / f"apache_flink_libraries-{flink_version}.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: apache-flink-libraries\nVersion: {flink_version}\n", "utf-8"
    )
    (told / "INSTALLER").write_text("scurry\n", "utf-8")
    (told / "RECORD").write_text("", "utf-8")


def _install(folder: Path, flink_version: str, requirements: str, activity: Activity) -> None:
    file = folder / "requirements.txt"
    file.write_text(requirements + "\n", "utf-8")

    def describe(line: str) -> None:
        if match := re.match(r"\s*(Collecting|Building wheel for|Installing collected packages)\b:?\s*([\w.-]*)", line):
            activity.describe(
                f"{match[1].lower()} {match[2]}" if match[1] != "Installing collected packages" else "unpacking"
            )

    # With hashes, pip refuses whatever has none; then the file itself has to name apache-flink.
    flink = [] if "--hash=" in requirements else [f"apache-flink=={flink_version}", *_beside(flink_version)]
    run_pip(
        ["--python", str(_python(folder)), "install", "--progress-bar", "off", *flink, "--requirement", str(file)],
        scratch=folder,
        on_line=describe,
    )
    if not (_site_packages(folder) / f"apache_flink-{flink_version}.dist-info").is_dir():
        raise ArtifactError(
            f"the application's requirements have hashes but do not name 'apache-flink=={flink_version}'",
            hint=f"Add 'apache-flink=={flink_version}' with its hashes, or take the hashes out",
        )


def _beside(flink_version: str) -> tuple[str, ...]:
    """Return what PyFlink needs and its package does not ask for."""
    return (_SETUPTOOLS,) if parts(flink_version)[:2] < (1, 20) else ()


def _explained(failure: PipFailed, flink_version: str, *, requirements: str, cache: Path) -> ScurryError:
    if not requirements or failure.is_offline or failure.is_out_of_room or failure.is_missing:
        package = f"apache-flink=={flink_version}"
        return unavailable(failure, title=f"PyFlink {flink_version}", package=package, cache=cache)
    return ArtifactError(
        f"the application's requirements cannot be installed beside PyFlink {flink_version}: {failure.summary}",
        hint="Correct its requirements file",
    )


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _site_packages(folder: Path) -> Path:
    return next((folder / "lib").glob("python3*/site-packages"))
