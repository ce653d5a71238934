"""Savepoints and checkpoints that fail, cannot be written or take long: the job goes on, or its state moves on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scurry.model.errors import RejectedByTarget, TargetUnavailable
from scurry.model.result import ApplyOutcome
from tests.faults.ground import NAME, Ground, told_by
from tests.flink.local_flink import until

pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(600)]


@contextmanager
def told_to(survivor: Ground, what: str) -> Iterator[Path]:
    """Have the running job misbehave for a while: `fail`, `refuse` or `slow`, in writing its state or a savepoint."""
    order = survivor.trouble / what
    order.touch()
    try:
        yield order
    finally:
        order.unlink(missing_ok=True)


def goes_on(survivor: Ground) -> None:
    """Do what was told to do, and judge."""
    survivor.converge()
    survivor.judge()


def test_a_savepoint_that_a_function_refuses_leaves_the_job_running(survivor: Ground) -> None:
    """Flink restarts the job then, from its newest checkpoint."""
    before = survivor.live_jobs()
    survivor.change()
    # Not its checkpoints, too: a job that restarts for ever is replaced, not stopped.
    with told_to(survivor, "refuse"):
        with pytest.raises(RejectedByTarget, match=r"the stop with a savepoint of job \w+ failed") as refused:
            survivor.apply()
        assert refused.value.hint
        assert survivor.live_jobs() == before
    survivor.judge()
    goes_on(survivor)
    assert survivor.live_jobs() != before


def test_a_directory_that_cannot_be_written_leaves_the_job_running(survivor: Ground) -> None:
    before, away = survivor.live_jobs(), survivor.folder / "away"
    survivor.change()
    survivor.savepoints.rename(away)
    survivor.savepoints.write_text("no directory")
    try:
        with pytest.raises(RejectedByTarget):
            survivor.apply()
        assert survivor.live_jobs() == before
        survivor.judge()
    finally:
        survivor.savepoints.unlink()
        away.rename(survivor.savepoints)
    goes_on(survivor)


def test_a_savepoint_slower_than_any_limit_is_not_abandoned(survivor: Ground) -> None:
    """It completes when nobody waits for it any more; the next command finds it and starts from it."""
    (before,) = survivor.live_jobs()
    survivor.change(stop_timeout="1s")
    with told_to(survivor, "slow"), pytest.raises(TargetUnavailable, match="still in progress") as waited:
        survivor.apply()
    assert waited.value.hint
    assert "same command again" in waited.value.hint
    until(lambda: survivor.live_jobs() == [], "the stop is done")
    goes_on(survivor)
    _, history = survivor.open().observe(NAME)
    assert history.restored
    assert history.restored.job_id == before


def test_a_savepoint_that_is_still_slow_for_the_next_command_is_waited_for_by_it(survivor: Ground) -> None:
    survivor.change(stop_timeout="1s")
    with told_to(survivor, "slow") as order:
        with pytest.raises(TargetUnavailable):
            survivor.apply()
        timer = threading.Timer(2.0, order.unlink)
        timer.start()
        told = survivor.converge()
        timer.join()
    assert "without a hint" not in " ".join(told)
    goes_on(survivor)


def test_a_job_that_dies_after_its_savepoint_was_written_is_gone_on_from_there(survivor: Ground) -> None:
    """Its sinks have committed what is in the savepoint: from its checkpoint before, that would be written twice."""
    (before,) = survivor.live_jobs()
    there = {path.name for path in survivor.savepoints.iterdir()}
    last = survivor.tally.read().last
    killed = threading.Event()

    def strike() -> None:
        until(lambda: _new_savepoints(survivor, there), "the savepoint is written")
        until(lambda: _is_still(survivor, last), "what is in it is committed")
        survivor.kill("taskmanager-1")
        # The next job may be given to the dead TaskManager yet, and is rolled back then: it may not linger, too.
        order.unlink()
        killed.set()
        survivor.restore_cluster()

    survivor.change()
    with told_to(survivor, "linger") as order:
        beside = threading.Thread(target=strike)
        beside.start()
        told = told_by(survivor.apply)
        beside.join()
    assert killed.is_set()
    assert "rejected" not in told, told
    goes_on(survivor)
    (written,) = (name for name in _new_savepoints(survivor, there) if name.startswith(f"savepoint-{before[:6]}-"))
    restored = [
        entry.outcome.snapshot.location
        for record in survivor.open().history(NAME)[1]
        for entry in record.steps
        if entry.outcome and entry.outcome.snapshot and entry.outcome.snapshot.job_id == before
    ]
    assert [location.rpartition("/")[2] for location in restored] == [written]


def _new_savepoints(survivor: Ground, there: set[str]) -> list[str]:
    return [path.parent.name for path in survivor.savepoints.glob("*/_metadata") if path.parent.name not in there]


def _is_still(survivor: Ground, last: int) -> bool:
    """Whether something was committed since, and nothing more is."""
    now = survivor.tally.read().last
    time.sleep(0.5)
    return now > last and survivor.tally.read().last == now


def test_a_revision_whose_checkpoints_fail_is_rolled_back_with_the_state(survivor: Ground, tmp_path: Path) -> None:
    (tmp_path / "fail").touch()
    survivor.change(f"trouble={tmp_path}", window="5s")
    applied = survivor.apply()
    assert applied.outcome is ApplyOutcome.ROLLED_BACK
    assert applied.error
    assert "told to write no state" in applied.error.message
    survivor.judge()
    survivor.change()
    goes_on(survivor)


def test_when_no_checkpoint_completes_any_more_nothing_is_lost_and_it_goes_on_later(survivor: Ground) -> None:
    """The new revision is not healthy, nor is the old one when it is back: told, and put right later."""
    survivor.change(window="4s", mode="last-state")
    with told_to(survivor, "fail"):
        told = told_by(survivor.apply)
    assert told != ApplyOutcome.CONVERGED
    assert "without a hint" not in told
    goes_on(survivor)


def test_a_cluster_that_stays_away_is_told_and_the_application_comes_back_with_it(survivor: Ground) -> None:
    """Longer than any command waits."""
    survivor.change()
    survivor.kill("jobmanager")
    began = time.monotonic()
    with pytest.raises(TargetUnavailable) as away:
        survivor.apply()
    assert away.value.hint
    assert time.monotonic() - began < 30
    survivor.restored()
    goes_on(survivor)


def test_a_full_disk_for_savepoints_leaves_the_job_running_until_there_is_room(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("mounting a small disk needs root and unshare")
    command = ["unshare", "--mount", sys.executable, "-m", "tests.faults.full_disk", str(tmp_path)]
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    run = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=500, check=False
    )
    if run.returncode == 77:
        pytest.skip(f"no file system can be mounted here: {run.stderr.strip()}")
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    assert told["full"]["code"] == "rejected-by-target"
    assert "No space left on device" in told["full"]["cause"]
    assert told["same_job"]
    assert told["afterwards"][-1] == "unchanged"
