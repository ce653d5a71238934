"""Adoption in the journal: it happens whole or not at all, and everything after it treats the job as ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scurry.engine.adoption import Wanted, plan_adoption
from scurry.engine.planner import make_plan
from scurry.journal.sql_journal import SqlJournal
from scurry.model.errors import PlanError, Refused, TargetUnavailable
from scurry.model.journal import History
from scurry.model.observed import Observed
from scurry.model.plan import Plan
from scurry.model.result import ApplyOutcome
from tests.engine.workshop import Workshop
from tests.targets.memory_rig import wish

LATEST = Wanted(job="latest")
_MINUTE = timedelta(minutes=1)
WRITES = ("set_intent", "add_revision", "start_operation", "judge_revision", "finish_operation")


class Crash(BaseException):
    """The process is killed."""


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """A job runs that was started by another journal."""
    (tmp_path / "before").mkdir()
    shop = Workshop(tmp_path / "before")
    shop.apply(wish())
    (tmp_path / "now").mkdir()
    now = Workshop(tmp_path / "now")
    now.target = shop.target
    now.clock = shop.clock
    return now


def _adopting(shop: Workshop, wanted: Wanted = LATEST) -> Callable[[Observed, History], Plan]:
    return lambda observed, history: plan_adoption(
        wish(), wanted, shop.target, observed=observed, history=history, now=shop.clock.now()
    )


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", WRITES)
def test_a_crash_in_an_adoption_leaves_the_job_alone_and_it_is_adopted_by_the_next(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, write: str, when: str
) -> None:
    live = shop.live_jobs()
    original = getattr(SqlJournal, write)

    def crashing(*arguments: Any, **options: Any) -> Any:
        if when == "after":
            original(*arguments, **options)
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(SqlJournal, write, crashing)
        with pytest.raises(Crash):
            shop.change(_adopting(shop))
    assert shop.live_jobs() == live
    if shop.observe().live is None:
        with pytest.raises(Refused):
            shop.apply(wish(variant=1))  # it would run twice
        shop.change(_adopting(shop))
    observed = shop.observe()
    assert observed.live
    assert (observed.strangers, [observed.live.id]) == ((), live)
    assert shop.apply(wish(variant=1)).outcome is ApplyOutcome.CONVERGED
    assert len(shop.live_jobs()) == 1
    assert shop.lineage_of_state()[0] == live[0]


def test_a_rollback_comes_back_to_the_adopted_revision(shop: Workshop) -> None:
    shop.change(_adopting(shop))
    assert shop.apply(wish(variant=1, behaviour="fails")).outcome is ApplyOutcome.ROLLED_BACK
    current = shop.history().current
    assert current
    assert current.desired == wish()
    assert len(shop.lineage_of_state()) == 2


def test_what_an_interrupted_operation_came_to_is_found_out_before_an_adoption(shop: Workshop) -> None:
    shop.change(_adopting(shop))
    observed, history = Observed(), shop.history()
    lease = shop.journal.acquire("shop", duration=_MINUTE)
    shop.journal.start_operation(
        lease,
        make_plan(wish(variant=1), shop.observe(), history, now=shop.clock.now()).changes[0].operation,
        reason="a test",
        revision=1,
    )
    with pytest.raises(Refused, match="interrupted"):
        _adopting(shop)(observed, shop.history())


def test_a_target_that_does_not_answer_is_told(shop: Workshop) -> None:
    silent = Observed.silent(TargetUnavailable("no route", target="memory"))
    for wanted in (LATEST, Wanted(state="file:/savepoint")):
        with pytest.raises(TargetUnavailable, match="no route"):
            _adopting(shop, wanted)(silent, shop.history())


def test_an_id_that_two_jobs_begin_with_is_refused(shop: Workshop) -> None:
    jobs = shop.target._load().jobs
    (id,) = jobs
    twin = id[:10] + "0" * 22
    jobs[twin] = jobs[id]
    survey = {"a": jobs[id].job, "b": jobs[twin].job}
    shop.target.survey = lambda: survey  # type: ignore[method-assign]
    with pytest.raises(PlanError, match="begin with"):
        _adopting(shop, Wanted(job=id[:8]))(Observed(), shop.history())


def test_the_state_of_what_is_known_needs_no_adoption(shop: Workshop) -> None:
    shop.change(_adopting(shop))
    history = shop.history()
    with pytest.raises(Refused, match="needs no adoption"):
        _adopting(shop, Wanted(state="file:/savepoint"))(Observed(), history)
