"""Changes the parallelism of a job while it runs, by Flink's adaptive scheduler (FLIP-291)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scurry.flink.rest_answers import ParallelismRange, VertexRequirement
from scurry.model.errors import RejectedByTarget, TargetUnsuitable
from scurry.targets.rest.checking import slots_of

if TYPE_CHECKING:
    from scurry.flink.rest import FlinkRest
    from scurry.flink.rest_answers import JobDetail, JobGraph
    from scurry.model.ports import Activity

_POLL_S = 0.2


def rescale(rest: FlinkRest, job_id: str, graph: JobGraph, *, patience_s: float, activity: Activity) -> None:
    """Give each vertex the parallelism that the program asks for now, and wait until Flink has done so.

    `graph` is what the program builds with the new parallelism: it knows which vertices follow it and which do not.
    Raises `TargetUnsuitable` when the slots do not suffice, `RejectedByTarget` when Flink refuses or does not follow.
    """
    job = rest.job(job_id)
    wanted = {node.id: node.parallelism for node in graph.nodes}
    if wanted.keys() != {vertex.id for vertex in job.vertices}:
        raise RejectedByTarget(f"the program builds other vertices than job {job_id[:8]} has; it cannot be rescaled")
    _check(rest, job, graph)
    rest.require_resources(
        job_id,
        {id: VertexRequirement(parallelism=ParallelismRange(lower=1, upper=number)) for id, number in wanted.items()},
    )
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        now = {vertex.id: vertex.parallelism for vertex in rest.job(job_id).vertices}
        if now == wanted:
            return
        activity.describe(f"running with parallelism {max(now.values(), default=0)}")
        time.sleep(_POLL_S)
    raise RejectedByTarget(
        f"Flink accepted parallelism {graph.parallelism} for job {job_id[:8]} and does not run with it yet",
        hint="Flink waits between two rescales; see `jobmanager.adaptive-scheduler` in its options.",
    )


def _usable(rest: FlinkRest, job: JobDetail) -> int:
    """Return the slots that the job can have: all that no other job holds.

    What the cluster calls free is less: for `slot.idle.timeout` (50 s) a job keeps slots that it was scaled down from.
    """
    others = (other.jid for other in rest.jobs() if other.end_time < 0 and other.jid != job.jid)
    return rest.overview().slots_total - sum(slots_of(rest.job(other)) for other in others)


def _check(rest: FlinkRest, job: JobDetail, graph: JobGraph) -> None:
    usable = _usable(rest, job)
    if graph.parallelism > usable:
        raise TargetUnsuitable(f"the job needs {graph.parallelism} slots, and there are {usable} for it")
    for vertex in job.vertices:
        most = vertex.max_parallelism
        wanted = next(node.parallelism for node in graph.nodes if node.id == vertex.id)
        if 0 < most < wanted:
            raise TargetUnsuitable(
                f"{vertex.name!r} can have a parallelism of {most} at most, its max parallelism",
                hint="`pipeline.max-parallelism` is fixed for as long as the state lives.",
            )
