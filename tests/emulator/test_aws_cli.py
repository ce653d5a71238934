"""The AWS CLI as it is, from PyPI into an environment of its own, walks through an application's life."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from scurry.emulator.endpoint import Emulator
from tests.emulator.clients import ROLE, Clients, is_laid_over, properties
from tests.emulator.test_lifecycle import counted
from tests.flink.local_flink import until

pytestmark = [
    pytest.mark.flink,
    pytest.mark.network,
    pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none"),
]


class Cli:
    """`aws`, in a shell that was set up by `scurry emulate msf --env`."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        venv.create(folder, with_pip=False)
        pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
        subprocess.run([*pip, "install", "--quiet", "--disable-pip-version-check", "awscli"], check=True)
        self._command = folder / "bin" / "aws"
        self._environment = {"HOME": str(folder), "PATH": os.environ["PATH"], **environment}

    def run(self, *arguments: str) -> Any:
        """Run a command; it has to succeed. Returns its answer."""
        done = subprocess.run(
            [str(self._command), *arguments], env=self._environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[", '"')) else done.stdout

    def msf(self, operation: str, name: str, *arguments: str) -> Any:
        """Call the service for an application."""
        return self.run("kinesisanalyticsv2", operation, "--application-name", name, *arguments)

    def until_it_is(self, name: str, status: str) -> None:
        """Wait for a status."""
        query = ("--query", "ApplicationDetail.ApplicationStatus")
        until(lambda: self.msf("describe-application", name, *query) == status, f"{name} is {status}")


def test_the_aws_cli_walks_the_whole_life(
    name: str, emulator: Emulator, clients: Clients, jar: Path, counts: Path, tmp_path: Path
) -> None:
    aws = Cli(tmp_path / "venv", emulator.environment)
    aws.run("s3", "mb", f"s3://{name}")
    aws.run("s3", "cp", str(jar), f"s3://{name}/job.jar")
    location = {"BucketARN": f"arn:aws:s3:::{name}", "FileKey": "job.jar"}
    given = {
        "ApplicationCodeConfiguration": {
            "CodeContentType": "ZIPFILE",
            "CodeContent": {"S3ContentLocation": location},
        },
        "EnvironmentProperties": properties(counts=str(counts)),
    }
    runs = ("--runtime-environment", "FLINK-1_20", "--service-execution-role", ROLE)
    created = aws.msf("create-application", name, *runs, "--application-configuration", json.dumps(given))
    assert created["ApplicationDetail"]["ApplicationStatus"] == "READY"
    aws.msf("start-application", name, "--run-configuration", "{}")
    aws.until_it_is(name, "RUNNING")
    before = counted(counts, beyond=50)[-1]

    aws.msf("create-application-snapshot", name, "--snapshot-name", "kept")
    described = ("describe-application-snapshot", name, "--snapshot-name", "kept")
    query = ("--query", "SnapshotDetails.SnapshotStatus")
    until(lambda: aws.msf(*described, *query) == "READY", "the snapshot is whole")
    changed = {"EnvironmentPropertyUpdates": properties(counts=str(counts), colour="red")}
    version = ("--current-application-version-id", "1")
    aws.msf("update-application", name, *version, "--application-configuration-update", json.dumps(changed))
    aws.until_it_is(name, "RUNNING")
    found = counted(counts, beyond=before + 50)
    assert found == sorted(found), "it went on from its state"

    aws.msf("stop-application", name, "--force")
    aws.until_it_is(name, "READY")
    timestamp = aws.msf("describe-application", name, "--query", "ApplicationDetail.CreateTimestamp")
    aws.msf("delete-application", name, "--create-timestamp", timestamp)
    until(lambda: name not in clients.names(), "it is gone")
