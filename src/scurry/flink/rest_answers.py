"""What Flink's REST API answers: only the fields that are used; unknown ones are ignored.

The differences between Flink 1.18 and 2.3 are settled here: a field that only some versions send has a default.
Source: the messages in `org.apache.flink.runtime.rest.messages`, described in `rest_v1_dispatcher.yml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from scurry.model.snapshot import SnapshotFormat


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """`/config`. Never cached by Flink, and answered while no job runs."""

    flink_version: str = msgspec.field(name="flink-version")
    refresh_interval_ms: int = msgspec.field(name="refresh-interval")
    """`web.refresh-interval`: how old `/jobs/:id` and `/jobs/:id/checkpoints` may be"""


class ClusterOverview(msgspec.Struct, frozen=True, kw_only=True):
    """`/overview`."""

    flink_version: str = msgspec.field(name="flink-version")
    taskmanagers: int
    slots_total: int = msgspec.field(name="slots-total")
    slots_available: int = msgspec.field(name="slots-available")


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `/jobmanager/config`."""

    key: str
    value: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A main class that an uploaded jar offers."""

    name: str


class UploadedJar(msgspec.Struct, frozen=True, kw_only=True):
    """A jar that was uploaded; `id` is `<uuid>_<name>`."""

    id: str
    name: str
    uploaded: int
    """milliseconds since 1970"""
    entry: tuple[Entry, ...] = ()


class UploadedJars(msgspec.Struct, frozen=True, kw_only=True):
    """`/jars`."""

    files: tuple[UploadedJar, ...] = ()


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """`/jars/upload`."""

    filename: str
    """a path on the JobManager's host; its last part is the jar's id"""

    @property
    def jar_id(self) -> str:
        """What the other calls name the jar by."""
        return self.filename.replace("\\", "/").rsplit("/", 1)[-1]


class PlanNode(msgspec.Struct, frozen=True, kw_only=True):
    """A vertex of the job graph."""

    id: str
    parallelism: int = 1
    description: str = ""


class JobGraph(msgspec.Struct, frozen=True, kw_only=True):
    """What a jar's program builds."""

    name: str = ""
    nodes: tuple[PlanNode, ...] = ()

    @property
    def parallelism(self) -> int:
        """The greatest of its vertices: the slots it needs where all share slots, as by default."""
        return max((node.parallelism for node in self.nodes), default=1)


class PlanAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`/jars/:jarid/plan`."""

    plan: JobGraph


class RunAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`/jars/:jarid/run`."""

    jobid: str


class TaskCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many subtasks of a job are in which state."""

    total: int = 0
    running: int = 0
    finished: int = 0


class JobSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One job of `/jobs/overview`. Not cached by Flink for a job that runs: fresher than `JobDetail`."""

    jid: str
    name: str
    state: str
    start_time: int = msgspec.field(name="start-time")
    end_time: int = msgspec.field(name="end-time", default=-1)
    duration: int = 0
    """milliseconds"""
    last_modification: int = msgspec.field(name="last-modification", default=0)
    """when the state of the job, a vertex or a subtask last changed: a restart cannot be missed"""
    tasks: TaskCounts = TaskCounts()


class JobOverview(msgspec.Struct, frozen=True, kw_only=True):
    """`/jobs/overview`."""

    jobs: tuple[JobSummary, ...] = ()


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`/jobs/:jobid/status`. Never cached."""

    status: str


class VertexTimes(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a vertex's `metrics` that tells of back-pressure: of its subtasks' current attempts, added up."""

    back_pressured_ms: int = msgspec.field(name="accumulated-backpressured-time", default=0)


class Vertex(msgspec.Struct, frozen=True, kw_only=True):
    """A vertex of a job that was submitted."""

    id: str
    name: str
    parallelism: int
    status: str
    max_parallelism: int = msgspec.field(name="maxParallelism", default=-1)
    slot_sharing_group: str | None = msgspec.field(name="slotSharingGroupId", default=None)
    tasks: Mapping[str, int] = {}
    """Flink's `ExecutionState` → number of subtasks"""
    duration: int = -1
    """milliseconds since its current attempts were deployed"""
    metrics: VertexTimes = VertexTimes()

    @property
    def runs(self) -> bool:
        """Whether each of its subtasks runs or came to its end."""
        return self.tasks.get("RUNNING", 0) + self.tasks.get("FINISHED", 0) >= self.parallelism


