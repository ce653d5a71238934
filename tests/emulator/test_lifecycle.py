"""Applications that run: start, snapshot, update, stop, restore, failures and rollbacks, on a real Flink, by boto3."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from scurry.emulator.endpoint import Emulator, Settings
from scurry.flink.cluster import LocalClusters
from scurry.flink.runtimes import Runtimes
from scurry.model.reporting import SilentReporter
from tests.emulator.clients import Clients, custom_flink, is_laid_over, properties
from tests.flink.local_flink import until

pytestmark = [
    pytest.mark.flink,
    pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none"),
]

RESTORED = "RESTORE_FROM_CUSTOM_SNAPSHOT"


def configuration(clients: Clients, jar: Path, counts: Path, **values: str) -> dict[str, Any]:
    return {
        "ApplicationCodeConfiguration": clients.upload(jar),
        "EnvironmentProperties": properties(counts=str(counts), **values),
        "FlinkApplicationConfiguration": custom_flink(interval_ms=500),
    }


def counted(counts: Path, *, beyond: int = 0) -> list[int]:
    """Wait for a count that is greater, and return all of them."""

    def found() -> list[int]:
        return [int(line) for line in counts.read_text().split()] if counts.exists() else []

    until(lambda: [count for count in found()[-1:] if count > beyond], f"a count beyond {beyond}")
    return found()


def change(counts: Path, **values: str) -> dict[str, Any]:
    update = {"PropertyGroups": properties(counts=str(counts), **values)["PropertyGroups"]}
    return {"ApplicationConfigurationUpdate": {"EnvironmentPropertyUpdates": update}}


def error_of(operation: dict[str, Any]) -> str:
    return str(operation["OperationFailureDetails"]["ErrorInfo"]["ErrorString"])


def test_state_goes_along_through_snapshot_update_stop_and_restore(
    name: str, clients: Clients, jar: Path, counts: Path, emulator: Emulator
) -> None:
    clients.create(name, **configuration(clients, jar, counts))
    assert "RunConfigurationDescription" not in clients.detail(name)["ApplicationConfigurationDescription"]
    assert clients.start(name)["OperationStatus"] == "SUCCESSFUL"
    assert clients.status(name) == "RUNNING"
    run = clients.detail(name)["ApplicationConfigurationDescription"]["RunConfigurationDescription"]
    assert run["ApplicationRestoreConfigurationDescription"] == {
        "ApplicationRestoreType": "RESTORE_FROM_LATEST_SNAPSHOT"
    }
    before = counted(counts, beyond=50)[-1]
    assert clients.snapshot(name, "first")["SnapshotStatus"] == "READY"
    at_snapshot = counted(counts)[-1]

    updated = clients.update(name, **change(counts, colour="blue"))
    assert updated["OperationStatus"] == "SUCCESSFUL"
    assert updated["ApplicationVersionChangeDetails"] == {
        "ApplicationVersionUpdatedFrom": 1,
        "ApplicationVersionUpdatedTo": 2,
    }
    found = counted(counts, beyond=at_snapshot + 100)
    assert found == sorted(found), "it never began anew"

    assert clients.stop(name)["OperationStatus"] == "SUCCESSFUL"
    assert clients.status(name) == "READY"
    snapshots = clients.service.list_application_snapshots(ApplicationName=name)["SnapshotSummaries"]
    assert [(each["ApplicationVersionId"], each["SnapshotStatus"]) for each in snapshots] == [
        (2, "READY"),
        (1, "READY"),
        (1, "READY"),
    ]
    last = counted(counts)[-1]
    clients.start(name)
    assert counted(counts, beyond=last)[-1] > last
    clients.stop(name, force=True)

    counts.unlink()
    restore = {"ApplicationRestoreType": RESTORED, "SnapshotName": "first"}
    clients.start(name, ApplicationRestoreConfiguration=restore)
    assert before <= counted(counts)[0] <= at_snapshot + 40, "it went on from that snapshot"
    clients.stop(name, force=True)
    counts.unlink()
    clients.start(name, ApplicationRestoreConfiguration={"ApplicationRestoreType": "SKIP_RESTORE_FROM_SNAPSHOT"})
    assert counted(counts)[0] == 1
    url = clients.service.create_application_presigned_url(ApplicationName=name, UrlType="FLINK_DASHBOARD_URL")
    assert url["AuthorizedUrl"].startswith("http://127.0.0.1:")
    clients.remove(name)
    assert not list(emulator.lifecycle.records.place(name).glob("*"))


def processes(emulator: Emulator, name: str) -> set[int]:
    """The pids of an application's Flink."""
    flink = LocalClusters(emulator.lifecycle.records.place(name) / "flink", SilentReporter())
    return {process.id.pid for cluster in flink.running() for process in cluster.processes}


