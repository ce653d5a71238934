"""Where a plan says that its savepoint is not canonical."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scurry.engine.savepoint_formats import job_to_save, told
from scurry.model.desired import UpgradeMode
from scurry.model.observed import Phase
from scurry.model.operation import Delete, Operation, Rescale, Suspend, TakeSnapshot, Upgrade
from scurry.model.plan import Change, Plan
from scurry.model.snapshot import FromLatest, Restore, SnapshotFormat, Stateless
from tests.targets.memory_rig import wish

JOB = "a" * 32


def upgrade(mode: UpgradeMode = UpgradeMode.SAVEPOINT, restore: Restore | None = None) -> Upgrade:
    return Upgrade(desired=wish(), restore=restore or FromLatest(), mode=mode, job_id=JOB)


def plan(operation: Operation) -> Plan:
    change = Change(operation=operation, reason="so", consequences=("It stops.",))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Plan(application="shop", target="here", phase=Phase.RUNNING, position=1, changes=(change,), made_at=now)


TAKING = (upgrade(), Suspend(job_id=JOB), TakeSnapshot(job_id=JOB), Delete(job_id=JOB))
NOT_TAKING = (
    upgrade(UpgradeMode.LAST_STATE),
    upgrade(restore=Stateless(why="asked")),
    Suspend(job_id=JOB, snapshot=False),
    Delete(job_id=JOB, snapshot=False),
    Delete(job_id=None),
    Rescale(desired=wish(), job_id=JOB),
)


@pytest.mark.parametrize("operation", TAKING)
def test_what_takes_a_savepoint_says_when_it_is_native(operation: Operation) -> None:
    assert job_to_save(operation) == JOB
    (change,) = told(plan(operation), SnapshotFormat.NATIVE).changes
    assert change.consequences[0] == "It stops."
    assert "asynchronous state" in change.consequences[1]


@pytest.mark.parametrize("format", [SnapshotFormat.CANONICAL, None])
def test_else_nothing_is_said(format: SnapshotFormat | None) -> None:
    assert told(plan(upgrade()), format) == plan(upgrade())


@pytest.mark.parametrize("operation", NOT_TAKING)
def test_what_takes_none_says_nothing(operation: Operation) -> None:
    assert job_to_save(operation) is None
    assert told(plan(operation), SnapshotFormat.NATIVE) == plan(operation)
