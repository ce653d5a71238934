"""`status` of a fleet: targets that do not answer are waited for together, not one after the other."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from scurry.looking import DETAILED
from scurry.model.observed import Phase
from scurry.workspace import Workspace
from tests.server.site import Site

COUNT = DETAILED + 8


def test_many_targets_that_do_not_answer_take_no_longer_than_one(tmp_path: Path) -> None:
    names = [f"t{number}" for number in range(COUNT)]
    site = Site(tmp_path, "targets:\n" + "".join(f"  {name}: {{kind: memory}}\n" for name in names))
    for name in names:
        site.open().apply(site.spec(f"on-{name}"), target=name, confirm=lambda plan: True)
    site.end()
    with socket.create_server(("127.0.0.1", 0), backlog=COUNT * 4) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        slow = "".join(
            f"  {name}: {{kind: rest, url: '{url}', timeouts: {{connect: 2s, read: 2s}}}}\n" for name in names[1:]
        )
        (tmp_path / "scurry.yaml").write_text(f"targets:\n  t0: {{kind: memory}}\n{slow}")
        workspace = Workspace.open(tmp_path)
        started = time.monotonic()
        reports = workspace.status()
        took = time.monotonic() - started
        workspace.assembly.journal_to_read.close()
    assert took < COUNT * 2 / 2
    phases = {report.name: report.phase for report in reports}
    assert phases.pop("on-t0") is Phase.RUNNING
    assert set(phases.values()) == {Phase.UNKNOWN}
