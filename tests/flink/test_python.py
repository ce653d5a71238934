"""Environments for PyFlink applications: equal ones are one, no Flink in them, nothing half-made is used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from scurry.flink import python as pythons
from scurry.flink.installed import FlinkRuntime
from scurry.flink.python import fitting_pythons, python_environment
from scurry.flink.runtimes import Runtimes
from scurry.model.errors import ArtifactError, RuntimeUnavailable
from tests.flink.package_index import wheel
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from scurry.flink.installed import JavaRuntime
    from scurry.flink.python import PythonEnvironment
    from tests.flink.conftest import Listening
    from tests.flink.package_index import PackageIndex

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60


def _pyflink(version: str) -> tuple[str, bytes]:
    """PyFlink's package as PyPI has it: it asks for the Flink of the same version."""
    files = {"pyflink/__init__.py": b"", "pyflink/bin/flink": b"#!/bin/sh\n", "pyflink/version.py": b""}
    return wheel("apache-flink", version, files, requires=(f"apache-flink-libraries<{version}.1,>={version}",))


def _library(name: str, version: str) -> tuple[str, bytes]:
    return wheel(name, version, {f"{name}.py": f"version = {version!r}\n".encode()})


_SETUPTOOLS = """
try:
    import setuptools
    print(setuptools.version)
except ImportError:
    print("none")
"""


@pytest.fixture
def make(cache: Path, reporter: Listening) -> Callable[..., PythonEnvironment]:
    def made(requirements: str | None = None, *, flink: str = "2.3.0", python: str | None = None) -> PythonEnvironment:
        return python_environment(
            cache=cache, flink_version=flink, requirements=requirements, python=python, reporter=reporter
        )

    return made


def _runs(environment: PythonEnvironment, code: str) -> str:
    done = subprocess.run([environment.python, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_pyflink_is_installed_and_the_flink_itself_is_not(
    index: PackageIndex, make: Callable[..., PythonEnvironment], cache: Path, reporter: Listening
) -> None:
    index.add(_pyflink("2.3.0"))  # no `apache-flink-libraries` in this index: were it asked for, this would fail
    environment = make()
    assert environment.pyflink == Path(_runs(environment, "import pyflink; print(pyflink.__path__[0])"))
    assert (environment.pyflink / "bin" / "flink").is_file()
    assert [name for name in index.downloads if "libraries" in name] == []
    assert reporter.titles == [f"Installing PyFlink 2.3.0 for Python {sys.version.split()[0]}"]
    assert "collecting apache-flink" in reporter.descriptions
    (entry,) = Runtimes(cache=cache, reporter=reporter).installed()
    assert (entry.kind, entry.version) == ("python", "2.3.0")


def test_the_requirements_of_the_application_are_installed(
    index: PackageIndex, make: Callable[..., PythonEnvironment]
) -> None:
    index.add(_pyflink("2.3.0"), _library("orders", "1.0"), _library("orders", "2.0"))
    environment = make("orders<2\n")
    assert _runs(environment, "import orders; print(orders.version)") == "1.0"


@pytest.mark.parametrize(("flink", "expected"), [("1.19.3", "81.0"), ("1.20.5", "none")])
def test_an_old_pyflink_gets_the_setuptools_that_it_needs_and_does_not_ask_for(
    flink: str, expected: str, index: PackageIndex, make: Callable[..., PythonEnvironment]
) -> None:
    index.add(_pyflink(flink), _library("setuptools", "81.0"), _library("setuptools", "82.0"))
    environment = make(flink=flink)
    assert _runs(environment, _SETUPTOOLS) == expected
    assert make("setuptools<82", flink=flink).digest != environment.digest


def test_pip_settings_for_other_places_do_not_lead_packages_astray(
    index: PackageIndex,
    make: Callable[..., PythonEnvironment],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index.add(_pyflink("2.3.0"))
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "target"))
    monkeypatch.setenv("PIP_PREFIX", str(tmp_path / "prefix"))
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "1")
    assert make().pyflink.is_dir()
    assert not (tmp_path / "target").exists()


def test_equal_wishes_share_an_environment_and_different_ones_do_not(
    index: PackageIndex, make: Callable[..., PythonEnvironment]
) -> None:
    index.add(_pyflink("2.3.0"), _pyflink("2.2.1"), _library("orders", "1.0"))
    first = make("orders==1.0\n")
    asked = len(index.downloads)
    assert make("# what we sell\n\norders==1.0   # pinned\n") == first
    assert len(index.downloads) == asked
    others = [make(), make("orders>=1.0"), make("orders==1.0", flink="2.2.1")]
    assert len({first.digest, *(other.digest for other in others)}) == 4
    assert len({first.python, *(other.python for other in others)}) == 4


