"""What the service does by itself: autoscaling by its rule, and maintenance; and the quotas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import urllib3
from botocore.exceptions import ClientError

from scurry.emulator import configuration as configurations
from scurry.emulator.endpoint import Emulator, Settings
from scurry.emulator.lifecycle import Limits
from scurry.emulator.metrics_tasks import Point
from scurry.emulator.records import Application, Version
from scurry.emulator.scaling import Autoscaler, Rule
from scurry.flink.runtimes import Runtimes
from scurry.model.reporting import SilentReporter
from tests.emulator.clients import Clients, is_laid_over
from tests.emulator.test_lifecycle import configuration, counted, error_of


def control(clients: Clients, call: str) -> tuple[int, dict[str, Any]]:
    answer = urllib3.request("POST", f"{clients.url}/_emulator/applications/{call}")
    return answer.status, json.loads(answer.data)


@pytest.mark.flink
@pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none")
def test_autoscaling_and_maintenance_take_the_state_along(name: str, clients: Clients, jar: Path, counts: Path) -> None:
    clients.create(name, **configuration(clients, jar, counts))
    assert control(clients, f"{name}/maintenance")[1]["__type"] == "ResourceInUseException", "it does not run"
    clients.start(name)
    before = counted(counts, beyond=50)[-1]
    status, refused = control(clients, f"{name}/autoscaling?parallelism=5")
    assert (status, refused["__type"]) == (400, "LimitExceededException")

    _, begun = control(clients, f"{name}/autoscaling?parallelism=2")
    assert clients.status(name) == "AUTOSCALING"
    with pytest.raises(ClientError, match="ResourceInUseException"):
        clients.service.stop_application(ApplicationName=name)
    assert clients.ended(name, begun["OperationId"])["OperationStatus"] == "SUCCESSFUL"
    detail = clients.detail(name)
    flink = detail["ApplicationConfigurationDescription"]["FlinkApplicationConfigurationDescription"]
    block = flink["ParallelismConfigurationDescription"]
    assert (block["Parallelism"], block["CurrentParallelism"]) == (1, 2)
    assert (detail["ApplicationStatus"], detail["ApplicationVersionId"]) == ("RUNNING", 1)
    between = counted(counts, beyond=before + 100)[-1]

    _, begun = control(clients, f"{name}/maintenance")
    assert clients.status(name) == "MAINTENANCE"
    assert clients.ended(name, begun["OperationId"])["OperationStatus"] == "SUCCESSFUL"
    found = counted(counts, beyond=between + 100)
    assert found == sorted(found), "it never began anew"
    operations = clients.service.list_application_operations(ApplicationName=name)["ApplicationOperationInfoList"]
    assert [each["Operation"] for each in operations] == ["Maintenance", "AutoScaling", "StartApplication"]
    clients.remove(name)


def test_only_load_that_lasts_scales_and_never_below_what_is_configured(name: str) -> None:
    wanted: list[int] = []

    def rescale(application: Application, parallelism: int) -> None:
        wanted.append(parallelism)
        application.parallelism = parallelism

    application = _application(name)
    autoscaler = Autoscaler(rule=Rule(up_s=60, down_s=600), most_kpus=6, rescale=rescale)

    def load(percent: float, *, at: float) -> None:
        point = Point(name="containerCPUUtilization", value=percent, unit="Percent", dimensions={})
        autoscaler.note(application, [point], now=at)

    load(80, at=0)
    load(50, at=30)
    load(80, at=40)
    load(90, at=99)
    assert wanted == [], "not for a minute on end"
    load(75, at=100)
    assert wanted == [4]
    for at in (101, 161, 221):
        load(100, at=at)
    assert wanted == [4, 6], "up to the quota"
    for at in (300, 900, 1500, 2100):
        load(5, at=at)
    assert wanted == [4, 6, 3, 2], "down to the Parallelism that is configured"


def _application(name: str) -> Application:
    custom = {"ConfigurationType": "CUSTOM", "Parallelism": 2, "ParallelismPerKPU": 1, "AutoScalingEnabled": True}
    described = configurations.created({"FlinkApplicationConfiguration": {"ParallelismConfiguration": custom}})
    version = Version(id=1, runtime="FLINK-1_20", role="", configuration=described, created=0)
    return Application(name=name, arn="", created=0, updated=0, versions=[version])


def test_quotas_are_refused_by_their_class(runtimes: Runtimes, tmp_path: Path, name: str) -> None:
    limits = Limits(applications=1, code_bytes=1 << 20)
    served = Emulator(Settings(directory=tmp_path / "state", limits=limits), runtimes, SilentReporter())
    with served.serving():
        clients = Clients(served.url)
        big = tmp_path / "big.jar"
        big.write_bytes(bytes((1 << 20) + 1))
        clients.create(name, ApplicationCodeConfiguration=clients.upload(big, "big.jar"))
        with pytest.raises(ClientError, match="LimitExceededException"):
            clients.create(f"{name}-2")
        assert error_of(clients.start(name)) == "The code is larger than 1 MiB"
        assert clients.status(name) == "READY"
