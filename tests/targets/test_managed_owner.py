"""Applications that somebody else made: taken over as they run; or left to Terraform, with only their lives in hand."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scurry.emulator.endpoint import Emulator
from scurry.engine.adoption import Wanted
from scurry.flink.runtimes import Runtimes
from scurry.model.errors import TargetUnsuitable
from scurry.model.result import Applied, ApplyOutcome
from scurry.workspace import Workspace
from tests.emulator.clients import custom_flink, is_laid_over
from tests.flink.local_flink import until
from tests.targets.managed_rig import BUCKET, PATIENCE_S, ROLE, SOURCE, VERSION, boto, emulating
from tests.targets.probe import jar_of

pytestmark = [
    pytest.mark.flink,
    pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none"),
]

PROJECT = f"""\
target: msf
targets:
  msf:
    kind: managed
    endpoint: {{url}}
    region: us-east-1
    role: {ROLE}
    bucket: {BUCKET}
    poll: 50ms
    metrics_period: 1s
  terraforms:
    kind: managed
    owner: terraform
    endpoint: {{url}}
    region: us-east-1
    poll: 50ms
    metrics_period: 1s
"""
SPEC = """\
name: {name}
target: {target}
flink: "{version}"
code: {{jar: served.jar}}
parallelism: {parallelism}
config: {{execution.checkpointing.interval: 300ms}}
properties: {{job: {{label: {label}}}}}
upgrade: {{state_check: off, health: {{window: 60s}}}}
"""


class Theirs:
    """A project, and an application that another tool made and started."""

    def __init__(self, folder: Path, url: str, name: str, target: str) -> None:
        self.folder, self.name, self.target = folder, name, target
        self.service = boto(url)("kinesisanalyticsv2")

    def make(self) -> None:
        location = {"BucketARN": f"arn:aws:s3:::{BUCKET}", "FileKey": "theirs.jar"}
        self.service.create_application(
            ApplicationName=self.name,
            RuntimeEnvironment="FLINK-1_20",
            ServiceExecutionRole=ROLE,
            ApplicationConfiguration={
                "ApplicationCodeConfiguration": {
                    "CodeContentType": "ZIPFILE",
                    "CodeContent": {"S3ContentLocation": location},
                },
                "EnvironmentProperties": {
                    "PropertyGroups": [{"PropertyGroupId": "job", "PropertyMap": {"label": "theirs"}}]
                },
                "FlinkApplicationConfiguration": custom_flink(interval_ms=300),
            },
            Tags=[{"Key": "team", "Value": "theirs"}],
        )
        self.service.start_application(ApplicationName=self.name, RunConfiguration={})
        until(lambda: self.detail()["ApplicationStatus"] == "RUNNING", "it runs", patience_s=PATIENCE_S)

    def detail(self) -> dict[str, Any]:
        found: dict[str, Any] = self.service.describe_application(ApplicationName=self.name)["ApplicationDetail"]
        return found

    def configured(self) -> Any:
        """What Terraform would compare: all but what each start says itself."""
        configuration = dict(self.detail()["ApplicationConfigurationDescription"])
        configuration.pop("RunConfigurationDescription", None)
        return self.detail()["ApplicationVersionId"], configuration

    def open(self) -> Workspace:
        return Workspace.open(self.folder)

    def write(self, *, label: str = "theirs", parallelism: int = 1) -> Path:
        path = self.folder / f"{self.name}.yaml"
        path.write_text(
            SPEC.format(name=self.name, target=self.target, version=VERSION, label=label, parallelism=parallelism)
        )
        return path

    def adopt(self) -> Applied:
        return self.open().adopt(self.write(), Wanted(job="latest"), confirm=lambda plan: True)

    def verb(self, name: str, **named: Any) -> Applied:
        found: Applied = getattr(self.open(), name)(self.name, confirm=lambda plan: True, **named)
        return found

    def restored_from(self) -> str | None:
        observed, _ = self.open().observe(self.name)
        assert observed.live
        return observed.live.restored_from


@pytest.fixture(scope="module")
def emulator(runtimes: Runtimes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One for all tests of the module."""
    with emulating(tmp_path_factory.mktemp("msf"), runtimes) as served:
        boto(served.url)("s3").upload_file(str(jar_of(SOURCE, runtimes, VERSION)), BUCKET, "theirs.jar")
        yield served


@pytest.fixture
def folder(emulator: Emulator, tmp_path: Path, runtimes: Runtimes) -> Path:
    (tmp_path / "scurry.yaml").write_text(PROJECT.replace("{url}", emulator.url))
    shutil.copy(jar_of(SOURCE, runtimes, VERSION), tmp_path / "served.jar")
    return tmp_path


def test_an_application_of_somebody_elses_is_adopted_and_upgraded_with_its_state(
    emulator: Emulator, folder: Path
) -> None:
    theirs = Theirs(folder, emulator.url, "adopted", "msf")
    theirs.make()
    before = theirs.configured()
    assert theirs.adopt().outcome is ApplyOutcome.CONVERGED
    assert theirs.configured() == before, "nothing is changed by that"
    upgraded = theirs.open().apply(theirs.write(label="ours"), confirm=lambda plan: True)
    assert upgraded.outcome is ApplyOutcome.CONVERGED
    assert upgraded.snapshot
    assert theirs.restored_from() == upgraded.snapshot.location
    tags = theirs.service.list_tags_for_resource(ResourceARN=theirs.detail()["ApplicationARN"])["Tags"]
    assert {"Key": "team", "Value": "theirs"} in tags
    theirs.verb("stop", snapshot=False)


def test_what_terraform_owns_is_stopped_and_started_without_a_change_of_its_configuration(
    emulator: Emulator, folder: Path
) -> None:
    theirs = Theirs(folder, emulator.url, "terraforms", "terraforms")
    theirs.make()
    before = theirs.configured()
    assert theirs.adopt().outcome is ApplyOutcome.CONVERGED
    stopped = theirs.verb("stop")
    assert stopped.outcome is ApplyOutcome.SUSPENDED
    assert stopped.snapshot
    assert theirs.verb("start").outcome is ApplyOutcome.CONVERGED
    assert theirs.restored_from() == stopped.snapshot.location
    assert theirs.configured() == before, "so `terraform plan` has nothing to say"
    with pytest.raises(TargetUnsuitable, match="has parallelism 1, not 2"):
        theirs.open().apply(theirs.write(parallelism=2), confirm=lambda plan: True)
    assert theirs.detail()["ApplicationStatus"] == "RUNNING"

    project = folder / "scurry.yaml"
    project.write_text(project.read_text().replace("owner: terraform", f"role: {ROLE}\n    bucket: {BUCKET}"))
    taken = theirs.open().apply(theirs.write(label="ours"), confirm=lambda plan: True)
    assert taken.outcome is ApplyOutcome.CONVERGED, "and the other way is open: its configuration is scurry's now"
    assert taken.snapshot
    tags = theirs.service.list_tags_for_resource(ResourceARN=theirs.detail()["ApplicationARN"])["Tags"]
    assert [tag["Key"] for tag in tags] == ["team"]
    theirs.verb("stop", snapshot=False)
