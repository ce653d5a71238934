"""The Terraform module that makes an application of the managed service, with all that it needs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scurry.emulator.endpoint import Emulator
from tests.emulator.clients import Clients, is_laid_over
from tests.emulator.terraform_cli import MISSING, Terraform, is_installed, provider
from tests.emulator.test_lifecycle import counted

MODULE = Path(__file__).parents[2] / "infra" / "modules" / "managed-application"
ROOT = Path(__file__).parent / "terraform" / "module"

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not is_installed(), reason=MISSING),
]


@pytest.fixture(scope="module")
def attached(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with provider(tmp_path_factory.mktemp("provider"), emulator.environment) as found:
        yield {**emulator.environment, **found}


@pytest.fixture
def terraform(attached: dict[str, str], tmp_path: Path, name: str) -> Terraform:
    """The module, called as a project would, in a folder of its own."""
    text = (ROOT / "main.tf").read_text("utf-8").replace("MODULE", str(MODULE))
    (tmp_path / "main.tf").write_text(text, "utf-8")
    found = Terraform(folder=tmp_path, environment={**attached, "TF_VAR_name": name})
    found.init()
    return found


@pytest.mark.flink
@pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none")
def test_it_is_made_updated_stopped_and_destroyed_with_clean_plans(
    terraform: Terraform, clients: Clients, jar: Path, counts: Path, name: str
) -> None:
    code = terraform.folder / "job.jar"
    shutil.copy(jar, code)
    given: dict[str, Any] = {"code_file": str(code), "properties": {"Job": {"counts": str(counts)}}}

    terraform.apply(**given)
    first = terraform.outputs()
    assert first["kpus"] == 2
    assert _state(clients, name) == ("RUNNING", 1)
    before = counted(counts, beyond=50)[-1]
    _check_its_least_privileges(clients, str(first["role_name"]), str(first["bucket"]), name)

    code.write_bytes(code.read_bytes() + b"\n")
    given["properties"] = {"Job": {"counts": str(counts), "colour": "red"}}
    terraform.apply(**given, monitoring={"log_level": "WARN"})
    second = terraform.outputs()
    assert _state(clients, name) == ("RUNNING", 2)
    assert second["code_version"] != first["code_version"]
    assert counted(counts, beyond=before + 50) == sorted(counted(counts, beyond=before)), "it went on from its state"
    earlier = clients.service.describe_application_version(ApplicationName=name, ApplicationVersionId=1)
    assert _code(earlier["ApplicationVersionDetail"])["ObjectVersion"] == first["code_version"]

    terraform.apply(**given, monitoring={"log_level": "WARN"}, start=False)
    assert _state(clients, name) == ("READY", 2)
    terraform.destroy(**given)
    assert name not in [each["ApplicationName"] for each in clients.service.list_applications()["ApplicationSummaries"]]
    assert first["bucket"] not in [each["Name"] for each in clients.s3.list_buckets()["Buckets"]]


def _state(clients: Clients, name: str) -> tuple[str, int]:
    detail = clients.detail(name)
    return detail["ApplicationStatus"], detail["ApplicationVersionId"]


def _code(detail: dict[str, Any]) -> dict[str, Any]:
    described = detail["ApplicationConfigurationDescription"]["ApplicationCodeConfigurationDescription"]
    found: dict[str, Any] = described["CodeContentDescription"]["S3ApplicationCodeLocationDescription"]
    return found


def _check_its_least_privileges(clients: Clients, role: str, bucket: str, name: str) -> None:
    """No action on everything, but the two of logs that know no smaller resource than groups and streams."""
    iam = clients.client("iam")
    policy = iam.get_role_policy(RoleName=role, PolicyName="service")["PolicyDocument"]
    allowed = {statement["Sid"]: statement for statement in policy["Statement"]}
    assert allowed.keys() == {"ReadCode", "FindLogs", "FindLogStreams", "WriteLogs"}
    assert allowed["ReadCode"]["Resource"] == f"arn:aws:s3:::{bucket}/code/job.jar"
    assert sorted(allowed["ReadCode"]["Action"]) == ["s3:GetObject", "s3:GetObjectVersion"]
    assert allowed["WriteLogs"]["Resource"].endswith(
        f"/aws/kinesis-analytics/{name}:log-stream:kinesis-analytics-log-stream"
    )
    trust = json.dumps(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])
    assert f"application/{name}" in trust
    assert "aws:SourceAccount" in trust
    assert clients.s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_an_application_of_scurry_gets_what_it_needs_and_nothing_more(
    terraform: Terraform, clients: Clients, name: str
) -> None:
    given: dict[str, Any] = {"owner": "scurry", "snapshot_copies": {"prefix": "copies/"}}
    terraform.apply(**given)
    found = terraform.outputs()
    assert name not in [each["ApplicationName"] for each in clients.service.list_applications()["ApplicationSummaries"]]
    policy = clients.client("iam").get_role_policy(RoleName=found["role_name"], PolicyName="service")["PolicyDocument"]
    assert f"arn:aws:s3:::{found['bucket']}/*" in [statement["Resource"] for statement in policy["Statement"]]
    copies = json.loads(str(found["snapshot_copies"]))
    assert copies["export"] == f"s3://{found['bucket']}/copies/"
    role = copies["role"].rpartition("/")[2]
    writing = clients.client("iam").get_role_policy(RoleName=role, PolicyName="copies")["PolicyDocument"]["Statement"]
    assert f"arn:aws:s3:::{found['bucket']}/copies/*" in [statement["Resource"] for statement in writing]
    terraform.destroy(**given)


def test_an_application_in_a_vpc_is_changed_while_it_does_not_run(
    terraform: Terraform, clients: Clients, name: str
) -> None:
    """All that is not asked for above, of an application that is never started: no Flink."""
    code = terraform.folder / "code.zip"
    code.write_bytes(b"PK")
    given: dict[str, Any] = {
        "code_file": str(code),
        "start": False,
        "runtime_environment": "FLINK-1_19",
        "description": "in a VPC",
        "vpc": {"subnet_ids": ["subnet-1", "subnet-2"], "security_group_ids": ["sg-1"]},
        "checkpoints": {"interval_ms": 10000, "min_pause_ms": 0},
        "parallelism": {"parallelism": 6, "per_kpu": 4, "auto_scaling": True},
        "policy_json": {"sinks": _policy("s3:PutObject")},
        "tags": {"team": "data"},
    }
    terraform.apply(**given)
    detail = clients.detail(name)
    configuration = detail["ApplicationConfigurationDescription"]
    assert sorted(configuration["VpcConfigurationDescriptions"][0]["SubnetIds"]) == ["subnet-1", "subnet-2"]
    tags = clients.service.list_tags_for_resource(ResourceARN=detail["ApplicationARN"])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "data", "scurry-owner": "terraform"}
    assert terraform.outputs()["kpus"] == 3

    given |= {"vpc": None, "runtime_environment": "FLINK-1_20", "tags": {}, "snapshots_enabled": False}
    given |= {"monitoring": {"log_level": "ERROR", "metrics_level": "OPERATOR"}}
    terraform.apply(**given)
    configuration = clients.detail(name)["ApplicationConfigurationDescription"]
    assert "VpcConfigurationDescriptions" not in configuration
    assert configuration["ApplicationSnapshotConfigurationDescription"] == {"SnapshotsEnabled": False}
    terraform.destroy(**given)


def _policy(action: str) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": action, "Resource": "arn:aws:s3:::out/*"}],
        }
    )


def test_what_the_service_would_refuse_is_refused_before_anything_is_made(terraform: Terraform) -> None:
    """All of it in one plan: Terraform tells all the variables that are wrong."""
    wrong: dict[str, tuple[object, str]] = {
        "name": ("no spaces", "1 to 128 letters"),
        "owner": ("me", 'The owner is "terraform" or "scurry"'),
        "runtime_environment": ("1.20", "looks like FLINK-1_20"),
        "code_file": ("nothing.jar", "no such file"),
        "snapshot_copies": ({"prefix": "no-slash"}, "ends with a slash"),
        "restore": ({"type": "SNAPSHOT"}, "SNAPSHOT needs a snapshot's name"),
        "parallelism": ({"parallelism": 0, "per_kpu": 9}, "1 to 8 share a KPU"),
        "checkpoints": ({"interval_ms": 0}, "1 ms or more"),
        "monitoring": ({"log_level": "LOUD"}, "DEBUG, INFO, WARN, ERROR"),
        "properties": ({"group": {}}, "1 to 50 properties"),
        "vpc": ({"subnet_ids": [], "security_group_ids": ["sg-1"]}, "a subnet and a security group"),
        "tags": ({f"tag{number}": "" for number in range(50)}, "50 tags at most"),
    }
    done = terraform.attempt("plan", "-input=false", "-no-color", **{key: value for key, (value, _) in wrong.items()})
    assert done.returncode == 1
    told = " ".join(done.stderr.replace("│", " ").split())
    assert [message for _, message in wrong.values() if message not in told] == []

    for given, message in (
        ({"code_key": "code.jar", "parallelism": {"parallelism": 65}}, "takes 65 KPUs, and the quota is 64"),
        ({}, "There is no code"),
    ):
        done = terraform.attempt("plan", "-input=false", "-no-color", **given)
        assert done.returncode == 1
        assert message in " ".join(done.stderr.replace("│", " ").split())
