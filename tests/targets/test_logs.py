"""Logs are read from their ends on: nothing twice, nothing halved, and nothing fails when one is gone."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import pytest

from scurry.flink.rest_answers import LogFile, TaskManager
from scurry.targets.logs import FileLog, RestLog, file_logs, rest_logs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scurry.flink.rest import FlinkRest
    from scurry.model.ports import Log


class _Rest:
    """A cluster with one log for each process, which it sends in pieces of seven bytes."""

    def __init__(self) -> None:
        self.content = b""

    @contextmanager
    def log(self, name: str, taskmanager: str | None = None) -> Iterator[Iterator[bytes]]:
        yield (self.content[start : start + 7] for start in range(0, len(self.content), 7))

    def taskmanagers(self) -> tuple[TaskManager, ...]:
        return (TaskManager(id="tm-1"),)

    def log_files(self, taskmanager: str | None = None) -> tuple[LogFile, ...]:
        return (LogFile(name="flink.log", size=9), LogFile(name="flink.out"), LogFile(name="gc.txt", size=4))


class _Written:
    """A log of either kind, and what is in it."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._path, self._rest = folder / "a.log", _Rest()
        self.log: Log = FileLog(name="a.log", path=self._path)
        if kind == "rest":
            self.log = RestLog(name="a", rest=cast("FlinkRest", self._rest), file="a.log", taskmanager=None)

    def write(self, text: str) -> None:
        self._rest.content = text.encode()
        self._path.write_text(text)


@pytest.fixture(params=["file", "rest"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> _Written:
    return _Written(request.param, tmp_path)


def test_the_end_is_shown_and_what_is_added_goes_on_from_there(written: _Written) -> None:
    written.write("one\ntwo\nthree\n")
    assert written.log.tail(2) == ("two", "three")
    assert written.log.more() == ()
    written.write("one\ntwo\nthree\nfour\nfive\n")
    assert written.log.more() == ("four", "five")
    assert written.log.more() == ()


def test_a_line_that_is_being_written_is_told_when_it_is_whole(written: _Written) -> None:
    written.write("one\ntw")
    assert written.log.tail(5) == ("one",)
    written.write("one\ntwo\n")
    assert written.log.more() == ("two",)


def test_no_lines_are_asked_for_and_the_rest_still_follows(written: _Written) -> None:
    written.write("one\n")
    assert written.log.tail(0) == ()
    written.write("one\ntwo\n")
    assert written.log.more() == ("two",)


def test_a_log_that_was_begun_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    written = _Written("file", tmp_path)
    written.write("a long first line\n")
    written.log.tail(1)
    written.write("new\n")
    assert written.log.more() == ("new",)


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    log = FileLog(name="a", path=tmp_path / "nowhere.log")
    assert log.tail(10) == ()
    assert log.more() == ()


def test_of_a_large_log_only_the_end_is_read_and_no_line_is_halved(tmp_path: Path) -> None:
    path = tmp_path / "large.log"
    path.write_text("".join(f"line {number}\n" for number in range(100_000)))
    log = FileLog(name="large", path=path)
    assert log.tail(2) == ("line 99998", "line 99999")
    assert all(line.startswith("line ") for line in log.tail(1_000_000))


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"caf\xe9\n")
    assert FileLog(name="a", path=path).tail(1) == ("caf\ufffd",)


def test_of_a_folder_there_are_the_logs_and_what_was_printed(tmp_path: Path) -> None:
    for name, text in (("b.log", ""), ("a.log", "x\n"), ("a.out", ""), ("b.out", "printed\n"), ("c.txt", "x")):
        (tmp_path / name).write_text(text)
    assert [log.name for log in file_logs(tmp_path)] == ["a.log", "b.log", "b.out"]
    assert file_logs(tmp_path / "nowhere") == ()


def test_of_a_cluster_there_are_those_of_every_process_that_hold_anything() -> None:
    names = [log.name for log in rest_logs(cast("FlinkRest", _Rest()))]
    assert names == ["jobmanager/flink.log", "tm-1/flink.log"]
