"""CloudWatch of this endpoint, as the service itself writes into it: moto's backend, in the same process.

Not by its HTTP interface: a client may not put metrics into a namespace of AWS's, and moto forgets nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scurry.emulator.metrics import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scurry.emulator.log_events import Stream
    from scurry.emulator.metrics_tasks import Point

_MOST_POINTS = 50_000
"""that are kept, of all metrics together: moto looks through all of them at each call"""
_MOST_EVENTS = 50_000
"""that are kept of each log stream"""


class CloudWatch:
    """Metrics and logs of one account and region."""

    def __init__(self, *, account: str, region: str) -> None:
        self._account = account
        self._region = region

    def put_metrics(self, points: Sequence[Point]) -> None:
        """Take points of now."""
        from moto.cloudwatch.models import cloudwatch_backends

        backend = cloudwatch_backends[self._account][self._region]
        backend.put_metric_data(
            NAMESPACE,
            [
                {
                    "MetricName": point.name,
                    "Value": point.value,
                    "Unit": point.unit,
                    "Dimensions": [{"Name": name, "Value": value} for name, value in point.dimensions.items()],
                }
                for point in points
            ],
        )
        kept = backend.metric_data
        del kept[: max(len(kept) - _MOST_POINTS, 0)]

    def put_events(self, stream: Stream, events: Sequence[dict[str, Any]]) -> None:
        """Take log events; drop them where there is no such stream."""
        from moto.logs.models import logs_backends

        group = logs_backends[self._account][self._region].groups.get(stream.group)
        found = group.streams.get(stream.name) if group else None
        if found is None:
            return
        found.put_log_events(sorted(events, key=lambda event: int(event["timestamp"])))
        del found.events[: max(len(found.events) - _MOST_EVENTS, 0)]
