"""A PyFlink program whose functions keep states of all kinds; what the first argument names, it does wrong."""

from __future__ import annotations

import socket
import sys
import time

from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.datastream.functions import AggregateFunction
from pyflink.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    StateTtlConfig,
    ValueStateDescriptor,
)

WRONG = sys.argv[1] if len(sys.argv) > 1 else ""
PLACE = Types.ROW_NAMED(["x", "y"], [Types.INT(), Types.TUPLE([Types.DOUBLE(), Types.PICKLED_BYTE_ARRAY()])])


class Average(AggregateFunction):
    def create_accumulator(self):
        return 0, 0

    def add(self, value, accumulator):
        return accumulator[0] + value, accumulator[1] + 1

    def get_result(self, accumulator):
        return accumulator[0] / accumulator[1]

    def merge(self, one, other):
        return one[0] + other[0], one[1] + other[1]


class Keeping(KeyedProcessFunction):
    def open(self, runtime_context: RuntimeContext) -> None:
        count = ValueStateDescriptor("count", Types.STRING() if WRONG == "retyped" else Types.LONG())
        count.enable_time_to_live(StateTtlConfig.new_builder(Time.hours(5)).build())
        self.count = runtime_context.get_state(count)
        self.seen = runtime_context.get_list_state(ListStateDescriptor("seen", Types.STRING()))
        self.places = runtime_context.get_map_state(MapStateDescriptor("places", Types.STRING(), PLACE))
        self.sum = runtime_context.get_reducing_state(
            ReducingStateDescriptor("sum", lambda one, other: one + other, Types.BIG_DEC())
        )
        self.average = runtime_context.get_aggregating_state(
            AggregatingStateDescriptor("average", Average(), Types.LIST(Types.SQL_TIMESTAMP()))
        )
        self.processed = runtime_context.get_metrics_group().counter("processed")
        self.named = runtime_context.get_job_parameter("shop.name", "nobody")
        if WRONG == "named" and self.named != "corner":
            raise AssertionError(f"the shop is called {self.named}")

    def process_element(self, value, ctx):
        yield value


class Lazy(KeyedProcessFunction):
    def process_element(self, value, ctx):
        yield value


class Failing(KeyedProcessFunction):
    def open(self, runtime_context: RuntimeContext) -> None:
        self.early = runtime_context.get_state(ValueStateDescriptor("early", Types.BOOLEAN()))
        if WRONG == "slow":
            time.sleep(3600)
        socket.create_connection(("198.51.100.1", 80), timeout=5)

    def process_element(self, value, ctx):
        yield value


def main() -> None:
    environment = StreamExecutionEnvironment.get_execution_environment()
    numbers = environment.from_source(
        NumberSequenceSource(0, 2**53), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG()
    ).uid("numbers")

    def keyed(stream):
        return stream.key_by(lambda number: number % 3, Types.LONG())

    keyed(numbers).process(Keeping(), Types.LONG()).uid("keeping").map(lambda n: n + 1, Types.LONG()).uid(
        "lost"
    ).print()
    keyed(numbers).process(Lazy(), Types.LONG()).uid("lazy").print()
    keyed(numbers).process(Failing(), Types.LONG()).uid("failing").print()
    keyed(numbers).count_window(5).reduce(lambda one, other: one + other).uid("window").print()
    keyed(numbers).reduce(lambda one, other: one + other).uid("reduced").print()
    if WRONG == "raises":
        raise LookupError("no such shop")
    if WRONG == "exits":
        sys.exit("closed today")
    if WRONG == "never":
        return
    if WRONG == "waits":
        environment.execute_async().get_job_execution_result().result()
        return
    print('{"operators": "printed by the program"}')
    environment.execute()


if __name__ == "__main__":
    main()
