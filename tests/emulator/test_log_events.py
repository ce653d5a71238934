"""CloudWatch log events in the service's shape, from the logs of a real Flink."""

from __future__ import annotations

import json
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

ARN = "arn:aws:logs:us-east-1:123456789012:log-group:{group}:log-stream:{stream}"


def events(clients: Clients, name: str, stream: str = "flink") -> list[dict[str, Any]]:
    pages = clients.logs.get_paginator("filter_log_events").paginate(logGroupName=name, logStreamNames=[stream])
    return [json.loads(event["message"]) for page in pages for event in page["events"]]


def test_what_flink_logs_is_in_the_stream_that_the_application_names(
    name: str, clients: Clients, jar: Path, counts: Path
) -> None:
    """A stream that is not there breaks nothing; the level is respected; an exception is a member of its own."""
    given = configuration(clients, jar, counts)
    clients.create(name, **given)
    option = {"LogStreamARN": ARN.format(group=name, stream="flink")}
    clients.service.add_application_cloud_watch_logging_option(
        ApplicationName=name, CurrentApplicationVersionId=1, CloudWatchLoggingOption=option
    )
    assert clients.start(name)["OperationStatus"] == "SUCCESSFUL", "there is no such stream yet"
    counted(counts, beyond=20)

    clients.logs.create_log_group(logGroupName=name)
    clients.logs.create_log_stream(logGroupName=name, logStreamName="flink")
    until(lambda: any("Completed checkpoint" in told["message"] for told in events(clients, name)), "events")
    told = events(clients, name)[0]
    assert told["applicationARN"] == clients.detail(name)["ApplicationARN"]
    assert told["applicationVersionId"] == "2"
    assert (told["messageType"], told["messageSchemaVersion"]) == ("INFO", "1")
    assert told["threadName"]
    assert told["logger"].startswith("org.apache.flink.")
    assert told["locationInformation"].startswith(told["logger"].split("$", maxsplit=1)[0])

    monitoring = {"ConfigurationTypeUpdate": "CUSTOM", "LogLevelUpdate": "WARN"}
    update = change(counts, fail="record")
    update["ApplicationConfigurationUpdate"]["FlinkApplicationConfigurationUpdate"] = {
        "MonitoringConfigurationUpdate": monitoring
    }
    assert clients.update(name, **update)["OperationStatus"] == "SUCCESSFUL"
    until(lambda: any(failures(clients, name)), "the failure is told")
    assert "told to fail with each record" in failures(clients, name)[0]["throwableInformation"]
    told_of = events(clients, name)
    late = told_of[
        told_of.index(failures(clients, name)[0]) :
    ]  # what came before may be the last words of the old Flink
    assert {told["messageType"] for told in late} <= {"WARN", "ERROR"}
    clients.stop(name, force=True)
    clients.remove(name)


def failures(clients: Clients, name: str) -> list[dict[str, Any]]:
    return [
        told
        for told in events(clients, name)
        if "throwableInformation" in told and "told to fail" in told["throwableInformation"]
    ]
