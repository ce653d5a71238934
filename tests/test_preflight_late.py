"""The old version is opened, too, where the new one does not register all that there is: with made-up programs."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from scurry.model.compatibility import Compatibility, Fit, StateFate
from scurry.model.errors import ScurryError
from scurry.model.state import OpenedOperator, OpenedProgram, State
from tests.engine.state_of import id_of, program, value, wanted
from tests.looking import COUNT, MadeUp
from tests.test_preflight import found

OTHER = value("other")


def registering(*states: State) -> OpenedProgram:
    return OpenedProgram(operators=(OpenedOperator(id=id_of("counts"), states=states),))


@dataclass(kw_only=True)
class Both(MadeUp):
    """Programs of which the old one, asked without heads, registers something else."""

    was: OpenedProgram | None = None

    def __post_init__(self) -> None:
        self.graph = self.before = program(wanted("counts", states=None, key=None))

    def __getattribute__(self, name: str) -> object:
        if name != "opened" or self.heads[-1]:
            return super().__getattribute__(name)
        if self.was is None:
            raise ScurryError("the old program does not open")
        return self.was


def judged(made_up: MadeUp) -> tuple[Compatibility, dict[str, StateFate]]:
    verdict = found(made_up)
    return verdict, {state.name: state.fate for state in verdict.operators[0].states}


def test_a_state_that_the_old_version_did_not_register_when_it_opened_either_is_unknown() -> None:
    verdict, fates = judged(Both(opened=registering(OTHER), was=registering(OTHER)))
    assert (verdict.fit, fates["count"]) == (Fit.UNKNOWN, StateFate.UNKNOWN)


@pytest.mark.parametrize("was", [registering(COUNT), None])
def test_a_state_that_it_registered_is_used_no_more_and_so_is_one_of_a_version_that_does_not_open(
    was: OpenedProgram | None,
) -> None:
    verdict, fates = judged(Both(opened=registering(OTHER), was=was))
    assert (verdict.fit, fates["count"]) == (Fit.FITS, StateFate.UNUSED)


def test_where_the_new_version_registers_all_the_old_one_is_not_opened() -> None:
    made_up = Both(opened=registering(COUNT), was=registering(OTHER))
    assert judged(made_up)[0].fit is Fit.FITS
    assert len(made_up.heads) == 1
