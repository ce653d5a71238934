"""What scurry says of changed programs against what a real Flink then does; writes the table in the docs.

What Flink did is kept, so an interrupted run goes on, and a changed scurry is only asked for its verdicts again.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.proof.all_cases import GROUPS
from tests.proof.cases import Kind
from tests.proof.programs import Programs
from tests.proof.table import found, page
from tests.proof.trial import Trial

from scurry.flink.runtimes import default_cache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.proof.cases import Case

VERSIONS = ("1.18.1", "1.19.3", "1.20.5", "2.3.0")
_TRYING = 0.6
"""the part of the time that is for what Flink does; the rest is for verdicts"""
PAGE = Path(__file__).parents[1] / "docs" / "reference" / "compatibility-proof.md"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks compatibility", description=__doc__)
    parser.add_argument("--flink", action="append", choices=VERSIONS, help="only this version; may be given again")
    parser.add_argument("--only", default="", help="only changes whose name holds one of these, parted by commas")
    kinds = [kind.value for kind in Kind]
    parser.add_argument("--kind", action="append", choices=kinds, help="only programs of this kind; may be given again")
    parser.add_argument("--folder", type=Path, default=default_cache() / "compatibility-proof", help="what is kept")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="then begin no further change")
    parser.add_argument("--once", action="store_true", help="ask for no verdict again only since the code changed")
    parser.add_argument("--table", action="store_true", help="only write the table of what is known")
    given = parser.parse_args(arguments)
    programs = Programs(given.folder)
    began = time.monotonic()
    for version in () if given.table else given.flink or VERSIONS:
        trial = Trial(programs=programs, version=version, tell=_tell, deadline=began + 60 * given.minutes)
        trying = replace(trial, deadline=began + 60 * given.minutes * _TRYING)
        wanted = [case for case in _all() if _wanted(case, given)]
        cases = [case for case in wanted if case.is_for(version)]
        trying.prepare([case for case in wanted if case.before.flink == version])
        trying.happen(cases)
        trial.judge(cases, once=given.once)
    everything = found(given.folder, VERSIONS, _all())
    PAGE.write_text(page(GROUPS, VERSIONS, everything), encoding="utf-8")
    wrong = [each for each in everything if each.mark.startswith("false")]
    for each in wrong:
        _tell(f"{each.mark}: {each.case.name} on {each.version}: {'; '.join(each.verdict.why)} / {each.happened.why}")
    return 1 if wrong else 0


def _all() -> list[Case]:
    return [case for cases in GROUPS.values() for case in cases]


def _wanted(case: Case, given: argparse.Namespace) -> bool:
    of_kind = not given.kind or case.before.kind.value in given.kind
    return of_kind and any(part in case.name for part in given.only.split(","))


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
