"""Fixtures for all tests: a clean environment, and Flink and Java from the shared cache."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from scurry.flink.runtimes import Runtimes, default_cache
from scurry.model.reporting import SilentReporter
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from scurry.flink.installed import FlinkRuntime, JavaRuntime

_PREFIXES = ("SCURRY_", "FLINK_", "JAVA_HOME")


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start: what a shell runs in the background has it ignored, and hands that on."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run a test on a real Flink or a registry once more when it fails: pytest tells it as RERUN, so that it is seen.

    Such a test has time limits, and a machine that is shared stands still now and then.
    """
    for item in items:
        if item.get_closest_marker("flink") or item.get_closest_marker("network"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on what the person who runs it has set."""
    for name in tuple(os.environ):
        if name.startswith(_PREFIXES) and name != "SCURRY_CACHE":
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def runtimes() -> Runtimes:
    """Flink and Java from the shared cache, installed when first asked for."""
    return Runtimes(cache=default_cache(), reporter=SilentReporter())


@pytest.fixture(scope="session")
def flink_runtime(runtimes: Runtimes) -> Callable[[str], FlinkRuntime]:
    """A function from version to installed Flink."""
    return runtimes.flink


@pytest.fixture(scope="session")
def java_runtime(runtimes: Runtimes) -> JavaRuntime:
    """A Java that fits all of the Flinks that the tests run on: what runs the oldest runs the newer ones."""
    return runtimes.java(min(FLINK_VERSIONS))
