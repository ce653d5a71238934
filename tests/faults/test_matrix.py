"""Every fault of the proxy on every REST call of an upgrade, and signals to Flink's processes at its moments.

A part that is drawn anew with each seed runs always, the rest with `SCURRY_FAULTS=all`.
"""

from __future__ import annotations

import os

import pytest

from scurry.testing.fault_proxy import Fault
from tests.faults.cases import MOMENTS, Case, Spot, forgetful, killed, matrix, on, paused, signals, some
from tests.faults.ground import Ground
from tests.faults.trial import Verdict, tried

pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(600)]

ALL = os.environ.get("SCURRY_FAULTS") == "all"
SEED = int(os.environ.get("SCURRY_FAULTS_SEED", "4"))
SHARE = 24
FAULTS = [fault for fault in Fault if fault is not Fault.NONE]
DELICATE = {
    "stop": Spot(after="", method="POST", path="/jobs/*/stop", nth=1),
    "run": Spot(after="", method="POST", path="/jars/*/run", nth=1),
}
"""the calls around which records wait"""


def survives(survivor: Ground, case: Case) -> Verdict:
    """Try a fault, which has to leave nothing lost, nothing twice, and the application running as it should."""
    verdict = tried(survivor, case)
    assert not verdict.problem, f"{case} → {verdict}"
    assert verdict.injected, f"{case} was not reached"
    assert not [told for told in verdict.told if "without a hint" in told], verdict.told
    return verdict


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", DELICATE)
def test_no_fault_of_a_call_that_moves_state_loses_any(call: str, fault: Fault, survivor: Ground) -> None:
    survives(survivor, on(DELICATE[call], fault))


def test_a_part_of_all_faults_on_all_calls_loses_nothing(survivor: Ground, calls: list[Spot]) -> None:
    cases = matrix(calls)
    assert len(cases) > 300
    failed = [
        f"{case} → {verdict}" for case in some(cases, SHARE, seed=SEED) if (verdict := tried(survivor, case)).problem
    ]
    assert not failed, "\n".join(failed)


@pytest.mark.skipif(not ALL, reason="takes about half an hour: SCURRY_FAULTS=all")
@pytest.mark.timeout(7200)
def test_no_fault_on_any_call_loses_anything(survivor: Ground, calls: list[Spot]) -> None:
    cases = [*matrix(calls), *signals()]
    failed = [f"{case} → {verdict}" for case in cases if (verdict := tried(survivor, case)).problem]
    assert not failed, "\n".join(failed)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("role", ["jobmanager", "taskmanager-1"])
def test_a_flink_process_that_is_killed_takes_no_state_along(role: str, moment: str, survivor: Ground) -> None:
    survives(survivor, killed(role, moment))


@pytest.mark.parametrize("moment", ["between stop and start", "after its first checkpoint"])
def test_a_jobmanager_that_answers_but_lost_its_jobs_is_no_reason_to_start_without_state(
    moment: str, survivor: Ground
) -> None:
    survives(survivor, forgetful(moment))


@pytest.mark.parametrize(
    ("role", "moment"),
    [("jobmanager", "during the stop"), ("taskmanager-1", "during the stop"), ("jobmanager", "between stop and start")],
)
def test_a_flink_process_that_stands_still_for_a_while_is_waited_for(role: str, moment: str, survivor: Ground) -> None:
    survives(survivor, paused(role, moment))
