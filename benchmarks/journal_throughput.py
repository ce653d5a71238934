"""Operations per second that the journal takes, on PostgreSQL (fsync on) and on SQLite, several applications at once.

One operation is `start_operation`, `start_step`, `finish_step` and `finish_operation` of a savepoint, with the lease
held: four transactions, each durable before it returns. Server and writers share one core. The rival: psycopg writing
the same bytes by four plain `INSERT` transactions, as many threads, the same server, in turns. Beside the rate is what
it would be if nobody else used that core: operations per second of the processor's time, writers and server together.
"""

from __future__ import annotations

import os
import tempfile
import threading
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import psutil
import psycopg
from tests.journal.postgresql import PostgreSql

from scurry.journal.postgres import PostgresJournal
from scurry.journal.postgres_server import Address
from scurry.journal.rows import encode
from scurry.journal.sqlite import SqliteJournal
from scurry.model.journal import OperationOutcome
from scurry.model.operation import Action, Outcome, Step, TakeSnapshot
from scurry.testing.journal_story import SetClock, savepoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scurry.model.journal import Lease
    from scurry.model.ports import Journal

THREADS = 8
OPERATIONS = 100
"""of each thread, in each round"""
ROUNDS = 7
DAY = timedelta(days=1)


def main() -> dict[str, str]:
    with _one_core() as cores, PostgreSql.running() as server, tempfile.TemporaryDirectory() as folder:
        address = Address.read(server.local_url(server.new_database()))
        plain = server.local_url(server.new_database())
        with (
            PostgresJournal.open(address, clock=SetClock()) as shared,
            SqliteJournal.open(Path(folder) / "journal.db", clock=SetClock()) as file,
            psycopg.connect(plain) as connection,
        ):
            connection.execute("CREATE TABLE entry (name TEXT, number BIGINT, body TEXT, PRIMARY KEY (name, number))")
            connection.commit()
            contenders = {"ours": _journal(shared), "rival": _inserts(plain), "file": _journal(file)}
            figures, work = _measured(contenders, server)
    ours, rival, sqlite = (figures[name] for name in ("ours", "rival", "file"))
    return {
        f"operations/s on PostgreSQL, {THREADS} applications, {cores}, median of {ROUNDS}": _spread(ours),
        "plain INSERT transactions of the same bytes, per four of them": _spread(rival),
        "on SQLite": _spread(sqlite),
        "operations per second of processor time": _spread(work["ours"]),
        "the same of the plain INSERTs": _spread(work["rival"]),
        "ratio to plain INSERTs": f"{median(ours) / median(rival):.2f}",
        "ratio to SQLite": f"{median(ours) / median(sqlite):.2f}",
    }


@contextmanager
def _one_core() -> Iterator[str]:
    """Keep this process, and the server that it starts, on one core, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield "all cores"
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield "one core"
    finally:
        os.sched_setaffinity(0, before)


def _measured(
    contenders: dict[str, Callable[[int], Callable[[], None]]], server: PostgreSql
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return operations per second of each contender, and per second of processor time, in turns.

    A round more than is told warms up.
    """
    writers = {name: [make(number) for number in range(THREADS)] for name, make in contenders.items()}
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    work: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS + 1):
        for name, works in writers.items():
            before = _processor_time(server)
            rates[name].append(_rate(works))
            work[name].append(THREADS * OPERATIONS / (_processor_time(server) - before))
    return {name: told[1:] for name, told in rates.items()}, {name: told[1:] for name, told in work.items()}


def _processor_time(server: PostgreSql) -> float:
    """Return what this process and the server's have used so far, in seconds."""
    used = process_time()
    root = psutil.Process(server.process.pid if server.process else None)
    for process in (root, *root.children()):
        with suppress(psutil.Error):
            times = process.cpu_times()
            used += times.user + times.system
    return used


def _rate(works: list[Callable[[], None]]) -> float:
    barrier = threading.Barrier(THREADS + 1)
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        barrier.wait()
        try:
            for _ in range(OPERATIONS):
                work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    barrier.wait()
    started = perf_counter()
    for thread in threads:
        thread.join()
    took = perf_counter() - started
    if failures:
        raise failures[0]
    return THREADS * OPERATIONS / took


def _journal(journal: Journal) -> Callable[[int], Callable[[], None]]:
    def make(number: int) -> Callable[[], None]:
        lease = journal.acquire(f"application-{number}", duration=DAY)
        numbers = iter(range(1_000_000))
        return lambda: _operation(journal, lease, next(numbers))

    return make


def _operation(journal: Journal, lease: Lease, number: int) -> None:
    record = journal.start_operation(lease, TakeSnapshot(job_id=f"{number:032x}"), reason="scheduled", revision=None)
    ordinal = journal.start_step(lease, record.id, _step(number))
    journal.finish_step(lease, record.id, ordinal, outcome=_outcome(number))
    journal.finish_operation(lease, record.id, OperationOutcome.DONE)


def _inserts(url: str) -> Callable[[int], Callable[[], None]]:
    def make(number: int) -> Callable[[], None]:
        connection = psycopg.connect(url)
        numbers = iter(range(1_000_000))

        def work() -> None:
            operation = next(numbers)
            started = encode(TakeSnapshot(job_id=f"{operation:032x}"))
            bodies = (started, encode(_step(operation)), encode(_outcome(operation)), "done")
            for entry, body in enumerate(bodies):
                connection.execute(
                    "INSERT INTO entry (name, number, body) VALUES (%s, %s, %s)",
                    (f"application-{number}", operation * 4 + entry, body),
                )
                connection.commit()

        return work

    return make


def _step(number: int) -> Step:
    inputs = {"job": f"{number:032x}", "directory": "file:/savepoints", "format": "canonical"}
    return Step(action=Action.SNAPSHOT, mark=f"{number:032x}", title="take a savepoint", inputs=inputs)


def _outcome(number: int) -> Outcome:
    found = savepoint(f"savepoint-{number:012x}", minutes=number, job_id=f"{number:032x}", revision=1)
    return Outcome(snapshot=found)


def _spread(rates: list[float]) -> str:
    return f"{median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})"


if __name__ == "__main__":
    for figure, value in main().items():
        print(f"{figure}: {value}")
