"""Adopting, pruning and checking the journal through a server; and what a server cannot do says why."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scurry.engine.lease import LEASE
from scurry.model.desired import ArtifactKind
from scurry.model.errors import PlanOutdated, RejectedByTarget
from scurry.model.leftover import Leftover, LeftoverKind
from scurry.model.reporting import SilentReporter
from scurry.pruning import Deleted
from scurry.server import wire
from scurry.server.connection import ServerConnection
from scurry.server.http.pruning import report
from scurry.server.remote import RemotePruner, deleted
from tests.cli.desk import check_document
from tests.server.office import TOKEN, Office
from tests.server.site import Site, until

LONG_AGO = time.time() - 2 * 3600
CALM = ("--interval", "1h")
"""the server looks once, and does not prune by itself what the test wants to see pruned"""


def _office(folder: Path, site: Site, *, snapshots: int = 0) -> Iterator[Office]:
    with site.server(*CALM, environment={"SCURRY_TOKEN": TOKEN}) as server:
        office = Office(folder, site, server)
        until(lambda: _has_looked(office), "it has looked")
        for _ in range(snapshots):
            site.open().take_snapshot("shop", confirm=lambda plan: True)
        yield office
    site.end()


@pytest.fixture
def lost(tmp_path: Path) -> Iterator[Office]:
    """A server whose journal was lost, while the job runs on."""
    (tmp_path / "site").mkdir()
    site = Site(tmp_path / "site")
    site.apply()
    site.close()
    for file in (site.folder / ".scurry").glob("journal.db*"):
        file.unlink()
    yield from _office(tmp_path / "office", site)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Office]:
    """An application with five savepoints, of which its spec keeps two, and a jar that nothing needs."""
    (tmp_path / "site").mkdir()
    site = Site(tmp_path / "site")
    site.apply(more="snapshots: {keep: 2}\n")
    old = site.folder / "old.jar"
    old.write_bytes(b"old")
    store = site.open().assembly.store
    kept = store.path(store.put_file(old, ArtifactKind.JAR, "old.jar"))
    os.utime(kept.parent, (LONG_AGO, LONG_AGO))
    yield from _office(tmp_path / "office", site, snapshots=4)


def _has_looked(office: Office) -> bool:
    found = ServerConnection(office.url, TOKEN, user="test").get("/server", wire.ServerAnswer)
    return found.ready and all(target.surveyed_at for target in found.targets)


def _savepoints(office: Office) -> list[str]:
    return [snapshot.location for snapshot in office.site.history().snapshots]


# Adopting ------------------------------------------------------------------------------------------------------


def test_a_job_whose_journal_was_lost_is_adopted_through_the_server(lost: Office) -> None:
    (before,) = lost.site.live()
    result = lost.quick("adopt", "shop.yaml", "--job", "latest", "--yes")
    assert result.returncode == 0, result.stderr
    assert f"+ adopt  job {before.id} runs, and was not started from this journal" in result.stdout
    assert [job.id for job in lost.site.live()] == [before.id]
    assert lost.site.history().job_id == before.id
    lost.write("parallelism: 2\n")
    lost.done("apply", "shop.yaml", "--yes")
    (after,) = lost.site.live()
    assert after.restored_from == lost.site.history().snapshots[0].location
    assert lost.refused("adopt", "shop.yaml", "--job", "latest", "--yes") == "refused"


def test_what_cannot_be_adopted_is_told_as_on_the_spot_and_nothing_is_written(lost: Office) -> None:
    for arguments in (
        ("adopt", "shop.yaml", "--job", "0123456789", "--yes"),
        ("adopt", "shop.yaml", "--job", "latest", "--named", "nobody", "--yes"),
        ("adopt", "shop.yaml", "--from", "memory://mem/savepoint-1", "--yes"),
        ("adopt", "shop.yaml", "--job", "latest"),
        ("adopt", "shop.yaml"),
    ):
        lost.site.spec("shop")
        there, here = lost.quick(*arguments), lost.on_the_spot(*arguments)
        assert (there.returncode, there.stderr) == (here.returncode, here.stderr), arguments
        assert there.returncode in {1, 2}
    assert lost.site.history().position == 0


def test_only_the_state_of_a_job_that_has_ended_is_adopted(lost: Office) -> None:
    (job,) = lost.site.live()
    (left,) = lost.site.open().target("mem").left_by(job)  # type: ignore[attr-defined]
    lost.site.cancel()
    lost.done("adopt", "shop.yaml", "--from", left.location, "--yes")
    lost.done("apply", "shop.yaml", "--yes")
    assert lost.site.live()[0].restored_from == left.location


# Pruning -------------------------------------------------------------------------------------------------------


def test_a_pruning_shows_and_does_the_same_as_on_the_spot(full: Office) -> None:
    there, here = full.quick("prune", "--dry-run"), full.on_the_spot("prune", "--dry-run")
    assert _timeless(there.stdout) == _timeless(here.stdout)
    assert there.stdout.count("2 newer ones are kept") == 3
    assert "old.jar" in there.stdout
    assert full.refused("prune") == "refused"  # nobody can be asked
    before = _savepoints(full)
    assert len(before) == 5
    document = full.done("prune", "--yes")
    check_document("prune", document)
    assert [item["what"] for item in document["deleted"]] == [*reversed(before[2:]), "old.jar"]
    assert _savepoints(full) == before[:2]
    last = full.site.history().last
    assert last
    assert re.search(r"pid \d+ by server", last.started_by)
    assert full.quick("prune", "--yes").stdout.endswith("Nothing to prune.\n")


def test_a_pruning_that_has_moved_since_it_was_shown_deletes_nothing(full: Office) -> None:
    pruner = RemotePruner(ServerConnection(full.url, TOKEN, user="test"), SilentReporter())
    shown = pruner.plan(["shop"])
    full.site.open().take_snapshot("shop", confirm=lambda plan: True)
    with pytest.raises(PlanOutdated, match="nothing was deleted"):
        list(pruner.carry_out(shown))
    assert len(_savepoints(full)) == 6
    again = list(pruner.carry_out(pruner.plan(["shop"])))
    assert [found.is_gone for found in again] == [True] * 4


def test_what_somebody_else_is_at_is_skipped_and_told_and_progress_is_shown(full: Office) -> None:
    journal = full.site.open().journal
    lease = journal.acquire("shop", duration=LEASE)
    result = full.quick("prune", "--yes")
    assert "skipped shop: 'shop' is being changed by" in result.stdout
    assert "see whether it is still so" in result.stderr
    assert len(_savepoints(full)) == 5
    journal.release(lease)
    assert full.refused("prune", "nobody", "--yes") == "plan-error"


def test_a_deletion_that_failed_is_told_with_its_error() -> None:
    leftover = Leftover(kind=LeftoverKind.UPLOAD, name="shop.jar", ref="1", target="mem")
    failed = Deleted(what=leftover, error=RejectedByTarget("the store says no", target="mem", cause="why"))
    told = deleted(report(failed))
    assert told
    assert told.what == leftover
    assert not told.is_gone
    assert isinstance(told.error, RejectedByTarget)
    assert (told.error.message, told.error.target, told.error.cause) == ("the store says no", "mem", "why")


def _timeless(text: str) -> str:
    return re.sub(r"\d+(\.\d+)? (ms|s|min)( ago)?|just now", "TIME", text)


# The journal ---------------------------------------------------------------------------------------------------


def test_the_servers_journal_is_looked_over(full: Office) -> None:
    there, here = full.quick("journal", "check"), full.on_the_spot("journal", "check")
    assert (there.returncode, there.stdout) == (here.returncode, here.stdout)
    assert there.returncode == 0
    with sqlite3.connect(full.site.folder / ".scurry/journal.db") as journal:
        journal.execute("UPDATE application SET resolved_submits = 7")
    journal.close()
    there, here = full.quick("journal", "check", "--json"), full.on_the_spot("journal", "check", "--json")
    assert there.returncode == here.returncode == 1
    assert json.loads(there.stdout) == json.loads(here.stdout)
    check_document("journal-check", json.loads(there.stdout))
    assert "7 submits are counted as resolved" in full.quick("journal", "check").stdout


# What a server cannot do ---------------------------------------------------------------------------------------


def test_what_a_server_cannot_do_is_refused_with_the_reason(office: Office) -> None:
    copy = office.folder / "copy.db"
    copy.write_bytes(b"")
    for arguments, reason in (
        (("journal", "check", "copy.db"), "is a file on this machine"),
        (("journal", "move", "copy.db", "--yes"), "not through a server"),
    ):
        result = office.quick(*arguments)
        assert result.returncode == 1
        assert reason in result.stderr
        assert "without --server" in result.stderr or "leave --server" in result.stderr
    for command in ("local status", "local stop", "runtime list", "init new", "serve"):
        result = office.quick(*command.split(), "--server", office.url)
        assert result.returncode == 2
        assert "--server" in result.stderr
        assert "this machine" in result.stderr
    assert not (office.folder / "new").exists()


def test_what_is_about_this_machine_does_not_heed_the_server_of_the_surroundings(office: Office) -> None:
    assert office.quick("local", "status").returncode == 0
    assert office.quick("local", "stop", "--yes").stdout == "No cluster runs here.\n"
    assert office.quick("init", "new").returncode == 0
