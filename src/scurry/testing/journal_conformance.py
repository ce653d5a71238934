"""The conformance suite of the port `Journal`. To judge a journal, subclass it and say how to open one:

    class TestMyJournal(JournalConformance):
        @pytest.fixture
        def journal_factory(self, tmp_path):
            return lambda *, clock, owner: MyJournal(tmp_path / "journal", clock=clock, owner=owner)

Each call opens one and the same journal, as another process would. The fixture closes what it opened.
The suite is judged by mutations of the SQLite journal: tests/journal/test_mutations.py.
"""

# ruff: noqa: D102 - the names of the tests are the promises

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from scurry.model.desired import HealthPolicy, SnapshotPolicy, UpgradeMode, UpgradePolicy
from scurry.model.errors import JournalError
from scurry.model.journal import Intent, OperationOutcome, OperationRecord, RevisionOutcome, StepRecord
from scurry.model.operation import (
    Action,
    Adjust,
    Adopt,
    Delete,
    Deploy,
    DropSnapshot,
    Operation,
    Outcome,
    Rescale,
    Resume,
    Step,
    Suspend,
    TakeSnapshot,
    Upgrade,
)
from scurry.model.snapshot import FromLatest, FromSnapshot, SnapshotFormat, SnapshotKind, Stateless
from scurry.model.values import SecretRef
from scurry.testing.journal_cases import CASES, Case, Summary
from scurry.testing.journal_concurrency import ALICE
from scurry.testing.journal_fleet import FleetConformance
from scurry.testing.journal_story import APPLICATION, START, SetClock, Story, savepoint, wish

if TYPE_CHECKING:
    from scurry.model.ports import Journal

_FULL_SNAPSHOT = msgspec.structs.replace(
    savepoint("full", job_id="a" * 32, revision=1),
    flink_version="2.3.0",
    format=SnapshotFormat.NATIVE,
    size_bytes=1 << 40,
    drained=True,
    foreign=True,
)
_FULL_WISH = msgspec.structs.replace(
    wish(3),
    entry="com.example.Main",
    args=("--in", SecretRef(source="env", name="PASSWORD"), "ü ✓ 'quoted' \"twice\" ; --"),
    config={"execution.checkpointing.interval": "10s"},
    properties={"input": {"path": "data/*.csv"}},
    secrets={"password": SecretRef(source="file", name="/run/secrets/p")},
    upgrade=UpgradePolicy(
        mode=UpgradeMode.LAST_STATE,
        allow_non_restored_state=("uid-1", "uid-2"),
        health=HealthPolicy(window=timedelta(seconds=1.5), restarts=2, checkpoints=0),
        stop_timeout=timedelta(hours=3),
    ),
    snapshots=SnapshotPolicy(schedule="0 * * * *", keep=24, max_age=timedelta(days=7)),
    labels={"team": "data"},
)
_OPERATIONS: tuple[Operation, ...] = (
    Deploy(desired=_FULL_WISH, restore=Stateless(why="it is new")),
    Upgrade(desired=_FULL_WISH, restore=FromLatest(), mode=UpgradeMode.SAVEPOINT, job_id="j", rollback_to=1),
    Rescale(desired=_FULL_WISH, job_id="j"),
    Adjust(desired=_FULL_WISH),
    Suspend(job_id="j", snapshot=False, drain=True),
    Resume(desired=_FULL_WISH, restore=FromSnapshot(snapshot=_FULL_SNAPSHOT)),
    TakeSnapshot(job_id="j"),
    DropSnapshot(snapshot=_FULL_SNAPSHOT),
    Delete(job_id=None, snapshot=False),
    Adopt(desired=_FULL_WISH, job_id="j", sound=True, restored=_FULL_SNAPSHOT, snapshots=(_FULL_SNAPSHOT,)),
)


