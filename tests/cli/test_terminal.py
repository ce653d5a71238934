"""On a terminal it asks, twice for what drops state, and shows progress; elsewhere it does neither."""

from __future__ import annotations

import io
import re
import sys

import pytest

from scurry.cli import output
from scurry.cli.progress import LiveReporter, PlainReporter
from scurry.cli.text import facts, grid, paint, plain, width
from tests.cli.desk import Desk


def _phase(desk: Desk) -> str:
    return str(desk.done("status", "--json").document["applications"][0]["phase"])


def test_apply_shows_the_plan_asks_and_does_it(desk: Desk) -> None:
    result = desk.on_terminal("apply", "shop.yaml", answers=("y",))
    assert result.code == 0
    asked = result.out.index("Do it? [y/N]")
    assert result.out.index("does not exist yet") < asked < result.out.index("done, revision 1")
    assert "upload shop.jar" in result.out
    assert _phase(desk) == "running"


@pytest.mark.parametrize("answer", ["n", "", "nope"])
def test_anything_but_yes_is_no(desk: Desk, answer: str) -> None:
    result = desk.on_terminal("apply", "shop.yaml", answers=(answer,))
    assert result.code == 1
    assert "declined; nothing was changed" in result.out
    assert desk.done("status", "--json").document["applications"] == []


def test_dropping_state_is_asked_twice_and_says_what_is_dropped(running: Desk) -> None:
    once = running.on_terminal("stop", "shop", "--no-snapshot", answers=("y", "n"))
    assert once.code == 1
    assert once.out.count("[y/N]") == 2
    assert "NO state is left" in once.out.split("[y/N]")[1]
    assert _phase(running) == "running"
    twice = running.on_terminal("stop", "shop", "--no-snapshot", answers=("y", "y"))
    assert twice.code == 0
    assert _phase(running) == "suspended"


@pytest.mark.parametrize("verb", ["restart", "start"])
def test_starting_without_state_is_asked_twice(running: Desk, verb: str) -> None:
    if verb == "start":
        running.done("stop", "shop", "--yes")
    before = _phase(running)
    once = running.on_terminal(verb, "shop", "--from", "none", answers=("y", "n"))
    assert once.code == 1
    assert "It starts with NO state" in once.out.split("[y/N]")[1]
    assert _phase(running) == before
    assert running.on_terminal(verb, "shop", "--from", "none", answers=("y", "y")).code == 0


def test_delete_without_a_snapshot_is_asked_twice(running: Desk) -> None:
    assert running.on_terminal("delete", "shop", "--no-snapshot", answers=("y", "n")).code == 1
    assert _phase(running) == "running"


def test_yes_asks_nothing(running: Desk) -> None:
    result = running.on_terminal("stop", "shop", "--no-snapshot", "--yes")
    assert result.code == 0
    assert "[y/N]" not in result.out


def test_watch_stays_in_place_until_its_time_is_over(running: Desk) -> None:
    result = running.on_terminal("watch", "shop", "--for", "1500ms")
    assert result.code == 0
    assert "running, revision 1" in result.out


class _Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_step_that_is_done_leaves_a_line_and_one_that_failed_another(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "stderr", screen)
    reporter = LiveReporter()
    with reporter.activity("download [Flink]", total=2_000_000) as activity:
        activity.advance(1_000_000)
        activity.describe("from the mirror")
        reporter.note("a [note]")
        reporter.warn("a warning")
        with reporter.activity("unpack", total=3) as inner:
            inner.advance(1)
    with pytest.raises(KeyError), reporter.activity("stop"):
        raise KeyError
    shown = re.sub(r"\033\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    assert re.search(r"✓ download \[Flink\] \d\.\d s", shown)
    assert re.search(r"✓ unpack \d\.\d s", shown)
    assert re.search(r"✗ stop \d\.\d s", shown)
    assert "a [note]" in shown
    assert "warning: a warning" in shown
    assert "\033[?25h" in screen.getvalue(), "the cursor is shown again"


def test_in_a_log_each_activity_is_one_line_and_details_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for verbose in (False, True):
        reporter = PlainReporter(verbose=verbose)
        with reporter.activity("stop", total=10) as activity:
            activity.advance(5)
            activity.describe("1 of 2")
            activity.describe("1 of 2")
        reporter.note("a note")
        reporter.warn("a warning")
        with pytest.raises(KeyError), reporter.activity("start"):
            raise KeyError
        told = re.sub(r"\d\.\d", "N", capsys.readouterr().err).splitlines()
        details = ["  stop: 1 of 2"] if verbose else []
        assert told == [*details, "✓ stop (N s)", "a note", "warning: a warning", "✗ start (N s)"]


def test_a_long_activity_is_told_when_it_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import threading

    begun = threading.Event()
    monkeypatch.setattr("scurry.cli.progress.LONG_S", 0.01)
    monkeypatch.setattr("scurry.cli.progress._begin", lambda _: begun.set())
    with PlainReporter().activity("stop"):
        assert begun.wait(10)


def test_text_that_a_stream_cannot_show_is_replaced_and_never_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    output.write("✓ done → there")
    assert raw.getvalue() == b"? done ? there\n"


def test_colours_are_shown_on_a_terminal_only_and_not_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert output.shown(paint("red", "red"), _Terminal()) == "\033[31mred\033[0m"
    assert output.shown(paint("red", "red"), io.TextIOWrapper(io.BytesIO())) == "red"
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.shown(paint("red", "red"), _Terminal()) == "red"


def test_a_table_is_aligned_whatever_is_in_it() -> None:
    table = plain(grid(("NAME", "STATE", ""), [("a", paint("running", "green"), "x"), ("日本", "no", "y")]))
    assert table.splitlines() == ["NAME   STATE", "a      running   x", "日本   no        y"]
    assert width("日本") == 4


def test_the_last_column_ends_where_the_screen_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", _Terminal())
    monkeypatch.setenv("COLUMNS", "40")
    table = plain(grid(("NAME", "WHY"), [("a", "x" * 100)]))
    assert [width(line) for line in table.splitlines()] == [10, 40]
    assert table.endswith("…")


def test_facts_are_aligned() -> None:
    assert plain(facts({"a": "1", "long": "2"})) == "a     1\nlong  2"
    assert facts({}) == ""
