"""Which snapshot is the latest of an application, and when its snapshot mode can be left by a rollback. No Flink."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NoReturn

import pytest

from scurry.emulator import configuration
from scurry.emulator.enhanced import OWNED_KEY, check_return
from scurry.emulator.enhanced_records import (
    CREATE,
    OPERATIONS_KEPT_S,
    EnhancedRecords,
    EnhancedSnapshot,
    Name,
    SnapshotOperation,
    Source,
)
from scurry.emulator.errors import ServiceError
from scurry.emulator.records import Application, Records, Snapshot, Version
from scurry.emulator.snapshots import Snapshots
from scurry.emulator.work import Works


def version(number: int, *, enhanced: bool, before: int | None = None) -> Version:
    mode = {"SnapshotMode": "ENHANCED_SNAPSHOTS"} if enhanced else {}
    given = configuration.created({"ApplicationSnapshotConfiguration": {"SnapshotsEnabled": True, **mode}})
    return Version(id=number, runtime="FLINK-1_20", role="r", configuration=given, created=0, updated_from=before)


def application(*versions: Version) -> Application:
    now = time.time()
    return Application(
        name="a", arn="arn:application/a", created=now, updated=now, version=versions[-1].id, versions=list(versions)
    )


def enhanced(name: str, of: Application, number: int, *, created: float | None = None) -> EnhancedSnapshot:
    source = Source(application=of.name, created=created or of.created, version=1)
    return EnhancedSnapshot(
        name=name, operation=CREATE, status="READY", source=source, key=OWNED_KEY, number=number, location=name
    )


def no_plane(_: Application) -> NoReturn:
    raise AssertionError("nothing runs here")


def test_the_latest_snapshot_is_of_either_kind_and_of_this_very_application(tmp_path: Path) -> None:
    records = Records(tmp_path)
    snapshots = Snapshots(Works(records), no_plane)
    found = application(version(1, enhanced=True))
    for each in (enhanced("namesake", found, 9, created=1.0), enhanced("mine", found, 1)):
        records.enhanced.begin(SnapshotOperation(name=CREATE), each.name, each)
    assert snapshots.to_restore(found, found.current, {}) == "mine", "one of that name before had the other"
    older = Snapshot(name="old", status="READY", version=1, created=0, runtime="FLINK-1_20", location="old", number=2)
    found.snapshots.append(older)
    assert snapshots.latest(found) is older
    assert snapshots.latest(found, of=version(2, enhanced=True)) is None
    records.enhanced.names["mine"].snapshot = None
    found.snapshots.clear()
    assert snapshots.to_restore(found, found.current, {}) is None


def test_a_rollback_leaves_the_mode_only_while_nothing_else_was_updated() -> None:
    legacy = version(1, enhanced=False)
    check_return(application(legacy, version(2, enhanced=True, before=1)), legacy)
    updated = application(legacy, version(2, enhanced=True, before=1), version(3, enhanced=True, before=2))
    with pytest.raises(ServiceError, match="was updated since it uses"):
        check_return(updated, legacy)
    check_return(updated, updated.at(2))


def test_operations_are_kept_for_ninety_days(tmp_path: Path) -> None:
    records = EnhancedRecords(tmp_path)
    ages = (OPERATIONS_KEPT_S - 60, OPERATIONS_KEPT_S + 60)
    for name, age in zip(("young", "old"), ages, strict=True):
        operation = SnapshotOperation(name=CREATE, status="SUCCESSFUL", start=time.time() - age)
        records.names[name] = Name(name=name, operations=[operation])
        records.save(name)
    EnhancedRecords(tmp_path).resume()
    again = EnhancedRecords(tmp_path)
    again.resume()
    assert list(again.names) == ["young"]
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == ["snap-young"]
