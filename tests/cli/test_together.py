"""Several commands at once: one changes an application, the others are told who and since when, or wait."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from datetime import timedelta

import pytest

from scurry.cli.app import with_duration
from scurry.clock import SystemClock
from scurry.journal.sqlite import SqliteJournal
from tests.cli.desk import Desk, check_document


def _slow(desk: Desk) -> None:
    """Let the next apply wait for a checkpoint that never comes, for up to a minute."""
    desk.change("window: 200ms", "window: 60s, checkpoints: 1")
    desk.behave("never-checkpoints")


def _wait_for_lock(desk: Desk) -> None:
    """Return once the apply of another process has begun; only looks, so that it does not take the lock itself."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        newest = desk.done("history", "shop", "--json").document["operations"][0]
        if newest["operation"] == "upgrade" and newest["finished_at"] is None:
            return
        time.sleep(0.05)
    raise AssertionError("nobody took the lock")


def test_the_second_is_told_who_holds_the_lock_and_since_when(running: Desk) -> None:
    _slow(running)
    first = running.spawn("apply", "shop.yaml", "--yes")
    try:
        _wait_for_lock(running)
        result = running.run("stop", "shop", "--yes", "--json")
        assert result.code == 1
        check_document("error", result.document)
        error = result.document["error"]
        assert f"pid {first.pid}" in error["owner"]
        assert error["owner"] in error["message"]
        assert error["since"]
        assert "--wait" in error["hint"]
        assert f"pid {first.pid}" in running.run("stop", "shop", "--yes").err
    finally:
        first.kill()
        first.communicate()


def test_wait_waits_only_so_long(running: Desk) -> None:
    _slow(running)
    first = running.spawn("apply", "shop.yaml", "--yes")
    try:
        _wait_for_lock(running)
        result = running.run("stop", "shop", "--yes", "--wait", "600ms")
        assert result.code == 1
        assert re.search(rf"✗ wait for .* pid {first.pid}", result.err)
    finally:
        first.kill()
        first.communicate()


def test_who_waits_goes_on_when_the_other_is_done(running: Desk) -> None:
    path = running.folder / ".scurry" / "journal.db"
    journal = SqliteJournal.open(path, clock=SystemClock(), owner="anna@there pid 1")
    lease = journal.acquire("shop", duration=timedelta(seconds=120))
    second = running.spawn("stop", "shop", "--yes", "--wait", "100s")
    try:
        assert second.stderr
        assert second.stderr.readline().startswith("  wait for anna@there pid 1, at it since ")
        journal.release(lease)
        out, err = second.communicate(timeout=60)
    finally:
        second.kill()
        second.communicate()
    assert second.returncode == 0, err
    assert "✓ shop: stopped" in out
    assert "✓ wait for anna@there pid 1" in err


def test_a_killed_apply_leaves_no_lock_and_the_next_one_goes_on(running: Desk) -> None:
    _slow(running)
    first = running.spawn("apply", "shop.yaml", "--yes")
    _wait_for_lock(running)
    first.kill()
    first.communicate()
    running.behave("fine")
    result = running.done("apply", "shop.yaml", "--yes", "--json")
    assert result.document["applications"][0]["outcome"] == "converged"


def test_looking_needs_no_lock_and_a_plan_waits_for_what_is_being_changed(running: Desk) -> None:
    _slow(running)
    first = running.spawn("apply", "shop.yaml", "--yes")
    try:
        _wait_for_lock(running)
        running.done("status")
        running.done("history", "shop")
        planned = running.run("plan", "shop.yaml")
        assert planned.code == 1
        assert "is being changed by" in planned.err
        assert "Plan again when that is done." in planned.err
    finally:
        first.kill()
        first.communicate()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_workspace_of_another_user_is_an_error(desk: Desk) -> None:
    desk.folder.chmod(0o500)
    try:
        result = desk.run("apply", "shop.yaml", "--yes", "--json")
    finally:
        desk.folder.chmod(0o700)
    assert result.code == 1
    check_document("error", result.document)


def test_a_journal_of_a_newer_scurry_is_an_error_of_its_own(running: Desk) -> None:
    path = running.folder / ".scurry" / "journal.db"
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = '9999' WHERE name = 'schema_version'")
    connection.commit()
    connection.close()
    for command in (("status",), ("apply", "shop.yaml", "--yes")):
        result = running.run(*command, "--json")
        assert result.code == 1
        assert result.document["error"]["code"] == "journal-too-new"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["apply", "a.yaml", "--wait"], ["apply", "a.yaml", "--wait", "3650d"]),
        (["apply", "--wait", "a.yaml"], ["apply", "--wait", "3650d", "a.yaml"]),
        (["apply", "--wait", "5min", "a.yaml"], ["apply", "--wait", "5min", "a.yaml"]),
        (["apply", "--wait", "--yes"], ["apply", "--wait", "3650d", "--yes"]),
        (["apply", "--wait", "1h 30m"], ["apply", "--wait", "1h 30m"]),
        (["apply", "--wait", "5"], ["apply", "--wait", "5"]),
        (["apply", "--wait", "01-shop/a.yaml"], ["apply", "--wait", "3650d", "01-shop/a.yaml"]),
        (["apply", "--wait=5s"], ["apply", "--wait=5s"]),
        (["apply", "--", "--wait"], ["apply", "--", "--wait"]),
    ],
)
def test_wait_without_a_duration_waits_for_as_long_as_it_takes(given: list[str], meant: list[str]) -> None:
    assert with_duration(given) == meant
