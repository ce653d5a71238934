"""A jar from Maven Central runs, and goes on from its savepoint with another parallelism and other arguments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.examples.stage import rows, wait_until

if TYPE_CHECKING:
    from tests.examples.conftest import MakeStage
    from tests.examples.stage import Stage

NAME = "top-speed"
pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(600)]


def test_a_jar_by_its_coordinate_is_rescaled_and_upgraded_with_its_state(make_stage: MakeStage) -> None:
    stage = make_stage("02-jar")

    first = stage.apply()
    assert (first["outcome"], first["revision"]) == ("converged", 1)
    wait_until(lambda: bool(rows(stage.data / "speeds")), "speeds of cars")
    assert _parallelisms(stage) == {1}
    assert re.fullmatch(r"\(\d+,\d+,[\d.E]+,\d+\)", rows(stage.data / "speeds")[0])

    stage.edit("application.yaml", "parallelism: 1", "parallelism: 2")
    assert stage.apply()["outcome"] == "converged"
    assert max(_parallelisms(stage)) == 2

    stage.edit("application.yaml", "/speeds", "/speeds-from-now-on")
    third = stage.apply()
    assert (third["outcome"], third["revision"]) == ("converged", 3)
    # Flink refuses a savepoint with state that no operator takes, so all of it has been taken.
    assert stage.status(NAME)["restored_from"] == third["snapshot"]["location"]
    wait_until(lambda: bool(rows(stage.data / "speeds-from-now-on")), "speeds in the new folder")

    (pinned,) = re.findall(r"TopSpeedWindowing.*", (stage.folder / "scurry.lock").read_text("utf-8"))[:1]
    assert pinned


def _parallelisms(stage: Stage) -> set[int]:
    job = stage.status(NAME)["job"]["id"]
    return {vertex["parallelism"] for vertex in stage.rest(NAME, f"/jobs/{job}")["vertices"]}
