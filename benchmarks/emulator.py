"""The emulated managed service: how long a start takes, how many applications it bears, how many calls it answers.

(1) Create + start to RUNNING, by boto3's own calls, against the same processes (same sizes, same settings) started by
plain `java` command lines, and the job submitted by bare REST calls. (2) For how long no record is processed while
`UpdateApplication` brings another jar, against `scurry apply` of the same on this machine. (3) Applications of the
smallest scale that run at the same time. (4) Calls a second from two other processes.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import boto3
import urllib3

from benchmarks import timing, upgrade_gap
from benchmarks.start_up import plain_java
from benchmarks.ticks import CONFIG, Ticks, jar
from scurry.emulator.endpoint import Emulator, Settings
from scurry.emulator.forced import forced
from scurry.flink.cluster import LocalClusters
from scurry.flink.configuration import ClusterSettings
from scurry.flink.java_programs import Program, compile_program
from scurry.model.reporting import SilentReporter
from scurry.workspace import Workspace

if TYPE_CHECKING:
    from scurry.flink.runtimes import Runtimes

RUNTIME, SERIES = "FLINK-1_20", "1.20"
ROUNDS = 5
GAPS = 7
APPLICATIONS = 20
SMALLEST = 0.05
CALLING_S = 5.0
PATIENCE_S = 900.0
TASK_MANAGER_BYTES = 1 << 30
"""what the emulator gives at its usual scale"""


class Stage:
    """A served emulator, and what a person would start by hand."""

    def __init__(self, folder: Path, runtimes: Runtimes, scale: float) -> None:
        self.folder = folder
        self.runtimes = runtimes
        self.version = runtimes.newest(SERIES)
        settings = Settings(directory=folder / "state", scale=scale)
        self.emulator = Emulator(settings, runtimes, SilentReporter())
        self.http = urllib3.PoolManager()
        self.jar = self._jar()

    def _jar(self) -> Path:
        source = Path(__file__).with_name("Numbers.java")
        classes = compile_program(
            Program(name="Numbers", sources={source.name: source.read_bytes()}),
            flink=self.runtimes.flink(self.version),
            java=self.runtimes.java(self.version),
            cache=self.runtimes.cache,
        )
        path = self.folder / "numbers.jar"
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMain-Class: Numbers\n")
            for found in classes.glob("*.class"):
                packed.write(found, found.name)
        return path

    def client(self, name: str) -> Any:
        return boto3.client(
            name,
            endpoint_url=self.emulator.url,
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )

    def upload(self) -> None:
        s3 = self.client("s3")
        s3.create_bucket(Bucket="code")
        s3.upload_file(str(self.jar), "code", "numbers.jar")

    def create(
        self, service: Any, name: str, *, runtime: str = RUNTIME, location: dict[str, str] | None = None
    ) -> None:
        numbers = {"BucketARN": "arn:aws:s3:::code", "FileKey": "numbers.jar"}
        code = {"CodeContentType": "ZIPFILE", "CodeContent": {"S3ContentLocation": location or numbers}}
        service.create_application(
            ApplicationName=name,
            RuntimeEnvironment=runtime,
            ServiceExecutionRole="arn:aws:iam::123456789012:role/any",
            ApplicationConfiguration={"ApplicationCodeConfiguration": code},
        )

    def emulated(self) -> float:
        service, name = self.client("kinesisanalyticsv2"), f"app-{secrets.token_hex(4)}"
        started = perf_counter()
        self.create(service, name)
        service.start_application(ApplicationName=name, RunConfiguration={})
        (found,) = self.await_running(service, [name])
        if found != "RUNNING":
            raise RuntimeError(f"{name} is {found}")
        wall = perf_counter() - started
        service.stop_application(ApplicationName=name, Force=True)
        self.await_ended(service, [name])
        return wall

    def by_hand(self) -> float:
        """The same processes, without archives of classes and options for a quick start."""
        checkpointing = {"CheckpointingEnabled": True, "CheckpointInterval": 60000, "MinPauseBetweenCheckpoints": 5000}
        settings = ClusterSettings(
            flink=self.runtimes.flink(self.version),
            java=self.runtimes.java(self.version),
            state_directory=self.folder / "by-hand-state",
            slots=1,
            task_manager_memory=TASK_MANAGER_BYTES,
            config={"taskmanager.memory.managed.fraction": "0.25", **forced(self.version, checkpointing)},
        )
        clusters = LocalClusters(self.folder / "by-hand", SilentReporter())
        try:
            with plain_java():
                started = perf_counter()
                self._submit(clusters.ensure(settings).rest_url)
                return perf_counter() - started
        finally:
            clusters.stop()

    def _submit(self, url: str) -> None:
        fields = {"jarfile": ("numbers.jar", self.jar.read_bytes())}
        uploaded = self.http.request("POST", f"{url}/jars/upload", fields=fields).json()
        jar = uploaded["filename"].rpartition("/")[2]
        job = self.http.request("POST", f"{url}/jars/{jar}/run", json={}).json()["jobid"]
        while True:
            vertices = self.http.request("GET", f"{url}/jobs/{job}").json()["vertices"]
            if vertices and all(vertex["status"] == "RUNNING" for vertex in vertices):
                return
            time.sleep(0.05)

    def statuses(self, service: Any, names: list[str]) -> list[str]:
        found = service.list_applications(Limit=50)["ApplicationSummaries"]
        return [each["ApplicationStatus"] for each in found if each["ApplicationName"] in names]

    def await_running(self, service: Any, names: list[str]) -> list[str]:
        return self._await(service, names, {"STARTING"})

    def await_updated(self, service: Any, names: list[str]) -> list[str]:
        return self._await(service, names, {"UPDATING"})

    def await_ended(self, service: Any, names: list[str]) -> list[str]:
        return self._await(service, names, {"FORCE_STOPPING", "STOPPING"})

    def _await(self, service: Any, names: list[str], waiting: set[str]) -> list[str]:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            found = self.statuses(service, names)
            if not waiting & set(found):
                return found
            time.sleep(0.05)
        raise TimeoutError(f"not within {PATIENCE_S} s")


def _starts(folder: Path, runtimes: Runtimes) -> dict[str, str]:
    stage = Stage(folder, runtimes, scale=0.25)
    with stage.emulator.serving():
        stage.upload()
        for _ in range(2):  # records the archives of classes, and is the first to use them
            stage.emulated()
        times = timing.alternately(ROUNDS, emulated=stage.emulated, by_hand=stage.by_hand)
    return {
        f"create + start to RUNNING, median of {ROUNDS}": timing.spread(times["emulated"]),
        "the same processes by hand": timing.spread(times["by_hand"]),
        "ratio, goal ≤ 1.3": timing.ratio(times["emulated"], times["by_hand"]),
    }


class Updates:
    """One application on the emulator, whose jar changes."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.ticks = Ticks(stage.folder / "ticks.txt")
        self.builds = 0
        self.s3, self.service = stage.client("s3"), stage.client("kinesisanalyticsv2")

    def _next(self) -> dict[str, str]:
        self.builds += 1
        built = jar(
            self.stage.folder, self.stage.runtimes, upgrade_gap.VERSION, build=self.builds, output=self.ticks.path
        )
        self.s3.upload_file(str(built), "code", built.name)
        return {"BucketARN": "arn:aws:s3:::code", "FileKey": built.name}

    def begin(self) -> None:
        self.stage.create(self.service, "ticks", runtime="FLINK-2_3", location=self._next())
        self.service.start_application(ApplicationName="ticks", RunConfiguration={})
        self.stage.await_running(self.service, ["ticks"])

    def gap(self) -> float:
        """Update, and return for how long no record was processed, in seconds."""
        location = {f"{key}Update": value for key, value in self._next().items()}
        code = {"CodeContentUpdate": {"S3ContentLocationUpdate": location}}
        detail = self.service.describe_application(ApplicationName="ticks")["ApplicationDetail"]
        started = time.time()
        self.ticks.await_one_after(started)
        self.service.update_application(
            ApplicationName="ticks",
            CurrentApplicationVersionId=detail["ApplicationVersionId"],
            ApplicationConfigurationUpdate={"ApplicationCodeConfigurationUpdate": code},
        )
        (found,) = self.stage.await_updated(self.service, ["ticks"])
        if found != "RUNNING":
            raise RuntimeError(f"ticks is {found}")
        self.ticks.await_one_after(time.time() + 0.5)
        return self.ticks.longest_pause_since(started)


