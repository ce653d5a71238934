"""The reconciling server on a real Flink: what it puts right is judged by what the application has committed."""

from __future__ import annotations

import signal
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from scurry.flink.connection import RestSettings
from scurry.flink.rest import FlinkRest
from scurry.model.observed import JobState
from tests.conformance.stage import PATIENCE_S, Ledger, Stage
from tests.flink.local_flink import until
from tests.server.site import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.site import Running

pytestmark = [pytest.mark.flink, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def _forgotten_at_the_end(ledger: Ledger) -> Iterator[None]:
    """Delete the test's application: else the next test's server would put its job back, as it should."""
    yield
    ledger.verb("delete", snapshot=False, wait=timedelta(seconds=PATIENCE_S))


@pytest.fixture
def server(stage: Stage) -> Iterator[Running]:
    """A server that looks after the stage."""
    with running_server(stage.folder, "--interval", "500ms") as server:
        yield server


def _cancel(stage: Stage, job_id: str) -> None:
    """Cancel a job as anybody can who reaches Flink."""
    with FlinkRest(RestSettings(url=stage.cluster().rest_url)) as rest:
        rest.cancel(job_id)
        until(lambda: JobState(rest.job_status(job_id).lower()).is_terminal, "it is cancelled", patience_s=PATIENCE_S)


def test_a_job_that_was_cancelled_behind_our_back_goes_on_from_its_newest_state(
    ledger: Ledger, stage: Stage, server: Running
) -> None:
    ledger.converge()
    before = ledger.job()
    _cancel(stage, before.id)
    server.await_event("repaired", ledger.name, patience_s=PATIENCE_S)
    after = ledger.job()
    assert after.id != before.id
    assert after.restored_from
    assert f"/{before.id}/chk-" in after.restored_from
    ledger.goes_on()


def test_drift_that_is_only_reported_is_left(ledger: Ledger, stage: Stage, server: Running) -> None:
    ledger.write()
    with ledger.spec.open("a") as spec:
        spec.write("drift: report\n")
    stage.open().apply(ledger.spec, confirm=lambda plan: True)
    ledger.goes_on()
    _cancel(stage, ledger.job().id)
    told = server.await_event("drift", ledger.name, patience_s=PATIENCE_S)
    assert "cancelled" in told["message"]
    assert ledger.status().phase.value == "failed"
    assert ledger.verb("start").error is None
    ledger.goes_on()


def test_a_server_that_is_killed_while_it_repairs_is_followed_by_one_that_finishes(
    ledger: Ledger, stage: Stage
) -> None:
    ledger.converge()
    with running_server(stage.folder, "--interval", "500ms") as first:
        _cancel(stage, ledger.job().id)
        until(
            lambda: any("put right" in line["message"] or line.get("cause") == "drift" for line in first.lines),
            "it has begun",
            patience_s=PATIENCE_S,
        )
        first.end(signal.SIGKILL)
    with running_server(stage.folder, "--interval", "500ms"):
        ledger.goes_on()
        until(lambda: ledger.status().interrupted is None, "it is finished", patience_s=PATIENCE_S)
    ledger.job()
    ledger.check()


def test_a_cluster_that_died_and_came_back_empty_gets_its_job_back(
    ledger: Ledger, stage: Stage, server: Running
) -> None:
    ledger.converge()
    before = ledger.job()
    stage.kill("jobmanager", signal.SIGKILL)
    server.await_event("repaired", ledger.name, patience_s=PATIENCE_S)
    ledger.goes_on()
    after = ledger.job()
    assert after.id != before.id
    assert after.restored_from


def test_of_two_servers_the_one_that_is_killed_at_work_is_replaced_by_the_other(ledger: Ledger, stage: Stage) -> None:
    ledger.converge()
    with (
        running_server(stage.folder, "--interval", "500ms", "--takeover", "3s") as one,
        running_server(stage.folder, "--interval", "500ms", "--takeover", "3s") as other,
    ):
        both = (one, other)
        until(lambda: all(server.looks_after() is not None for server in both), "they know", patience_s=PATIENCE_S)
        _cancel(stage, ledger.job().id)

        def at_work() -> list[Running]:
            return [server for server in both if any(line.get("cause") == "drift" for line in server.lines)]

        until(lambda: len(at_work()) == 1, "one of them is at it", patience_s=PATIENCE_S)
        at_work()[0].end(signal.SIGKILL)
        ledger.goes_on()
        until(lambda: ledger.status().interrupted is None, "it is finished", patience_s=PATIENCE_S)
    ledger.job()
    ledger.check()
