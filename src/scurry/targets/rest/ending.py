"""Ends jobs and takes savepoints: triggers, waits as long as it takes, and tells the truth about a failure."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scurry.flink.polling import polls
from scurry.flink.rest_errors import OperationNotFound
from scurry.model.errors import JobNotFound, RejectedByTarget, TargetError, TargetUnavailable
from scurry.model.observed import JobState
from scurry.model.snapshot import Snapshot, SnapshotFormat, SnapshotKind
from scurry.model.values import format_duration
from scurry.targets.rest.observing import checkpoint_snapshot, retained_checkpoint, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from scurry.flink.rest import FlinkRest
    from scurry.flink.rest_answers import OperationAnswer
    from scurry.model.operation import Step
    from scurry.model.ports import Activity, Clock

_WORTH_TELLING_S = 2.0
_WRITTEN = re.compile(
    r"A savepoint has been created at: (?P<location>\S+), but the corresponding job \w+ failed during"
)
"""`StopWithSavepointStoppingException`: a task died after the savepoint was written and before all had ended.

The job fails for good then. Sinks may have committed what is in the savepoint: from anything older it would be written
twice. So the stop is done, and this is its savepoint.
"""
_NOT_STOPPED = "It was not stopped, and its state is safe. When the cause is gone, run the same command again."
_SYNCHRONOUS = "SYNC_SAVEPOINT"
"""how the checkpoint statistics name the savepoint of a stop"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Stops, cancels and savepoints of one cluster."""

    rest: FlinkRest
    clock: Clock
    target: str
    directory: str | None
    """where savepoints go; None: where the cluster puts them"""
    format_of: Callable[[str], SnapshotFormat | None] = lambda job_id: None
    """returns the format that a running job's savepoints can be written in; None: it does not tell"""
    formats: dict[str, SnapshotFormat | None] = field(default_factory=dict)
    """by mark, what was told of those that were asked for here"""

    def stop(self, step: Step, *, limit: timedelta, activity: Activity) -> Snapshot:
        """Stop a job with a savepoint, or join the stop that was begun under the same mark."""
        drain = bool(step.inputs.get("drain"))
        format = self._format(step).upper()
        self.rest.stop(
            step.inputs["job_id"], trigger_id=step.mark, directory=self.directory, format=format, drain=drain
        )
        return self.await_savepoint(step, limit=limit, activity=activity, what="the stop with a savepoint")

    def savepoint(self, step: Step, *, limit: timedelta, activity: Activity) -> Snapshot:
        """Take a savepoint, or join the one that was begun under the same mark; the job goes on."""
        format = self._format(step).upper()
        self.rest.trigger_savepoint(
            step.inputs["job_id"], trigger_id=step.mark, directory=self.directory, format=format
        )
        return self.await_savepoint(step, limit=limit, activity=activity, what="the savepoint")

    def _format(self, step: Step) -> SnapshotFormat:
        found = self.formats[step.mark] = self.format_of(step.inputs["job_id"])
        return found or SnapshotFormat.CANONICAL

    def await_savepoint(self, step: Step, *, limit: timedelta, activity: Activity, what: str) -> Snapshot:
        """Wait for a savepoint that was begun. Raises `OperationNotFound`, `JobNotFound`, `RejectedByTarget`.

        `TargetUnavailable` after `limit`: Flink goes on with it.
        """
        job_id: str = step.inputs["job_id"]
        for elapsed in polls(limit):
            with undecided():
                answer = self.rest.savepoint_status(job_id, step.mark)
            if answer.completed:
                return self._result(answer, step, what, activity)
            if elapsed > _WORTH_TELLING_S:
                activity.describe(self._progress(job_id, elapsed))
        raise TargetUnavailable(
            f"{what} of job {job_id[:8]} is still in progress after {format_duration(limit)}; Flink goes on with it",
            target=self.target,
            hint="To wait on, run the same command again. `upgrade.stop_timeout` says how long is waited.",
            retry_after_s=5.0,
        )

    def finished_stop(self, step: Step) -> Snapshot | None:
        """Return the savepoint of a stop that Flink has forgotten (after 5 minutes), from the job's statistics."""
        job_id: str = step.inputs["job_id"]
        if self._state(job_id) is not JobState.FINISHED:
            return None
        savepoint = self.rest.checkpoints(job_id).latest.savepoint
        if savepoint is None or savepoint.type != _SYNCHRONOUS:
            return None
        return checkpoint_snapshot(savepoint, job_id)

    def cancel(self, job_id: str, *, wants_state: bool, activity: Activity) -> Snapshot | None:
        """Cancel a job, wait for its end and return the checkpoint that it has left, if `wants_state`."""
        try:
            self.rest.cancel(job_id)
        except RejectedByTarget as error:
            if isinstance(error, JobNotFound) or not self._ended(job_id):
                raise  # else it came to its end by itself
        with undecided():
            state = self._await_end(job_id, activity)
            if state is None or not wants_state:
                return None
            activity.describe("looking for its last checkpoint")
            return retained_checkpoint(self.rest, job_id, state, self.clock)

    def dispose(self, location: str, *, activity: Activity) -> None:
        """Delete the files of a savepoint or checkpoint; one that is not there is deleted already."""
        trigger_id = self.rest.dispose(location)
        for elapsed in polls(None):
            answer = self.rest.disposal_status(trigger_id)
            if answer.completed:
                break
            if elapsed > _WORTH_TELLING_S:
                activity.describe(f"deleting its files, {elapsed:.0f} s")
        cause = answer.operation.failure_cause if answer.operation else None
        if cause is not None and "java.io.FileNotFoundException" not in cause.stack_trace:
            raise self.rest.failure(cause, doing=f"deleting {location}")

    def _await_end(self, job_id: str, activity: Activity) -> JobState | None:
        for elapsed in polls(None):
            state = self._state(job_id)
            if state is None or state.is_terminal:
                return state
            if elapsed > _WORTH_TELLING_S:
                activity.describe(f"the job is {state.value}")
        raise AssertionError("waits without a limit")

    def _savepoint_at(self, location: str, step: Step) -> Snapshot:
        return Snapshot(
            kind=SnapshotKind.SAVEPOINT,
            location=location,
            taken_at=self.clock.now(),
            job_id=step.inputs["job_id"],
            format=self._written_format(location, step),
            drained=bool(step.inputs.get("drain")),
        )

    def _written_format(self, location: str, step: Step) -> SnapshotFormat | None:
        """Return the format of a savepoint; of one that another process asked for, from the job's statistics.

        What was asked for here costs no call: a job waits to be started.
        """
        if step.mark in self.formats:
            return self.formats[step.mark]
        try:
            history = self.rest.checkpoints(step.inputs["job_id"]).history
        except TargetError:
            return None
        return next((found.format for found in history if found.external_path == location), None)

    def _result(self, answer: OperationAnswer, step: Step, what: str, activity: Activity) -> Snapshot:
        job_id: str = step.inputs["job_id"]
        result = answer.operation
        if result is not None and result.location:
            return self._savepoint_at(result.location, step)
        if result is None or result.failure_cause is None:
            raise RejectedByTarget(f"{what} of job {job_id[:8]} ended without a savepoint", target=self.target)
        if written := _WRITTEN.search(result.failure_cause.stack_trace):
            with undecided():
                self._await_end(job_id, activity)
            return self._savepoint_at(written["location"], step)
        raise self._told(self.rest.failure(result.failure_cause, doing=what), job_id, what)

    def _told(self, error: RejectedByTarget, job_id: str, what: str) -> RejectedByTarget:
        """Say what a failure did to the job: usually nothing, but Flink restarts one that failed while it stopped."""
        try:
            state = self._state(job_id)
        except TargetError:
            state = None
        if state is None:
            return error
        goes_on = "the job goes on" if state is JobState.RUNNING else f"the job is {state.value} now"
        return RejectedByTarget(
            f"{what} of job {job_id[:8]} failed, and {goes_on}: {error.message}",
            target=self.target,
            hint=error.hint or (None if state.is_terminal else _NOT_STOPPED),
            cause=error.cause,
        )

    def _state(self, job_id: str) -> JobState | None:
        try:
            return state_of(self.rest.job_status(job_id))
        except JobNotFound:
            return None

    def _ended(self, job_id: str) -> bool:
        state = self._state(job_id)
        return state is None or state.is_terminal

    def _progress(self, job_id: str, elapsed: float) -> str:
        try:
            history = self.rest.checkpoints(job_id).history
        except TargetError:  # it is only to be shown
            history = ()
        current = next((item for item in history if item.is_savepoint and item.status == "IN_PROGRESS"), None)
        done = (
            f"{current.acknowledged} of {current.subtasks} subtasks have written their state" if current else "waiting"
        )
        return f"{done}, {elapsed:.0f} s"


@contextmanager
def undecided() -> Iterator[None]:
    """Say of what was begun that it is not known, not that it failed, when only the question about it failed.

    Raises `TargetUnavailable` instead of any error but those that say that Flink knows of no such thing.
    """
    try:
        yield
    except (TargetUnavailable, JobNotFound, OperationNotFound):
        raise
    except TargetError as error:
        raise TargetUnavailable(error.message, target=error.target, hint=error.hint) from error
