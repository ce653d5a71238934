"""Flink distributions on this machine: finds, installs, lists and removes them; and the front door to Java's.

A Flink comes from, in this order: a tarball or folder that the project names for its version, FLINK_HOME,
the cache, PyPI's `apache-flink-libraries` (the whole distribution, without the shell scripts).
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import nullcontext
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

from scurry.flink.fetch import fetch, without_credentials
from scurry.flink.install_cache import InstallCache, Installed, Kind, Slot, default_cache
from scurry.flink.installed import FlinkRuntime
from scurry.flink.package_install import PipFailed, download, unavailable
from scurry.flink.releases import OLDEST, PACKAGE, Releases, check_asked, is_exact, newest_of, no_such_version, parts
from scurry.flink.unpack import ArchiveBroken, unpack
from scurry.model.errors import RuntimeUnavailable, concerning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scurry.flink.installed import JavaRuntime
    from scurry.model.reporting import Reporter

__all__ = ["Installed", "Runtimes", "default_cache", "version_of"]

_PROOF = "lib/flink-dist*.jar"
_DIST_JAR = re.compile(r"flink-dist(?:_2\.\d+)?-(\d.*)\.jar")


class Runtimes:
    """Flink and Java on this machine. `flink_sources` maps versions to tarballs (path or URL) or folders."""

    def __init__(
        self,
        *,
        cache: Path,
        reporter: Reporter,
        flink_sources: Mapping[str, str] | None = None,
        java_home: str | None = None,
    ) -> None:
        self._cache = InstallCache(cache, reporter)
        self._reporter = reporter
        self._sources = dict(flink_sources or {})
        self._java_home = java_home
        self._releases = Releases(cache)
        self._oldest = OLDEST

    def since(self, oldest: tuple[int, int]) -> Runtimes:
        """Return the same with an older Flink, too, than scurry runs applications on."""
        found = copy(self)
        found._oldest = oldest
        return found

    @property
    def cache(self) -> Path:
        """The folder that holds all of it."""
        return self._cache.root

    def newest(self, series: str) -> str:
        """The newest release of a series (`2.3` → `2.3.0`); an exact version is only checked to exist.

        What the project or FLINK_HOME provides for the series wins over the package index; without a network, what
        is installed must do. Raises `RuntimeUnavailable`.
        """
        if series in self._sources:
            return series
        check_asked(series, self._oldest)
        if provided := newest_of(series, self._provided()):
            return provided
        installed = tuple(slot.version for slot in self._cache.slots("flink") if slot.source == "pypi")
        if is_exact(series) and series in installed:
            return series
        title = f"Flink {series}"
        try:
            released = self._run_here(self._releases.known(title=title))
            # A release of this very day is not in yesterday's answer.
            found = newest_of(series, released) or newest_of(
                series, released := self._run_here(self._releases.ask(title=title))
            )
        except RuntimeUnavailable as error:
            if found := newest_of(series, installed):
                return found
            if installed:
                error.hint = f"{error.hint}\nInstalled here, and usable without a network: {', '.join(installed)}"
            raise
        if not found:
            raise no_such_version(series, (*released, *installed))
        return found

    def flink(self, version: str, *, install: bool = True) -> FlinkRuntime:
        """The Flink of this version (or the newest of this series), installed if need be.

        Raises `RuntimeUnavailable`.
        """
        exact = self.newest(version)
        if source := self._sources.get(exact):
            return self._from_source(exact, source, install=install)
        if (home := _flink_home()) and version_of(home) == exact:
            return FlinkRuntime(version=exact, home=home, source="FLINK_HOME")
        slot = _pypi_slot(exact)
        if not install and not self._cache.find(slot):
            raise _not_installed(exact)
        return FlinkRuntime(version=exact, home=self._cache.obtain(slot, self._download(slot)), source="pypi")

    def java(self, flink_version: str, *, install: bool = True) -> JavaRuntime:
        """A Java that fits this Flink: see `scurry.flink.jvm.find_java`."""
        from scurry.flink.jvm import find_java

        with concerning("java_home", in_project=True) if self._java_home else nullcontext():
            return find_java(
                flink_version, cache=self.cache, reporter=self._reporter, java_home=self._java_home, install=install
            )

    def installed(self) -> tuple[Installed, ...]:
        """What the cache holds, with what it weighs."""
        return self._cache.installed()

    def remove(self, kind: Kind, version: str) -> int:
        """Delete what is installed of this kind and version and return the bytes freed.

        With a Flink goes what Java recorded of its classes. Raises `RuntimeUnavailable` when there is none.
        """
        there = self._cache.slots(kind)
        found = [slot for slot in there if version in (slot.version, slot.key)]
        if not found:
            names = ", ".join(sorted({slot.version for slot in there})) or "none"
            raise RuntimeUnavailable(
                f"{kind} {version!r} is not installed (there: {names})",
                hint="To see what is there:\n  scurry runtime list",
            )
        if kind == "flink":
            versions = tuple(f"{slot.version}-java" for slot in found)
            found += [slot for slot in self._cache.slots("archive") if slot.version.startswith(versions)]
        return sum(self._cache.remove(slot) for slot in found)

    def _run_here(self, versions: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(version for version in versions if parts(version)[:2] >= self._oldest)

    def _provided(self) -> tuple[str, ...]:
        home = _flink_home()
        version = version_of(home) if home else None
        return (*self._sources, version) if version else tuple(self._sources)

    def _from_source(self, version: str, source: str, *, install: bool) -> FlinkRuntime:
        is_url = "://" in source and not source.startswith("file://")
        path = Path(source.removeprefix("file://")).expanduser().absolute()
        if not is_url and path.is_dir():
            return FlinkRuntime(version=version, home=_checked(path, version, source), source="archive")
        if not is_url and not path.is_file():
            raise RuntimeUnavailable(
                f"the Flink {version} that the project names is not there: {source!r}",
                hint="Correct its path in the project file",
            )
        slot = _archive_slot(version, source if is_url else _fingerprint(path), without_credentials(source))
        if not install and not self._cache.find(slot):
            raise _not_installed(version)
        return FlinkRuntime(
            version=version,
            home=self._cache.obtain(slot, self._unpacked(slot, source if is_url else path)),
            source="archive",
        )

    def _download(self, slot: Slot) -> Callable[[Path], Path]:
        def build(staging: Path) -> Path:
            package = f"{PACKAGE}=={slot.version}"
            try:
                archive = download(package, into=staging, title=f"Downloading {slot.title}", reporter=self._reporter)
            except PipFailed as failure:
                raise unavailable(failure, title=slot.title, package=package, cache=self.cache) from failure
            return self._unpack(slot, archive, staging)

        return build

    def _unpacked(self, slot: Slot, source: str | Path) -> Callable[[Path], Path]:
        def build(staging: Path) -> Path:
            if isinstance(source, Path):
                return self._unpack(slot, source, staging)
            archive = fetch(source, staging, title=f"Downloading {slot.title}", reporter=self._reporter)
            return self._unpack(slot, archive, staging)

        return build

    def _unpack(self, slot: Slot, archive: Path, staging: Path) -> Path:
        folder = staging / "unpacked"
        try:
            unpack(archive, folder, title=f"Unpacking {slot.title}", reporter=self._reporter)
        except ArchiveBroken as broken:
            raise RuntimeUnavailable(
                f"the archive {str(archive.name)!r} of {slot.title} is broken: {broken}",
                hint="Download it again, or name another one in the project file",
            ) from broken
        home = next((jar.parent.parent for jar in sorted(folder.glob(f"**/{_PROOF}"))), None)
        if home is None:
            raise RuntimeUnavailable(f"{archive.name!r} is not a Flink distribution: it has no 'lib/flink-dist-*.jar'")
        return _checked(home, slot.version, archive.name)


def version_of(home: Path) -> str | None:
    """The version of the Flink in this folder, by the name of its `lib/flink-dist-*.jar`; None if it is no Flink."""
    for jar in sorted(home.glob(_PROOF)):
        if match := _DIST_JAR.fullmatch(jar.name):
            return match[1]
    return None


def _checked(home: Path, version: str, source: str) -> Path:
    found = version_of(home)
    if found == version:
        return home
    what = f"holds Flink {found}" if found else "is not a Flink distribution: it has no 'lib/flink-dist-*.jar'"
    raise RuntimeUnavailable(f"{source!r} {what}, but Flink {version!r} is wanted")


def _flink_home() -> Path | None:
    home = os.environ.get("FLINK_HOME")
    return Path(home).expanduser().absolute() if home else None


def _pypi_slot(version: str) -> Slot:
    return Slot(kind="flink", key=version, version=version, source="pypi", title=f"Flink {version}", proof=_PROOF)


def _archive_slot(version: str, identity: str, source: str) -> Slot:
    key = f"{version}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
    return Slot(kind="flink", key=key, version=version, source=source, title=f"Flink {version}", proof=_PROOF)


def _fingerprint(path: Path) -> str:
    """Which file this is, without reading all of it: a rebuilt one has another size or time."""
    told = path.stat()
    return f"{path}:{told.st_size}:{told.st_mtime_ns}"


def _not_installed(version: str) -> RuntimeUnavailable:
    return RuntimeUnavailable(
        f"Flink {version!r} is not installed", hint=f"To install it:\n  scurry runtime install {version}"
    )
