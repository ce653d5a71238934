"""States that come with a record, after an operator was opened: unknown, unless it is known what they come as."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from scurry.engine.compatibility import Circumstances, judge
from scurry.engine.compatibility_late import may_be_late
from scurry.model.compatibility import Compatibility, Fit, StateFate
from scurry.model.state import GraphOperator, OperatorState, State, StateKind
from tests.engine.state_of import LONG, STRING, held, id_of, list_of, program, python, snapshot, value, wanted

COUNT, OTHER = value("count"), value("other")
WINDOW = State(name="window-contents", kind=StateKind.REDUCING, type=LONG)
TRIGGER = State(name="count", kind=StateKind.REDUCING, type=LONG)


def judged(old: OperatorState, new: GraphOperator, recorded: GraphOperator | None) -> Compatibility:
    before = program(recorded) if recorded else None
    return judge(snapshot(old), program(new), given=Circumstances(before=before))


def fates(found: Compatibility) -> dict[str, StateFate]:
    return {state.name: state.fate for state in found.operators[0].states}


def test_a_state_that_neither_version_registers_when_it_opens_is_unknown() -> None:
    found = judged(held("counts", COUNT, OTHER), wanted("counts", OTHER), wanted("counts", OTHER))
    assert found.fit is Fit.UNKNOWN
    assert fates(found) == {"count": StateFate.UNKNOWN, "other": StateFate.SAME}
    assert "came with a record" in (found.operators[0].states[0].reason or "")


def test_a_state_that_the_old_version_registered_when_it_opened_is_used_no_more() -> None:
    found = judged(held("counts", COUNT, OTHER), wanted("counts", OTHER), wanted("counts", COUNT, OTHER))
    assert (found.fit, fates(found)["count"]) == (Fit.FITS, StateFate.UNUSED)


@pytest.mark.parametrize("recorded", [None, wanted("counts", states=None)])
def test_of_an_old_version_that_was_not_opened_nothing_is_concluded(recorded: GraphOperator | None) -> None:
    found = judged(held("counts", COUNT, OTHER), wanted("counts", OTHER), recorded)
    assert fates(found)["count"] is StateFate.UNUSED


def test_the_registries_of_operator_state_and_keyed_state_are_told_apart() -> None:
    of_operator = State(name="count", kind=StateKind.OPERATOR_LIST, type=LONG)
    found = judged(held("counts", of_operator), wanted("counts"), wanted("counts", COUNT))
    assert fates(found)["count"] is StateFate.UNKNOWN


def test_pythons_states_are_found_by_the_name_of_their_descriptor() -> None:
    new = wanted("counts", value("other", python("LONG")))
    old = replace(COUNT, name="python-state-count")
    gone = judged(held("counts", old), new, wanted("counts", value("count", python("LONG"))))
    assert fates(gone)["python-state-count"] is StateFate.UNUSED
    late = judged(held("counts", old), new, wanted("counts", value("other", python("LONG"))))
    assert fates(late)["python-state-count"] is StateFate.UNKNOWN


def test_what_triggers_of_flinks_own_keep_comes_later_and_as_it_was() -> None:
    old, new = held("window", WINDOW, TRIGGER), wanted("window", WINDOW)
    assert fates(judged(old, new, wanted("window", WINDOW)))["count"] is StateFate.SAME
    assert not may_be_late(snapshot(old), program(new))


@pytest.mark.parametrize(
    ("state", "new"),
    [
        (replace(TRIGGER, type=STRING), wanted("window", WINDOW)),
        (replace(TRIGGER, name="seen"), wanted("window", WINDOW)),
        (TRIGGER, wanted("window", replace(WINDOW, name="contents", type=list_of(LONG)))),
    ],
)
def test_what_no_trigger_of_flinks_own_keeps_is_unknown(state: State, new: GraphOperator) -> None:
    old = held("window", state)
    assert fates(judged(old, new, new))[state.name] is StateFate.UNKNOWN
    assert may_be_late(snapshot(old), program(new))


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (wanted("counts", OTHER), True),
        (wanted("counts", COUNT, OTHER), False),
        (wanted("counts", states=None), False),
        (wanted("totals", OTHER), False),
        (wanted("totals", OTHER, alternative_id=id_of("counts")), True),
    ],
)
def test_the_old_version_is_opened_only_for_a_state_that_the_new_one_does_not_register(
    new: GraphOperator, expected: bool
) -> None:
    assert may_be_late(snapshot(held("counts", COUNT)), program(new)) is expected
