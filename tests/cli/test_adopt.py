"""Adopting what runs and the journal does not know: the journal was lost, or another tool started it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.desk import Desk, check_document


def _lose_the_journal(desk: Desk) -> None:
    for file in (desk.folder / ".scurry").glob("journal.db*"):
        file.unlink()


def _memory(desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((desk.folder / ".scurry/memory/mem.json").read_text())
    return found


def _edit(desk: Desk, **changes: object) -> str:
    """Change what the target shows of its only job, as another tool would have. Returns its id."""
    memory = _memory(desk)
    (entry,) = memory["jobs"].values()
    entry["job"] |= changes
    (desk.folder / ".scurry/memory/mem.json").write_text(json.dumps(memory))
    return str(entry["job"]["id"])


def _live(desk: Desk) -> list[str]:
    terminal = {"failed", "canceled", "finished"}
    return [id for id, entry in _memory(desk)["jobs"].items() if entry["job"]["state"] not in terminal]


def _twice(desk: Desk) -> None:
    """Let a copy of the job run beside it."""
    memory = _memory(desk)
    ((id, entry),) = memory["jobs"].items()
    other = "f" * 32
    memory["jobs"][other] = {**entry, "job": {**entry["job"], "id": other}}
    (desk.folder / ".scurry/memory/mem.json").write_text(json.dumps(memory))
    assert id != other


def test_a_job_whose_journal_was_lost_is_adopted_and_upgraded_from_its_state(running: Desk) -> None:
    (before,) = _live(running)
    _lose_the_journal(running)
    result = running.done("adopt", "shop.yaml", "--job", "latest", "--yes")
    assert f"+ adopt  job {before} runs, and was not started from this journal" in result.out
    assert "nothing is stopped" in result.out
    assert _live(running) == [before]
    (report,) = running.done("status", "--json").document["applications"]
    assert (report["phase"], report["job"]["id"], report["revision"]) == ("running", before, 1)

    running.change("parallelism: 1", "parallelism: 2")
    running.done("apply", "shop.yaml", "--yes")
    (after,) = _live(running)
    assert _memory(running)["jobs"][after]["state"]["history"] == [before, after]


def test_nothing_to_do_after_an_adoption_of_what_is_as_the_spec_says(running: Desk) -> None:
    _lose_the_journal(running)
    running.done("adopt", "shop.yaml", "--job", "latest", "--yes")
    assert running.run("plan", "shop.yaml", "--check").code == 0
    revisions = running.done("history", "shop", "--json").document["revisions"]
    assert [revision["outcome"] for revision in revisions] == ["healthy"]


def test_what_runs_otherwise_than_the_spec_says_is_told_and_put_right_by_the_next_apply(desk: Desk) -> None:
    spec = desk.folder / "shop.yaml"
    spec.write_text(spec.read_text() + "config: {execution.checkpointing.interval: 10s, pipeline.object-reuse: true}\n")
    desk.done("apply", "shop.yaml", "--yes")
    _lose_the_journal(desk)
    desk.change("parallelism: 1", "parallelism: 3")
    desk.change("interval: 10s", "interval: 20s")
    result = desk.done("adopt", "shop.yaml", "--job", "latest", "--yes", "--json")
    check_document("apply", result.document)
    planned = desk.done("plan", "shop.yaml", "--json").document["plans"][0]
    (change,) = planned["changes"]
    assert change["operation"] == "upgrade"
    assert change["restore"] == {"from": "latest"}
    assert {(item["field"], item["before"], item["after"]) for item in change["differences"]} == {
        ("parallelism", "1", "3"),
        ("config.execution.checkpointing.interval", "10s", "20s"),
    }


@pytest.mark.parametrize("written", ["10 s", "10000", "10000 ms", "10S"])
def test_a_duration_that_is_only_written_otherwise_is_no_difference(desk: Desk, written: str) -> None:
    spec = desk.folder / "shop.yaml"
    spec.write_text(spec.read_text() + "config: {execution.checkpointing.interval: 10s}\n")
    desk.done("apply", "shop.yaml", "--yes")
    memory = _memory(desk)
    (entry,) = memory["jobs"].values()
    entry["config"]["execution.checkpointing.interval"] = written
    (desk.folder / ".scurry/memory/mem.json").write_text(json.dumps(memory))
    _lose_the_journal(desk)
    desk.done("adopt", "shop.yaml", "--job", "latest", "--yes")
    assert desk.run("plan", "shop.yaml", "--check").code == 0


def test_savepoints_of_the_job_come_back_into_the_journal_and_are_never_pruned(running: Desk) -> None:
    running.done("snapshot", "create", "shop", "--yes")
    _lose_the_journal(running)
    running.done("adopt", "shop.yaml", "--job", "latest", "--yes")
    (found,) = running.done("snapshot", "list", "shop", "--json").document["snapshots"]
    assert found["kind"] == "savepoint"
    assert found["foreign"]


def test_a_job_is_named_by_the_beginning_of_its_id(running: Desk) -> None:
    (id,) = _live(running)
    _lose_the_journal(running)
    assert running.run("adopt", "shop.yaml", "--job", id[:3], "--yes").code == 1
    running.done("adopt", "shop.yaml", "--job", id[:8], "--yes")


def test_a_job_of_another_name_is_refused_unless_it_is_named(running: Desk) -> None:
    id = _edit(running, name="insert-into orders")
    _lose_the_journal(running)
    refused = running.run("adopt", "shop.yaml", "--job", id, "--yes", "--json").document["error"]
    assert refused["code"] == "refused"
    assert refused["message"] == f"job {id} is named 'insert-into orders', not 'shop'"
    assert "--named 'insert-into orders'" in refused["hint"]
    assert running.run("adopt", "shop.yaml", "--job", "latest", "--yes").code == 1

    result = running.done("adopt", "shop.yaml", "--job", "latest", "--named", "insert-into orders", "--yes")
    assert "The next upgrade names it 'shop'." in result.out
    running.done("restart", "shop", "--yes")
    (after,) = _live(running)
    assert _memory(running)["jobs"][after]["state"]["history"] == [id, after]


def test_the_job_of_another_application_is_not_to_be_had(running: Desk) -> None:
    running.write("other")
    refused = running.run("adopt", "other.yaml", "--job", "latest", "--named", "shop", "--yes")
    assert refused.code == 1
    assert "'shop' is another application here" in refused.err


def test_a_job_that_has_ended_is_refused_and_its_state_can_be_adopted_instead(running: Desk) -> None:
    (before,) = _live(running)
    running.done("stop", "shop", "--yes")
    (left,) = running.done("snapshot", "list", "shop", "--json").document["snapshots"]
    _lose_the_journal(running)
    refused = running.run("adopt", "shop.yaml", "--job", before, "--yes")
    assert refused.code == 1
    assert "only one that runs can be adopted" in refused.err
    assert "scurry adopt FILE --from LOCATION" in refused.err

    running.done("adopt", "shop.yaml", "--from", left["location"], "--yes")
    assert running.done("status", "--json").document["applications"][0]["phase"] == "suspended"
    running.done("apply", "shop.yaml", "--yes")
    (after,) = _live(running)
    assert _memory(running)["jobs"][after]["state"]["history"] == [before, after]


def test_state_is_not_adopted_beside_a_job_that_runs(running: Desk) -> None:
    _lose_the_journal(running)
    refused = running.run("adopt", "shop.yaml", "--from", "memory://mem/savepoint-1", "--yes")
    assert refused.code == 1
    assert "scurry adopt FILE --job latest" in refused.err


def test_two_jobs_of_one_name_are_refused_however_one_is_named(running: Desk) -> None:
    _twice(running)
    _lose_the_journal(running)
    for job in ("latest", "f" * 32):
        refused = running.run("adopt", "shop.yaml", "--job", job, "--yes")
        assert refused.code == 1
        assert "2 jobs named 'shop' run on target 'mem'" in refused.err


def test_what_is_known_and_runs_is_refused(running: Desk) -> None:
    refused = running.run("adopt", "shop.yaml", "--job", "latest", "--yes")
    assert refused.code == 1
    assert "is known and runs, as job" in refused.err


def test_what_is_known_but_was_replaced_by_another_tool_is_adopted(running: Desk) -> None:
    """Somebody cancelled our job by hand and started another one."""
    memory = _memory(running)
    ((id, entry),) = memory["jobs"].items()
    other = "e" * 32
    memory["jobs"][other] = {**entry, "job": {**entry["job"], "id": other}}
    memory["jobs"][id] = {**entry, "job": {**entry["job"], "state": "canceled"}}
    (running.folder / ".scurry/memory/mem.json").write_text(json.dumps(memory))
    applied = running.run("apply", "shop.yaml", "--yes")
    assert applied.code == 1
    assert "scurry adopt FILE --job latest" in applied.err
    running.done("adopt", "shop.yaml", "--job", "latest", "--yes")
    (report,) = running.done("status", "--json").document["applications"]
    assert (report["phase"], report["job"]["id"], report["revision"]) == ("running", other, 1)


def test_a_job_that_does_not_run_well_is_adopted_with_a_warning_and_not_as_healthy(running: Desk) -> None:
    _edit(running, state="restarting", vertices_running=0, restarts=7)
    _lose_the_journal(running)
    result = running.done("adopt", "shop.yaml", "--job", "latest", "--yes")
    assert "warning: The job is restarting." in result.out
    revisions = running.done("history", "shop", "--json").document["revisions"]
    assert [revision["outcome"] for revision in revisions] == ["pending"]


def test_no_such_job_names_those_that_run(running: Desk) -> None:
    (id,) = _live(running)
    _lose_the_journal(running)
    refused = running.run("adopt", "shop.yaml", "--job", "0123456789", "--yes")
    assert refused.code == 1
    assert f"It runs: shop ({id})." in refused.err


@pytest.mark.parametrize("arguments", [(), ("--job", "latest", "--from", "file:/a"), ("--from", "latest")])
def test_what_to_adopt_has_to_be_said_once(desk: Desk, arguments: tuple[str, ...]) -> None:
    result = desk.run("adopt", "shop.yaml", *arguments)
    assert result.code == 2
    assert "scurry adopt --help" in result.err


def test_a_damaged_journal_is_replaced_by_an_adoption(running: Desk) -> None:
    (before,) = _live(running)
    journal = running.folder / ".scurry/journal.db"
    journal.write_bytes(b"this is no database" * 1000)
    assert running.run("adopt", "shop.yaml", "--job", "latest", "--yes").code == 1
    shutil.move(journal, Path(f"{journal}.damaged"))
    for file in (running.folder / ".scurry").glob("journal.db-*"):
        file.unlink()
    running.done("adopt", "shop.yaml", "--job", "latest", "--yes")
    assert _live(running) == [before]
