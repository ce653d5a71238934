"""Terraform with the AWS provider as it is: apply, a clean plan, update, snapshot, stop, destroy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scurry.emulator.endpoint import Emulator
from tests.emulator.clients import Clients, is_laid_over
from tests.emulator.terraform_cli import MISSING, Terraform, is_installed, provider
from tests.emulator.test_lifecycle import counted

pytestmark = [
    pytest.mark.flink,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none"),
]


@pytest.fixture
def terraform(emulator: Emulator, jar: Path, counts: Path, tmp_path: Path, name: str) -> Iterator[Terraform]:
    if not is_installed():
        pytest.skip(MISSING)
    shutil.copy(Path(__file__).parent / "terraform" / "main.tf", tmp_path)
    with provider(tmp_path, emulator.environment) as attached:
        environment = {
            **emulator.environment,
            **attached,
            "TF_VAR_name": name,
            "TF_VAR_jar": str(jar),
            "TF_VAR_counts": str(counts),
        }
        found = Terraform(folder=tmp_path, environment=environment)
        found.init()
        yield found


def test_terraform_walks_the_whole_life(terraform: Terraform, clients: Clients, counts: Path, name: str) -> None:
    terraform.apply()
    assert _state(clients, name) == ("RUNNING", 1)
    before = counted(counts, beyond=50)[-1]

    terraform.apply(colour="red", snapshot=True)
    assert _state(clients, name) == ("RUNNING", 2)
    found = counted(counts, beyond=before + 50)
    assert found == sorted(found), "it went on from its state"

    terraform.apply(colour="red", snapshot=True, start=False)
    assert _state(clients, name) == ("READY", 2)
    snapshots = clients.service.list_application_snapshots(ApplicationName=name)["SnapshotSummaries"]
    assert [each["SnapshotName"] for each in snapshots].count("kept") == 1
    assert len(snapshots) == 3, "of the update, by name, of the stop"

    terraform.run("destroy", "-auto-approve", "-input=false", colour="red")
    names = [each["ApplicationName"] for each in clients.service.list_applications()["ApplicationSummaries"]]
    assert name not in names
    assert name not in [bucket["Name"] for bucket in clients.s3.list_buckets()["Buckets"]]


def _state(clients: Clients, name: str) -> tuple[str, int]:
    detail = clients.detail(name)
    return detail["ApplicationStatus"], detail["ApplicationVersionId"]
