"""How a diagnosis is shown: what it is, what it was recognised by, what to do; the whole of it when asked."""

from __future__ import annotations

from scurry.cli.text import plain
from scurry.cli.views_diagnosis import SHOWN_LINES, text
from scurry.model.observed import Phase
from scurry.model.report import Diagnosis, Finding

CAUSES = "\n".join(f"Caused by: a.b.C: {n}" for n in range(SHOWN_LINES + 3))
KNOWN = Finding(
    what="The Java heap of a process of Flink is full.",
    detail=CAUSES,
    todo="Raise it.\nWhen that is done, run:\n  scurry apply FILE",
    code="heap-full",
    evidence=("java.lang.OutOfMemoryError: Java heap space", "in counting (1/2), at a.B.c(B.java:3)"),
)
ODD = Finding(what="The job met an exception: a.b.C: 0", detail=CAUSES, todo="It is not known.")


def shown(*findings: Finding, well: bool = False, verbose: bool = False) -> list[str]:
    found = Diagnosis(name="shop", target="mem", phase=Phase.RESTARTING, is_well=well, findings=findings)
    return plain(text(found, verbose=verbose)).split("\n")


def test_a_known_failure_is_shown_with_its_name_its_evidence_and_what_to_do() -> None:
    assert shown(KNOWN) == [
        "shop on mem, restarting",
        "1. The Java heap of a process of Flink is full. [heap-full]",
        "     seen: java.lang.OutOfMemoryError: Java heap space",
        "     seen: in counting (1/2), at a.B.c(B.java:3)",
        "   Raise it.",
        "   When that is done, run:",
        "     scurry apply FILE",
    ]


def test_of_an_unknown_failure_the_chain_of_causes_is_shown_up_to_a_length() -> None:
    lines = shown(ODD)
    assert lines[1] == "1. The job met an exception: a.b.C: 0"
    assert sum("Caused by" in line for line in lines) == SHOWN_LINES
    assert "     … 3 more lines; to see them, add --verbose" in lines


def test_verbose_shows_the_whole_chain_of_both() -> None:
    assert sum("Caused by" in line for line in shown(KNOWN, ODD, verbose=True)) == 2 * (SHOWN_LINES + 3)


def test_what_is_only_worth_knowing_is_said_to_be_so() -> None:
    assert shown(KNOWN, well=True)[:2] == ["shop on mem, restarting", "Nothing is wrong. Worth knowing:"]
