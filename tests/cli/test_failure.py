"""How errors are told: to people with place, excerpt and hint; to programs as one document; bugs as bugs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scurry.cli import failure
from scurry.cli.main import main
from scurry.model.errors import ApplicationLocked, Place, Problem, RejectedByTarget, ScurryError, SpecInvalid
from scurry.workspace import Workspace
from tests.cli.desk import Desk, check_document

TWO_PROBLEMS = """\
error: the key 'paralelism' is not known; did you mean 'parallelism'?
  --> shop.yaml:4:1  (paralelism)
  3 | code: {jar: shop.jar}
  4 | paralelism: 1
    | ^
"""


def _fails(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Workspace, "status", fail)


def test_an_error_in_a_file_shows_the_place_the_line_and_a_caret(desk: Desk) -> None:
    desk.change("parallelism", "paralelism")
    result = desk.run("plan", "shop.yaml")
    assert result.code == 1
    assert result.out == ""
    assert result.err.startswith(TWO_PROBLEMS)


def test_several_problems_are_all_shown_and_counted(desk: Desk) -> None:
    desk.change("parallelism: 1", "paralelism: 1\nflinc: 2")
    result = desk.run("plan", "shop.yaml")
    assert result.err.count("error: ") == 2
    assert result.err.endswith("\n2 errors\n")


def test_the_caret_stands_under_the_column_also_behind_tabs(tmp_path: Path) -> None:
    file = tmp_path / "queries.sql"
    file.write_text("SELECT 1;\n\tSELECT x\ty FROM z;\n")
    lines = list(failure.excerpt(Place(file=str(file), line=2, column=11)))
    assert lines == ["  1 | SELECT 1;", "  2 | \tSELECT x\ty FROM z;", "    | \t        \t^"]


@pytest.mark.parametrize(
    "place",
    [
        Place(file="nowhere.yaml", line=1, column=1),
        Place(file="there.yaml"),
        Place(file="there.yaml", line=99),
        Place(file="."),
        Place(file=".", line=1),
    ],
)
def test_what_cannot_be_shown_is_left_out(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.yaml").write_text("one line\n")
    assert list(failure.excerpt(place)) == []


def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    file = tmp_path / "long.yaml"
    file.write_text("x" * 5000)
    assert max(map(len, failure.excerpt(Place(file=str(file), line=1, column=4000)))) < 200


def test_the_error_document_has_code_message_hint_and_place(desk: Desk) -> None:
    desk.change("parallelism", "paralelism")
    result = desk.run("plan", "shop.yaml", "--json")
    assert result.err == ""
    check_document("error", result.document)
    error = result.document["error"]
    assert error["code"] == "spec-invalid"
    assert (error["file"], error["line"], error["column"], error["key"]) == ("shop.yaml", 4, 1, "paralelism")
    assert len(error["problems"]) == 1


def test_what_an_error_knows_besides_is_in_its_document() -> None:
    locked = failure.document(ApplicationLocked("locked", owner="anna@host pid 1", since="14:02"))
    assert (locked["owner"], locked["since"]) == ("anna@host pid 1", "14:02")
    rejected = failure.document(RejectedByTarget("no", target="mem", cause="java.lang.Exception: no"))
    assert (rejected["target"], rejected["cause"]) == ("mem", "java.lang.Exception: no")


def test_the_whole_cause_is_shown_when_it_is_asked_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _fails(monkeypatch, RejectedByTarget("Flink said no", cause="java.lang.Exception\n\tat a.b.c"))
    assert "a.b.c" not in desk.run("status").err
    assert "java.lang.Exception\n\tat a.b.c" in desk.run("status", "--verbose").err


def test_a_problem_without_a_place_is_told_plainly(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _fails(monkeypatch, SpecInvalid((Problem(message="one"), Problem(message="two", hint="Do:\n  this"))))
    assert desk.run("status").err == "error: one\n\nerror: two\nDo:\n  this\n\n2 errors\n"


@pytest.mark.parametrize(
    "arguments",
    [("nothing",), ("apply",), ("apply", "--josn", "x.yaml"), ("history", "shop", "--limit", "x"), ("watch", "--for")],
    ids=" ".join,
)
def test_a_wrong_command_line_exits_with_2_and_says_where_help_is(desk: Desk, arguments: tuple[str, ...]) -> None:
    result = desk.run(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("error: ")
    assert "--help" in result.err


def test_a_wrong_command_line_is_an_error_document_too(desk: Desk) -> None:
    result = desk.run("plan", "--json")
    assert result.code == 2
    check_document("error", result.document)
    assert result.document["error"]["code"] == "usage"


def test_a_mistyped_command_names_the_nearest(desk: Desk) -> None:
    assert "Did you mean 'status'" in desk.run("statsu").err


def test_no_command_shows_the_help(desk: Desk) -> None:
    result = desk.run()
    assert result.code == 2
    assert "Usage: scurry" in result.out
    assert desk.done("--help").out == result.out


def test_a_bug_is_told_as_a_bug_with_the_way_to_its_traceback(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _fails(monkeypatch, KeyError("surprise"))
    result = desk.run("status")
    assert result.code == 1
    assert result.err.startswith("error: this is a bug in scurry: KeyError: 'surprise'\n")
    assert "SCURRY_TRACEBACK=1" in result.err
    document = desk.run("status", "--json").document
    check_document("error", document)
    assert document["error"]["code"] == "bug"
    monkeypatch.setenv("SCURRY_TRACEBACK", "1")
    with pytest.raises(KeyError):
        main(["status"])


def test_an_error_of_the_system_is_not_taken_for_a_closed_pipe(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _fails(monkeypatch, OSError(28, "No space left on device"))
    result = desk.run("status")
    assert result.code == 1
    assert "No space left on device" in result.err


def test_ctrl_c_says_that_nothing_is_lost_and_exits_with_130(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _fails(monkeypatch, KeyboardInterrupt())
    looking = desk.run("status")
    assert (looking.code, looking.err) == (130, "\ninterrupted\n")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Workspace, "apply", interrupted)
    changing = desk.run("apply", "shop.yaml", "--yes")
    assert changing.code == 130
    assert "in the journal" in changing.err
    assert "  scurry apply FILE" in changing.err


def test_ctrl_c_in_a_real_process_leaves_a_state_from_which_apply_goes_on(running: Desk) -> None:
    running.change("window: 200ms", "window: 60s")
    running.change(
        "flink:", "config: {execution.checkpointing.interval: 1s, memory.behaviour: never-checkpoints}\nflink:"
    )
    process = running.spawn("apply", "shop.yaml", "--yes")
    try:
        _wait_until_submitted(running)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "scurry apply FILE" in err
    assert "Traceback" not in err
    running.change("memory.behaviour: never-checkpoints", "memory.behaviour: fine")
    result = running.done("apply", "shop.yaml", "--yes", "--json")
    assert result.document["applications"][0]["outcome"] == "converged"
    assert running.done("history", "shop", "--json").document["operations"][1]["outcome"] == "interrupted"


def _wait_until_submitted(desk: Desk) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        newest = desk.done("history", "shop", "--json").document["operations"][0]
        steps = newest["steps"]
        if newest["operation"] == "upgrade" and steps and steps[-1]["action"] == "submit" and steps[-1]["finished_at"]:
            return
    raise AssertionError("the upgrade did not come to its submit")


def test_a_reader_that_goes_away_is_no_error_worth_telling(running: Desk) -> None:
    for command in (("history", "shop"), ("status", "--json"), ("schema",)):
        reader, writer = os.pipe()
        os.close(reader)
        process = subprocess.run(
            [sys.executable, "-m", "scurry.cli.main", *command],
            cwd=running.folder,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
        os.close(writer)
        assert process.stderr == ""
        assert process.returncode == 1


def test_an_error_has_no_colours_off_a_terminal_and_with_no_color(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _fails(monkeypatch, ScurryError("no"))
    assert "\033" not in desk.run("status").err
