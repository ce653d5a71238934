"""Starts the processes of one local cluster, waits until they have found each other, and says why if they do not."""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from scurry.flink import class_data
from scurry.flink.cluster_record import ClusterProcess, RunningCluster
from scurry.flink.launch import environment, slots_of
from scurry.flink.process import Spawned, spawn
from scurry.model.errors import RuntimeUnavailable, TargetUnavailable, WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scurry.model.ports import Activity

T = TypeVar("T")

START_TIMEOUT_S = 120.0
"""until a cluster that we start has to be complete; a machine that swaps may well need a minute"""
_POLL_S = 0.02
_MOST_OUTPUT = 20 << 20
_LINES = 12

_STACK_FRAME = re.compile(r"\s+(at |\.\.\. \d+ )")
_LOG_PREFIX = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (\w+) +\S+ +\S* ?- ")


class PortTaken(TargetUnavailable):
    """Somebody took a port between our choosing it and the process's binding it."""


class ClassDataBroken(TargetUnavailable):
    """The virtual machine died under an archive of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A process that was just started, and where what it says begins in its files."""

    process: ClusterProcess
    spawned: Spawned
    beginnings: Mapping[Path, int]


@dataclass(slots=True, kw_only=True)
class Start:
    """Processes that are started together."""

    cluster: RunningCluster
    working_directory: Path
    started: list[Started] = field(default_factory=list)

    def spawn(self, role: str, command: tuple[str, ...]) -> ClusterProcess:
        """Start one process. Raises `RuntimeUnavailable` when there is no such `java`."""
        log = self.cluster.log_directory
        output = log / f"{role}.out"
        _rotate(output)
        beginnings = {path: _size(path) for path in (output, log / f"{role}.log")}
        variables = environment(Path(self.cluster.flink_home), Path(self.cluster.directory), os.environ)
        try:
            spawned = spawn(command, environment=variables, directory=self.working_directory, output=output)
        except (FileNotFoundError, PermissionError) as error:
            if error.filename not in (command[0], str(self.working_directory)):
                raise
            raise RuntimeUnavailable(
                f"{error.filename!r} cannot be used to run Flink: {error.strerror}",
                hint="To see which Java there is, run:\n  scurry runtime list",
            ) from error
        process = ClusterProcess(
            role=role, id=spawned.id, started_at=datetime.now(UTC), slots=slots_of(command), command=command
        )
        self.started.append(Started(process=process, spawned=spawned, beginnings=beginnings))
        return process

    def wait(self, cluster: RunningCluster, *, before: Mapping[str, str], activity: Activity) -> None:
        """Wait until the JobManager answers and every TaskManager has registered with it, those just started anew.

        `before`: what `registered` said before the start. Raises what `_failure` makes of a process that ended.
        """
        anew = {start.process.role for start in self.started}
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            answer = registered(cluster.rest_port)
            now = answer or {}
            missing = [
                role
                for role in (process.role for process in cluster.task_managers)
                if role not in now or (role in anew and now[role] == before.get(role))
            ]
            # A JobManager without a TaskManager is one whose start was killed in between.
            if answer is not None and not missing and cluster.is_running:
                return
            self._check_alive(cluster)
            if time.monotonic() > deadline:
                why = f"{', '.join(missing)} did not register" if missing else "the jobmanager does not answer"
                raise TargetUnavailable(
                    f"the local cluster of Flink {cluster.flink_version} is not complete after {START_TIMEOUT_S:.0f} s:"
                    f" {why}",
                    hint=f"Its logs are in {cluster.log_directory}",
                )
            activity.describe("JobManager starts" if not now else f"waiting for {', '.join(missing)}")
            time.sleep(_POLL_S)

    def _check_alive(self, cluster: RunningCluster) -> None:
        for start in self.started:
            code = start.spawned.returncode()
            if code is not None:
                raise _failure(cluster, start, code)
        if not cluster.is_running:  # one that we adopted in the middle of its start
            log = cluster.log_directory / "jobmanager.log"
            said = _read_from(log, max(_size(log) - (64 << 10), 0))
            raise TargetUnavailable(
                f"the jobmanager of the local cluster of Flink {cluster.flink_version} ended. Its log ends with:\n"
                + _last_lines(said),
                hint=f"The whole logs are in {cluster.log_directory}",
            )


def registered(rest_port: int) -> dict[str, str] | None:
    """Return the TaskManagers that offer slots, by resource id, with their addresses; None if nobody answers."""
    answer = _get(rest_port, "/taskmanagers", _TaskManagers)
    if answer is None:
        return None
    return {found.id: found.path for found in answer.taskmanagers if found.slotsNumber > 0}


