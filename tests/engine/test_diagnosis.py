"""What `diagnose` makes of observed and history: the root cause first, and what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from scurry.engine.diagnosis import Moment, diagnose
from scurry.model.desired import Artifact, ArtifactKind, Desired
from scurry.model.journal import (
    History,
    Intent,
    OperationOutcome,
    OperationRecord,
    Revision,
    RevisionOutcome,
)
from scurry.model.observed import CheckpointCounts, Job, JobFailure, JobState, Observed, Phase
from scurry.model.operation import Upgrade
from scurry.model.report import Diagnosis
from scurry.model.snapshot import FromLatest

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JOB = Job(
    id="a" * 32,
    name="shop",
    state=JobState.RUNNING,
    vertices=2,
    vertices_running=2,
    checkpoints=CheckpointCounts(completed=1),
)
DESIRED = Desired(
    application="shop",
    target="mem",
    flink_version="2.3.0",
    artifact=Artifact(kind=ArtifactKind.JAR, digest="sha256:0", file_name="shop.jar", size_bytes=1),
)
REVISION = Revision(number=2, desired=DESIRED, applied_at=NOW, applied_by="anna", outcome=RevisionOutcome.HEALTHY)
HISTORY = History(application="shop", intent=Intent.RUN, current=REVISION, job_id=JOB.id, marks=(JOB.id,))
UPGRADE = OperationRecord(
    id=1,
    application="shop",
    operation=Upgrade(desired=DESIRED, restore=FromLatest(), mode=DESIRED.upgrade.mode, job_id=JOB.id),
    reason="parallelism 1 → 2",
    revision=2,
    started_at=NOW,
    started_by="anna@here pid 1",
)


def _job(**changes: object) -> Observed:
    return Observed(jobs=(msgspec.structs.replace(JOB, **changes),))


def _history(**changes: object) -> History:
    return msgspec.structs.replace(HISTORY, **changes)


def _whats(found: Diagnosis) -> list[str]:
    return [finding.what for finding in found.findings]


def test_of_a_healthy_job_there_is_nothing_to_say() -> None:
    found = diagnose(HISTORY, _job())
    assert found == Diagnosis(name="shop", target="mem", phase=Phase.RUNNING, is_well=True)


def test_a_checkpoint_that_failed_once_is_not_worth_a_word() -> None:
    assert diagnose(HISTORY, _job(checkpoints=CheckpointCounts(completed=5, failed=1))).is_well


def test_the_exception_comes_before_what_follows_from_it() -> None:
    observed = _job(
        state=JobState.RESTARTING,
        vertices_running=0,
        restarts=7,
        root_exception="java.io.IOException: no such topic\n\tat a.b.C",
        checkpoints=CheckpointCounts(failed=3),
    )
    earlier = msgspec.structs.replace(REVISION, number=1)
    found = diagnose(_history(previous_healthy=earlier), observed)
    assert not found.is_well
    assert found.phase is Phase.RESTARTING
    assert _whats(found) == [
        "The job met an exception: java.io.IOException: no such topic",
        "Only 0 of 2 vertices run.",
        "Flink restarted the job 7 times.",
        "3 checkpoints failed, 0 completed.",
    ]
    assert found.findings[0].detail == "java.io.IOException: no such topic\n\tat a.b.C"
    assert "revision 1, which was healthy:\n  scurry rollback shop" in (found.findings[0].todo or "")


def test_without_an_earlier_revision_no_rollback_is_proposed() -> None:
    found = diagnose(HISTORY, _job(state=JobState.FAILED, root_exception="boom"))
    assert _whats(found) == ["The job ended with an exception: boom"]
    assert found.findings[0].todo == (
        "It is not among the failures that scurry knows. When the cause is gone, run:\n  scurry apply FILE"
    )


def test_one_restart_is_told_as_one() -> None:
    assert _whats(diagnose(HISTORY, _job(restarts=1))) == ["Flink restarted the job 1 time."]


def test_missing_slots_are_told_where_vertices_wait() -> None:
    observed = msgspec.structs.replace(_job(vertices_running=1), slots_free=0)
    assert _whats(diagnose(HISTORY, observed)) == ["Only 1 of 2 vertices run. The target has no free slot."]


def test_a_target_that_does_not_answer_is_the_first_thing_to_say() -> None:
    silent = Observed(reachable=False, unreachable_because="target 'mem' refuses connections")
    found = diagnose(HISTORY, silent)
    assert found.phase is Phase.UNKNOWN
    assert not found.is_well
    assert _whats(found) == ["How it is cannot be seen: target 'mem' refuses connections"]
    assert found.findings[0].todo == "Until the target answers, nothing is known of the job."
    hinted = diagnose(HISTORY, msgspec.structs.replace(silent, unreachable_hint="Check `url`."))
    assert hinted.findings[0].todo == "Check `url`."


@pytest.mark.parametrize(
    ("history", "observed", "what", "todo"),
    [
        (HISTORY, Observed(), "It should run, but the target knows no such job (any more).", "scurry start shop"),
        (
            _history(stopped=True),
            Observed(),
            "It should run, but it was stopped and not started again.",
            "scurry start shop",
        ),
        (HISTORY, _job(state=JobState.FAILED), "Flink gave the job up, and shows no exception.", "scurry logs shop"),
        (
            _history(last=UPGRADE, stopped=True),
            Observed(),
            "The upgrade that anna@here pid 1 began was interrupted.",
            "scurry apply FILE",
        ),
        (
            _history(
                last=msgspec.structs.replace(
                    UPGRADE, finished_at=NOW, outcome=OperationOutcome.FAILED, error="the savepoint was declined"
                )
            ),
            _job(),
            "The last operation (upgrade, parallelism 1 → 2) failed: the savepoint was declined",
            "scurry history shop",
        ),
        (
            HISTORY,
            msgspec.structs.replace(_job(), strangers=(msgspec.structs.replace(JOB, id="b" * 32),)),
            f"A job of the same name (id {'b' * 32}) runs that scurry did not start.",
            "scurry start shop --from SAVEPOINT",
        ),
    ],
)
def test_each_state_of_things_has_its_sentence_and_its_command(
    history: History, observed: Observed, what: str, todo: str
) -> None:
    found = diagnose(history, observed)
    assert _whats(found) == [what]
    assert (found.findings[0].todo or "").split("\n")[-1] == f"  {todo}"
    assert not found.is_well


def test_what_was_stopped_on_purpose_is_well() -> None:
    found = diagnose(_history(stopped=True, intent=Intent.SUSPEND), Observed())
    assert (found.phase, found.findings, found.is_well) == (Phase.SUSPENDED, (), True)


def test_what_was_never_started_tells_where_it_was_to_run() -> None:
    assert diagnose(History(application="shop", last=UPGRADE), Observed()).target == DESIRED.target
    assert diagnose(History(application="shop"), Observed()).target == ""


# By the catalogue, and by figures ------------------------------------------------------------------------------

HEAP = "java.io.IOException: x\nCaused by: java.lang.OutOfMemoryError: Java heap space"


def _failure(causes: str, *, ago_s: float = 5, where: str | None = None, task: str | None = None) -> JobFailure:
    at = NOW - timedelta(seconds=ago_s)
    return JobFailure(at=at, message=causes.splitlines()[-1], causes=causes, where=where, task=task)


def _diagnosed(seen: Observed, past: History = HISTORY, *operations: OperationRecord) -> Diagnosis:
    return diagnose(past, seen, Moment(now=NOW, operations=operations))


def test_a_known_failure_is_told_in_plain_words_with_its_evidence_and_its_command() -> None:
    failures = (
        _failure(HEAP, task="counting (1/2)", where="com.shop.Prices.map(Prices.java:3)"),
        _failure(HEAP, ago_s=65),
    )
    earlier = msgspec.structs.replace(REVISION, number=1)
    found = _diagnosed(
        _job(state=JobState.RESTARTING, restarts=2, failures=failures), _history(previous_healthy=earlier)
    )
    first = found.findings[0]
    assert (first.code, first.what) == ("heap-full", "The Java heap of a process of Flink is full.")
    assert first.evidence == (
        "java.lang.OutOfMemoryError: Java heap space",
        "in counting (1/2), at com.shop.Prices.map(Prices.java:3)",
        "2 times, last 5.0 s ago",
    )
    assert first.detail == HEAP
    assert (first.todo or "").endswith("\n  scurry rollback shop")
    assert not found.is_well


def test_a_rollback_is_proposed_only_where_there_is_something_to_go_back_to() -> None:
    alone = _diagnosed(_job(state=JobState.RESTARTING, failures=(_failure(HEAP),)))
    assert "scurry rollback" not in (alone.findings[0].todo or "")


@pytest.mark.parametrize(
    "causes", ["java.io.IOException: No space left on device", "java.net.ConnectException: Connection refused"]
)
def test_no_rollback_is_proposed_for_what_no_revision_can_help(causes: str) -> None:
    earlier = msgspec.structs.replace(REVISION, number=1)
    found = _diagnosed(_job(failures=(_failure(causes),), restarts=1), _history(previous_healthy=earlier))
    assert "scurry rollback" not in (found.findings[0].todo or "")


def test_what_the_catalogue_does_not_know_is_shown_as_it_is_and_said_to_be_unknown() -> None:
    found = _diagnosed(
        _job(state=JobState.RESTARTING, failures=(_failure("com.shop.Odd: seven", where="a.B.c(B.java:1)"),))
    )
    first = found.findings[0]
    assert (first.code, first.what) == (None, "The job met an exception: com.shop.Odd: seven")
    assert "not among the failures that scurry knows" in (first.todo or "")
    assert first.evidence == ("at a.B.c(B.java:1)", "last 5.0 s ago")


def test_a_failure_that_the_job_is_over_is_worth_knowing_and_nothing_is_wrong() -> None:
    found = _diagnosed(_job(restarts=1, failures=(_failure(HEAP, ago_s=2 * 3600),)))
    assert found.is_well
    first = next(finding for finding in found.findings if finding.code == "heap-full")
    assert first.harmless
    assert "It runs well for 2 h since." in first.what


def test_why_checkpoints_fail_is_told() -> None:
    counts = CheckpointCounts(completed=1, failed=4)
    found = _diagnosed(_job(checkpoints=counts, checkpoint_failure="Checkpoint expired before completing."))
    (only,) = found.findings
    assert only.code == "checkpoint-expired"
    assert only.evidence == ("Checkpoint expired before completing.", "4 checkpoints failed, 1 completed")
    odd = _diagnosed(_job(checkpoints=counts, checkpoint_failure="The moon was full."))
    assert (odd.findings[0].code, odd.findings[0].evidence[0]) == ("checkpoint-failed", "The moon was full.")


def test_a_source_that_holds_up_event_time_is_told() -> None:
    (only,) = _diagnosed(_job(idle_source="orders")).findings
    assert only.code == "source-idle"
    assert "orders" in only.what


def test_back_pressure_is_worth_knowing_and_nothing_is_wrong() -> None:
    found = _diagnosed(_job(back_pressure=0.93, back_pressured="orders"))
    assert found.is_well
    (only,) = found.findings
    assert (only.code, only.harmless) == ("back-pressured", True)
    assert "orders waits 93% of its time" in only.what
    assert _diagnosed(_job(back_pressure=0.5, back_pressured="orders")).findings == ()


def test_an_operation_that_failed_for_a_known_reason_is_told_in_its_words() -> None:
    error = "no connector 'kafka' is there, only: datagen"
    last = msgspec.structs.replace(UPGRADE, finished_at=NOW, outcome=OperationOutcome.FAILED, error=error)
    (only,) = _diagnosed(_job(), _history(last=last)).findings
    assert only.code == "connector-missing"
    assert only.what == "The last operation (upgrade, parallelism 1 → 2) failed: There is no connector kafka."
    assert only.evidence == (error,)


def _bad(**changes: object) -> OperationRecord:
    bad = msgspec.structs.replace(
        UPGRADE, id=7, revision=3, finished_at=NOW, outcome=OperationOutcome.FAILED, error=HEAP.splitlines()[-1]
    )
    return msgspec.structs.replace(bad, **changes)


def test_why_a_revision_was_rolled_back_is_told_while_all_is_well() -> None:
    done = msgspec.structs.replace(UPGRADE, id=8, finished_at=NOW, outcome=OperationOutcome.DONE)
    found = _diagnosed(_job(), _history(last=done), done, _bad())
    assert found.is_well
    (only,) = found.findings
    assert only.what == "Revision 3 went bad, and another runs: The Java heap of a process of Flink is full."
    assert (only.code, only.harmless) == ("heap-full", True)


def test_a_revision_that_went_bad_long_ago_is_not_told_any_more() -> None:
    done = msgspec.structs.replace(UPGRADE, id=8, finished_at=NOW, outcome=OperationOutcome.DONE)
    old = _bad(started_at=NOW - timedelta(days=2))
    assert _diagnosed(_job(), _history(last=done), done, old).findings == ()
