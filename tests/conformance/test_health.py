"""Upgrades that go bad, on a real Flink: each is rolled back, and no record is lost or there twice."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scurry.engine import recovery
from scurry.engine.lease import LEASE
from scurry.model.errors import IncompatibleState, ScurryError
from scurry.model.journal import RevisionOutcome
from scurry.model.observed import Phase
from scurry.model.operation import Upgrade
from scurry.model.plan import Plan
from scurry.model.result import Applied, ApplyOutcome
from scurry.model.snapshot import SnapshotKind
from tests.conformance.ledger import committed, examine
from tests.conformance.stage import Ledger, is_same
from tests.flink.local_flink import until

pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(600)]

BASE = ("label=good", "remember=")


@dataclass(frozen=True, slots=True)
class Bad:
    """A revision that goes bad once its predecessor was stopped."""

    arguments: tuple[str, ...]
    says: str
    """a part of what it failed with"""
    code: str | None
    """what `diagnose` calls it"""
    health: str = "{window: 60s}"
    config: str = ""


BADS = {
    "first record throws": Bad((*BASE, "fail="), "told to fail at number", None),
    "fails only after 20 s": Bad((*BASE, "fail-after=20000"), "told to fail after", None, "{window: 60s, hold: 30s}"),
    "checkpoint never completes": Bad(
        (*BASE, "slow-snapshot=600000"), "0 of 1 checkpoints completed", None, "{window: 10s}"
    ),
    "out of memory": Bad((*BASE, "fill-heap="), "OutOfMemoryError", "heap-full"),
    "operator removed": Bad(("label=good",), "fits no operator of the new program", "state-not-mapped"),
    "uid changed": Bad((*BASE, "uid=renamed"), "fits no operator of the new program", "state-not-mapped"),
    "state type changed": Bad((*BASE, "type=int"), "serializer", "serializer-incompatible"),
    "maximum parallelism changed": Bad(
        BASE, "ax parallelism mismatch", "max-parallelism-changed", config="pipeline.max-parallelism: 64"
    ),
}


UNFIT = ("operator removed", "uid changed", "state type changed", "maximum parallelism changed")


def test_what_flink_would_refuse_is_refused_while_the_job_runs_on(ledger: Ledger) -> None:
    first = ledger.converge(*BASE)
    for name in UNFIT:
        case = BADS[name]
        with pytest.raises(IncompatibleState) as refused:
            ledger.apply(*case.arguments, config=case.config, state_check="full")
        assert "nothing was stopped" in refused.value.message, name
    assert ledger.job().id == first.job_id
    ledger.goes_on()


@pytest.mark.parametrize("case", BADS.values(), ids=[name.replace(" ", "-") for name in BADS])
def test_an_upgrade_that_goes_bad_is_rolled_back_with_nothing_lost(ledger: Ledger, case: Bad) -> None:
    first = ledger.converge(*BASE)

    bad = ledger.apply(*case.arguments, health=case.health, config=case.config)

    assert bad.outcome is ApplyOutcome.ROLLED_BACK, bad
    assert bad.error
    assert case.says in bad.error.message
    assert "no state was lost" in bad.error.message
    assert bad.snapshot
    job = ledger.job()
    assert job.id != first.job_id
    assert is_same(job.restored_from, bad.snapshot.location)
    ledger.goes_on()
    revisions, _ = ledger.stage.open().history(ledger.name)
    by_number = {revision.number: revision for revision in revisions}
    assert [by_number[number].outcome for number in (1, 2)] == [RevisionOutcome.HEALTHY, RevisionOutcome.BAD]
    assert case.says in (by_number[2].error or "")
    # What was refused at its start was never current: then there is no third one.
    assert by_number.get(3, by_number[1]).desired == by_number[1].desired
    assert ledger.status().revision in {1, 3}
    found = ledger.stage.open().diagnose(ledger.name)
    assert found.is_well
    assert [finding.code for finding in found.findings if "Revision 2" in finding.what] == [case.code]


def test_by_default_a_rollback_starts_from_what_the_stop_wrote_and_loses_nothing(ledger: Ledger) -> None:
    ledger.converge(*BASE)

    bad = ledger.apply(*BASE, "fail-after=5000", health="{window: 60s, hold: 30s}", rollback_from="stop")

    assert bad.outcome is ApplyOutcome.ROLLED_BACK, bad
    assert bad.error
    assert "may be there twice" in bad.error.message
    assert bad.snapshot
    assert bad.snapshot.kind is SnapshotKind.SAVEPOINT
    assert is_same(ledger.job().restored_from, bad.snapshot.location)
    last = ledger.last()
    until(lambda: ledger.last() > last, "the good revision goes on where the bad one was")
    report = examine(committed(ledger.output))
    assert not report.lost.count, str(report)
    assert not report.wrong.count, str(report)
    assert report.doubled.count, "what the bad revision had committed is there twice, as it said"


REFUSED: dict[str, dict[str, str]] = {
    "wrong main class": {"main_class": "com.shop.Main"},
    "main throws": {"argument": "fail-main="},
    "missing connector": {"sql": "CREATE TABLE t (n INT) WITH ('connector' = 'kafka');\nINSERT INTO t VALUES (1);\n"},
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=[name.replace(" ", "-") for name in REFUSED])
def test_an_upgrade_that_cannot_start_is_refused_while_the_job_goes_on(ledger: Ledger, case: dict[str, str]) -> None:
    first = ledger.converge(*BASE)

    ledger.write(*BASE, case.get("argument", "x="), main_class=case.get("main_class", ""))
    if "sql" in case:
        ledger.spec.with_suffix(".sql").write_text(case["sql"])
        text = re.sub(r"code: .*", f"code: {{sql: {ledger.name}.sql}}", ledger.spec.read_text())
        ledger.spec.write_text(text)
    with pytest.raises(ScurryError):
        ledger.stage.open().apply(ledger.spec, confirm=lambda plan: True)

    job = ledger.job()
    assert (job.id, job.restarts) == (first.job_id, 0)
    ledger.goes_on()
    revisions, _ = ledger.stage.open().history(ledger.name)
    assert {revision.outcome for revision in revisions[:-1]} <= {RevisionOutcome.REFUSED}
    assert revisions[-1].outcome is RevisionOutcome.HEALTHY


class Trouble:
    """Misbehaviour of jobs that run: files in a folder that they look for."""

    def __init__(self, ledger: Ledger) -> None:
        self.folder = ledger.output.with_name(f"{ledger.name}-trouble")
        self.folder.mkdir()
        self.argument = f"trouble={self.folder}"

    def begin(self, what: str) -> None:
        (self.folder / what).touch()

    def end(self, what: str) -> None:
        (self.folder / what).unlink()


def test_an_application_whose_rollback_cannot_start_either_stands_still_with_its_state_and_says_so(
    ledger: Ledger,
) -> None:
    trouble = Trouble(ledger)
    ledger.converge(*BASE, trouble.argument)
    trouble.begin("fail-main")

    bad = ledger.apply(*BASE, "uid=renamed")

    assert bad.outcome is ApplyOutcome.SUSPENDED, bad
    assert bad.error
    assert "The rollback was tried and failed, too" in bad.error.message
    assert "Its state is safe in" in bad.error.message
    assert "\n  scurry " in (bad.error.hint or "")
    assert bad.snapshot
    assert bad.snapshot.location in bad.error.message
    assert Path(bad.snapshot.location.removeprefix("file:")).exists()
    assert ledger.status().phase in {Phase.FAILED, Phase.SUSPENDED}
    ledger.check()
    trouble.end("fail-main")
    ledger.converge(*BASE, trouble.argument)
    assert is_same(ledger.job().restored_from, bad.snapshot.location)


class Server:
    """What the server does when it looks: it decides by what it sees, and carries it out."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def decide(self) -> recovery.Decision:
        workspace = self.ledger.stage.open()
        observed, history = workspace.observe(self.ledger.name)
        operations = workspace.journal.operations(self.ledger.name)
        return recovery.decide(observed, history, operations, now=datetime.now(UTC))

    def decided(self) -> recovery.Decision:
        """Look until there is something to do."""
        until(lambda: self.decide() is not None, "something is decided", patience_s=120)
        return self.decide()

    def execute(self, plan: Plan) -> Applied:
        workspace = self.ledger.stage.open()
        lease = workspace.journal.acquire(self.ledger.name, duration=LEASE)
        try:
            return workspace._executor(plan.target, lease).execute(plan)
        finally:
            workspace.journal.release(lease)


