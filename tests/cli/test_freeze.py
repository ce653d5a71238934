"""Freezing: nothing is changed while it lasts, everybody is told by whom and why, and what is under way goes on."""

from __future__ import annotations

import os
import time

import pytest

from tests.cli.desk import Desk, check_document

CHANGING = (
    ("apply", "shop.yaml"),
    ("adopt", "shop.yaml", "--job", "latest"),
    ("rollback", "shop"),
    ("stop", "shop"),
    ("start", "shop"),
    ("restart", "shop"),
    ("scale", "shop", "3"),
    ("delete", "shop"),
    ("snapshot", "create", "shop"),
    ("snapshot", "drop", "shop", "savepoint-1"),
)
SCOPES = (("shop",), ("--target", "mem"), ("--all",))


def _position(desk: Desk) -> object:
    return desk.done("plan", "shop.yaml", "--json").document["plans"][0]["position"]


@pytest.mark.parametrize("command", CHANGING, ids=" ".join)
@pytest.mark.parametrize("scope", SCOPES, ids=" ".join)
def test_nothing_that_is_frozen_is_changed(running: Desk, command: tuple[str, ...], scope: tuple[str, ...]) -> None:
    running.done("freeze", *scope, "--reason", "sale until Monday")
    before = _position(running)
    result = running.run(*command, "--yes", "--json")
    assert result.code == 1
    check_document("error", result.document)
    error = result.document["error"]
    assert error["code"] == "frozen"
    assert "sale until Monday" in error["message"]
    assert f"pid {os.getpid()}" in error["owner"]
    assert error["since"].endswith(" UTC")
    assert f"scurry thaw {' '.join(scope)}" in error["hint"]
    assert _position(running) == before

    running.done("thaw", *scope)
    running.done("restart", "shop", "--yes")


def test_looking_is_allowed_and_status_tells_the_freeze(running: Desk) -> None:
    running.done("freeze", "--target", "mem", "--reason", "migration")
    running.done("plan", "shop.yaml")
    running.done("history", "shop")
    running.done("validate", "shop.yaml")
    told = running.done("status").out
    assert "shop: target 'mem' was frozen by " in told
    assert ": migration" in told
    assert "frozen" in running.done("watch", "shop", "--for", "10ms").out
    document = running.done("status", "--json").document
    check_document("status", document)
    (freeze,) = document["applications"][0]["freezes"]
    assert (freeze["scope"], freeze["reason"]) == ("target:mem", "migration")


def test_every_freeze_has_to_be_thawed(running: Desk) -> None:
    running.done("freeze", "shop", "--all", "--reason", "sale")
    result = running.run("stop", "shop", "--yes")
    assert "scurry thaw --all\n  scurry thaw shop" in result.err
    running.done("thaw", "--all")
    assert running.run("stop", "shop", "--yes").code == 1
    assert running.done("thaw", "shop").out == "Nothing is frozen.\n"
    running.done("stop", "shop", "--yes")


def test_other_applications_are_not_frozen(running: Desk) -> None:
    running.write("other")
    running.done("freeze", "shop", "--reason", "sale")
    running.done("apply", "other.yaml", "--yes")


def test_what_does_not_exist_yet_is_frozen_with_its_target(desk: Desk) -> None:
    desk.done("freeze", "--target", "mem", "--reason", "sale")
    assert desk.run("apply", "shop.yaml", "--yes").code == 1
    assert desk.done("status").out.startswith("No application is known here.")


def test_a_slip_of_a_name_is_told_since_it_would_freeze_nothing(running: Desk) -> None:
    for scope in (("shoop",), ("--target", "memm")):
        assert running.run("freeze", *scope, "--reason", "sale").code == 1
    assert running.done("freeze").out == "Nothing is frozen.\n"


def test_a_freeze_needs_a_reason_and_a_thaw_a_name(running: Desk) -> None:
    assert running.run("freeze", "shop").code == 2
    assert running.run("freeze", "shop", "--reason", " ").code == 2
    assert running.run("thaw").code == 2


def test_a_freeze_is_shown_and_a_newer_one_takes_its_place(running: Desk) -> None:
    running.done("freeze", "shop", "--reason", "sale")
    document = running.done("freeze", "shop", "--reason", "long sale", "--json").document
    check_document("freezes", document)
    assert [freeze["reason"] for freeze in document["freezes"]] == ["long sale"]
    result = running.run("thaw", "--target", "mem")
    assert (result.code, result.err) == (0, "target 'mem': was not frozen\n")
    assert "'shop' was frozen by" in result.out


def test_what_is_under_way_goes_on_to_its_end(running: Desk) -> None:
    running.change("window: 200ms", "window: 2s, checkpoints: 1")
    running.behave("never-checkpoints")
    first = running.spawn("apply", "shop.yaml", "--yes")
    deadline = time.monotonic() + 60
    while running.done("history", "shop", "--json").document["operations"][0]["finished_at"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.done("freeze", "shop", "--reason", "too late")
    out, _ = first.communicate(timeout=60)
    assert first.returncode == 1
    assert "rolled back" in out
    assert running.done("status", "--json").document["applications"][0]["phase"] == "running"


def test_what_is_frozen_while_the_question_stands_is_not_done(running: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from scurry.cli.session import Session

    def confirm(session: Session, _: object) -> bool:
        session.workspace.journal.freeze("*", reason="just now")
        return True

    monkeypatch.setattr(Session, "confirm", confirm)
    before = _position(running)
    result = running.run("stop", "shop", "--yes")
    assert "just now" in result.err
    assert _position(running) == before
