"""The managed target's calls: what fails, what is tried again, and what is told of it. Without the service."""

from __future__ import annotations

import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.exceptions as aws
import pytest
from moto import mock_aws

from scurry.model.errors import MissingExtra, PlanOutdated, ScurryError, TargetUnavailable, TargetUnsuitable
from scurry.model.reporting import SilentActivity
from scurry.targets.managed import code, connect
from scurry.targets.managed.faults import Answered, calling
from scurry.targets.managed.waiting import Waiting
from tests.targets.rest_rig import SystemTime

BEGUN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def answered(word: str, message: str = "no", status: int = 400) -> aws.ClientError:
    response: Any = {"Error": {"Code": word, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return aws.ClientError(response, "StartApplication")


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (answered("ThrottlingException"), TargetUnavailable, "ThrottlingException"),
        (answered("Whatever", status=503), TargetUnavailable, "Whatever"),
        (answered("ExpiredTokenException"), TargetUnavailable, "not valid"),
        (answered("AccessDeniedException"), TargetUnsuitable, "not allowed"),
        (answered("LimitExceededException"), TargetUnsuitable, "quota"),
        (answered("ConcurrentModificationException"), PlanOutdated, "somebody else"),
        (answered("ResourceInUseException"), Answered, "no"),
        (aws.NoCredentialsError(), TargetUnsuitable, "credentials are missing"),
        (aws.EndpointConnectionError(endpoint_url="http://x"), TargetUnavailable, "does not answer"),
        (aws.ReadTimeoutError(endpoint_url="http://x"), TargetUnavailable, "does not answer"),
        (aws.UnauthorizedSSOTokenError(), TargetUnavailable, "cannot be renewed"),
        (aws.ProfileNotFound(profile="p"), TargetUnsuitable, "p"),
    ],
)
def test_each_failure_of_a_call_says_what_can_be_done(error: Exception, kind: type[ScurryError], told: str) -> None:
    with pytest.raises(kind, match=told) as caught, calling("msf", "kinesisanalyticsv2 start_application"):
        raise error
    assert caught.value.message


def test_code_that_cannot_be_read_is_told_with_whose_right_is_missing() -> None:
    text = "Please check the role provided or validity of S3 location you provided. We are unable to get the file"
    with pytest.raises(Answered) as caught, calling("msf", "x"):
        raise answered("InvalidArgumentException", text)
    assert "s3:GetObject" in (caught.value.hint or "")


class Hours(SystemTime):
    """A clock on which waiting takes no time."""

    slept = 0.0

    def now(self) -> datetime:
        return BEGUN + timedelta(seconds=self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


def waited(*answers: object) -> tuple[tuple[str, str], Hours]:
    """Wait for an operation; each question gets the next answer, and the last one for ever."""
    left, clock = list(answers), Hours()

    def outcome(name: str, id: str) -> object:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            with calling("msf", "kinesisanalyticsv2 describe_application_operation"):
                raise answer
        return answer

    service: Any = SimpleNamespace(outcome=outcome)
    waiting = Waiting(service=service, clock=clock, target="msf", poll=timedelta(seconds=10))
    return waiting.operation("orders", "1", activity=SilentActivity(), what="the start"), clock


@pytest.mark.parametrize(
    "trouble", [answered("ThrottlingException"), answered("ExpiredTokenException"), answered("Whatever", status=503)]
)
def test_a_wait_outlives_a_storm_of_throttling_and_credentials_that_are_renewed(trouble: Exception) -> None:
    told, clock = waited(trouble, ("IN_PROGRESS", ""), *[trouble] * 5, ("SUCCESSFUL", ""))
    assert told == ("SUCCESSFUL", "")
    assert 60 < clock.slept < 61, "ten seconds after each, and a moment while it is in progress"


def test_a_wait_ends_when_nobody_answers_for_long() -> None:
    with pytest.raises(TargetUnavailable, match="ThrottlingException"):
        waited(answered("ThrottlingException"))
    with pytest.raises(TargetUnavailable, match="not allowed"):  # that was not known, and no waiting helps
        waited(answered("AccessDeniedException"), ("SUCCESSFUL", ""))


def test_what_s3_answers_to_an_upload_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the bucket is deleted after it was looked into."""
    monkeypatch.setattr(code.Store, "find", lambda store, key: None)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    jar = tmp_path / "job.jar"
    jar.write_bytes(b"jar")
    with mock_aws():
        store = code.Store(connected(tmp_path).aws, "no-such-bucket-of-ours")
        with pytest.raises(Answered) as caught:
            store.upload(jar, "scurry/job.jar", SilentActivity())
    assert caught.value.word == "NoSuchBucket"


def connected(folder: Path, **settings: Any) -> Any:
    rig: Any = SimpleNamespace(
        root=folder, directory=folder, secrets=None, artifacts=None, clock=SystemTime(), reporter=None, runtimes=None
    )
    return connect("msf", {"region": "us-east-1", **settings}, rig)


def test_an_endpoint_that_is_down_is_an_observation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scurry.targets.managed.aws._ATTEMPTS", 1)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    target = connected(tmp_path, endpoint=f"http://127.0.0.1:{port}")
    seen = target.observe("orders", ())
    assert (seen.reachable, seen.unsuitable) == (False, False)
    assert "does not answer" in seen.unreachable_because
    with pytest.raises(TargetUnavailable):
        target.survey()


def test_without_boto3_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(MissingExtra, match="'managed'"):
        connected(tmp_path).survey()


def test_only_aws_has_a_console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert connected(tmp_path).aws.is_amazons
    assert connected(tmp_path, region="cn-north-1").aws.is_amazons
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert not connected(tmp_path).aws.is_amazons
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert not connected(tmp_path, endpoint="http://127.0.0.1:4566").aws.is_amazons