def third_restart_s(ledger: Ledger) -> float:
    """How long ago the job failed for the third time in its loop."""
    third = ledger.job().failures[-3].at
    return (datetime.now(UTC) - third).total_seconds()


def test_a_young_revision_that_loops_after_its_gate_is_rolled_back_with_its_newest_state(ledger: Ledger) -> None:
    trouble = Trouble(ledger)
    ledger.converge(*BASE)
    second = ledger.converge(*BASE, trouble.argument)
    trouble.begin("throw")

    plan = Server(ledger).decided()

    assert isinstance(plan, Plan), plan
    assert third_restart_s(ledger) < 60
    (change,) = plan.changes
    assert isinstance(change.operation, Upgrade)
    assert change.operation.rollback_to == 1
    assert "told to throw from now on" in change.reason
    applied = Server(ledger).execute(plan)
    assert applied.outcome is ApplyOutcome.CONVERGED, applied
    restored = ledger.job().restored_from
    assert restored
    assert f"/{second.job_id}/chk-" in restored
    ledger.goes_on()
    revisions, _ = ledger.stage.open().history(ledger.name)
    assert [revision.outcome for revision in revisions[:2]] == [RevisionOutcome.HEALTHY, RevisionOutcome.BAD]
    assert "told to throw" in (revisions[1].error or "")
    assert Server(ledger).decide() is None


def test_a_loop_of_what_may_not_be_rolled_back_is_started_again_once_and_then_told(ledger: Ledger) -> None:
    trouble = Trouble(ledger)
    ledger.converge(*BASE)
    second = ledger.converge(*BASE, trouble.argument, mode="savepoint, rollback: false")
    trouble.begin("throw")
    plan = Server(ledger).decided()
    assert isinstance(plan, Plan), plan
    trouble.end("throw")

    applied = Server(ledger).execute(plan)

    assert applied.outcome is ApplyOutcome.CONVERGED, applied
    job = ledger.job()
    assert job.id != second.job_id
    assert f"/{second.job_id}/chk-" in (job.restored_from or "")
    ledger.goes_on()
    trouble.begin("throw")
    told = Server(ledger).decided()
    assert isinstance(told, recovery.Alert), told
    assert told.code == "restart-loop"
    trouble.end("throw")
    ledger.goes_on()


def test_a_loop_without_any_state_is_told_and_never_started_from_nothing(ledger: Ledger) -> None:
    first = ledger.apply(*BASE, "fail=")
    assert first.outcome is ApplyOutcome.FAILED

    told = Server(ledger).decided()

    assert isinstance(told, recovery.Alert), told
    assert told.code == "no-state"
    assert f"scurry restart {ledger.name} --from none" in told.todo
    assert ledger.job().id == first.job_id