class JournalConformance(FleetConformance):
    """What every journal does. The names of the tests are the promises."""

    # The summary -----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_the_summary_after(self, journal: Journal, other: Journal, case: Case) -> None:
        case.happens(Story(journal))
        for reader in (journal, other):
            known = APPLICATION in reader.applications()
            assert Summary.of(reader.history(APPLICATION), known=known) == case.expected

    def test_an_application_that_nobody_wrote_about_has_an_empty_history(self, journal: Journal) -> None:
        history = journal.history("unheard-of")
        assert (history.position, history.intent, history.next_revision) == (0, Intent.ABSENT, 1)
        assert (history.current, history.last, history.snapshots, history.typical_gap_s) == (None, None, (), None)
        assert journal.applications() == ()
        assert journal.revisions("unheard-of") == ()
        assert journal.revision("unheard-of", 1) is None
        assert journal.operations("unheard-of") == ()

    def test_the_lineage_is_the_same_for_everyone_and_every_application(self, journal: Journal, other: Journal) -> None:
        assert len(journal.history(APPLICATION).lineage) >= 16
        Story(journal).revise(1)
        assert journal.history(APPLICATION).lineage == other.history("payments").lineage

    def test_the_intent_is_what_was_asked_for_last(self, journal: Journal, other: Journal) -> None:
        story = Story(journal)
        for intent in (Intent.RUN, Intent.SUSPEND, Intent.ABSENT, Intent.RUN):
            journal.set_intent(story.lease, intent)
            assert other.history(APPLICATION).intent is intent

    def test_applications_are_told_by_name_and_apart(self, journal: Journal) -> None:
        for name in ("zebra", "ant", "ant@production"):
            Story(journal, name).deploy(1, f"job of {name}")
        assert journal.applications() == ("ant", "ant@production", "zebra")
        assert journal.history("ant").job_id == "job of ant"
        assert journal.history("ant").marks == ("job of ant",)

    def test_the_marks_hold_the_last_twenty_submits_and_always_the_job_that_runs(self, journal: Journal) -> None:
        story = Story(journal)
        story.deploy(1, "running")
        story.begin_resume(1, 1)
        story.start(Action.SUBMIT, "open")
        story.end(OperationOutcome.INTERRUPTED)
        for number in range(30):
            story.begin_resume(1, 1)
            story.refuse(Action.SUBMIT, f"refused-{number}")
            story.end(OperationOutcome.FAILED)
        marks = journal.history(APPLICATION).marks
        assert marks[:20] == tuple(f"refused-{number}" for number in range(29, 9, -1))
        assert {"open", "running"} <= set(marks)
        assert len(marks) <= 25

    def test_a_mark_whose_fate_is_not_known_is_not_counted_until_it_is(self, journal: Journal) -> None:
        story = Story(journal)
        story.begin_deploy(1)
        ordinal = story.start(Action.SUBMIT, "job-1")
        story.start(Action.STOP, "stop-1")
        story.start(Action.UPLOAD)
        history = journal.history(APPLICATION)
        assert (history.resolved_submits, history.resolved_triggers) == (0, 0)
        for _ in range(2):
            journal.finish_step(story.lease, story.operation, ordinal, outcome=Outcome(job_id="job-1"))
        history = journal.history(APPLICATION)
        assert (history.resolved_submits, history.resolved_triggers) == (1, 0)

    def test_the_typical_gap_is_the_median_of_the_last_five_upgrades_that_were_done(self, journal: Journal) -> None:
        story = Story(journal)
        story.deploy(1, "job-0")
        for number, gap in enumerate((100.0, 100.0, 9.0, 1.0, 5.0, 3.0)):
            story.upgrade(number, f"job-{number}", snapshot=savepoint(f"s{number}"), gap_s=gap)
        assert journal.history(APPLICATION).typical_gap_s == 5.0
        for _ in range(3):
            for outcome, gap_s in ((OperationOutcome.FAILED, 70.0), (OperationOutcome.DONE, None)):
                story.begin_upgrade(7)
                story.end(outcome, gap_s=gap_s)
            story.begin_resume(7, None)
            story.end(gap_s=70.0)
        assert journal.history(APPLICATION).typical_gap_s == 5.0
        story.upgrade(9, "job-9", snapshot=savepoint("s9"), gap_s=0.5)
        assert journal.history(APPLICATION).typical_gap_s == 3.0

    def test_the_typical_gap_of_two_is_their_mean(self, journal: Journal) -> None:
        story = Story(journal)
        for gap in (1.0, 2.0):
            story.upgrade(int(gap), f"job-{gap}", snapshot=savepoint("s"), gap_s=gap)
        assert journal.history(APPLICATION).typical_gap_s == 1.5

    def test_what_the_submitted_job_was_restored_from_is_told_until_the_next_one(self, journal: Journal) -> None:
        story = Story(journal)
        story.begin_deploy(1)
        for restored in (_FULL_SNAPSHOT, None):
            ordinal = story.start(Action.SUBMIT)
            journal.finish_step(story.lease, story.operation, ordinal, outcome=Outcome(restored=restored))
            assert journal.history(APPLICATION).restored == restored

    def test_a_submit_that_brought_no_job_id_is_known_by_its_mark(self, journal: Journal) -> None:
        story = Story(journal)
        story.begin_deploy(1)
        ordinal = story.start(Action.SUBMIT, "chosen")
        journal.finish_step(story.lease, story.operation, ordinal, outcome=Outcome())
        assert journal.history(APPLICATION).job_id == "chosen"

    # Snapshots -------------------------------------------------------------------------------------------------

    def test_snapshots_are_told_newest_first_by_when_they_were_taken(self, journal: Journal) -> None:
        story = _with_snapshots(journal, minutes=(3, 1, 2))
        assert _names(journal) == ["s3", "s2", "s1"]
        journal.drop_snapshot(story.lease, savepoint("s2", minutes=2))
        assert _names(journal) == ["s3", "s1"]

    def test_no_more_than_the_newest_fifty_snapshots_are_told(self, journal: Journal) -> None:
        _with_snapshots(journal, minutes=tuple(range(60)))
        assert _names(journal) == [f"s{minute}" for minute in range(59, 9, -1)]

    def test_a_snapshot_that_is_found_twice_is_one(self, journal: Journal) -> None:
        _with_snapshots(journal, minutes=(1, 1))
        assert _names(journal) == ["s1"]

    def test_dropping_what_the_journal_did_not_know_is_remembered_and_shows_nothing(self, journal: Journal) -> None:
        story = _with_snapshots(journal, minutes=(1,))
        journal.drop_snapshot(story.lease, msgspec.structs.replace(savepoint("chk-7"), kind=SnapshotKind.CHECKPOINT))
        assert _names(journal) == ["s1"]

    def test_a_snapshot_is_of_the_revision_whose_job_wrote_it(self, journal: Journal) -> None:
        story = Story(journal)
        story.deploy(1, "job-1")
        story.upgrade(2, "job-2", snapshot=savepoint("s1", minutes=1, job_id="job-1"))
        story.begin_snapshot()
        story.land(Action.SNAPSHOT, snapshot=savepoint("s2", minutes=2))
        story.land(Action.SNAPSHOT, snapshot=savepoint("s0", minutes=0, job_id="somebody else's"))
        story.land(Action.SNAPSHOT, snapshot=savepoint("s3", minutes=3, revision=1))
        history = journal.history(APPLICATION)
        assert [(snapshot.location[-2:], snapshot.revision) for snapshot in history.snapshots] == [
            ("s3", 1),
            ("s2", 2),
            ("s1", 1),
            ("s0", None),
        ]

    def test_a_revision_tells_the_newest_snapshot_that_its_jobs_left(self, journal: Journal) -> None:
        story = Story(journal)
        story.deploy(1, "job-1")
        story.begin_snapshot()
        for name, minutes in (("s2", 2), ("s1", 1)):
            story.land(Action.SNAPSHOT, snapshot=savepoint(name, minutes=minutes))
        story.end()
        newest = savepoint("s2", minutes=2, revision=1)
        current = journal.history(APPLICATION).current
        assert current
        assert current.snapshot == newest
        assert [revision.snapshot for revision in journal.revisions(APPLICATION)] == [newest]
        journal.drop_snapshot(story.lease, newest)
        revision = journal.revision(APPLICATION, 1)
        assert revision
        assert revision.snapshot == savepoint("s1", minutes=1, revision=1)

    # Revisions -------------------------------------------------------------------------------------------------

    def test_a_revision_is_told_as_it_was_written(self, journal: Journal, other: Journal, clock: SetClock) -> None:
        story = Story(journal)
        clock.sleep(1)
        added = journal.add_revision(story.lease, _FULL_WISH)
        assert (added.number, added.desired, added.applied_at, added.applied_by) == (1, _FULL_WISH, clock.now(), ALICE)
        assert (added.outcome, added.error) == (RevisionOutcome.PENDING, None)
        assert other.revision(APPLICATION, 1) == added
        assert other.revisions(APPLICATION) == (added,)
        assert added.desired.digest() == _FULL_WISH.digest()
        journal.judge_revision(story.lease, 1, RevisionOutcome.REFUSED, error="no slots")
        told = other.revision(APPLICATION, 1)
        assert told
        assert (told.outcome, told.error) == (RevisionOutcome.REFUSED, "no slots")

    def test_an_equal_wish_that_is_still_pending_keeps_its_number_and_writes_nothing(self, journal: Journal) -> None:
        story = Story(journal)
        first = journal.add_revision(story.lease, wish(1))
        position = journal.history(APPLICATION).position
        assert journal.add_revision(story.lease, wish(1)) == first
        assert journal.history(APPLICATION).position == position
        assert journal.history(APPLICATION).next_revision == 2

    @pytest.mark.parametrize("outcome", [RevisionOutcome.HEALTHY, RevisionOutcome.BAD, RevisionOutcome.REFUSED])
    def test_an_equal_wish_that_was_judged_gets_a_number_of_its_own(
        self, journal: Journal, outcome: RevisionOutcome
    ) -> None:
        story = Story(journal)
        story.judge(story.revise(1), outcome)
        assert story.revise(1) == 2

    def test_a_pending_wish_behind_another_one_is_not_taken_up_again(self, journal: Journal) -> None:
        story = Story(journal)
        assert [story.revise(parallelism) for parallelism in (1, 2, 1)] == [1, 2, 3]

    def test_revisions_are_told_newest_first_page_by_page(self, journal: Journal) -> None:
        story = Story(journal)
        for parallelism in range(1, 26):
            story.revise(parallelism)
        told = journal.revisions(APPLICATION)
        assert [revision.number for revision in told] == list(range(25, 5, -1))
        assert [revision.desired.parallelism for revision in told] == list(range(25, 5, -1))
        assert [revision.number for revision in journal.revisions(APPLICATION, limit=3, before=6)] == [5, 4, 3]
        assert journal.revisions(APPLICATION, before=1) == ()

    def test_what_does_not_exist_cannot_be_judged_or_ended(self, journal: Journal) -> None:
        story = Story(journal)
        story.deploy(1, "job-1")
        before = journal.history(APPLICATION)
        with pytest.raises(JournalError, match="revision 7"):
            story.judge(7, RevisionOutcome.BAD)
        with pytest.raises(JournalError, match="revision 7"):
            story.begin(Suspend(job_id="j"), 7)
        with pytest.raises(JournalError, match="operation 7"):
            journal.finish_operation(story.lease, 7, OperationOutcome.DONE)
        with pytest.raises(JournalError, match="step 7"):
            journal.finish_step(story.lease, 1, 7, error="no")
        assert journal.history(APPLICATION) == before

    # Operations and steps --------------------------------------------------------------------------------------

    @pytest.mark.parametrize("operation", _OPERATIONS, ids=lambda operation: type(operation).__name__)
    def test_an_operation_is_told_as_it_was_written(
        self, journal: Journal, other: Journal, clock: SetClock, operation: Operation
    ) -> None:
        story = Story(journal)
        story.revise(1)
        clock.sleep(1)
        record = journal.start_operation(story.lease, operation, reason="'quoted' – ü", revision=1)
        assert record == OperationRecord(
            id=record.id,
            application=APPLICATION,
            operation=operation,
            reason="'quoted' – ü",
            revision=1,
            started_at=clock.now(),
            started_by=ALICE,
        )
        assert other.history(APPLICATION).last == record
        assert other.history(APPLICATION).interrupted == record
        started, ended = clock.now(), START + timedelta(minutes=5)
        clock.at = ended
        journal.finish_operation(story.lease, record.id, OperationOutcome.FAILED, error="no", gap_s=0.25)
        [told] = other.operations(APPLICATION)
        assert (told.started_at, told.finished_at, told.outcome) == (started, ended, OperationOutcome.FAILED)
        assert (told.error, told.gap_s, told.is_open) == ("no", 0.25, False)
        assert other.history(APPLICATION).interrupted is None

    def test_operations_are_told_newest_first_and_their_steps_in_order(self, journal: Journal) -> None:
        story = Story(journal)
        for _ in range(22):
            story.begin_suspend()
            for action in (Action.PREPARE, Action.STOP, Action.UPLOAD):
                story.land(action, f"{story.operation}-{action.value}")
            story.end()
        told = journal.operations(APPLICATION)
        assert [record.id for record in told] == sorted((record.id for record in told), reverse=True)
        assert len(told) == 20
        assert told[0].id == story.operation
        assert [entry.step.mark for entry in told[0].steps] == [
            f"{story.operation}-{action}" for action in ("prepare", "stop", "upload")
        ]
        assert [len(record.steps) for record in journal.operations(APPLICATION, limit=2)] == [3, 3]

    def test_a_step_is_there_for_others_as_soon_as_its_start_returned(
        self, journal: Journal, other: Journal, clock: SetClock
    ) -> None:
        story = Story(journal)
        story.begin_suspend()
        step = Step(action=Action.STOP, mark="m", title="stop – ü", inputs={"job": "j", "deep": [1, {"a": None}]})
        assert journal.start_step(story.lease, story.operation, step) == 0
        record = other.history(APPLICATION).interrupted
        assert record
        assert record.steps == (StepRecord(step=step, started_at=clock.now()),)
        assert record.steps[0].is_open

    def test_the_ordinal_of_a_step_is_its_index_among_the_steps(self, journal: Journal) -> None:
        story = Story(journal)
        story.begin_suspend()
        assert [story.start(Action.UPLOAD, mark) for mark in ("a", "b", "c")] == [0, 1, 2]
        journal.finish_step(story.lease, story.operation, 1, error="b was refused")
        record = journal.history(APPLICATION).interrupted
        assert record
        assert [(entry.step.mark, entry.error) for entry in record.steps] == [
            ("a", None),
            ("b", "b was refused"),
            ("c", None),
        ]
        assert [entry.is_open for entry in record.steps] == [True, False, True]

    def test_the_end_of_a_step_is_told_as_it_was_written(
        self, journal: Journal, other: Journal, clock: SetClock
    ) -> None:
        story = Story(journal)
        story.begin_suspend()
        ordinal = story.start(Action.STOP)
        clock.sleep(90)
        outcome = Outcome(job_id="j", snapshot=_FULL_SNAPSHOT, artifact_ref="jar-1", detail={"answer": [42]})
        journal.finish_step(story.lease, story.operation, ordinal, outcome=outcome)
        record = other.history(APPLICATION).interrupted
        assert record
        assert record.landed(Action.STOP) == outcome
        assert record.steps[0].finished_at == clock.now()
        assert other.history(APPLICATION).snapshots == (_FULL_SNAPSHOT,)

    def test_an_end_can_be_told_again_but_not_otherwise(self, journal: Journal) -> None:
        story = Story(journal)
        story.begin_suspend()
        story.land(Action.STOP, snapshot=savepoint("s1"))
        story.end(gap_s=1.0)
        before = journal.history(APPLICATION)
        journal.finish_step(story.lease, 1, 0, outcome=Outcome(snapshot=savepoint("s1")))
        story.end(gap_s=1.0)
        with pytest.raises(JournalError, match="already ended"):
            journal.finish_step(story.lease, 1, 0, error="it did not")
        with pytest.raises(JournalError, match="already ended"):
            story.end(OperationOutcome.FAILED)
        assert journal.history(APPLICATION) == before

    def test_what_an_exception_says_is_kept_whatever_characters_are_in_it(self, journal: Journal) -> None:
        story = Story(journal)
        story.begin_deploy(1)
        story.start(Action.SUBMIT)
        said = "no\0t \ud800 text ✓"
        for _ in range(2):
            journal.finish_step(story.lease, story.operation, story.ordinal, error=said)
            journal.judge_revision(story.lease, 1, RevisionOutcome.BAD, error=said)
            journal.finish_operation(story.lease, story.operation, OperationOutcome.FAILED, error=said)
        last, revision = journal.history(APPLICATION).last, journal.revision(APPLICATION, 1)
        assert last
        assert revision
        for told in (last.error, last.steps[0].error, revision.error):
            assert told
            assert told.startswith("no")
            assert told.endswith("text ✓")

    def test_no_step_begins_in_an_operation_that_has_ended(self, journal: Journal) -> None:
        story = Story(journal)
        story.begin_suspend()
        story.end()
        with pytest.raises(JournalError, match="already ended"):
            story.start(Action.STOP)

    def test_an_interrupted_operation_has_to_be_ended_before_the_next_begins(self, journal: Journal) -> None:
        story = Story(journal)
        story.begin_suspend()
        with pytest.raises(JournalError, match="not ended"):
            story.begin_suspend()
        story.end(OperationOutcome.INTERRUPTED)
        story.begin_suspend()


def _with_snapshots(journal: Journal, *, minutes: tuple[int, ...]) -> Story:
    story = Story(journal)
    story.begin_snapshot()
    for minute in minutes:
        story.land(Action.SNAPSHOT, snapshot=savepoint(f"s{minute}", minutes=minute))
    return story


def _names(journal: Journal) -> list[str]:
    return [snapshot.location.rpartition("/")[2] for snapshot in journal.history(APPLICATION).snapshots]
