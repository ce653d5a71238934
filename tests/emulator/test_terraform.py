"""Terraform with the AWS provider as it is: apply, a clean plan, update, snapshot, stop, destroy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from scurry.emulator.endpoint import Emulator
from scurry.flink.runtimes import Runtimes
from tests.emulator.clients import Clients, is_laid_over
from tests.emulator.test_lifecycle import VERSION, counted
from tests.targets.probe import jar_of

pytestmark = [
    pytest.mark.flink,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none"),
]

PROVIDER = Path("registry.terraform.io") / "hashicorp" / "aws"
ROOTS = ("/opt", "/usr/local/share", "/usr/share", "/usr/lib", "/var/lib", "/srv", "~/.terraform.d", "~/.local/share")
_DEPTH = 3


def mirror() -> Path | None:
    """Return a folder that holds Terraform's AWS provider, from the usual roots."""
    for root in ROOTS:
        level = [Path(root).expanduser()]
        for _ in range(_DEPTH):
            for folder in level:
                if (folder / PROVIDER).is_dir():
                    return folder
            level = [entry for folder in level for entry in _folders(folder)]
    return None


def _folders(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink()]
    except OSError:
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Terraform:
    """A working directory of Terraform."""

    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str, **variables: object) -> str:
        """Run a command; it has to succeed."""
        given = [f"-var={name}={json.dumps(value).strip(chr(34))}" for name, value in variables.items()]
        done = subprocess.run(
            ["terraform", *arguments, *given],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def apply(self, **variables: object) -> None:
        """Apply; the plan after it is clean."""
        self.run("apply", "-auto-approve", "-input=false", "-no-color", **variables)
        self.run("plan", "-detailed-exitcode", "-input=false", "-no-color", **variables)


@pytest.fixture
def terraform(emulator: Emulator, runtimes: Runtimes, counts: Path, tmp_path: Path, name: str) -> Terraform:
    provider = mirror()
    if shutil.which("terraform") is None or provider is None:
        pytest.skip("needs terraform, and its AWS provider in a filesystem mirror")
    jar = jar_of(Path(__file__).parent / "java" / "Managed.java", runtimes, VERSION)
    shutil.copy(Path(__file__).parent / "terraform" / "main.tf", tmp_path)
    settings = tmp_path / "terraform.rc"
    settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{provider}"\n  }}\n}}\n')
    environment = {
        **os.environ,
        **emulator.environment,
        "TF_CLI_CONFIG_FILE": str(settings),
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
        "TF_VAR_name": name,
        "TF_VAR_jar": str(jar),
        "TF_VAR_counts": str(counts),
    }
    found = Terraform(folder=tmp_path, environment=environment)
    found.run("init", "-input=false", "-no-color")
    return found


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
