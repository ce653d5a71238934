"""One template, two environments with variables of their own, side by side; applied by the role's own commands."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import pytest
from jinja2 import Template
from ruamel.yaml import YAML

from tests.examples.stage import rows, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.examples.conftest import MakeStage
    from tests.examples.stage import Stage

pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(600)]


def test_two_environments_run_side_by_side_each_with_its_variables(make_stage: MakeStage) -> None:
    stage = make_stage("04-templates")
    for environment in ("dev", "production"):
        (stage.data / environment / "orders").mkdir(parents=True)
        _run_the_role(stage, environment)
    assert stage.status("large-orders@dev")["phase"] == stage.status("large-orders@production")["phase"] == "running"

    _order(stage.data / "dev", ["1,test,Mickey,0.50", "2,test,Minnie,1.25", "3,eu,Donald,5000.00"])
    _order(stage.data / "production", ["4,eu,Ada,99.99", "5,eu,Bob,100.01", "6,us,Cleo,249.99", "7,us,Dan,250.01"])
    wait_until(lambda: _large(stage.data / "dev", "test") == ["2,Minnie,1.25"], "dev's large orders")
    wait_until(lambda: _large(stage.data / "production", "eu") == ["5,B.,100.01"], "production's in the EU")
    wait_until(lambda: _large(stage.data / "production", "us") == ["7,D.,250.01"], "production's in the US")
    assert not (stage.data / "dev" / "large" / "eu").exists()

    stage.edit("application.yaml", "limits: {test: 1}", "limits: {test: 2}")
    stage.run("plan", "application.yaml", "--env", "production", "--check")
    stage.run("plan", "application.yaml", "--env", "dev", "--check", exit_code=3)
    _run_the_role(stage, "dev")
    assert stage.status("large-orders@dev")["revision"] == 2
    assert stage.status("large-orders@production")["revision"] == 1


def test_without_an_environment_nothing_is_applied(make_stage: MakeStage) -> None:
    stage = make_stage("04-templates")
    stage.run("apply", "application.yaml", "--yes", exit_code=1)


def _run_the_role(stage: Stage, environment: str) -> None:
    """Run the commands of the role's tasks, as Ansible would."""
    tasks: Sequence[dict[str, Any]] = YAML(typ="safe").load(stage.folder / "flink_jobs" / "tasks" / "main.yml")
    commands = [task["ansible.builtin.command"]["cmd"] for task in tasks]
    for command in commands:
        program, *arguments = shlex.split(Template(command).render(stage=environment))
        assert program == "scurry"
        stage.run(*arguments)


def _order(folder: Path, orders: Sequence[str]) -> None:
    arriving = folder / "arriving.csv"
    arriving.write_text("".join(f"{order}\n" for order in orders), "utf-8")
    arriving.rename(folder / "orders" / arriving.name)


def _large(folder: Path, region: str) -> list[str]:
    return sorted(rows(folder / "large" / region))
