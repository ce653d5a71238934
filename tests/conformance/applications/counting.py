"""A PyFlink job for tests: counts numbers by key, slowly, for ever. `--label` changes nothing but what it would say."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

from pyflink.common import Types, WatermarkStrategy
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.datastream.state import ValueState, ValueStateDescriptor

KEYS = 4
FOR_EVER = 2**53


class Counting(KeyedProcessFunction):
    """How many numbers of its key there were so far."""

    count: ValueState

    def open(self, runtime_context: RuntimeContext) -> None:
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def process_element(self, value: int, ctx: KeyedProcessFunction.Context) -> Iterator[int]:
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        yield count


def slowly(number: int) -> int:
    time.sleep(0.01)
    return number


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--label", required=True)
    parser.add_argument("--fail", action="store_true")
    given = parser.parse_args()
    if given.fail:
        raise ValueError("told to fail")
    environment = StreamExecutionEnvironment.get_execution_environment()
    (
        environment.from_source(
            NumberSequenceSource(0, FOR_EVER), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG()
        )
        .uid("numbers")
        .map(slowly, Types.LONG())
        .uid("slowly")
        .key_by(lambda number: number % KEYS, Types.LONG())
        .process(Counting(), Types.LONG())
        .uid("counting")
        .name(f"counting {given.label}")
        .print()
        .uid("counts")
    )
    environment.execute()


if __name__ == "__main__":
    main()