def test_an_environment_whose_python_is_gone_is_made_anew(
    index: PackageIndex, make: Callable[..., PythonEnvironment]
) -> None:
    index.add(_pyflink("2.3.0"))
    environment = make()
    for path in environment.python.parent.glob("python*"):
        path.unlink()
        path.symlink_to("/nowhere/python")
    assert make() == environment
    assert _runs(environment, "import pyflink; print('there')") == "there"


def test_requirements_that_cannot_be_met_are_the_application_s_error(
    index: PackageIndex, make: Callable[..., PythonEnvironment], cache: Path, reporter: Listening
) -> None:
    index.add(_pyflink("2.3.0"), _pyflink("2.2.1"))
    with pytest.raises(ArtifactError, match=r"requirements cannot be installed beside PyFlink 2\.3\.0") as raised:
        make("no-such-package==1.0")
    assert "no-such-package==1.0" in raised.value.message
    with pytest.raises(ArtifactError, match=r"apache-flink==2\.2\.1"):
        make("apache-flink==2.2.1")
    with pytest.raises(ArtifactError):
        make("this is no requirement")
    assert Runtimes(cache=cache, reporter=reporter).installed() == ()
    assert list((cache / "python").iterdir()) == []


def test_requirements_with_hashes_are_kept_to(index: PackageIndex, make: Callable[..., PythonEnvironment]) -> None:
    import hashlib

    flink, orders = _pyflink("2.3.0"), _library("orders", "1.0")
    index.add(flink, orders)
    pinned = f"orders==1.0 --hash=sha256:{hashlib.sha256(orders[1]).hexdigest()}\n"
    with pytest.raises(ArtifactError, match=r"do not name 'apache-flink==2\.3\.0'"):
        make(pinned)
    pinned += f"apache-flink==2.3.0 --hash=sha256:{hashlib.sha256(flink[1]).hexdigest()}\n"
    assert _runs(make(pinned), "import orders, pyflink; print(orders.version)") == "1.0"
    with pytest.raises(ArtifactError, match="DO NOT MATCH THE HASHES"):
        make(pinned.replace("orders==1.0 --hash=sha256:", f"orders==1.0 --hash=sha256:{'0' * 64} #"))


def test_without_network_the_error_says_so(
    no_network: None, make: Callable[..., PythonEnvironment], cache: Path
) -> None:
    for requirements in (None, "orders==1.0"):
        with pytest.raises(RuntimeUnavailable, match=r"PyFlink 2\.3\.0 is not installed and the package index cannot"):
            make(requirements)
    assert list((cache / "python").iterdir()) == []


