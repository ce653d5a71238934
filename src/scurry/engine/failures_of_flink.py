"""The known failures of Flink under an application: memory, processes, checkpoints; and what figures tell."""

from __future__ import annotations

from scurry.engine.failures import Blame, Trouble

_APPLY = "When that is done, run:\n  scurry apply FILE"
_LOGS = "To see the logs, run:\n  scurry logs {application}"

_MEMORY = (
    Trouble(
        id="heap-full",
        title="The heap is full",
        seen=(r"OutOfMemoryError: (?:Java heap space|GC overhead limit exceeded|Requested array size)",),
        what="The Java heap of a process of Flink is full.",
        todo=(
            "Keep less on the heap (state: `state.backend.type: rocksdb`), raise the memory of the TaskManagers "
            f"(`taskmanager.memory.process.size`), or lower the parallelism per TaskManager.\n{_APPLY}"
        ),
    ),
    Trouble(
        id="metaspace-full",
        title="The metaspace is full",
        seen=(r"OutOfMemoryError: (?:Compressed class space|Metaspace)",),
        what="The metaspace of a process is full: too many classes were loaded, most often by jobs started one by one.",
        todo=(
            "Start the processes anew, raise `taskmanager.memory.jvm-metaspace.size`, and put what leaks classes (JDBC "
            f"drivers, metrics libraries) into Flink's `lib` instead of the jar.\n{_LOGS}"
        ),
        blame=Blame.CLUSTER,
    ),
    Trouble(
        id="direct-memory-full",
        title="The direct memory is full",
        seen=(
            r"OutOfMemoryError: (?:Direct buffer memory|Cannot reserve \d+ bytes of direct buffer memory)",
            r"OutOfDirectMemoryError: (?P<text>[^\n]*)",
        ),
        what="The direct memory of a TaskManager is full.",
        todo=(
            "Raise `taskmanager.memory.task.off-heap.size` if the program or a connector uses direct memory, else "
            f"`taskmanager.memory.framework.off-heap.size`.\n{_APPLY}"
        ),
    ),
    Trouble(
        id="threads-exhausted",
        title="No more threads",
        seen=(r"OutOfMemoryError: unable to create (?:new )?native thread",),
        what="The system gives a TaskManager no more threads.",
        todo=f"Look for threads that the program starts and does not end; raise the limit (`ulimit -u`).\n{_LOGS}",
    ),
    Trouble(
        id="network-buffers-missing",
        title="Too few network buffers",
        seen=(r"Insufficient number of network buffers: required (?P<needed>\d+), but only (?P<there>\d+) available",),
        what="The job needs {needed} network buffers at once, and {there} are free.",
        todo=f"Raise `taskmanager.memory.network.fraction` of the cluster, or lower `parallelism`.\n{_APPLY}",
    ),
    Trouble(
        id="managed-memory-missing",
        title="Too little managed memory",
        seen=(
            r"Failed to acquire shared cache resource for RocksDB",
            r"MemoryAllocationException|MemoryReservationException|Could not allocate \d+ pages",
        ),
        what="There is not enough managed memory for what the job's operators reserve.",
        todo=f"Raise `taskmanager.memory.managed.fraction` of the cluster, or lower `parallelism`.\n{_APPLY}",
    ),
)

_CLUSTER = (
    Trouble(
        id="slots-missing",
        title="Too few free slots",
        seen=(
            r"NoResourceAvailableException",
            r"Could not acquire the minimum required resources",
            r"the job needs \d+ slots, and target",
            r"not enough free slots",
        ),
        what="There are not enough free slots for the job.",
        todo=f"Add TaskManagers, stop what else runs there, or lower `parallelism`.\n{_APPLY}",
        blame=Blame.CLUSTER,
        follows=True,
    ),
    Trouble(
        id="taskmanager-lost",
        title="A TaskManager was lost",
        seen=(
            r"(?:The heartbeat of|Heartbeat of) TaskManager with id (?P<id>[^\s(]+)",
            r"TaskManager with id (?P<id>[^\s(]+?)(?:\([^)]*\))? is no longer reachable",
            r"Connection unexpectedly closed by remote task manager '(?P<id>[^' ]*)",
            r"The TaskExecutor is shutting down",
            r"Lost connection to task manager '(?P<id>[^' ]*)",
        ),
        what="A TaskManager was lost: its process ended, or it did not answer in time.",
        todo=(
            "If the system killed it, it needs more memory or a higher limit; if it did not answer, look for long "
            f"garbage collections.\n{_LOGS}"
        ),
        blame=Blame.CLUSTER,
        follows=True,
    ),
    Trouble(
        id="jobmanager-lost",
        title="The JobManager lost the job",
        seen=(
            r"(?:The heartbeat of|Heartbeat of) JobManager with id",
            r"Job leader for job id \w+ lost leadership",
            r"JobManager with id \S+ is no longer reachable",
            r"the JobMaster lost leadership",
            r"Disconnect from JobManager responsible for",
        ),
        what="The JobManager ended or lost its leadership, and the job with it.",
        todo="To go on from the newest state, run:\n  scurry start {application}",
        blame=Blame.CLUSTER,
        follows=True,
    ),
    Trouble(
        id="frame-too-large",
        title="A message too large for Flink's processes",
        seen=(
            r"result size \d+ exceeds the maximum size \d+",
            r"rpc invocation size \d+ exceeds the maximum",
            r"Discarding oversized payload sent to",
        ),
        what="A message between Flink's processes is larger than they take.",
        todo=f"Raise `pekko.framesize` (before Flink 1.18: `akka.framesize`) of the cluster.\n{_APPLY}",
    ),
    Trouble(
        id="rpc-timeout",
        title="Flink's processes did not answer each other",
        seen=(
            r"AskTimeoutException: (?P<text>[^\n]*)",
            r"Invocation of \[\S*RemoteRpcInvocation[^\n]* timed out",
            r"RpcConnectionException: (?P<text>[^\n]*)",
        ),
        what="A process of Flink did not answer another in time.",
        todo=f"Look for overload and long garbage collections; or raise `pekko.ask.timeout`.\n{_LOGS}",
        blame=Blame.CLUSTER,
        follows=True,
    ),
    Trouble(
        id="port-in-use",
        title="A port is in use",
        seen=(
            r"BindException: (?P<text>[^\n]*(?:in use|port range)[^\n]*)",
            r"Could not start rest endpoint on any port in port range (?P<text>\S+)",
        ),
        what="A port that is needed is in use: {text}",
        todo=f"Stop what uses it, or choose another port.\n{_APPLY}",
        blame=Blame.CLUSTER,
    ),
    Trouble(
        id="filesystem-missing",
        title="A file system is missing",
        seen=(
            r"Could not find a file system implementation for scheme '(?P<scheme>[^']*)'",
            r"this Flink has no file system for '(?P<scheme>[^']*)'",
        ),
        what="This Flink has no file system for {scheme}.",
        todo=f"Its plugin (for example flink-s3-fs-presto) has to be in `plugins/` of the cluster.\n{_APPLY}",
        blame=Blame.CLUSTER,
    ),
)

