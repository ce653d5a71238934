"""Which phase of its life an application is in: a pure reading of what is observed and what the journal says."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from scurry.model.journal import Intent
from scurry.model.observed import Job, JobState, Observed, Phase
from scurry.model.operation import Action

if TYPE_CHECKING:
    from scurry.model.journal import History


def phase_of(observed: Observed, history: History) -> Phase:
    """Return the phase. A target that does not answer gives `unknown`: nothing is guessed."""
    if not observed.reachable:
        return Phase.UNKNOWN
    if observed.live:
        return _live(observed.live)
    return _without_job(observed, history)


def _live(job: Job) -> Phase:
    match job.state:
        case JobState.RUNNING:
            return Phase.RUNNING if job.vertices_running >= job.vertices else Phase.STARTING
        case JobState.INITIALIZING | JobState.CREATED | JobState.RECONCILING | JobState.SUSPENDED:
            return Phase.STARTING
        case JobState.RESTARTING | JobState.FAILING:
            return Phase.RESTARTING
        case JobState.CANCELLING:
            return Phase.STOPPING
        case JobState.FAILED | JobState.CANCELED | JobState.FINISHED:
            raise AssertionError("a terminal job is not live")
        case _:
            assert_never(job.state)


def _without_job(observed: Observed, history: History) -> Phase:
    if history.current is None or history.intent is Intent.ABSENT:
        return Phase.ABSENT
    if history.stopped:
        return Phase.SUSPENDED
    ended = next((job for job in observed.jobs if job.id == history.job_id), None)
    if ended is None:
        return Phase.LOST
    if _was_being_stopped(ended, history):
        return Phase.SUSPENDED
    return Phase.FINISHED if ended.state is JobState.FINISHED else Phase.FAILED


def _was_being_stopped(ended: Job, history: History) -> bool:
    """Whether the job has come to its end by a stop of ours that was interrupted before it could be journalled."""
    steps = history.last.steps if history.last else ()
    stops = (entry.step for entry in steps if entry.is_open and entry.step.action in {Action.STOP, Action.CANCEL})
    return any(step.inputs["job_id"] == ended.id for step in stops)
