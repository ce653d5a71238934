"""What `diagnose` makes of observed and history: the root cause first, and what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from scurry.engine.diagnosis import diagnose
from scurry.model.desired import Artifact, ArtifactKind, Desired
from scurry.model.journal import (
    History,
    Intent,
    OperationOutcome,
    OperationRecord,
    Revision,
    RevisionOutcome,
)
from scurry.model.observed import CheckpointCounts, Job, JobState, Observed, Phase
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