class VertexInput(msgspec.Struct, frozen=True, kw_only=True):
    """An edge of the plan, at its end."""

    id: str


class PlannedVertex(msgspec.Struct, frozen=True, kw_only=True):
    """A vertex in the plan of a job that was submitted."""

    id: str
    inputs: tuple[VertexInput, ...] = ()


class JobPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How the vertices of a job hang together."""

    nodes: tuple[PlannedVertex, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """The vertices without inputs."""
        return tuple(node.id for node in self.nodes if not node.inputs)

    @property
    def last(self) -> str | None:
        """The vertex behind all others, when there is just one that none comes after and that has inputs."""
        inner = {edge.id for node in self.nodes for edge in node.inputs}
        ends = [node.id for node in self.nodes if node.id not in inner and node.inputs]
        return ends[0] if len(ends) == 1 else None


class JobDetail(msgspec.Struct, frozen=True, kw_only=True):
    """`/jobs/:jobid`. Up to `web.refresh-interval` old (3 s by default)."""

    jid: str
    name: str
    state: str
    start_time: int = msgspec.field(name="start-time")
    now: int
    """the JobManager's time; not cached"""
    vertices: tuple[Vertex, ...] = ()
    plan: JobPlan = JobPlan()


class JobConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The part of `/jobs/:jobid/config` that tells about the program."""

    parallelism: int = msgspec.field(name="job-parallelism", default=1)
    user: Mapping[str, str] = msgspec.field(name="user-config", default={})
    """the global job parameters, sensitive ones masked by Flink"""


class JobConfigAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`/jobs/:jobid/config`."""

    execution: JobConfig = msgspec.field(name="execution-config", default=JobConfig())


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """An asynchronous operation was accepted (or joined, when its trigger id was known already)."""

    request_id: str = msgspec.field(name="request-id")


class FailureCause(msgspec.Struct, frozen=True, kw_only=True):
    """Why an asynchronous operation failed."""

    stack_trace: str = msgspec.field(name="stack-trace", default="")


class OperationResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an asynchronous operation."""

    location: str | None = None
    failure_cause: FailureCause | None = msgspec.field(name="failure-cause", default=None)


class OperationState(msgspec.Struct, frozen=True, kw_only=True):
    """`IN_PROGRESS` or `COMPLETED`; a failure is a completion, too."""

    id: str


class OperationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a savepoint or a disposal. Never cached; forgotten after `rest.async.store-duration` (5 min)."""

    status: OperationState
    operation: OperationResult | None = None

    @property
    def completed(self) -> bool:
        """Whether it came to an end, good or bad."""
        return self.status.id == "COMPLETED"


class CheckpointCounters(msgspec.Struct, frozen=True, kw_only=True):
    """How the checkpoints of a job went; savepoints count as well."""

    completed: int = 0
    failed: int = 0
    in_progress: int = 0


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One checkpoint or savepoint in the statistics."""

    id: int
    external_path: str | None = None
    is_savepoint: bool = False
    trigger_timestamp: int = 0
    latest_ack_timestamp: int = 0
    state_size: int = 0
    discarded: bool = False
    status: str = ""
    """`IN_PROGRESS`, `COMPLETED` or `FAILED`"""
    type: str = msgspec.field(name="checkpoint_type", default="")
    """`SYNC_SAVEPOINT` for the savepoint of a stop"""
    subtasks: int = msgspec.field(name="num_subtasks", default=0)
    acknowledged: int = msgspec.field(name="num_acknowledged_subtasks", default=0)
    failure_timestamp: int = 0
    failure_message: str | None = None
    """a sentence of Flink's; the exception itself is in the logs only"""
    savepoint_format: str | None = msgspec.field(name="savepointFormat", default=None)
    """`CANONICAL` or `NATIVE`; of savepoints"""

    @property
    def format(self) -> SnapshotFormat | None:
        """The format of a savepoint; None of a checkpoint, or where it is not told."""
        word = (self.savepoint_format or "").lower()
        return SnapshotFormat(word) if word in {"canonical", "native"} else None

    @property
    def taken_at(self) -> datetime:
        """When it was triggered: what came after that is not in it."""
        return moment(self.trigger_timestamp)


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """Where the job's state came from at its last (re)start."""

    id: int
    is_savepoint: bool = False
    external_path: str | None = None


