"""The log streams of applications in CloudWatch: what their jobs failed with, and their lines for people.

The service writes JSON events, an exception as a member of its own. Nothing is told of an application that names no
stream, or whose level is above INFO: then metrics alone tell of restarts.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from scurry.flink.stack_trace import explain, parse, thrown_at
from scurry.model.errors import TargetError
from scurry.model.observed import JobFailure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scurry.targets.managed.aws import Aws
    from scurry.targets.managed.service import Application

_RESTARTS, _FAILURES = '"to RESTARTING"', '"to FAILED"'
"""what `DefaultExecutionGraph` logs once for each restart, and what tasks log with why they failed"""
_MOST, _PAGES = 16, 5
_AGAIN_S, _SOON_S = 5.0, 1.0
_CAUSES = 8000
_ROOT = 500
_BACK = timedelta(minutes=30)
"""a log of weeks is not searched: what matters is what happens now"""
_SKEW_MS = 1000
"""JobManager and TaskManagers write to one stream, each by its own clock"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A log stream."""

    group: str
    name: str


def stream_of(application: Application) -> Stream | None:
    """Return the stream that an application names."""
    for option in application.detail.get("CloudWatchLoggingOptionDescriptions", ()):
        group, found, name = str(option["LogStreamARN"]).partition(":log-stream:")
        if found:
            return Stream(group=group.partition(":log-group:")[2], name=name)
    return None


@dataclass(slots=True, kw_only=True)
class Failures:
    """What the jobs failed with, newest first. The same job is not asked for more often than every few seconds."""

    aws: Aws
    pause_s: float = _AGAIN_S
    known: dict[str, tuple[float, tuple[JobFailure, ...]]] = field(default_factory=dict)
    """operation that started the job → when it was looked at, and what there was"""

    def of(self, application: Application, start: str, since: datetime, *, restarts: int) -> tuple[JobFailure, ...]:
        """Return the failures of a job since its start. None are told where the log cannot be read.

        `restarts`: so many are known of, so there should be as many failures.
        """
        stream = stream_of(application)
        if stream is None:
            return ()
        looked_at, found = self.known.get(start, (float("-inf"), ()))
        pause_s = self.pause_s if len(found) >= min(restarts, _MOST) else _SOON_S
        if time.monotonic() - looked_at >= pause_s:
            try:
                found = self._read(stream, max(since, datetime.now(UTC) - _BACK))
            except TargetError:  # no right to read it, no such group: metrics tell, less and later
                found = ()
            self.known[start] = (time.monotonic(), found)
        return found

    def _read(self, stream: Stream, since: datetime) -> tuple[JobFailure, ...]:
        restarts = self._events(stream, since, _RESTARTS)
        return failures_in(restarts, self._events(stream, since, _FAILURES) if restarts else [])

    def _events(self, stream: Stream, since: datetime, pattern: str) -> list[dict[str, Any]]:
        """Return the events of a pattern, oldest first."""
        token: dict[str, str] = {}
        found: list[dict[str, Any]] = []
        for _ in range(_PAGES):
            answer = self.aws.call(
                "logs",
                "filter_log_events",
                logGroupName=stream.group,
                logStreamNames=[stream.name],
                startTime=int(since.timestamp() * 1000),
                filterPattern=pattern,
                **token,
            )
            found += answer.get("events", ())
            if not answer.get("nextToken"):
                break
            token = {"nextToken": answer["nextToken"]}
        return sorted(found, key=lambda event: int(event["timestamp"]))


def failures_in(restarts: Sequence[dict[str, Any]], failed: Sequence[dict[str, Any]]) -> tuple[JobFailure, ...]:
    """Return a failure for each restart, newest first, with what a task failed with last before it."""
    found = []
    for restart in restarts[-_MOST:]:
        before = [event for event in failed if event["timestamp"] <= restart["timestamp"] + _SKEW_MS]
        traces = [trace for event in before if (trace := _text(_members(event).get("throwableInformation")))]
        found.append(_failure(restart, traces[-1] if traces else ""))
    return tuple(reversed(found))


def _failure(restart: dict[str, Any], trace: str) -> JobFailure:
    return JobFailure(
        at=datetime.fromtimestamp(restart["timestamp"] / 1000, UTC),
        message=(explain(trace).message if trace else _text(_members(restart).get("message")))[:_ROOT],
        causes="\n".join(str(cause) for cause in parse(trace))[:_CAUSES],
        where=thrown_at(trace),
    )


@dataclass(slots=True, kw_only=True)
class StreamLog:
    """The log of one application, for people."""

    name: str
    aws: Aws
    stream: Stream
    _token: str | None = None

    def tail(self, lines: int) -> tuple[str, ...]:
        """Return the last lines."""
        answer = self._events(limit=max(min(lines, 10_000), 1))
        return tuple(answer[-lines:]) if lines else ()

    def more(self) -> tuple[str, ...]:
        """Return what was added."""
        if self._token is None:
            return tuple(self._events())
        return tuple(self._events(nextToken=self._token, startFromHead=True))

    def _events(self, **request: Any) -> list[str]:
        answer = self.aws.call(
            "logs", "get_log_events", logGroupName=self.stream.group, logStreamName=self.stream.name, **request
        )
        self._token = answer.get("nextForwardToken", self._token)
        return [line for event in answer["events"] for line in lines_of(event)]


def lines_of(event: dict[str, Any]) -> list[str]:
    """Return an event as lines, as Flink's own log has them."""
    told = _members(event)
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    logger = str(told.get("logger", "")).rpartition(".")[2]
    first = f"{at} {told.get('messageType', ''):<5} {logger} - {_text(told.get('message'))}"
    return [*first.splitlines(), *_text(told.get("throwableInformation")).splitlines()]


def _members(event: dict[str, Any]) -> dict[str, Any]:
    """Return what an event says; a line that is no JSON is a message alone."""
    try:
        told = json.loads(event["message"])
    except ValueError:
        told = None
    return told if isinstance(told, dict) else {"message": event["message"]}


def _text(told: Any) -> str:
    return "\n".join(map(str, told)) if isinstance(told, list) else str(told or "")
