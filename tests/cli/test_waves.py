"""Applying many in waves: one plan, one question, some at a time, and no further wave after a failure."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scurry.clock import SystemClock
from scurry.journal.sqlite import SqliteJournal
from tests.cli.desk import SPEC, Desk, check_document

NAMES = ("a", "b", "c", "d", "e")
FILES = tuple(f"{name}.yaml" for name in NAMES)
BROKEN = "config: {memory.behaviour: fails-check}\n"
SICK = "config: {memory.behaviour: fails}\n"
ENDLESS = "config: {memory.behaviour: never-checkpoints, execution.checkpointing.interval: 1s}\n"


@pytest.fixture
def many(desk: Desk) -> Desk:
    """Five applications that nobody has applied yet."""
    for name in NAMES:
        desk.write(name)
    return desk


def _append(desk: Desk, name: str, text: str) -> None:
    path = desk.folder / f"{name}.yaml"
    path.write_text(path.read_text() + text)


def _phases(desk: Desk) -> dict[str, str]:
    return {report["name"]: report["phase"] for report in desk.done("status", "--json").document["applications"]}


def _outcomes(document: dict[str, Any]) -> dict[str, str]:
    return {applied["name"]: applied["outcome"] for applied in document["applications"]}


def test_all_are_planned_before_one_question_and_applied(many: Desk) -> None:
    result = many.on_terminal("apply", *FILES, "--wave", "2", answers=("y",))
    assert result.code == 0, result.out
    assert result.out.count("[y/N]") == 1
    question = result.out.index("Do it?")
    assert [result.out.index(f"{name} on mem") < question for name in NAMES] == [True] * 5
    assert "5 applications, in 3 waves of up to 2" in result.out
    assert _phases(many) == dict.fromkeys(NAMES, "running")
    assert "a: start job" in result.out


def test_a_no_begins_nothing(many: Desk) -> None:
    result = many.on_terminal("apply", *FILES, "--wave", "2", answers=("n",))
    assert result.code == 1
    assert not _phases(many)
    assert many.run("apply", *FILES, "--wave", "2").code == 1  # nobody can be asked
    assert not _phases(many)


def test_nothing_begins_when_one_of_them_cannot_be_planned(many: Desk) -> None:
    _append(many, "d", "paralelism: 2\n")
    result = many.run("apply", *FILES, "--wave", "2", "--yes")
    assert result.code == 1
    assert "d.yaml" in result.err
    assert not _phases(many)


def test_nothing_begins_when_one_of_them_is_frozen(many: Desk) -> None:
    many.done("apply", "e.yaml", "--yes")
    many.done("freeze", "e", "--reason", "sale")
    assert many.run("apply", *FILES, "--wave", "2", "--yes").code == 1
    assert list(_phases(many)) == ["e"]


def test_a_failure_in_the_second_wave_lets_its_wave_end_and_no_other_begin(many: Desk) -> None:
    _append(many, "c", BROKEN)
    result = many.run("apply", *FILES, "--wave", "2", "--yes")
    assert result.code == 1
    phases = _phases(many)
    assert {name for name in NAMES if phases.get(name) == "running"} == {"a", "b", "d"}
    assert "e" not in phases
    assert "not begun, because of the failure before: e.yaml" in result.err
    assert "c.yaml:\nerror: the job graph does not build" in result.err


def test_a_rollback_counts_as_a_failure(many: Desk) -> None:
    many.done("apply", *FILES, "--yes")
    for name in NAMES:
        many.change("parallelism: 1", "parallelism: 2", name=name)
    _append(many, "a", SICK)
    result = many.run("apply", *FILES, "--wave", "2", "--yes", "--json")
    assert result.code == 1
    check_document("apply", result.document)
    assert _outcomes(result.document) == {"a": "rolled_back", "b": "converged"}
    assert result.document["not_done"] == ["c.yaml", "d.yaml", "e.yaml"]
    assert _phases(many) == dict.fromkeys(NAMES, "running")


def test_keep_going_begins_all_waves_and_tells_every_error(many: Desk) -> None:
    for name in ("a", "d"):
        _append(many, name, BROKEN)
    result = many.run("apply", *FILES, "--wave", "2", "--keep-going", "--yes", "--json")
    assert result.code == 1
    check_document("apply", result.document)
    assert [error["file"] for error in result.document["errors"]] == ["a.yaml", "d.yaml"]
    assert result.document["failed_file"] == "a.yaml"
    assert result.document["not_done"] == []
    assert _outcomes(result.document) == dict.fromkeys(("b", "c", "e"), "converged")


def test_keep_going_alone_takes_one_after_the_other(many: Desk) -> None:
    _append(many, "a", BROKEN)
    assert many.run("apply", *FILES, "--keep-going", "--yes").code == 1
    assert {name for name, phase in _phases(many).items() if phase == "running"} == {"b", "c", "d", "e"}


def test_what_is_right_already_is_not_asked_about(many: Desk) -> None:
    many.done("apply", *FILES, "--yes")
    result = many.run("apply", *FILES, "--wave", "3", "--json")
    assert (result.code, _outcomes(result.document)) == (0, dict.fromkeys(NAMES, "unchanged"))


def test_two_files_of_one_application_are_refused(many: Desk) -> None:
    (many.folder / "again.yaml").write_text(SPEC.replace("name: shop", "name: a"))
    assert many.run("apply", "a.yaml", "again.yaml", "--wave", "2", "--yes").code == 1
    many.done("apply", "a.yaml", "a.yaml", "--wave", "2", "--yes")


def test_a_wave_is_as_many_at_a_time_and_no_more(many: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from scurry.workspace import Workspace

    at_once, most, lock = 0, 0, threading.Lock()
    everybody = threading.Barrier(2, timeout=30)
    apply = Workspace.apply

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        if arguments[1] != Path("e.yaml"):
            everybody.wait()  # with one at a time nobody would come
        try:
            return apply(*arguments, **options)
        finally:
            with lock:
                at_once -= 1

    monkeypatch.setattr(Workspace, "apply", counted)
    many.done("apply", *FILES, "--wave", "2", "--yes")
    assert most == 2


def test_each_has_its_own_lease(many: Desk) -> None:
    journal = SqliteJournal.open(many.folder / ".scurry/journal.db", clock=SystemClock(), owner="anna@there pid 1")
    journal.acquire("b", duration=timedelta(seconds=120))
    result = many.run("apply", "a.yaml", "b.yaml", "c.yaml", "--wave", "3", "--yes", "--json")
    assert result.document["error"]["code"] == "application-locked"
    assert _outcomes(result.document) == {"a": "converged", "c": "converged"}
    journal.close()


def test_what_somebody_else_changed_since_it_was_shown_is_not_done(many: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from scurry.cli.session import Session

    def agree(session: Session, what: str) -> None:
        session.workspace.apply(Path("a.yaml"), confirm=lambda plan: True)
        session.workspace.stop("a", confirm=lambda plan: True)

    monkeypatch.setattr(Session, "agree", agree)
    result = many.run("apply", "a.yaml", "b.yaml", "--wave", "2", "--yes", "--json")
    assert result.document["error"]["code"] == "plan-outdated"
    assert _phases(many) == {"a": "suspended", "b": "running"}


@pytest.fixture
def slow(many: Desk) -> Iterator[tuple[Desk, subprocess.Popen[str]]]:
    """The first wave is under way: its checkpoints never come, and it is rolled back or given up after two seconds."""
    for name in NAMES:
        many.change("window: 200ms", "window: 2s", name=name)
        _append(many, name, ENDLESS)
    process = many.spawn("apply", *FILES, "--wave", "2", "--yes", "--json", "--verbose")
    deadline = time.monotonic() + 60
    while len(_phases(many)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield many, process
    process.kill()
    process.communicate()


def test_ctrl_c_begins_nothing_more_and_waits_for_what_is_under_way(
    slow: tuple[Desk, subprocess.Popen[str]],
) -> None:
    desk, process = slow
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "nothing more is begun; waiting for what is under way" in err
    documents = re.split(r"(?<=^})\n(?={)", out.strip(), flags=re.MULTILINE)
    assert set(_outcomes(json.loads(documents[0]))) == {"a", "b"}
    assert json.loads(documents[0])["not_done"] == ["c.yaml", "d.yaml", "e.yaml"]
    operations = desk.done("history", "a", "--json").document["operations"]
    assert operations[0]["finished_at"]


def test_a_second_ctrl_c_leaves_it_as_it_is_and_the_next_apply_goes_on(
    slow: tuple[Desk, subprocess.Popen[str]],
) -> None:
    desk, process = slow
    assert process.stderr
    process.send_signal(signal.SIGINT)
    while "press Ctrl-C again" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    for name in NAMES:
        path = desk.folder / f"{name}.yaml"
        path.write_text(path.read_text().replace(ENDLESS, ""))
    desk.done("apply", *FILES, "--wave", "5", "--yes")
    assert _phases(desk) == dict.fromkeys(NAMES, "running")


def test_a_ctrl_c_in_the_moment_of_a_result_loses_none(many: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes while the main thread takes the first result."""
    from scurry import waves

    interrupted = False

    class Interrupting(list[waves.Ended]):
        def __getitem__(self, index: Any) -> Any:
            nonlocal interrupted
            if not interrupted:
                interrupted = True
                raise KeyboardInterrupt
            return super().__getitem__(index)

    awaited = waves.Waves._await
    shared: dict[int, Interrupting] = {}

    def wait(self: waves.Waves, ended: list[waves.Ended], number: int) -> waves.Ended:
        while len(ended) <= number:
            time.sleep(0.01)
        return awaited(self, shared.setdefault(id(ended), Interrupting(ended)), number)

    monkeypatch.setattr(waves.Waves, "_await", wait)
    result = many.run("apply", *FILES, "--wave", "1", "--yes")
    assert (result.code, interrupted) == (130, True)
    assert list(_phases(many)) == ["a"]
    assert "✓ a: done" in result.out
    assert "not begun, because it was interrupted: b.yaml" in result.err


def test_several_at_once_on_a_terminal_are_told_apart(many: Desk) -> None:
    result = many.on_terminal("apply", *FILES, "--wave", "5", "--yes")
    assert result.code == 0
    for name in NAMES:
        assert re.search(rf"✓.* {name}: wait until it is healthy", result.out)
