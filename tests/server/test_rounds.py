"""What one round of the server does, case by case: no process, no thread, no waiting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from scurry.engine.lease import LEASE
from scurry.engine.marks import DerivedMarks
from scurry.model.journal import EVERYTHING, Intent, application_scope
from scurry.model.observed import JobFailure, JobState, Observed, Phase
from scurry.model.operation import Action, DropSnapshot, Resume, Suspend, TakeSnapshot, Upgrade
from scurry.model.snapshot import FromLatest
from scurry.server.clock import HandedOver
from scurry.server.events import EventKind
from scurry.targets.memory import Memory, MemoryTarget
from tests.server.round import Rounds

MINUTE = timedelta(minutes=1)


@pytest.fixture
def rounds(tmp_path: Path) -> Rounds:
    return Rounds(tmp_path)


def test_what_is_well_is_looked_at_by_the_survey_alone(rounds: Rounds) -> None:
    for number in range(5):
        rounds.apply(f"shop-{number}")
    for _ in range(4):
        assert rounds.kinds() == []
    assert rounds.looks == []


def test_a_cancelled_job_is_put_back_once(rounds: Rounds) -> None:
    rounds.apply()
    rounds.cancel()
    assert rounds.kinds() == [EventKind.REPAIRED]
    assert len(rounds.live()) == 1
    assert rounds.kinds() == rounds.kinds() == []


def test_what_cannot_be_done_is_tried_again_later_and_later_and_told_once(rounds: Rounds) -> None:
    rounds.apply(more="parallelism: 60\n")
    rounds.cancel()
    rounds.apply("greedy", more="parallelism: 60\n")  # takes the slots
    attempts = []
    for second in range(600):
        before = len(rounds.looks)
        rounds.round(after=timedelta(seconds=1))
        if any(name == "shop" for name, _ in rounds.looks[before:]):
            attempts.append(second)
    assert [event.kind for event in rounds.told if event.application == "shop"] == [EventKind.FAILED]
    assert 5 <= len(attempts) <= 25
    assert attempts[-1] - attempts[-2] > attempts[1] - attempts[0]
    rounds.open().stop("greedy", confirm=lambda plan: True)
    assert EventKind.REPAIRED in rounds.kinds(after=timedelta(minutes=6))


def test_a_job_that_fails_is_recovered_from_its_newest_state(rounds: Rounds) -> None:
    rounds.apply()
    (job,) = rounds.live()

    def fail(memory: Memory) -> None:
        memory.jobs[job.id].job = msgspec.structs.replace(
            memory.jobs[job.id].job, state=JobState.FAILED, root_exception="boom"
        )

    rounds.meddle(fail)
    assert rounds.kinds() == [EventKind.RECOVERED]
    assert rounds.live()[0].restored_from == rounds.history().snapshots[0].location
    assert rounds.kinds() == []


def test_a_stop_that_a_crash_interrupted_is_finished(rounds: Rounds) -> None:
    rounds.apply()
    (job,) = rounds.live()
    _die_at_the_first_step(rounds, Suspend(job_id=job.id), Intent.SUSPEND)
    assert rounds.kinds() == [EventKind.COMPLETED]
    assert rounds.status().phase is Phase.SUSPENDED
    assert rounds.kinds() == []


def test_an_upgrade_that_a_crash_interrupted_is_finished(rounds: Rounds) -> None:
    rounds.apply()
    (job,) = rounds.live()
    current = rounds.history().current
    assert current
    wish = msgspec.structs.replace(current.desired, parallelism=2)
    upgrade = Upgrade(desired=wish, restore=FromLatest(), mode=wish.upgrade.mode, job_id=job.id)
    _die_at_the_first_step(rounds, upgrade, Intent.RUN)
    assert rounds.kinds() == [EventKind.COMPLETED]
    (job,) = rounds.live()
    assert job.parallelism == 2
    assert rounds.kinds() == []


def _die_at_the_first_step(rounds: Rounds, operation: Suspend | Upgrade, intent: Intent) -> None:
    journal = rounds.workspace.journal
    lease = journal.acquire("shop", duration=LEASE)
    journal.set_intent(lease, intent)
    record = journal.start_operation(lease, operation, reason="asked for", revision=None)
    step = rounds.workspace.target("mem").steps(operation, DerivedMarks(journal.history("shop")))[0]
    journal.start_step(lease, record.id, step)
    journal.release(lease)


def test_somebody_elses_lease_is_respected(rounds: Rounds) -> None:
    rounds.apply()
    journal = rounds.open().journal
    rounds.cancel()
    lease = journal.acquire("shop", duration=LEASE)
    assert rounds.kinds() == []
    assert rounds.live() == []
    journal.release(lease)
    assert rounds.kinds() == [EventKind.REPAIRED]


def test_a_frozen_application_is_told_and_left(rounds: Rounds) -> None:
    rounds.apply()
    rounds.workspace.journal.freeze(application_scope("shop"), reason="the fair", by="anna")
    rounds.cancel()
    (event,) = rounds.round()
    assert event.kind is EventKind.DRIFT
    assert "frozen by anna: the fair" in event.message
    assert rounds.live() == []
    rounds.workspace.journal.thaw(application_scope("shop"))
    assert rounds.kinds(after=MINUTE) == [EventKind.REPAIRED]


def test_a_snapshot_is_taken_when_it_is_due_and_no_more_often(rounds: Rounds) -> None:
    rounds.apply(more='snapshots: {schedule: "*/10 * * * *"}\n')
    kinds = [kind for _ in range(125) for kind in rounds.kinds(after=MINUTE)]
    assert set(kinds) == {EventKind.SNAPSHOT_TAKEN}
    assert 12 <= len(kinds) <= 13
    last = rounds.history().last
    assert last
    assert isinstance(last.operation, TakeSnapshot)


def test_a_scheduled_snapshot_that_fails_is_told_and_tried_again(rounds: Rounds) -> None:
    rounds.apply(more='snapshots: {schedule: "*/10 * * * *"}\n')
    (job,) = rounds.live()
    rounds.meddle(lambda memory: setattr(memory.jobs[job.id], "behaviour", "refuses-stop"))
    kinds = [kind for _ in range(15) for kind in rounds.kinds(after=MINUTE)]
    assert kinds.count(EventKind.SNAPSHOT_FAILED) >= 1
    rounds.meddle(lambda memory: setattr(memory.jobs[job.id], "behaviour", "fine"))
    kinds = [kind for _ in range(10) for kind in rounds.kinds(after=MINUTE)]
    assert EventKind.SNAPSHOT_TAKEN in kinds


def test_snapshots_over_what_is_kept_are_dropped_also_while_the_job_is_down(rounds: Rounds) -> None:
    rounds.apply(more="snapshots: {keep: 2}\n")
    for _ in range(4):
        rounds.clock.sleep(60)
        rounds.open().take_snapshot("shop", confirm=lambda plan: True)
    rounds.open().stop("shop", confirm=lambda plan: True)
    kinds = [kind for _ in range(3) for kind in rounds.kinds()]
    assert kinds == [EventKind.SNAPSHOTS_DROPPED]
    left = rounds.workspace.journal.snapshots("shop")
    assert 2 <= len(left) <= 3
    assert len(rounds.connect("mem")._load().savepoints) == len(left)  # type: ignore[attr-defined]
    last = rounds.history().last
    assert last
    assert isinstance(last.operation, DropSnapshot)
    assert rounds.status().phase is Phase.SUSPENDED


def test_a_job_that_was_rescaled_behind_our_back_is_brought_back(rounds: Rounds) -> None:
    rounds.apply(more="parallelism: 3\n")
    rounds.round()
    (job,) = rounds.live()
    tracked = rounds.fleet.tracked["shop"]
    tracked.planned_parallelism = 3  # the memory target's check does not tell

    def rescale(memory: Memory) -> None:
        memory.jobs[job.id].job = msgspec.structs.replace(
            memory.jobs[job.id].job, parallelism=1, modified_at=rounds.clock.now()
        )

    rounds.meddle(rescale)
    assert rounds.kinds() == [EventKind.REPAIRED]
    assert rounds.live()[0].parallelism == 3
    last = rounds.history().last
    assert last
    assert isinstance(last.operation, Upgrade)


def test_a_stop_that_failed_is_told_and_not_done_by_itself(rounds: Rounds) -> None:
    rounds.apply()
    (job,) = rounds.live()
    rounds.meddle(lambda memory: setattr(memory.jobs[job.id], "behaviour", "refuses-stop"))
    with pytest.raises(Exception, match="declined"):
        rounds.open().stop("shop", confirm=lambda plan: True)
    (event,) = rounds.round()
    assert event.kind is EventKind.DRIFT
    assert "scurry stop shop" in (event.todo or "")
    assert len(rounds.live()) == 1


def test_a_bad_revision_is_not_started_again_and_again(rounds: Rounds) -> None:
    rounds.apply()
    applied = rounds.reapply(more="config: {memory.behaviour: fails}\n")
    assert applied.error
    assert [kind for _ in range(20) for kind in rounds.kinds(after=MINUTE)] == []
    assert len(rounds.live()) == 1  # the one before, which the apply itself brought back


def test_a_new_server_knows_as_much_as_the_one_before(rounds: Rounds) -> None:
    rounds.apply()
    rounds.round()
    rounds.restart()
    rounds.cancel()
    assert rounds.kinds() == [EventKind.REPAIRED]
    last = rounds.history().last
    assert last
    assert isinstance(last.operation, Resume)
    assert last.landed(Action.SUBMIT)


def test_what_stands_is_told_once_however_many_servers_come_and_go(rounds: Rounds) -> None:
    rounds.apply(more="drift: report\n")
    rounds.cancel()
    assert rounds.kinds() == [EventKind.DRIFT]
    for _ in range(3):
        rounds.restart()
        assert [kind for _ in range(3) for kind in rounds.kinds(after=MINUTE)] == []
    (alert,) = rounds.open().journal.alerts()
    assert (alert.application, alert.cause) == ("shop", "drift")


def test_what_was_over_while_no_server_ran_is_told_when_it_comes_again(rounds: Rounds) -> None:
    rounds.apply(more="drift: report\n")
    rounds.cancel()
    assert rounds.kinds() == [EventKind.DRIFT]
    rounds.open().start("shop", confirm=lambda plan: True)
    rounds.restart()
    assert rounds.kinds() == []
    assert rounds.open().journal.alerts() == ()
    rounds.cancel()
    assert rounds.kinds() == [EventKind.DRIFT]


def test_what_was_told_of_an_application_that_was_deleted_is_forgotten(rounds: Rounds) -> None:
    rounds.apply(more="drift: report\n")
    rounds.cancel()
    rounds.round()
    rounds.open().delete("shop", snapshot=False, confirm=lambda plan: True)
    rounds.restart()
    rounds.round()
    assert rounds.open().journal.alerts() == ()


def test_what_came_to_nobody_is_told_by_the_next_server(rounds: Rounds) -> None:
    rounds.apply(more="drift: report\n")
    rounds.cancel()
    rounds.events.courier = lambda event, then: None  # its receiver is away, and then this server dies
    assert rounds.kinds() == [EventKind.DRIFT]
    rounds.restart()
    assert rounds.kinds() == [EventKind.DRIFT]
    rounds.restart()
    assert rounds.kinds() == []


def test_what_comes_to_people_when_it_is_over_is_not_taken_for_standing(rounds: Rounds) -> None:
    late: list[Callable[[], None] | None] = []
    rounds.apply(more="drift: report\n")
    rounds.cancel()
    rounds.events.courier = lambda event, then: late.append(then)
    rounds.round()
    rounds.open().start("shop", confirm=lambda plan: True)
    rounds.round(after=MINUTE)
    (then,) = late
    assert then
    then()
    assert rounds.open().journal.alerts() == ()


def test_a_target_that_does_not_answer_is_told_once_and_its_return_too(rounds: Rounds) -> None:
    rounds.apply()
    spec = (rounds.folder / "scurry.yaml").read_text()
    (rounds.folder / "scurry.yaml").write_text(
        spec.replace("mem: {kind: memory}", 'mem: {kind: rest, url: "http://127.0.0.1:9"}')
    )
    rounds.restart()
    assert rounds.kinds() == [EventKind.TARGET_SILENT]
    assert rounds.kinds() == []
    (rounds.folder / "scurry.yaml").write_text(spec)
    places = rounds.surveyor.places
    rounds.restart()
    rounds.surveyor.places = places
    assert rounds.kinds() == [EventKind.TARGET_BACK]


def test_a_chore_that_fails_delays_no_repair(rounds: Rounds) -> None:
    rounds.apply(more='snapshots: {schedule: "*/10 * * * *"}\n')
    (job,) = rounds.live()
    rounds.meddle(lambda memory: setattr(memory.jobs[job.id], "behaviour", "refuses-stop"))
    kinds = [kind for _ in range(60) for kind in rounds.kinds(after=MINUTE)]
    assert kinds == [EventKind.SNAPSHOT_FAILED]
    rounds.cancel()
    assert rounds.kinds() == [EventKind.REPAIRED]


def test_a_bug_with_one_application_stops_no_other(rounds: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds.apply()
    rounds.apply("other")
    rounds.cancel()
    rounds.cancel("other")
    observe = MemoryTarget.observe

    def stumble(self: MemoryTarget, application: str, marks: Sequence[str]) -> Observed:
        if application == "shop":
            raise ZeroDivisionError
        return observe(self, application, marks)

    monkeypatch.setattr(MemoryTarget, "observe", stumble)
    told = rounds.round()
    assert {(event.application, event.kind) for event in told} == {
        ("shop", EventKind.FAILED),
        ("other", EventKind.REPAIRED),
    }
    monkeypatch.undo()
    assert rounds.kinds(after=10 * MINUTE) == [EventKind.REPAIRED]


def test_a_snapshot_is_not_asked_for_while_frozen_and_targets_are_not_asked_in_vain(rounds: Rounds) -> None:
    rounds.apply(more='snapshots: {schedule: "*/10 * * * *", keep: 1}\n')
    rounds.open().take_snapshot("shop", confirm=lambda plan: True)
    rounds.workspace.journal.freeze(EVERYTHING, reason="the fair", by="anna")
    rounds.clock.sleep(3600)
    for _ in range(100):
        assert rounds.kinds(after=timedelta(seconds=1)) == []
    assert len(rounds.looks) <= 8


def test_a_restart_loop_is_found_within_a_minute_and_recovered_from(rounds: Rounds) -> None:
    rounds.apply()
    rounds.clock.sleep(3 * 24 * 3600)  # no longer young: what is recovered is the same revision
    rounds.open().take_snapshot("shop", confirm=lambda plan: True)
    rounds.round()
    (job,) = rounds.live()
    kinds: list[EventKind] = []
    for second in range(0, 60, 2):
        if second % 10 == 0:  # it fails every ten seconds, and runs for a moment in between
            _fail_once(rounds, job.id)
        kinds += rounds.kinds(after=timedelta(seconds=2))
    assert kinds == [EventKind.RECOVERED]
    assert rounds.live()[0].restored_from == rounds.history().snapshots[0].location


def _fail_once(rounds: Rounds, job_id: str) -> None:
    def fail(memory: Memory) -> None:
        entry, now = memory.jobs[job_id], rounds.clock.now()
        if not entry.job.state.is_terminal:
            failures = (JobFailure(at=now, message="boom"), *entry.job.failures)
            entry.job = msgspec.structs.replace(
                entry.job, failures=failures, restarts=len(failures), modified_at=now, root_exception="boom"
            )

    rounds.meddle(fail)


def test_what_could_not_be_looked_at_is_looked_at_again(rounds: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds.apply()
    rounds.cancel()
    silent = Observed(reachable=False, unreachable_because="it hangs")
    monkeypatch.setattr(MemoryTarget, "observe", lambda *_: silent)
    assert rounds.kinds() == []
    monkeypatch.undo()
    assert rounds.kinds() == [EventKind.REPAIRED]


def test_what_is_handed_over_in_the_middle_is_finished_by_the_next(
    rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds.apply(more="config: {memory.behaviour: fine}\n")
    (job,) = rounds.live()
    rounds.cancel()
    observe = MemoryTarget.observe

    def hide_the_new_one(self: MemoryTarget, application: str, marks: Sequence[str]) -> Observed:
        seen = observe(self, application, marks)
        return msgspec.structs.replace(seen, jobs=tuple(one for one in seen.jobs if one.id == job.id))

    def go(_: float) -> None:
        raise HandedOver

    monkeypatch.setattr(MemoryTarget, "observe", hide_the_new_one)  # so that its health is waited for
    monkeypatch.setattr(rounds.clock, "sleep", go)
    assert rounds.kinds() == []
    assert rounds.history().interrupted
    rounds.workspace.journal.release(rounds.workspace.journal.acquire("shop", duration=LEASE))  # it was given back
    monkeypatch.undo()
    rounds.restart()
    rounds.round()
    (after,) = rounds.live()
    assert rounds.history().interrupted is None
    assert after.id == rounds.history().job_id != job.id
