"""CloudWatch metrics of the service's names, by boto3 as everybody has it, from a real Flink."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.clients import Clients, is_laid_over
from tests.emulator.test_lifecycle import change, configuration, counted
from tests.flink.local_flink import until

pytestmark = [
    pytest.mark.flink,
    pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none"),
]

NAMESPACE = "AWS/KinesisAnalytics"


def of(name: str, **more: str) -> list[dict[str, str]]:
    return [{"Name": key, "Value": value} for key, value in {"Application": name, **more}.items()]


def newest(clients: Clients, metric: str, dimensions: list[dict[str, str]]) -> float | None:
    """The greatest value of a metric in the newest minute that has one, as `get_metric_data` tells it."""
    now = datetime.now(UTC)
    stat = {
        "Metric": {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": dimensions},
        "Period": 60,
        "Stat": "Maximum",
    }
    found = clients.cloudwatch.get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": stat}],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
    )["MetricDataResults"][0]["Values"]
    return float(found[0]) if found else None


def rises(clients: Clients, name: str, metric: str, beyond: float = 0) -> bool:
    found = newest(clients, metric, of(name))
    return found is not None and found > beyond


def listed(clients: Clients, name: str) -> list[dict[str, Any]]:
    pages = clients.cloudwatch.get_paginator("list_metrics").paginate(Namespace=NAMESPACE, Dimensions=of(name))
    return [metric for page in pages for metric in page["Metrics"]]


def tasks(clients: Clients, name: str) -> set[str]:
    dimensions = [each for metric in listed(clients, name) for each in metric["Dimensions"]]
    return {each["Value"] for each in dimensions if each["Name"] == "Task"}


def levels(told: list[dict[str, Any]]) -> set[frozenset[str]]:
    return {frozenset(each["Name"] for each in metric["Dimensions"]) for metric in told}


def window_of(told: list[dict[str, Any]]) -> dict[str, str]:
    """Return the dimensions of the operator that drops records, and of the task that it is in."""
    for metric in told:
        found = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
        if metric["MetricName"] == "numLateRecordsDropped" and set(found) == {"Application", "Task", "Operator"}:
            return {name: found[name] for name in ("Task", "Operator")}
    raise AssertionError(told)


def test_metrics_of_a_running_application_are_those_of_its_flink(
    name: str, clients: Clients, jar: Path, counts: Path
) -> None:
    given = configuration(clients, jar, counts, window="true")
    given["FlinkApplicationConfiguration"]["MonitoringConfiguration"] = {
        "ConfigurationType": "CUSTOM",
        "MetricsLevel": "PARALLELISM",
        "LogLevel": "INFO",
    }
    clients.create(name, **given)
    assert listed(clients, name) == []
    assert clients.start(name)["OperationStatus"] == "SUCCESSFUL"
    for metric in ("lastCheckpointSize", "lastCheckpointDuration", "uptime", "numRecordsIn", "cpuUtilization"):
        until(partial(rises, clients, name, metric), f"{metric} is told")
    assert newest(clients, "KPUs", of(name)) == 2, "its own, and that of the orchestration"
    assert [newest(clients, metric, of(name)) for metric in ("fullRestarts", "downtime")] == [0, 0]
    assert newest(clients, "numberOfFailedCheckpoints", of(name)) is not None
    heap = newest(clients, "heapMemoryUtilization", of(name))
    assert heap is not None
    assert 0 < heap <= 100

    until(lambda: any("Source" in task for task in tasks(clients, name)), "each task is told of")
    told = listed(clients, name)
    assert levels(told) == {
        frozenset({"Application"}),
        frozenset({"Application", "Task"}),
        frozenset({"Application", "Task", "Operator"}),
        frozenset({"Application", "Task", "Parallelism"}),
        frozenset({"Application", "Task", "Operator", "Parallelism"}),
    }
    until(partial(rises, clients, name, "numLateRecordsDropped"), "the window's late records are told")
    until(partial(rises, clients, name, "currentOutputWatermark"), "how far its times are is told")
    assert newest(clients, "numLateRecordsDropped", of(name, **window_of(told))), "and of the very operator, too"
    assert "numRestarts" not in {metric["MetricName"] for metric in told}, "the service has it from Flink 2.2 on"

    now = datetime.now(UTC)
    points = clients.cloudwatch.get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName="lastCheckpointDuration",
        Dimensions=of(name),
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    assert {point["Unit"] for point in points} == {"Milliseconds"}
    clients.remove(name)


def test_a_restart_loop_is_seen_in_the_metrics_while_the_status_is_running(
    name: str, clients: Clients, jar: Path, counts: Path
) -> None:
    clients.create(name, **configuration(clients, jar, counts))
    clients.start(name)
    counted(counts, beyond=20)
    clients.update(name, **change(counts, fail="record"))
    until(lambda: rises(clients, name, "fullRestarts", beyond=1), "restarts are counted")
    until(lambda: rises(clients, name, "downtime"), "so is the time")
    assert clients.status(name) == "RUNNING"
    clients.stop(name, force=True)
    clients.remove(name)