_CHECKPOINTS = (
    Trouble(
        id="disk-full",
        title="No space left",
        seen=(r"(?P<text>[^\n]*(?:No space left on device|Disk quota exceeded|not enough space on the disk)[^\n]*)",),
        what="A disk is full, or its quota is used up.",
        todo=(
            "Make room where state, checkpoints or the job's output go. To see snapshots that may be dropped, run:\n"
            "  scurry snapshot list {application}"
        ),
        blame=Blame.CLUSTER,
    ),
    Trouble(
        id="storage-not-writable",
        title="A place that cannot be written",
        seen=(
            r"java\.nio\.file\.AccessDeniedException: (?P<where>[^\n]*)",
            r"(?:Mkdirs failed to create|Failed to create directory for shared state:?|Could not create (?:base )?"
            r"directory) (?P<where>\S+)",
            r"(?P<where>\S+) \((?:Permission denied|Read-only file system)\)",
            r"FileSystemException: (?P<where>[^\n]*): (?:Read-only file system|Not a directory)",
            r"Failed to create the parent directory: (?P<where>\S+)",
        ),
        what="Flink's processes may not write to {where}.",
        todo=(
            "Let them write there, or set another place (`checkpoints` and `savepoints` of the target, the path of the "
            f"table).\n{_APPLY}"
        ),
        blame=Blame.SURROUNDINGS,
    ),
    Trouble(
        id="checkpoint-expired",
        title="Checkpoints take too long",
        seen=(r"Checkpoint (?:\d+ of job \w+ )?expired before completing",),
        what="A checkpoint did not complete in time.",
        todo=(
            "Look for the task that does not keep up (back-pressure), which holds up the barriers; set "
            "`execution.checkpointing.unaligned.enabled: true`, or raise `execution.checkpointing.timeout`.\n"
            "To see where records pile up, run:\n  scurry ui {application}"
        ),
        follows=True,
    ),
    Trouble(
        id="checkpoint-failed",
        title="Checkpoints fail",
        seen=(
            r"Exceeded checkpoint tolerable failure threshold",
            r"Checkpoint was declined",
            r"CheckpointException: (?P<text>[^\n]*)",
            r"(?:Could not|Failed to) (?:materialize|complete snapshot|perform checkpoint)[^\n]*",
            r"Asynchronous task checkpoint failed",
        ),
        what="A task could not write its part of a checkpoint.",
        todo=f"The deepest exception says why; the logs of the TaskManagers say more.\n{_LOGS}",
        follows=True,
    ),
)

_FIGURES = (
    Trouble(
        id="back-pressured",
        title="A task does not keep up",
        seen=(),
        what="{vertex} waits {share} of its time for what is behind it, which does not keep up.",
        todo=(
            "The first task behind it that is busy is the slow one. Raise `parallelism`, or make it cheaper.\n"
            "To see it, run:\n  scurry ui {application}"
        ),
    ),
    Trouble(
        id="source-idle",
        title="Event time stands still",
        seen=(),
        what="Some subtasks of {vertex} have no watermark, and hold up the event time of all: windows do not fire.",
        todo=(
            "Most often a partition is empty. Set `table.exec.source.idle-timeout` (SQL), or `withIdleness` in the "
            f"watermark strategy; or do not use more subtasks than there are partitions.\n{_APPLY}"
        ),
        blame=Blame.SURROUNDINGS,
    ),
)

OF_FLINK: tuple[Trouble, ...] = (
    *_MEMORY,
    *_CLUSTER,
    *_CHECKPOINTS,
    *_FIGURES,
)
