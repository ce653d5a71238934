"""What is in the services beside ours outlives the emulator, also one that is killed: each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.emulator.clients import Clients
from tests.flink.local_flink import until

SERVE = """
import sys
from pathlib import Path
from scurry.emulator.endpoint import Emulator, Settings
from scurry.flink.runtimes import Runtimes, default_cache
from scurry.model.reporting import SilentReporter

quiet = SilentReporter()
runtimes = Runtimes(cache=default_cache(), reporter=quiet)
emulator = Emulator(Settings(directory=Path(sys.argv[1])), runtimes, quiet)
with emulator.serving():
    print(emulator.url, flush=True)
    sys.stdin.read()
"""


@contextmanager
def served(state: Path, *, killed: bool = False) -> Iterator[Clients]:
    command = [sys.executable, "-c", SERVE, str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield Clients(process.stdout.readline().strip())
        finally:
            if killed:
                process.kill()
            else:
                process.stdin.close()
                process.wait(timeout=60)


def test_buckets_roles_log_groups_and_secrets_are_there_again(tmp_path: Path) -> None:
    with served(tmp_path / "state") as clients:
        clients.s3.create_bucket(Bucket="code")
        clients.s3.put_bucket_versioning(Bucket="code", VersioningConfiguration={"Status": "Enabled"})
        first = clients.s3.put_object(Bucket="code", Key="a/b.jar", Body=b"first")["VersionId"]
        clients.s3.put_object(Bucket="code", Key="a/b.jar", Body=b"second")
        clients.client("iam").create_role(RoleName="service", AssumeRolePolicyDocument="{}")
        clients.logs.create_log_group(logGroupName="flights")
        clients.client("secretsmanager").create_secret(Name="password", SecretString="s3cret")
    with served(tmp_path / "state", killed=True) as clients:
        assert clients.s3.get_object(Bucket="code", Key="a/b.jar")["Body"].read() == b"second"
        old = clients.s3.get_object(Bucket="code", Key="a/b.jar", VersionId=first)
        assert old["Body"].read() == b"first", "an application may name it"
        assert clients.client("iam").get_role(RoleName="service")["Role"]["RoleName"] == "service"
        assert [each["logGroupName"] for each in clients.logs.describe_log_groups()["logGroups"]] == ["flights"]
        secret = clients.client("secretsmanager").get_secret_value(SecretId="password")
        assert secret["SecretString"] == "s3cret"
        file = tmp_path / "state" / "others" / "s3.pickle"
        before = file.stat().st_mtime_ns
        clients.s3.put_object(Bucket="code", Key="late", Body=b"1")
        until(lambda: file.stat().st_mtime_ns > before, "it is written down without an end")
    with served(tmp_path / "state") as clients:
        assert clients.s3.get_object(Bucket="code", Key="late")["Body"].read() == b"1"


def test_a_file_that_cannot_be_read_is_left_aside(tmp_path: Path) -> None:
    others = tmp_path / "state" / "others"
    others.mkdir(parents=True)
    (others / "s3.pickle").write_bytes(b"cos\nsystem\n(S'touch harm'\ntR.")
    with served(tmp_path / "state") as clients:
        assert clients.s3.list_buckets()["Buckets"] == []
    assert not Path("harm").exists()
