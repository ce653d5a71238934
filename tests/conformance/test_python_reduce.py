"""PyFlink's `reduce()` draws the name of its state at each start: said before the stop, and that the way out is one."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from scurry.model.compatibility import Fit
from scurry.model.errors import IncompatibleState
from scurry.model.result import ApplyOutcome
from scurry.workspace import Workspace
from tests.conformance.stage import PROJECT, VERSION
from tests.flink.local_flink import stopped_afterwards, until

pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(900)]

SPEC = """\
name: reducing
flink: "{version}"
code: {{python: reducing.py, args: {args}}}
config: {{execution.checkpointing.interval: 500ms}}
upgrade: {{health: {{window: 180s, hold: 5s}}}}
"""


def test_the_state_of_a_reduce_is_refused_to_be_lost_and_kept_under_the_name_that_is_told(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parent / "applications" / "reducing.py", tmp_path)
    (tmp_path / "scurry.yaml").write_text(PROJECT)
    spec = tmp_path / "reducing.yaml"

    def write(*args: str) -> Path:
        spec.write_text(SPEC.format(version=VERSION, args=json.dumps(args)))
        return spec

    def is_checkpointed() -> bool:
        live = Workspace.open(tmp_path).observe("reducing")[0].live
        return live is not None and live.checkpoints.completed > 3

    with stopped_afterwards(tmp_path / ".scurry"):
        first = Workspace.open(tmp_path).apply(write(), confirm=lambda plan: True)
        assert first.outcome is ApplyOutcome.CONVERGED, first
        until(is_checkpointed, "it has counted")
        with pytest.raises(IncompatibleState, match="lost at each build") as caught:
            Workspace.open(tmp_path).apply(write("--label", "x"), confirm=lambda plan: True)
        named = re.search(r"ReducingStateDescriptor\('(_reduce_state[0-9a-f-]{36})'", caught.value.hint or "")
        assert named, caught.value.hint
        (change,) = Workspace.open(tmp_path).plan(write("--state", named[1])).changes
        assert change.compatibility
        assert change.compatibility.fit is Fit.FITS, change.compatibility
        second = Workspace.open(tmp_path).apply(write("--state", named[1]), confirm=lambda plan: True)
        assert second.outcome is ApplyOutcome.CONVERGED, second
