"""Installs a Flink in a process of its own, for tests that kill it, starve it, or run two of it.

    python -m tests.flink.install_in_child CACHE VERSION [--source TARBALL] [--die-at TITLE] [--file-limit BYTES]
                                           [--user ID]

Prints `activity: TITLE` as it goes, then `installed: HOME` or `refused: MESSAGE`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import resource
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from scurry.flink.runtimes import Runtimes
from scurry.model.errors import RuntimeUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Telling:
    """A reporter that prints, and kills its own process in the middle of a piece of work."""

    def __init__(self, die_at: str) -> None:
        self._die_at = die_at
        self._title = ""

    @contextmanager
    def activity(self, title: str, *, total: float | None = None) -> Iterator[_Telling]:
        print(f"activity: {title}", flush=True)
        self._title = title
        yield self

    def advance(self, amount: float) -> None:
        if self._die_at and self._title.startswith(self._die_at):
            os.kill(os.getpid(), signal.SIGKILL)

    def describe(self, text: str) -> None:
        pass

    def note(self, text: str) -> None:
        print(f"note: {text}", flush=True)

    def warn(self, text: str) -> None:
        self.note(text)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("cache", type=Path)
    arguments.add_argument("version")
    arguments.add_argument("--die-at", default="")
    arguments.add_argument("--file-limit", type=int)
    arguments.add_argument("--source")
    arguments.add_argument("--user", type=int)
    chosen = arguments.parse_args()
    if chosen.die_at == "rename":
        setattr(Path, "rename", lambda self, target: os.kill(os.getpid(), signal.SIGKILL))  # noqa: B010
    if chosen.file_limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (chosen.file_limit, chosen.file_limit))
    if chosen.user:
        # Imported before, because the other user may not be able to read this Python's packages.
        for name in ("filelock", "pwd"):
            importlib.import_module(name)
        os.setuid(chosen.user)
    try:
        sources = {chosen.version: chosen.source} if chosen.source else {}
        own = Runtimes(cache=chosen.cache, reporter=_Telling(chosen.die_at), flink_sources=sources)
        flink = own.flink(chosen.version)
        print(f"installed: {flink.home}")
    except RuntimeUnavailable as error:
        print(f"refused: {error.message}")
        print(f"hint: {error.hint}")


if __name__ == "__main__":
    main()
