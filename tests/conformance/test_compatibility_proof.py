"""What scurry says of a changed program is what a real Flink then does: a part of the proof in the docs, in a minute.

All of it: `python -m benchmarks compatibility`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.proof.cases import OPERATORS, STATES
from tests.proof.cases_flink import BACKENDS
from tests.proof.programs import Programs
from tests.proof.real_flink import Counts, Outcome
from tests.proof.table import Found, found
from tests.proof.trial import Trial
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.flink, pytest.mark.timeout(600)]

VERSION = FLINK_VERSIONS[-1]
TELLING = {
    "operator-added": (Outcome.RUNS, Counts.ON),
    "stateful-operator-removed": (Outcome.REFUSED, Counts.UNTOLD),
    "uid-changed": (Outcome.REFUSED, Counts.UNTOLD),
    "max-parallelism-changed": (Outcome.REFUSED, Counts.UNTOLD),
    "state-renamed": (Outcome.RUNS, Counts.ANEW),
    "pojo-field-added": (Outcome.RUNS, Counts.ON),
    "primitive-retyped": (Outcome.FAILED, Counts.UNTOLD),
    "heap-to-rocksdb-native": (Outcome.FAILED, Counts.UNTOLD),
}


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    """The telling cases, tried on one cluster."""
    folder: Path = tmp_path_factory.mktemp("proof")
    told: list[str] = []
    cases = [case for case in (*OPERATORS, *STATES, *BACKENDS) if case.name in TELLING]
    trial = Trial(programs=Programs(folder), version=VERSION, tell=told.append)
    trial.happen(cases)
    trial.judge(cases)
    all_found = found(folder, (VERSION,), cases)
    assert len(all_found) == len(TELLING), told
    return {each.case.name: each for each in all_found}


@pytest.mark.parametrize("name", TELLING)
def test_flink_does_what_it_is_known_to_do(tried: dict[str, Found], name: str) -> None:
    happened = tried[name].happened
    assert (happened.outcome, happened.counts) == TELLING[name], happened


@pytest.mark.parametrize("name", TELLING)
def test_what_is_said_beforehand_is_what_flink_then_does(tried: dict[str, Found], name: str) -> None:
    assert tried[name].mark == "right", tried[name]
