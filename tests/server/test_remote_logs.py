"""Logs through a server: the same as on the spot, followed until somebody goes, and never too much of them."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from scurry.model.journal import EVERYTHING
from scurry.model.report import LogLines
from scurry.server.http import reading_logs
from scurry.server.http.reading_logs import fitting
from scurry.server.service import MOST_FOLLOWERS
from tests.cli.desk import check_document
from tests.server.office import TOKEN, Office
from tests.server.site import PROJECT, Site, until

LOCAL = PROJECT.replace("mem: {kind: memory}", "mem: {kind: local}")


class LogDesk(Office):
    """Another desk than that of a project on this machine's Flink, which does not run: what it logged is there."""

    @property
    def log(self) -> Path:
        return self.site.folder / ".scurry/local/2.3.0/log/jobmanager.log"

    def add(self, *lines: str) -> None:
        with self.log.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[LogDesk]:
    (tmp_path / "site").mkdir()
    site = Site(tmp_path / "site")
    site.apply()
    site.open().journal.freeze(EVERYTHING, reason="its Flink is not to be started here")
    site.close()
    (site.folder / "scurry.yaml").write_text(LOCAL)
    with site.server(environment={"SCURRY_TOKEN": TOKEN}) as server:
        desk = LogDesk(tmp_path / "office", site, server)
        desk.log.parent.mkdir(parents=True)
        desk.add(*(f"line {number}" for number in range(100)))
        (desk.log.parent / "taskmanager.log").write_text("at work\n")
        yield desk
    site.end()


class Following:
    """`scurry logs shop --follow`, and what it has written so far."""

    def __init__(self, desk: LogDesk) -> None:
        self.process = desk.spawn("logs", "shop", "--follow", "--tail", "2")
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as stream:
            self.lines.extend(line.rstrip() for line in iter(stream.readline, ""))

    def await_line(self, line: str) -> None:
        until(lambda: line in self.lines or self.process.poll() is not None, f"{line!r} is shown")
        assert line in self.lines, self.process.stderr and self.process.stderr.read()

    def end(self) -> tuple[int, str]:
        code = self.process.wait(30)
        assert self.process.stderr
        with self.process.stderr as stream:
            told = stream.read()
        self._reader.join(5)
        return code, told


def test_logs_are_the_same_as_on_the_spot(desk: LogDesk) -> None:
    for arguments in (("logs", "shop"), ("logs", "shop", "--tail", "3"), ("logs", "shop", "--tail", "0", "--json")):
        there, here = desk.quick(*arguments), desk.on_the_spot(*arguments)
        assert (there.returncode, there.stdout) == (here.returncode, here.stdout), there.stderr
    document = desk.done("logs", "shop", "--tail", "2")
    check_document("logs", document)
    assert document["logs"][0] == {"name": "jobmanager.log", "lines": ["line 98", "line 99"]}


def test_what_has_no_logs_says_so_as_on_the_spot(office: Office) -> None:
    office.site.apply()
    for name in ("shop", "nobody"):
        there, here = office.quick("logs", name), office.on_the_spot("logs", name)
        assert (there.returncode, there.stderr) == (here.returncode, here.stderr) == (1, there.stderr)
    assert office.refused("logs", "shop", token="guessed") == "unauthorized"
    assert office.quick("logs", "shop", "--tail", "30000").returncode == 1


def test_logs_are_followed_until_the_reader_has_enough(desk: LogDesk) -> None:
    following = Following(desk)
    following.await_line("line 99")
    assert "line 97" not in following.lines
    desk.add("one more")
    following.await_line("one more")
    with (desk.log.parent / "taskmanager.log").open("a") as other:
        other.write("still at work\n")
    following.await_line("still at work")
    following.process.send_signal(signal.SIGINT)
    assert following.end()[0] == 130
    assert following.lines.count("==> jobmanager.log <==") == 2
    assert desk.server.process.poll() is None


def test_a_server_that_stops_ends_what_follows_its_logs(desk: LogDesk) -> None:
    following = Following(desk)
    following.await_line("line 99")
    assert desk.server.end() == 0
    code, told = following.end()
    assert code == 1
    assert "the server was stopped" in told


def test_a_server_that_dies_is_told_to_what_follows_its_logs(desk: LogDesk) -> None:
    following = Following(desk)
    following.await_line("line 99")
    desk.server.end(signal.SIGKILL)
    code, told = following.end()
    assert code == 1
    assert "broke while logs were followed" in told
    assert "run the same command again" in told


def test_who_goes_away_makes_room_for_the_next_and_others_are_answered_meanwhile(desk: LogDesk) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    pool = urllib3.PoolManager(retries=False, headers=headers, timeout=20, maxsize=2 * MOST_FOLLOWERS)
    url = f"{desk.url}/api/v1/applications/shop/logs?follow=true&lines=1"
    followers = [pool.request("GET", url, preload_content=False) for _ in range(MOST_FOLLOWERS)]
    assert {follower.status for follower in followers} == {200}
    assert json.loads(followers[0].readline())["logs"][0]["lines"] == ["line 99"]
    refused = pool.request("GET", url)
    assert (refused.status, json.loads(refused.data)["error"]["code"]) == (503, "busy")
    assert "retry-after" in refused.headers
    assert pool.request("GET", f"{desk.url}/api/v1/applications/shop").status == 200
    followers.pop().close()

    def is_room() -> bool:
        answer = pool.request("GET", url, preload_content=False)
        if answer.status == 200:
            followers.append(answer)
        else:
            answer.drain_conn()  # it is used again: a server keeps a hundred connections at most
        return answer.status == 200

    until(is_room, "its place is given to another")
    for follower in followers:
        follower.close()
    pool.clear()


def test_what_is_too_much_is_left_out_at_its_beginning_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_logs, "MOST_BYTES", 40)
    small, large = LogLines(name="small", lines=("a",)), LogLines(name="large", lines=("x" * 15, "y" * 15, "last"))
    assert fitting((small, large)) == (small, LogLines(name="large", lines=("last",), left_out=2))
    endless = LogLines(name="endless", lines=("first", "z" * 1000))
    (cut,) = fitting((endless,))
    assert (len(cut.lines), cut.left_out, set(cut.lines[0])) == (1, 1, {"z"})
    assert len(cut.lines[0]) <= 40
    assert fitting(()) == ()


def test_lines_that_were_left_out_are_told(desk: LogDesk) -> None:
    desk.add(*("x" * 499 for _ in range(10_000)))
    result = desk.quick("logs", "shop", "--tail", "10000")
    assert result.returncode == 0
    kept = 2 * 1024 * 1024 // 500
    assert f"jobmanager.log: {10_000 - kept} lines before these are too much to be sent" in result.stderr
    assert result.stdout.count("x" * 499) == kept
