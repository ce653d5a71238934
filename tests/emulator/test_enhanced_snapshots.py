"""Enhanced snapshots, by boto3: what needs no job of them here, and the whole way of one on a real Flink at the end."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from scurry.emulator.endpoint import Emulator, Settings
from scurry.emulator.objects import Objects
from scurry.emulator.protocol import service_model
from scurry.flink.runtimes import Runtimes
from scurry.model.reporting import SilentReporter
from scurry.model.snapshot import SnapshotFormat
from scurry.savepoints.files import Storage, beside
from scurry.savepoints.handles import FileStream
from scurry.savepoints.snapshot import load_metadata, read_snapshot
from scurry.savepoints.storage import AnyStorage
from tests.emulator.clients import Clients, is_laid_over
from tests.emulator.exchange import BUCKET, SAVEPOINT, Snapshots, prepared
from tests.emulator.test_control_plane import raw, refused, strange
from tests.emulator.test_lifecycle import configuration, counted
from tests.flink.local_flink import until

ARN = "arn:aws:kinesisanalytics:us-east-1:123456789012:snapshot/"
ENHANCED = {"SnapshotsEnabled": True, "SnapshotMode": "ENHANCED_SNAPSHOTS"}
TO_ENHANCED = {"ApplicationSnapshotConfigurationUpdate": {f"{name}Update": value for name, value in ENHANCED.items()}}
KEY = "arn:aws:kms:us-east-1:123456789012:key/1"


@pytest.fixture(scope="module")
def snapshots(emulator: Emulator) -> Snapshots:
    return prepared(Clients(emulator.url))


@contextlib.contextmanager
def held(monkeypatch: pytest.MonkeyPatch, what: str) -> Iterator[None]:
    """Hold all transfers of a kind until the block ends."""
    gate, real = threading.Event(), getattr(Objects, what)

    def wait(*given: Any) -> Any:
        gate.wait(30)
        return real(*given)

    with monkeypatch.context() as patch:
        patch.setattr(Objects, what, wait)
        try:
            yield
        finally:
            gate.set()


def code_of(call: Callable[..., Any], **given: Any) -> str:
    """Make a call that is refused, and return the error's class."""
    with pytest.raises(ClientError) as error:
        call(**given)
    return refused(error)[0]


def test_what_is_imported_is_exported_byte_for_byte_and_told_of_when_it_is_deleted(
    snapshots: Snapshots, name: str
) -> None:
    given = {"KeyType": "CUSTOMER_MANAGED_KEY", "KeyId": KEY}
    begun = snapshots.begin_import(name, SnapshotDescription="of before", DestinationEncryptionConfiguration=given)
    assert (begun["SnapshotArn"], begun["SnapshotStatus"]) == (ARN + name, "CREATING")
    brought = snapshots.ended(name, begun["SnapshotOperationId"])
    assert (brought["SnapshotOperation"], brought["SnapshotOperationStatus"]) == ("ImportSnapshot", "SUCCESSFUL")
    assert brought["SnapshotSourceLocationDescription"]["S3PrefixLocation"] == snapshots.place("given")
    assert brought["SourceEncryptionConfigurationDescription"] == {"KeyType": "AWS_OWNED_KEY"}
    assert brought["EndTime"] >= brought["StartTime"]
    detail = snapshots.detail(name)
    assert (detail["SnapshotStatus"], detail["SnapshotFormat"]) == ("READY", "CANONICAL")
    assert detail["SnapshotSizeInBytes"] == sum(len(content) for content in SAVEPOINT.values())
    assert detail["SnapshotSourceDescription"] == {"S3PrefixLocation": snapshots.place("given")}
    assert (detail["SnapshotInitiator"], detail["SnapshotDescription"]) == ("USER", "of before")
    assert detail["SnapshotEncryptionConfigurationDescription"] == given
    assert "RuntimeEnvironment" not in detail

    out = snapshots.exported(name, DestinationEncryptionConfiguration=given)
    assert out["DestinationEncryptionConfigurationDescription"] == given
    place = out["SnapshotDestinationLocationDescription"]["S3PrefixLocation"]
    assert place["ExportedPrefix"] == f"out/{out['SnapshotOperationId']}"
    assert snapshots.objects(place["ExportedPrefix"]) == SAVEPOINT
    again = f"{name}-again"
    assert snapshots.imported(again, place["ExportedPrefix"])["SnapshotOperationStatus"] == "SUCCESSFUL"

    wrong = detail["SnapshotCreationTimestamp"].replace(year=2001)
    assert code_of(lambda: snapshots.service.delete_snapshot(SnapshotName=name, SnapshotCreationTimestamp=wrong)) == (
        "InvalidArgumentException"
    )
    gone = snapshots.ended(name, snapshots.begin_delete(name))
    assert (gone["SnapshotOperation"], gone["SnapshotOperationStatus"]) == ("DeleteSnapshot", "SUCCESSFUL")
    assert code_of(lambda: snapshots.detail(name)) == "ResourceNotFoundException"
    pages = snapshots.service.get_paginator("list_snapshot_operations").paginate(
        SnapshotName=name, PaginationConfig={"PageSize": 2}
    )
    done = [each["SnapshotOperation"] for page in pages for each in page["SnapshotOperationInfoList"]]
    assert done == ["DeleteSnapshot", "ExportSnapshot", "ImportSnapshot"]
    assert snapshots.imported(name)["SnapshotOperationStatus"] == "SUCCESSFUL", "its name is free again"