def test_flink_stays_over_updates_and_stops_that_need_no_other_and_sees_new_properties(
    name: str, clients: Clients, jar: Path, counts: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients.create(name, **configuration(clients, jar, counts))
    clients.start(name)
    counted(counts)
    first = processes(emulator, name)
    assert len(first) == 2, "a JobManager, a TaskManager"
    elsewhere = counts.with_name("elsewhere.txt")
    assert clients.update(name, **change(elsewhere))["OperationStatus"] == "SUCCESSFUL"
    assert counted(elsewhere)[0] > counted(counts)[-1] - 1, "it went on, and writes to where the new version says"
    clients.stop(name)
    clients.start(name)
    assert processes(emulator, name) == first
    with emulator.lifecycle.running()[0][1].rest() as rest:
        assert not rest.jars(), "what was uploaded is not kept"

    sizes = {"ConfigurationTypeUpdate": "CUSTOM", "ParallelismUpdate": 2, "ParallelismPerKPUUpdate": 1}
    flink = {"FlinkApplicationConfigurationUpdate": {"ParallelismConfigurationUpdate": sizes}}
    assert clients.update(name, ApplicationConfigurationUpdate=flink)["OperationStatus"] == "SUCCESSFUL"
    larger = processes(emulator, name)
    assert len(larger) == 3, "another TaskManager for the other KPU"
    assert not larger & first

    clients.stop(name)
    for pid in larger:
        psutil.Process(pid).kill()
    assert clients.start(name)["OperationStatus"] == "SUCCESSFUL", "what died while it stood by is replaced"
    again = processes(emulator, name)
    assert len(again) == 3
    monkeypatch.setattr("scurry.emulator.lifecycle._STANDBY_S", 0.5)
    clients.stop(name)
    until(lambda: not any(map(psutil.pid_exists, again)), "nobody started it again, and its processes end")
    clients.remove(name)


def test_a_main_that_fails_leaves_the_application_ready_with_the_reason(
    name: str, clients: Clients, jar: Path, counts: Path
) -> None:
    clients.create(name, **configuration(clients, jar, counts, fail="main"))
    started = clients.start(name)
    assert started["OperationStatus"] == "FAILED"
    assert "told to fail in main" in error_of(started)
    assert clients.status(name) == "READY"
    assert clients.update(name, **change(counts))["OperationStatus"] == "SUCCESSFUL"
    assert clients.start(name)["OperationStatus"] == "SUCCESSFUL"

    failed = clients.update(name, **change(counts, fail="main"))
    assert failed["OperationStatus"] == "FAILED"
    assert clients.status(name) == "READY"
    clients.remove(name)


def test_a_restart_loop_runs_and_refuses_what_needs_a_snapshot(
    name: str, clients: Clients, jar: Path, counts: Path
) -> None:
    clients.create(name, **configuration(clients, jar, counts, fail="record"))
    assert clients.start(name)["OperationStatus"] == "SUCCESSFUL"
    assert clients.status(name) == "RUNNING"
    refused: list[ClientError] = []

    def is_refused() -> bool:
        try:
            clients.service.create_application_snapshot(ApplicationName=name, SnapshotName=f"s{time.time():.3f}")
        except ClientError as error:
            refused[:] = [error]
            return bool(error.response["Error"]["Code"] != "LimitExceededException")
        return False

    until(is_refused, "a snapshot is refused")
    told = refused[0].response["Error"]
    assert told["Code"] == "InvalidApplicationConfigurationException"
    assert "The application is currently experiencing downtime" in told["Message"]
    disabled = {"ApplicationSnapshotConfigurationUpdate": {"SnapshotsEnabledUpdate": False}}
    update = change(counts)
    update["ApplicationConfigurationUpdate"] |= disabled
    assert clients.update(name, **update)["OperationStatus"] == "SUCCESSFUL"
    assert counted(counts)
    clients.remove(name)


def test_a_failed_update_is_undone_by_the_service_where_that_is_switched_on(
    name: str, clients: Clients, jar: Path, counts: Path
) -> None:
    clients.create(
        name,
        **configuration(clients, jar, counts),
        ApplicationSystemRollbackConfiguration={"RollbackEnabled": True},
    )
    clients.start(name)
    before = counted(counts, beyond=50)[-1]
    failed = clients.update(name, **change(counts, fail="main"))
    assert failed["OperationStatus"] == "FAILED"
    undone = clients.ended(name, failed["OperationFailureDetails"]["RollbackOperationId"])
    assert (undone["Operation"], undone["OperationStatus"]) == ("RollbackApplication", "SUCCESSFUL")
    assert clients.status(name) == "RUNNING"
    detail = clients.detail(name)
    assert (detail["ApplicationVersionRolledBackFrom"], detail["ApplicationVersionRolledBackTo"]) == (2, 1)
    found = counted(counts, beyond=before + 40)
    assert found == sorted(found)
    clients.remove(name)


def test_a_rollback_returns_to_the_version_that_ran_before_with_its_state(
    name: str, clients: Clients, jar: Path, counts: Path
) -> None:
    clients.create(name, **configuration(clients, jar, counts))
    clients.start(name)
    with pytest.raises(ClientError, match="no previous running version"):
        clients.service.rollback_application(ApplicationName=name, CurrentApplicationVersionId=1)
    counted(counts, beyond=50)
    clients.update(name, **change(counts, colour="red"))
    counted(counts, beyond=counted(counts)[-1])
    answer = clients.service.rollback_application(ApplicationName=name, CurrentApplicationVersionId=2)
    assert clients.ended(name, answer["OperationId"])["OperationStatus"] == "SUCCESSFUL"
    groups = clients.detail(name)["ApplicationConfigurationDescription"]["EnvironmentPropertyDescriptions"]
    assert "colour" not in groups["PropertyGroupDescriptions"][0]["PropertyMap"]
    assert clients.status(name) == "RUNNING"
    clients.remove(name)


def test_state_of_another_program_is_refused_unless_it_may_be_dropped(
    name: str, clients: Clients, jar: Path, counts: Path
) -> None:
    clients.create(name, **configuration(clients, jar, counts))
    clients.start(name)
    counted(counts, beyond=50)
    clients.stop(name)
    clients.update(name, **change(counts, uid="other"))
    refused = clients.start(name)
    assert refused["OperationStatus"] == "FAILED"
    assert clients.status(name) == "READY"
    counts.unlink()
    assert clients.start(name, FlinkRunConfiguration={"AllowNonRestoredState": True})["OperationStatus"] == (
        "SUCCESSFUL"
    )
    assert counted(counts)[0] == 1
    clients.remove(name)


def test_a_bounded_job_that_ends_makes_the_application_ready(
    name: str, clients: Clients, jar: Path, counts: Path
) -> None:
    clients.create(name, **configuration(clients, jar, counts, bounded="true"))
    clients.start(name)
    until(lambda: clients.status(name) == "READY", "the application is READY")
    clients.remove(name)


def test_a_forced_stop_of_a_start_leaves_no_flink_behind(
    name: str, clients: Clients, jar: Path, counts: Path, emulator: Emulator
) -> None:
    clients.create(name, **configuration(clients, jar, counts))
    started = clients.service.start_application(ApplicationName=name, RunConfiguration={})["OperationId"]
    place = emulator.lifecycle.records.place(name)
    assert _flinks(place)
    assert clients.stop(name, force=True)["OperationStatus"] == "SUCCESSFUL"
    assert clients.status(name) == "READY"
    assert clients.ended(name, started)["OperationStatus"] == "CANCELLED"
    left = [" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"])]
    assert [line for line in left if str(place) in line] == []
    assert clients.start(name)["OperationStatus"] == "SUCCESSFUL"
    assert counted(counts)[0] == 1
    clients.remove(name)


