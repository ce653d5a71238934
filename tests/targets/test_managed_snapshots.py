"""Enhanced snapshots on the managed service: state is compared by the bytes of a copy. On a real Flink, emulated."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scurry.emulator.endpoint import Emulator
from scurry.engine.compatibility_recalled import REMARK
from scurry.flink.runtimes import Runtimes
from scurry.model.compatibility import Compatibility, Fit
from scurry.model.errors import IncompatibleState, TargetUnsuitable
from scurry.model.result import ApplyOutcome
from scurry.stored_state import state_of
from scurry.targets.managed.aws import Aws
from scurry.targets.managed.faults import Answered
from tests.emulator.clients import is_laid_over
from tests.targets.managed_rig import ROLE, SOURCE, VERSION, boto, emulating, logging_to
from tests.targets.probe import jar_of
from tests.targets.test_managed_flow import GROUP, PROJECT, Stage

pytestmark = [
    pytest.mark.flink,
    pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none"),
]

STATES = "states"
BLOCK = f"    snapshots: {{export: s3://{STATES}/exported/, role: {ROLE}}}\n"


class Killed(BaseException):
    """Ends the command, as far as the service and the journal are concerned."""


@pytest.fixture(scope="module")
def emulator(runtimes: Runtimes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One for all tests of the module."""
    with emulating(tmp_path_factory.mktemp("msf"), runtimes) as served, logging_to(served.url, GROUP, "served"):
        boto(served.url)("s3").create_bucket(Bucket=STATES)
        yield served


@pytest.fixture(scope="module")
def stage(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory, runtimes: Runtimes) -> Stage:
    """An application that was started before its target took enhanced snapshots, and upgraded since."""
    folder = tmp_path_factory.mktemp("stage")
    stage = Stage(folder, emulator.url)
    shutil.copy(jar_of(SOURCE, runtimes, VERSION), folder / "served.jar")
    (folder / "scurry.yaml").write_text(PROJECT.replace("{url}", emulator.url))
    assert stage.apply(label="legacy", audit="yes").outcome is ApplyOutcome.CONVERGED
    stage.goes_on()
    assert stage.verb("take_snapshot").snapshot
    (folder / "scurry.yaml").write_text(PROJECT.replace("{url}", emulator.url) + BLOCK)
    return stage


@pytest.fixture(scope="module")
def service(emulator: Emulator) -> Any:
    """The service, as somebody else's tools have it."""
    return boto(emulator.url)("kinesisanalyticsv2")


def exports(service: Any) -> int:
    names = [each["SnapshotName"] for each in service.list_snapshots()["SnapshotInfoList"]]
    listed = (service.list_snapshot_operations(SnapshotName=n, SnapshotOperation="ExportSnapshot") for n in names)
    return sum(len(each["SnapshotOperationInfoList"]) for each in listed)


def taken_by_us(service: Any) -> list[str]:
    listed = service.list_snapshots(SnapshotInitiator="USER")["SnapshotInfoList"]
    return [str(each["SnapshotArn"]) for each in listed]


def planned(stage: Stage, **properties: str) -> Compatibility:
    """Return the verdict of a plan."""
    wanted: dict[str, Any] = {"state_check": "full", **properties}
    stage.wish(**wanted)
    (change,) = stage.open().plan(stage.spec).changes
    assert change.compatibility
    return change.compatibility


def refused(stage: Stage, told: str, **properties: str) -> None:
    """Apply what does not fit. Nothing is stopped."""
    before = stage.job().id
    with pytest.raises(IncompatibleState, match=told):
        stage.apply(state_check="full", **properties)
    assert stage.job().id == before


