"""`diagnose` on a real Flink: jobs that fail in known ways are told as what they are, with evidence and a command."""

from __future__ import annotations

import re
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import trustme

from scurry.engine import failures
from scurry.flink.runtimes import Runtimes
from scurry.model.ports import Heals
from scurry.model.report import Diagnosis, Finding
from tests.conformance.failing import NOWHERE, NUMBERS, Case, Patient, failing_jar, jar, patient, python, sql
from tests.conformance.stage import Stage
from tests.flink.local_flink import stopped_afterwards

pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(600)]

KAFKA: dict[str, Any] = {"connectors": ["mvn:org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2"]}
PROJECT = (
    "targets: {local: {kind: local, slots: 2, job_manager_memory: 704m, task_manager_memory: 1g,"
    " config: {taskmanager.memory.task.off-heap.size: 32m}}}\n"
)


def kafka(bootstrap: str, **properties: str) -> str:
    """A script that reads from Kafka and gives up soon."""
    given = {"default.api.timeout.ms": "2000", "request.timeout.ms": "1000", **properties}
    options = "".join(f", 'properties.{key}' = '{value}'" for key, value in given.items())
    return (
        f"CREATE TABLE orders (n INT) WITH ('connector' = 'kafka', 'topic' = 'orders', 'format' = 'json', "
        f"'scan.startup.mode' = 'earliest-offset', 'properties.bootstrap.servers' = '{bootstrap}'{options});\n"
        f"{NOWHERE}INSERT INTO nowhere SELECT n FROM orders;\n"
    )


def python_job(function: str) -> str:
    """A PyFlink script whose records go through a function."""
    return (
        "from pyflink.common import Types, WatermarkStrategy\n"
        "from pyflink.datastream import StreamExecutionEnvironment\n"
        "from pyflink.datastream.connectors.number_seq import NumberSequenceSource\n\n\n"
        f"def total(number):\n    {function}\n    return number\n\n\n"
        "environment = StreamExecutionEnvironment.get_execution_environment()\n"
        "numbers = environment.from_source(\n"
        "    NumberSequenceSource(0, 2**53), WatermarkStrategy.no_watermarks(), 'numbers', Types.LONG()\n)\n"
        "numbers.map(total, Types.LONG()).print()\n"
        "environment.execute()\n"
    )


WHILE_IT_RUNS = (
    jar("class-missing", says="com.shop.Price"),
    jar("version-clash", says="NoSuchMethodError"),
    jar("key-is-null"),
    jar("heap-full"),
    jar("direct-memory-full"),
    jar("disk-full"),
    jar(
        "checkpoint-expired",
        config={
            "execution.checkpointing.timeout": "1s",
            "execution.checkpointing.tolerable-failed-checkpoints": "0",
        },
    ),
    jar("checkpoint-failed"),
    jar("storage-not-writable", config={"execution.checkpointing.dir": "file:///proc/nothing"}, says="/proc/nothing"),
    jar("filesystem-missing", config={"execution.checkpointing.dir": "s3://bucket/x"}, says="s3"),
    sql(
        "null-in-not-null",
        NUMBERS
        + "CREATE TABLE strict (n INT NOT NULL) WITH ('connector' = 'blackhole');\n"
        + "INSERT INTO strict SELECT NULLIF(n, n) FROM numbers;\n",
        says="n",
    ),
    sql(
        "record-unreadable",
        "CREATE TABLE lines (n INT) WITH ('connector' = 'filesystem', 'path' = '@/broken', 'format' = 'json');\n"
        f"{NOWHERE}INSERT INTO nowhere SELECT n FROM lines;\n",
        says="JSON",
    ),
    sql("unreachable", kafka("nowhere.invalid:9092"), **KAFKA),
    python("python-function", python_job("number / 0"), says="ZeroDivisionError: division by zero"),
    python("python-worker-died", python_job("__import__('os')._exit(3)")),
    python("python-import", python_job("import pandsa"), says="pandsa"),
)
BEFORE_IT_RUNS = (
    Case(code="main-class-missing", spec={"code": {"jar": "failing.jar", "main_class": "com.shop.Main"}}),
    jar("nothing-to-run"),
    jar("not-serializable"),
    jar("slots-missing", how="fine", parallelism=9),
    sql(
        "connector-missing",
        "CREATE TABLE t (n INT) WITH ('connector' = 'kafka');\nINSERT INTO t VALUES (1);\n",
        says="kafka",
    ),
    sql(
        "format-missing",
        "CREATE TABLE t (n INT) WITH ('connector' = 'filesystem', 'path' = '/tmp/x', 'format' = 'avro');\n"
        "INSERT INTO t VALUES (1);\n",
        says="avro",
    ),
    sql(
        "option-wrong",
        "CREATE TABLE t (n INT) WITH ('connector' = 'datagen', 'rows' = '1');\n"
        + NOWHERE
        + "INSERT INTO nowhere SELECT n FROM t;\n",
        says="rows",
    ),
    sql(  # without a compiled plan: compiling would find it before there is an operation
        "sql-invalid",
        f"{NUMBERS}{NOWHERE}INSERT INTO nowhere SELECT price FROM numbers;\n",
        says="price",
        upgrade={"sql": "none"},
    ),
    jar("main-threw", how="fail-main"),
    python("python-import", "import pandsa\n", says="pandsa"),
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, runtimes: Runtimes) -> Iterator[Stage]:
    """A project with the jar that fails; at the end its cluster is stopped, by its pids."""
    folder = tmp_path_factory.mktemp("failing")
    with stopped_afterwards(folder / ".scurry"):
        stage = Stage(folder, folder / "failing.jar")
        (folder / "scurry.yaml").write_text(PROJECT)
        (folder / "broken").mkdir()
        (folder / "broken" / "lines.json").write_text('{"n": 1}\n{"n": x}\n')
        failing_jar(folder, runtimes)
        yield stage


