"""What one call to a whole target says of each application: is it as it should be, or is it worth a closer look?

Pure. A survey tells little (which jobs there are, their states, when something last happened to them), and that little
is compared with what was last found to be in order. Nothing is decided here about what is to be done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from scurry.engine.phase import phase_of
from scurry.model.journal import Intent, OperationOutcome, RevisionOutcome
from scurry.model.observed import Job, JobState, Observed, Phase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from scurry.model.journal import History


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Every job of one target at one moment, in the two orders in which they are looked for."""

    jobs: Mapping[str, Job]
    live_by_name: Mapping[str, Sequence[Job]] = field(default_factory=dict)

    @classmethod
    def of(cls, jobs: Mapping[str, Job]) -> Survey:
        """Return a survey of the jobs that a target shows."""
        live: dict[str, list[Job]] = {}
        for job in jobs.values():
            if not job.state.is_terminal:
                live.setdefault(job.name, []).append(job)
        return cls(jobs=jobs, live_by_name=live)

    def observed(self, history: History) -> Observed:
        """Return what it says of one application."""
        own = tuple(self.jobs[mark] for mark in history.marks if mark in self.jobs)
        named = self.live_by_name.get(history.application, ())
        strangers = tuple(job for job in named if job.id not in history.marks)
        return Observed(jobs=own, strangers=strangers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """How an application looks from afar. Two equal sights: nothing has happened in between."""

    phase: Phase
    state: JobState | None = None
    job: str | None = None
    modified_at: datetime | None = None
    strangers: tuple[str, ...] = ()

    @classmethod
    def of(cls, history: History, observed: Observed) -> Sight:
        """Return how it looks."""
        job = observed.live or next((job for job in observed.jobs if job.id == history.job_id), None)
        return cls(
            phase=phase_of(observed, history),
            state=job.state if job else None,
            job=job.id if job else None,
            modified_at=job.modified_at if job else None,
            strangers=tuple(stranger.id for stranger in observed.strangers),
        )


def slim(history: History) -> History:
    """Return as much of a history as a glance needs: it is kept in memory for every application of the fleet."""
    last = history.last
    kept = last if last and (last.is_open or last.outcome is OperationOutcome.INTERRUPTED) else None
    return replace(history, healthy=None, previous_healthy=None, snapshots=history.snapshots[:1], last=kept)


def worth_a_look(history: History, sight: Sight, seen: Sight | None) -> str | None:
    """Return why an application needs a closer look, or None. `seen` is the sight of the last one that found it well.

    Without one, it is what the journal expects, or not.
    """
    if history.interrupted is not None:
        return "an operation was interrupted"
    if sight == seen:
        return None
    if seen is None:
        return None if is_as_expected(history, sight) else _unlike(history, sight)
    if sight.strangers != seen.strangers:
        return "another job of its name came or went"
    if sight.phase is not seen.phase:
        return f"it was {seen.phase.value} and is {sight.phase.value}"
    return "something happened to its job"


def is_as_expected(history: History, sight: Sight) -> bool:
    """Whether nothing has to be known but the journal to find it well."""
    if sight.strangers or (history.last and history.last.outcome is OperationOutcome.INTERRUPTED):
        return False
    if history.intent is not Intent.RUN:
        return sight.phase in {Phase.SUSPENDED, Phase.ABSENT, Phase.FINISHED}
    current = history.current
    if current is None or current.outcome is RevisionOutcome.PENDING:
        return False
    return sight.phase is Phase.RUNNING and sight.job == history.job_id


def _unlike(history: History, sight: Sight) -> str:
    if sight.strangers:
        return f"a job of its name runs that scurry did not start: {sight.strangers[0]}"
    return f"it is {sight.phase.value} and should be {_EXPECTED[history.intent]}"


_EXPECTED = {Intent.RUN: "running", Intent.SUSPEND: "suspended", Intent.ABSENT: "absent"}
