"""What is now and what was: status, watch, diagnose, logs, ui, history, diff."""

from __future__ import annotations

import pytest

from tests.cli.desk import Desk, check_document


def test_status_of_nothing_says_how_to_begin(desk: Desk) -> None:
    assert "scurry apply application.yaml" in desk.done("status").out
    assert not (desk.folder / ".scurry").exists(), "looking must not make anything"


def test_status_is_a_line_for_each_application(running: Desk) -> None:
    running.write("other")
    running.done("apply", "other.yaml", "--yes")
    header, *lines = running.done("status").out.splitlines()
    assert header.split() == ["APPLICATION", "TARGET", "PHASE", "REVISION", "HEALTH", "SNAPSHOT"]
    assert [line.split()[:6] for line in lines] == [
        ["other", "mem", "running", "1", "healthy", "none"],
        ["shop", "mem", "running", "1", "healthy", "none"],
    ]
    assert [line.split()[0] for line in running.done("status", "shop").out.splitlines()[1:]] == ["shop"]


def test_status_as_json_is_as_described(running: Desk) -> None:
    running.done("snapshot", "create", "shop", "--yes")
    document = running.done("status", "--json").document
    check_document("status", document)
    (found,) = document["applications"]
    assert found["phase"] == "running"
    assert found["job"]["state"] == "running"
    assert found["job"]["restarts"] == 0
    assert found["health"]["verdict"] == "healthy"
    assert found["latest_snapshot"]["kind"] == "savepoint"


def test_status_of_an_application_that_is_not_known_is_an_error(running: Desk) -> None:
    assert running.run("status", "nobody").code == 1


def test_status_of_a_sick_job_is_not_an_error_of_the_command(desk: Desk) -> None:
    desk.behave("fails")
    assert desk.run("apply", "shop.yaml", "--yes").code == 1
    result = desk.done("status", "shop")
    assert "failed" in result.out
    assert "unhealthy" in result.out


def test_watch_shows_an_application_for_as_long_as_is_asked(running: Desk) -> None:
    result = running.done("watch", "shop", "--for", "50ms")
    assert "application  shop on mem" in result.out
    assert "phase        running, revision 1" in result.out
    document = running.done("watch", "shop", "--for", "50ms", "--json").document
    check_document("status", document)


def test_watch_as_json_needs_an_end(running: Desk) -> None:
    assert running.run("watch", "shop", "--json").code == 2
    assert running.run("watch", "shop", "--for", "soon").code == 2


def test_diagnose_of_what_is_well_says_so(running: Desk) -> None:
    assert running.done("diagnose", "shop").out == "shop on mem, running\nNothing is wrong.\n"
    document = running.done("diagnose", "shop", "--json").document
    check_document("diagnose", document)
    assert document["well"] is True


def test_diagnose_tells_the_root_cause_first_and_what_to_do(running: Desk) -> None:
    running.change("window: 200ms", "window: 200ms, restarts: 0")
    running.change("upgrade: {", "upgrade: {rollback: false, ")
    running.behave("restarts")
    assert running.run("apply", "shop.yaml", "--yes").code == 1
    document = running.done("diagnose", "shop", "--json").document
    check_document("diagnose", document)
    assert document["well"] is False
    assert document["findings"][0]["what"] == "The job met an exception: memory.behaviour is restarts"
    assert "scurry rollback shop" in document["findings"][0]["todo"]
    assert any("restarted the job 3 times" in finding["what"] for finding in document["findings"])
    text = running.done("diagnose", "shop").out
    assert "1. The job met an exception: memory.behaviour is restarts" in text
    assert "     scurry rollback shop" in text


def test_what_a_target_does_not_have_is_an_error_with_a_way_out(running: Desk) -> None:
    for command in ("logs", "ui"):
        result = running.run(command, "shop", "--json")
        assert result.code == 1
        check_document("error", result.document)
        assert result.document["error"]["hint"]


def test_history_tells_revisions_and_operations_newest_first(running: Desk) -> None:
    running.change("parallelism: 1", "parallelism: 2")
    running.done("apply", "shop.yaml", "--yes")
    running.done("stop", "shop", "--yes")
    document = running.done("history", "shop", "--json").document
    check_document("history", document)
    assert [revision["number"] for revision in document["revisions"]] == [2, 1]
    assert [revision["outcome"] for revision in document["revisions"]] == ["healthy", "healthy"]
    assert [found["operation"] for found in document["operations"]] == ["suspend", "upgrade", "deploy"]
    assert document["operations"][1]["gap_seconds"] > 0
    assert [step["action"] for step in document["operations"][1]["steps"]] == ["upload", "check", "stop", "submit"]
    assert len(running.done("history", "shop", "--limit", "1", "--json").document["operations"]) == 1
    shown = running.done("history", "shop").shown
    assert "parallelism 1 → 2" in shown
    assert [line.split()[1] for line in shown.split("\n\n")[1].splitlines()[1:]] == ["suspend", "upgrade", "deploy"]


@pytest.mark.parametrize("limit", ["0", "-3", "x"])
def test_a_limit_that_cannot_be_is_a_usage_error(running: Desk, limit: str) -> None:
    assert running.run("history", "shop", "--limit", limit).code == 2


def test_diff_shows_what_differs_between_two_revisions(running: Desk) -> None:
    running.change("parallelism: 1", "parallelism: 2")
    running.done("apply", "shop.yaml", "--yes")
    assert running.done("diff", "shop", "1", "2").out == "parallelism  1 → 2\n"
    assert "do not differ" in running.done("diff", "shop", "1", "1").out
    document = running.done("diff", "shop", "2", "1", "--json").document
    check_document("diff", document)
    assert document["differences"] == [
        {"field": "parallelism", "before": "2", "after": "1", "impact": "rescale", "details": []}
    ]
    result = running.run("diff", "shop", "1", "7")
    assert result.code == 1
    assert "has no revision 7" in result.err


def test_a_secret_is_never_shown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "swordfish")
    with (desk.folder / "shop.yaml").open("a") as file:
        file.write("properties: {database: {password: {env: DATABASE_PASSWORD}}}\n")
    desk.done("apply", "shop.yaml", "--yes")
    monkeypatch.setenv("OTHER_PASSWORD", "haddock")
    desk.change("DATABASE_PASSWORD", "OTHER_PASSWORD")
    shown = ""
    for command in (
        ("plan", "shop.yaml"),
        ("plan", "shop.yaml", "--json"),
        ("apply", "shop.yaml", "--yes"),
        ("history", "shop", "--json"),
        ("diff", "shop", "1", "2"),
        ("status", "--json"),
    ):
        result = desk.done(*command)
        shown += result.out + result.err
    assert "•••" in shown
    assert "swordfish" not in shown
    assert "haddock" not in shown
    journal = (desk.folder / ".scurry" / "journal.db").read_bytes()
    assert b"swordfish" not in journal
