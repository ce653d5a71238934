"""When the next scheduled snapshot is due: across clock changes, after a long silence, for many at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scurry.engine.schedule import LONGEST_DELAY, SPREAD, due_after, next_snapshot
from scurry.model.desired import SnapshotPolicy
from scurry.model.journal import History, Revision
from scurry.model.snapshot import Snapshot, SnapshotKind
from tests.targets.memory_rig import wish

NOON = datetime(2026, 5, 5, 12, 0, tzinfo=UTC)


def _history(*snapshots: Snapshot, schedule: str | None = "0 * * * *", applied_at: datetime = NOON) -> History:
    desired = msgspec.structs.replace(wish(), snapshots=SnapshotPolicy(schedule=schedule))
    revision = Revision(number=1, desired=desired, applied_at=applied_at, applied_by="anna")
    return History(application="shop", current=revision, snapshots=snapshots)


def _taken(at: datetime, kind: SnapshotKind = SnapshotKind.SAVEPOINT) -> Snapshot:
    return Snapshot(kind=kind, location=f"file:/savepoints/{at:%H%M}", taken_at=at)


def _scheduled(schedule: str, since: datetime, zone: str = "Europe/Berlin", count: int = 1) -> list[str]:
    """Return scheduled times one after the other, each taken in time, as `day hour:minute` in the zone and in UTC."""
    found = []
    for _ in range(count):
        due = due_after(since, policy=SnapshotPolicy(schedule=schedule, zone=zone), application="shop")
        assert due
        since = due.scheduled.astimezone(UTC)
        found.append(f"{due.scheduled:%d %H:%M} = {since:%H:%M}")
    return found


def test_what_is_in_the_hour_that_is_skipped_runs_right_after_it() -> None:
    # In Berlin, on 29 March 2026, 02:00 is followed by 03:00.
    before = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
    assert _scheduled("30 2 * * *", before, count=2) == ["29 03:00 = 01:00", "30 02:30 = 00:30"]


def test_what_runs_every_hour_runs_every_hour_when_clocks_are_put_forward() -> None:
    before = datetime(2026, 3, 29, 0, 10, tzinfo=UTC)
    assert _scheduled("0 * * * *", before, count=3) == ["29 03:00 = 01:00", "29 04:00 = 02:00", "29 05:00 = 03:00"]


def test_a_fixed_time_in_the_hour_that_comes_twice_runs_once() -> None:
    # In Berlin, on 25 October 2026, 03:00 is followed by 02:00.
    before = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)
    assert _scheduled("30 2 * * *", before, count=2) == ["25 02:30 = 00:30", "26 02:30 = 01:30"]


@pytest.mark.parametrize("minute", range(0, 60, 7))
def test_in_the_second_pass_of_an_hour_nothing_of_the_first_is_due_again(minute: int) -> None:
    in_the_second = datetime(2026, 10, 25, 1, minute, tzinfo=UTC)
    assert _scheduled("30 2 * * *", in_the_second) == ["26 02:30 = 01:30"]


def test_what_runs_every_hour_runs_in_both_passes_of_the_hour_that_comes_twice() -> None:
    before = datetime(2026, 10, 24, 23, 10, tzinfo=UTC)
    assert _scheduled("0 * * * *", before, count=3) == ["25 02:00 = 00:00", "25 02:00 = 01:00", "25 03:00 = 02:00"]


def test_missed_runs_are_made_up_once() -> None:
    last = _taken(NOON)
    now = NOON + timedelta(days=9)
    missed = next_snapshot(_history(last), now=now)
    assert missed
    assert missed.at < now
    again = next_snapshot(_history(_taken(now), last), now=now)
    assert again
    assert now < again.at <= now + timedelta(hours=1) + LONGEST_DELAY


def test_a_snapshot_that_a_person_or_an_upgrade_took_stands_for_the_ones_before_it() -> None:
    due = next_snapshot(_history(_taken(NOON + timedelta(minutes=70))), now=NOON + timedelta(minutes=71))
    assert due
    assert due.scheduled == NOON + timedelta(hours=2)


def test_checkpoints_stand_for_no_scheduled_snapshot() -> None:
    due = next_snapshot(_history(_taken(NOON + timedelta(minutes=70), SnapshotKind.CHECKPOINT)), now=NOON)
    assert due
    assert due.scheduled == NOON + timedelta(hours=1)


def test_the_first_snapshot_of_a_revision_is_counted_from_its_apply() -> None:
    due = next_snapshot(_history(applied_at=NOON + timedelta(minutes=1)), now=NOON + timedelta(hours=7))
    assert due
    assert due.scheduled == NOON + timedelta(hours=1)


def test_a_clock_that_was_put_back_does_not_stop_snapshots() -> None:
    from_the_future = _taken(NOON + timedelta(days=365))
    due = next_snapshot(_history(from_the_future), now=NOON + timedelta(minutes=30))
    assert due
    assert due.scheduled == NOON + timedelta(hours=1)


def test_without_a_schedule_or_a_revision_nothing_is_due() -> None:
    assert next_snapshot(_history(schedule=None), now=NOON) is None
    assert next_snapshot(History(application="shop"), now=NOON) is None


def test_five_thousand_hourly_applications_do_not_begin_in_the_same_second() -> None:
    policy = SnapshotPolicy(schedule="@hourly")
    found = [due_after(NOON, policy=policy, application=f"shop-{number}") for number in range(5000)]
    seconds: dict[int, int] = {}
    for due in found:
        assert due
        assert timedelta() <= due.delay <= timedelta(hours=1) * SPREAD
        second = int(due.delay.total_seconds())
        seconds[second] = seconds.get(second, 0) + 1
    assert len(seconds) == 360
    assert max(seconds.values()) < 40  # 14 on the average


def test_the_delay_is_told_and_the_same_every_time() -> None:
    policy = SnapshotPolicy(schedule="@daily", zone="Asia/Tokyo")
    one, two = (due_after(NOON, policy=policy, application="shop") for _ in range(2))
    assert one == two
    assert str(one).startswith("2026-05-06 00:00 JST, put off by ")


@given(
    schedule=st.sampled_from(["* * * * *", "*/7 * * * *", "0 * * * *", "30 2 * * *", "0 0 * * 0", "15 1-4 * * *"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    since=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
)
def test_due_times_move_forward_in_every_zone_and_their_delay_is_shorter_than_their_distance(
    schedule: str, zone: str, since: datetime
) -> None:
    policy = SnapshotPolicy(schedule=schedule, zone=zone)
    found = []
    at = since
    for _ in range(6):
        due = due_after(at, policy=policy, application="shop")
        assert due
        assert due.at >= due.scheduled > at
        found.append(due)
        at = due.scheduled.astimezone(UTC)
    for one, two in pairwise(found):
        assert one.delay < two.scheduled.astimezone(UTC) - one.scheduled.astimezone(UTC)
