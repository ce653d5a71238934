"""Flink's processes die at the moments of an upgrade on the local target, which starts them again by itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from scurry.flink.connection import Connection, Request
from scurry.flink.process import is_alive, send
from scurry.model.errors import TargetUnavailable
from scurry.model.observed import Phase
from scurry.model.result import ApplyOutcome
from tests.conformance.ledger import SOURCE
from tests.conformance.stage import PATIENCE_S, VERSION, Ledger, Stage
from tests.faults.ground import told_by
from tests.flink.local_flink import stopped_afterwards
from tests.targets.probe import jar_of

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator

    from scurry.flink.runtimes import Runtimes

pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(600)]

BEFORE, AFTER, LOST = "before", "after", "lost"
MOMENTS = {
    "before the stop": ("/stop", BEFORE),
    "during the stop": ("/stop", AFTER),
    "between stop and start": ("/run", BEFORE),
    "between submitted and answered": ("/run", LOST),
    "in the health window": ("/jobs/overview", AFTER),
}
"""moment → how the path of its call ends, and where in the call it is"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, runtimes: Runtimes) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("local-faults")
    with stopped_afterwards(folder / ".scurry"):
        yield Stage(folder, jar_of(SOURCE, runtimes, VERSION))


@pytest.fixture(scope="module")
def survivor(stage: Stage) -> Iterator[Ledger]:
    """An application that lives through all of it."""
    ledger = Ledger(stage, "survivor")
    yield ledger
    ledger.verb("stop")
    ledger.check()


def striking(monkeypatch: pytest.MonkeyPatch, moment: str, strike: Callable[[], None]) -> list[str]:
    """Have something done at a moment, once. Returns a list that then holds the call."""
    original, struck, written = Connection.send, list[str](), list[str]()
    path, place = MOMENTS[moment]

    def send_and_strike(self: Connection, request: Request) -> bytes:
        is_it = request.path.endswith(path) and (not request.is_read or "/run" in "".join(written)) and not struck
        if not request.is_read:
            written.append(request.path)
        if not is_it:
            return original(self, request)
        struck.append(request.path)
        if place == BEFORE:
            strike()
        answer = original(self, request)
        if place != BEFORE:
            strike()
        if place == LOST:
            raise TargetUnavailable("the answer is lost", target="local")
        return answer

    monkeypatch.setattr(Connection, "send", send_and_strike)
    return struck


def kill(stage: Stage, role: str, number: signal.Signals) -> None:
    """Kill a process of the cluster and wait until it is gone."""
    (process,) = (process for process in stage.cluster().processes if process.role == role)
    send(process.id, number)
    while is_alive(process.id):
        pass


@pytest.mark.parametrize(
    ("role", "moment"),
    [
        *(("jobmanager", moment) for moment in MOMENTS),
        ("taskmanager-1", "during the stop"),
        ("taskmanager-1", "between stop and start"),
    ],
)
def test_a_process_that_is_killed_takes_no_state_along(
    role: str, moment: str, survivor: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    import signal

    label = f"label={role} {moment}"
    survivor.converge(f"{label} before")
    with monkeypatch.context() as patch:
        struck = striking(patch, moment, lambda: kill(survivor.stage, role, signal.SIGKILL))
        told = told_by(lambda: survivor.apply(label))
    assert struck, "the moment did not come"
    assert "without a hint" not in told

    deadline = time.monotonic() + PATIENCE_S
    while (told := told_by(lambda: survivor.apply(label))) not in {ApplyOutcome.CONVERGED, ApplyOutcome.UNCHANGED}:
        # Not at once: a job whose TaskManager is just being started cannot be stopped, and apply says so.
        assert time.monotonic() < deadline, told
    survivor.goes_on()
    survivor.job()
    assert survivor.status().phase is Phase.RUNNING
    assert survivor.apply(label).outcome is ApplyOutcome.UNCHANGED
