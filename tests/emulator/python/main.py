"""A PyFlink application as people write them for the managed service; run by PyFlink's Python."""

import json

from counting import Count
from pyflink.common import Types
from pyflink.common.watermark_strategy import WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.number_seq import NumberSequenceSource

with open("/etc/flink/application_properties.json") as file:
    groups = {group["PropertyGroupId"]: group["PropertyMap"] for group in json.load(file)}

environment = StreamExecutionEnvironment.get_execution_environment()
numbers = environment.from_source(
    NumberSequenceSource(0, 1 << 60), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG()
).uid("numbers")
numbers.key_by(lambda _: 0, key_type=Types.INT()).process(Count(groups["Job"]["counts"]), output_type=Types.LONG()).uid(
    "counting"
).filter(lambda _: False).uid("none").print().uid("sink")
environment.execute("python")