def test_an_application_is_switched_to_enhanced_snapshots_with_its_state(stage: Stage, service: Any) -> None:
    upgraded = stage.apply(label="enhanced", audit="yes")
    assert upgraded.outcome is ApplyOutcome.CONVERGED
    detail = service.describe_application(ApplicationName="served")["ApplicationDetail"]
    told = detail["ApplicationConfigurationDescription"]["ApplicationSnapshotConfigurationDescription"]
    assert told == {"SnapshotsEnabled": True, "SnapshotMode": "ENHANCED_SNAPSHOTS"}
    assert upgraded.snapshot
    assert upgraded.snapshot.location.startswith("arn:aws:kinesisanalytics:")
    assert stage.job().restored_from == upgraded.snapshot.location
    stage.goes_on()
    assert stage.open().plan(stage.spec).is_converged, "the switch is no drift"
    (legacy,) = (each.location for each in stage.open().snapshots("served") if each.location.startswith("msf://"))
    before = stage.job().id
    with pytest.raises(TargetUnsuitable, match="of before 'served' was switched"):
        stage.verb("restart", source=legacy)
    assert stage.job().id == before


def test_without_a_copy_state_that_comes_with_the_first_record_is_not_seen_and_plan_makes_none(
    stage: Stage, service: Any
) -> None:
    found = planned(stage, label="enhanced", audit="no")
    assert found.fit is not Fit.BLOCKED
    assert [remark.message for remark in found.remarks] == [REMARK]
    assert taken_by_us(service) == []
    assert exports(service) == 0


@pytest.fixture(scope="module")
def copied(stage: Stage, service: Any) -> str:
    """A snapshot with a copy, by its ARN: scurry was killed before the copy was begun, and went on."""
    make = Aws.call

    def dying(aws: Aws, service: str, operation: str, **request: Any) -> dict[str, Any]:
        answer = make(aws, service, operation, **request)
        if operation == "create_snapshot":
            raise Killed
        return answer

    stage.wish(label="enhanced", audit="yes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Aws, "call", dying)
        with pytest.raises(Killed):
            stage.verb("take_snapshot")
    (begun,) = taken_by_us(service)
    assert exports(service) == 0
    taken = stage.verb("take_snapshot").snapshot
    assert taken
    assert taken.location == begun
    assert taken_by_us(service) == [begun]
    assert exports(service) == 1
    return begun


def test_what_does_not_fit_the_bytes_is_refused_before_the_stop_and_the_operator_is_named(
    stage: Stage, copied: str, service: Any
) -> None:
    refused(stage, "counting", uid="other", audit="yes")
    refused(stage, "(?s)count.*audit", type="text")  # `audit` is gone, whose state no program shows
    assert exports(service) == 1


def test_the_state_in_the_copy_is_shown(stage: Stage, copied: str) -> None:
    shown = state_of(stage.open(), "served").operators
    assert {"count", "late"} <= {state.name for operator in shown for state in operator.states}


def test_what_a_job_is_suspended_with_is_copied_and_compared_and_it_starts_from_any_by_name(
    stage: Stage, copied: str
) -> None:
    stopped = stage.verb("stop").snapshot
    assert stopped
    assert stopped.location.rpartition("/")[2].startswith("SYSTEMSNAPSHOT")
    found = planned(stage, label="other")
    assert (found.fit, found.location) == (Fit.BLOCKED, stopped.location)
    assert stage.verb("start", source=copied.rpartition("/")[2]).outcome is ApplyOutcome.CONVERGED
    assert stage.job().restored_from == copied


def test_an_account_that_lost_them_is_told_before_anything_is_stopped(stage: Stage) -> None:
    make, before = Aws.call, stage.job().id

    def without(aws: Aws, service: str, operation: str, **request: Any) -> dict[str, Any]:
        if operation == "list_snapshots" and "SourceApplicationName" not in request:
            raise Answered("not available for your account", target="msf", word="UnsupportedOperationException")
        return make(aws, service, operation, **request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Aws, "call", without)
        with pytest.raises(TargetUnsuitable, match="no enhanced snapshots in this region") as caught:
            stage.apply(label="another", audit="yes")
    assert caught.value.place
    assert Path(str(caught.value.place.file)).name == "scurry.yaml"
    assert stage.job().id == before
