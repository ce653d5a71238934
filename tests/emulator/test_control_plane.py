"""The service's interface, by boto3: what it describes, versions, pages, tags, errors. No Flink is needed for that."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any

import pytest
import urllib3
from botocore.exceptions import ClientError

from scurry.emulator.protocol import service_model
from scurry.emulator.service import RUNTIMES
from tests.emulator.clients import ROLE, Clients, code_in_s3, custom_flink, properties

MISSING = "Please check the role provided or validity of S3 location you provided"


def refused(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    found = error.value.response["Error"]
    return found["Code"], found["Message"]


def raw(clients: Clients, operation: str, body: Any) -> tuple[int, Any]:
    """Send what boto3 would not."""
    headers = {"X-Amz-Target": f"KinesisAnalytics_20180523.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = urllib3.request("POST", clients.url, body=data, headers=headers)
    return answer.status, json.loads(answer.data)


def test_a_bare_application_has_the_defaults_that_terraform_expects(clients: Clients, name: str) -> None:
    detail = clients.create(name)
    assert (detail["ApplicationStatus"], detail["ApplicationVersionId"]) == ("READY", 1)
    assert detail["ApplicationARN"] == f"arn:aws:kinesisanalytics:us-east-1:123456789012:application/{name}"
    assert detail["ApplicationDescription"] == ""
    found = detail["ApplicationConfigurationDescription"]
    assert found["ApplicationSnapshotConfigurationDescription"] == {"SnapshotsEnabled": True}
    assert "RunConfigurationDescription" not in found
    assert "ApplicationCodeConfigurationDescription" not in found
    flink = found["FlinkApplicationConfigurationDescription"]
    assert flink["CheckpointConfigurationDescription"] == {
        "ConfigurationType": "DEFAULT",
        "CheckpointingEnabled": True,
        "CheckpointInterval": 60000,
        "MinPauseBetweenCheckpoints": 5000,
    }
    assert flink["MonitoringConfigurationDescription"] == {
        "ConfigurationType": "DEFAULT",
        "MetricsLevel": "APPLICATION",
        "LogLevel": "INFO",
    }
    assert flink["ParallelismConfigurationDescription"] == {
        "ConfigurationType": "DEFAULT",
        "Parallelism": 1,
        "ParallelismPerKPU": 1,
        "CurrentParallelism": 1,
        "AutoScalingEnabled": True,
    }


def test_answers_are_the_models_and_times_are_numbers(clients: Clients, name: str) -> None:
    """An ISO text as time breaks Go's SDK; a member that the model does not know may break others."""
    clients.create(name, EnvironmentProperties=properties(a="1"))
    requests = {
        "DescribeApplication": {"ApplicationName": name},
        "ListApplications": {},
        "ListApplicationVersions": {"ApplicationName": name},
        "DescribeApplicationVersion": {"ApplicationName": name, "ApplicationVersionId": 1},
        "ListApplicationOperations": {"ApplicationName": name},
        "ListApplicationSnapshots": {"ApplicationName": name},
    }
    for operation, request in requests.items():
        status, answer = raw(clients, operation, request)
        assert status == 200
        shape = service_model().operation_model(operation).output_shape
        assert list(strange(shape, answer, operation)) == []


