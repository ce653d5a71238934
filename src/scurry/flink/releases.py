"""Which Flink versions there are: what the package index lists, remembered for a day, and choosing among versions."""

from __future__ import annotations

import json
import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from scurry.flink.install_cache import clear_errors
from scurry.flink.package_install import PipFailed, unavailable, versions_of
from scurry.model.errors import RuntimeUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

PACKAGE = "apache-flink-libraries"
OLDEST = (1, 18)
"""Older ones lack what scurry relies on: Java 17 (1.18, FLINK-15736) and the REST calls that it uses."""
EARLIEST = (1, 15)
"""The managed service still runs it, and so does its emulator, which asks less of a Flink."""

_DAY_S = 24 * 3600
_VERSION = re.compile(r"\d+(\.\d+){0,2}$")


class Releases:
    """The released versions of Flink."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._file = cache / "index" / f"{PACKAGE}.json"

    def known(self, *, title: str = "Flink") -> tuple[str, ...]:
        """The released versions, at most a day old. Raises `RuntimeUnavailable` when nobody can be asked.

        `title` is what is wanted, for messages.
        """
        return self._remembered(_DAY_S) or self.ask(title=title)

    def ask(self, *, title: str = "Flink") -> tuple[str, ...]:
        """Ask the package index now. Raises `RuntimeUnavailable` when it does not answer."""
        try:
            with clear_errors(Path(tempfile.gettempdir()), "the list of Flink's releases"):
                versions = tuple(version for version in versions_of(PACKAGE) if parts(version)[:2] >= EARLIEST)
        except PipFailed as failure:
            raise unavailable(failure, title=title, package=PACKAGE, cache=self._cache) from failure
        with suppress(OSError):  # not being able to remember the answer does not make it wrong
            self._file.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._file.with_suffix(f".{time.time_ns()}")
            temporary.write_text(json.dumps({"asked": time.time(), "versions": versions}), "utf-8")
            temporary.replace(self._file)
        return versions

    def _remembered(self, max_age_s: float) -> tuple[str, ...]:
        try:
            told = json.loads(self._file.read_text("utf-8"))
            if 0 <= time.time() - float(told["asked"]) < max_age_s:
                return tuple(str(version) for version in told["versions"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # never asked, or the file is broken: ask again
        return ()


def parts(version: str) -> tuple[int, ...]:
    """The numbers of a version, for comparing: `1.20.5` and `1.20.5-vendor-1` are (1, 20, 5)."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in match[0].split(".")) if match else ()


def is_exact(version: str) -> bool:
    """Whether the version names one release, not a series such as `2.3`."""
    return len(parts(version)) >= 3


def matches(version: str, series: str) -> bool:
    """Whether a release belongs to a series, or is the very one."""
    return version == series or (not is_exact(series) and parts(version)[: len(parts(series))] == parts(series))


def newest_of(series: str, versions: Iterable[str]) -> str | None:
    """The newest release of a series among the given ones."""
    return max((version for version in versions if matches(version, series)), key=parts, default=None)


def check_asked(asked: str, oldest: tuple[int, int] = OLDEST) -> None:
    """Refuse what is no version, or is older than is run here. Raises `RuntimeUnavailable`."""
    if not _VERSION.match(asked) and not is_exact(asked):
        raise RuntimeUnavailable(
            f"{asked!r} is not a version of Flink", hint="Write a series or a release, for example 2.3 or 1.20.5"
        )
    if len(parts(asked)) > 1 and parts(asked)[:2] < oldest:
        since = ".".join(map(str, oldest))
        raise RuntimeUnavailable(f"Flink {asked!r} is too old: scurry runs {since} and newer")


def no_such_version(asked: str, versions: Iterable[str]) -> RuntimeUnavailable:
    """Say that a version does not exist, and which nearest ones do."""
    wanted = (*parts(asked), 0, 0)[:3]

    def distance(version: str) -> tuple[int, ...]:
        return tuple(abs(a - b) for a, b in zip(wanted, (*parts(version), 0, 0)[:3], strict=True))

    nearest = sorted(sorted(set(versions), key=distance)[:3], key=parts, reverse=True)
    return RuntimeUnavailable(
        f"Flink {asked!r} does not exist", hint=f"The nearest that do: {', '.join(nearest)}" if nearest else None
    )