def test_without_network_what_is_there_does(
    index: PackageIndex, make: Callable[..., PythonEnvironment], monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add(_pyflink("2.3.0"))
    environment = make()
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert make() == environment


_INSTALL = """
import sys; from pathlib import Path
from scurry.flink.python import python_environment
from scurry.model.reporting import SilentReporter
made = python_environment(
    cache=Path(sys.argv[1]), flink_version="2.3.0", requirements=None, python=None, reporter=SilentReporter()
)
print(made.python)
"""


def test_an_environment_killed_half_way_is_never_used_and_made_by_the_next(
    index: PackageIndex, make: Callable[..., PythonEnvironment], cache: Path, reporter: Listening
) -> None:
    package = _padded_pyflink()
    index.add(package)
    index.hold(package[0])
    child = subprocess.Popen([sys.executable, "-c", _INSTALL, str(cache)], stdout=subprocess.PIPE)
    assert index.half_sent.wait(DEADLINE_S)
    started = psutil.Process(child.pid).children(recursive=True)
    assert len(started) >= 2  # pip, and pip in the environment
    child.kill()
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert psutil.wait_procs(started, timeout=DEADLINE_S / 3)[1] == []
    assert Runtimes(cache=cache, reporter=reporter).installed() == ()
    index.release()
    assert _runs(make(), "import pyflink; print('there')") == "there"


def test_two_at_once_make_one_environment(index: PackageIndex, cache: Path) -> None:
    package = _padded_pyflink()
    index.add(package)
    index.hold(package[0])
    command = [sys.executable, "-c", _INSTALL, str(cache)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert index.half_sent.wait(DEADLINE_S)
    index.release()
    outputs = [child.communicate(timeout=DEADLINE_S)[0] for child in children]
    assert outputs[0] == outputs[1]
    assert Path(outputs[0].strip()).is_file()
    assert index.downloads == [package[0]]


def _padded_pyflink() -> tuple[str, bytes]:
    """Large enough that half of it is not lost in a buffer."""
    return wheel(
        "apache-flink",
        "2.3.0",
        {"pyflink/__init__.py": b"", "pyflink/data": os.urandom(600_000)},
        requires=("apache-flink-libraries<2.3.1,>=2.3.0",),
    )


# --- interpreters ----------------------------------------------------------------------------------------------------


def _interpreter(at: Path, version: str) -> Path:
    """A `python` that says it is of some version, and is ours otherwise."""
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_text(
        f'#!/bin/sh\nif [ "$1" = -c ]; then echo \'["{version}", "{at}"]\'; else exec {sys.executable} "$@"; fi\n',
        "utf-8",
    )
    at.chmod(0o755)
    return at


@pytest.fixture
def no_interpreters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """scurry itself runs on a Python too new for any Flink, and none is on PATH."""
    monkeypatch.setattr(pythons, "_INTERPRETERS_OFF_PATH", (f"{tmp_path}/off/3.{{minor}}/bin/python3",))
    monkeypatch.setattr(sys, "executable", str(_interpreter(tmp_path / "own" / "python", "3.14.0")))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin-of-nobody")
    return tmp_path


@pytest.mark.parametrize(
    ("flink", "fits"),
    [("1.18.1", (7, 10)), ("1.20.5", (8, 11)), ("2.0.0", (8, 11)), ("2.1.0", (9, 12)), ("2.3.0", (9, 12))],
)
def test_which_python_fits_is_as_the_published_wheels_say(flink: str, fits: tuple[int, int]) -> None:
    assert fitting_pythons(flink) == fits


def test_a_fitting_python_is_found_when_ours_does_not_fit(
    no_interpreters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _interpreter(no_interpreters / "bin" / "python3.10", "3.10.13")
    assert pythons._found("2.3.0").version == "3.10.13"
    _interpreter(no_interpreters / "off" / "3.12" / "bin" / "python3", "3.12.1")
    assert pythons._found("2.3.0").version == "3.12.1"
    assert pythons._found("1.20.5").version == "3.10.13"


def test_a_shim_on_path_that_leads_nowhere_is_passed_over(no_interpreters: Path) -> None:
    broken = _interpreter(no_interpreters / "bin" / "python3.12", "3.12.1")
    broken.write_text("#!/bin/sh\necho 'python3.12: command not found' >&2\nexit 127\n", "utf-8")
    _interpreter(no_interpreters / "bin" / "python3.10", "3.10.13")
    assert pythons._found("2.3.0").version == "3.10.13"


def test_no_fitting_python_is_a_clear_error(no_interpreters: Path, make: Callable[..., PythonEnvironment]) -> None:
    with pytest.raises(
        RuntimeUnavailable, match=r"PyFlink 2\.3\.0 needs Python 3\.9 to 3\.12, and none is on this"
    ) as raised:
        make()
    assert raised.value.hint is not None
    assert "3.12" in raised.value.hint


def test_a_python_that_the_application_names_is_taken_or_refused(
    tmp_path: Path, index: PackageIndex, make: Callable[..., PythonEnvironment]
) -> None:
    too_new = _interpreter(tmp_path / "python3.14", "3.14.0")
    with pytest.raises(RuntimeUnavailable, match=r"Python 3\.14\.0 .* does not run PyFlink 2\.3\.0"):
        make(python=str(too_new))
    with pytest.raises(RuntimeUnavailable, match="does not run on this machine"):
        make(python=str(tmp_path / "nowhere"))
    index.add(_pyflink("2.3.0"))
    base = sysconfig.get_config_var("BINDIR") + f"/python3.{sys.version_info.minor}"
    assert _runs(make(python=base), "import pyflink; print('there')") == "there"


# --- the real thing --------------------------------------------------------------------------------------------------

_COUNT = """
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import EnvironmentSettings, TableEnvironment
table = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
print("sum", *[row[0] for row in table.execute_sql("SELECT SUM(a) FROM (VALUES (20), (22)) AS t(a)").collect()])
"""


@pytest.mark.network
@pytest.mark.flink
@pytest.mark.parametrize("version", FLINK_VERSIONS)
def test_real_pyflink_runs_a_job_on_the_flink_that_is_installed_once(
    version: str, runtimes: Runtimes, java_runtime: JavaRuntime, reporter: Listening, tmp_path: Path
) -> None:
    flink: FlinkRuntime = runtimes.flink(version)
    environment = python_environment(
        cache=runtimes.cache, flink_version=version, requirements=None, python=None, reporter=reporter
    )
    assert not (environment.pyflink / "lib").exists()
    variables = {**os.environ, **environment.variables(flink), "JAVA_HOME": str(java_runtime.home)}
    done = subprocess.run(
        [environment.python, "-c", _COUNT], env=variables, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "sum 42" in done.stdout, done.stdout + done.stderr
