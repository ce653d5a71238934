"""Log events of the applications, in the service's JSON shape, in the CloudWatch log streams that they name.

Flink's own Log4j writes them line by line to files beside its logs; here they are read and sent on. What there is no
log stream for is dropped, as on the service: an application does not depend on its log.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from scurry.emulator.records import Application, Records

_SUFFIX = ".events"
_POLL_S = 0.5
_MOST_BYTES = 4 << 20
"""that are read of a file at once"""

# Source of the members: "Write custom messages to CloudWatch Logs". An exception is a member of its own.
LOGGING = f"""\
rootLogger.appenderRef.events.ref = Events
appender.events.name = Events
appender.events.type = RollingFile
appender.events.append = true
appender.events.fileName = ${{sys:log.file}}{_SUFFIX}
appender.events.filePattern = ${{sys:log.file}}{_SUFFIX}.%i
appender.events.layout.type = PatternLayout
appender.events.layout.alwaysWriteExceptions = false
appender.events.layout.pattern = {{"timestamp":%d{{UNIX_MILLIS}},"locationInformation":"%enc{{%l}}{{JSON}}",\
"logger":"%enc{{%c}}{{JSON}}","message":"%enc{{%m}}{{JSON}}","threadName":"%enc{{%t}}{{JSON}}",\
"messageType":"%p","throwableInformation":"%enc{{%throwable}}{{JSON}}"}}%n
appender.events.policies.type = Policies
appender.events.policies.size.type = SizeBasedTriggeringPolicy
appender.events.policies.size.size = 20MB
appender.events.strategy.type = DefaultRolloverStrategy
appender.events.strategy.max = 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A log stream of CloudWatch."""

    group: str
    name: str


class Logs(Protocol):
    """Where events go."""

    def put_events(self, stream: Stream, events: Sequence[dict[str, Any]]) -> None:
        """Take events (`timestamp`, `message`); drop them where there is no such stream."""


@dataclass(slots=True)
class _Tail:
    """What is new in files that grow, are rolled over, and come anew."""

    _read: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """file → its inode, and how much of it was read"""

    def lines(self, path: Path) -> list[bytes]:
        """Return the whole lines that were written since the last call."""
        inode, size, start = self._state(path)
        if size <= start:
            self._read[path] = (inode, start)
            return []
        with path.open("rb") as file:
            file.seek(start)
            piece = file.read(_MOST_BYTES)
        whole = piece[: piece.rfind(b"\n") + 1] or (piece if len(piece) == _MOST_BYTES else b"")
        self._read[path] = (inode, start + len(whole))
        return whole.splitlines()

    def skip(self, path: Path) -> None:
        """Take a file as read."""
        inode, size, _ = self._state(path)
        self._read[path] = (inode, size)

    def _state(self, path: Path) -> tuple[int, int, int]:
        status = path.stat()
        inode, start = self._read.get(path, (status.st_ino, 0))
        return status.st_ino, status.st_size, start if inode == status.st_ino and start <= status.st_size else 0


class LogSender:
    """Sends what the applications log."""

    def __init__(self, logs: Logs, records: Records) -> None:
        """What is in the files already was sent by an emulator before this one."""
        self._logs = logs
        self._records = records
        self._tail = _Tail()
        for application in records.applications.values():
            for path in self._files(application):
                self._tail.skip(path)

    def run(self, closed: threading.Event) -> None:
        """Send until the event is set."""
        while not closed.wait(_POLL_S):
            for application in list(self._records.applications.values()):
                self._send(application)

    def _send(self, application: Application) -> None:
        stream = stream_of(application)
        try:
            for path in self._files(application):
                if stream is None:
                    self._tail.skip(path)
                elif lines := self._tail.lines(path):
                    self._logs.put_events(stream, list(_events(application, lines)))
        except OSError:
            return  # rolled over or deleted at this moment: the rest comes the next time

    def _files(self, application: Application) -> list[Path]:
        return sorted((self._records.place(application.name) / "flink").glob(f"*/log/*{_SUFFIX}"))


def stream_of(application: Application) -> Stream | None:
    """Return the stream that an application names; None where it names none, or what is none."""
    for option in application.current.logging:
        _, group, rest = option["LogStreamARN"].partition(":log-group:")
        name, told, stream = rest.partition(":log-stream:")
        if group and told and stream:
            return Stream(group=name, name=stream)
    return None


def _events(application: Application, lines: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            told = json.loads(line)
            timestamp = int(told.pop("timestamp"))
        except (ValueError, KeyError, AttributeError):
            continue  # cut by a process that was killed
        event = {
            "applicationARN": application.arn,
            "applicationVersionId": str(application.version),
            **{name: value for name, value in told.items() if value},
            "messageSchemaVersion": "1",
        }
        yield {"timestamp": timestamp, "message": json.dumps(event)}
