"""The managed target without the service: what it is told, what it refuses, and how answers are read."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scurry.engine import health
from scurry.model.desired import Artifact, ArtifactKind, Desired, HealthPolicy
from scurry.model.errors import (
    ArtifactError,
)
from scurry.model.observed import CheckpointCounts, Job, JobState
from scurry.model.project import ManagedTarget
from scurry.model.values import SecretRef
from scurry.targets.managed import code, configuration, logs
from scurry.targets.managed.configuration import Wished, created, troubles, updated
from scurry.targets.managed.marking import Mark, mark_in
from scurry.targets.managed.metrics import Asked, Metrics
from scurry.targets.managed.runs import Run
from scurry.targets.managed.service import Application, Operation
from scurry.targets.managed.snapshots import Key, key_of, location_of

JAR = Artifact(kind=ArtifactKind.JAR, digest=f"sha256:{'a' * 64}", file_name="orders.jar", size_bytes=1)
ZIP = Artifact(kind=ArtifactKind.PYTHON, digest=f"sha256:{'b' * 64}", file_name="count.zip", size_bytes=1)
MARK = Mark(job="1" * 32, application="orders@production", after="op-7")
BEGUN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def wish(**fields: Any) -> Desired:
    given: dict[str, Any] = {"flink_version": "1.20.5", "artifact": JAR, **fields}
    return Desired(application="orders@production", target="msf", **given)


def settings(**fields: Any) -> ManagedTarget:
    given = {"kind": "managed", "role": "arn:aws:iam::1:role/r", "bucket": "b", **fields}
    return ManagedTarget.model_validate(given)


def wished(desired: Desired, **fields: Any) -> Wished:
    found = code.Code(bucket="b", key="scurry/orders.jar", version="v1", run_options=fields.pop("run_options", {}))
    return Wished(desired=desired, settings=settings(**fields), code=found, mark=MARK, resolve=str)


# What the service is told


def test_a_mark_is_read_back_as_it_was_written() -> None:
    assert mark_in([{"PropertyGroupId": "other", "PropertyMap": {"a": "b"}}, MARK.group()]) == MARK
    first = Mark(job="2" * 32, application="orders", after="")
    assert mark_in([first.group()]) == first
    assert all(first.group()["PropertyMap"].values()), "the service takes no empty values"
    assert mark_in([{"PropertyGroupId": "scurry", "PropertyMap": {"job": "somebody's"}}]) is None


def test_create_and_update_are_valid_by_botocores_own_model() -> None:
    from botocore.session import Session
    from botocore.validate import ParamValidator

    operations = Session().get_service_model("kinesisanalyticsv2")
    network = {"subnets": ["subnet-1"], "security_groups": ["sg-1"]}
    desired = wish(
        description="orders", properties={"job": {"a": "b"}}, config={"execution.checkpointing.interval": "10s"}
    )
    full = wished(
        desired, tags={"team": "x"}, vpc=network, log_stream="arn:aws:logs:x:1:log-group:g:log-stream:{application}"
    )
    request = created(full, "orders-production")
    report = ParamValidator().validate(request, operations.operation_model("CreateApplication").input_shape)
    assert not report.has_errors(), report.generate_report()
    assert request["CloudWatchLoggingOptions"][0]["LogStreamARN"].endswith("log-stream:orders-production")
    change = updated(full, {"RuntimeEnvironment": "FLINK-1_19", "ServiceExecutionRole": "arn:aws:iam::1:role/old"})
    assert change["RuntimeEnvironmentUpdate"] == "FLINK-1_20"
    assert change["ServiceExecutionRoleUpdate"] == "arn:aws:iam::1:role/r"
    assert "SnapshotMode" not in request["ApplicationConfiguration"]["ApplicationSnapshotConfiguration"]
    report = ParamValidator().validate(
        {"ApplicationName": "a", "CurrentApplicationVersionId": 1, **change},
        operations.operation_model("UpdateApplication").input_shape,
    )
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, {"ConfigurationType": "DEFAULT"}),
        ({"execution.checkpointing.interval": "10s"}, (True, 10_000, 0)),
        ({"execution.checkpointing.interval": "1500"}, (True, 1500, 0)),
        (
            {"execution.checkpointing.interval": "1min", "execution.checkpointing.min-pause": "5 s"},
            (True, 60_000, 5000),
        ),
        ({"execution.checkpointing.interval": "0"}, (False, None, 0)),
    ],
)
def test_checkpointing_is_what_the_options_say(config: dict[str, str], expected: Any) -> None:
    block = wished(wish(config=config)).flink()["CheckpointConfiguration"]
    if isinstance(expected, tuple):
        found = (
            block["CheckpointingEnabled"],
            block.get("CheckpointInterval"),
            block["MinPauseBetweenCheckpoints"],
        )
        assert found == expected
    else:
        assert block == expected


# What it cannot take


@pytest.mark.parametrize(
    ("fields", "told", "path"),
    [
        ({"config": {"table.exec.state.ttl": "1h"}}, "no Flink option 'table.exec.state.ttl'", ("config",)),
        ({"config": {"state.backend.type": "hashmap"}}, "'state.backend.type'", ("config", "state.backend.type")),
        ({"args": ("--x",)}, "gives programs no arguments", ("code", "args")),
        ({"secrets": {"KEY": SecretRef(source="env", name="K")}}, "(KEY)", ("code", "sql")),
        ({"properties": {"scurry": {"a": "b"}}}, "'scurry' is written by scurry", ("properties", "scurry")),
        ({"properties": {"g": {}}}, "has 0 properties", ("properties", "g")),
        ({"properties": {"g": {"k": "x" * 2049}}}, "2049 characters", ("properties", "g", "k")),
        ({"properties": {"g": {f"k{n}": "v" for n in range(51)}}}, "51 properties", ("properties", "g")),
        ({"properties": {f"g{n}": {"k": "v"} for n in range(50)}}, "50 groups", ("properties",)),
    ],
)
def test_what_the_service_cannot_take_is_told_with_its_key(
    fields: dict[str, Any], told: str, path: tuple[str, ...]
) -> None:
    found = list(troubles(wish(**fields)))
    assert len(found) == 1
    assert told in found[0].message
    assert found[0].path[: len(path)] == path


def test_what_is_so_on_the_service_anyway_may_be_said() -> None:
    config = {"state.backend.type": "rocksdb", "execution.checkpointing.mode": "EXACTLY_ONCE"}
    assert not list(troubles(wish(config=config)))


def test_kpus_are_rounded_up() -> None:
    assert [configuration.kpus(*each) for each in ((40, 2), (40, 6), (1, 8))] == [20, 7, 1]


# Code


def test_a_key_is_of_the_content_and_the_main_class() -> None:
    keys = {code.key_of(wish(entry=entry), "p/") for entry in (None, "com.example.A", "com.example.B")}
    assert len(keys) == 3
    assert all(key.startswith("p/orders-") and key.endswith(".jar") for key in keys)
    assert code.key_of(wish(artifact=ZIP, entry="main.py"), "").endswith(".zip")


def test_the_uploaded_jar_names_the_main_class_of_the_spec(tmp_path: Path, runtimes: Any) -> None:
    jar, entry = tmp_path / "orders.jar", "com.example.orders.with.a.very.long.package.name.that.goes.on.OrdersOfToday"
    with zipfile.ZipFile(jar, "w") as packed:
        packed.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nMain-Class: com.example.Old\r\nX: y\r\n\r\n")
        packed.writestr("a.txt", "content")
    with code.as_uploaded(wish(entry="com.example.Old"), jar) as same:
        assert same == jar
    with code.as_uploaded(wish(entry=entry), jar) as copy:
        assert code.main_class(copy) == entry
        with zipfile.ZipFile(copy) as packed:
            assert packed.testzip() is None
            assert sorted(packed.namelist()) == ["META-INF/MANIFEST.MF", "a.txt"]
            assert b"X: y" in packed.read("META-INF/MANIFEST.MF")
        assert zipfile.is_zipfile(copy)
    assert code.main_class(jar) == "com.example.Old"


def test_a_pyflink_zip_is_told_what_of_it_is_run(tmp_path: Path) -> None:
    path = tmp_path / "count.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for name in ("main.py", "helping.py", "package/inner.py", "lib/connector.jar", "requirements.txt"):
            packed.writestr(name, "")
    desired = wish(artifact=ZIP, entry="main.py")
    assert code.run_options(desired, path) == {
        "python": "main.py",
        "jarfile": "lib/connector.jar",
        "pyFiles": "helping.py,package/",
    }
    assert code.has_requirements(desired, path)
    with pytest.raises(ArtifactError, match=r"no script 'other\.py'"):
        code.run_options(wish(artifact=ZIP, entry="other.py"), path)
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr("lib/second.jar", "")
    with pytest.raises(ArtifactError, match="takes one jar"):
        code.run_options(desired, path)


def test_a_jar_that_names_no_main_class_is_refused_before_the_upload(tmp_path: Path) -> None:
    jar = tmp_path / "orders.jar"
    with zipfile.ZipFile(jar, "w") as packed:
        packed.writestr("a.txt", "content")
    with pytest.raises(ArtifactError, match="names no Main-Class"):
        code.check_artifact(JAR, wish(), jar)
    code.check_artifact(JAR, wish(entry="com.example.Orders"), jar)


def test_code_over_512_mib_is_refused(tmp_path: Path) -> None:
    jar = tmp_path / "orders.jar"
    subprocess.run(["truncate", "-s", "513M", str(jar)], check=True)
    with pytest.raises(ArtifactError, match="513 MiB"):
        code.check_artifact(JAR, wish(), jar)


# Answers


def test_connecting_imports_nothing_of_awss(tmp_path: Path) -> None:
    code = (
        "import sys, scurry.targets.managed\nassert not {'boto3', 'botocore'} & set(sys.modules), 'imported too early'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_snapshots_location_is_read_back() -> None:
    legacy = location_of("orders-production", {"SnapshotName": "scurry-1"})
    assert legacy == "msf://orders-production/scurry-1"
    assert key_of(legacy) == Key(name="scurry-1", application="orders-production")
    arn = "arn:aws-cn:kinesisanalytics:cn-north-1:123456789012:snapshot/SYSTEMSNAPSHOT-1"
    assert location_of("orders", {"SnapshotName": "SYSTEMSNAPSHOT-1", "SnapshotArn": arn}) == arn
    assert key_of(arn) == Key(name="SYSTEMSNAPSHOT-1", arn=arn)
    for other in ("s3://bucket/savepoint-1", "msf://only-an-application", "arn:aws:kinesisanalytics:x:1:application/a"):
        assert key_of(other) is None


# Runs: what became of the start under a mark


def run(status: str, *operations: tuple[str, str], ours: bool = True) -> Run:
    groups = [MARK.group()] if ours else []
    detail = {
        "ApplicationName": "orders",
        "ApplicationARN": "arn:x",
        "ApplicationStatus": status,
        "CreateTimestamp": BEGUN,
        "ApplicationConfigurationDescription": {
            "EnvironmentPropertyDescriptions": {"PropertyGroupDescriptions": groups}
        },
    }
    listed = tuple(
        Operation(id=f"op-{number}", name=name, status=state, start=BEGUN + timedelta(minutes=number))
        for number, (name, state) in enumerate(operations)
    )
    return Run(application=Application(detail), operations=tuple(reversed(listed)))


_START, _STOP = ("StartApplication", "SUCCESSFUL"), ("StopApplication", "SUCCESSFUL")
_MADE = ("UpdateApplication", "SUCCESSFUL")


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (run("READY"), None),
        (run("READY", _MADE), None),
        (run("STARTING", _MADE, ("StartApplication", "IN_PROGRESS")), JobState.INITIALIZING),
        (run("RUNNING", _MADE, _START), JobState.RUNNING),
        (run("READY", _MADE, ("StartApplication", "FAILED")), JobState.FAILED),
        (run("READY", _MADE, _START), JobState.FINISHED),
        (run("READY", _MADE, _START, _STOP), JobState.CANCELED),
        (run("STOPPING", _MADE, _START, ("StopApplication", "IN_PROGRESS")), JobState.CANCELLING),
        (run("RUNNING", _MADE, _START, ("StopApplication", "FAILED")), JobState.RUNNING),
        (run("AUTOSCALING", _MADE, _START), JobState.RECONCILING),
        (run("READY", _MADE, _START, ("UpdateApplication", "FAILED")), JobState.FAILED),
        (run("READY", ours=False), JobState.CANCELED),
    ],
)
def test_what_became_of_a_start_is_read_from_what_happened_since(found: Run, state: JobState | None) -> None:
    assert found.state is state


# Metrics


class Told:
    """CloudWatch that tells what it is given, by metric."""

    def __init__(self, **series: list[tuple[int, float]]) -> None:
        self.series = series

    def pages(self, service: str, operation: str, member: str, **request: Any) -> Any:
        for query in request["MetricDataQueries"]:
            points = self.series.get(query["MetricStat"]["Metric"]["MetricName"], [])
            yield {
                "Id": query["Id"],
                "Timestamps": [BEGUN + timedelta(minutes=minute) for minute, _ in points],
                "Values": [value for _, value in points],
            }


def news(runtime: str = "FLINK-1_20", **series: list[tuple[int, float]]) -> Any:
    told: Any = Told(**series)
    metrics = Metrics(told, timedelta(minutes=1))
    return metrics.of(Asked(application="a", runtime=runtime, since=BEGUN), BEGUN + timedelta(minutes=9))


def test_periods_that_began_before_the_start_are_of_another_job() -> None:
    assert not news(fullRestarts=[(-1, 40.0)], lastCheckpointDuration=[(-2, 7.0)]).told
    found = news(fullRestarts=[(-1, 40.0), (1, 0.0)], lastCheckpointDuration=[(1, 12.0)])
    assert (found.told, found.restarts, found.checkpoint, found.loops) == (True, 0, True, False)


def test_a_restart_loop_is_one_while_the_count_rises() -> None:
    rising = [(1, 1.0), (2, 3.0), (3, 5.0)]
    assert news(fullRestarts=rising).loops
    assert news(runtime="FLINK-2_2", numRestarts=rising).loops
    over = news(fullRestarts=[*rising, (4, 5.0), (5, 5.0), (6, 5.0)])
    assert (over.restarts, over.loops) == (5, False)
    assert not news(fullRestarts=[(1, 1.0), (2, 2.0)]).loops, "twice is no loop"


def test_restarts_of_long_ago_are_counted_and_are_no_news() -> None:
    told: Any = Told(fullRestarts=[(100, 4.0), (101, 4.0), (102, 4.0)])
    metrics = Metrics(told, timedelta(minutes=1))
    asked = Asked(application="a", runtime="FLINK-1_20", since=BEGUN)
    found = metrics.of(asked, BEGUN + timedelta(minutes=103))
    assert (found.restarts, found.restarted_at, found.loops) == (4, None, False)


def test_a_checkpoint_that_never_was_is_none() -> None:
    assert not news(fullRestarts=[(1, 0.0)], lastCheckpointDuration=[(1, -1.0)]).checkpoint


# Logs


def event(second: int, message: str, trace: str = "") -> dict[str, Any]:
    told = {"message": message, "logger": "a.b.Task", "messageType": "WARN", "throwableInformation": trace}
    return {"timestamp": (int(BEGUN.timestamp()) + second) * 1000, "message": json.dumps(told)}


def test_each_restart_is_told_with_what_a_task_failed_with_before_it() -> None:
    trace = "java.lang.RuntimeException: outer\n\tat a.B.c(B.java:1)\nCaused by: java.lang.IllegalStateException: {}\n"
    restarts = [event(second, "Job orders switched from state RUNNING to RESTARTING.") for second in (10, 20)]
    failed = [event(9, "to FAILED", trace.format("first")), event(19, "to FAILED", trace.format("second"))]
    newest, oldest = logs.failures_in(restarts, failed)
    assert (newest.at, oldest.at) == (BEGUN + timedelta(seconds=20), BEGUN + timedelta(seconds=10))
    assert "second" in newest.message
    assert "first" in oldest.message
    (untold,) = logs.failures_in(restarts[:1], [])
    assert untold.message.endswith("to RESTARTING.")


def test_events_are_shown_as_flinks_own_log_has_them() -> None:
    assert logs.lines_of(event(0, "it failed", "x.Y: z\n\tat a.B")) == [
        "2026-01-02 03:04:05.000 WARN  Task - it failed",
        "x.Y: z",
        "\tat a.B",
    ]
    assert logs.lines_of({"timestamp": int(BEGUN.timestamp() * 1000), "message": "no json"})[0].endswith("no json")


# Health


def judged(after: timedelta, **fields: Any) -> health.Judgement:
    job = Job(
        id="1" * 32, name="orders", state=JobState.RUNNING, vertices=1, vertices_running=1,
        told_late_by_s=180, **fields,
    )  # fmt: skip
    sample = health.Sample.of(job, at=BEGUN + after)
    return health.judge([sample], policy=HealthPolicy(checkpoints=0), started_at=BEGUN, patience=timedelta())


def test_a_job_of_which_nothing_is_told_is_not_healthy_and_has_time() -> None:
    assert judged(timedelta(minutes=1), untold=True).verdict is health.Verdict.UNDECIDED
    assert judged(timedelta(minutes=4), untold=True).verdict is health.Verdict.UNHEALTHY
    assert judged(timedelta(minutes=1)).verdict is health.Verdict.HEALTHY
    one = CheckpointCounts(completed=1)
    assert judged(timedelta(minutes=1), restarts=1, checkpoints=one).verdict is health.Verdict.UNHEALTHY
