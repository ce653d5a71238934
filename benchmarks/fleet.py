"""One `scurry serve` process and a fleet: how long a survey takes, what it costs, how soon a vanished job is noticed.

The clusters are a real HTTP server in a process of its own (`fleet_flink`). Everything is measured from outside: by
when that server was asked, by what the operating system says of the process, and by the events that it logs. What it
is compared with, in the same run, asks each cluster for each job (`GET /jobs/:id`), with the same client.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import psutil
import urllib3

from benchmarks.fleet_flink import job_id, name
from scurry.clock import SystemClock
from scurry.flink.connection import RestSettings
from scurry.flink.rest import FlinkRest
from scurry.journal.sqlite import SqliteJournal
from scurry.model.desired import Artifact, ArtifactKind, Desired, DriftPolicy
from scurry.model.journal import Intent, OperationOutcome, RevisionOutcome
from scurry.model.operation import Action, Deploy, Outcome, Step
from scurry.model.snapshot import Stateless

if TYPE_CHECKING:
    from collections.abc import Iterator

JOBS = 10
"""on each cluster"""
STEADY_S = 60.0
VANISHED = 200
_LEASE = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was measured of one fleet."""

    applications: int
    start_s: float
    cores: float
    rss_mib: float
    gaps: list[float]
    """seconds between two surveys of a cluster"""
    noticed: list[float]
    naive_s: float
    naive_cpu_s: float
    survey_s: float
    survey_cpu_s: float


def main() -> dict[str, str]:
    small, large = measure(50), measure(500)
    return {
        **_told(large),
        "500 applications: cores; RSS": f"{small.cores:.3f}; {small.rss_mib:.0f} MiB",
        "cores, 5,000 against 500 (10 is linear)": f"{large.cores / max(small.cores, 0.001):.1f}",
        "processor time of one survey, 5,000 against 500": f"{large.survey_cpu_s / small.survey_cpu_s:.1f}",
    }


def _told(found: Figures) -> dict[str, str]:
    p99 = quantiles(found.noticed, n=100)[98]
    return {
        f"{found.applications} applications: from start to all surveyed": f"{found.start_s:.1f} s",
        "every cluster surveyed within (goal 5 s)": f"{max(found.gaps):.2f} s, median {median(found.gaps):.2f} s",
        "one survey of all, as fast as one thread can": f"{found.survey_s:.2f} s, {found.survey_cpu_s:.2f} s processor",
        "cores, steady (goal 0.5)": f"{found.cores:.3f}",
        "RSS (goal 400 MiB)": f"{found.rss_mib:.0f} MiB",
        "a vanished job is noticed after (goal p99 10 s)": f"median {median(found.noticed):.1f} s, p99 {p99:.1f} s",
        "a poller with one call for each application": f"{found.naive_s:.1f} s, {found.naive_cpu_s:.1f} s processor",
        "processor time of a survey against the poller's": f"{found.survey_cpu_s / found.naive_cpu_s:.3f}",
    }


def measure(clusters: int) -> Figures:
    """Measure a fleet."""
    with tempfile.TemporaryDirectory() as folder, _flinks(clusters) as url:
        root = Path(folder)
        targets = "".join(f"  c{number}: {{kind: rest, url: {url}/c{number}}}\n" for number in range(clusters))
        (root / "scurry.yaml").write_text(f"targets:\n{targets}")
        _fill(root / ".scurry" / "journal.db", clusters)
        survey_s, survey_cpu_s = _surveys(url, clusters)
        naive_s, naive_cpu_s = _polls(url, clusters)
        with _server(root) as (process, lines):
            begun = time.time()
            _await(lambda: all(_surveyed(url)), "all clusters are surveyed")
            start_s = time.time() - begun
            time.sleep(5)  # the first looks are over
            cores, rss_mib, gaps = _steady(process, url)
            noticed = _vanish(url, clusters, lines)
    return Figures(
        applications=clusters * JOBS,
        start_s=start_s,
        cores=cores,
        rss_mib=rss_mib,
        gaps=gaps,
        noticed=noticed,
        naive_s=naive_s,
        naive_cpu_s=naive_cpu_s,
        survey_s=survey_s,
        survey_cpu_s=survey_cpu_s,
    )


def _fill(path: Path, clusters: int) -> None:
    """Write the journal of applications that run, as `apply` would have."""
    path.parent.mkdir(parents=True)
    with SqliteJournal.open(path, clock=SystemClock(), owner="somebody@here pid 1") as journal:
        for cluster in range(clusters):
            with journal.transaction():
                for number in range(JOBS):
                    _write(journal, cluster, number)


