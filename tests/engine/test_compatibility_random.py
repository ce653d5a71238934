"""The verdict on states whose names are drawn at random, as that of PyFlink's reduce()."""

from __future__ import annotations

import uuid

import pytest

from scurry.engine.compatibility import Circumstances, Language, judge
from scurry.model.compatibility import Compatibility, Fit, StateVerdict
from scurry.model.compatibility import StateFate as Fate
from scurry.model.state import State, StateKind
from tests.engine.state_of import held, program, python, snapshot, value, wanted

PYTHON = Circumstances(language=Language.PYTHON)


def reduced(*, recorded: bool = False) -> State:
    """Return the state of a reduce(), as a snapshot holds it or as its function tells."""
    name = f"python-state-_reduce_state{uuid.uuid4()}"
    kind = StateKind.REDUCING if recorded else StateKind.VALUE
    return State(name=name, kind=kind, type=python("LONG") if recorded else None)


def told(found: Compatibility, name: str) -> StateVerdict:
    return next(state for verdict in found.operators for state in verdict.states if state.name == name)


def test_the_state_of_a_reduce_is_lost_at_each_build_and_blocks_with_what_to_write() -> None:
    old = reduced()
    found = judge(snapshot(held("sum", old)), program(wanted("sum", reduced(recorded=True))), given=PYTHON)
    verdict = told(found, old.name)
    assert (found.fit, verdict.fate) == (Fit.BLOCKED, Fate.INCOMPATIBLE)
    assert (verdict.reason or "").startswith("it is lost at each build: PyFlink's reduce() draws its name anew")
    (blocked,) = found.blocked
    assert f"ReducingStateDescriptor('{old.name.removeprefix('python-state-')}', …)" in (blocked.remedy or "")
    assert 'upgrade.allow_non_restored_state: ["sum"]' in (blocked.remedy or "")


@pytest.mark.parametrize("same_program", [True, False])
def test_it_is_lost_too_where_only_something_else_changes(same_program: bool) -> None:
    given = Circumstances(
        language=Language.PYTHON, same_program=same_program, before=program(wanted("sum", reduced(recorded=True)))
    )
    found = judge(snapshot(held("sum", reduced())), program(wanted("sum", reduced(recorded=True))), given=given)
    assert found.fit is Fit.BLOCKED


@pytest.mark.parametrize("allowed", [True, ("sum",)])
def test_where_the_operators_state_may_go_it_does_not_block_and_is_told(allowed: bool | tuple[str, ...]) -> None:
    old, new = reduced(), reduced(recorded=True)
    found = judge(snapshot(held("sum", old)), program(wanted("sum", new)), allowed=allowed, given=PYTHON)
    assert found.blocked == ()
    assert told(found, old.name).fate is Fate.UNUSED
    assert "lost at each build" in (told(found, old.name).reason or "")


def test_a_state_with_a_name_of_its_own_instead_is_no_obstacle() -> None:
    old = reduced()
    given = Circumstances(language=Language.PYTHON, before=program(wanted("sum", reduced(recorded=True))))
    found = judge(snapshot(held("sum", old)), program(wanted("sum", value("python-state-sum"))), given=given)
    assert found.blocked == ()
    assert told(found, old.name).fate is Fate.UNUSED
    assert "goes on from what there is" in (told(found, old.name).remedy or "")


def test_what_takes_the_random_name_over_goes_on() -> None:
    old = reduced()
    given = Circumstances(language=Language.PYTHON, before=program(wanted("sum", reduced(recorded=True))))
    new = State(name=old.name, kind=StateKind.REDUCING, type=python("LONG"))
    found = judge(snapshot(held("sum", old)), program(wanted("sum", new)), given=given)
    assert (found.fit, told(found, old.name).fate) == (Fit.FITS, Fate.SAME)


def test_a_random_name_in_java_blocks_as_well() -> None:
    old, new = f"count-{uuid.uuid4()}", f"count-{uuid.uuid4()}"
    found = judge(snapshot(held("counts", value(old))), program(wanted("counts", value(new))))
    assert found.fit is Fit.BLOCKED
    assert "its name is drawn at random" in (told(found, old).reason or "")
    assert f'"{old}"' in (told(found, old).remedy or "")


def test_what_could_not_be_asked_stays_unknown() -> None:
    found = judge(snapshot(held("sum", reduced())), program(wanted("sum", states=None)), given=PYTHON)
    assert found.fit is Fit.UNKNOWN