@pytest.mark.parametrize(
    ("source", "code", "told"),
    [
        ({"BucketARN": "arn:aws:s3:::nowhere", "KeyPrefix": "given"}, "BucketNotFound", "nowhere does not exist"),
        ({"BucketARN": f"arn:aws:s3:::{BUCKET}", "KeyPrefix": "giv"}, "SavepointNotFound", "no _metadata"),
        ({"BucketARN": f"arn:aws:s3:::{BUCKET}", "KeyPrefix": "junk/"}, "SavepointNotValid", "junk/_metadata"),
    ],
)
def test_what_is_no_savepoint_is_not_imported_and_keeps_its_name_until_it_is_deleted(
    snapshots: Snapshots, clients: Clients, name: str, source: dict[str, str], code: str, told: str
) -> None:
    clients.s3.put_object(Bucket=BUCKET, Key="junk/_metadata", Body=b"junk")
    failed = snapshots.imported(name, source={"SourceS3PrefixLocation": source})
    error = failed["SnapshotOperationFailureDetails"]["ErrorInfo"]
    assert (failed["SnapshotOperationStatus"], error["ErrorCode"]) == ("FAILED", code)
    assert told in error["ErrorString"]
    assert (snapshots.detail(name)["SnapshotStatus"], snapshots.detail(name)["SnapshotSizeInBytes"]) == ("FAILED", 0)
    assert code_of(lambda: snapshots.begin_import(name)) == "ResourceInUseException"
    assert code_of(lambda: snapshots.begin_export(name)) == "ResourceInUseException"
    assert snapshots.ended(name, snapshots.begin_delete(name))["SnapshotOperationStatus"] == "SUCCESSFUL"


def test_an_export_into_no_bucket_fails_and_leaves_the_snapshot_ready(snapshots: Snapshots, name: str) -> None:
    snapshots.imported(name)
    nowhere = {"BucketARN": "arn:aws:s3:::nowhere", "KeyPrefix": "out/"}
    failed = snapshots.exported(name, DestinationS3PrefixLocation=nowhere)
    assert failed["SnapshotOperationFailureDetails"]["ErrorInfo"]["ErrorCode"] == "BucketNotFound"
    assert failed["SnapshotDestinationLocationDescription"]["S3PrefixLocation"] == nowhere, "nothing was exported"
    assert snapshots.detail(name)["SnapshotStatus"] == "READY"