class LatestCheckpoints(msgspec.Struct, frozen=True, kw_only=True):
    """The newest of each kind."""

    completed: Checkpoint | None = None
    savepoint: Checkpoint | None = None
    failed: Checkpoint | None = None
    restored: Restored | None = None


class Checkpoints(msgspec.Struct, frozen=True, kw_only=True):
    """`/jobs/:jobid/checkpoints`. Cached like `JobDetail`."""

    counts: CheckpointCounters = CheckpointCounters()
    latest: LatestCheckpoints = LatestCheckpoints()
    history: tuple[Checkpoint, ...] = ()


NO_CHECKPOINTS = Checkpoints()
"""of a job that has not begun"""


class Externalization(msgspec.Struct, frozen=True, kw_only=True):
    """Whether checkpoints outlive a job that is cancelled."""

    enabled: bool = False
    delete_on_cancellation: bool = True


class CheckpointConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`/jobs/:jobid/checkpoints/config`."""

    mode: str = ""
    interval_ms: int = msgspec.field(name="interval", default=-1)
    timeout_ms: int = msgspec.field(name="timeout", default=-1)
    min_pause_ms: int = msgspec.field(name="min_pause", default=-1)
    max_concurrent: int = -1
    tolerable_failures: int = msgspec.field(name="tolerable_failed_checkpoints", default=-1)
    unaligned: bool | None = msgspec.field(name="unaligned_checkpoints", default=None)
    externalization: Externalization = Externalization()

    @property
    def survives_cancellation(self) -> bool:
        """Whether the latest checkpoint is still there after the job was cancelled."""
        return self.externalization.enabled and not self.externalization.delete_on_cancellation


class ExceptionEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A failure that made the job restart or end."""

    stacktrace: str = ""
    timestamp: int = 0
    task: str | None = msgspec.field(name="taskName", default=None)


class ExceptionHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Failures, newest first; at most `web.exception-history-size` (16)."""

    entries: tuple[ExceptionEntry, ...] = ()


class Exceptions(msgspec.Struct, frozen=True, kw_only=True):
    """`/jobs/:jobid/exceptions`. `root-exception` went away in Flink 2.0; the history is in every version."""

    history: ExceptionHistory = msgspec.field(name="exceptionHistory", default=ExceptionHistory())


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A metric; fetched from the TaskManagers every `metrics.fetcher.update-interval` (10 s)."""

    id: str
    value: str | None = None


class VertexMetric(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of a vertex over its subtasks; a list of names holds no numbers."""

    id: str
    min: float | None = None
    max: float | None = None
    sum: float | None = None


class VertexMetricAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The same as Flink writes it: Jackson has words for what is no number, as the busy time of an older source is."""

    id: str
    min: float | str | None = None
    max: float | str | None = None
    sum: float | str | None = None


class ParallelismRange(msgspec.Struct, frozen=True, kw_only=True):
    """Least and greatest parallelism of a vertex."""

    lower: int = msgspec.field(name="lowerBound", default=1)
    upper: int = msgspec.field(name="upperBound", default=1)


class VertexRequirement(msgspec.Struct, frozen=True, kw_only=True):
    """What a vertex asks of the adaptive scheduler."""

    parallelism: ParallelismRange


class TaskManager(msgspec.Struct, frozen=True, kw_only=True):
    """One of `/taskmanagers`."""

    id: str
    slots: int = msgspec.field(name="slotsNumber", default=0)
    free_slots: int = msgspec.field(name="freeSlots", default=0)


class TaskManagers(msgspec.Struct, frozen=True, kw_only=True):
    """`/taskmanagers`."""

    taskmanagers: tuple[TaskManager, ...] = ()


class LogFile(msgspec.Struct, frozen=True, kw_only=True):
    """One log file of a process."""

    name: str
    size: int = 0


class LogFiles(msgspec.Struct, frozen=True, kw_only=True):
    """`/jobmanager/logs` and `/taskmanagers/:id/logs`."""

    logs: tuple[LogFile, ...] = ()


def moment(milliseconds: int) -> datetime:
    """Return a time of Flink's, with its zone (UTC)."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
