"""What `--json` writes: every document, field by field. docs/reference/json.md is made from here.

Field names are an interface: more may be added, these stay. A path ends in `[]` where a list is, and `?` marks what
may be null.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scurry.cli.documents_state import FREEZE, SINK, SIZE, STATE_COPIED, STATE_FITS, STATE_SHOWN

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One kind of document."""

    commands: tuple[str, ...]
    """that write it"""
    about: str
    fields: Mapping[str, str] = field(default_factory=dict)


def _within(path: str, fields: Mapping[str, str]) -> dict[str, str]:
    return {f"{path}.{name}": text for name, text in fields.items()}


_SNAPSHOT = {
    "kind": "`savepoint`, `checkpoint` or `managed`",
    "location": "what Flink restores from: a path or URI",
    "taken_at": "when",
    "job_id?": "the job that wrote it",
    "revision?": "the revision of that job",
    "flink_version?": "the Flink that wrote it",
    "format?": "`canonical` or `native`",
    "size_bytes?": "its size",
    "drained": "whether windows have fired early: do not go on from it",
    "foreign": "whether another tool took it: it is never pruned",
}
_ERROR = {
    "code": "stable; see errors",
    "message": "what is wrong",
    "hint?": "what to do; a command on a line of its own",
}
_PLACE = {
    "file?": "the file that is wrong",
    "line?": "from 1",
    "column?": "from 1",
    "key?": "the path to the value: `upgrade.health.window`",
}
_PROBLEM = {"message": "what is wrong", "hint?": "what to do", **_PLACE}
_FULL_ERROR = {
    **_ERROR,
    **_PLACE,
    "problems?[]": "only `spec-invalid`: all that was found, in file order",
    **_within("problems?[]", _PROBLEM),
    "owner?": "only `application-locked` and `frozen`: who holds the lock, or froze it",
    "since?": "only `application-locked` and `frozen`: since when",
    "target?": "only errors of a target: its name",
    "cause?": "only `rejected-by-target`: what Flink reported, whole",
}
_DIFFERENCE = {
    "field": "`parallelism`, `config.execution.checkpointing.interval`",
    "before?": "as people read it; secrets masked",
    "after?": "as people read it; secrets masked",
    "impact": "`adjust`, `rescale`, `upgrade` or `move`: how big the change is",
    "details[]": "what differs inside an artifact: lines of a unified diff, and names",
}
_JOB = {
    "id": "32 hexadecimal digits",
    "name": "its name in Flink",
    "state": "Flink's `JobStatus` in lower case",
    "restarts": "how often Flink restarted it",
    "started_at?": "when",
    "parallelism?": "the greatest of its vertices",
    "vertices": "how many it has",
    "vertices_running": "how many of them run",
    "checkpoints": "since it was started",
    "checkpoints.completed": "how many",
    "checkpoints.failed": "how many",
    "checkpoints.in_progress": "how many",
    "latest_checkpoint?": "a snapshot, as in `latest_snapshot`",
    **_within("latest_checkpoint?", _SNAPSHOT),
    "restored_from?": "location",
    "root_exception?": "the first lines of what Flink shows",
    "failures[]": "what made Flink restart it or give it up, newest first",
    "failures[].at": "when",
    "failures[].message": "the root cause in a line",
    "failures[].causes": "the chain of exceptions, outermost first; empty where a newer one says the same",
    "failures[].where?": "the line of code that threw the root cause",
    "failures[].task?": "the subtask that failed",
    "modified_at?": "when Flink last changed anything of its execution",
    "back_pressure?": "from 0 to 1: the greatest share of their time that a vertex's subtasks waited for those behind",
    "back_pressured?": "the name of that vertex",
    "watermark?": "how far event time has come in the last vertex",
    "source_lag?": "records that wait in the sources, as far as they tell",
    "idle_source?": "the name of a source of which some subtasks have a watermark and others have none",
    "checkpoint_failure?": "why the newest checkpoint failed; null when it completed",
    "told_late_by_s": "how many seconds later than they happen the target may tell of restarts and checkpoints",
    "untold": "whether the target has told nothing of restarts and checkpoints yet",
}
_APPLICATION_STATUS = {
    "name": "the application's name, or `name@environment`",
    "target": "where it runs",
    "phase": (
        "`absent`, `starting`, `running`, `restarting`, `stopping`, `suspended`, `finished`, `failed`, `lost` "
        "or `unknown`"
    ),
    "revision?": "the number of the current revision",
    "job?": "the job that runs, or the one that ran last",
    **_within("job?", _JOB),
    "health": "what the samples of the job say",
    "health.verdict": "`healthy`, `unhealthy` or `undecided`",
    "health.reason": "why",
    "restored_from?": "location of the snapshot that the job started from",
    "latest_snapshot?": "the newest state that it could start from",
    **_within("latest_snapshot?", _SNAPSHOT),
    "ui_url?": "its address in Flink's UI",
    "interrupted?": "the operation that a crash interrupted, and who had started it",
    "freezes[]": "what forbids to change it",
    **_within("freezes[]", FREEZE),
    "notes[]": "what else a person should know",
}
_APPLIED = {
    "name": "the application",
    "outcome": "`converged`, `unchanged`, `rolled_back`, `failed` or `suspended`",
    "revision?": "the revision that runs now; null after a stop",
    "gap_seconds?": "how long no job processed records; null when nothing was stopped",
    "job_id?": "the job that was started",
    "snapshot?": "the snapshot that was taken or started from",
    **_within("snapshot?", _SNAPSHOT),
    "ui_url?": "the job's address in Flink's UI",
    "error?": "why it is not what was asked for",
    **_within("error?", _ERROR),
}
_PLAN = {
    "application": "the application",
    "target": "where",
    "phase": "how it is now; see `status`",
    "position": "the journal's position that the plan is valid at",
    "made_at": "when",
    "converged": "whether there is nothing to do",
    "snapshot?": "the newest state that it could start from",
    **_within("snapshot?", _SNAPSHOT),
    "changes[]": "what would be done, in order",
    "changes[].operation": (
        "`deploy`, `upgrade`, `rescale`, `adjust`, `suspend`, `resume`, `take-snapshot`, `drop-snapshot`, "
        "`delete` or `adopt`"
    ),
    "changes[].reason": "why",
    "changes[].restore?": "where the new job's state comes from; null when no job is started",
    "changes[].restore?.from": "`latest` (the savepoint of the stop, or the newest there is), `snapshot` or `none`",
    "changes[].restore?.snapshot?": "only `snapshot`: which one",
    **_within("changes[].restore?.snapshot?", _SNAPSHOT),
    "changes[].restore?.why?": "only `none`: who or what says so",
    "changes[].differences[]": "what differs from the current revision",
    **_within("changes[].differences[]", _DIFFERENCE),
    "changes[].consequences[]": "what it means, in sentences",
    "changes[].warnings[]": "what could go wrong, in sentences",
    "changes[].gap_seconds?": "how long upgrades of it took without processing before",
    "changes[].state?": "whether the new job can take its state over; null: it starts from none, or nobody looked",
    **_within("changes[].state?", STATE_FITS),
}
_OPERATION = {
    "id": "its number in the journal",
    "operation": "see `plan`",
    "reason": "why",
    "revision?": "the revision it was for",
    "started_at": "when",
    "started_by": "`user@host pid 123`",
    "finished_at?": "null: still open, or interrupted and not yet taken over",
    "outcome?": "`done`, `failed` or `interrupted`; null while open",
    "error?": "why it failed",
    "gap_seconds?": "how long no job processed records",
    "steps[]": "the outside calls, in order",
    "steps[].action": "`prepare`, `upload`, `check`, `stop`, `cancel`, `submit`, `rescale`, `snapshot` or `dispose`",
    "steps[].title": "for people",
    "steps[].started_at": "when",
    "steps[].finished_at?": "when",
    "steps[].error?": "why it failed",
}
_REVISION = {
    "number": "from 1",
    "outcome": "`pending`, `healthy`, `bad` or `refused`",
    "applied_at": "when",
    "applied_by": "`user@host pid 123`",
    "snapshot?": "the newest snapshot that its jobs left",
    **_within("snapshot?", _SNAPSHOT),
    "error?": "why it is bad or was refused",
}
_DIAGNOSIS = {
    "application": "the application",
    "target": "where it runs",
    "phase": "see `status`",
    "well": "whether nothing is wrong",
    "findings[]": "the first explains the others",
    "findings[].what": "a sentence",
    "findings[].detail?": "whole exceptions and the like",
    "findings[].todo?": "what to do; a command on a line of its own",
    "findings[].code?": "the known failure that it is, see [failures](failures.md); null when it is in none",
    "findings[].evidence[]": "what it was recognised by: lines of exceptions, figures",
    "findings[].harmless": "whether it is only worth knowing",
}
_REHEARSAL = {
    "healthy": "whether it was, within the health window of the file",
    "reason": "why",
    "hint?": "what to do",
    "diagnosis?": "only when it was not healthy: as `diagnose` writes it",
    **_within("diagnosis?", _DIAGNOSIS),
    "sinks_replaced[]": "tables of an SQL script that nothing was written to",
    **_within("sinks_replaced[]", SINK),
    "sinks_kept[]": "tables of an SQL script that were written to all the same",
    **_within("sinks_kept[]", SINK),
    "dropped[]": "operators whose state was not taken over: those of replaced sinks, too",
    "left[]": "what could not be removed again, and why",
}

