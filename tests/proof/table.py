"""The table of the proof, as a page of the docs: what scurry said of each change, and what Flink then did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.model.compatibility import Fit
from tests.proof.real_flink import Counts, Happened, Outcome
from tests.proof.records import Records
from tests.proof.trial import agree, went_well
from tests.proof.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.proof.cases import Case

HEAD = """\
# What scurry says of a change, and what Flink then does

Each change below was made to a real program: its old version ran on a real Flink until it had state, and was stopped
with a savepoint (or left what the change names). What `scurry plan` says of the new version was written down, and then
the new version was started from that snapshot, without `--allowNonRestoredState`.

A cell is what scurry said, then what Flink did. *A state unused*: scurry says so of a state that the new version does
not register when it opens. *Runs*: all tasks ran and a checkpoint completed; *counts on*: the program counts by key,
and its first count followed the last one of the old version; *anew*: it began at 1. *Refused*: when the job was
submitted; *failed*: when its tasks were restored, or with its first records; *wrong*: it ran, and with other values
than were kept. `fits` is right where it ran and its values were right, `blocked` is right everywhere else; `unknown`
is counted apart.

This page is written by a command, which takes the programs in `tests/proof`:

```console
$ .venv/bin/python -m benchmarks compatibility
```
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A case on one version."""

    case: Case
    version: str
    verdict: Verdict
    happened: Happened

    @property
    def mark(self) -> str:
        """What counts it: `right`, `unknown`, or which mistake it is."""
        if self.verdict.fit is Fit.UNKNOWN:
            return "unknown"
        if agree(self.verdict, self.happened, self.case):
            return "right"
        return "false blocked" if self.verdict.fit is Fit.BLOCKED else "false fits"

    @property
    def done(self) -> str:
        """What Flink did."""
        if self.happened.outcome is not Outcome.RUNS:
            return self.happened.outcome.value
        if not went_well(self.happened, self.case):
            return "wrong"
        words = {Counts.ON: "runs, counts on", Counts.ANEW: "runs, anew"}
        return words.get(self.happened.counts, "runs")

    @property
    def cell(self) -> str:
        """The two, for the table."""
        unused = ", a state unused" if self.verdict.starts_empty and self.verdict.fit is not Fit.BLOCKED else ""
        told = f"{self.verdict.fit.value}{unused} · {self.done}"
        return told if self.mark in {"right", "unknown"} else f"**{told}** ({self.mark})"


def found(folder: Path, versions: Sequence[str], cases: Sequence[Case]) -> list[Found]:
    """Return what is known of all cases."""
    records = {version: Records(folder, version) for version in versions}
    return [
        Found(case=case, version=version, verdict=both[1], happened=both[0])
        for case in cases
        for version in versions
        if (both := records[version].both(case))
    ]


def page(groups: Mapping[str, Sequence[Case]], versions: Sequence[str], all_found: Sequence[Found]) -> str:
    """Return the page."""
    return "\n".join([HEAD, *_figures(versions, all_found), *_tables(groups, versions, all_found), *_notes(all_found)])


def _figures(versions: Sequence[str], all_found: Sequence[Found]) -> Iterator[str]:
    yield "## Figures\n"
    yield "| Flink | changes | right | false “fits” | false “blocked” | unknown |"
    yield "| --- " * 6 + "|"
    for version in (*versions, ""):
        marks = Counter(each.mark for each in all_found if version in {"", each.version})
        total = sum(marks.values())
        if total:
            share = f"{marks['unknown']} ({100 * marks['unknown'] / total:.0f} %)"
            figures = (total, marks["right"], marks["false fits"], marks["false blocked"], share)
            yield f"| {version or '**all**'} | " + " | ".join(map(str, figures)) + " |"
    yield ""


def _tables(groups: Mapping[str, Sequence[Case]], versions: Sequence[str], all_found: Sequence[Found]) -> Iterator[str]:
    by_place = {(each.case.name, each.version): each for each in all_found}
    for group, cases in groups.items():
        rows = [_row(case, versions, by_place) for case in cases]
        if any(rows):
            yield f"## {group}\n"
            yield f"| Change | {' | '.join(versions)} |"
            yield "| --- " * (1 + len(versions)) + "|"
            yield from filter(None, rows)
            yield ""


def _row(case: Case, versions: Sequence[str], by_place: Mapping[tuple[str, str], Found]) -> str:
    cells = [by_place.get((case.name, version)) for version in versions]
    if not any(cells):
        return ""
    return f"| {case.change} | {' | '.join(cell.cell if cell else '' for cell in cells)} |"


def _notes(all_found: Sequence[Found]) -> Iterator[str]:
    for mark, title in (
        ("false fits", "False “fits”"),
        ("false blocked", "False “blocked”"),
        ("unknown", "Unknown, and why"),
    ):
        those = [each for each in all_found if each.mark == mark]
        if those:
            yield f"## {title}\n"
            for each in those:
                yield f"- {each.case.change}, Flink {each.version}: {'; '.join(each.verdict.why)}"
                yield f"  Flink: {each.done}{': ' if each.happened.why else ''}{_plain(each.happened.why)}"
            yield ""


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