def test_lists_take_one_filter_come_in_pages_and_have_the_newest_first(snapshots: Snapshots, name: str) -> None:
    for number in range(3):
        snapshots.imported(f"{name}-{number}", "given" if number else "nothing")
    pages = snapshots.service.get_paginator("list_snapshots").paginate(PaginationConfig={"PageSize": 2})
    found = [each["SnapshotName"] for page in pages for each in page["SnapshotInfoList"]]
    assert found[:3] == [f"{name}-2", f"{name}-1", f"{name}-0"]
    assert len(found) == len(set(found))
    assert snapshots.names(SnapshotStatus="FAILED")[:1] == [f"{name}-0"]
    assert f"{name}-2" in snapshots.names(SnapshotInitiatorOperation="ImportSnapshot")
    assert f"{name}-2" in snapshots.names(SnapshotInitiator="USER")
    assert snapshots.names(SourceApplicationName="none") == []
    both = {"SnapshotStatus": "READY", "SnapshotInitiator": "USER"}
    assert code_of(lambda: snapshots.names(**both)) == "InvalidArgumentException"
    both = {"SnapshotOperation": "ImportSnapshot", "SnapshotOperationStatus": "FAILED"}
    operations = snapshots.service.list_snapshot_operations
    assert code_of(lambda: operations(SnapshotName=f"{name}-0", **both)) == "InvalidArgumentException"
    answer = operations(SnapshotName=f"{name}-0", SnapshotOperationStatus="FAILED")
    assert len(answer["SnapshotOperationInfoList"]) == 1
    assert operations(SnapshotName=f"{name}-0", SnapshotOperation="ExportSnapshot")["SnapshotOperationInfoList"] == []
    assert code_of(lambda: operations(SnapshotName="none")) == "ResourceNotFoundException"


def test_a_snapshot_has_tags_of_its_own(snapshots: Snapshots, name: str) -> None:
    service = snapshots.service
    arn = snapshots.begin_import(name, Tags=[{"Key": "team", "Value": "data"}])["SnapshotArn"]
    service.tag_resource(ResourceARN=arn, Tags=[{"Key": "old", "Value": ""}])
    service.untag_resource(ResourceARN=arn, TagKeys=["old"])
    assert service.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": "data"}]
    many = [{"Key": str(number), "Value": ""} for number in range(51)]
    assert code_of(lambda: snapshots.begin_import(f"{name}-2", Tags=many)) == "TooManyTagsException"
    assert code_of(lambda: service.list_tags_for_resource(ResourceARN=f"{ARN}none")) == "ResourceNotFoundException"


def test_names_roles_and_keys_that_may_not_be_are_refused_and_leave_nothing(snapshots: Snapshots, name: str) -> None:
    before = snapshots.names()
    no_role: dict[str, Any] = {"source": {"ImportRoleArn": f"{snapshots.role}-not"}}
    key_without_name: dict[str, Any] = {"DestinationEncryptionConfiguration": {"KeyType": "CUSTOMER_MANAGED_KEY"}}
    for call in (
        lambda: snapshots.begin_import("SYSTEMSNAPSHOT-1"),
        lambda: snapshots.begin_import("SystemSnapshotOfMine"),
        lambda: snapshots.begin_import(name, **no_role),
        lambda: snapshots.begin_import(name, **key_without_name),
        lambda: snapshots.service.create_snapshot(ApplicationName="none", SnapshotName=name),
    ):
        assert code_of(call) == "InvalidArgumentException"
    assert code_of(lambda: snapshots.begin_export("none")) == "ResourceNotFoundException"
    assert snapshots.names() == before


def test_the_mode_is_for_flink_1_20_and_later_and_no_update_takes_it_back(clients: Clients, name: str) -> None:
    assert code_of(lambda: clients.create(name, runtime="FLINK-1_19", ApplicationSnapshotConfiguration=ENHANCED)) == (
        "InvalidArgumentException"
    )
    clients.create(name, runtime="FLINK-1_19")
    both = {"ApplicationConfigurationUpdate": TO_ENHANCED, "RuntimeEnvironmentUpdate": "FLINK-1_20"}
    assert code_of(lambda: clients.update(name, **both)) == "InvalidArgumentException", "its runtime is still the old"
    clients.update(name, RuntimeEnvironmentUpdate="FLINK-1_20")
    assert code_of(clients.service.create_snapshot, ApplicationName=name, SnapshotName=name) == (
        "InvalidApplicationConfigurationException"
    )
    clients.update(name, ApplicationConfigurationUpdate=TO_ENHANCED)
    found = clients.detail(name)["ApplicationConfigurationDescription"]["ApplicationSnapshotConfigurationDescription"]
    assert found == ENHANCED
    legacy = {"SnapshotsEnabledUpdate": True, "SnapshotModeUpdate": "APPLICATION_SNAPSHOTS_LEGACY"}
    update = {"ApplicationSnapshotConfigurationUpdate": legacy}
    assert code_of(lambda: clients.update(name, ApplicationConfigurationUpdate=update)) == "InvalidArgumentException"
    assert code_of(clients.service.create_snapshot, ApplicationName=name, SnapshotName=name) == (
        "ResourceInUseException"
    )


