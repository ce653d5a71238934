"""How the jobs are, as CloudWatch tells it: restarts, checkpoints, downtime. Late by a minute or three.

The service says RUNNING of a job that restarts for ever. Only periods that began after the job's start are read: an
earlier one may be of the job before it. Names: "Metrics and dimensions in Managed Service for Apache Flink".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scurry.targets.managed.aws import Aws

NAMESPACE = "AWS/KinesisAnalytics"
_LATE_PERIODS = 3
"""one that the start falls into, one that is whole, and one until CloudWatch has it"""
_PERIODS = 15
_QUERIES = 500
"""of one call at most"""
_LOOP = 3
_FRESH_PERIODS = 3
"""restarts in one of so many periods, the newest that are told, are going on: Flink's back-off grows to a minute"""
_RESTARTS, _CHECKPOINT, _FAILED, _DOWN = "restarts", "checkpoint", "failed", "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What is told of one job since its start."""

    told: bool = False
    """whether anything is"""
    restarts: int = 0
    restarted_at: datetime | None = None
    """the newest period in which there were more restarts than before"""
    loops: bool = False
    """it restarts again and again, and is still at it"""
    checkpoint: bool = False
    """one completed"""
    failed_checkpoints: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which job is asked about."""

    application: str
    runtime: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Metrics:
    """CloudWatch, for looking."""

    aws: Aws
    period: timedelta

    @property
    def lateness(self) -> timedelta:
        """How much later than it happens something may be told."""
        return _LATE_PERIODS * self.period

    def of(self, asked: Asked, now: datetime) -> News:
        """Return the news of one job."""
        found = self._series([asked], (_RESTARTS, _CHECKPOINT, _FAILED, _DOWN), now)
        return self._news(found, asked, now)

    def restarts(self, asked: Sequence[Asked], now: datetime) -> Mapping[str, News]:
        """Return what is told of the restarts of many jobs, by application, with one call for each 500 of them."""
        found: dict[str, News] = {}
        for first in range(0, len(asked), _QUERIES):
            some = asked[first : first + _QUERIES]
            series = self._series(some, (_RESTARTS,), now)
            found |= {each.application: self._news(series, each, now) for each in some}
        return found

    def _news(self, series: Mapping[tuple[str, str], _Points], asked: Asked, now: datetime) -> News:
        def of(what: str) -> _Points:
            points = series.get((asked.application, what), ())
            return tuple((at, value) for at, value in points if at >= asked.since)

        restarts, checkpoints = of(_RESTARTS), of(_CHECKPOINT)
        rises = _rises(restarts, from_zero=self._window(now)[0] <= asked.since)
        count = int(max((value for _, value in restarts), default=0))
        newest = [at for at, _ in restarts[-_FRESH_PERIODS:]]
        fresh = bool(rises and newest and rises[-1] >= newest[0])
        down = of(_DOWN)
        return News(
            told=bool(restarts or checkpoints),
            restarts=count,
            restarted_at=rises[-1] if rises else None,
            loops=count >= _LOOP and (fresh or bool(down and down[-1][1] > 0)),
            checkpoint=any(value >= 0 for _, value in checkpoints),
            failed_checkpoints=int(max((value for _, value in of(_FAILED)), default=0)),
        )

    @property
    def _seconds(self) -> int:
        return max(int(self.period.total_seconds()), 1)

    def _window(self, now: datetime) -> tuple[datetime, datetime]:
        """Return from when to when is asked: whole periods."""
        end = datetime.fromtimestamp((now.timestamp() // self._seconds + 1) * self._seconds, UTC)
        return end - _PERIODS * timedelta(seconds=self._seconds), end

    def _series(self, asked: Sequence[Asked], what: Sequence[str], now: datetime) -> dict[tuple[str, str], _Points]:
        if not asked:
            return {}
        seconds = self._seconds
        start, end = self._window(now)
        wanted = [(each.application, kind, _name(kind, each.runtime)) for each in asked for kind in what]
        queries = [_query(f"q{number}", *entry, seconds) for number, entry in enumerate(wanted)]
        results = self.aws.pages(
            "cloudwatch", "get_metric_data", "MetricDataResults", MetricDataQueries=queries, StartTime=start,
            EndTime=end, ScanBy="TimestampAscending",
        )  # fmt: skip
        found: dict[tuple[str, str], _Points] = {}
        for result in results:
            application, kind, _ = wanted[int(result["Id"].removeprefix("q"))]
            points = tuple(zip(result["Timestamps"], result["Values"], strict=False))
            found[application, kind] = (*found.get((application, kind), ()), *points)
        return found


_Points = tuple[tuple[datetime, float], ...]


def _rises(points: _Points, *, from_zero: bool) -> list[datetime]:
    """Return the periods whose count is greater than the one before.

    `from_zero`: the job began within the window, and its count with it; else what was counted before is old.
    """
    before, found = 0.0 if from_zero or not points else points[0][1], []
    for at, value in points:
        if value > before:
            found.append(at)
        before = value
    return found


def _name(kind: str, runtime: str) -> str:
    """Flink 2.2 has numRestarts in place of fullRestarts, and restartingTime in place of downtime."""
    newer = not runtime.startswith("FLINK-1")
    names = {
        _RESTARTS: "numRestarts" if newer else "fullRestarts",
        _CHECKPOINT: "lastCheckpointDuration",
        _FAILED: "numberOfFailedCheckpoints",
        _DOWN: "restartingTime" if newer else "downtime",
    }
    return names[kind]


def _query(id: str, application: str, kind: str, name: str, seconds: int) -> dict[str, Any]:
    metric = {
        "Namespace": NAMESPACE,
        "MetricName": name,
        "Dimensions": [{"Name": "Application", "Value": application}],
    }
    # Down for all of a period, not for a moment of it.
    stat = "Minimum" if kind == _DOWN else "Maximum"
    return {"Id": id, "MetricStat": {"Metric": metric, "Period": seconds, "Stat": stat}}