def _write(journal: SqliteJournal, cluster: int, number: int) -> None:
    artifact = Artifact(kind=ArtifactKind.JAR, digest="sha256:" + "0" * 64, file_name="app.jar", size_bytes=1)
    config = {"execution.checkpointing.interval": "10s", "state.backend.type": "rocksdb"}
    desired = Desired(
        application=name(cluster, number),
        target=f"c{cluster}",
        flink_version="2.3.0",
        artifact=artifact,
        parallelism=2,
        config=config,
        drift=DriftPolicy.REPORT,
    )
    lease = journal.acquire(desired.application, duration=_LEASE)
    journal.set_intent(lease, Intent.RUN)
    revision = journal.add_revision(lease, desired)
    operation = Deploy(desired=desired, restore=Stateless(why="there never was any state"))
    record = journal.start_operation(lease, operation, reason="does not exist yet", revision=revision.number)
    id = job_id(cluster, number)
    ordinal = journal.start_step(lease, record.id, Step(action=Action.SUBMIT, mark=id, title="start the job"))
    journal.finish_step(lease, record.id, ordinal, outcome=Outcome(job_id=id))
    journal.judge_revision(lease, revision.number, RevisionOutcome.HEALTHY)
    journal.finish_operation(lease, record.id, OperationOutcome.DONE)
    journal.release(lease)


def _surveys(url: str, clusters: int) -> tuple[float, float]:
    """Return wall and processor time of asking each cluster once, one after the other."""
    clients = [FlinkRest(RestSettings(url=f"{url}/c{number}")) for number in range(clusters)]
    for client in clients:
        client.jobs()  # connections stand
    began, cpu = time.perf_counter(), time.process_time()
    for client in clients:
        client.jobs()
    took = time.perf_counter() - began, time.process_time() - cpu
    for client in clients:
        client.close()
    return took


def _polls(url: str, clusters: int) -> tuple[float, float]:
    """Return wall and processor time of asking for each job by itself, by sixteen threads."""
    clients = [FlinkRest(RestSettings(url=f"{url}/c{number}")) for number in range(clusters)]
    for client in clients:
        client.jobs()
    calls = [(client, job_id(cluster, job)) for cluster, client in enumerate(clients) for job in range(JOBS)]
    with ThreadPoolExecutor(16) as pool:
        began, cpu = time.perf_counter(), time.process_time()
        list(pool.map(lambda call: call[0].job(call[1]), calls))
        took = time.perf_counter() - began, time.process_time() - cpu
    for client in clients:
        client.close()
    return took


def _steady(process: psutil.Process, url: str) -> tuple[float, float, list[float]]:
    """Return cores, RSS in MiB, and the gaps between the surveys of each cluster."""
    before, began = process.cpu_times(), time.time()
    time.sleep(STEADY_S)
    after, took = process.cpu_times(), time.time() - began
    cores = (after.user + after.system - before.user - before.system) / took
    times = [[at for at in of if at >= began] for of in _surveyed(url)]
    gaps = [later - earlier for of in times for earlier, later in pairwise(of)]
    return cores, process.memory_info().rss / 2**20, gaps


def _vanish(url: str, clusters: int, lines: Path) -> list[float]:
    """Let jobs vanish, one after the other, and return how long it took until each was told."""
    chosen = random.Random(1).sample([(c, j) for c in range(clusters) for j in range(JOBS)], VANISHED)
    gone: dict[str, float] = {}
    for cluster, job in chosen:
        gone[name(cluster, job)] = _get(url, f"control/vanish/{cluster}/{job_id(cluster, job)}")
        time.sleep(20 / VANISHED)
    told: dict[str, float] = {}

    def all_are_told() -> bool:
        for line in lines.read_text().splitlines():
            entry = json.loads(line)
            if entry.get("event") in {"drift", "alert", "failed"} and entry.get("application") in gone:
                told.setdefault(entry["application"], datetime.fromisoformat(entry["time"]).astimezone(UTC).timestamp())
        return len(told) == len(gone)

    _await(all_are_told, "all that vanished are told")
    return [told[application] - at for application, at in gone.items()]


@contextmanager
def _flinks(clusters: int) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.fleet_flink", str(clusters), str(JOBS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def _server(root: Path) -> Iterator[tuple[psutil.Process, Path]]:
    lines = root / "lines.json"
    command = [sys.executable, "-m", "scurry.cli.main", "serve", "--log-format", "json", "--listen", "127.0.0.1:0"]
    with lines.open("w") as out:
        process = subprocess.Popen(command, cwd=root, stderr=out)
        try:
            yield psutil.Process(process.pid), lines
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _surveyed(url: str) -> list[list[float]]:
    """Return when each cluster was surveyed by the server: the last two before it are ours."""
    found: list[list[float]] = _get(url, "control/surveys")["surveys"]
    return [of[3:] for of in found]


def _get(url: str, path: str) -> Any:
    with urllib3.PoolManager() as pool:
        return pool.request("GET", f"{url}/{path}").json()


def _await(is_so: Any, what: str) -> None:
    deadline = time.monotonic() + 120
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not in time: {what}")
        time.sleep(0.2)


if __name__ == "__main__":
    for figure, value in main().items():
        print(f"{figure}: {value}")