def strange(shape: Any, value: Any, path: str) -> Any:
    """Say what of an answer is not as the model has it."""
    kinds: dict[str, Any] = {"string": str, "long": int, "integer": int, "boolean": bool, "timestamp": (int, float)}
    if shape.type_name == "structure":
        yield from (f"{path}.{name} is not in the model" for name in value if name not in shape.members)
        yield from (f"{path}.{name} is missing" for name in shape.required_members if name not in value)
        for name, member in shape.members.items():
            if name in value:
                yield from strange(member, value[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for entry in value:
            yield from strange(shape.member, entry, f"{path}[]")
    elif shape.type_name in kinds and not isinstance(value, kinds[shape.type_name]):
        yield f"{path} is a {type(value).__name__}"


def test_each_update_is_a_version_and_what_is_not_named_stays(clients: Clients, name: str) -> None:
    clients.create(
        name,
        EnvironmentProperties=properties(a="1"),
        FlinkApplicationConfiguration=custom_flink(parallelism=2, per_kpu=2),
    )
    parallelism = {"ParallelismConfigurationUpdate": {"ParallelismUpdate": 4}}
    clients.update(name, ApplicationConfigurationUpdate={"FlinkApplicationConfigurationUpdate": parallelism})
    detail = clients.detail(name)
    assert (detail["ApplicationVersionId"], detail["ApplicationVersionUpdatedFrom"]) == (2, 1)
    found = detail["ApplicationConfigurationDescription"]
    block = found["FlinkApplicationConfigurationDescription"]["ParallelismConfigurationDescription"]
    assert (block["Parallelism"], block["ParallelismPerKPU"], block["AutoScalingEnabled"]) == (4, 2, False)
    assert found["EnvironmentPropertyDescriptions"]["PropertyGroupDescriptions"][0]["PropertyMap"] == {"a": "1"}

    default = {"ParallelismConfigurationUpdate": {"ConfigurationTypeUpdate": "DEFAULT", "ParallelismUpdate": 9}}
    update = {
        "FlinkApplicationConfigurationUpdate": default,
        "EnvironmentPropertyUpdates": {"PropertyGroups": []},
        "ApplicationSnapshotConfigurationUpdate": {"SnapshotsEnabledUpdate": False},
    }
    clients.update(name, ApplicationConfigurationUpdate=update, RuntimeEnvironmentUpdate="FLINK-2_3")
    detail = clients.detail(name)
    found = detail["ApplicationConfigurationDescription"]
    block = found["FlinkApplicationConfigurationDescription"]["ParallelismConfigurationDescription"]
    assert (block["Parallelism"], block["AutoScalingEnabled"]) == (1, True), "DEFAULT is the default, whatever is said"
    assert "EnvironmentPropertyDescriptions" not in found
    assert found["ApplicationSnapshotConfigurationDescription"] == {"SnapshotsEnabled": False}
    assert detail["RuntimeEnvironment"] == "FLINK-2_3"

    old = clients.service.describe_application_version(ApplicationName=name, ApplicationVersionId=1)
    assert old["ApplicationVersionDetail"]["RuntimeEnvironment"] == "FLINK-1_20"
    versions = clients.service.list_application_versions(ApplicationName=name)["ApplicationVersionSummaries"]
    assert [each["ApplicationVersionId"] for each in versions] == [3, 2, 1]


def test_an_update_names_the_version_that_it_changes_or_its_token(clients: Clients, name: str) -> None:
    token = clients.create(name)["ConditionalToken"]
    with pytest.raises(ClientError) as error:
        clients.service.update_application(ApplicationName=name, CurrentApplicationVersionId=7)
    assert refused(error) == ("ConcurrentModificationException", f"Application {name} is at version 1")
    with pytest.raises(ClientError) as error:
        clients.service.update_application(ApplicationName=name)
    assert refused(error)[0] == "InvalidRequestException"
    clients.service.update_application(ApplicationName=name, ConditionalToken=token)
    with pytest.raises(ClientError) as error:
        clients.service.update_application(ApplicationName=name, ConditionalToken=token)
    assert refused(error)[0] in {"ConcurrentModificationException", "ResourceInUseException"}


def test_code_that_is_not_there_is_refused_as_the_service_does(clients: Clients, name: str) -> None:
    with pytest.raises(ClientError) as error:
        clients.create(name, ApplicationCodeConfiguration=code_in_s3("nothing.jar"))
    code, message = refused(error)
    assert code == "InvalidArgumentException"
    assert MISSING in message, "Terraform knows this text"
    assert "nothing.jar" in message
    inline = {"CodeContentType": "ZIPFILE", "CodeContent": {"ZipFileContent": b"PK"}}
    found = clients.create(name, ApplicationCodeConfiguration=inline)["ApplicationConfigurationDescription"]
    assert found["ApplicationCodeConfigurationDescription"]["CodeContentDescription"]["CodeSize"] == 2


def test_logging_and_vpc_options_come_and_go_by_their_own_calls(clients: Clients, name: str) -> None:
    clients.create(name)
    stream = "arn:aws:logs:us-east-1:123456789012:log-group:g:log-stream:s"
    added = clients.service.add_application_cloud_watch_logging_option(
        ApplicationName=name, CurrentApplicationVersionId=1, CloudWatchLoggingOption={"LogStreamARN": stream}
    )
    option = added["CloudWatchLoggingOptionDescriptions"][0]["CloudWatchLoggingOptionId"]
    assert clients.ended(name, added["OperationId"])["OperationStatus"] == "SUCCESSFUL"
    clients.update(
        name,
        CloudWatchLoggingOptionUpdates=[
            {"CloudWatchLoggingOptionId": option, "LogStreamARNUpdate": f"{stream}2"},
        ],
    )
    assert clients.detail(name)["CloudWatchLoggingOptionDescriptions"][0]["LogStreamARN"] == f"{stream}2"
    clients.service.delete_application_cloud_watch_logging_option(
        ApplicationName=name, CurrentApplicationVersionId=3, CloudWatchLoggingOptionId=option
    )
    vpc = clients.service.add_application_vpc_configuration(
        ApplicationName=name,
        CurrentApplicationVersionId=4,
        VpcConfiguration={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    )
    assert vpc["VpcConfigurationDescription"]["SubnetIds"] == ["subnet-1"]
    clients.service.delete_application_vpc_configuration(
        ApplicationName=name,
        CurrentApplicationVersionId=5,
        VpcConfigurationId=vpc["VpcConfigurationDescription"]["VpcConfigurationId"],
    )
    detail = clients.detail(name)
    assert detail["ApplicationVersionId"] == 6
    assert "CloudWatchLoggingOptionDescriptions" not in detail
    assert "VpcConfigurationDescriptions" not in detail["ApplicationConfigurationDescription"]
    window = clients.service.update_application_maintenance_configuration(
        ApplicationName=name,
        ApplicationMaintenanceConfigurationUpdate={"ApplicationMaintenanceWindowStartTimeUpdate": "20:30"},
    )["ApplicationMaintenanceConfigurationDescription"]
    assert window["ApplicationMaintenanceWindowEndTime"] == "04:30"


def test_tags_change_no_version_and_are_fifty_at_most(clients: Clients, name: str) -> None:
    arn = clients.create(name)["ApplicationARN"]
    clients.service.tag_resource(ResourceARN=arn, Tags=[{"Key": "team", "Value": "data"}, {"Key": "old", "Value": ""}])
    clients.service.untag_resource(ResourceARN=arn, TagKeys=["old"])
    assert clients.service.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": "data"}]
    assert clients.detail(name)["ApplicationVersionId"] == 1
    with pytest.raises(ClientError) as error:
        clients.service.tag_resource(ResourceARN=arn, Tags=[{"Key": str(n), "Value": ""} for n in range(50)])
    assert refused(error)[0] == "TooManyTagsException"


def test_lists_come_in_pages(clients: Clients, name: str) -> None:
    for number in range(5):
        clients.create(f"{name}-{number}")
    pages = clients.service.get_paginator("list_applications").paginate(PaginationConfig={"PageSize": 2})
    found = [each["ApplicationName"] for page in pages for each in page["ApplicationSummaries"]]
    assert [each for each in found if each.startswith(name)] == [f"{name}-{number}" for number in range(5)]
    assert len(found) == len(set(found))
    with pytest.raises(ClientError) as error:
        clients.service.list_applications(NextToken="nonsense")
    assert refused(error)[0] == "InvalidArgumentException"


def test_a_delete_names_the_time_of_creation_in_whole_seconds(clients: Clients, name: str) -> None:
    created: datetime = clients.create(name)["CreateTimestamp"]
    with pytest.raises(ClientError) as error:
        clients.service.delete_application(ApplicationName=name, CreateTimestamp=created.replace(year=2001))
    assert refused(error)[0] == "InvalidArgumentException"
    clients.service.delete_application(ApplicationName=name, CreateTimestamp=created.replace(microsecond=0))
    with pytest.raises(ClientError) as error:
        _until_it_is_gone(clients, name)
    assert refused(error) == ("ResourceNotFoundException", f"Application {name} was not found")
    assert clients.create(name)["ApplicationVersionId"] == 1


def _until_it_is_gone(clients: Clients, name: str) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        assert clients.status(name) == "DELETING"


@pytest.mark.parametrize(
    ("operation", "request_", "code", "told"),
    [
        ("DescribeApplication", {"ApplicationName": "none"}, "ResourceNotFoundException", "none was not found"),
        ("DescribeApplication", {"ApplicationName": "a b"}, "ValidationException", "regular expression pattern"),
        ("DescribeApplication", {"ApplicationName": ""}, "ValidationException", "greater than or equal to 1"),
        ("DescribeApplication", {"ApplicationName": 7}, "SerializationException", "int value"),
        ("DescribeApplication", {}, "ValidationException", "Value null at 'applicationName'"),
        ("DescribeApplication", b"{", "SerializationException", "not JSON"),
        ("Nonsense", {}, "UnknownOperationException", "Nonsense"),
        ("ExportSnapshot", {"SnapshotName": "a b"}, "ValidationException", "'snapshotName' failed to satisfy"),
        ("AddApplicationInput", {}, "ValidationException", "applicationName"),
        ("ListApplications", {"Limit": 51}, "ValidationException", "less than or equal to 50"),
        (
            "CreateApplication",
            {"ApplicationName": "x", "RuntimeEnvironment": "FLINK-9_9", "ServiceExecutionRole": ROLE},
            "ValidationException",
            "enum value set",
        ),
        (
            "CreateApplication",
            {"ApplicationName": "x", "RuntimeEnvironment": "SQL-1_0", "ServiceExecutionRole": ROLE},
            "UnsupportedOperationException",
            "cannot be run here",
        ),
        (
            "CreateApplication",
            {"ApplicationName": "x", "RuntimeEnvironment": "FLINK-1_20", "ServiceExecutionRole": "me"},
            "ValidationException",
            "arn:.*",
        ),
    ],
)
def test_bad_requests_are_told_by_their_class(
    clients: Clients, operation: str, request_: Any, code: str, told: str
) -> None:
    status, answer = raw(clients, operation, request_)
    assert status == 400
    assert answer["__type"] == code
    assert told in answer["message"]


@pytest.mark.parametrize(
    "configuration",
    [
        {"EnvironmentProperties": {"PropertyGroups": [{"PropertyGroupId": "a", "PropertyMap": {}}]}},
        {"FlinkApplicationConfiguration": custom_flink(per_kpu=9)},
        {
            "EnvironmentProperties": {
                "PropertyGroups": [{"PropertyGroupId": "a", "PropertyMap": {"k": "v"}} for _ in range(2)]
            }
        },
        {"SqlApplicationConfiguration": {}},
    ],
)
def test_a_configuration_that_cannot_be_creates_nothing(
    clients: Clients, name: str, configuration: dict[str, Any]
) -> None:
    with pytest.raises(ClientError):
        clients.create(name, **configuration)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        clients.detail(name)


def test_what_may_not_be_done_now_is_refused_and_changes_nothing(clients: Clients, name: str) -> None:
    clients.create(name)
    for call in (
        lambda: clients.service.stop_application(ApplicationName=name),
        lambda: clients.service.create_application_snapshot(ApplicationName=name, SnapshotName="s"),
        lambda: clients.service.rollback_application(ApplicationName=name, CurrentApplicationVersionId=1),
        lambda: clients.service.create_application_presigned_url(ApplicationName=name, UrlType="FLINK_DASHBOARD_URL"),
        lambda: clients.create(name),
    ):
        with pytest.raises(ClientError) as error:
            call()
        assert refused(error)[0] == "ResourceInUseException"
    with pytest.raises(ClientError) as error:
        clients.service.start_application(ApplicationName=name, RunConfiguration={})
    assert refused(error)[0] == "InvalidApplicationConfigurationException"
    flink = {"ParallelismConfigurationUpdate": {"ConfigurationTypeUpdate": "CUSTOM", "ParallelismUpdate": 5}}
    with pytest.raises(ClientError) as error:
        clients.update(name, ApplicationConfigurationUpdate={"FlinkApplicationConfigurationUpdate": flink})
    assert refused(error) == ("LimitExceededException", "5 KPUs are needed, and the quota is 4")
    detail = clients.detail(name)
    assert (detail["ApplicationStatus"], detail["ApplicationVersionId"]) == ("READY", 1)


def test_a_runtime_is_not_downgraded_to_one_that_it_never_ran(clients: Clients, name: str) -> None:
    clients.create(name, runtime="FLINK-2_3")
    with pytest.raises(ClientError, match="cannot be downgraded from FLINK-2_3 to FLINK-1_20"):
        clients.update(name, RuntimeEnvironmentUpdate="FLINK-1_20")
    assert "FLINK-2_3" in RUNTIMES


def test_other_services_are_at_the_same_endpoint(clients: Clients) -> None:
    clients.s3.create_bucket(Bucket="things")
    clients.s3.put_object(Bucket="things", Key="a", Body=b"1")
    assert clients.s3.get_object(Bucket="things", Key="a")["Body"].read() == b"1"
    identity = clients.client("sts").get_caller_identity()
    assert identity["Account"] == "123456789012"
    assert clients.client("logs").describe_log_groups()["logGroups"] == []