def test_what_ran_runs_again_when_the_emulator_is_started_anew(
    name: str, runtimes: Runtimes, jar: Path, counts: Path, tmp_path: Path
) -> None:
    settings = Settings(directory=tmp_path / "state")
    first = Emulator(settings, runtimes, SilentReporter())
    with first.serving():
        clients = Clients(first.url)
        clients.create(name, **configuration(clients, jar, counts))
        clients.start(name)
        counted(counts, beyond=200)
        until(lambda: list(settings.directory.glob("**/chk-*/_metadata")), "there is a checkpoint to go on from")
    before = counted(counts)[-1]
    second = Emulator(settings, runtimes, SilentReporter())
    with second.serving():
        Clients(second.url).upload(jar)
        found = counted(counts, beyond=before + 100)
        assert found.count(1) == 1, "it went on from its newest checkpoint"
        assert Clients(second.url).status(name) == "RUNNING"
        Clients(second.url).remove(name)


def test_an_emulator_that_is_killed_leaves_nothing_half_done(
    name: str, runtimes: Runtimes, jar: Path, counts: Path, tmp_path: Path
) -> None:
    """Killed while a start is in hand: the next one finds Flink's processes, stops them, and the application READY."""
    state = tmp_path / "state"
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from scurry.emulator.endpoint import Emulator, Settings\n"
        "from scurry.flink.runtimes import Runtimes, default_cache\n"
        "from scurry.model.reporting import SilentReporter\n"
        "quiet = SilentReporter()\n"
        "runtimes = Runtimes(cache=default_cache(), reporter=quiet)\n"
        "emulator = Emulator(Settings(directory=Path(sys.argv[1])), runtimes, quiet)\n"
        "with emulator.serving():\n"
        "    print(emulator.url, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        clients = Clients(process.stdout.readline().strip())
        clients.create(name, **configuration(clients, jar, counts))
        clients.service.start_application(ApplicationName=name, RunConfiguration={})
        left = _flinks(state)
        assert left
        process.kill()
    second = Emulator(Settings(directory=state), runtimes, SilentReporter())
    with second.serving():
        clients = Clients(second.url)
        assert clients.status(name) == "READY"
        operations = clients.service.list_application_operations(ApplicationName=name)
        assert [each["OperationStatus"] for each in operations["ApplicationOperationInfoList"]] == ["FAILED"]
        until(lambda: not any(process.is_running() for process in left), "what was left is ended")


def _flinks(state: Path) -> list[psutil.Process]:
    """Wait until there are processes of a Flink of that state, and return them."""

    def found() -> list[psutil.Process]:
        processes = [(each, " ".join(each.info["cmdline"] or ())) for each in psutil.process_iter(["cmdline"])]
        return [each for each, line in processes if str(state) in line and "org.apache.flink" in line]

    until(found, "a Flink is started")
    return found()
