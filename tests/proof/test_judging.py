"""What counts as right in the proof: how a new version's counts follow the old one's, and which verdict fits what."""

from __future__ import annotations

from pathlib import Path

import pytest

from scurry.model.compatibility import Fit
from tests.proof.all_cases import GROUPS
from tests.proof.cases import ONE
from tests.proof.programs import ORDERS, source_of
from tests.proof.real_flink import Counts, Happened, Outcome, cause_of, judged
from tests.proof.table import Found
from tests.proof.verdicts import Verdict


@pytest.mark.parametrize(
    ("new", "exactly", "expected"),
    [
        ({"count 0": [8, 9], "count 1": [5]}, True, Counts.ON),
        ({"count 0": [1, 2], "count 1": [1]}, True, Counts.ANEW),
        ({"count 0": [8], "count 1": [1]}, True, Counts.WRONG),
        ({"count 0": [9], "count 1": [5]}, True, Counts.WRONG),
        ({"count 0": [8, 10], "count 1": [5]}, True, Counts.WRONG),
        ({"count 0": [6], "count 1": [4]}, False, Counts.ON),
        ({"count 0": [9], "count 1": [4]}, False, Counts.WRONG),
        ({}, True, Counts.UNTOLD),
    ],
)
def test_counts_go_on_where_the_old_version_left_them(
    new: dict[str, list[int]], exactly: bool, expected: Counts
) -> None:
    assert judged(new, {"count 0": 7, "count 1": 4}, exactly=exactly) is expected


@pytest.mark.parametrize(
    ("fit", "outcome", "counts", "expected"),
    [
        (Fit.FITS, Outcome.RUNS, Counts.ON, "right"),
        (Fit.FITS, Outcome.RUNS, Counts.WRONG, "false fits"),
        (Fit.FITS, Outcome.RUNS, Counts.ANEW, "false fits"),
        (Fit.BLOCKED, Outcome.RUNS, Counts.ANEW, "right"),
        (Fit.FITS, Outcome.FAILED, Counts.UNTOLD, "false fits"),
        (Fit.DROPS, Outcome.REFUSED, Counts.UNTOLD, "false fits"),
        (Fit.BLOCKED, Outcome.REFUSED, Counts.UNTOLD, "right"),
        (Fit.BLOCKED, Outcome.RUNS, Counts.WRONG, "right"),
        (Fit.BLOCKED, Outcome.RUNS, Counts.ON, "false blocked"),
        (Fit.UNKNOWN, Outcome.FAILED, Counts.UNTOLD, "unknown"),
    ],
)
def test_a_verdict_is_right_when_flink_does_what_it_says(
    fit: Fit, outcome: Outcome, counts: Counts, expected: str
) -> None:
    case = GROUPS["Operators"][0]
    happened = Happened(outcome=outcome, counts=counts)
    assert Found(case=case, version="2.3.0", verdict=Verdict(fit=fit), happened=happened).mark == expected


def test_the_table_tells_of_a_state_that_is_said_to_be_used_no_more() -> None:
    happened = Happened(outcome=Outcome.RUNS, counts=Counts.ANEW)
    case = next(case for case in GROUPS["State by key"] if case.name == "state-renamed")
    said = {fit: Verdict(fit=fit, starts_empty=True) for fit in (Fit.FITS, Fit.BLOCKED)}
    cells = {fit: Found(case=case, version="2.3.0", verdict=said[fit], happened=happened).cell for fit in said}
    assert cells[Fit.FITS] == "fits, a state unused · runs, anew"
    assert cells[Fit.BLOCKED] == "**blocked · runs, anew** (false blocked)"


def test_a_third_of_the_changes_is_tried_on_older_flinks_too() -> None:
    cases = [case for group in GROUPS.values() for case in group]
    older = [case for case in cases if case.is_for("1.18.1")]
    assert older == [case for case in cases if case.is_for("1.19.3")]
    assert len(older) >= len(cases) // 3


def test_the_reason_is_the_last_cause_in_short() -> None:
    text = "org.x.Failed: it\n\tat x\nCaused by: java.lang.Error: it\nCaused by: org.y.StateException: no\n\tat"
    assert cause_of(text) == "StateException: no"
    told = "scurry-sql-error statement=2 line=1\nOuter\nscurry-sql-error cause\nInner one\nmore\nscurry-sql-error end\n"
    assert cause_of(f"Caused by: java.lang.RuntimeException: {told}\tat x") == "Inner one"


def test_lines_of_another_version_are_left_empty_so_that_the_others_keep_their_numbers(tmp_path: Path) -> None:
    source = tmp_path / "A.java"
    source.write_text("a // [old]\nb // [new]\nc // [1.19+]\nd // [1.18]\ne // [1.x new]\nf\n")
    assert source_of(source, age="new", flink="1.20.5").decode().split("\n") == [
        *("", "b // [new]", "c // [1.19+]", "", "e // [1.x new]", "f", "")
    ]
    assert source_of(source, age="old", flink="1.18.1").decode().split("\n")[2:4] == ["", "d // [1.18]"]
    old, new = (source_of(ORDERS, age=age, flink="2.3.0").decode() for age in ("old", "new"))
    assert old.count("\n") == new.count("\n")


def test_every_change_has_a_name_of_its_own_and_changes_something() -> None:
    cases = [case for group in GROUPS.values() for case in group]
    assert len({case.name for case in cases}) == len(cases)
    alike = {case.name for case in cases if case.before == case.after}
    assert alike == {"nothing-changed", "heap-native", "rocksdb-native", "rocksdb-checkpoint"} | {
        *("sql-nothing-changed", "sql-join-same", "python-nothing-changed")
    }
    assert ONE.tells
