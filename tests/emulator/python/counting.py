"""The function, in a file beside the script; run by PyFlink's Python."""

import time

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ValueStateDescriptor


class Count(KeyedProcessFunction):
    def __init__(self, counts):
        self.counts = counts

    def open(self, runtime_context: RuntimeContext):
        self.state = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def process_element(self, value, ctx):
        time.sleep(0.002)
        count = (self.state.value() or 0) + 1
        self.state.update(count)
        if count % 20 == 1:
            with open(self.counts, "a") as file:
                file.write(f"{count}\n")
        yield count
