"""Flink's REST API, 1.18 to 2.3: the calls that scurry makes, with typed answers and scurry's errors.

Reads are tried again for a moment when an answer is lost; everything else is sent once. No waiting, no decisions.
"""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from scurry.flink import rest_answers as answers
from scurry.flink import rest_errors
from scurry.flink.connection import Connection, Request, Resolve, RestSettings
from scurry.model.errors import ArtifactError
from scurry.model.reporting import SilentActivity

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType

    from scurry.model.errors import RejectedByTarget
    from scurry.model.reporting import Activity

T = TypeVar("T")

_PIECE = 256 * 1024


class JarRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The body of `/jars/:jarid/run` and `/jars/:jarid/plan`."""

    entry_class: str | None = None
    program_args_list: tuple[str, ...] = ()
    parallelism: int | None = None
    job_id: str | None = None
    savepoint_path: str | None = None
    allow_non_restored_state: bool | None = None
    flink_configuration: Mapping[str, str] = {}


class FlinkRest:
    """A client of one Flink cluster. Safe to share between threads; close it, or use it in `with`."""

    def __init__(self, settings: RestSettings, *, target: str = "", resolve: Resolve | None = None) -> None:
        self._connection = Connection(settings, target=target, resolve=resolve)
        self._settings = settings
        self._target = target

    def __enter__(self) -> FlinkRest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The address, without credentials: also that of Flink's web interface."""
        return self._connection.base_url

    def close(self) -> None:
        """Close all connections."""
        self._connection.close()

    # The cluster

    def dashboard(self) -> answers.Dashboard:
        """Return version and refresh interval. Answered by anything that is Flink: use it to find out whether it is."""
        return self._get("/config", answers.Dashboard)

    def overview(self) -> answers.ClusterOverview:
        """Return version and slots."""
        return self._get("/overview", answers.ClusterOverview)

    def options(self) -> dict[str, str]:
        """Return the cluster's configuration; Flink masks what looks like a secret."""
        return {option.key: option.value for option in self._get("/jobmanager/config", tuple[answers.Option, ...])}

    def taskmanagers(self) -> tuple[answers.TaskManager, ...]:
        """Return the TaskManagers that are registered."""
        return self._get("/taskmanagers", answers.TaskManagers).taskmanagers

    # Jars

    def jars(self) -> tuple[answers.UploadedJar, ...]:
        """Return the uploaded jars, newest first."""
        return self._get("/jars", answers.UploadedJars).files

    def upload(self, path: Path, *, name: str, activity: Activity | None = None) -> str:
        """Send a jar under a name (it ends with `.jar`) and return its id. `activity` advances by bytes.

        Raises `ArtifactError` when the file cannot be read.
        """
        boundary = secrets.token_hex(16)
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="jarfile"; filename="{name}"\r\n'
            "Content-Type: application/x-java-archive\r\n\r\n"
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        try:
            file = path.open("rb")
        except OSError as error:
            raise ArtifactError(f"the jar {str(path)!r} cannot be read: {error.strerror}") from error
        with file:
            request = Request(
                method="POST",
                path="/jars/upload",
                body=_multipart(file, head=head, tail=tail, activity=activity or SilentActivity()),
                headers={
                    "content-type": f"multipart/form-data; boundary={boundary}",
                    "content-length": str(len(head) + os.fstat(file.fileno()).st_size + len(tail)),
                },
                timeout_s=self._settings.run_timeout_s,
            )
            return self._send(request, answers.Upload).jar_id

    def delete_jar(self, jar_id: str) -> None:
        """Forget an uploaded jar. Raises `JarNotFound`."""
        self._send(Request(method="DELETE", path=f"/jars/{quote(jar_id)}"), dict[str, Any])

    def plan(self, jar_id: str, request: JarRequest, *, conceal: tuple[str, ...] = ()) -> answers.JobGraph:
        """Run the jar's `main` up to its job graph, and return that."""
        call = self._program_call(f"/jars/{quote(jar_id)}/plan", request, conceal)
        return self._send(call, answers.PlanAnswer).plan

    def run(self, jar_id: str, request: JarRequest, *, conceal: tuple[str, ...] = ()) -> str:
        """Submit a job and return its id. Raises `AlreadySubmitted` when its `job_id` was used before."""
        return self.submit(self.prepare_run(jar_id, request, conceal=conceal))

    def prepare_run(self, jar_id: str, request: JarRequest, *, conceal: tuple[str, ...] = ()) -> Request:
        """Make the call that `submit` sends, ahead of time."""
        return self._program_call(f"/jars/{quote(jar_id)}/run", request, conceal)

    def submit(self, prepared: Request) -> str:
        """Send a call of `prepare_run`; see `run`."""
        return self._send(prepared, answers.RunAnswer).jobid

    # Jobs

    def jobs(self) -> tuple[answers.JobSummary, ...]:
        """Return all jobs that the cluster remembers, with one call."""
        return self._get("/jobs/overview", answers.JobOverview).jobs

    def job(self, job_id: str) -> answers.JobDetail:
        """Return a job with its vertices, as it was up to `refresh_interval_ms` ago. Raises `JobNotFound`."""
        return self._get(f"/jobs/{job_id}", answers.JobDetail)

    def job_status(self, job_id: str) -> str:
        """Return Flink's word for the job's state now. Raises `JobNotFound`."""
        return self._get(f"/jobs/{job_id}/status", answers.StatusAnswer).status

    def job_config(self, job_id: str) -> answers.JobConfig:
        """Return the program's configuration, as Flink shows it. Raises `JobNotFound`."""
        return self._get(f"/jobs/{job_id}/config", answers.JobConfigAnswer).execution

    def cancel(self, job_id: str) -> None:
        """Begin to cancel a job; one that ended is no error. Raises `JobNotFound`."""
        self._send(Request(method="PATCH", path=f"/jobs/{job_id}?mode=cancel"), dict[str, Any])

    def exceptions(self, job_id: str) -> tuple[answers.ExceptionEntry, ...]:
        """Return the job's failures, newest first. Raises `JobNotFound`."""
        return self._get(f"/jobs/{job_id}/exceptions", answers.Exceptions).history.entries

    def job_metrics(self, job_id: str, *names: str) -> dict[str, float]:
        """Return job-level metrics that are there and are numbers. Empty for an unknown job."""
        return self._metrics(f"/jobs/{job_id}", names)

    def taskmanager_metrics(self, taskmanager: str, *names: str) -> dict[str, float]:
        """Return metrics of a TaskManager's process that are there and are numbers."""
        return self._metrics(_process(taskmanager), names)

    def _metrics(self, of: str, names: tuple[str, ...]) -> dict[str, float]:
        query = urlencode({"get": ",".join(names)}, safe=",")
        metrics = self._get(f"{of}/metrics?{query}", tuple[answers.Metric, ...])
        return {metric.id: number for metric in metrics if (number := _number(metric.value)) is not None}

    def subtask_metrics(self, job_id: str, vertex_id: str, subtask: int, *names: str) -> dict[str, float]:
        """Return metrics of one subtask, counted from 0, that are there and are numbers."""
        return self._metrics(f"/jobs/{job_id}/vertices/{vertex_id}/subtasks/{subtask}", names)

    def watermarks(self, job_id: str, vertex_id: str) -> tuple[float, ...]:
        """Return the watermarks of a vertex's subtasks, as far as they are known; in milliseconds since 1970."""
        metrics = self._get(f"/jobs/{job_id}/vertices/{vertex_id}/watermarks", tuple[answers.Metric, ...])
        return tuple(number for metric in metrics if (number := _number(metric.value)) is not None)

    def vertex_metrics(self, job_id: str, vertex_id: str, *names: str) -> tuple[answers.VertexMetric, ...]:
        """Return least, greatest and sum over a vertex's subtasks; without names, which metrics there are.

        What is no number (`"NaN"`) is None.
        """
        query = f"?{urlencode({'get': ','.join(names), 'agg': 'min,max,sum'}, safe=',')}" if names else ""
        path = f"/jobs/{job_id}/vertices/{vertex_id}/subtasks/metrics{query}"
        told = self._get(path, tuple[answers.VertexMetricAnswer, ...])
        return tuple(
            answers.VertexMetric(id=each.id, min=_number(each.min), max=_number(each.max), sum=_number(each.sum))
            for each in told
        )

    def resource_requirements(self, job_id: str) -> dict[str, answers.VertexRequirement]:
        """Return what the vertices ask for. Raises `RejectedByTarget` where the scheduler is not the adaptive one."""
        return self._get(f"/jobs/{job_id}/resource-requirements", dict[str, answers.VertexRequirement])

    def require_resources(self, job_id: str, requirements: Mapping[str, answers.VertexRequirement]) -> None:
        """Change the vertices' parallelism while the job runs. All vertices have to be named."""
        body = msgspec.json.encode(requirements)
        self._send(self._json("PUT", f"/jobs/{job_id}/resource-requirements", body), dict[str, Any])

    # Savepoints and checkpoints

    def stop(
        self, job_id: str, *, trigger_id: str, directory: str | None = None, format: str = "CANONICAL", drain: bool
    ) -> str:
        """Begin a stop with savepoint. The same trigger id again joins the first one. Unknown jobs fail later."""
        body = {"triggerId": trigger_id, "drain": drain, "formatType": format}
        if directory:
            body["targetDirectory"] = directory
        return self._trigger(f"/jobs/{job_id}/stop", body)

    def trigger_savepoint(
        self, job_id: str, *, trigger_id: str, directory: str | None = None, format: str = "CANONICAL"
    ) -> str:
        """Begin a savepoint; the job goes on. The same trigger id again joins the first one."""
        body = {"triggerId": trigger_id, "cancel-job": False, "formatType": format}
        if directory:
            body["target-directory"] = directory
        return self._trigger(f"/jobs/{job_id}/savepoints", body)

    def savepoint_status(self, job_id: str, trigger_id: str) -> answers.OperationAnswer:
        """Return how far a stop or savepoint is. Raises `OperationNotFound`."""
        return self._get(f"/jobs/{job_id}/savepoints/{trigger_id}", answers.OperationAnswer)

    def dispose(self, location: str, *, trigger_id: str | None = None) -> str:
        """Begin to delete a savepoint's files; return the trigger id."""
        body: dict[str, Any] = {"savepoint-path": location}
        if trigger_id:
            body["triggerId"] = trigger_id
        return self._trigger("/savepoint-disposal", body)

    def disposal_status(self, trigger_id: str) -> answers.OperationAnswer:
        """Return how far a disposal is. Raises `OperationNotFound`."""
        return self._get(f"/savepoint-disposal/{trigger_id}", answers.OperationAnswer)

    def failure(self, cause: answers.FailureCause, *, doing: str) -> RejectedByTarget:
        """Return the error for an asynchronous operation that Flink reports as failed."""
        call = rest_errors.Call(url=self.url, path=doing, method="", target=self._target)
        return rest_errors.from_failed_operation(cause.stack_trace, call)

    def checkpoints(self, job_id: str) -> answers.Checkpoints:
        """Return checkpoint statistics, up to `refresh_interval_ms` old. Raises `JobNotFound`."""
        return self._get(f"/jobs/{job_id}/checkpoints", answers.Checkpoints)

    def checkpoint_config(self, job_id: str) -> answers.CheckpointConfig:
        """Return how the job checkpoints. Raises `JobNotFound`."""
        return self._get(f"/jobs/{job_id}/checkpoints/config", answers.CheckpointConfig)

    # Logs

    def log_files(self, taskmanager: str | None = None) -> tuple[answers.LogFile, ...]:
        """Return the log files of the JobManager, or of a TaskManager."""
        return self._get(f"{_process(taskmanager)}/logs", answers.LogFiles).logs

    def log(self, name: str, taskmanager: str | None = None) -> AbstractContextManager[Iterator[bytes]]:
        """Give a log file piece by piece; Flink can only send all of it."""
        path = f"{_process(taskmanager)}/logs/{quote(name)}"
        timeout_s = self._settings.run_timeout_s
        return self._connection.stream(Request(method="GET", path=path, headers={"accept": "*/*"}, timeout_s=timeout_s))

    def _get(self, path: str, answer: type[T]) -> T:
        return self._send(Request(method="GET", path=path), answer)

    def _send(self, request: Request, answer: type[T]) -> T:
        body = self._connection.send(request)
        try:
            return msgspec.json.decode(body, type=answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            call = rest_errors.Call(url=self.url, path=request.path, method=request.method, target=self._target)
            why = str(error) if isinstance(error, msgspec.ValidationError) else ""
            raise rest_errors.not_flink(call, body, why=why) from None

    def _trigger(self, path: str, body: Mapping[str, Any]) -> str:
        return self._send(self._json("POST", path, msgspec.json.encode(body)), answers.Trigger).request_id

    def _program_call(self, path: str, request: JarRequest, conceal: tuple[str, ...]) -> Request:
        timeout_s = self._settings.run_timeout_s
        return self._json("POST", path, msgspec.json.encode(request), timeout_s=timeout_s, conceal=conceal)

    def _json(
        self, method: str, path: str, body: bytes, *, timeout_s: float | None = None, conceal: tuple[str, ...] = ()
    ) -> Request:
        headers = {"content-type": "application/json"}
        return Request(method=method, path=path, body=body, headers=headers, timeout_s=timeout_s, conceal=conceal)


def _multipart(file: BinaryIO, *, head: bytes, tail: bytes, activity: Activity) -> Iterator[bytes]:
    yield head
    while piece := file.read(_PIECE):
        yield piece
        activity.advance(len(piece))
    yield tail


def _process(taskmanager: str | None) -> str:
    return f"/taskmanagers/{quote(taskmanager)}" if taskmanager else "/jobmanager"


def _number(told: float | str | None) -> float | None:
    """None for what is none: a text, `NaN`, and infinity, which Flink has where it divided by nothing."""
    try:
        number = float("" if told is None else told)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