DOCUMENTS = {
    "error": Document(
        commands=("any",),
        about="What standard output holds when a command ends with exit code 1 or 2.",
        fields={"error": "what is wrong", **_within("error", _FULL_ERROR)},
    ),
    "status": Document(
        commands=("status", "watch"),
        about="How applications are now.",
        fields={"applications[]": "one for each", **_within("applications[]", _APPLICATION_STATUS)},
    ),
    "plan": Document(
        commands=("plan",),
        about="What `apply` would do.",
        fields={
            "plans[]": "one for each file",
            **_within("plans[]", _PLAN),
            "graph?": "the picture that was drawn, with `--graph`",
        },
    ),
    "apply": Document(
        commands=(
            *("apply", "adopt", "rollback", "stop", "start", "restart", "scale", "delete"),
            *("snapshot create", "snapshot drop"),
        ),
        about=(
            "What became of the applications. An error that is found before anything was stopped is an `error` "
            "document; with several files, it is the field `error` of this one."
        ),
        fields={
            "applications[]": "one for each that was dealt with",
            **_within("applications[]", _APPLIED),
            "error?": "why the rest was not done; as in `error`",
            **_within("error?", _FULL_ERROR),
            "failed_file?": "only `apply`: the file that the error is about",
            "not_done[]": "only `apply`: the files that were not begun",
            "errors?[]": "only `apply --wave`: every error, `error` is the first",
            "errors?[].file": "the file that it is about",
            "errors?[].error": "as in `error`",
            **_within("errors?[].error", _FULL_ERROR),
        },
    ),
    "prune": Document(
        commands=("prune",),
        about="What would be deleted and what stays; and what was.",
        fields={
            "dry_run": "whether nothing was to be deleted",
            "applications[]": "one for each",
            "applications[].name": "the application",
            "applications[].skipped?": "why it was not looked at",
            "applications[].drop[]": "what goes, oldest first",
            "applications[].drop[].snapshot": "the snapshot",
            **_within("applications[].drop[].snapshot", _SNAPSHOT),
            "applications[].drop[].reason": "why the policy does not keep it",
            "applications[].keep[]": "what stays although the policy does not keep it",
            "applications[].keep[].snapshot": "the snapshot",
            **_within("applications[].keep[].snapshot", _SNAPSHOT),
            "applications[].keep[].reason": "why the policy does not keep it",
            "applications[].keep[].needed": "why it stays",
            "applications[].unknown_sizes": "snapshots that `max_size` could not count",
            "leftovers[]": "files that no revision needs which could run again",
            "leftovers[].kind": "`artifact`, `delivered`, `upload` or `class-data`",
            "leftovers[].name": "what it is called",
            "leftovers[].ref": "a digest, a path, or a jar's id",
            "leftovers[].target?": "whose JobManager keeps it",
            "leftovers[].size_bytes?": "its size",
            "silent_targets[]": "targets that did not answer, and why: their uploads are not in the list",
            "deleted[]": "what became of each; empty with --dry-run",
            "deleted[].application?": "whose snapshot it is",
            "deleted[].what": "location of a snapshot, or name of a leftover",
            "deleted[].error?": "why it is still there",
            **_within("deleted[].error?", _FULL_ERROR),
            "deleted[].spared?": "why it was not tried: it is needed by now, or somebody else is at it",
            "freed_bytes": "as far as sizes are known",
        },
    ),
    "freezes": Document(
        commands=("freeze", "thaw"),
        about="What is frozen now.",
        fields={"freezes[]": "one for each scope", **_within("freezes[]", FREEZE)},
    ),
    "history": Document(
        commands=("history",),
        about="Revisions and operations, newest first.",
        fields={
            "application": "the application",
            "revisions[]": "newest first",
            **_within("revisions[]", _REVISION),
            "operations[]": "newest first",
            **_within("operations[]", _OPERATION),
        },
    ),
    "diff": Document(
        commands=("diff",),
        about="What differs between two revisions.",
        fields={
            "application": "the application",
            "before": "a revision's number",
            "after": "a revision's number",
            "differences[]": "field by field",
            **_within("differences[]", _DIFFERENCE),
        },
    ),
    "snapshots": Document(
        commands=("snapshot list",),
        about="The states that an application could start from, newest first.",
        fields={
            "application": "the application",
            "snapshots[]": "newest first",
            **_within("snapshots[]", _SNAPSHOT),
        },
    ),
    "snapshot": Document(
        commands=("snapshot show",),
        about="One snapshot.",
        fields={"application": "the application", "snapshot": "the snapshot", **_within("snapshot", _SNAPSHOT)},
    ),
    "state": Document(
        commands=("state show",),
        about="What a snapshot holds, operator by operator.",
        fields=STATE_SHOWN,
    ),
    "state-copy": Document(
        commands=("state copy",),
        about="A copy that is whole.",
        fields=STATE_COPIED,
    ),
    "state-check": Document(
        commands=("state check",),
        about="Whether a new version can take the state over.",
        fields={
            "state": "the verdict",
            **_within("state", STATE_FITS),
            "graph?": "the picture that was drawn, with `--graph`",
        },
    ),
    "fork": Document(
        commands=("fork",),
        about="A fork that runs; or, with `--rehearse`, how a new version did. Exit code 1: it is not healthy.",
        fields={
            "application": "the original",
            "name": "of the fork",
            "target": "where it runs, or ran",
            "snapshot": "what was copied",
            "copy?": "where its copy is; null after a rehearsal",
            "applied?": "what became of it, as in `apply`; null after a rehearsal",
            **_within("applied?", _APPLIED),
            "rehearsal?": "how it went",
            **_within("rehearsal?", _REHEARSAL),
        },
    ),
    "size": Document(
        commands=("size",),
        about="What a parallelism becomes, and what it costs.",
        fields=SIZE,
    ),
    "diagnose": Document(
        commands=("diagnose",),
        about="What is wrong, root cause first.",
        fields=_DIAGNOSIS,
    ),
    "validate": Document(
        commands=("validate",),
        about="That all files are valid. If one is not, it is an `error` document with all problems.",
        fields={
            "files[]": "one for each",
            "files[].file": "its path",
            "files[].valid": "true",
            "files[].notes[]": "what a person should know, though it is not wrong",
        },
    ),
    "logs": Document(
        commands=("logs",),
        about="The end of each log.",
        fields={
            "application": "the application",
            "logs[]": "one for each",
            "logs[].name": "the log's name",
            "logs[].lines[]": "its last lines",
        },
    ),
    "ui": Document(
        commands=("ui",),
        about="Where to look.",
        fields={"application": "the application", "url": "its address in Flink's UI"},
    ),
    "init": Document(
        commands=("init",),
        about="What was written.",
        fields={
            "directory": "where",
            "written[]": "files",
            "kept[]": "files that were there and were left as they are",
            "next[]": "commands to run next",
        },
    ),
    "runtimes": Document(
        commands=("runtime list",),
        about="What is installed in the cache.",
        fields={
            "cache": "the folder",
            "runtimes[]": "one for each",
            "runtimes[].kind": "`flink`, `java`, `python` or `archive`",
            "runtimes[].version": "its version",
            "runtimes[].path": "where it is",
            "runtimes[].size_bytes": "what it weighs",
            "runtimes[].source": "where it came from",
            "runtimes[].last_used?": "when",
        },
    ),
    "runtime-install": Document(
        commands=("runtime install",),
        about="What is there now.",
        fields={
            "installed[]": "one for each version",
            "installed[].version": "exact",
            "installed[].home": "where Flink is",
            "installed[].source": "where it came from",
            "installed[].java": "the Java for it",
            "installed[].java.major": "its major version",
            "installed[].java.home": "where it is",
            "installed[].java.source": "where it was found",
        },
    ),
    "runtime-remove": Document(
        commands=("runtime remove",),
        about="What was deleted.",
        fields={"kind": "what it was", "version": "which", "freed_bytes": "how much"},
    ),
    "local-status": Document(
        commands=("local status",),
        about="The clusters that run on this machine for this project.",
        fields={
            "clusters[]": "one for each Flink version",
            "clusters[].flink_version": "exact",
            "clusters[].url": "address of its REST interface and UI",
            "clusters[].java": "major version of its Java",
            "clusters[].slots": "of all TaskManagers",
            "clusters[].whole": "whether all of its processes are alive",
            "clusters[].directory": "its configuration, logs and temporary files",
            "clusters[].log_directory": "its logs",
            "clusters[].processes[]": "one JobManager and its TaskManagers",
            "clusters[].processes[].role": "`jobmanager`, `taskmanager-1`, …",
            "clusters[].processes[].pid": "its process id",
            "clusters[].processes[].alive": "whether it runs",
            "clusters[].processes[].slots": "0 for the JobManager",
            "clusters[].processes[].started_at": "when",
        },
    ),
    "local-stop": Document(
        commands=("local stop",),
        about="What was stopped.",
        fields={"stopped[]": "Flink versions"},
    ),
    "journal-check": Document(
        commands=("journal check",),
        about="What is wrong with a journal, worst first. The exit code is 1 when something is.",
        fields={
            "path": "the journal's file, or its address on a server",
            "problems[]": "one for each",
            **_within("problems[]", _PROBLEM),
        },
    ),
    "journal-move": Document(
        commands=("journal move",),
        about="What was moved into the project's journal.",
        fields={
            "path": "the journal's file, or its address on a server",
            "applications[]": "those that are new there",
            "kept": "where the moved file is now",
        },
    ),
}
"""the middle part of `schema` (`scurry/NAME/1`) → the document"""