class ByScurry:
    """The same application on the same emulator, upgraded by `scurry apply` with the target `managed`."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.folder = stage.folder / "project"
        self.folder.mkdir()
        self.ticks = Ticks(self.folder / "ticks.txt")
        self.builds = 0
        policy = {"Version": "2012-10-17", "Statement": []}
        role = stage.client("iam").create_role(RoleName="service", AssumeRolePolicyDocument=json.dumps(policy))
        target = {"kind": "managed", "bucket": "code", "role": role["Role"]["Arn"]}
        (self.folder / "scurry.yaml").write_text(json.dumps({"targets": {"msf": target}}))

    def apply(self) -> None:
        self.builds += 1
        stage, version = self.stage, upgrade_gap.VERSION
        built = jar(self.folder, stage.runtimes, version, build=self.builds, output=self.ticks.path)
        spec = {"name": "by-scurry", "flink": version, "code": {"jar": built.name}, "config": CONFIG}
        file = self.folder / "application.yaml"
        file.write_text(json.dumps(spec))
        command = [str(Path(sys.executable).with_name("scurry")), "apply", str(file), "--yes"]
        environment = {**os.environ, **stage.emulator.environment}
        subprocess.run(command, cwd=self.folder, env=environment, check=True, capture_output=True)

    def gap(self) -> float:
        """Upgrade, and return for how long no record was processed, in seconds."""
        started = time.time()
        self.ticks.await_one_after(started)
        self.apply()
        self.ticks.await_one_after(time.time() + 0.5)
        return self.ticks.longest_pause_since(started)


def _gaps(folder: Path, runtimes: Runtimes) -> dict[str, str]:
    (folder / "local").mkdir()
    local, stage = upgrade_gap.Stage(folder / "local"), Stage(folder, runtimes, scale=0.25)
    updates = Updates(stage)
    try:
        with stage.emulator.serving():
            stage.upload()
            updates.begin()
            by_scurry = ByScurry(stage)
            by_scurry.apply()
            local.apply(local.next_jar())
            for _ in range(3):  # JVMs that are cold measure themselves
                local.by_scurry()
                updates.gap()
                by_scurry.gap()
            times = timing.alternately(GAPS, emulated=updates.gap, local=local.by_scurry, managed=by_scurry.gap)
            lost = updates.ticks.missing() + by_scurry.ticks.missing()
    finally:
        local.workspace.local_clusters.stop()
    return {
        f"gap of UpdateApplication with another jar, median of {GAPS}": timing.spread(times["emulated"]),
        f"gap of scurry apply on local, median of {GAPS}": timing.spread(times["local"]),
        f"gap of scurry apply on the target managed, median of {GAPS}": timing.spread(times["managed"]),
        "ratio of UpdateApplication to local, goal ≤ 1.5": timing.ratio(times["emulated"], times["local"]),
        "ratio of managed to local": timing.ratio(times["managed"], times["local"]),
        "records lost in the updates of both": str(lost),
    }


def _many(folder: Path, runtimes: Runtimes) -> dict[str, str]:
    stage = Stage(folder, runtimes, scale=SMALLEST)
    names = [f"app-{number}" for number in range(APPLICATIONS)]
    with stage.emulator.serving():
        stage.upload()
        service = stage.client("kinesisanalyticsv2")
        for name in names:
            stage.create(service, name)
        calls = _calls_a_second(stage.emulator.url)
        started = perf_counter()
        for name in names:
            service.start_application(ApplicationName=name, RunConfiguration={})
        found = stage.await_running(service, names)
        wall = perf_counter() - started
        time.sleep(10)  # the subject: they go on
        still = stage.statuses(service, names)
    return {
        **calls,
        f"of {APPLICATIONS} applications started at once, RUNNING": f"{found.count('RUNNING')}, after {wall:.0f} s",
        "still RUNNING ten seconds later": str(still.count("RUNNING")),
    }


def _calls_a_second(url: str) -> dict[str, str]:
    found = {}
    with ProcessPoolExecutor(max_workers=2) as pool:
        for operation, body in (("DescribeApplication", {"ApplicationName": "app-1"}), ("ListApplications", {})):
            counts = list(pool.map(_call, *zip(*[(url, operation, body)] * 2, strict=True)))
            found[f"{operation}, calls a second, goal ≥ 500"] = f"{sum(counts) / CALLING_S:.0f}"
    return found


def _call(url: str, operation: str, body: dict[str, str]) -> int:
    http = urllib3.PoolManager()
    headers = {"X-Amz-Target": f"KinesisAnalytics_20180523.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    count, until = 0, time.monotonic() + CALLING_S
    while time.monotonic() < until:
        answer = http.request("POST", url, body=json.dumps(body), headers=headers)
        if answer.status != 200:
            raise RuntimeError(answer.data.decode())
        count += 1
    return count


def main() -> dict[str, str]:
    folder = Path(tempfile.mkdtemp(prefix="scurry-emulator-"))
    try:
        runtimes = Workspace.open(folder).assembly.runtimes
        (folder / "one").mkdir()
        (folder / "many").mkdir()
        (folder / "gaps").mkdir()
        load = os.getloadavg()[0]
        found = _starts(folder / "one", runtimes) | _gaps(folder / "gaps", runtimes) | _many(folder / "many", runtimes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {**found, "load at the beginning": f"{load:.1f}"}
