"""Pruning: what goes, what stays and why; failures, locks, and two at once."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scurry.clock import SystemClock
from scurry.journal.sqlite import SqliteJournal
from scurry.model.errors import RejectedByTarget, TargetUnavailable
from scurry.model.operation import Action
from scurry.targets.memory import MemoryTarget
from tests.cli.desk import Desk, check_document

LONG_AGO = time.time() - 2 * 3600


@pytest.fixture
def kept(desk: Desk) -> Desk:
    """An application with five savepoints, of which its spec keeps two."""
    _append(desk, "shop", "snapshots: {keep: 2}\n")
    desk.done("apply", "shop.yaml", "--yes")
    _take(desk, 5)
    return desk


def _append(desk: Desk, name: str, text: str) -> None:
    path = desk.folder / f"{name}.yaml"
    path.write_text(path.read_text() + text)


def _take(desk: Desk, count: int, name: str = "shop") -> None:
    for _ in range(count):
        desk.done("snapshot", "create", name, "--yes")


def _snapshots(desk: Desk, name: str = "shop") -> list[str]:
    found = desk.done("snapshot", "list", name, "--json").document["snapshots"]
    return [snapshot["location"] for snapshot in found]


def _on_target(desk: Desk) -> set[str]:
    memory = json.loads((desk.folder / ".scurry/memory/mem.json").read_text())
    return {location for location, snapshot in memory["savepoints"].items() if snapshot["kind"] == "savepoint"}


def _prune(desk: Desk, *arguments: str, code: int = 0) -> Any:
    result = desk.run("prune", *arguments, "--yes", "--json")
    assert result.code == code, result.err
    check_document("prune", result.document)
    return result.document


def _age(path: Path) -> None:
    os.utime(path, (LONG_AGO, LONG_AGO))


def _age_artifacts(desk: Desk) -> None:
    for folder in (desk.folder / ".scurry/artifacts").glob("[0-9a-f]*"):
        _age(folder)


def _artifacts(desk: Desk) -> set[str]:
    return {file.name for file in (desk.folder / ".scurry/artifacts").glob("[0-9a-f]*/*.jar")}


def test_what_is_over_the_policy_goes_and_its_files_with_it(kept: Desk) -> None:
    before = _snapshots(kept)
    document = _prune(kept)
    assert [item["what"] for item in document["deleted"]] == [before[4], before[3], before[2]]
    assert _snapshots(kept) == before[:2]
    assert _on_target(kept) == set(before[:2])
    operations = kept.done("history", "shop", "--json").document["operations"]
    assert [operation["operation"] for operation in operations[:3]] == ["drop-snapshot"] * 3
    assert operations[0]["reason"] == "2 newer ones are kept"


def test_a_dry_run_and_a_no_delete_nothing(kept: Desk) -> None:
    before = _snapshots(kept)
    shown = kept.done("prune", "--dry-run").out
    assert shown.count("2 newer ones are kept") == 3
    assert "3 to delete" in shown
    assert kept.run("prune").code == 1  # nobody can be asked
    assert kept.on_terminal("prune", answers=("n",)).code == 1
    assert _snapshots(kept) == before
    assert kept.on_terminal("prune", answers=("y",)).code == 0
    assert len(_snapshots(kept)) == 2


def test_what_stays_although_the_policy_would_drop_it_is_told(kept: Desk) -> None:
    kept.done("restart", "shop", "--yes")
    (restored_from,) = {report["restored_from"] for report in kept.done("status", "--json").document["applications"]}
    _take(kept, 3)
    shown = kept.done("prune", "--yes").out
    assert "stays: the running job was restored from it and may still need its files" in shown
    assert restored_from in _snapshots(kept)
    assert len(_snapshots(kept)) == 3


def test_it_works_while_the_job_is_down_and_the_newest_state_stays(kept: Desk) -> None:
    kept.done("stop", "shop", "--yes")
    newest = _snapshots(kept)[:2]
    _prune(kept)
    assert _snapshots(kept) == newest
    kept.done("start", "shop", "--yes")


def test_without_a_policy_nothing_goes(running: Desk) -> None:
    _take(running, 3)
    assert running.done("prune", "--yes").out == "Nothing to prune.\n"


def _failing(
    monkeypatch: pytest.MonkeyPatch, fails: Callable[[str], bool], error: Exception | None = None
) -> list[str]:
    run = MemoryTarget.run
    tried: list[str] = []

    def broken(self: MemoryTarget, step: Any, context: Any) -> Any:
        if step.action is Action.DISPOSE:
            tried.append(step.inputs["location"])
            if fails(step.inputs["location"]):
                raise error or RejectedByTarget("the store says no", target="mem")
        return run(self, step, context)

    monkeypatch.setattr(MemoryTarget, "run", broken)
    return tried


def test_a_failed_deletion_stops_no_other_stays_known_and_is_tried_again(
    kept: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubborn = _snapshots(kept)[3]
    with monkeypatch.context() as patch:
        tried = _failing(patch, lambda location: location == stubborn)
        result = kept.run("prune", "--yes")
        assert result.code == 1
        assert len(tried) == 3
        assert f"{stubborn}: the store says no" in result.out
        assert "tried again by the next prune" in result.out
        assert _snapshots(kept)[2:] == [stubborn]
        (error,) = (item["error"] for item in _prune(kept, code=1)["deleted"])
        assert error["code"] == "rejected-by-target"
    _prune(kept)
    assert len(_snapshots(kept)) == 2


def test_a_deletion_whose_fate_is_not_known_is_tried_again(kept: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scurry.engine.attempt._DOUBTS_S", 0.05)
    with monkeypatch.context() as patch:
        lost = TargetUnavailable("cut off", target="mem", retry_after_s=0.01)
        _failing(patch, lambda location: True, lost)
        document = _prune(kept, code=1)
        assert len(document["deleted"]) == 3
    _prune(kept)
    assert len(_snapshots(kept)) == 2


def test_a_snapshot_whose_files_are_gone_already_counts_as_dropped(kept: Desk) -> None:
    path = kept.folder / ".scurry/memory/mem.json"
    memory = json.loads(path.read_text())
    for location in _snapshots(kept)[2:]:
        del memory["savepoints"][location]
    path.write_text(json.dumps(memory))
    document = _prune(kept)
    assert [item["error"] for item in document["deleted"]] == [None] * 3
    assert len(_snapshots(kept)) == 2


def test_a_locked_application_is_skipped_and_told_and_others_are_not(kept: Desk) -> None:
    kept.write("other", (kept.folder / "shop.yaml").read_text().replace("name: shop", "name: shop"))
    kept.done("apply", "other.yaml", "--yes")
    _take(kept, 3, "other")
    journal = SqliteJournal.open(kept.folder / ".scurry/journal.db", clock=SystemClock(), owner="anna@there pid 1")
    journal.acquire("shop", duration=timedelta(seconds=120))
    result = kept.done("prune", "--yes")
    assert "skipped shop: 'shop' is being changed by anna@there pid 1" in result.out
    assert len(_snapshots(kept)) == 5
    assert len(_snapshots(kept, "other")) == 2
    journal.close()


def test_a_frozen_application_is_skipped(kept: Desk) -> None:
    kept.done("freeze", "shop", "--reason", "audit")
    document = _prune(kept)
    assert "audit" in document["deleted"][0]["spared"]
    assert len(_snapshots(kept)) == 5


def test_two_prunes_at_once_drop_each_snapshot_once(kept: Desk) -> None:
    _take(kept, 10)
    processes = [kept.spawn("prune", "--yes", "--json") for _ in range(3)]
    documents = []
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        documents.append(json.loads(out))
    gone = [item["what"] for found in documents for item in found["deleted"] if item["spared"] is None]
    assert len(gone) == len(set(gone))
    _prune(kept)
    assert len(_snapshots(kept)) == 2


def test_what_became_needed_since_it_was_shown_is_spared(kept: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from scurry.cli.session import Session

    oldest = _snapshots(kept)[-1]

    def agree(session: Session, what: str) -> None:
        session.workspace.restart("shop", source=oldest, confirm=lambda plan: True)

    monkeypatch.setattr(Session, "agree", agree)
    document = _prune(kept)
    assert document["deleted"][0]["spared"] == "it is needed by now, or gone"
    assert oldest in _snapshots(kept)


def test_named_applications_only_lose_their_own_snapshots(kept: Desk) -> None:
    kept.build("old.jar", "old")
    kept.done("validate", "shop.yaml")
    _age_artifacts(kept)
    document = _prune(kept, "shop")
    assert document["leftovers"] == []
    assert len(_snapshots(kept)) == 2
    assert kept.run("prune", "shoop", "--yes").code == 1


def test_an_application_whose_target_does_not_answer_is_told(kept: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from scurry.model.observed import Observed

    silent = Observed.silent(TargetUnavailable("no route", target="mem"))
    monkeypatch.setattr(MemoryTarget, "observe", lambda *_: silent)
    (found,) = _prune(kept)["applications"]
    assert found["skipped"] == "no route"
    assert len(_snapshots(kept)) == 5


def _revise(desk: Desk, content: str) -> None:
    desk.build("shop.jar", content)
    desk.done("apply", "shop.yaml", "--yes")


def test_artifacts_that_no_revision_can_run_again_go_and_the_others_stay(running: Desk) -> None:
    store = running.folder / ".scurry/artifacts"
    for content in "23456":
        _revise(running, content)
    _age_artifacts(running)
    before = {folder.name for folder in store.glob("[0-9a-f]*")}
    assert len(before) == 6
    assert "Nothing to prune." in running.done("prune", "--yes").out  # each healthy revision left a savepoint
    _append(running, "shop", "snapshots: {keep: 1}\n")
    running.done("apply", "shop.yaml", "--yes")
    _age_artifacts(running)
    _prune(running)  # the snapshots go first; what they held is seen unneeded right away
    after = {folder.name for folder in store.glob("[0-9a-f]*")}
    assert len(after) < len(before)
    running.done("rollback", "shop", "--yes")


def test_what_was_used_just_now_stays_since_an_apply_may_be_about_to_run_it(running: Desk) -> None:
    stray = running.folder / "stray"
    stray.mkdir()
    running.build("stray/stray.jar", "stray")
    spec = running.folder / "stray.yaml"
    spec.write_text(
        (running.folder / "shop.yaml").read_text().replace("shop", "stray").replace("stray.jar", "stray/stray.jar")
    )
    running.done("plan", "stray.yaml")
    assert _prune(running)["leftovers"] == []
    _age_artifacts(running)
    running.done("plan", "stray.yaml")  # uses it again
    assert _prune(running)["leftovers"] == []
    _age_artifacts(running)
    (gone,) = _prune(running)["leftovers"]
    assert (gone["kind"], gone["name"]) == ("artifact", "stray.jar")
    assert _artifacts(running) == {"shop.jar"}
    running.done("apply", "stray.yaml", "--yes")


def test_delivered_files_that_nothing_reads_go_and_bytes_are_told(running: Desk) -> None:
    for name in ("properties/0123456789abcdef", f"python/{'0' * 40}"):
        folder = running.folder / ".scurry/delivered" / name
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * 5000)
        _age(folder)
    document = _prune(running)
    assert [item["kind"] for item in document["leftovers"]] == ["delivered", "delivered"]
    assert document["freed_bytes"] == 10_000
    assert not list((running.folder / ".scurry/delivered").glob("*/*"))


def test_class_data_of_a_java_that_is_gone_goes(
    running: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SCURRY_CACHE", str(cache))
    for name, java in (("2.3.0-java17-a", cache / "gone"), ("2.3.0-java17-b", cache)):
        folder = cache / "class-data" / name
        folder.mkdir(parents=True)
        (folder / "made-for").write_text(f"{java}\n{cache}")
        (folder / "manager.jsa").write_bytes(b"x" * 1000)
    (gone,) = _prune(running)["leftovers"]
    assert gone["name"] == "2.3.0-java17-a"
    assert [path.name for path in (cache / "class-data").iterdir()] == ["2.3.0-java17-b"]


def test_a_leftover_that_cannot_be_deleted_is_told(running: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = running.folder / ".scurry/delivered/properties/0123456789abcdef"
    folder.mkdir(parents=True)
    _age(folder)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse)
        result = running.run("prune", "--yes")
    assert result.code == 1
    assert "Permission denied" in result.out
    _prune(running)
    assert not folder.exists()


def test_a_journal_that_cannot_be_read_keeps_everything(kept: Desk) -> None:
    _age_artifacts(kept)
    journal = kept.folder / ".scurry/journal.db"
    journal.write_bytes(b"no database" * 1000)
    assert kept.run("prune", "--yes").code == 1
    assert _artifacts(kept) == {"shop.jar"}
    assert len(_on_target(kept)) == 5


def test_prune_during_an_apply_harms_neither(kept: Desk) -> None:
    """The apply waits for a checkpoint; meanwhile the other application is pruned, and this one is skipped."""
    kept.write("other", (kept.folder / "shop.yaml").read_text())
    kept.done("apply", "other.yaml", "--yes")
    _take(kept, 4, "other")
    kept.change("window: 200ms", "window: 3s, checkpoints: 1")
    kept.behave("never-checkpoints")
    apply = kept.spawn("apply", "shop.yaml", "--yes")
    deadline = time.monotonic() + 60
    while kept.done("history", "shop", "--json").document["operations"][0]["finished_at"]:
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)
    document = _prune(kept)
    apply.communicate(timeout=60)
    shop = next(found for found in document["applications"] if found["name"] == "shop")
    assert all("interrupted" in kept["needed"] for kept in shop["keep"]) or document["deleted"][-1]["spared"]
    assert len(_snapshots(kept, "other")) == 2
    assert kept.done("status", "shop", "--json").document["applications"][0]["phase"] == "running"
