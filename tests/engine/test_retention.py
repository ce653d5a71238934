"""Which snapshots a policy drops, and that none goes which a rollback, a start or the running job needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scurry.engine import restore
from scurry.engine.retention import Retention, needed_by, place, retention, runnable
from scurry.model.desired import SnapshotPolicy
from scurry.model.journal import History, OperationOutcome, OperationRecord, Revision, RevisionOutcome
from scurry.model.observed import Job, JobState, Observed
from scurry.model.operation import DropSnapshot, Operation, Resume, TakeSnapshot
from scurry.model.snapshot import FromSnapshot, Snapshot, SnapshotKind
from tests.targets.memory_rig import wish

NOW = datetime(2026, 5, 5, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SAVEPOINT, CHECKPOINT = SnapshotKind.SAVEPOINT, SnapshotKind.CHECKPOINT


def _snapshot(
    hours: float,
    *,
    kind: SnapshotKind = SAVEPOINT,
    job: str = "job-1",
    revision: int | None = 1,
    size: int | None = 10,
    name: str = "",
) -> Snapshot:
    """Return a snapshot that was taken so many hours ago."""
    location = f"file:/state/{name or f'{kind.value}-{job}-{hours:g}'}"
    taken_at = NOW - HOUR * hours
    return Snapshot(kind=kind, location=location, taken_at=taken_at, job_id=job, revision=revision, size_bytes=size)


def _revision(number: int, config: dict[str, str] | None = None) -> Revision:
    desired = msgspec.structs.replace(wish(variant=number), config=config or {})
    return Revision(number=number, desired=desired, applied_at=NOW, applied_by="anna", outcome=RevisionOutcome.HEALTHY)


def _history(*snapshots: Snapshot, current: Revision | None = None, previous: Revision | None = None) -> History:
    revision = current or _revision(1)
    return History(
        application="shop",
        current=revision,
        healthy=revision,
        previous_healthy=previous,
        job_id="job-1",
        snapshots=tuple(sorted(snapshots, key=lambda snapshot: snapshot.taken_at, reverse=True)),
    )


def _job(id: str = "job-1", state: JobState = JobState.RUNNING, restored_from: str | None = None) -> Job:
    return Job(id=id, name="shop", state=state, restored_from=restored_from)


def _judge(history: History, observed: Observed | None = None, **policy: object) -> Retention:
    return retention(
        history.snapshots,
        observed or Observed(jobs=(_job(),)),
        history,
        policy=SnapshotPolicy(**policy),  # type: ignore[arg-type]
        now=NOW,
    )


def _dropped(found: Retention) -> list[str]:
    return [judged.snapshot.location.rpartition("/")[2] for judged in found.drop]


def _hourly(count: int) -> list[Snapshot]:
    return [_snapshot(hours, name=str(hours)) for hours in range(1, count + 1)]


def test_without_a_policy_nothing_goes() -> None:
    assert _judge(_history(*_hourly(100))) == Retention()


def test_so_many_are_kept_and_the_oldest_go_first() -> None:
    found = _judge(_history(*_hourly(5)), keep=3)
    assert _dropped(found) == ["5", "4"]
    assert {judged.reason for judged in found.drop} == {"3 newer ones are kept"}
    assert found.freed_bytes == 20


def test_what_is_too_old_goes() -> None:
    found = _judge(_history(*_hourly(5)), max_age=HOUR * 3)
    assert _dropped(found) == ["5", "4"]
    assert found.drop[0].reason == "it is 5 h old; max_age is 3 h"


def test_what_is_too_much_together_goes_and_unknown_sizes_are_told() -> None:
    snapshots = [*_hourly(5), _snapshot(0.5, size=None)]
    found = _judge(_history(*snapshots), max_size=30)
    assert _dropped(found) == ["5", "4"]
    assert found.drop[-1].reason == "the newer ones and it take 40 bytes; max_size is 30"
    assert found.unknown_sizes == 1


def test_the_newest_state_stays_however_old_and_big_it_is() -> None:
    found = _judge(_history(_snapshot(1000, size=10**15)), Observed(), keep=0, max_age=HOUR, max_size=1)
    assert not found.drop
    (kept,) = found.keep
    assert kept.needed == "it is the newest state of this application"


def test_a_drained_one_does_not_stand_for_the_newest_that_can_be_gone_on_from() -> None:
    drained = msgspec.structs.replace(_snapshot(1), drained=True)
    usable = _snapshot(2, name="usable")
    found = _judge(_history(drained, usable, _snapshot(3, name="older")), Observed(), keep=0)
    assert _dropped(found) == ["older"]


def test_the_newest_of_each_revision_that_a_rollback_goes_to_stays() -> None:
    snapshots = [_snapshot(hours, revision=4 - hours, name=f"r{4 - hours}") for hours in (1, 2, 3)]
    older = _snapshot(9, revision=2, name="r2-older")
    history = _history(*snapshots, older, current=_revision(3), previous=_revision(2))
    found = _judge(history, keep=0)
    assert _dropped(found) == ["r2-older", "r1"]
    assert found.keep[1].needed == "it is the newest of revision 2, which a rollback would use"


def test_the_newest_of_a_revision_is_known_also_when_many_are_newer() -> None:
    old = _snapshot(900, revision=2, name="old")
    previous = msgspec.structs.replace(_revision(2), snapshot=old)
    history = _history(*_hourly(50), current=_revision(3), previous=previous)
    assert needed_by(old, Observed(jobs=(_job(),)), history)


def test_what_the_running_job_started_from_stays_however_flink_writes_its_place() -> None:
    started_from = _snapshot(9, name="started-from")
    observed = Observed(jobs=(_job(restored_from="file:///state/started-from/_metadata"),))
    found = _judge(_history(*_hourly(3), started_from), observed, keep=1)
    assert _dropped(found) == ["3", "2"]


def test_what_the_running_job_started_from_stays_after_a_failover_of_its_own() -> None:
    started_from = _snapshot(9, name="started-from")
    history = msgspec.structs.replace(_history(*_hourly(3), started_from), restored=started_from)
    observed = Observed(jobs=(_job(restored_from="file:/state/chk-77"),))
    assert _dropped(_judge(history, observed, keep=1)) == ["3", "2"]


def test_checkpoints_of_the_running_job_are_its_own() -> None:
    checkpoint = _snapshot(9, kind=CHECKPOINT)
    found = _judge(_history(*_hourly(2), checkpoint), keep=1)
    assert _dropped(found) == ["2"]


def test_a_savepoint_that_another_tool_took_is_left_to_people() -> None:
    seen, adopted = _snapshot(8, name="seen"), msgspec.structs.replace(_snapshot(9), foreign=True)
    history = _history(*_hourly(2), adopted)
    found = _judge(history, Observed(jobs=(_job(),), retained=(seen,)), keep=1)
    assert _dropped(found) == ["2"]
    assert [judged.needed for judged in found.keep] == ["scurry did not take it"] * 2
    assert needed_by(seen, Observed(), history) is None


def test_checkpoints_of_one_job_go_together_since_they_share_files() -> None:
    old, new = (_snapshot(hours, kind=CHECKPOINT, job="job-0") for hours in (9, 8))
    history = _history(*_hourly(2), old, new)
    assert not _judge(history, keep=3).drop
    assert _dropped(_judge(history, keep=2)) == ["checkpoint-job-0-9", "checkpoint-job-0-8"]
    assert "shared" in str(needed_by(old, Observed(jobs=(_job(),)), history))


def test_checkpoints_stay_when_jobs_claim_what_they_start_from() -> None:
    claiming = _revision(1, {"execution.state-recovery.claim-mode": "CLAIM"})
    history = _history(*_hourly(2), _snapshot(9, kind=CHECKPOINT, job="job-0"), current=claiming)
    assert _dropped(_judge(history, keep=1)) == ["2"]


def test_what_a_failed_job_left_is_pruned_while_the_target_still_shows_the_job() -> None:
    left = msgspec.structs.replace(_snapshot(9, kind=CHECKPOINT, job="job-0"))
    ended = msgspec.structs.replace(_job("job-0", JobState.FAILED), latest_checkpoint=left)
    found = _judge(_history(*_hourly(2)), Observed(jobs=(_job(), ended)), keep=2)
    assert _dropped(found) == ["checkpoint-job-0-9"]


def test_while_the_target_does_not_answer_nothing_goes() -> None:
    found = _judge(_history(*_hourly(5)), Observed(reachable=False), keep=1)
    assert not found.drop
    assert len(found.keep) == 4


def test_while_the_job_is_down_the_rest_goes_all_the_same() -> None:
    assert _dropped(_judge(_history(*_hourly(5)), Observed(), keep=3)) == ["5", "4"]


def _with_last(history: History, operation: Operation, outcome: OperationOutcome | None) -> History:
    last = OperationRecord(
        id=7,
        application="shop",
        operation=operation,
        reason="a test",
        revision=None,
        started_at=NOW,
        started_by="anna",
        outcome=outcome,
        finished_at=NOW if outcome else None,
    )
    return msgspec.structs.replace(history, last=last)


@pytest.mark.parametrize("outcome", [None, OperationOutcome.INTERRUPTED])
def test_nothing_goes_before_an_interrupted_operation_is_completed(outcome: OperationOutcome | None) -> None:
    history = _with_last(_history(*_hourly(5)), TakeSnapshot(job_id="job-1"), outcome)
    found = _judge(history, keep=1)
    assert not found.drop
    assert "apply again" in str(found.keep[0].needed)


def test_an_interrupted_deletion_stops_no_other() -> None:
    history = _history(*_hourly(3))
    history = _with_last(history, DropSnapshot(snapshot=history.snapshots[-1]), OperationOutcome.INTERRUPTED)
    assert _dropped(_judge(history, keep=1)) == ["3", "2"]


def test_what_a_failed_operation_was_to_start_from_stays() -> None:
    named = _snapshot(4, name="named")
    operation = Resume(desired=wish(), restore=FromSnapshot(snapshot=named))
    history = _with_last(_history(*_hourly(3), named), operation, OperationOutcome.FAILED)
    assert _dropped(_judge(history, keep=1)) == ["3", "2"]


@pytest.mark.parametrize(
    "location", ["/a/b", "/a/b/", "file:/a/b", "file:///a/b", "file:///a/b/_metadata", "/a/b/_metadata/"]
)
def test_a_place_is_one_however_it_is_written(location: str) -> None:
    assert place(location) == "/a/b"


def test_places_of_other_stores_differ() -> None:
    assert place("s3://a/b") != place("s3://c/b")
    assert place("hdfs://host/a/b/_metadata") == "hdfs://host/a/b"


_snapshots = st.lists(
    st.builds(
        Snapshot,
        kind=st.sampled_from([SAVEPOINT, CHECKPOINT]),
        location=st.integers(0, 30).map("file:/state/{}".format),
        taken_at=st.integers(0, 40).map(lambda hours: NOW - HOUR * hours),
        job_id=st.sampled_from(["job-1", "job-2", "job-3"]),
        revision=st.sampled_from([None, 1, 2, 3]),
        size_bytes=st.none() | st.integers(0, 100),
        drained=st.booleans(),
        foreign=st.booleans(),
    ),
    unique_by=lambda snapshot: snapshot.location,
    max_size=14,
)
_policies = st.builds(
    SnapshotPolicy,
    keep=st.none() | st.integers(0, 5),
    max_age=st.none() | st.integers(0, 30).map(lambda hours: HOUR * hours),
    max_size=st.none() | st.integers(0, 500),
)


@st.composite
def _situations(draw: st.DrawFn) -> tuple[list[Snapshot], Observed, History]:
    """Draw snapshots, what the target shows, and a history that may know only the newest of them."""
    found = sorted(draw(_snapshots), key=lambda snapshot: snapshot.taken_at, reverse=True)
    known = [snapshot for snapshot in found if draw(st.booleans())]
    jobs = tuple(
        _job(id, draw(st.sampled_from([JobState.RUNNING, JobState.FAILED])), draw(_locations))
        for id in draw(st.sets(st.sampled_from(["job-1", "job-2"])))
    )

    def revision(number: int) -> Revision:
        own = (snapshot for snapshot in known if snapshot.revision == number)
        return msgspec.structs.replace(_revision(number), snapshot=next(own, None))

    history = History(
        application="shop",
        current=draw(st.none() | st.just(revision(3))),
        healthy=draw(st.none() | st.just(revision(2))),
        previous_healthy=draw(st.none() | st.just(revision(1))),
        job_id=draw(st.sampled_from([None, "job-1"])),
        snapshots=tuple(known[:3]),
        restored=draw(st.none() | st.sampled_from(known)) if known else None,
    )
    retained = tuple(snapshot for snapshot in found if snapshot not in known)
    observed = Observed(reachable=draw(st.booleans()), jobs=jobs, retained=retained)
    return known, observed, history


_locations = st.none() | st.integers(0, 30).map("/state/{}/_metadata".format)


@settings(max_examples=500)
@given(situation=_situations(), policy=_policies)
def test_whatever_there_is_the_newest_state_and_what_a_rollback_needs_stay(
    situation: tuple[list[Snapshot], Observed, History], policy: SnapshotPolicy
) -> None:
    known, observed, history = situation
    found = retention(known, observed, history, policy=policy, now=NOW)
    dropped = {place(judged.snapshot.location) for judged in found.drop}
    everything = {place(snapshot.location): snapshot for snapshot in (*known, *observed.retained)}
    left = [snapshot for location, snapshot in everything.items() if location not in dropped]

    assert not dropped or observed.reachable
    newest = restore.newest(observed, history)
    assert newest is None or place(newest.location) not in dropped
    if everything:
        assert max(snapshot.taken_at for snapshot in left) == max(s.taken_at for s in everything.values())
    for revision in runnable(history):
        own = [s.taken_at for s in everything.values() if s.revision == revision.number and not s.drained]
        if own:
            assert max(own) in [s.taken_at for s in left if s.revision == revision.number]
    live = [job for job in observed.jobs if not job.state.is_terminal]
    for job in live:
        assert job.restored_from is None or place(job.restored_from) not in dropped
    for judged in found.drop:
        snapshot = judged.snapshot
        assert not snapshot.foreign
        assert not any(snapshot.kind is CHECKPOINT and snapshot.job_id == job.id for job in live)
        assert snapshot.kind is CHECKPOINT or snapshot in known
    kept_checkpoints = {snapshot.job_id for snapshot in left if snapshot.kind is CHECKPOINT}
    assert not kept_checkpoints & {j.snapshot.job_id for j in found.drop if j.snapshot.kind is CHECKPOINT}


@settings(max_examples=200)
@given(situation=_situations(), policy=_policies)
def test_a_second_pruning_right_after_the_first_drops_nothing_more(
    situation: tuple[list[Snapshot], Observed, History], policy: SnapshotPolicy
) -> None:
    known, observed, history = situation
    first = retention(known, observed, history, policy=policy, now=NOW)
    gone = {judged.snapshot.location for judged in first.drop}

    def without(snapshots: tuple[Snapshot, ...] | list[Snapshot]) -> tuple[Snapshot, ...]:
        return tuple(snapshot for snapshot in snapshots if snapshot.location not in gone)

    def after(revision: Revision | None) -> Revision | None:
        gone_too = revision and revision.snapshot and revision.snapshot.location in gone
        return msgspec.structs.replace(revision, snapshot=None) if revision and gone_too else revision

    again = retention(
        without(known),
        msgspec.structs.replace(observed, retained=without(observed.retained)),
        msgspec.structs.replace(
            history,
            snapshots=without(history.snapshots),
            current=after(history.current),
            healthy=after(history.healthy),
            previous_healthy=after(history.previous_healthy),
        ),
        policy=policy,
        now=NOW,
    )
    assert not again.drop