@contextmanager
def treated(stage: Stage, name: str) -> Iterator[Patient]:
    found = patient(stage, name)
    try:
        yield found
    finally:
        found.end()


def first(found: Diagnosis) -> Finding:
    assert found.findings, found
    return found.findings[0]


def names(cases: tuple[Case, ...]) -> list[str]:
    return [f"{case.code}-{next(iter(case.spec['code']))}" for case in cases]


@pytest.mark.parametrize("case", WHILE_IT_RUNS, ids=names(WHILE_IT_RUNS))
def test_what_makes_a_job_fail_is_told_by_its_root_cause(stage: Stage, case: Case) -> None:
    with treated(stage, case.code) as patient:
        found = patient.fails(case)
    print(found)
    told = first(found)
    assert told.code == case.code, found
    assert case.says in told.what
    assert told.evidence
    assert not found.is_well
    assert re.search(r"^  scurry \w+", told.todo or "", re.MULTILINE)


@pytest.mark.parametrize("case", BEFORE_IT_RUNS, ids=names(BEFORE_IT_RUNS))
def test_what_is_found_before_a_job_starts_is_told_as_the_last_operations(stage: Stage, case: Case) -> None:
    with treated(stage, case.code) as patient:
        error = patient.begin(case)
        assert error, "it was not refused"
        print(error.message)
        assert case.says in error.message
        if case.code == "main-class-missing":  # found while the jar is read: no operation was begun
            known = failures.recognise(error.message)
            assert known
            assert known.trouble.id == case.code
            return
        found = patient.diagnosis()
    told = first(found)
    assert told.code == case.code, found
    assert told.what.startswith("The last operation (deploy")
    assert case.says in told.what


def test_a_failure_that_is_not_in_the_catalogue_is_shown_as_it_is_and_said_to_be_unknown(stage: Stage) -> None:
    with treated(stage, "unknown") as patient:
        told = first(patient.fails(jar("unknown")))
    assert told.code is None
    assert "IllegalStateException: the price of number 0 is odd" in told.what
    assert "not among the failures that scurry knows" in (told.todo or "")
    assert any("Failing$Doing.map(Failing.java:" in line for line in told.evidence), told.evidence


@contextmanager
def tls_server() -> Iterator[str]:
    """A server that nobody trusts, on a free port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with suppress(OSError), context.wrap_socket(connection, server_side=True) as wrapped:
                    wrapped.recv(1)

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
    server.join(timeout=10)


def test_a_server_that_is_not_trusted_is_told_as_such(stage: Stage) -> None:
    with tls_server() as address, treated(stage, "tls-failed") as patient:
        script = kafka(address, **{"security.protocol": "SSL"})
        found = patient.fails(sql("tls-failed", script, **KAFKA))
    assert first(found).code == "tls-failed", found


@pytest.mark.parametrize("code", ["source-idle", "back-pressured"])
def test_what_no_exception_tells_is_told_by_figures(stage: Stage, code: str) -> None:
    with treated(stage, code) as patient:
        patient.begin(jar(code, parallelism=2), window="60s")
        found = patient.ails(lambda finding: finding.code == code)
    told = next(finding for finding in found.findings if finding.code == code)
    assert "numbers" in told.what
    assert told.evidence


def test_a_task_manager_that_was_killed_is_told(stage: Stage) -> None:
    with treated(stage, "taskmanager-lost") as patient:
        patient.begin(jar("fine"))
        stage.kill("taskmanager-1", signal.SIGKILL)
        found = patient.ails(lambda finding: finding.code == "taskmanager-lost")
        assert first(found).code == "taskmanager-lost", found
        place = stage.open().target("local")
        assert isinstance(place, Heals)
        place.heal()


def test_a_job_that_its_job_manager_forgot_is_told(stage: Stage) -> None:
    with treated(stage, "jobmanager-lost") as patient:
        patient.begin(jar("fine"))
        stage.kill("jobmanager", signal.SIGKILL)
        found = patient.diagnosis()
        assert first(found).code == "jobmanager-lost", found
