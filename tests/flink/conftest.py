"""Fixtures of the tests of runtimes: a package index of our own, an empty cache, and a listening reporter."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.flink.package_index import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.flink.package_index import PackageIndex

CLOSED_PORT = "http://127.0.0.1:9/simple"
"""Nothing listens on the discard port of this machine's loopback."""


class Listening:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.activities: list[tuple[str, float | None]] = []
        self.done: dict[str, float] = {}
        self.notes: list[str] = []
        self.descriptions: list[str] = []

    @contextmanager
    def activity(self, title: str, *, total: float | None = None) -> Iterator[_Heard]:
        self.activities.append((title, total))
        yield _Heard(self, title)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.notes.append(text)

    @property
    def titles(self) -> list[str]:
        return [title for title, _ in self.activities]


class _Heard:
    def __init__(self, reporter: Listening, title: str) -> None:
        self._reporter = reporter
        self._title = title

    def advance(self, amount: float) -> None:
        self._reporter.done[self._title] = self._reporter.done.get(self._title, 0) + amount

    def describe(self, text: str) -> None:
        self._reporter.descriptions.append(text)


@pytest.fixture
def reporter() -> Listening:
    return Listening()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """An empty cache."""
    return tmp_path / "cache"


@pytest.fixture
def _plain_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pip configuration of this machine reaches the test."""
    for name in tuple(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv(
        "PIP_DEFAULT_TIMEOUT", "120"
    )  # longer than any download is held up: pip never gives up by itself
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")


@pytest.fixture
def index(_plain_pip: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    """A package index of our own that pip is sent to."""
    with serving() as served:
        monkeypatch.setenv("PIP_INDEX_URL", served.url)
        yield served


@pytest.fixture
def no_network(_plain_pip: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package index does not answer."""
    monkeypatch.setenv("PIP_INDEX_URL", CLOSED_PORT)
