"""Sessions of visitors: what somebody did on the web and in the app until 30 minutes without a visit.

    sessions.py --data FOLDER

Reads JSON lines from FOLDER/web and FOLDER/app, for as long as it runs, and writes sessions to FOLDER/sessions.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import humanize
from names import APP_FILES, APP_VISITS, SESSION_FILES, SESSIONS, WEB_FILES, WEB_VISITS, Operator
from pyflink.common import Duration, Encoder, Row, Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import DataStream, ProcessWindowFunction, StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import (
    FileSink,
    FileSource,
    OutputFileConfig,
    RollingPolicy,
    StreamFormat,
)
from pyflink.datastream.window import EventTimeSessionWindows, TimeWindow

GAP_MINUTES = 30
OUT_OF_ORDER_MINUTES = 5
VISIT = Types.ROW_NAMED(
    ["visitor", "at", "page", "channel"], [Types.STRING(), Types.LONG(), Types.STRING(), Types.STRING()]
)


class VisitTime(TimestampAssigner):
    """A visit's own time, in milliseconds since 1970."""

    def extract_timestamp(self, value: Row, record_timestamp: int) -> int:
        return int(value.at)


class Session(ProcessWindowFunction):
    """One line for each session."""

    def process(
        self, key: str, context: ProcessWindowFunction.Context[TimeWindow], elements: Iterable[Row]
    ) -> Iterator[str]:
        visits = sorted(elements, key=lambda visit: visit.at)
        first, last = visits[0].at, visits[-1].at
        session = {
            "visitor": key,
            "from": datetime.fromtimestamp(first / 1000, UTC).isoformat(),
            "length": humanize.precisedelta(timedelta(milliseconds=last - first), minimum_unit="minutes"),
            "pages": [visit.page for visit in visits],
            "channels": sorted({visit.channel for visit in visits}),
        }
        yield json.dumps(session)


def visits(
    environment: StreamExecutionEnvironment, folder: str, channel: str, files: Operator, read: Operator
) -> DataStream:
    """Return the visits of one folder, with their times."""
    source = (
        FileSource.for_record_stream_format(StreamFormat.text_line_format(), folder)
        .monitor_continuously(Duration.of_millis(500))
        .build()
    )

    def parse(line: str) -> Row:
        visit = json.loads(line)
        at = datetime.fromisoformat(visit["at"])
        return Row(visitor=visit["visitor"], at=int(at.timestamp() * 1000), page=visit["page"], channel=channel)

    # Times before the union, for each source its own: the slower one then holds back the time of both. Behind the
    # union the faster one would move it on, and visits of the slower one would come too late for their session.
    times = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_minutes(OUT_OF_ORDER_MINUTES))
    return (
        environment.from_source(source, WatermarkStrategy.no_watermarks(), files.name)
        .uid(files.uid)
        .map(parse, VISIT)
        .uid(read.uid)
        .name(read.name)
        .assign_timestamps_and_watermarks(times.with_timestamp_assigner(VisitTime()))
    )


def sink(folder: str) -> FileSink:
    """Return files that appear when a checkpoint completes: each session once, whatever fails."""
    return (
        FileSink.for_row_format(folder, Encoder.simple_string_encoder())
        .with_rolling_policy(RollingPolicy.on_checkpoint_rolling_policy())
        .with_output_file_config(OutputFileConfig.builder().with_part_suffix(".jsonl").build())
        .build()
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    data = parser.parse_args().data

    environment = StreamExecutionEnvironment.get_execution_environment()
    web = visits(environment, f"{data}/web", "web", WEB_FILES, WEB_VISITS)
    app = visits(environment, f"{data}/app", "app", APP_FILES, APP_VISITS)
    (
        web.union(app)
        .key_by(lambda visit: visit.visitor, Types.STRING())
        .window(EventTimeSessionWindows.with_gap(Time.minutes(GAP_MINUTES)))
        .process(Session(), Types.STRING())
        .uid(SESSIONS.uid)
        .name(SESSIONS.name)
        .sink_to(sink(f"{data}/sessions"))
        .uid(SESSION_FILES.uid)
        .name(SESSION_FILES.name)
    )
    environment.execute()


if __name__ == "__main__":
    main()
