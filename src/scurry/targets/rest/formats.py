"""In which format a job's savepoints can be written: Flink 2 cannot write asynchronous state canonically.

It fails the job over it (`StreamOperatorStateHandler.snapshotState`). Which jobs have such state only their own metrics
tell: its operators have a group of their own (`AbstractAsyncStateStreamOperator`). Looks only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scurry.model.errors import TargetError
from scurry.model.snapshot import SnapshotFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scurry.flink.rest import FlinkRest
    from scurry.model.ports import Clock

_GROUP = ".asyncStateProcessing."
_INTERVAL_OPTION, _INTERVAL_S = "metrics.fetcher.update-interval", 10.0
_INTERVAL = re.compile(r"(\d+)\s*(ms|s)?")
_PAUSE_S = 0.25
"""a look makes the JobManager fetch metrics that are old; the next one sees them"""
_STARTING_S = 2.0
"""so long the tasks of a job may take to run; before that Flink would refuse the savepoint, too"""


def savepoint_format(rest: FlinkRest, job_id: str, clock: Clock) -> SnapshotFormat | None:
    """Return the format for a savepoint of a running job: canonical, unless an operator keeps asynchronous state.

    Waits for metrics of a job that has just started, as long as Flink takes to fetch them. None where none are told.
    """
    try:
        asynchronous = _is_asynchronous(rest, job_id, clock)
    except TargetError:  # whoever asks for the savepoint is told what is wrong
        return None
    if asynchronous is None:
        return None
    return SnapshotFormat.NATIVE if asynchronous else SnapshotFormat.CANONICAL


def _is_asynchronous(rest: FlinkRest, job_id: str, clock: Clock) -> bool | None:
    if rest.dashboard().flink_version.startswith("1."):
        return False
    interval_s = _interval_s(rest.options())
    enough_s = _PAUSE_S if _is_settled(rest, job_id, interval_s) else interval_s + _PAUSE_S
    waited_s = ran_s = 0.0
    while waited_s <= _STARTING_S + enough_s:
        vertices = rest.job(job_id).vertices
        told = {vertex.id: rest.vertex_metrics(job_id, vertex.id) for vertex in vertices}
        if any(_GROUP in metric.id for metrics in told.values() for metric in metrics):
            return True
        if not all(vertex.runs for vertex in vertices):
            ran_s = 0.0  # an operator that is still being set up has not named its metrics
        elif ran_s >= enough_s:
            running = [vertex.id for vertex in vertices if vertex.tasks.get("RUNNING")]
            return False if running and all(told[vertex] for vertex in running) else None
        clock.sleep(_PAUSE_S)
        waited_s += _PAUSE_S
        ran_s += _PAUSE_S
    return None


def _is_settled(rest: FlinkRest, job_id: str, interval_s: float) -> bool:
    """Whether all tasks have run for so long that the metrics are of operators that had been set up."""
    long_ago = rest.job(job_id).now - 2 * interval_s * 1000
    known = rest.checkpoints(job_id).history
    return any(0 < checkpoint.latest_ack_timestamp < long_ago for checkpoint in known)


def _interval_s(options: Mapping[str, str]) -> float:
    found = _INTERVAL.fullmatch(options.get(_INTERVAL_OPTION, "").strip())
    if found is None:
        return _INTERVAL_S
    return int(found[1]) / (1 if found[2] == "s" else 1000)
