"""`scurry emulate msf` as a shell has it: a command inside, what a shell needs, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import urllib3

from tests.cli.desk import Desk
from tests.emulator.clients import Clients

INSIDE = """
import boto3, os
client = boto3.client("kinesisanalyticsv2")
role = "arn:aws:iam::123456789012:role/x"
client.create_application(ApplicationName="inside", RuntimeEnvironment="FLINK-1_20", ServiceExecutionRole=role)
print([each["ApplicationName"] for each in client.list_applications()["ApplicationSummaries"]])
raise SystemExit(7)
"""


def test_a_command_runs_inside_and_its_exit_code_is_ours(desk: Desk) -> None:
    state = ("--state", "kept")
    first = desk.process("emulate", "msf", *state, "--", sys.executable, "-c", INSIDE)
    assert (first.code, first.out) == (7, "['inside']\n"), first.err
    again = INSIDE.replace("client.create_application(", "dict(")
    assert desk.process("emulate", "msf", *state, "--", sys.executable, "-c", again).out == "['inside']\n"
    nothing = desk.process("emulate", "msf", "--ephemeral", "--", sys.executable, "-c", again)
    assert nothing.out == "[]\n"
    assert not (desk.folder / ".scurry" / "emulator").exists()


def test_a_shell_is_told_what_it_needs(desk: Desk) -> None:
    told = desk.done("emulate", "msf", "--env", "--port", "4999").out
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:4999\n" in told
    assert "export AWS_ACCESS_KEY_ID=" in told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(desk: Desk, number: signal.Signals) -> None:
    with desk.spawn("emulate", "msf", "--port", "0") as process:
        url = _url(process)
        assert Clients(url).create("here")["ApplicationStatus"] == "READY"
        process.send_signal(number)
        assert process.wait(30) == 0
    with pytest.raises(urllib3.exceptions.HTTPError):
        urllib3.request("GET", url, retries=False, timeout=2)
    assert list((desk.folder / ".scurry" / "emulator" / "applications").glob("app-here/application.json"))


def _url(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().split()[-1]


def test_a_command_that_is_not_there_is_told(desk: Desk) -> None:
    result = desk.process("emulate", "msf", "--ephemeral", "--", "no-such-command")
    assert result.code == 2
    assert "'no-such-command' cannot be run: No such file or directory" in result.err
    rule = desk.run("emulate", "msf", "--autoscale", "often")
    assert rule.code == 2
    assert "--autoscale is two numbers of seconds, as 60,600; not 'often'" in rule.err
    both = desk.run("emulate", "msf", "--ephemeral", "--state", "x")
    assert "--state keeps what --ephemeral does not" in both.err


def test_a_port_that_is_taken_is_told(desk: Desk, tmp_path: Path) -> None:
    with desk.spawn("emulate", "msf", "--port", "0", "--state", str(tmp_path)) as process:
        port = _url(process).rpartition(":")[2]
        taken = desk.process("emulate", "msf", "--port", port, "--ephemeral")
        process.terminate()
        assert process.wait(30) == 0
    assert taken.code == 1
    assert f"port {port} is taken" in taken.err


def test_one_state_is_served_by_one_emulator_at_a_time_and_a_killed_one_lets_go(desk: Desk) -> None:
    with desk.spawn("emulate", "msf", "--port", "0", "--state", "shared") as process:
        Clients(_url(process)).create("here")
        second = desk.process("emulate", "msf", "--port", "0", "--state", "shared")
        assert second.code == 1
        assert "another emulator serves the state" in second.err
        process.kill()
    again = INSIDE.replace("client.create_application(", "dict(")
    assert desk.process("emulate", "msf", "--state", "shared", "--", sys.executable, "-c", again).out == "['here']\n"