@pytest.mark.parametrize("mode", ["ENHANCED_SNAPSHOTS", "APPLICATION_SNAPSHOTS_LEGACY"])
def test_a_start_names_one_snapshot_of_the_kind_that_the_mode_has(
    clients: Clients, snapshots: Snapshots, name: str, mode: str
) -> None:
    inline = {"CodeContentType": "ZIPFILE", "CodeContent": {"ZipFileContent": b"PK"}}
    given = {"SnapshotsEnabled": True, "SnapshotMode": mode}
    clients.create(name, ApplicationCodeConfiguration=inline, ApplicationSnapshotConfiguration=given)
    snapshots.imported(name)
    custom, latest = "RESTORE_FROM_CUSTOM_SNAPSHOT", "RESTORE_FROM_LATEST_SNAPSHOT"
    wrong: list[dict[str, str]] = [
        {"ApplicationRestoreType": custom},
        {"ApplicationRestoreType": custom, "SnapshotName": name, "SnapshotArn": ARN + name},
        {"ApplicationRestoreType": latest, "SnapshotArn": ARN + name},
        {"ApplicationRestoreType": custom, "SnapshotArn": f"{ARN}none"},
        {"ApplicationRestoreType": custom, "SnapshotArn": (ARN + name).replace("us-east-1", "eu-west-1")},
        {"ApplicationRestoreType": custom, "SnapshotName": name},
    ]
    if mode != "ENHANCED_SNAPSHOTS":
        wrong.append({"ApplicationRestoreType": custom, "SnapshotArn": ARN + name})
    for restore in wrong:
        run = {"ApplicationRestoreConfiguration": restore}
        found = code_of(clients.service.start_application, ApplicationName=name, RunConfiguration=run)
        assert found == "InvalidArgumentException"
    assert "RunConfigurationDescription" not in clients.detail(name)["ApplicationConfigurationDescription"]


