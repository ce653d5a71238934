"""CloudWatch metrics of a job's tasks, of the operators in them, and of the threads that run these.

Source: "Metrics and dimensions" and "Set CloudWatch metrics reporting levels" of the developer guide: each level
reports what those above it do, too. Over several threads counts are summed, of watermarks the least is told, of times
the greatest.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scurry.flink.rest import FlinkRest
    from scurry.flink.rest_answers import Vertex

COUNT, PER_SECOND, PERCENT, BYTES, MS = "Count", "Count/Second", "Percent", "Bytes", "Milliseconds"
LEVELS = ("APPLICATION", "TASK", "OPERATOR", "PARALLELISM")

_LATE = "numLateRecordsDropped"
_INPUT, _OUTPUT = "currentInputWatermark", "currentOutputWatermark"
_RECORDS = {
    "numRecordsIn": COUNT,
    "numRecordsOut": COUNT,
    "numRecordsInPerSecond": PER_SECOND,
    "numRecordsOutPerSecond": PER_SECOND,
}
_TIMES = {"busyTimeMsPerSecond": MS, "idleTimeMsPerSecond": MS, "backPressuredTimeMsPerSecond": MS}
_SUMMED = _RECORDS | {_LATE: COUNT}
_WATERMARKS = {_INPUT: MS, _OUTPUT: MS}
_UNITS = _SUMMED | _TIMES | _WATERMARKS
_OF_OPERATORS = frozenset(_SUMMED | _WATERMARKS)
_NO_WATERMARK = -(2**63)
"""`Long.MIN_VALUE`: there is none yet"""

_MOST_NAMES = 1000

Values: TypeAlias = "dict[str, float]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value of one metric."""

    name: str
    value: float
    unit: str
    dimensions: Mapping[str, str]


@dataclass(slots=True)
class TaskReadings:
    """Reads the tasks of one job after the other. Remembers which metrics there are."""

    _names: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """job and vertex → the names of its operators' metrics: `OPERATOR.metric`"""

    def read(self, rest: FlinkRest, job_id: str, of_all: Mapping[str, str], level: str) -> list[Point]:
        """Return the points of all tasks together, and down to a level of each. Raises a `ScurryError`."""
        depth, tasks, found = LEVELS.index(level), list[Values](), list[Point]()
        for vertex in rest.job(job_id).vertices:
            names, of_task = self._of_operators(rest, job_id, vertex), {**of_all, "Task": vertex.name}
            operators = _operators(_over_threads(rest, job_id, vertex, names))
            task = _task(_over_threads(rest, job_id, vertex, (*_RECORDS, *_TIMES)), operators.values())
            if told := [value for value in rest.watermarks(job_id, vertex.id) if value > _NO_WATERMARK]:
                task[_INPUT] = min(told)
            tasks.append(task)
            if depth >= LEVELS.index("TASK"):
                found += _points(task, of_task)
            if depth >= LEVELS.index("OPERATOR"):
                for operator, values in operators.items():
                    found += _points(values, {**of_task, "Operator": operator})
            if depth >= LEVELS.index("PARALLELISM"):
                found += _of_threads(rest, job_id, vertex, names, of_task)
        return [*_points(_together(tasks, _SUMMED | _WATERMARKS), of_all), *found]

    def _of_operators(self, rest: FlinkRest, job_id: str, vertex: Vertex) -> tuple[str, ...]:
        """Asked for one that is not there, Flink's aggregation tells none at all: so it is asked which there are."""
        key = (job_id, vertex.id)
        if key not in self._names:
            there = [each.id for each in rest.vertex_metrics(job_id, vertex.id)]
            found = tuple(name for name in there if name.count(".") == 1 and name.partition(".")[2] in _OF_OPERATORS)
            if not found:
                return ()  # it has not come up yet
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()  # most of them are of jobs that ended
            self._names[key] = found
        return self._names[key]


def _over_threads(rest: FlinkRest, job_id: str, vertex: Vertex, names: tuple[str, ...]) -> Values:
    found: Values = {}
    for told in rest.vertex_metrics(job_id, vertex.id, *names) if names else ():
        metric = told.id.rpartition(".")[2]
        value = told.sum if metric in _SUMMED else told.min if metric in _WATERMARKS else told.max
        if value is not None and value > _NO_WATERMARK:
            found[told.id] = value
    return found


def _of_threads(
    rest: FlinkRest, job_id: str, vertex: Vertex, names: tuple[str, ...], of_task: Mapping[str, str]
) -> Iterator[Point]:
    for number in range(vertex.parallelism):
        told = rest.subtask_metrics(job_id, vertex.id, number, *_RECORDS, *_TIMES, _INPUT, *names)
        told = {name: value for name, value in told.items() if value > _NO_WATERMARK}
        of_thread = {**of_task, "Parallelism": str(number)}
        operators = _operators(told)
        yield from _points(_task({name: told[name] for name in _UNITS if name in told}, operators.values()), of_thread)
        for operator, values in operators.items():
            yield from _points(values, {**of_thread, "Operator": operator})


def _operators(told: Values) -> dict[str, Values]:
    found: dict[str, Values] = defaultdict(dict)
    for name, value in told.items():
        operator, _, metric = name.rpartition(".")
        if operator:
            found[operator][metric] = value
    return found


def _task(own: Values, operators: Iterable[Values]) -> Values:
    """Return a task's own values with those that only its operators have."""
    return _together(operators, (_LATE, _OUTPUT)) | own


def _together(parts: Iterable[Values], names: Iterable[str]) -> Values:
    gathered = [(name, [part[name] for part in parts if name in part]) for name in names]
    return {name: sum(values) if name in _SUMMED else min(values) for name, values in gathered if values}


def _points(values: Values, dimensions: Mapping[str, str]) -> Iterator[Point]:
    for name, value in values.items():
        yield Point(name=name, value=value, unit=_UNITS[name], dimensions=dimensions)
