"""State of a target that keeps its snapshots to itself: a copy is read where there is one, else programs are asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from scurry.engine.compatibility_recalled import REMARK
from scurry.model.compatibility import Compatibility, Fit
from scurry.model.errors import SnapshotNotFound, StorageError, TargetUnavailable
from scurry.model.journal import History
from scurry.model.observed import Observed
from scurry.model.operation import Resume
from scurry.model.snapshot import Exported, FromSnapshot, Snapshot, SnapshotKind
from tests.engine.state_of import program, wanted
from tests.looking import COUNT, MadeUp
from tests.test_preflight import AFTER, BEFORE, NOW, found, kept, occasion, upgrade


def taken(name: str, *, age: timedelta = timedelta(hours=1), job_id: str | None = "a" * 32) -> Snapshot:
    return kept(name, kind=SnapshotKind.MANAGED, location=f"arn:{name}", taken_at=NOW - age, job_id=job_id)


def running(*snapshots: Snapshot) -> Observed:
    from scurry.model.observed import Job, JobState

    job = Job(id="a" * 32, name="shop", state=JobState.RUNNING, latest_checkpoint=next(iter(snapshots), None))
    return Observed(jobs=(job,), retained=snapshots)


class Copies:
    """Where copies are, by the snapshot's location."""

    def __init__(self, *there: str) -> None:
        self.there = there
        self.asked: list[str] = []

    def __call__(self, snapshot: Snapshot) -> Exported | None:
        self.asked.append(snapshot.location)
        copied = snapshot.location in self.there
        return Exported(location=f"s3://copies/{snapshot.location}", s3=None) if copied else None


def verdict(made_up: MadeUp, copies: Any, seen: Observed, **more: Any) -> Compatibility:
    given: dict[str, Any] = {"exported": copies, "history": History(application="shop", job_id="a" * 32), **more}
    return found(made_up, upgrade(), occasion(seen, **given))


def remembering() -> MadeUp:
    """Return what tells what the old program asks for, too."""
    return MadeUp(before=program(wanted("counts", COUNT)))


def test_of_a_running_job_the_newest_copy_is_read_and_its_age_is_told() -> None:
    made_up, copies = remembering(), Copies("arn:older", "arn:oldest")
    seen = running(taken("newest"), taken("older", age=timedelta(hours=3)), taken("oldest", age=timedelta(days=1)))
    told = verdict(made_up, copies, seen)
    assert (told.fit, told.location) == (Fit.FITS, "arn:older")
    assert made_up.reads == ["s3://copies/arn:older"]
    assert copies.asked == ["arn:newest", "arn:older"]
    (remark,) = told.remarks
    assert remark.message.startswith("this is the state of ")
    assert remark.remedy
    assert "scurry snapshot create shop" in remark.remedy


def test_a_copy_that_an_older_program_wrote_says_less_than_the_program_that_runs() -> None:
    made_up, copies = remembering(), Copies("arn:own", "arn:before")
    before = taken("before", job_id=None)

    def wrote(snapshot: Snapshot | None) -> Any:
        return AFTER if snapshot is before else BEFORE

    told = verdict(made_up, copies, running(before), wrote=wrote)
    assert made_up.reads == []
    assert copies.asked == []
    assert [remark.message for remark in told.remarks] == [REMARK]
    assert told.remarks[0].remedy
    assert "scurry snapshot create shop" in told.remarks[0].remedy


def test_a_restart_of_the_same_program_leaves_the_copy_as_good_as_it_was() -> None:
    made_up, copies = remembering(), Copies("arn:before")
    verdict(made_up, copies, running(taken("before", job_id=None)))
    assert made_up.reads == ["s3://copies/arn:before"]


def test_of_a_snapshot_that_is_named_its_own_copy_is_read() -> None:
    made_up, copies = MadeUp(), Copies("arn:named", "arn:newest")
    operation = Resume(desired=AFTER, restore=FromSnapshot(snapshot=taken("named")))
    told = found(made_up, operation, occasion(running(taken("newest")), exported=copies))
    assert made_up.reads == ["s3://copies/arn:named"]
    assert told.remarks == (), "that very state is started from"


@pytest.mark.parametrize("error", [StorageError("access denied"), SnapshotNotFound("access denied")])
def test_a_copy_that_cannot_be_read_is_told_and_the_programs_are_compared(error: Exception) -> None:
    made_up = remembering()

    def fail() -> None:
        raise error

    made_up.on_read = fail
    told = verdict(made_up, Copies("arn:newest"), running(taken("newest")))
    assert told.fit is Fit.FITS
    assert [remark.message for remark in told.remarks] == [f"{REMARK} (access denied)"]


def test_a_service_that_does_not_tell_of_copies_is_told_and_the_programs_are_compared() -> None:
    def silent(snapshot: Snapshot) -> Exported | None:
        raise TargetUnavailable("throttled", target="msf")

    told = verdict(remembering(), silent, running(taken("newest")))
    assert [remark.message for remark in told.remarks] == [f"{REMARK} (throttled)"]


def test_many_snapshots_without_a_copy_are_not_all_asked_after() -> None:
    copies = Copies()
    verdict(remembering(), copies, running(*(taken(f"s{n}", age=timedelta(hours=n)) for n in range(40))))
    assert len(copies.asked) == 5
