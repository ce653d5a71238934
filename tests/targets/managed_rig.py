"""What tests of the managed target share: a target on an emulator, wishes, and a way to run operations step by step."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scurry.artifacts.python_package import package_python
from scurry.artifacts.sql_package import package_sql
from scurry.artifacts.store import ArtifactStore
from scurry.emulator.endpoint import Emulator, Settings
from scurry.emulator.lifecycle import Limits
from scurry.flink.java_programs import compile_program
from scurry.model.desired import ArtifactKind, Desired, UpgradePolicy
from scurry.model.reporting import SilentReporter
from scurry.targets.managed import ManagedTarget, connect
from scurry.targets.services import TargetServices
from tests.artifacts.scripts import script_of
from tests.flink.conftest import Listening
from tests.flink.local_flink import until
from tests.targets.probe import jar_of
from tests.targets.rest_rig import EnvironmentSecrets, SystemTime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.flink.runtimes import Runtimes
    from scurry.model.desired import Artifact

VERSION = "1.20.5"
SOURCE = Path(__file__).parent / "java" / "Served.java"
APPLICATIONS = Path(__file__).parents[1] / "conformance" / "applications"
PYTHON = Path(__file__).parents[1] / "emulator" / "python"
BUCKET, ROLE_NAME = "code", "service"
ROLE = f"arn:aws:iam::123456789012:role/{ROLE_NAME}"
PATIENCE_S = 90.0


@contextmanager
def emulating(folder: Path, runtimes: Runtimes) -> Iterator[Emulator]:
    """Serve an emulator, small and quick, with a bucket and a role; boto3 finds its credentials meanwhile."""
    settings = Settings(directory=folder, limits=Limits(kpus=8), scale=0.1, metrics_s=0.5)
    emulator = Emulator(settings, runtimes, SilentReporter())
    before = dict(os.environ)
    os.environ |= {name: value for name, value in emulator.environment.items() if name != "AWS_ENDPOINT_URL"}
    try:
        with emulator.serving():
            aws = boto(emulator.url)
            aws("s3").create_bucket(Bucket=BUCKET)
            aws("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
            iam = aws("iam")
            with suppress(iam.exceptions.EntityAlreadyExistsException):  # by another module: moto is one for a process
                iam.create_role(RoleName=ROLE_NAME, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17"}))
            yield emulator
    finally:
        os.environ.clear()
        os.environ |= before


@contextmanager
def logging_to(url: str, group: str, stream: str) -> Iterator[None]:
    """Have a log stream for the time of the block: moto is one for a process, and so are its log groups."""
    logs = boto(url)("logs")
    logs.create_log_group(logGroupName=group)
    try:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        yield
    finally:
        logs.delete_log_group(logGroupName=group)


def boto(url: str) -> Any:
    """Return what makes boto3's clients of an endpoint, as somebody else's tools have them."""
    import boto3
    from botocore.config import Config

    def client(service: str) -> Any:
        style = Config(s3={"addressing_style": "path"})
        return boto3.session.Session().client(service, endpoint_url=url, region_name="us-east-1", config=style)

    return client


Code = tuple["Artifact", "str | None"]
"""an artifact, and its entry"""
Program = Callable[[ArtifactStore, "Runtimes", str], Code]


def sql(store: ArtifactStore, runtimes: Runtimes, variant: str) -> Code:
    """A script that counts by key."""
    flink, java = runtimes.flink(VERSION), runtimes.java(VERSION)
    runner = compile_program("SqlRunner", flink=flink, java=java, cache=runtimes.cache)
    text = (APPLICATIONS / "counting.sql").read_text("utf-8").format(variant=variant, source="numbers")
    return package_sql(script_of(text), connectors=(), runner=runner, store=store), None


def python(store: ArtifactStore, runtimes: Runtimes, variant: str) -> Code:
    """A PyFlink program as people write them for the service: it reads its properties where only that has them."""
    return package_python("main.py", base=PYTHON, store=store), "main.py"


def jar(store: ArtifactStore, runtimes: Runtimes, variant: str) -> Code:
    """A Java program that counts by key."""
    return store.put_file(jar_of(SOURCE, runtimes, VERSION), ArtifactKind.JAR), None


@dataclass
class ManagedRig:
    """A managed target under test."""

    url: str
    folder: Path
    runtimes: Runtimes
    application: str = "served@test"
    program: Program = jar
    settings: dict[str, Any] = field(default_factory=dict)
    patience_s: float = PATIENCE_S

    def __post_init__(self) -> None:
        self.secrets = EnvironmentSecrets()
        self.artifacts = ArtifactStore(self.folder / ".scurry" / "artifacts")
        self.reporter = Listening()
        self.target = self.connect()

    def connect(self) -> ManagedTarget:
        """Return a target as a later process would have it: nothing remembered."""
        services = TargetServices(
            root=self.folder,
            directory=self.folder / ".scurry",
            secrets=self.secrets,
            artifacts=self.artifacts,
            clock=SystemTime(),
            reporter=self.reporter,
            runtimes=self.runtimes,
        )
        given = {"endpoint": self.url, "region": "us-east-1", "role": ROLE, "bucket": BUCKET}
        quick = {"poll": "50ms", "metrics_period": "1s", "kpu_quota": 8}
        return connect("msf", {**given, **quick, **self.settings}, services)

    def end(self) -> None:
        """Leave no job of this rig behind, whatever happened."""
        service = boto(self.url)("kinesisanalyticsv2")
        until(lambda: self._is_at_rest(service), f"{self.name} at rest", patience_s=PATIENCE_S)

    def _is_at_rest(self, service: Any) -> bool:
        found = {each["ApplicationName"]: each for each in service.list_applications()["ApplicationSummaries"]}
        status = found[self.name]["ApplicationStatus"] if self.name in found else "READY"
        if status in {"RUNNING", "STARTING", "UPDATING"}:
            service.stop_application(ApplicationName=self.name, Force=True)
        return bool(status == "READY")

    @property
    def name(self) -> str:
        """The application's name on the service."""
        return self.application.replace("@", "-")

    def wish(self, *, variant: int = 0, parallelism: int = 1) -> Desired:
        return self.job(parallelism=parallelism, variant=str(variant))

    def broken(self) -> Desired:
        return self.job(main="fails")

    def job(self, *, parallelism: int = 1, upgrade: UpgradePolicy | None = None, **properties: str) -> Desired:
        """Return a wish for the program, with properties of its own."""
        artifact, entry = self.program(self.artifacts, self.runtimes, properties.get("variant", "0"))
        counts = str(self.folder / "counts.txt")
        return Desired(
            application=self.application,
            target="msf",
            flink_version=VERSION,
            artifact=artifact,
            entry=entry,
            parallelism=parallelism,
            config={"execution.checkpointing.interval": "300ms"},
            properties={"job": {"kind": "counting", **properties}, "Job": {"counts": counts}},
            upgrade=upgrade or UpgradePolicy(),
        )
