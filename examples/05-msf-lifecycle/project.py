"""What the situations share when they are met with scurry: its command in a project of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from on_service import OnService
from output import Output

HERE = Path(__file__).parent
SCURRY = Path(sys.executable).with_name("scurry")
NAME = "totals"


class Project(OnService):
    """A copy of this folder's application.yaml and scurry.yaml, which the situations change as a person would."""

    def __init__(self, folder: Path) -> None:
        super().__init__(NAME)
        folder.mkdir(parents=True, exist_ok=True)
        for file in ("application.yaml", "scurry.yaml"):
            shutil.copy(HERE / file, folder)
        (folder / "build").symlink_to(HERE / "build")
        self.folder = folder
        self.output = Output(folder / "totals.txt")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command that writes one document."""
        environment = {**os.environ, "TOTALS": str(self.output.path)}
        return subprocess.Popen(
            [SCURRY, *arguments, "--json"],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run a command: its exit code and document."""
        process = self.start(*arguments)
        output, _ = process.communicate()
        return process.returncode, json.loads(output)

    def apply(self) -> dict[str, Any]:
        """`scurry apply`: what became of the application, or the error."""
        return changed(self.run("apply", "application.yaml", "--yes"))

    def status(self) -> dict[str, Any]:
        """`scurry status` of the application."""
        _, document = self.run("status", NAME)
        found: dict[str, Any] = document["applications"][0]
        return found

    def log_level(self) -> str:
        """The log level that the application has on the service."""
        flink = self.detail()["ApplicationConfigurationDescription"]["FlinkApplicationConfigurationDescription"]
        return str(flink["MonitoringConfigurationDescription"]["LogLevel"])

    def edit(self, before: str, after: str, *, file: str = "application.yaml") -> None:
        """Change a file."""
        path = self.folder / file
        text = path.read_text("utf-8")
        assert before in text, f"{file} has no {before!r}"
        path.write_text(text.replace(before, after), "utf-8")


def changed(done: tuple[int, dict[str, Any]]) -> dict[str, Any]:
    """What a command that changes an application says of it; the whole document where it does not come to that."""
    document = done[1]
    applications = document.get("applications")
    found: dict[str, Any] = applications[0] if applications else document
    return found


def converged(application: dict[str, Any]) -> None:
    """Say that an application has to have become what was wished."""
    assert application.get("outcome") == "converged", application


def message_of(document: dict[str, Any]) -> str:
    """The error of a document; empty where there is none."""
    error = document.get("error") or {}
    return str(error.get("message", ""))
