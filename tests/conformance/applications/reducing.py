"""A PyFlink job for tests: counts numbers by key with `reduce()`; with `--state NAME` in a state of that name.

With that it fails where it finds no count of before.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

from pyflink.common import Types, WatermarkStrategy
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.datastream.state import ReducingState, ReducingStateDescriptor

KEYS = 4
FOR_EVER = 2**53


class Counting(KeyedProcessFunction):
    """Goes on from what `reduce()` has counted."""

    count: ReducingState

    def __init__(self, state: str) -> None:
        self.state = state

    def open(self, runtime_context: RuntimeContext) -> None:
        self.count = runtime_context.get_reducing_state(
            ReducingStateDescriptor(self.state, lambda one, other: one + other, Types.LONG())
        )

    def process_element(self, value: int, ctx: KeyedProcessFunction.Context) -> Iterator[int]:
        if self.count.get() is None:
            raise ValueError("the count of before is gone")
        self.count.add(value)
        yield self.count.get()


def one(number: int) -> int:
    time.sleep(0.01)
    return 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state")
    parser.add_argument("--label")
    given = parser.parse_args()
    environment = StreamExecutionEnvironment.get_execution_environment()
    ones = (
        environment.from_source(
            NumberSequenceSource(0, FOR_EVER), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG()
        )
        .uid("numbers")
        .map(one, Types.LONG())
        .uid("ones")
        .key_by(lambda number: number % KEYS, Types.LONG())
    )
    if given.state:
        counts = ones.process(Counting(given.state), Types.LONG())
    else:
        counts = ones.reduce(lambda before, number: before + number)
    counts.uid("counting").print().uid("counts")
    environment.execute()


if __name__ == "__main__":
    main()
