"""Processes that outlive us: known again by pid and start, ended for certain, never taken for another."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scurry.flink.process import ProcessId, end, is_alive, listener, marked, send, spawn, start_of, wait_for_end

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)",
]


def start(tmp_path: Path, command: list[str] = SLEEP, **variables: str) -> ProcessId:
    output = tmp_path / "out"
    return spawn(command, environment={**os.environ, **variables}, directory=tmp_path, output=output).id


def wait_for(text: str, path: Path) -> None:
    deadline = time.monotonic() + 20
    while text not in path.read_text():
        assert time.monotonic() < deadline, f"{text!r} did not appear in {path}"
        time.sleep(0.01)


def test_a_process_is_known_by_pid_and_start_together(tmp_path: Path) -> None:
    process = start(tmp_path)
    try:
        assert is_alive(process)
        assert not is_alive(ProcessId(pid=process.pid, start=process.start + "0"))
    finally:
        end([process], patience_s=5)
    assert not is_alive(process)


def test_a_foreign_process_with_a_recycled_pid_gets_no_signal(tmp_path: Path) -> None:
    foreign = start(tmp_path)
    ours = ProcessId(pid=foreign.pid, start="a-boot-id:12345")
    try:
        send(ours, signal.SIGKILL)
        assert end([ours], patience_s=1) == ()
        assert is_alive(foreign)
    finally:
        end([foreign], patience_s=5)


def test_a_process_that_ignores_sigterm_is_killed_and_named(tmp_path: Path) -> None:
    process = start(tmp_path, STUBBORN)
    wait_for("ready", tmp_path / "out")
    assert end([process], patience_s=0.2) == (process,)
    assert not is_alive(process)


def test_a_process_outlives_the_one_that_started_it(tmp_path: Path) -> None:
    program = f"""
import os, sys
from pathlib import Path
from scurry.flink.process import spawn
here = Path({str(tmp_path)!r})
id = spawn({SLEEP!r}, environment=os.environ, directory=here, output=here / "out").id
print(id.pid, id.start, flush=True)
os.kill(os.getpid(), 9)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False).stdout.split()
    process = ProcessId(pid=int(told[0]), start=told[1])
    try:
        assert is_alive(process)
        assert os.getsid(process.pid) == process.pid, "it is in the terminal's session, and dies with that"
    finally:
        end([process], patience_s=5)


def test_a_process_that_ended_leaves_no_zombie(tmp_path: Path) -> None:
    process = start(tmp_path, [sys.executable, "-c", "pass"])
    assert wait_for_end([process], timeout_s=20) == ()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{process.pid}").exists():
        assert time.monotonic() < deadline, "nobody reaped it"
        time.sleep(0.01)
    assert start_of(process.pid) is None


def test_the_exit_code_of_a_started_process_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit(3)"]
    spawned = spawn(command, environment=os.environ, directory=tmp_path, output=tmp_path / "out")
    wait_for_end([spawned.id], timeout_s=20)
    deadline = time.monotonic() + 20
    while spawned.returncode() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert spawned.returncode() == 3


def test_what_a_marked_process_started_is_found_even_without_its_parent(tmp_path: Path) -> None:
    program = f"import subprocess; print(subprocess.Popen({SLEEP!r}).pid, flush=True)"
    leader = start(tmp_path, [sys.executable, "-c", program], SCURRY_TEST_MARK="mine")
    wait_for_end([leader], timeout_s=20)
    child = int((tmp_path / "out").read_text())
    found = [process for process in marked("SCURRY_TEST_MARK") if process.mark == "mine"]
    try:
        assert [process.id.pid for process in found] == [child]
        assert found[0].session == leader.pid
        assert list(found[0].command) == SLEEP
    finally:
        end((process.id for process in found), patience_s=5)


def test_who_listens_on_a_port_is_told() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        told = listener(server.getsockname()[1])
    assert told is not None
    assert f"(pid {os.getpid()})" in told


def test_a_command_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        start(tmp_path, [str(tmp_path / "no-such-java")])
