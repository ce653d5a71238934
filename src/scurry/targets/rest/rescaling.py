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
_SETTLES_S = 15.0
"""for so long slots may be held for a rescale of the same job that was asked for before, and interrupted"""


def rescale(rest: FlinkRest, job_id: str, graph: JobGraph, *, patience_s: float, activity: Activity) -> None:
    """Give each vertex the parallelism that the program asks for now, and wait until Flink has done so.

    `graph` is what the program builds with the new parallelism: it knows which vertices follow it and which do not.
    Raises `TargetUnsuitable` when the slots do not suffice, `RejectedByTarget` when Flink refuses or does not follow.
    """
    job = rest.job(job_id)
    wanted = {node.id: node.parallelism for node in graph.nodes}
    if wanted.keys() != {vertex.id for vertex in job.vertices}:
        raise RejectedByTarget(f"the program builds other vertices than job {job_id[:8]} has; it cannot be rescaled")
    _check(rest, _settled(rest, job_id, graph, activity), graph)
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


def _settled(rest: FlinkRest, job_id: str, graph: JobGraph, activity: Activity) -> JobDetail:
    """Return the job when the slots suffice, or have not for longer than an interrupted rescale takes.

    In the middle of one the cluster shows slots as taken, and the job with its old parallelism.
    """
    deadline = time.monotonic() + _SETTLES_S
    while True:
        job = rest.job(job_id)
        if graph.parallelism <= _usable(rest, job) or time.monotonic() >= deadline:
            return job
        activity.describe("waiting for slots")
        time.sleep(_POLL_S)


def _usable(rest: FlinkRest, job: JobDetail) -> int:
    return rest.overview().slots_available + slots_of(job)


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
