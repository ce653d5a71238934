"""Airflow's own operators and sensors of the service, from PyPI into an environment of its own: start, wait, stop."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from scurry.emulator.endpoint import Emulator
from tests.emulator.clients import Clients, is_laid_over, properties
from tests.emulator.test_lifecycle import counted

WALK = Path(__file__).parent / "airflow" / "walk.py"
PROVIDER = "apache-airflow-providers-amazon"

pytestmark = [
    pytest.mark.flink,
    pytest.mark.network,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none"),
]


def installed(folder: Path) -> Path:
    """Install the provider and return its Python. By uv: pip takes minutes to find what fits among 160 packages."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "uv"], check=True)
    uv = [str(folder / "bin" / "uv"), "pip", "install", "--quiet", "--no-cache", "--python", str(python)]
    subprocess.run([*uv, PROVIDER], check=True)
    return python


def test_airflow_starts_waits_and_stops(
    name: str, emulator: Emulator, clients: Clients, jar: Path, counts: Path, tmp_path: Path
) -> None:
    python = installed(tmp_path / "venv")
    clients.create(
        name,
        ApplicationCodeConfiguration=clients.upload(jar),
        EnvironmentProperties=properties(counts=str(counts)),
    )
    kept = {key: text for key, text in os.environ.items() if key in {"PATH", "LANG", "TMPDIR"}}
    environment = {**kept, **emulator.environment, "HOME": str(tmp_path), "AIRFLOW_HOME": str(tmp_path / "airflow")}
    done = subprocess.run(
        [str(python), str(WALK), name], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    arn = clients.detail(name)["ApplicationARN"]
    told = [line for line in done.stdout.splitlines() if line.startswith(("start", "stop"))]
    assert told == [f"start: {arn}", "started: True", f"stop: {arn}", "stopped: True"], done.stdout + done.stderr
    assert clients.status(name) == "READY"
    assert counted(counts, beyond=0), "it ran"
    assert len(clients.service.list_application_snapshots(ApplicationName=name)["SnapshotSummaries"]) == 1
    clients.remove(name)