def has_no_jobs(rest_port: int) -> bool:
    """Whether the cluster answers, and remembers no job, not even one that ended."""
    answer = _get(rest_port, "/jobs/overview", dict[str, list[Any]])
    return answer is not None and not answer.get("jobs")


@contextlib.contextmanager
def workspace_errors(directory: Path) -> Iterator[None]:
    """Turn what the file system says into a `WorkspaceError` with what to do about it."""
    import errno

    try:
        yield
    except OSError as error:
        place = error.filename or directory
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise WorkspaceError(
                f"there is no room left on the disk for {str(place)!r}", hint="Free some, then run the command again"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise WorkspaceError(
                f"{str(place)!r} cannot be written: {error.strerror}{_owner(directory)}",
                hint="Use a workspace of your own, or have its owner run the command",
            ) from error
        raise WorkspaceError(f"{str(place)!r} cannot be used: {error.strerror or error}") from error


class _TaskManager(msgspec.Struct, frozen=True):
    id: str
    path: str
    slotsNumber: int = 0  # noqa: N815 - Flink's name


class _TaskManagers(msgspec.Struct, frozen=True):
    taskmanagers: tuple[_TaskManager, ...] = ()


def _get(port: int, path: str, answer: type[T]) -> T | None:
    # Not by `FlinkRest`: while a cluster starts, "nobody answers" is expected every 20 ms, and not to be retried there.
    import urllib3

    try:
        with urllib3.HTTPConnectionPool("127.0.0.1", port, timeout=2, retries=False) as pool:
            response = pool.request("GET", path)
            return msgspec.json.decode(response.data, type=answer) if response.status == 200 else None
    except (urllib3.exceptions.HTTPError, OSError, msgspec.DecodeError):
        return None


def _failure(cluster: RunningCluster, start: Started, code: int) -> Exception:
    """Say why a process ended that should not have."""
    role = start.process.role
    said = "\n".join(_read_from(path, beginning) for path, beginning in start.beginnings.items())
    what = f"the {role} of the local cluster of Flink {cluster.flink_version} ended"
    logs = f"The whole logs are in {cluster.log_directory}"
    if re.search(r"BindException|Address already in use|Could not start rest endpoint on any port", said):
        return PortTaken(f"{what}: a port that it was given is taken by now", hint=logs)
    if "No space left on device" in said:
        return WorkspaceError(f"{what}: there is no room left on the disk of {cluster.directory!r}", hint=logs)
    if "UnsupportedClassVersionError" in said or "Unrecognized option: --add-" in said:
        return RuntimeUnavailable(f"{what}: Java {cluster.java_major} is too old for it", hint=logs)
    if code in (-6, -11, -7) and class_data.uses_archive(start.process.command):
        return ClassDataBroken(f"{what}: the Java virtual machine crashed", hint=logs)
    if code == -9 or re.search(r"insufficient memory|Could not reserve enough space|Cannot allocate memory", said):
        return TargetUnavailable(
            f"{what}: this machine has too little memory left for it\n{_last_lines(said)}".rstrip(),
            hint="Lower 'job_manager_memory' and 'task_manager_memory' of the target in scurry.yaml, or stop other "
            "clusters:\n  scurry local stop",
        )
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return TargetUnavailable(f"{what} {how} while starting. It said:\n{_last_lines(said)}", hint=logs)


def _last_lines(said: str) -> str:
    """The last lines that tell something: no stack frames, and of a stack trace's log entry only its text."""
    lines = [line.rstrip() for line in said.splitlines() if line.strip() and not _STACK_FRAME.match(line)]
    heads = [(index, match[1]) for index, line in enumerate(lines) if (match := _LOG_PREFIX.match(line))]
    first = next((index for index, level in heads if level == "ERROR"), None)
    if first is None:
        chosen = lines[-_LINES:]
    else:
        after = next((index for index, level in heads if index > first and level != "ERROR"), len(lines))
        chosen = lines[first : min(after, first + _LINES)]
    return "\n".join("  " + _LOG_PREFIX.sub("", line) for line in chosen)


def _read_from(path: Path, beginning: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(beginning if beginning <= _size(path) else 0)
            return file.read(1 << 20).decode(errors="replace")
    except OSError:
        return ""


def _rotate(output: Path) -> None:
    if _size(output) > _MOST_OUTPUT:
        output.replace(output.with_name(f"{output.name}.1"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _owner(directory: Path) -> str:
    import pwd

    with contextlib.suppress(OSError, KeyError):
        existing = next(folder for folder in (directory, *directory.parents) if folder.exists())
        uid = existing.stat().st_uid
        return "" if uid == os.geteuid() else f"; it belongs to the user {pwd.getpwuid(uid).pw_name!r}"
    return ""
