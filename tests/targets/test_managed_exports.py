"""Enhanced snapshots of the managed service: what is asked of it, in which order, and what is known again afterwards.

The service is made up: it keeps snapshots and what was done to them, and takes only what botocore's model allows.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from scurry.model.desired import Artifact, ArtifactKind, Desired
from scurry.model.errors import TargetUnavailable, TargetUnsuitable
from scurry.model.operation import Action, Step
from scurry.model.project import ManagedTarget
from scurry.model.reporting import SilentActivity
from scurry.model.snapshot import FromLatest, FromSnapshot, Snapshot, SnapshotKind, Stateless
from scurry.targets.managed.checking import Checking
from scurry.targets.managed.configuration import takes_enhanced
from scurry.targets.managed.ending import Ending
from scurry.targets.managed.exporting import Exporting
from scurry.targets.managed.faults import Answered
from scurry.targets.managed.marking import Mark
from scurry.targets.managed.service import Application, Service
from scurry.targets.managed.starting import Start, run_of_start
from scurry.targets.managed.waiting import Waiting
from tests.flink.conftest import Listening
from tests.targets.test_managed_calls import Hours

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ARN = "arn:aws:kinesisanalytics:us-east-1:123456789012:snapshot/"
MARK = Mark(job="1" * 32, application="orders", after="")
STEP = Step(action=Action.SNAPSHOT, mark="2" * 32, title="take a savepoint", inputs={"job_id": MARK.job})
NAME = f"scurry-{STEP.mark}"
PLACE = {"export": "s3://states/exported", "role": "arn:aws:iam::1:role/exports"}


class Killed(BaseException):
    """Ends the process, as far as the target is concerned."""


class MadeUp:
    """The service's snapshots, and no more of it."""

    def __init__(self) -> None:
        from botocore.session import Session

        self.calls: list[str] = []
        self.kept: dict[str, dict[str, Any]] = {}
        self.works: dict[str, list[dict[str, Any]]] = {}
        self.refused: dict[str, Exception] = {}
        self.dies_after: str | None = None
        self.export_ends = "SUCCESSFUL"
        self._model = Session().get_service_model("kinesisanalyticsv2")

    def client(self, service: str) -> str:
        return f"client of {service}"

    def pages(self, service: str, operation: str, member: str, **request: Any) -> Any:
        return iter(self.call(service, operation, **request)[member])

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        self.calls.append(operation)
        if error := self.refused.get(operation):
            raise error
        if service != "kinesisanalyticsv2":
            return {}
        self._validate(operation, request)
        answer: dict[str, Any] = getattr(self, f"_{operation}")(request)
        if operation == self.dies_after:
            self.dies_after = None
            raise Killed
        return answer

    def _validate(self, operation: str, request: dict[str, Any]) -> None:
        from botocore.validate import ParamValidator

        name = "".join(word.title() for word in operation.split("_"))
        report = ParamValidator().validate(request, self._model.operation_model(name).input_shape)
        assert not report.has_errors(), report.generate_report()

    def _work(self, name: str, operation: str, **more: Any) -> dict[str, Any]:
        found = self.works.setdefault(name, [])
        work = {"SnapshotOperationId": f"op{len(found)}", "SnapshotOperation": operation, "StartTime": NOW, **more}
        work.setdefault("SnapshotOperationStatus", "SUCCESSFUL")
        found.append(work)
        return work

    def _create_snapshot(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["SnapshotName"]
        assert name not in self.kept
        self.kept[name] = {
            "SnapshotName": name,
            "SnapshotArn": ARN + name,
            "SnapshotStatus": "READY",
            "SnapshotCreationTimestamp": NOW,
            "SnapshotInitiator": "USER",
            "SnapshotFormat": "CANONICAL",
            "SnapshotSizeInBytes": 7,
            "RuntimeEnvironment": "FLINK-1_20",
        }
        return self._work(name, "CreateSnapshot")

    def _describe_snapshot(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["SnapshotName"] not in self.kept:
            raise Answered("no", target="msf", word="ResourceNotFoundException")
        return {"SnapshotInfoDetails": self.kept[request["SnapshotName"]]}

    def _delete_snapshot(self, request: dict[str, Any]) -> dict[str, Any]:
        del self.kept[request["SnapshotName"]]
        return {}

    def _list_snapshots(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"SnapshotInfoList": list(self.kept.values())}

    def _list_application_snapshots(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"SnapshotSummaries": []}

    def _describe_application_snapshot(self, request: dict[str, Any]) -> dict[str, Any]:
        told = {"SnapshotName": request["SnapshotName"], "SnapshotStatus": "READY", "SnapshotCreationTimestamp": NOW}
        return {"SnapshotDetails": told}

    def _export_snapshot(self, request: dict[str, Any]) -> dict[str, Any]:
        place = request["ExportDestinationConfiguration"]["DestinationS3PrefixLocation"]
        failed = {"SnapshotOperationFailureDetails": {"ErrorInfo": {"ErrorCode": "Denied", "ErrorString": "not so"}}}
        work = self._work(
            request["SnapshotName"],
            "ExportSnapshot",
            SnapshotOperationStatus=self.export_ends,
            **(failed if self.export_ends == "FAILED" else {}),
        )
        location = {**place, "ExportedPrefix": f"{place['KeyPrefix']}{work['SnapshotOperationId']}"}
        work["SnapshotDestinationLocationDescription"] = {"LocationType": "S3", "S3PrefixLocation": location}
        return work

    def _list_snapshot_operations(self, request: dict[str, Any]) -> dict[str, Any]:
        found = self.works.get(request["SnapshotName"], [])
        return {
            "SnapshotOperationInfoList": [w for w in found if w["SnapshotOperation"] == request["SnapshotOperation"]]
        }

    def _describe_snapshot_operation(self, request: dict[str, Any]) -> dict[str, Any]:
        works = self.works[request["SnapshotName"]]
        (found,) = (work for work in works if work["SnapshotOperationId"] == request["SnapshotOperationId"])
        return {"SnapshotOperationInfoDetails": found}


class Stopping(MadeUp):
    """The same, with an application that is switched and stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.application = application(enhanced=False)
        self.begun: list[str] = ["StartApplication"]

    def _update_application(self, request: dict[str, Any]) -> dict[str, Any]:
        self.application = application(enhanced=True)
        self.begun.append("UpdateApplication")
        return {"OperationId": "op"}

    def _stop_application(self, request: dict[str, Any]) -> dict[str, Any]:
        self.application = application(enhanced=self.application.is_enhanced, ApplicationStatus="READY")
        self.begun.append("StopApplication")
        self._create_snapshot({"SnapshotName": "SYSTEMSNAPSHOT-1"})
        self.kept["SYSTEMSNAPSHOT-1"]["SnapshotInitiator"] = "SYSTEM"
        return {"OperationId": "op"}

    def _list_application_operations(self, request: dict[str, Any]) -> dict[str, Any]:
        entry = {"OperationId": "op", "OperationStatus": "SUCCESSFUL", "StartTime": NOW}
        return {"ApplicationOperationInfoList": [{**entry, "Operation": name} for name in reversed(self.begun)]}

    def _describe_application_operation(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"ApplicationOperationInfoDetails": {"OperationStatus": "SUCCESSFUL"}}


def application(*, enhanced: bool = True, runtime: str = "FLINK-1_20", **more: Any) -> Application:
    mode = {"SnapshotMode": "ENHANCED_SNAPSHOTS"} if enhanced else {}
    detail = {
        "ApplicationName": "orders",
        "ApplicationARN": "arn:x",
        "ApplicationStatus": "RUNNING",
        "ApplicationVersionId": 1,
        "CreateTimestamp": NOW - timedelta(hours=1),
        "RuntimeEnvironment": runtime,
        "ApplicationConfigurationDescription": {
            "ApplicationSnapshotConfigurationDescription": {"SnapshotsEnabled": True, **mode},
            "EnvironmentPropertyDescriptions": {"PropertyGroupDescriptions": [MARK.group()]},
        },
    }
    return Application({**detail, **more})


class Stage:
    """A target's parts, over a service that is made up."""

    def __init__(self, made_up: MadeUp | None = None, **settings: Any) -> None:
        self.aws = made_up or MadeUp()
        self.application = application()
        self.reporter = Listening()
        self.settings = ManagedTarget.model_validate({"kind": "managed", "role": "arn:aws:iam::1:role/r", **settings})
        aws: Any = self.aws
        service = Service(aws)
        waiting = Waiting(service=service, clock=Hours(), target="msf", poll=timedelta(seconds=1))
        self.exporting = Exporting(
            service=service, waiting=waiting, settings=self.settings, target="msf", reporter=self.reporter
        )
        self.ending = Ending(
            service=service,
            waiting=waiting,
            exporting=self.exporting,
            settings=self.settings,
            target="msf",
            of_job=lambda job: self.aws.application if isinstance(self.aws, Stopping) else self.application,
        )
        services: Any = SimpleNamespace(reporter=self.reporter)
        self.checking = Checking(
            service=service, settings=self.settings, services=services, target="msf", exporting=self.exporting
        )

    def take(self) -> Snapshot:
        context: Any = SimpleNamespace(desired=None, activity=SilentActivity())
        taken = self.ending.take(STEP, context).snapshot
        assert taken
        return taken

    def find(self) -> Snapshot | None:
        found = self.ending.taken(STEP, SilentActivity())
        return found.snapshot if found else None


def snapshot(location: str) -> Snapshot:
    return Snapshot(kind=SnapshotKind.MANAGED, location=location, taken_at=NOW)


# Taking and copying


def test_a_snapshot_is_taken_under_our_mark_copied_and_can_be_read() -> None:
    stage = Stage(snapshots=PLACE)
    taken = stage.take()
    assert (taken.location, taken.flink_version, taken.size_bytes) == (ARN + NAME, "1.20", 7)
    copy = stage.exporting.exported(taken)
    assert copy
    assert (copy.location, copy.s3) == ("s3://states/exported/op1", "client of s3")
    assert stage.find() == taken


@pytest.mark.parametrize("killing", ["create_snapshot", "export_snapshot"])
def test_killed_between_two_calls_it_is_found_again_and_nothing_is_done_twice(killing: str) -> None:
    stage = Stage(snapshots=PLACE)
    stage.aws.dies_after = killing
    with pytest.raises(Killed):
        stage.take()
    found = stage.find()
    assert (found is None) == (killing == "create_snapshot"), "its copy is to be begun yet"
    again = found or stage.take()
    assert stage.exporting.exported(again)
    assert [each for each in stage.aws.calls if not each.startswith(("describe", "list"))] == [
        "create_snapshot",
        "export_snapshot",
    ]


def test_a_copy_that_fails_is_a_warning_with_what_the_role_needs_and_the_snapshot_counts() -> None:
    stage = Stage(snapshots=PLACE)
    stage.aws.export_ends = "FAILED"
    taken = stage.take()
    assert stage.exporting.exported(taken) is None
    (told,) = stage.reporter.notes
    assert "Denied: not so" in told
    assert "arn:aws:s3:::states/exported/*" in told
    assert stage.find() == taken, "it is not tried for ever"


def test_a_service_that_does_not_answer_leaves_open_whether_there_is_a_copy() -> None:
    stage = Stage(snapshots=PLACE)
    stage.aws.refused["export_snapshot"] = TargetUnavailable("no", target="msf")
    with pytest.raises(TargetUnavailable):
        stage.take()
    stage.aws.refused.clear()
    assert stage.find() is None
    assert stage.exporting.exported(stage.take())


def test_without_the_block_nothing_is_copied_and_an_application_takes_those_of_its_own_kind() -> None:
    stage = Stage()
    assert stage.find() is None
    taken = stage.take()
    assert taken.location == ARN + NAME
    assert "export_snapshot" not in stage.aws.calls
    assert stage.exporting.exported(taken) is None
    calls = len(stage.aws.calls)
    assert stage.exporting.exported(snapshot("msf://orders/scurry-1")) is None
    assert len(stage.aws.calls) == calls, "of a legacy one that is known without asking"


def test_before_it_is_switched_a_snapshot_is_taken_as_ever_and_that_it_is_not_copied_is_told() -> None:
    stage = Stage(snapshots=PLACE)
    stage.application = application(enhanced=False)
    taken = stage.take()
    assert taken.location == f"msf://orders/{NAME}"
    assert not [call for call in stage.aws.calls if "export" in call]
    (told,) = stage.reporter.notes
    assert "its next upgrade switches it" in told
    assert stage.find() == taken


def test_one_of_another_region_is_not_ours_to_delete() -> None:
    stage = Stage()
    stage.take()
    stage.ending.dispose(ARN.replace("us-east-1", "eu-west-1") + NAME, activity=SilentActivity())
    assert stage.aws.kept
    stage.ending.dispose(ARN + NAME, activity=SilentActivity())
    assert not stage.aws.kept


def test_those_of_an_earlier_application_of_the_same_name_are_not_its_own() -> None:
    stage = Stage()
    stage.take()
    snapshots = stage.ending.service.snapshots
    assert len(snapshots.of(stage.application)) == 1
    assert snapshots.of(application(CreateTimestamp=NOW + timedelta(seconds=1))) == ()
    assert snapshots.of(application(enhanced=False)) == ()


# Switching


def stopped(stage: Stage, desired: object) -> Snapshot:
    step = Step(action=Action.STOP, mark="3" * 32, title="stop", inputs={"job_id": MARK.job})
    policy = SimpleNamespace(upgrade=SimpleNamespace(stop_timeout=timedelta(minutes=1)))
    context: Any = SimpleNamespace(desired=policy if desired else None, activity=SilentActivity())
    found = stage.ending.stop(step, context).snapshot
    assert found
    return found


def test_the_job_is_switched_before_the_stop_of_an_upgrade_and_once_whatever_it_is_killed_after() -> None:
    stage = Stage(Stopping(), snapshots=PLACE)
    stage.aws.dies_after = "update_application"
    with pytest.raises(Killed):
        stopped(stage, desired=True)
    assert stopped(stage, desired=True).location == f"{ARN}SYSTEMSNAPSHOT-1"
    assert [each for each in stage.aws.calls if not each.startswith(("describe", "list"))] == [
        "update_application",
        "stop_application",
    ]


def test_what_is_suspended_is_not_restarted_for_a_switch_and_a_copy_of_its_snapshot_is_begun() -> None:
    made_up = Stopping()
    made_up.application = application()
    stage = Stage(made_up, snapshots=PLACE)
    assert stage.exporting.exported(stopped(stage, desired=None))
    legacy = Stopping()
    legacy.dies_after = "stop_application"
    with pytest.raises(Killed):
        stopped(Stage(legacy, snapshots=PLACE), desired=None)
    assert "update_application" not in legacy.calls


# What the service is told


def test_an_application_starts_from_an_enhanced_snapshot_by_its_arn() -> None:
    def restoring(location: str) -> dict[str, Any]:
        start = Start(
            name="orders",
            mark="1" * 32,
            restore=FromSnapshot(snapshot=snapshot(location)),
            may_drop=False,
            wished=lambda mark: pytest.fail("not asked"),
            application="orders",
        )
        return dict(run_of_start(start)["ApplicationRestoreConfiguration"])

    custom = {"ApplicationRestoreType": "RESTORE_FROM_CUSTOM_SNAPSHOT"}
    assert restoring(ARN + "a") == custom | {"SnapshotArn": ARN + "a"}
    assert restoring("msf://orders/a") == custom | {"SnapshotName": "a"}


@pytest.mark.parametrize(
    ("found", "settings", "expected"),
    [
        (application(enhanced=False), {"snapshots": PLACE}, True),
        (application(enhanced=False, runtime="FLINK-2_2"), {"snapshots": PLACE}, True),
        (application(enhanced=False), {}, False),
        (application(enhanced=False), {"snapshots": PLACE, "owner": "terraform"}, False),
        (application(enhanced=False, runtime="FLINK-1_19"), {"snapshots": PLACE}, False),
        (application(), {"snapshots": PLACE}, False),
    ],
)
def test_an_application_is_switched_once_where_that_is_wanted_ours_to_do_and_possible(
    found: Application, settings: dict[str, Any], expected: bool
) -> None:
    read = ManagedTarget.model_validate({"kind": "managed", "role": "r", **settings})
    assert takes_enhanced(found, read) is expected


# What is told before anything is changed


def checked(stage: Stage, *, restore: Any = None, found: Application | None = None, version: str = "1.20.5") -> None:
    artifact = Artifact(kind=ArtifactKind.JAR, digest=f"sha256:{'a' * 64}", file_name="orders.jar", size_bytes=1)
    desired = Desired(application="orders", target="msf", flink_version=version, artifact=artifact)
    stage.checking.check_snapshots(desired, restore or Stateless(why="new"), "orders", found)


def test_an_account_without_enhanced_snapshots_is_told_to_leave_the_block_out() -> None:
    stage = Stage(snapshots=PLACE)
    word = "UnsupportedOperationException"
    stage.aws.refused["list_snapshots"] = Answered("not available", target="msf", word=word)
    with pytest.raises(TargetUnsuitable, match="no enhanced snapshots in this region") as caught:
        checked(stage)
    assert "Leave `snapshots` out" in (caught.value.hint or "")
    assert caught.value.about
    assert (caught.value.about.path, caught.value.about.in_project) == (("targets", "msf", "snapshots"), True)
    checked(Stage())  # without the block nobody asks


def test_flink_1_19_has_none() -> None:
    with pytest.raises(TargetUnsuitable, match=r"need Flink 1\.20 or newer, not 1\.19\.3") as caught:
        checked(Stage(snapshots=PLACE), version="1.19.3")
    assert caught.value.about
    assert caught.value.about.path == ("flink",)
    checked(Stage(), version="1.19.3")


@pytest.mark.parametrize(
    ("call", "word", "told", "hint"),
    [
        ("get_role", "NoSuchEntity", "no role 'arn:aws:iam::1:role/exports'", "s3:PutObject"),
        ("head_bucket", "404", "no bucket 'states'", "aws s3 mb s3://states"),
        ("head_bucket", "301", "in another region", "in theirs"),
    ],
)
def test_a_role_or_bucket_that_is_missing_is_named_with_what_it_needs(
    call: str, word: str, told: str, hint: str
) -> None:
    stage = Stage(snapshots=PLACE)
    stage.aws.refused[call] = Answered("no", target="msf", word=word)
    with pytest.raises(TargetUnsuitable, match=told) as caught:
        checked(stage)
    assert hint in (caught.value.hint or "")
    stage.aws.refused[call] = TargetUnsuitable("not allowed to ask", target="msf")
    checked(stage)


def test_an_application_starts_from_snapshots_of_its_own_kind_alone() -> None:
    stage = Stage()
    stage.take()
    enhanced, legacy = FromSnapshot(snapshot=snapshot(ARN + NAME)), FromSnapshot(snapshot=snapshot("msf://orders/a"))
    checked(stage, restore=enhanced, found=application())
    checked(stage, restore=legacy, found=application(enhanced=False))
    with pytest.raises(TargetUnsuitable, match="of before 'orders' was switched"):
        checked(stage, restore=legacy, found=application())
    with pytest.raises(TargetUnsuitable, match="does not take those"):
        checked(stage, restore=enhanced, found=application(enhanced=False))
    with_block = Stage(snapshots=PLACE)
    with_block.take()
    checked(with_block, restore=enhanced, found=application(enhanced=False))
    checked(with_block, restore=enhanced, found=None)
    checked(with_block, restore=FromLatest(), found=application(enhanced=False))


@pytest.mark.parametrize("place", ["states/exported", "s3://states", "s3://states/", f"s3://states/{'x' * 128}/"])
def test_a_place_for_copies_has_a_bucket_and_a_prefix(place: str) -> None:
    with pytest.raises(ValueError, match=r"is not a place in S3|longer than"):
        ManagedTarget.model_validate({"kind": "managed", "snapshots": {"export": place}})
