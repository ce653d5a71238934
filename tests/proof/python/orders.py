"""A line of operators, one for each argument, as `java/Orders.java` has it; counts go to the file `OUT/TAG.txt`.

Run as `orders.py OUT TAG STEP…`, with steps like `keep uid=count case=long`.
"""

# mypy: ignore-errors
# It is run by PyFlink's Python, not by ours.

from __future__ import annotations

import sys
import time

from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor, StateTtlConfig, ValueStateDescriptor

KEYS = 4
TYPES = {
    "long": Types.LONG,
    "string": Types.STRING,
    "int": Types.INT,
    "double": Types.DOUBLE,
    "pickled": Types.PICKLED_BYTE_ARRAY,
}


class Keep(KeyedProcessFunction):
    """Counts by key, in a state of any kind."""

    def __init__(self, out: str, label: str, case: str) -> None:
        self.out = out
        self.label = label
        self.cells = [Cell(each) for each in case.split("+")]

    def open(self, runtime_context: RuntimeContext) -> None:
        for cell in self.cells:
            cell.open(runtime_context)

    def process_element(self, value, ctx):
        count, *_ = [cell.next() for cell in self.cells]
        with open(self.out, "a") as file:
            file.write(f"{self.label} {value % KEYS} {count}\n")
        yield value


class Cell:
    """A state: `TYPE`, `list-TYPE`, `map-TYPE`, `ttl-TYPE`, with `:NAME` behind it."""

    def __init__(self, case: str) -> None:
        made, _, name = case.partition(":")
        self.name = name or "state"
        self.kind, _, type_ = made.rpartition("-") if made not in TYPES else ("", "", made)
        self.type = type_

    def open(self, context: RuntimeContext) -> None:
        type_ = TYPES[self.type]()
        if self.kind == "list":
            self.state = context.get_list_state(ListStateDescriptor(self.name, type_))
        elif self.kind == "map":
            self.state = context.get_map_state(MapStateDescriptor(self.name, Types.LONG(), type_))
        else:
            descriptor = ValueStateDescriptor(self.name, type_)
            if self.kind == "ttl":
                descriptor.enable_time_to_live(StateTtlConfig.new_builder(Time.hours(5)).build())
            self.state = context.get_state(descriptor)

    def next(self) -> int:
        found = self.found()
        count = (int(found) if found is not None else 0) + 1
        self.put(self.made(count))
        return count

    def found(self):
        if self.kind == "list":
            return next(reversed(list(self.state.get())), None)
        return self.state.get(0) if self.kind == "map" else self.state.value()

    def put(self, value) -> None:
        if self.kind == "list":
            self.state.update([self.made(0), value])
        elif self.kind == "map":
            self.state.put(0, value)
        else:
            self.state.update(value)

    def made(self, count: int):
        made = {"string": str, "double": float}
        return made.get(self.type, int)(count)


def slowly(number: int) -> int:
    time.sleep(0.01)
    return number


def main(out: str, tag: str, *steps: str) -> None:
    environment = StreamExecutionEnvironment.get_execution_environment()
    stream = None
    for step in steps:
        kind, *words = step.split(" ")
        given = dict(word.split("=", 1) for word in words)
        if kind == "source":
            numbers = NumberSequenceSource(0, 2**53)
            stream = environment.from_source(numbers, WatermarkStrategy.no_watermarks(), "numbers", Types.LONG())
            stream = stream.uid(given["uid"]).map(slowly, Types.LONG()).uid(given["uid"] + "-slow")
            continue
        if kind == "keep":
            key = Types.STRING() if given.get("key") == "string" else Types.LONG()
            keyed = stream.key_by(
                (lambda n: str(n % KEYS)) if given.get("key") == "string" else (lambda n: n % KEYS), key
            )
            keep = Keep(f"{out}/{tag}.txt", given.get("log", "count"), given.get("case", "long"))
            stream = keyed.process(keep, Types.LONG())
        else:
            stream = stream.map(lambda n: n + 1, Types.LONG())
        stream = stream.uid(given["uid"]) if "uid" in given else stream
        stream = stream.name(given["name"]) if "name" in given else stream
    environment.execute()


if __name__ == "__main__":
    main(*sys.argv[1:])
