"""What the situations share when they are met with plain Terraform and AWS's own API."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from on_service import OnService
from output import PATIENCE_S, Output, wait_until

HERE = Path(__file__).parent
NAME = "totals-by-terraform"


class Plain(OnService):
    """A Terraform project with its state, boto3 beside it, and what the application has written."""

    def __init__(self, folder: Path) -> None:
        super().__init__(NAME)
        self.folder = folder
        self.output = Output(folder / "totals.txt")
        self.variables: dict[str, Any] = {"output": str(self.output.path)}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "main.tf").write_text((HERE / "terraform" / "main.tf").read_text("utf-8"), "utf-8")
        self.terraform("init")

    def terraform(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Terraform as it is."""
        command = ["terraform", *arguments, "-input=false", "-no-color"]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def apply(self, **variables: Any) -> subprocess.CompletedProcess[str]:
        """Change variables, as a commit to the project would, and `terraform apply`."""
        self.set(**variables)
        return self.terraform("apply", "-auto-approve")

    def plan(self, **variables: Any) -> str:
        """`terraform plan`: its last words."""
        self.set(**variables)
        done = self.terraform("plan", "-detailed-exitcode")
        return {0: "no changes", 2: "changes"}.get(done.returncode, error_of(done))

    @contextmanager
    def waiting_for_an_answer(self, **variables: Any) -> Iterator[None]:
        """Have an apply wait for "yes" during the block; then say "no"."""
        self.set(**variables)
        process = subprocess.Popen(
            ["terraform", "apply", "-no-color"],
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout
        for line in process.stdout:
            if "Only 'yes' will be accepted" in line:
                break
        yield
        process.communicate("no\n")

    def set(self, **variables: Any) -> None:
        """Write variables into the project; a jar by its name in `build`."""
        if "jar" in variables:
            variables["jar"] = str(HERE / "build" / f"{variables['jar']}.jar")
        self.variables |= variables
        (self.folder / "terraform.tfvars.json").write_text(json.dumps(self.variables), "utf-8")

    def started_from(self) -> str:
        """What the service was told to start from: the name of a snapshot, or how it is to be found."""
        run = self.detail()["ApplicationConfigurationDescription"]["RunConfigurationDescription"]
        restore = run["ApplicationRestoreConfigurationDescription"]
        return str(restore.get("SnapshotName", restore["ApplicationRestoreType"]))

    def snapshot(self, name: str) -> None:
        """Take a snapshot by hand, and wait until it is whole."""
        self.service.create_application_snapshot(ApplicationName=NAME, SnapshotName=name)
        wait_until(lambda: self._snapshot_status(name) == "READY", f"snapshot {name}")

    def _snapshot_status(self, name: str) -> str:
        found = self.service.describe_application_snapshot(ApplicationName=NAME, SnapshotName=name)
        return str(found["SnapshotDetails"]["SnapshotStatus"])

    def call(self, operation: str, **request: Any) -> str:
        """Call the service by hand, and wait until the operation has ended; return how."""
        answer = getattr(self.service, operation)(ApplicationName=NAME, **request)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            found = self.service.describe_application_operation(ApplicationName=NAME, OperationId=answer["OperationId"])
            status = str(found["ApplicationOperationInfoDetails"]["OperationStatus"])
            if status != "IN_PROGRESS":
                return status
            time.sleep(0.2)
        raise TimeoutError(operation)


def succeeded(done: subprocess.CompletedProcess[str]) -> None:
    """Say that a run of Terraform has to succeed."""
    assert done.returncode == 0, done.stdout + done.stderr


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """The first error that Terraform told, without frame and preliminaries: the first sentence of the service's."""
    lines = [line.strip("│ ") for line in done.stderr.splitlines()]
    told = next((line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")), "")
    return re.split(r"\w+Exception: |unexpected state '\w+', wanted target '\w+'. last error: ", told)[-1].partition(
        ". "
    )[0]
