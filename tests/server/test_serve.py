"""The server as a process: what it puts right, what it leaves, and how it ends."""

from __future__ import annotations

import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from scurry.model.observed import JobState, Phase
from scurry.model.operation import Resume
from tests.server.site import Site, until


def test_a_job_that_somebody_cancelled_runs_again_from_its_newest_state(site: Site) -> None:
    site.apply()
    newest = site.history().snapshots[0]
    with site.server() as server:
        cancelled = site.cancel()
        server.await_event("repaired", "shop")
    (job,) = site.live()
    assert job.id != cancelled
    assert job.restored_from == newest.location
    last = site.history().last
    assert last
    assert isinstance(last.operation, Resume)


def test_a_cluster_that_forgot_everything_gets_its_jobs_back(site: Site) -> None:
    names = [f"shop-{number}" for number in range(6)]
    for name in names:
        site.apply(name)
    with site.server() as server:
        site.forget()
        for name in names:
            server.await_event("repaired", name)
    for name in names:
        (job,) = site.live(name)
        assert job.restored_from == site.history(name).snapshots[0].location


def test_drift_that_is_only_to_be_reported_is_told_once_and_left(site: Site) -> None:
    site.apply(more="drift: report\n")
    with site.server() as server:
        site.cancel()
        told = server.await_event("drift", "shop")
        site.apply("other")  # time goes by, and more is looked at
        site.cancel("other")
        server.await_event("repaired", "other")
        assert len(server.events("drift", "shop")) == 1
    assert "cancelled" in told["message"]
    assert "scurry start shop" in told["todo"]
    assert site.live() == []


def test_what_a_person_stopped_stays_stopped(site: Site) -> None:
    site.apply()
    site.apply("other")
    site.open().stop("shop", confirm=lambda plan: True)
    with site.server() as server:
        site.cancel("other")
        server.await_event("repaired", "other")
    assert site.live() == []
    assert site.status().phase is Phase.SUSPENDED


def test_a_dead_target_is_told_once_and_delays_no_other(site: Site) -> None:
    site.apply()
    site.apply("far", target="other")
    before = site.history("far").position
    path = site.folder / "scurry.yaml"
    path.write_text(path.read_text().replace("other: {kind: memory}", 'other: {kind: rest, url: "http://127.0.0.1:9"}'))
    with site.server() as server:
        server.await_event("target-silent")
        site.cancel()
        server.await_event("repaired", "shop")
        assert len(server.events("target-silent")) == 1
        assert server.events("failed") == []
    assert site.history("far").position == before


def test_targets_that_never_answer_delay_no_other(site: Site) -> None:
    names = [f"hangs-{number}" for number in range(12)]
    path = site.folder / "scurry.yaml"
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        port = silent.getsockname()[1]
        before = path.read_text()
        path.write_text(before + "".join(f"  {name}: {{kind: memory}}\n" for name in names))
        for name in names:
            Site.open_anew(site.folder).apply(site.spec(name), target=name, confirm=lambda plan: True)
        site.apply()
        hanging = "".join(f"  {name}: {{kind: rest, url: 'http://127.0.0.1:{port}'}}\n" for name in names)
        path.write_text(before + hanging)
        with site.server() as server:
            until(lambda: any("13 of 13 targets" in line["message"] for line in server.lines), "it looks after all")
            for _ in range(3):
                started = time.monotonic()
                told = len(server.events("repaired"))
                site.cancel()
                until(lambda told=told: len(server.events("repaired")) > told, "it is repaired")  # type: ignore[misc]
                assert time.monotonic() - started < 10
                site.open().take_snapshot("shop", confirm=lambda plan: True)


def test_a_stranger_beside_the_job_is_told_and_nobody_is_stopped(site: Site) -> None:
    site.apply()
    with site.server() as server:
        (job,) = site.live()
        stranger = "f" * 32

        def add(memory: object) -> None:
            import msgspec

            from scurry.targets.memory import Memory

            assert isinstance(memory, Memory)
            copy = msgspec.structs.replace(memory.jobs[job.id].job, id=stranger)
            memory.jobs[stranger] = msgspec.structs.replace(memory.jobs[job.id], job=copy)

        site.meddle(add)
        told = server.await_event("drift", "shop")
    assert stranger in told["message"]
    assert {job.id, stranger} == {live.id for live in site.live()}
    assert all(live.state is JobState.RUNNING for live in site.live())


def test_the_server_ends_by_sigterm_with_exit_code_0_and_leaves(site: Site) -> None:
    site.apply()
    server = site.start_server()
    until(lambda: any("targets are looked after" in line["message"] for line in server.lines), "it looks after things")
    assert server.end(signal.SIGTERM) == 0
    assert server.lines[-1]["message"] == "stopped"


@pytest.mark.skipif(sys.platform != "linux", reason="signals to a thread of another process are Linux's")
def test_a_signal_that_another_thread_takes_ends_the_server_too(site: Site) -> None:
    """As the kernel gives it when the main thread has something else pending: only that thread is woken."""
    import ctypes

    server = site.start_server()
    server.address()
    pid = server.process.pid
    other = next(int(task.name) for task in Path(f"/proc/{pid}/task").iterdir() if int(task.name) != pid)
    assert ctypes.CDLL(None, use_errno=True).tgkill(pid, other, int(signal.SIGTERM)) == 0
    assert server.process.wait(20) == 0
