"""Copies of snapshots on a real Flink: it goes on from a copy, without the original, and no record is lost or twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest

from scurry.model.reporting import SilentReporter
from scurry.model.result import ApplyOutcome
from scurry.savepoints.copy import copy_snapshot
from scurry.savepoints.files import local_path
from scurry.savepoints.handles import FileStream, SegmentStream
from scurry.savepoints.snapshot import load_metadata
from scurry.savepoints.storage import AnyStorage
from scurry.stored_state import state_of
from tests.conformance.stage import Ledger, is_same
from tests.flink.local_flink import ask, until

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(600)]

IN_FILES = "execution.checkpointing.data-inline-threshold: 0b"
ROCKSDB = f"state.backend.type: rocksdb, execution.checkpointing.incremental: true, {IN_FILES}"
MERGED = f"execution.checkpointing.file-merging.enabled: true, {ROCKSDB}"


def goes_on_from_a_copy(ledger: Ledger, snapshot: str, tmp_path: Path) -> None:
    """Copy a snapshot twice, delete all but the second copy, start from that."""
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    copy_snapshot(snapshot, first, AnyStorage(), SilentReporter())
    shutil.rmtree(original(snapshot))
    Path(first).rename(f"{first}-moved")
    found = copy_snapshot(f"{first}-moved", second, AnyStorage(), SilentReporter())
    shutil.rmtree(f"{first}-moved")
    assert found.files, "all of the state was in _metadata, so nothing was tried"
    started = ledger.verb("start", source=found.location)
    assert started.outcome is ApplyOutcome.CONVERGED, started
    assert is_same(ledger.job().restored_from, found.location)
    ledger.goes_on()


def original(snapshot: str) -> Path:
    """The savepoint; of a checkpoint, all that its job has left: what is shared, too."""
    path = local_path(snapshot)
    return path.parent if path.name.startswith("chk-") else path


def streams(snapshot: str) -> list[FileStream | SegmentStream]:
    found = load_metadata(snapshot, AnyStorage())
    return [
        stream
        for operator in found.operators
        for subtask in operator.subtasks
        for stream in subtask.streams()
        if isinstance(stream, FileStream | SegmentStream)
    ]


def test_a_job_goes_on_from_the_copy_of_a_canonical_savepoint(ledger: Ledger, tmp_path: Path) -> None:
    ledger.converge(config=IN_FILES)
    stopped = ledger.verb("stop")
    assert stopped.snapshot
    goes_on_from_a_copy(ledger, stopped.snapshot.location, tmp_path)


def test_a_job_goes_on_from_the_copy_of_a_native_rocksdb_savepoint(ledger: Ledger, tmp_path: Path) -> None:
    ledger.converge(config=ROCKSDB)
    location = stopped_natively(ledger, tmp_path / "savepoints")
    assert sum(stream.relative for stream in streams(location) if isinstance(stream, FileStream)) > 3
    goes_on_from_a_copy(ledger, location, tmp_path)


@pytest.mark.parametrize(
    ("config", "refers"),
    [
        (ROCKSDB, lambda stream: isinstance(stream, FileStream) and "/shared/" in stream.path),
        (MERGED, lambda stream: isinstance(stream, SegmentStream)),
    ],
    ids=["incremental", "file-merging"],
)
def test_a_job_goes_on_from_the_copy_of_a_checkpoint(
    ledger: Ledger, tmp_path: Path, config: str, refers: Callable[[object], bool]
) -> None:
    ledger.converge(config=config)
    ledger.verb("stop", snapshot=False)
    newest = ledger.stage.open().snapshots(ledger.name)[0]
    assert any(map(refers, streams(newest.location))), "the original is not what is to be tried"
    goes_on_from_a_copy(ledger, newest.location, tmp_path)


def test_the_checkpoints_of_a_running_job_are_read_while_they_come_and_go(ledger: Ledger) -> None:
    ledger.converge(config=f"{IN_FILES}, execution.checkpointing.num-retained: 1")
    ledger.goes_on()  # the first checkpoint may be one of before the first record
    seen = set()
    for _ in range(10):
        found = state_of(ledger.stage.open(), ledger.name)
        assert any(state.name == "total" or operator.key for operator in found.operators for state in operator.states)
        assert not any(operator.unread for operator in found.operators)
        seen.add(found.checkpoint_id)
    assert seen


def stopped_natively(ledger: Ledger, folder: Path) -> str:
    """Stop the job by REST: scurry itself takes canonical savepoints."""
    cluster, job = ledger.stage.cluster(), ledger.job()
    body = {"targetDirectory": f"file:{folder}", "formatType": "NATIVE", "drain": False}
    request = Request(
        f"{cluster.rest_url}/jobs/{job.id}/stop",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=30) as response:
        trigger = json.load(response)["request-id"]
    told: dict[str, Any] = {}

    def is_over() -> bool:
        told.update(ask(cluster, f"/jobs/{job.id}/savepoints/{trigger}"))
        return bool(told["status"]["id"] == "COMPLETED")

    until(is_over, "the job is stopped")
    return str(told["operation"]["location"])
