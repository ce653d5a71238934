"""PyFlink: sessions over two sources; one that is open when its code is changed has its earlier visits afterwards."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest

from scurry.flink.python import fitting_pythons
from tests.examples.stage import rows, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.examples.conftest import MakeStage

NAME = "sessions"
FIRST, LAST = fitting_pythons("2.3.0")
pytestmark = [
    pytest.mark.flink,
    pytest.mark.network,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not FIRST <= sys.version_info[1] <= LAST,
        reason=f"PyFlink 2.3.0 needs Python 3.{FIRST} to 3.{LAST}, and this is {sys.version.split()[0]}",
    ),
]


def test_a_session_that_is_open_during_an_upgrade_is_whole_afterwards(make_stage: MakeStage) -> None:
    stage = make_stage("03-sessions")
    for channel in ("web", "app"):
        (stage.data / channel).mkdir(parents=True)

    def visit(part: int) -> None:
        for channel in ("web", "app"):
            arrived = shutil.copy(stage.folder / "visits" / f"{channel}-{part}.jsonl", stage.data / f".{channel}")
            (stage.data / channel / f"{part}.jsonl").hardlink_to(arrived)
            (stage.data / f".{channel}").unlink()

    first = stage.apply()
    assert (first["outcome"], first["revision"]) == ("converged", 1)
    visit(1)
    wait_until(lambda: _sessions(stage.data).keys() == {("ada", 9), ("bob", 9)}, "the sessions that are over")

    stage.edit("sessions.py", '"pages": [', '"visits": len(visits),\n            "pages": [')
    second = stage.apply()
    assert (second["outcome"], second["revision"]) == ("converged", 2)
    assert stage.status(NAME)["restored_from"] == second["snapshot"]["location"]

    visit(2)
    wait_until(lambda: ("cleo", 10) in _sessions(stage.data), "the session that was open")
    stage.run("stop", NAME, "--drain", "--yes")

    found = _sessions(stage.data)
    assert found.keys() == {("ada", 9), ("bob", 9), ("cleo", 10), ("dan", 10), ("ada", 11), ("eve", 14)}
    assert found["ada", 9]["channels"] == ["app", "web"]
    assert found["bob", 9]["pages"] == ["/search", "/"], "visits are in the order of their times"
    assert "visits" not in found["bob", 9]
    assert found["cleo", 10]["pages"] == ["/shirts", "/shirts/2", "/basket", "/thanks"]
    assert found["cleo", 10]["visits"] == 4
    assert found["cleo", 10]["length"] == "50 minutes"
    assert found["eve", 14]["visits"] == 2


def test_every_operator_with_state_has_its_uid_from_the_constants() -> None:
    from tests.examples.stage import EXAMPLES

    code = (EXAMPLES / "03-sessions" / "sessions.py").read_text("utf-8")
    assert code.count(".uid(") == 4
    assert '.uid("' not in code


def _sessions(folder: Path) -> dict[tuple[str, int], dict[str, Any]]:
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for line in rows(folder / "sessions"):
        session = json.loads(line)
        key = (session["visitor"], int(session["from"][11:13]))
        assert key not in found, f"{key} was written twice"
        found[key] = session
    return found
