"""A server that is paused past its lease in the middle of upgrades: another takes over, and the woken one is refused.

Real processes on a real PostgreSQL. Only how long a lease lasts is changed, and where the one that is paused stands.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import urllib3

from scurry.model.journal import OperationRecord, RevisionOutcome
from scurry.targets.memory import Memory
from tests.journal.conftest import journal_url, postgresql  # noqa: F401 - fixtures
from tests.server.site import PROJECT, Running, Site, until
from tests.server.test_servers import on_server

BRIEF = """
from datetime import timedelta
from scurry.engine import lease
lease.LEASE = timedelta(seconds=2)
"""
STANDING = """
import sys, time
from pathlib import Path
from scurry.model.operation import Action
from scurry.targets.memory import MemoryTarget
there, run = Path(sys.argv.pop()), MemoryTarget.run
points = {"before-stop", "after-stop", "before-submit", "after-submit"}

def stand(point):
    (there / point).touch()
    while not (there / "go").exists():
        time.sleep(0.02)

def standing(self, step, context):
    point = context.desired.application
    if point == f"before-{step.action.value}":
        stand(point)
    outcome = run(self, step, context)
    if point == f"after-{step.action.value}":
        stand(point)
    return outcome

MemoryTarget.run = standing
"""
"""each application's upgrade stands at the point that it is named by: the call is about to be made, or was answered"""
MAIN = "from scurry.cli.main import main\nraise SystemExit(main())"
POINTS = ("before-stop", "after-stop", "before-submit", "after-submit")


@pytest.fixture
def shared(tmp_path: Path, journal_url: str) -> Iterator[Site]:  # noqa: F811 - the fixture
    site = Site(tmp_path, PROJECT + on_server(journal_url, tmp_path))
    for name in POINTS:
        site.apply(name)
    yield site
    site.end()


def test_who_wakes_up_in_the_middle_of_upgrades_does_nothing_twice_and_writes_nothing(
    shared: Site, tmp_path: Path
) -> None:
    there = tmp_path / "points"
    there.mkdir()
    standing = ("-c", BRIEF + STANDING + MAIN)
    with (
        shared.server("--takeover", "2s", str(there), program=standing) as paused,
        shared.server("--takeover", "2s", program=("-c", BRIEF + MAIN)) as heir,
    ):
        shared.until_ready(heir.address())
        pool = urllib3.PoolManager(retries=False, timeout=60, maxsize=len(POINTS))
        upgrades = {name: _upgrade(pool, paused, name) for name in POINTS}
        until(lambda: all((there / name).exists() for name in POINTS), "each stands at its point")
        paused.send(signal.SIGSTOP)

        until(lambda: all(_is_upgraded(shared, name) for name in POINTS), "the other one has completed all")
        operations, memory = _operations(shared), _memory(shared)
        (there / "go").touch()
        paused.send(signal.SIGCONT)

        for name, answer in upgrades.items():
            last = json.loads(answer.data.splitlines()[-1])
            assert last["error"]["code"] == "lease-lost", (name, last)
        pool.clear()
        assert _operations(shared) == operations
        assert _memory(shared) == memory
        shared.until_ready(paused.address())
    for name in POINTS:
        _, *jobs = _memory(shared).jobs[shared.live(name)[0].id].state.history
        assert len(jobs) == 1  # the one that runs goes on from the first one's state, with none between


def _upgrade(pool: urllib3.PoolManager, server: Running, name: str) -> urllib3.BaseHTTPResponse:
    url = f"{server.address()}/api/v1/applications/{name}/scale"
    answer = pool.request("POST", url, json={"parallelism": 2}, preload_content=False)
    assert answer.status == 200
    return answer


def _is_upgraded(site: Site, name: str) -> bool:
    history, live = site.history(name), site.live(name)
    assert len(live) <= 1
    is_healthy = history.current is not None and history.current.outcome is RevisionOutcome.HEALTHY
    return history.interrupted is None and is_healthy and [job.parallelism for job in live] == [2]


def _operations(site: Site) -> dict[str, tuple[OperationRecord, ...]]:
    return {name: site.open().journal.operations(name) for name in POINTS}


def _memory(site: Site) -> Any:
    path = site.folder / ".scurry" / "memory" / "mem.json"
    return msgspec.json.decode(path.read_bytes(), type=Memory)
