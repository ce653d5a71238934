"""The acceptance tests that Terraform's AWS provider has for Flink applications, put as steps of configuration.

`terraform/acceptance/CASE/STEP.tf` is what CASE is configured as in a step; a case without that step stays as it was.
All cases take a step in one run of Terraform, because its runs are what costs. What the provider's tests assert are
`check` blocks, judged by the plan after the apply, which has to be clean.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scurry.emulator.endpoint import Emulator
from tests.emulator.clients import Clients, is_laid_over
from tests.emulator.terraform_cli import MISSING, Terraform, is_installed, provider

CASES = Path(__file__).parent / "terraform" / "acceptance"
STEPS = (1, 2, 3, 4, 5)
QUIET = ("-input=false", "-no-color")

pytestmark = [
    pytest.mark.flink,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none"),
    pytest.mark.skipif(not is_installed(), reason=MISSING),
]


@pytest.fixture
def terraform(emulator: Emulator, jar: Path, tmp_path: Path, name: str) -> Iterator[Terraform]:
    folder = tmp_path / "cases"
    folder.mkdir()
    shutil.copy(CASES / "shared.tf", folder)
    with provider(tmp_path, emulator.environment) as attached:
        given = {"TF_VAR_name": name, "TF_VAR_jar": str(jar), "TF_VAR_counts": str(tmp_path / "counts")}
        found = Terraform(folder=folder, environment={**emulator.environment, **attached, **given})
        found.init()
        yield found


def test_the_providers_own_acceptance_tests_pass(terraform: Terraform, clients: Clients, name: str) -> None:
    for step in STEPS:
        applied = _take(terraform, step)
        assert (" 1 destroyed" if step == 4 else " 0 destroyed") in applied, "all else is changed in place"
        told = terraform.run("plan", "-detailed-exitcode", *QUIET)
        assert "Warning" not in told, f"step {step}: {told}"
        if step == 3:
            _import_again(terraform, name)

    for gone in ("basic", "started-later"):
        clients.remove(f"{name}-{gone}")
    done = terraform.attempt("plan", "-detailed-exitcode", *QUIET)
    assert done.returncode == 2, done.stderr
    assert "Plan: 3 to add, 0 to change, 0 to destroy" in done.stdout, (
        "two applications, and a snapshot with one of them"
    )
    terraform.destroy()
    assert not [each for each in _names(clients) if each.startswith(name)]


def _take(terraform: Terraform, step: int) -> str:
    """Configure all cases as they are in a step, and apply that."""
    for case in CASES.iterdir():
        if (case / f"{step}.tf").exists():
            shutil.copy(case / f"{step}.tf", terraform.folder / f"{case.name}.tf")
    return terraform.run("apply", "-auto-approve", *QUIET)


def _import_again(terraform: Terraform, name: str) -> None:
    """What Terraform has forgotten is imported, and is what it was: running, at rest, a snapshot.

    That one is to be started is not read from the service, and is put into the state again; the provider's tests, too,
    leave it out of what they compare.
    """
    application, snapshot = "aws_kinesisanalyticsv2_application", "aws_kinesisanalyticsv2_application_snapshot.kept"
    arn = "arn:aws:kinesisanalytics:us-east-1:123456789012:application"
    known = {
        f"{application}.running": f"{arn}/{name}-running",
        f"{application}.flink": f"{arn}/{name}-flink",
        snapshot: f"{name}-started-later/{name}-kept",
    }
    terraform.run("state", "rm", *known)
    blocks = terraform.folder / "imports.tf"
    blocks.write_text("".join(f'import {{\n  to = {to}\n  id = "{id_}"\n}}\n' for to, id_ in known.items()), "utf-8")
    told = terraform.run("apply", "-auto-approve", *QUIET)
    assert "3 imported, 0 added, 1 changed, 0 destroyed" in told, told
    blocks.unlink()


def _names(clients: Clients) -> list[str]:
    return [each["ApplicationName"] for each in clients.service.list_applications()["ApplicationSummaries"]]