def test_one_export_at_a_time_and_a_delete_waits_for_it(
    snapshots: Snapshots, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots.imported(name)
    with held(monkeypatch, "upload"):
        export = snapshots.begin_export(name)
        assert "SnapshotDestinationLocationDescription" not in snapshots.operation(name, export)
        assert code_of(lambda: snapshots.begin_export(name)) == "LimitExceededException"
        delete = snapshots.begin_delete(name)
        assert snapshots.detail(name)["SnapshotStatus"] == "DELETING"
        assert code_of(lambda: snapshots.begin_export(name)) == "ResourceInUseException"
        assert code_of(lambda: snapshots.begin_delete(name)) == "ResourceInUseException"
        assert snapshots.operation(name, delete)["SnapshotOperationStatus"] == "IN_PROGRESS"
    assert snapshots.ended(name, delete)["SnapshotOperationStatus"] == "SUCCESSFUL"
    assert snapshots.operation(name, export)["SnapshotOperationStatus"] == "SUCCESSFUL"
    assert snapshots.objects(f"out/{export}") == SAVEPOINT, "it was whole when the export ended"


def test_answers_of_enhanced_snapshots_are_the_models(clients: Clients, snapshots: Snapshots, name: str) -> None:
    snapshots.imported(name)
    export, failed = snapshots.exported(name), snapshots.imported(f"{name}-2", "nothing")
    requests: list[tuple[str, dict[str, Any]]] = [
        ("DescribeSnapshot", {"SnapshotName": name}),
        ("ListSnapshots", {}),
        ("ListSnapshotOperations", {"SnapshotName": name}),
        *(
            ("DescribeSnapshotOperation", {"SnapshotName": of, "SnapshotOperationId": each["SnapshotOperationId"]})
            for of, each in ((name, export), (f"{name}-2", failed))
        ),
        ("DeleteSnapshot", {"SnapshotName": name, "SnapshotCreationTimestamp": _seconds(snapshots.detail(name))}),
    ]
    for operation, request in requests:
        status, answer = raw(clients, operation, request)
        assert status == 200
        shape = service_model().operation_model(operation).output_shape
        assert list(strange(shape, answer, operation)) == []


def _seconds(detail: dict[str, Any]) -> int:
    return int(detail["SnapshotCreationTimestamp"].timestamp())


def test_what_a_killed_emulator_left_in_the_middle_is_failed_and_what_was_whole_is_there(
    name: str, snapshots: Snapshots, runtimes: Runtimes, tmp_path: Path
) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from scurry.emulator.endpoint import Emulator, Settings\n"
        "from scurry.emulator.objects import Objects\n"
        "from scurry.flink.runtimes import Runtimes, default_cache\n"
        "from scurry.model.reporting import SilentReporter\n"
        "upload = Objects.upload\n"
        "def slow(self, path, bucket, key):\n"
        "    upload(self, path, bucket, key)\n"
        "    time.sleep(600)\n"
        "fetch = Objects.fetch\n"
        "def late(self, bucket, key, path):\n"
        "    fetch(self, bucket, key, path)\n"
        "    time.sleep(600 if key.startswith('late/') else 0)\n"
        "Objects.upload, Objects.fetch = slow, late\n"
        "quiet = SilentReporter()\n"
        "runtimes = Runtimes(cache=default_cache(), reporter=quiet)\n"
        "emulator = Emulator(Settings(directory=Path(sys.argv[1])), runtimes, quiet)\n"
        "with emulator.serving():\n"
        "    print(emulator.url, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    state, gone, late = tmp_path / "state", f"{name}-gone", f"{name}-late"
    command = [sys.executable, "-c", code, str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        clients = Clients(process.stdout.readline().strip())
        first = prepared(clients)
        first.imported(name, Tags=[{"Key": "team", "Value": "data"}])
        first.imported(gone)
        export, other = first.begin_export(name), first.begin_export(gone)
        delete = first.begin_delete(gone)
        clients.s3.put_object(Bucket=BUCKET, Key="late/_metadata", Body=SAVEPOINT["_metadata"])
        bring_in = first.begin_import(late, "late")["SnapshotOperationId"]
        until(lambda: first.objects(f"out/{export}"), "a part of the export is written")
        assert "_metadata" not in first.objects(f"out/{export}"), "a part is not to be taken for the whole"
        process.kill()
    second = Emulator(Settings(directory=state, keeps_others=False), runtimes, SilentReporter())
    with second.serving():
        found = Snapshots(Clients(second.url), snapshots.role)  # S3 and IAM are one for all emulators of a process
        assert found.detail(name)["SnapshotStatus"] == "READY"
        assert found.service.list_tags_for_resource(ResourceARN=ARN + name)["Tags"]
        for of, number in ((name, export), (gone, other), (gone, delete), (late, bring_in)):
            failed = found.operation(of, number)
            assert failed["SnapshotOperationStatus"] == "FAILED"
            assert failed["SnapshotOperationFailureDetails"]["ErrorInfo"]["ErrorCode"] == "Interrupted"
        assert found.detail(gone)["SnapshotStatus"] == "FAILED", "its bytes may be gone"
        assert found.detail(late)["SnapshotStatus"] == "FAILED"
        assert len(list(state.glob("snapshots/*/*/*/_metadata"))) == 1, "nothing of what failed is left"
        again = found.exported(name)["SnapshotDestinationLocationDescription"]["S3PrefixLocation"]["ExportedPrefix"]
        assert found.objects(again) == SAVEPOINT
        assert found.ended(gone, found.begin_delete(gone))["SnapshotOperationStatus"] == "SUCCESSFUL"


@pytest.mark.flink
@pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none")
def test_the_mode_is_entered_by_an_update_and_left_by_a_rollback_with_the_state(
    name: str, clients: Clients, snapshots: Snapshots, jar: Path, counts: Path
) -> None:
    clients.create(name, **configuration(clients, jar, counts))
    clients.start(name)
    counted(counts, beyond=50)
    assert code_of(clients.service.create_snapshot, ApplicationName=name, SnapshotName=name) == (
        "InvalidApplicationConfigurationException"
    )
    version = clients.detail(name)["ApplicationVersionId"]
    answer = clients.service.update_application(
        ApplicationName=name, CurrentApplicationVersionId=version, ApplicationConfigurationUpdate=TO_ENHANCED
    )
    assert clients.ended(name, answer["OperationId"])["OperationStatus"] == "SUCCESSFUL"
    of_update = snapshots.system(name)
    assert [each["SnapshotStatus"] for each in of_update] == ["READY"]
    listed = snapshots.service.list_snapshot_operations(SnapshotName=of_update[0]["SnapshotName"])
    operation = snapshots.operation(
        of_update[0]["SnapshotName"], listed["SnapshotOperationInfoList"][0]["SnapshotOperationId"]
    )
    assert operation["ApplicationOperationDescription"] == {
        "ApplicationName": name,
        "ApplicationOperationId": answer["OperationId"],
    }
    assert code_of(clients.service.create_application_snapshot, ApplicationName=name, SnapshotName="x") == (
        "InvalidApplicationConfigurationException"
    )
    counted(counts, beyond=counted(counts)[-1])
    back = clients.service.rollback_application(ApplicationName=name, CurrentApplicationVersionId=2)
    assert clients.ended(name, back["OperationId"])["OperationStatus"] == "SUCCESSFUL"
    described = clients.detail(name)["ApplicationConfigurationDescription"]
    assert described["ApplicationSnapshotConfigurationDescription"] == {"SnapshotsEnabled": True}
    counted(counts, beyond=counted(counts)[-1])
    assert counted(counts).count(1) == 1, "the state went along both ways"
    clients.remove(name)
    assert snapshots.names(SourceApplicationName=name) == [of_update[0]["SnapshotName"]], "it is the account's"


@pytest.mark.flink
@pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none")
def test_a_snapshot_outlives_its_application_goes_through_s3_and_starts_another_one(
    name: str, clients: Clients, snapshots: Snapshots, jar: Path, counts: Path, emulator: Emulator
) -> None:
    given = {**configuration(clients, jar, counts, big="true"), "ApplicationSnapshotConfiguration": ENHANCED}
    created = clients.create(name, **given)
    clients.start(name)
    before = counted(counts, beyond=50)[-1]
    taken = clients.service.create_snapshot(
        ApplicationName=name, SnapshotName=name, SnapshotDescription="mine", Tags=[{"Key": "a", "Value": "1"}]
    )
    assert (taken["SnapshotArn"], taken["SnapshotStatus"]) == (ARN + name, "CREATING")
    done = snapshots.ended(name, taken["SnapshotOperationId"])
    assert (done["SnapshotOperation"], done["SnapshotOperationStatus"]) == ("CreateSnapshot", "SUCCESSFUL")
    after = counted(counts)[-1]
    _is_told_of(snapshots.detail(name), created)
    _is_self_contained(emulator.lifecycle.enhanced.known(name).location or "", AnyStorage())

    stopped = clients.service.stop_application(ApplicationName=name)["OperationId"]
    assert clients.ended(name, stopped)["OperationStatus"] == "SUCCESSFUL"
    system = snapshots.system(name)[0]["SnapshotName"]
    assert system.startswith("SYSTEMSNAPSHOT")
    assert snapshots.names(SourceApplicationName=name) == [system, name]
    assert snapshots.names(SnapshotInitiatorOperation="SystemCreateSnapshot")[0] == system
    assert clients.service.list_application_snapshots(ApplicationName=name)["SnapshotSummaries"] == []
    last = counted(counts)[-1]
    clients.start(name)
    found = counted(counts, beyond=last)
    assert found == sorted(found), "it went on from the newest, which is the service's own"
    _one_at_a_time_and_failed_when_its_application_is_deleted(clients, snapshots, name, emulator)

    export = snapshots.exported(name)
    prefix = export["SnapshotDestinationLocationDescription"]["S3PrefixLocation"]["ExportedPrefix"]
    options = {
        "s3.endpoint": clients.url,
        "s3.access-key": "test",
        "s3.secret-key": "test",
        "s3.path.style.access": "true",
    }
    _is_self_contained(f"s3://{BUCKET}/{prefix}", AnyStorage(options))
    snapshots.ended(name, snapshots.begin_delete(name))
    brought = f"{name}-brought"
    assert snapshots.imported(brought, prefix)["SnapshotOperationStatus"] == "SUCCESSFUL"
    assert clients.service.list_tags_for_resource(ResourceARN=ARN + brought)["Tags"] == []

    counts.unlink()
    other = f"{name}-other"
    clients.create(other, **given)
    restore = {"ApplicationRestoreType": "RESTORE_FROM_CUSTOM_SNAPSHOT", "SnapshotArn": ARN + brought}
    assert clients.start(other, ApplicationRestoreConfiguration=restore)["OperationStatus"] == "SUCCESSFUL"
    assert before <= counted(counts)[0] <= after + 40, "it went on from the other one's state"
    run = clients.detail(other)["ApplicationConfigurationDescription"]["RunConfigurationDescription"]
    assert run["ApplicationRestoreConfigurationDescription"] == restore
    snapshots.ended(brought, snapshots.begin_delete(brought))
    clients.remove(other)


def _is_told_of(detail: dict[str, Any], application: dict[str, Any]) -> None:
    assert (detail["SnapshotStatus"], detail["RuntimeEnvironment"]) == ("READY", "FLINK-1_20")
    assert detail["SnapshotSizeInBytes"] > 1000
    assert detail["SnapshotSourceDescription"]["SourceApplicationDescription"] == {
        "ApplicationName": application["ApplicationName"],
        "ApplicationCreationTimestamp": application["CreateTimestamp"],
        "ApplicationVersionId": 1,
    }


def _is_self_contained(location: str, storage: Storage) -> None:
    state = read_snapshot(location, storage)
    assert (state.is_savepoint, state.format) == (True, SnapshotFormat.CANONICAL)
    assert "count" in {each.name for operator in state.operators for each in operator.states}, "it can be read"
    subtasks = [each for entry in load_metadata(location, storage).operators for each in entry.subtasks or ()]
    files = [stream for each in subtasks for stream in each.streams() if isinstance(stream, FileStream)]
    assert [(file.relative, storage.size(beside(location, file.path))) for file in files] == [(True, files[0].size)]


def _one_at_a_time_and_failed_when_its_application_is_deleted(
    clients: Clients, snapshots: Snapshots, name: str, emulator: Emulator
) -> None:
    """While a TaskManager does nothing, a savepoint is not done."""
    place, late = str(emulator.lifecycle.records.place(name)), f"{name}-late"
    processes = [(each, " ".join(each.info["cmdline"] or ())) for each in psutil.process_iter(["cmdline"])]
    workers = [each for each, line in processes if place in line and "TaskManagerRunner" in line]
    assert workers
    for worker in workers:
        worker.send_signal(signal.SIGSTOP)
    try:
        begun = clients.service.create_snapshot(ApplicationName=name, SnapshotName=late)["SnapshotOperationId"]
        assert code_of(lambda: clients.service.create_snapshot(ApplicationName=name, SnapshotName=f"{late}-2")) == (
            "LimitExceededException"
        )
        assert code_of(lambda: snapshots.begin_delete(late)) == "ResourceInUseException"
        created = clients.detail(name)["CreateTimestamp"]
        clients.service.delete_application(ApplicationName=name, CreateTimestamp=created)
    finally:
        for worker in workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()  # stopped as it is, it would not end when it is told to
    failed = snapshots.ended(late, begun)
    assert failed["SnapshotOperationStatus"] == "FAILED"
    assert failed["SnapshotOperationFailureDetails"]["ErrorInfo"]["ErrorString"]
    assert snapshots.detail(late)["SnapshotStatus"] == "FAILED"
    until(lambda: name not in clients.names(), f"{name} is gone")
