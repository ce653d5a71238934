"""What a DAG does with the service's operators and sensors, without a scheduler: NAME is started, waited for, stopped.

Run by test_airflow.py with an Airflow of its own.
"""

import sys

from airflow.providers.amazon.aws.operators.kinesis_analytics import (
    KinesisAnalyticsV2StartApplicationOperator,
    KinesisAnalyticsV2StopApplicationOperator,
)
from airflow.providers.amazon.aws.sensors.kinesis_analytics import (
    KinesisAnalyticsV2StartApplicationCompletedSensor,
    KinesisAnalyticsV2StopApplicationCompletedSensor,
)

given = {"application_name": sys.argv[1], "aws_conn_id": None}
waits = {"waiter_delay": 1, "waiter_max_attempts": 300}

start = KinesisAnalyticsV2StartApplicationOperator(task_id="start", run_configuration={}, **given, **waits)
print("start:", start.execute({})["ApplicationARN"])
started = KinesisAnalyticsV2StartApplicationCompletedSensor(task_id="started", **given)
print("started:", started.poke({}))

stop = KinesisAnalyticsV2StopApplicationOperator(task_id="stop", force=False, **given, **waits)
print("stop:", stop.execute({})["ApplicationARN"])
stopped = KinesisAnalyticsV2StopApplicationCompletedSensor(task_id="stopped", **given)
print("stopped:", stopped.poke({}))
