"""Logs of Flink's processes: files on this machine, or what a cluster's REST API gives. Read from their ends on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.model.errors import PlanError
from scurry.model.ports import KeepsLogs
from scurry.model.report import LogLines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from scurry.flink.rest import FlinkRest
    from scurry.model.journal import History
    from scurry.model.ports import Clock, Log, Target

_LINE_BYTES = 512
"""a generous guess, for how much of a file's end holds so many lines"""
_LEAST_BYTES = 65_536
_POLL_S = 0.5


@dataclass(slots=True, kw_only=True)
class FileLog:
    """A log file on this machine. A file that is gone, or not there yet, is empty."""

    name: str
    path: Path
    _position: int = 0

    def tail(self, lines: int) -> tuple[str, ...]:
        """Return the last lines; far back only as much as so many lines usually take."""
        start = max(0, self._size() - max(_LEAST_BYTES, lines * _LINE_BYTES))
        found = self._lines_from(start)
        whole = found[1:] if start else found  # the first one was cut in two
        return whole[-lines:] if lines else ()

    def more(self) -> tuple[str, ...]:
        """Return what was added. A file that became shorter was begun anew."""
        return self._lines_from(self._position if self._position <= self._size() else 0)

    def _lines_from(self, start: int) -> tuple[str, ...]:
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                data = file.read()
        except OSError:
            return ()
        whole = data[: data.rfind(b"\n") + 1]  # a line that is being written is told when it is whole
        self._position = start + len(whole)
        return tuple(whole.decode("utf-8", "replace").splitlines())

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0


@dataclass(slots=True, kw_only=True)
class RestLog:
    """A log that a cluster gives; Flink can only send all of it, so that `more` reads all of it, too."""

    name: str
    rest: FlinkRest
    file: str
    taskmanager: str | None
    _position: int = 0

    def tail(self, lines: int) -> tuple[str, ...]:
        """Return the last lines."""
        return tuple(deque(self._lines_from(0), maxlen=lines))

    def more(self) -> tuple[str, ...]:
        """Return what was added."""
        return tuple(self._lines_from(self._position))

    def _lines_from(self, start: int) -> Iterator[str]:
        seen, rest = 0, b""
        with self.rest.log(self.file, self.taskmanager) as pieces:
            for piece in pieces:
                new = piece[max(0, start - seen) :]
                seen += len(piece)
                *whole, rest = (rest + new).split(b"\n")
                yield from (line.decode("utf-8", "replace") for line in whole)
        self._position = seen - len(rest)


def logs_of(target: Target, history: History) -> Sequence[Log]:
    """Return the logs of the processes that run an application. Raises `PlanError` when its target gives none."""
    if history.current is None or not isinstance(target, KeepsLogs):
        raise PlanError(
            f"target {target.name!r} gives no logs",
            hint=f"To see what Flink itself shows, run:\n  scurry ui {history.application}",
        )
    return target.logs(history.application, history.current.desired.flink_version)


def read(logs: Sequence[Log], lines: int, *, follow: bool, clock: Clock) -> Iterator[tuple[LogLines, ...]]:
    """Yield the ends of logs; to `follow`, then again and again what was added: nothing, where there was nothing."""
    yield tuple(LogLines(name=log.name, lines=log.tail(lines)) for log in logs)
    while follow:
        yield tuple(LogLines(name=log.name, lines=added) for log in logs if (added := log.more()))
        clock.sleep(_POLL_S)


def file_logs(directory: Path) -> tuple[FileLog, ...]:
    """Return the logs in a folder: of each process what it logs and, if it printed anything, what it printed."""
    if not directory.is_dir():
        return ()
    found = [*directory.glob("*.log"), *(path for path in directory.glob("*.out") if path.stat().st_size)]
    return tuple(FileLog(name=path.name, path=path) for path in sorted(found))


def rest_logs(rest: FlinkRest) -> tuple[RestLog, ...]:
    """Return the logs that a cluster gives. Raises `TargetError` when it does not answer."""
    found = [_rest_log(rest, "jobmanager", None)]
    found += [_rest_log(rest, manager.id, manager.id) for manager in rest.taskmanagers()]
    return tuple(log for logs in found for log in logs)


def _rest_log(rest: FlinkRest, process: str, taskmanager: str | None) -> list[RestLog]:
    return [
        RestLog(name=f"{process}/{file.name}", rest=rest, file=file.name, taskmanager=taskmanager)
        for file in rest.log_files(taskmanager)
        if file.name.endswith((".log", ".out")) and file.size
    ]
