"""Verbs that need no change of a spec: stop, start, restart, scale, delete, snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.desk import Desk, check_document


def _status(desk: Desk) -> Any:
    (found,) = desk.done("status", "--json").document["applications"]
    return found


def _snapshots(desk: Desk) -> Any:
    return desk.done("snapshot", "list", "shop", "--json").document["snapshots"]


def test_stop_keeps_the_state_and_start_goes_on_from_it(running: Desk) -> None:
    stopped = running.done("stop", "shop", "--yes")
    assert "  - suspend  asked to stop" in stopped.out
    assert "✓ shop: stopped" in stopped.out
    assert _status(running)["phase"] == "suspended"
    started = running.done("start", "shop", "--yes")
    assert "It starts from the savepoint memory://mem/savepoint-" in started.out
    assert _status(running)["restored_from"] == _snapshots(running)[0]["location"]


@pytest.mark.parametrize(
    "verb",
    [("stop", "shop"), ("restart", "shop"), ("scale", "shop", "2"), ("snapshot", "create", "shop"), ("delete", "shop")],
    ids=" ".join,
)
def test_every_change_is_one_document_and_needs_a_yes(running: Desk, verb: tuple[str, ...]) -> None:
    before = _status(running)
    refused = running.run(*verb, "--json")
    assert refused.code == 1
    assert refused.document["error"]["code"] == "refused"
    assert _status(running)["job"] == before["job"]
    document = running.done(*verb, "--yes", "--json").document
    check_document("apply", document)
    assert document["applications"][0]["outcome"] in {"converged", "suspended"}


def test_start_of_what_runs_has_nothing_to_do(running: Desk) -> None:
    assert running.done("start", "shop", "--yes").out == "✓ shop: nothing to do, revision 1\n"


def test_start_from_none_says_that_there_is_no_state(running: Desk) -> None:
    running.done("stop", "shop", "--yes")
    result = running.done("start", "shop", "--from", "none", "--yes")
    assert "It starts with NO state" in result.out
    assert _status(running)["restored_from"] is None


def test_start_from_a_snapshot_by_its_name(running: Desk) -> None:
    running.done("snapshot", "create", "shop", "--yes")
    running.done("stop", "shop", "--yes")
    oldest = _snapshots(running)[-1]["location"]
    running.done("start", "shop", "--from", oldest.rpartition("/")[2], "--yes")
    assert _status(running)["restored_from"] == oldest


def test_start_from_a_snapshot_that_is_not_there_is_an_error(running: Desk) -> None:
    running.done("stop", "shop", "--yes")
    result = running.run("start", "shop", "--from", "nothing", "--yes", "--json")
    assert result.code == 1
    assert result.document["error"]["code"] == "snapshot-not-found"


def test_restart_is_a_new_job_with_the_state(running: Desk) -> None:
    before = _status(running)["job"]["id"]
    running.done("restart", "shop", "--yes")
    after = _status(running)
    assert after["job"]["id"] != before
    assert after["revision"] == 1
    assert after["restored_from"] is not None


def test_restart_from_another_state_drops_what_came_after(running: Desk) -> None:
    running.done("snapshot", "create", "shop", "--yes")
    (snapshot,) = _snapshots(running)
    result = running.done("restart", "shop", "--from", snapshot["location"], "--yes")
    assert "since then is processed again" in result.out
    assert _status(running)["restored_from"] == snapshot["location"]


def test_scale_changes_the_parallelism_and_nothing_else(running: Desk) -> None:
    running.done("scale", "shop", "3", "--yes")
    assert _status(running)["job"]["parallelism"] == 3
    plan = running.done("plan", "shop.yaml", "--json").document["plans"][0]
    (difference,) = plan["changes"][0]["differences"]
    assert (difference["field"], difference["before"], difference["after"]) == ("parallelism", "3", "1")


@pytest.mark.parametrize("number", ["0", "-1", "many", "40000"])
def test_a_parallelism_that_cannot_be_is_a_usage_error(running: Desk, number: str) -> None:
    assert running.run("scale", "shop", "--", number).code == 2


def test_delete_takes_a_last_savepoint_and_forgets(running: Desk) -> None:
    result = running.done("delete", "shop", "--yes")
    assert "The job stops with a savepoint." in result.out
    assert "state: savepoint memory://mem/savepoint-" in result.out
    assert running.done("status", "--json").document["applications"] == []


def test_stop_without_a_snapshot_says_what_is_dropped(running: Desk) -> None:
    result = running.done("stop", "shop", "--no-snapshot", "--yes")
    assert "WITHOUT a savepoint" in result.out
    assert "NO state is left" in result.out
    assert _snapshots(running) == []


def test_drain_and_no_snapshot_exclude_each_other(running: Desk) -> None:
    result = running.run("stop", "shop", "--drain", "--no-snapshot", "--yes")
    assert result.code == 2
    assert "exclude each other" in result.err


def test_what_was_drained_is_not_gone_on_from_by_itself(running: Desk) -> None:
    assert "after all windows have fired" in running.done("stop", "shop", "--drain", "--yes").out
    assert _snapshots(running)[0]["drained"] is True
    assert "drained" in running.done("snapshot", "list", "shop").out
    result = running.run("start", "shop", "--yes")
    assert result.code == 1
    assert "was drained" in result.err


def test_snapshots_are_listed_shown_and_dropped(running: Desk) -> None:
    assert "has no snapshot" in running.done("snapshot", "list", "shop").out
    running.done("snapshot", "create", "shop", "--yes")
    running.done("snapshot", "create", "shop", "--yes")
    document = running.done("snapshot", "list", "shop", "--json").document
    check_document("snapshots", document)
    newest, oldest = document["snapshots"]
    name = oldest["location"].rpartition("/")[2]
    table = running.done("snapshot", "list", "shop").out.splitlines()
    assert table[0].split() == ["NAME", "KIND", "TAKEN", "REVISION", "SIZE", "LOCATION"]
    assert table[2].split()[:2] == [name, "savepoint"]
    shown = running.done("snapshot", "show", "shop", name)
    assert f"location  {oldest['location']}" in shown.out
    document = running.done("snapshot", "show", "shop", name, "--json").document
    check_document("snapshot", document)
    assert document["snapshot"] == oldest
    assert running.run("snapshot", "drop", "shop", name).code == 1
    running.done("snapshot", "drop", "shop", name, "--yes")
    assert _snapshots(running) == [newest]


def test_a_snapshot_that_is_needed_is_not_dropped(running: Desk) -> None:
    running.done("snapshot", "create", "shop", "--yes")
    (snapshot,) = _snapshots(running)
    result = running.run("snapshot", "drop", "shop", snapshot["location"], "--yes")
    assert result.code == 1
    assert "it is the newest state" in result.err
    assert _snapshots(running) == [snapshot]


@pytest.mark.parametrize(
    "verb",
    [
        ("stop",),
        ("start",),
        ("restart",),
        ("delete",),
        ("rollback",),
        ("history",),
        ("diagnose",),
        ("ui",),
        ("logs",),
        ("snapshot", "list"),
        ("snapshot", "create"),
    ],
    ids=" ".join,
)
def test_an_application_that_is_not_known_is_an_error_that_says_where_to_look(
    desk: Desk, verb: tuple[str, ...]
) -> None:
    result = desk.run(*verb, "nobody", "--json")
    assert result.code == 1
    check_document("error", result.document)
    assert result.document["error"]["message"] == "no application 'nobody' is known here"
    assert "scurry status" in result.document["error"]["hint"]


def test_rollback_with_the_own_snapshot_of_a_revision_says_what_is_processed_again(running: Desk) -> None:
    running.change("parallelism: 1", "parallelism: 2")
    running.done("apply", "shop.yaml", "--yes")
    (own,) = _snapshots(running)
    result = running.done("rollback", "shop", "--from", "own", "--yes")
    assert "since then is processed again" in result.out
    assert _status(running)["restored_from"] == own["location"]


def test_rollback_to_a_revision_that_was_never_healthy_is_refused(running: Desk) -> None:
    running.change("parallelism: 1", "parallelism: 1\nconfig: {memory.behaviour: restarts}")
    assert running.run("apply", "shop.yaml", "--yes").code == 1
    result = running.run("rollback", "shop", "--to", "2", "--yes")
    assert result.code == 1
    assert "revision 2 is bad, not healthy" in result.err
