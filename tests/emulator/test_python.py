"""PyFlink zips, as the service takes them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.clients import Clients, custom_flink, is_laid_over
from tests.emulator.test_lifecycle import counted, error_of

pytestmark = [
    pytest.mark.flink,
    pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none"),
]

FOLDER = Path(__file__).parent / "python"
GROUP = "kinesis.analytics.flink.run.options"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "code.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.write(FOLDER / "main.py", "app/main.py")
        packed.write(FOLDER / "counting.py", "lib/counting.py")
    return path


def configuration(clients: Clients, archive: Path, counts: Path, **options: str) -> dict[str, Any]:
    return {
        "ApplicationCodeConfiguration": clients.upload(archive, "code.zip"),
        "EnvironmentProperties": {
            "PropertyGroups": [
                {"PropertyGroupId": GROUP, "PropertyMap": options},
                {"PropertyGroupId": "Job", "PropertyMap": {"counts": str(counts)}},
            ]
        },
        "FlinkApplicationConfiguration": custom_flink(),
    }


def test_a_python_application_keeps_its_state_through_stop_and_start(
    name: str, clients: Clients, archive: Path, counts: Path
) -> None:
    clients.create(name, **configuration(clients, archive, counts, python="app/main.py", pyFiles="lib"))
    started = clients.start(name)
    assert started["OperationStatus"] == "SUCCESSFUL", started
    counted(counts, beyond=50)
    assert clients.stop(name)["OperationStatus"] == "SUCCESSFUL"
    before = counted(counts)
    clients.start(name)
    found = counted(counts, beyond=before[-1] + 50)
    assert found == sorted(found), "it never began anew"
    clients.remove(name)


def test_what_the_zip_does_not_hold_is_told_by_its_option(
    name: str, clients: Clients, archive: Path, counts: Path
) -> None:
    clients.create(name, **configuration(clients, archive, counts, python="other.py"))
    assert f"There is no 'other.py' in the code, which python of {GROUP} names" in error_of(clients.start(name))
    assert clients.status(name) == "READY"
    clients.create(f"{name}-2", **configuration(clients, archive, counts, python="app/main.py", jarfile="../../etc"))
    assert "which jarfile of" in error_of(clients.start(f"{name}-2"))
