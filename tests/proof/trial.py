"""Cases tried on one Flink version: what Flink does, then what scurry says; what is known is not tried again."""

from __future__ import annotations

import re
import threading
import time
import traceback
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from scurry.model.errors import ScurryError
from tests.proof.real_flink import Counts, Failed, Happened, Outcome, real_flink
from tests.proof.records import Records
from tests.proof.verdicts import Verdict, compared, in_short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scurry.model.desired import Desired
    from tests.proof.cases import Case
    from tests.proof.programs import Programs
    from tests.proof.real_flink import Left, RealFlink
Tell: TypeAlias = "Callable[[str], None]"


_LONGEST = 1000
"""characters of an error"""
_JUDGED_AT_ONCE = 2
"""each asks up to three JVMs"""
_IN_NO_TIME = re.compile(r"within [\d.]+ m?s\b|no time was left")
"""what a verdict says that only a busy machine made it say"""


class _Locks:
    """A lock for each old version: what several cases begin with is run once."""

    def __init__(self) -> None:
        self._all: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def of(self, name: str) -> threading.Lock:
        return self._all[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What cases are tried with."""

    programs: Programs
    version: str
    tell: Tell
    deadline: float = float("inf")
    """by `time.monotonic`: after it no further case is begun"""
    at_once: int = 4
    _locks: _Locks = field(default_factory=_Locks)

    def happen(self, cases: Iterable[Case]) -> None:
        """Find out what Flink does with the cases of which that is not known."""
        records = Records(self.programs.folder, self.version)
        cases = tuple(cases)
        with ThreadPoolExecutor(self.at_once) as pool:  # SQL is planned for this
            unknown = pool.map(lambda case: self._unknown(case, records), cases)
            open_ = [case for case, is_open in zip(cases, unknown, strict=True) if is_open]
        if not open_ or time.monotonic() > self.deadline:
            return
        with real_flink(self.programs, self.version) as flink:
            self._each(open_, lambda case: self._happen(case, flink, records))

    def prepare(self, cases: Iterable[Case]) -> None:
        """Run old versions of cases that a later Flink goes on with."""
        records = Records(self.programs.folder, self.version)
        open_ = [case for case in cases if not self._is_left(case, records)]
        if not open_ or time.monotonic() > self.deadline:
            return
        with real_flink(self.programs, self.version) as flink:
            self._each(open_, lambda case: self._prepare(case, flink, records))

    def _is_left(self, case: Case, records: Records) -> bool:
        try:
            return records.left(self.programs.wish(case.before, self.version), case.take)[1] is not None
        except ScurryError:  # it is told when the case is tried
            return False

    def _prepare(self, case: Case, flink: RealFlink, records: Records) -> str:
        self._left(case, self.programs.wish(case.before, self.version), flink, records)
        return "left its state"

    def judge(self, cases: Iterable[Case], *, once: bool = False) -> None:
        """Find out what scurry says of the cases that happened; `once`: only where it was not asked yet."""
        records = Records(self.programs.folder, self.version)
        never_first = sorted(cases, key=lambda case: records.both(case) is not None)
        if once:
            never_first = [case for case in never_first if records.both(case) is None]
        self._each(never_first, lambda case: self._judge(case, records), at_once=_JUDGED_AT_ONCE)

    def wishes(self, case: Case) -> tuple[Desired, Desired]:
        """Return what both versions of a case wish for."""
        old = self.programs.wish(case.before, self.version)
        return old, self.programs.wish(case.after, self.version, old)

    def _each(self, cases: Iterable[Case], do: Callable[[Case], str], *, at_once: int | None = None) -> None:
        def one(case: Case) -> str:
            return do(case) if time.monotonic() < self.deadline else ""

        with ThreadPoolExecutor(at_once or self.at_once) as pool:
            running = {pool.submit(one, case): case for case in cases}
            for done in as_completed(running):
                error = done.exception()
                if error and not isinstance(error, Failed):
                    self.tell("".join(traceback.format_exception(error)[-3:])[:_LONGEST])
                why = error.why if isinstance(error, Failed) else repr(error)[:_LONGEST]
                told = f"not tried: {why}" if error else done.result()
                if told:
                    self.tell(f"{self.version} {running[done].name}: {told}")

    def _unknown(self, case: Case, records: Records) -> bool:
        if time.monotonic() > self.deadline:
            return False
        try:
            return records.happened(case, *self.wishes(case))[1] is None
        except ScurryError:  # it is told when the case is tried
            return True

    def _happen(self, case: Case, flink: RealFlink, records: Records) -> str:
        old, new = self.wishes(case)
        key, _ = records.happened(case, old, new)
        happened = flink.try_new(new, self._left(case, old, flink, records), case)
        records.keep(f"happened/{case.name}", key, happened)
        return _told(happened)

    def _left(self, case: Case, old: Desired, flink: RealFlink, records: Records) -> Left:
        with self._locks.of(old.digest() + case.take.value):
            name, left = records.left(old, case.take)
            if left is None:
                if old.flink_version != self.version:
                    raise LookupError(f"it goes on from Flink {old.flink_version}, which was not tried yet")
                left = flink.leave(old, case)
                records.keep(name, "", left)
        return left

    def _judge(self, case: Case, records: Records) -> str:
        old, new = self.wishes(case)
        happened, known = records.happened(case, old, new)
        key, verdict = records.verdict(case, happened)
        if known is None or verdict is not None:
            return ""
        _, left = records.left(old, case.take)
        if left is None:
            return "its snapshot is gone"
        began = time.monotonic()
        found = in_short(compared(self.programs, old, new, location=left.location, take=case.take))
        if any(map(_IN_NO_TIME.search, found.why)):
            return f"not judged: {'; '.join(found.why)}"
        records.keep(f"verdicts/{case.name}", key, found, of=happened)
        mark = "" if agree(found, known, case) else "  <== DIFFERS"
        return f"{found.fit.value} ({time.monotonic() - began:.1f} s); {_told(known)}{mark}"


def agree(verdict: Verdict, happened: Happened, case: Case) -> bool:
    """Whether a verdict was right; what was unknown is counted apart."""
    from scurry.model.compatibility import Fit

    return verdict.fit is Fit.UNKNOWN or (verdict.fit is not Fit.BLOCKED) == went_well(happened, case)


def went_well(happened: Happened, case: Case) -> bool:
    """Whether a new version ran, and with the values that were kept."""
    wrong = happened.counts is Counts.WRONG or (happened.counts is Counts.ANEW and not case.anew)
    return happened.outcome is Outcome.RUNS and not wrong


def _told(happened: Happened) -> str:
    return " ".join(part for part in (happened.outcome.value, happened.counts.value, happened.why) if part)
